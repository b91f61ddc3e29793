"""`kg new` and `kg answers`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from kg.cli.terminal import Releases, check_base, console, current, err, releases_in
from kg.curation import answers, builder
from kg.errors import KgError
from kg.project import scaffold
from kg.project.location import project_root
from kg.project.reading import LANGUAGE
from kg.release import store


def new(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    base_iri: Annotated[
        str,
        typer.Option(help="The IRI that all identifiers begin with.", show_default="https://example.org/NAME/"),
    ] = "",
    languages: Annotated[str, typer.Option(help="The languages of the pages, the main one first.")] = "en",
) -> None:
    """Write a small project that builds, answers a query and serves: ontology, records, query, check, site.yaml."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-") or "kg"
    base = base_iri or f"https://example.org/{name}/"
    check_base(base)
    tongues = [tongue.strip() for tongue in languages.split(",")]
    for tongue in tongues:
        if not LANGUAGE.fullmatch(tongue):
            raise KgError(f"--languages: '{tongue}' is not a language tag; expected tags with commas, such as en,fr")
    try:
        written = scaffold.write(folder, base, tongues)
    except OSError as error:
        raise store.unwritable(folder, error) from error
    console.print(f"wrote {len(written)} files to {folder}; next:", markup=False, highlight=False)
    for command in ("build", "answers", "serve"):
        console.print(f"  kg --project {folder} {command}", markup=False, highlight=False)


def check_answers(
    write: Annotated[
        str, typer.Option(metavar="NAME", help="Record the present answer of this query instead.", show_default=False)
    ] = "",
    out: Releases = None,
) -> None:
    """Compare the answers of stored queries with the expected ones in tests/expected/. Exits 1 if one differs."""
    root = project_root()
    context = builder.read_context(root)
    opened = store.open_release(current(releases_in(out)))
    if write:
        console.print(f"wrote {answers.record(opened.store, root, write, context)}", markup=False)
        return
    number = len(list(answers.folder(root).glob("*.json")))
    found = list(answers.differences(opened.store, root, context))
    for difference in found:
        err.print(f"{difference.name}: {difference.message}", markup=False)
    if found:
        raise KgError(f"{len(found)} of {number} answers differ from those in {answers.folder(root)}")
    console.print(f"{number} answers as expected")
