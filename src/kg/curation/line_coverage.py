"""What each passage of the sources states, in numbers: statements, other facts, and what stays text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from pyoxigraph import Literal, NamedNode

from kg.sparql import library
from kg.sparql.quadstore import QuadStore

_NAME = "SELECT ?name WHERE {{ <{}> <http://www.w3.org/2004/02/skos/core#prefLabel> ?name FILTER(LANG(?name) = 'en') }}"


@dataclass(frozen=True, slots=True)
class PassageCount:
    """The numbers of one passage of a source, by first and last line; `reasons` say why a part of it stays text."""

    source: str
    first: int
    last: int
    statements: int
    facts: int
    reasons: str

    @property
    def lines(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}–{self.last}"


def measure(store: QuadStore, root: Path) -> list[PassageCount]:
    """The numbers of every passage that states something, by source and line."""
    query = library.read(root / "queries" / "coverage" / "lines" / "passages.rq")
    found = []
    for solution in library.select(store, query.text):
        source, reasons = solution["source"], solution["reasons"]
        assert isinstance(source, NamedNode)
        names = [row["name"] for row in library.select(store, _NAME.format(source.value))]
        first, last, statements, facts = (_number(solution[n]) for n in ("first", "last", "statements", "facts"))
        written = reasons.value if isinstance(reasons, Literal) else ""
        name = names[0].value if names and isinstance(names[0], Literal) else source.value
        listed = ", ".join(sorted(set(written.split())))
        found.append(PassageCount(name, first, last, statements, facts, listed))
    return found


def _number(term: object) -> int:
    assert isinstance(term, Literal)
    return int(term.value)


def report(found: list[PassageCount]) -> str:
    """The tables as Markdown, one for each source, with its sums."""
    lines = [
        "# Coverage, line by line",
        "",
        "Written by `kg coverage`. For each passage: how many statements its units make, how many other facts rest on",
        "it, and for a unit of which a part stays text, the reason (`rhetoric`, `members`, `degree-only`, `print`,",
        "`history`, `how`, `apparatus`; see `id/vocabulary/text-only-reasons`). A passage of several lines has what is",
        "printed across them, such as a heading with what is under it. Lines between the passages are blank, headings",
        "or page marks.",
    ]
    for source, group in groupby(found, key=lambda row: row.source):
        rows = list(group)
        lines += ["", f"## {source}", "", *_sums(rows), "", *_table(rows)]
    return "\n".join(lines) + "\n"


def _sums(rows: list[PassageCount]) -> Iterator[str]:
    stating = sum(row.statements > 0 for row in rows)
    text = sum(bool(row.reasons) for row in rows)
    yield f"{len(rows)} passages: {sum(r.statements for r in rows):,} statements in {stating} of them,"
    yield f"{sum(r.facts for r in rows):,} other facts; a part of the text of {text} is not structured."


def _table(rows: list[PassageCount]) -> Iterator[str]:
    yield "| lines | statements | other facts | left as text |"
    yield "|---|---:|---:|---|"
    for row in rows:
        yield f"| {row.lines} | {row.statements} | {row.facts} | {row.reasons} |"
