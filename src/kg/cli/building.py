"""`kg build` and `kg check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from kg.build import pipeline
from kg.cli.terminal import Releases, check_base, console, err, releases_in
from kg.errors import Rejected
from kg.project.location import project_root


def build(
    base_iri: Annotated[
        str,
        typer.Option(help="Publish under this base; must end in '/'.", show_default="the base in site.yaml"),
    ] = "",
    out: Releases = None,
) -> None:
    """Build the graph: YAML → checked → inferred → data/ttl and a release. Exits 1 with a report on any violation."""
    if base_iri:
        check_base(base_iri)
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("start", total=len(pipeline.STAGES))

        def report(stage: str) -> None:
            progress.update(task, description=stage, completed=pipeline.STAGES.index(stage))
            if not err.is_terminal:
                err.print(f"{stage} …", markup=False)

        summary = pipeline.build(project_root(), releases_in(out), base=base_iri, report=report)
    _print_summary(summary)


def _print_summary(summary: pipeline.Summary) -> None:
    for warning in summary.warnings:
        err.print(warning, style="yellow", markup=False)
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    unchanged = summary.records - summary.parsed
    table.add_row("records", f"{summary.records:,}" + (f", {unchanged:,} unchanged" if unchanged else ""))
    table.add_row("triples asserted", f"{summary.asserted:,}")
    table.add_row("triples inferred", f"{summary.inferred:,}")
    table.add_row("quads in all", f"{summary.quads:,}")
    if summary.partners or summary.partners_left_out:
        table.add_row("partner datasets", f"{summary.partners:,} with {summary.links:,} links")
    if summary.partners_left_out:
        table.add_row("left out", ", ".join(summary.partners_left_out))
    table.add_row("files changed in data/ttl", f"{summary.changed_files:,}")
    table.add_row("warnings", str(len(summary.warnings)) if summary.warnings else "none")
    total = sum(summary.seconds.values())
    table.add_row("time", f"{total:.1f} s (" + ", ".join(f"{k} {v:.1f}" for k, v in summary.seconds.items()) + ")")
    memory = f"{summary.peak_memory_mb:,.0f} MB (the OWL reasoner's own process: {summary.reasoner_memory_mb:,.0f} MB)"
    table.add_row("peak memory", memory)
    table.add_row("release", str(summary.release))
    console.print(table)


def check(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Report only what concerns these files.", show_default=False)
    ] = None,
) -> None:
    """Check the curated files: the profile, references, shapes and query checks, without the OWL reasoner."""
    problems = pipeline.check(project_root(), files)
    if any(not problem.is_warning for problem in problems):
        raise Rejected(problems)
    for problem in problems:
        err.print(str(problem), style="yellow", markup=False)
    console.print("no problems" if not problems else f"{len(problems)} warning(s)")
