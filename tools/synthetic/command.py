"""`kg generate`: available in a checkout, where this folder is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kg.cli.terminal import console
from kg.rdf import iris
from tools.synthetic import generation


def generate(
    scale: Annotated[int, typer.Option(min=1, help="About how many triples, stated and inferred, each counted once.")],
    out: Annotated[Path, typer.Option(help="The folder to write into.")],
    output: Annotated[
        generation.Format, typer.Option("--format", "-f", help="The dataset as built, or a project to be built.")
    ] = "nq",
    seed: Annotated[int, typer.Option(min=0, help="Another number gives other data of the same shape.")] = 1,
) -> None:
    """Write data of any size in the shape of the real graph, for benchmarks: its records and copies of them."""
    path, triples = generation.generate(iris.project_root(), scale, out, output, seed)
    console.print(f"{triples:,} triples: {path}", markup=False, highlight=False)
