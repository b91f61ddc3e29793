"""Shared by commands: consoles, the release in question, and parsing of arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kg.errors import BadParameter, KgError, NoRelease
from kg.project.location import project_root
from kg.rdf import iris
from kg.release import store

console = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True, highlight=False)

Releases = Annotated[
    Path | None,
    typer.Option("--out", "--releases", help="Where releases are kept. [env: KG_RELEASES]", show_default=False),
]


def releases_in(chosen: Path | None) -> Path:
    """The folder of releases given by an option, or the default one."""
    return chosen or store.default_releases(project_root())


def current(releases: Path) -> Path:
    """The folder of the current release, which is made if there is none."""
    try:
        return store.current_directory(releases)
    except NoRelease:
        err.print("no release yet; making one", markup=False)
        # Only a first start needs the build modules.
        from kg.build import pipeline

        root = project_root()
        if (root / "data" / "ttl").is_dir():
            return pipeline.release_from_ttl(root, releases)
        built = pipeline.build(root, releases).release
        assert built is not None
        return built


def check_base(iri: str) -> None:
    """Raises `KgError` unless an IRI can be the base of a release."""
    if not iris.is_base(iri):
        raise KgError(f"--base-iri: '{iri}' is no base; expected an IRI that ends in '/', like https://example.org/kg/")


def pair(text: str) -> tuple[str, str]:
    """The two parts of a `NAME=VALUE`; raises `BadParameter`."""
    name, equals, value = text.partition("=")
    if not equals:
        raise BadParameter(f"'{text}': expected NAME=VALUE")
    return name, value
