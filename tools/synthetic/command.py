"""`kg generate`, which is available in a checkout only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kg.cli.terminal import console
from kg.project.location import project_root
from tools.synthetic import generation


def generate(
    scale: Annotated[int, typer.Option(min=1, help="Approximate number of distinct triples, stated and inferred.")],
    out: Annotated[Path, typer.Option(help="The output folder.")],
    output: Annotated[
        generation.Format, typer.Option("--format", "-f", help="N-Quads, or a project for 'kg build'.")
    ] = "nq",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random values.")] = 1,
) -> None:
    """Generate data of any size in the shape of the real graph, for benchmarks."""
    path, triples = generation.generate(project_root(), scale, out, output, seed)
    console.print(f"{triples:,} triples: {path}", markup=False, highlight=False)
