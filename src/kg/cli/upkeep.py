"""Commands that write files of the project: passages, concordance, coverage, conformance, the schema for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kg.cli.terminal import Releases, console, current, releases_in
from kg.curation import concordance, coverage, line_coverage, mappings, passages, schema
from kg.errors import KgError
from kg.project.description import said
from kg.project.location import project_root
from kg.project.reading import read_project
from kg.release import store

_TextFile = Annotated[Path, typer.Argument(help="The text of the source, as its record's hash says.", metavar="TEXT")]
_SourceSlug = Annotated[
    str,
    typer.Option(
        "--source", help="The slug of the source; else the one whose record has the text's hash.", show_default=False
    ),
]


def record_passages(text: _TextFile, source: _SourceSlug = "") -> None:
    """Record the passages that the data cites: lines, section, position and SHA-256 of the text of each."""
    path = passages.record(project_root(), text, source)
    console.print(f"wrote {path}")


def record_concordance(text: _TextFile, source: _SourceSlug = "") -> None:
    """Record on which lines of a source the printed forms of each topic and term occur, as numbers alone."""
    path = concordance.record(project_root(), text, source)
    console.print(f"wrote {path}")


def write_coverage(out: Releases = None) -> None:
    """Write docs/coverage.md and docs/coverage-lines.md: what the sources state and the graph has, by kind and line."""
    root = project_root()
    opened = store.open_release(current(releases_in(out)))
    rows = coverage.measure(opened.store, root)
    path = root / "docs" / "coverage.md"
    path.write_text(coverage.report(rows, read_project(root).languages), encoding="utf-8")
    by_line = root / "docs" / "coverage-lines.md"
    by_line.write_text(line_coverage.report(line_coverage.measure(opened.store, root)), encoding="utf-8")
    short = [row for row in rows if row.found < row.stated]
    console.print(f"wrote {by_line} and {path}: {len(rows)} kinds, {len(short)} short")
    if short:
        raise KgError("; ".join(f"{said(row.title, ('en',))}: {row.found} of {row.stated}" for row in short))


def check_conformance(
    url: Annotated[str, typer.Argument(help="The server to be checked.")] = "http://127.0.0.1:8000/",
    file: Annotated[
        Path | None, typer.Option("--file", help="Write the table here.", show_default="docs/conformance.md")
    ] = None,
) -> None:
    """Check a running server against the specifications and write docs/conformance.md. Exits 1 when a check fails."""
    from api.conformance import probe

    findings, software = probe.check(url)
    path = file or project_root() / "docs" / "conformance.md"
    path.write_text(probe.report(findings, software), encoding="utf-8")
    failed = [f for f in findings if not f.passed]
    console.print(f"wrote {path}: {len(findings)} checks, {len(failed)} failed", markup=False)
    if failed:
        raise KgError("; ".join(f"{f.requirement.name}: {f.detail}" for f in failed))


def write_schema() -> None:
    """Write what follows from the ontology: record.schema.json for editors, and the Turtle of its mappings, if any."""
    root = project_root()
    console.print(f"wrote {schema.write(root)}")
    if (path := mappings.write(root)) is not None:
        console.print(f"wrote {path}")
