"""The contents of a law or another text in units: by part, what each unit says, and who quotes it.

A card with `#+ layout: contents` gives rows about a `provision` in a `part`: `heading`, `since`, `text` (where it can
be read), or a statement `said`, or a record `who` that quotes it, with the `graph` that says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import takewhile

from markupsafe import Markup
from pyoxigraph import Literal

from api.html.view import View
from api.linked_data import cards
from api.queries import statement_lists
from api.queries.statement_lists import ListedStatement
from kg.rdf.terms import AnyTerm, value
from kg.sparql.library import StoredQuery

LAYOUT = "contents"
Row = dict[str, AnyTerm | None]


@dataclass(slots=True)
class ContentsUnit:
    """A unit such as an article: its short name, heading, address in the original, statements, and who quotes it."""

    iri: str
    name: str
    heading: Markup | str = ""
    since: Literal | None = None
    text: str = ""
    statements: list[ListedStatement] = field(default_factory=list)
    quoted: dict[str, list[str]] = field(default_factory=dict)

    @property
    def modalities(self) -> list[str]:
        """The strengths of what it says, each once."""
        return list(dict.fromkeys(s.modality for s in self.statements if s.modality))

    def marks(self, view: View, who: str) -> tuple[Markup, ...]:
        """The evidence of a quotation."""
        return view.marks_of(self.quoted[who])


@dataclass(slots=True)
class ContentsPart:
    """A part such as a chapter, with its units in the order of the text."""

    iri: str
    name: str
    units: list[ContentsUnit]

    @property
    def quoted(self) -> int:
        """How many of its units are quoted."""
        return sum(bool(unit.quoted) for unit in self.units)

    @property
    def since(self) -> Literal | None:
        """Since when its units are in force, if all are since the same day."""
        days = {unit.since for unit in self.units}
        return days.pop() if len(days) == 1 else None


@dataclass(frozen=True, slots=True)
class Contents:
    """The parts of a text, and the query that found them."""

    query: StoredQuery
    parts: list[ContentsPart]


def of_record(view: View, iri: str) -> Contents | None:
    """The contents of a record; None if its class has no such card, or the card no rows."""
    query = cards.with_layout(view, iri, LAYOUT)
    if query is None:
        return None
    _, rows = cards.rows(view, iri, query)
    parts: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        parts.setdefault(_text(row["part"]), {}).setdefault(_text(row["provision"]), []).append(row)
    if not parts:
        return None
    names = _short_names(view, [*parts, *(unit for units in parts.values() for unit in units)])
    found = [
        ContentsPart(part, names[part], [_unit(view, unit, names[unit], said) for unit, said in units.items()])
        for part, units in parts.items()
    ]
    return Contents(query, found)


def _unit(view: View, iri: str, name: str, rows: list[Row]) -> ContentsUnit:
    unit = ContentsUnit(iri, name)
    headings = [row["heading"] for row in rows if isinstance(row["heading"], Literal)]
    if own := next((h for h in headings if h.language == view.language), next(iter(headings), None)):
        unit.heading = view.literal(own)
    unit.since = next((row["since"] for row in rows if isinstance(row["since"], Literal)), None)
    unit.text = next((_text(row["text"]) for row in rows if row["text"] is not None), "")
    said = dict.fromkeys(_text(row["said"]) for row in rows if row["said"] is not None)
    unit.statements = statement_lists.read(view.site, ((s, s.rpartition("/statement-")[0]) for s in said))
    for row in rows:
        if row["who"] is not None:
            unit.quoted.setdefault(_text(row["who"]), []).append(_text(row["graph"]))
    return unit


def _short_names(view: View, units: Iterable[str]) -> dict[str, str]:
    """The names without what all begin with, such as the name of the law."""
    names = {iri: view.plain(iri) for iri in units}
    # The least and the greatest differ at the first character in which any two do.
    least, greatest = min(names.values()), max(names.values())
    common = "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(least, greatest, strict=False)))
    leading = common[: max(common.rfind(" "), common.rfind("　")) + 1]
    return {iri: name.removeprefix(leading) for iri, name in names.items()}


def _text(term: AnyTerm | None) -> str:
    return value(term) if term is not None else ""
