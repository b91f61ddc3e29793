"""Compares what the source states with what the graph has, kind by kind, by queries."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kg.errors import KgError
from kg.sparql import library
from kg.sparql.quadstore import QuadStore


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


def report(rows: list[CoverageRow]) -> str:
    """The table as Markdown, in inventory order."""
    lines = [
        "# Coverage",
        "",
        "Written by `kg coverage`. For each kind of thing that the source states: how many an inventory of it",
        "counted, and how many the query of that kind in `queries/coverage/` finds in the graph.",
        "",
        "| # | kind | 種類 | stated | in the graph |",
        "|---|---|---|---:|---:|",
    ]
    for row in rows:
        number = int(row.name.partition("-")[0])
        mark = "" if row.found >= row.stated else " **short**"
        lines.append(f"| {number} | {row.title['en']} | {row.title['ja']} | {row.stated} | {row.found}{mark} |")
    lines.append(f"| | **all** | **合計** | {sum(r.stated for r in rows)} | {sum(r.found for r in rows)} |")
    return "\n".join(lines) + "\n"
