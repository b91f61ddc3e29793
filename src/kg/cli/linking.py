"""`kg link`."""

from __future__ import annotations

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
    console.print(f"table    {outcome.table}", markup=False, highlight=False)
    if outcome.linkset:
        console.print(f"linkset  {outcome.linkset} ({outcome.links:,} links)", markup=False, highlight=False)
        console.print(f"mappings {outcome.mappings}", markup=False, highlight=False)
    else:
        console.print(
            "linkset  none: say with --subject which column or template gives the IRIs of your rows", markup=False
        )
