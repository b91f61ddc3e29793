"""Compares what the sources state with what the graph has, kind by kind, by queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from kg.errors import KgError
from kg.project.description import said
from kg.project.reading import read_project
from kg.sparql import library
from kg.sparql.quadstore import QuadStore

# The headings of a language: a kind, and all kinds.
_HEADS = {"en": ("kind", "all"), "ja": ("種類", "合計")}

_NAMES = "SELECT ?name WHERE {{ <{}> <http://www.w3.org/2004/02/skos/core#prefLabel> ?name }}"


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """A kind with the number in the source and the number of rows of its query.

    `source` has the names of the source, if the header of the query says which it is.
    """

    name: str
    title: dict[str, str]
    stated: int
    found: int
    source: dict[str, str]


def measure(store: QuadStore, root: Path) -> list[CoverageRow]:
    """One row for each query in `queries/coverage`, which returns one row for each covered item."""
    base = read_project(root).base
    rows = []
    for path in sorted((root / "queries" / "coverage").glob("*.rq")):
        query = library.read(path)
        if query.expected is None:
            raise KgError(f"{path}: the header states no 'expected' count")
        names = {}
        if query.source:
            found = library.select(store, _NAMES.format(base.record_iri(f"source/{query.source}")))
            names = {name.language: name.value for name in (solution["name"] for solution in found)}
            if not names:
                raise KgError(f"{path}: there is no source '{query.source}'")
        rows_found = {tuple(map(str, solution)) for solution in library.select(store, query.text)}
        rows.append(CoverageRow(path.stem, query.title, query.expected, len(rows_found), names))
    return rows


def report(rows: list[CoverageRow], languages: Sequence[str]) -> str:
    """The tables as Markdown in inventory order, one for each source, with the kinds in each language."""
    tongues = sorted(languages, key=lambda tongue: tongue != "en")
    lines = [
        "# Coverage",
        "",
        "Written by `kg coverage`. For each kind of thing that a source states: how many an inventory of it",
        "counted, and how many the query of that kind in `queries/coverage/` finds in the graph.",
    ]
    for source, kinds in groupby(rows, key=lambda row: row.source):
        if source:
            lines += ["", "## " + " / ".join(said(source, (tongue,)) for tongue in tongues)]
        lines += ["", *_table(list(kinds), tongues)]
    return "\n".join(lines) + "\n"


def _table(rows: list[CoverageRow], tongues: Sequence[str]) -> list[str]:
    heads = [_HEADS.get(tongue, _HEADS["en"]) for tongue in tongues]
    lines = [
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
    return lines
