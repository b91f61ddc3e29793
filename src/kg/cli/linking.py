"""`kg link`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from kg.cli.terminal import console, current, err, pair, releases_in
from kg.errors import KgError
from kg.linking import batch
from kg.project.location import project_root
from kg.project.reading import read_project
from kg.rdf import formats
from kg.release import store

# How a row was decided. A name that is known and not linked has several records, or another column contradicts it.
_FORMS = {
    "exact": "by the name",
    "legal-form": "by the name, but for the legal form",
    "brackets": "by the name and another in brackets",
    "unit": "by the owner and the name of its unit",
    "identifier": "by an identifier",
    "owner": "begins with the name of a body",
    "similar": "only a similar name",
    "identifier-only": "the number agrees, the name does not",
    "other-legal-form": "another legal form",
    "unknown-legal-form": "a legal form that the body is not known to have",
}
_AMBIGUOUS = "a name that several records have, or that another column contradicts"
_UNSAFE = frozenset({"owner", "similar", "identifier-only", "other-legal-form", "unknown-legal-form"})
_NO_CANDIDATE = "no record has that name, an identifier or a similar name"
# Notices that are printed; more would hide the result.
_NOTICES = 50


def link_table(
    file: Annotated[Path, typer.Argument(help="A table: CSV, TSV or a workbook (.xlsx).")],
    column: Annotated[
        str,
        typer.Option(help="The column of names, by its name or number; else columns are proposed.", show_default=False),
    ] = "",
    kind: Annotated[str, typer.Option(help="Only records of this class, such as organization.")] = "",
    properties: Annotated[
        list[str] | None,
        typer.Option(
            "--property", metavar="COLUMN=kg:NAME", help="A column that tells names apart.", show_default=False
        ),
    ] = None,
    subject: Annotated[
        str,
        typer.Option(metavar="COLUMN|TEMPLATE", help="What your rows are called: https://example.go.jp/id/{code}"),
    ] = "",
    folder: Annotated[
        Path | None, typer.Option("--out", help="Where to write; else beside the table.", show_default=False)
    ] = None,
    output: Annotated[str, typer.Option("--format", "-f", help="The linkset's syntax: ttl, nt or jsonld.")] = "ttl",
    sheet: Annotated[str, typer.Option(help="The sheet of a workbook; else the first.")] = "",
    encoding: Annotated[str, typer.Option(help="utf-8, utf-16, cp932 or euc-jp; else found out.")] = "",
    header: Annotated[
        int | None,
        typer.Option(help="The row with the names of the columns, 0 if there is none; else found.", show_default=False),
    ] = None,
    reviewer: Annotated[
        str, typer.Option("--reviewed-by", metavar="NAME", help="Take the links of a linked table as NAME left them.")
    ] = "",
    linkset: Annotated[str, typer.Option(help="The IRI that you will publish the linkset under.")] = "",
    dataset: Annotated[str, typer.Option(help="The IRI of your dataset.")] = "",
    releases: Annotated[
        Path | None, typer.Option("--releases", help="Where releases are kept. [env: KG_RELEASES]", show_default=False)
    ] = None,
) -> None:
    """Link a table to this dataset: FILE.linked.csv with URIs and reasons, and a linkset to publish.

    Goes on where it stopped when it was interrupted: the same command again.
    """
    syntax = formats.rdf_format(output)
    if syntax is None or syntax.name not in ("ttl", "nt", "jsonld"):
        raise KgError(f"--format: '{output}' is none of ttl, nt, jsonld")
    if reviewer and not subject:
        raise KgError("--reviewed-by: the linkset needs --subject, the column or template with the IRIs of your rows")
    pairs = tuple(pair(p) for p in properties or ())
    project = read_project(project_root())
    order = batch.LinkOptions(
        *(file, column, kind, pairs, subject, sheet, encoding, header, reviewer, linkset, dataset),
        languages=project.languages,
        names=project.names,
    )
    opened = store.open_release(current(releases_in(releases)))
    columns = (BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("link", total=None)

        def report(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        try:
            outcome = batch.run(opened, order, folder, syntax, report)
        except KeyboardInterrupt:
            err.print("stopped; the same command goes on from there", markup=False)
            raise
    _print_outcome(outcome)


def _print_outcome(outcome: batch.BatchOutcome) -> None:
    if outcome.resumed:
        console.print(f"went on after {outcome.resumed:,} rows of an interrupted run", markup=False)
    if outcome.columns:
        console.print(f"columns  {outcome.columns}", markup=False, highlight=False)
    for notice in outcome.notices[:_NOTICES]:
        console.print(f"note     {notice}", markup=False, highlight=False, soft_wrap=True)
    if (more := len(outcome.notices) - _NOTICES) > 0:
        console.print(f"note     {more:,} more", markup=False)
    names = {
        "exact": "linked",
        "close": "closely linked",
        "part": "linked to their whole",
        "review": "to be reviewed",
        "none": "no candidate",
    }
    found = ", ".join(
        f"{n:,} {names[state]}" for state, n in outcome.counts.items() if n or state not in ("close", "part")
    )
    console.print(f"{sum(outcome.counts.values()):,} rows: {found}", markup=False, highlight=False)
    for line in _reasons(outcome):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(f"table    {outcome.table}", markup=False, highlight=False)
    if outcome.linkset:
        console.print(f"linkset  {outcome.linkset} ({outcome.links:,} links)", markup=False, highlight=False)
        console.print(f"mappings {outcome.mappings}", markup=False, highlight=False)
    else:
        console.print(
            "linkset  none: say with --subject which column or template gives the IRIs of your rows", markup=False
        )


def _reasons(outcome: batch.BatchOutcome) -> Iterator[str]:
    """Why rows were linked, are to be reviewed, or have no candidate: lines with the number of rows, most first."""
    for state, forms in sorted(outcome.grounds.items(), key=lambda item: tuple(outcome.counts).index(item[0])):
        told: Counter[str] = Counter()
        for form, rows in forms.items():
            is_unsaid = state == "review" and form not in _UNSAFE
            told[_AMBIGUOUS if is_unsaid else _FORMS.get(form, f"by {form.replace('-', ' ')}")] += rows
        head = "review" if state == "review" else "linked"
        yield from (f"{head:<8} {rows:>7,} {what}" for what, rows in told.most_common())
    if rows := outcome.counts["none"]:
        yield f"none     {rows:>7,} {_NO_CANDIDATE}"
