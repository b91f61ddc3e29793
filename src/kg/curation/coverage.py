"""Compares what the source states with what the graph has, kind by kind, by queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kg.errors import KgError
from kg.project.description import said
from kg.sparql import library
from kg.sparql.quadstore import QuadStore

# The headings of a language: a kind, and all kinds.
_HEADS = {"en": ("kind", "all"), "ja": ("種類", "合計")}


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """A kind with the number in the source and the number of rows of its query."""

    name: str
    title: dict[str, str]
    stated: int
    found: int


def measure(store: QuadStore, root: Path) -> list[CoverageRow]:
    """One row for each query in `queries/coverage`, which returns one row for each covered item."""
    rows = []
    for path in sorted((root / "queries" / "coverage").glob("*.rq")):
        query = library.read(path)
        if query.expected is None:
            raise KgError(f"{path}: the header states no 'expected' count")
        found = len({tuple(map(str, solution)) for solution in library.select(store, query.text)})
        rows.append(CoverageRow(path.stem, query.title, query.expected, found))
    return rows


def report(rows: list[CoverageRow], languages: Sequence[str]) -> str:
    """The table as Markdown in inventory order, with the kinds in each language."""
    tongues = sorted(languages, key=lambda tongue: tongue != "en")
    heads = [_HEADS.get(tongue, _HEADS["en"]) for tongue in tongues]
    lines = [
        "# Coverage",
        "",
        "Written by `kg coverage`. For each kind of thing that the source states: how many an inventory of it",
        "counted, and how many the query of that kind in `queries/coverage/` finds in the graph.",
        "",
        f"| # | {' | '.join(kind for kind, _ in heads)} | stated | in the graph |",
        f"|---|{'---|' * len(heads)}---:|---:|",
    ]
    for row in rows:
        number = int(row.name.partition("-")[0])
        mark = "" if row.found >= row.stated else " **short**"
        titles = " | ".join(said(row.title, (tongue,)) for tongue in tongues)
        lines.append(f"| {number} | {titles} | {row.stated} | {row.found}{mark} |")
    total = " | ".join(f"**{every}**" for _, every in heads)
    lines.append(f"| | {total} | {sum(r.stated for r in rows)} | {sum(r.found for r in rows)} |")
    return "\n".join(lines) + "\n"
