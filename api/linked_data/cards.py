"""The top of a record's page: cards with query results, a diagram of its neighbourhood, and its citation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from urllib.parse import quote

from pyoxigraph import NamedNode, QuerySolutions

from api.html import figures
from api.html.access import Access, of_query
from api.html.figures import MoneyFigure
from api.html.view import View
from kg.engines.evaluation import Query
from kg.rdf import iris
from kg.rdf.terms import AnyTerm, value
from kg.release import evidence_sets
from kg.release.facts import EntityDescription, Fact
from kg.release.paths import AUXILIARY
from kg.sparql import library
from kg.sparql.library import StoredQuery

_MAX_ROWS = 60
_MAX_NEIGHBOURS = 14
_WIDTH, _HEIGHT = 940, 420
# Wholes and parts of a record with a budget that have a budget too, so that their amounts must not be added.
_SHARED_MONEY = """PREFIX kg: <https://w3id.org/aikg/ontology#>
SELECT DISTINCT ?other WHERE {
  ?this kg:budget ?own .
  { ?this kg:hasArm|kg:hasPart ?other } UNION { ?this kg:armOf|kg:isPartOf ?other }
  ?other kg:budget ?theirs .
} ORDER BY ?other"""


@dataclass(frozen=True, slots=True)
class Card:
    """A stored query about a record with its result; `total` includes the rows that are not shown."""

    query: StoredQuery
    columns: list[str]
    rows: list[list[AnyTerm | None]]
    total: int
    access: Access
    figure: MoneyFigure | None = None


def cards(view: View, iri: str, host: str) -> list[Card]:
    """The cards of a record's class that have rows, without empty columns."""
    name = iri.removeprefix(view.site.entities.root).partition("/")[0]
    found = (_card(view, iri, host, query) for query in view.site.cards.get(name, ()) if not query.layout)
    return [card for card in found if card.rows]


def with_layout(view: View, iri: str, layout: str) -> StoredQuery | None:
    """The card of a record's class that is laid out in another way than as a table."""
    name = iri.removeprefix(view.site.entities.root).partition("/")[0]
    return next((query for query in view.site.cards.get(name, ()) if query.layout == layout), None)


def rows(view: View, iri: str, query: StoredQuery) -> tuple[str, list[dict[str, AnyTerm | None]]]:
    """The query of a card about a record, and its rows by column."""
    text = _text(view, iri, query)
    result = _solutions(view, text)
    columns = [v.value for v in result.variables]
    return text, [dict(zip(columns, solution, strict=True)) for solution in result]


def _solutions(view: View, text: str) -> QuerySolutions:
    store, asked = view.site.evidence_sets.resolved(Query(text))
    result = store.query(asked.text, prefixes=dict(view.site.prefixes))
    assert isinstance(result, QuerySolutions)
    return result


def _text(view: View, iri: str, query: StoredQuery) -> str:
    """The query of a card about a record, limited to the evidence that the page shows."""
    text = library.fill(query.text, {"this": NamedNode(iri)})
    return evidence_sets.with_from(text, view.evidence, view.site.base, view.site.prefixes)


def _card(view: View, iri: str, host: str, query: StoredQuery) -> Card:
    text = _text(view, iri, query)
    result = _solutions(view, text)
    columns = [v.value for v in result.variables]
    rows = [list(solution) for solution in result]
    rows = [row for row in rows if any(cell is not None for cell in row)]
    used = [i for i in range(len(columns)) if any(row[i] is not None for row in rows)]
    shown = [[row[i] for i in used] for row in rows[:_MAX_ROWS]]
    figure = figures.money(view, query, columns, rows) if rows and query.chart.get("type") == figures.MONEY else None
    return Card(query, [columns[i] for i in used], shown, len(rows), of_query(view, host, text), figure)


def shared_money(view: View, iri: str) -> list[str]:
    """The wholes and parts of a record whose budgets may be the same money as its own."""
    found = view.site.release.store.query(library.fill(_SHARED_MONEY, {"this": NamedNode(iri)}))
    assert isinstance(found, QuerySolutions)
    return [value(row[0]) for row in found]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A record in the diagram: its position, and the link to it."""

    iri: str
    href: str
    label: str
    link: str
    x: float
    y: float
    anchor: str
    is_incoming: bool


def neighbours(view: View, iri: str, description: EntityDescription) -> list[Neighbour]:
    """Up to `_MAX_NEIGHBOURS` linked records on an ellipse around a record, with outgoing links first."""
    links: dict[str, Fact] = {}
    for fact in (
        *flattened(description.node.facts),
        *(f for part in description.loose_parts for f in flattened(part.facts)),
    ):
        links.setdefault(iris.document_of(value(fact.object)), fact)
    out = len(links)
    for fact in description.incoming:
        links.setdefault(iris.document_of(fact.subject), fact)
    root = view.site.entities.root
    near = [
        (n, other, fact)
        for n, (other, fact) in enumerate(links.items())
        if other.startswith(root) and other != iri and other.removeprefix(root).partition("/")[0] not in AUXILIARY
    ]
    chosen = near if len(near) <= _MAX_NEIGHBOURS else _balanced(near)
    return [_neighbour(view, i, len(chosen), other, fact, n >= out) for i, (n, other, fact) in enumerate(chosen)]


def flattened(facts: tuple[Fact, ...]) -> list[Fact]:
    """The facts, including those of parts that are shown inline."""
    return [f for fact in facts for f in (flattened(fact.part.facts) if fact.part else [fact])]


def _balanced(near: list[tuple[int, str, Fact]]) -> list[tuple[int, str, Fact]]:
    """Up to `_MAX_NEIGHBOURS` entries, chosen from each property in turn, in the original order."""
    by_property: dict[str, list[tuple[int, str, Fact]]] = {}
    for entry in near:
        by_property.setdefault(entry[2].predicate, []).append(entry)
    chosen: list[tuple[int, str, Fact]] = []
    while len(chosen) < _MAX_NEIGHBOURS:
        for group in by_property.values():
            if group and len(chosen) < _MAX_NEIGHBOURS:
                chosen.append(group.pop(0))
    return sorted(chosen)


def _neighbour(view: View, i: int, of: int, other: str, fact: Fact, is_incoming: bool) -> Neighbour:
    # Offset by half a step from the vertical, so that labels to the left and right of the points do not overlap.
    angle = 2 * math.pi * (i + 0.5) / of - math.pi / 2
    x = _WIDTH / 2 + 0.29 * _WIDTH * math.cos(angle)
    y = _HEIGHT / 2 + 0.43 * _HEIGHT * math.sin(angle)
    anchor = "start" if x >= _WIDTH / 2 else "end"
    label, link = view.plain(other), view.plain(fact.predicate)
    return Neighbour(
        other, view.href(other), view.shortened(label), link, round(x, 1), round(y, 1), anchor, is_incoming
    )


@dataclass(frozen=True, slots=True)
class Citation:
    """The citation of a record as text and as BibTeX."""

    text: str
    bibtex: str


def citation(view: View, iri: str) -> Citation:
    """The citation of a record in the current release."""
    site, label = view.site, view.plain(iri)
    day = site.issued.date().isoformat()
    title = view.said(site.project.title)
    text = view.t("cite_as", name=label, site=title, day=day, release=site.version, iri=iri)
    key = quote(iri.removeprefix(site.entities.root), safe="").replace("%2F", "-")
    fields = {
        "title": "{" + label.replace("{", "").replace("}", "") + "}",
        "howpublished": "{" + title + "}",
        "year": "{" + day[:4] + "}",
        "note": "{Release " + site.version + ", " + day + "}",
        "url": "{" + iri + "}",
    }
    rows = ",\n".join(f"  {name} = {text}" for name, text in fields.items())
    return Citation(text, f"@misc{{aikg-{key},\n{rows}\n}}")
