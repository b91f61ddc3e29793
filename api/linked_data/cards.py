"""What the page of a record tells first: cards by its class, its neighbours as a picture, how to cite it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from urllib.parse import quote

from pyoxigraph import NamedNode, QuerySolutions

from api.html.access import Access, of_query
from api.html.view import View
from kg.rdf import iris
from kg.rdf.terms import AnyTerm, value
from kg.release.entities import EntityDescription, Fact
from kg.sparql import library
from kg.sparql.library import StoredQuery

_MOST_ROWS = 60
_MOST_NEIGHBOURS = 14
# What hangs together by these hangs together with nearly everything.
_NO_NEIGHBOURS = ("passage", "source", "vocabulary", "fiscal-year")
_WIDTH, _HEIGHT = 940, 420


@dataclass(frozen=True, slots=True)
class Card:
    """A stored query about one record, with its answer; `total` counts rows that are not shown, too."""

    query: StoredQuery
    columns: list[str]
    rows: list[list[AnyTerm | None]]
    total: int
    access: Access


def cards(view: View, iri: str, host: str) -> list[Card]:
    """The cards of a record's class that have something to tell, without columns that nothing stands in."""
    name = iri.removeprefix(view.site.entities.root).partition("/")[0]
    found = (_card(view, iri, host, query) for query in view.site.cards.get(name, ()))
    return [card for card in found if card.rows]


def _card(view: View, iri: str, host: str, query: StoredQuery) -> Card:
    text = library.fill(query.text, {"this": NamedNode(iri)})
    result = view.site.release.store.query(text, prefixes=dict(view.site.prefixes))
    assert isinstance(result, QuerySolutions)
    columns = [v.value for v in result.variables]
    rows = [list(solution) for solution in result]
    rows = [row for row in rows if any(cell is not None for cell in row)]
    used = [i for i in range(len(columns)) if any(row[i] is not None for row in rows)]
    shown = [[row[i] for i in used] for row in rows[:_MOST_ROWS]]
    return Card(query, [columns[i] for i in used], shown, len(rows), of_query(view, host, text))


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A record beside another in the picture: where it stands, and which link leads there."""

    iri: str
    href: str
    label: str
    link: str
    x: float
    y: float
    anchor: str
    is_incoming: bool


def neighbours(view: View, iri: str, description: EntityDescription) -> list[Neighbour]:
    """The first few records that a record is linked with, on an ellipse around it, the links out first."""
    links: dict[str, Fact] = {}
    for fact in (*_flat(description.node.facts), *(f for part in description.loose_parts for f in _flat(part.facts))):
        links.setdefault(iris.document_of(value(fact.object)), fact)
    out = len(links)
    for fact in description.incoming:
        links.setdefault(iris.document_of(fact.subject), fact)
    root = view.site.entities.root
    near = [
        (n, other, fact)
        for n, (other, fact) in enumerate(links.items())
        if other.startswith(root) and other != iri and other.removeprefix(root).partition("/")[0] not in _NO_NEIGHBOURS
    ]
    chosen = near if len(near) <= _MOST_NEIGHBOURS else _some_of_each(near)
    return [_placed(view, i, len(chosen), other, fact, n >= out) for i, (n, other, fact) in enumerate(chosen)]


def _flat(facts: tuple[Fact, ...]) -> list[Fact]:
    """Facts, those of parts that are told in their place included."""
    return [f for fact in facts for f in (_flat(fact.part.facts) if fact.part else [fact])]


def _some_of_each(near: list[tuple[int, str, Fact]]) -> list[tuple[int, str, Fact]]:
    """As many as the picture holds, of each property by turns, in their order."""
    by_property: dict[str, list[tuple[int, str, Fact]]] = {}
    for entry in near:
        by_property.setdefault(entry[2].predicate, []).append(entry)
    chosen: list[tuple[int, str, Fact]] = []
    while len(chosen) < _MOST_NEIGHBOURS:
        for group in by_property.values():
            if group and len(chosen) < _MOST_NEIGHBOURS:
                chosen.append(group.pop(0))
    return sorted(chosen)


def _placed(view: View, i: int, of: int, other: str, fact: Fact, is_incoming: bool) -> Neighbour:
    # Half a step off the vertical: labels stand left and right of their points, never under each other.
    angle = 2 * math.pi * (i + 0.5) / of - math.pi / 2
    x = _WIDTH / 2 + 0.29 * _WIDTH * math.cos(angle)
    y = _HEIGHT / 2 + 0.43 * _HEIGHT * math.sin(angle)
    anchor = "start" if x >= _WIDTH / 2 else "end"
    label, link = view.plain(other), view.plain(fact.predicate)
    return Neighbour(other, view.href(other), shortened(label), link, round(x, 1), round(y, 1), anchor, is_incoming)


def shortened(text: str, most: int = 26) -> str:
    """A text no wider than so many half-width characters, an ellipsis for the rest."""
    width = 0
    for i, character in enumerate(text):
        width += 1 if character < "\u2e80" else 2
        if width > most:
            return text[:i] + "…"
    return text


@dataclass(frozen=True, slots=True)
class Citation:
    """How to cite a record: as a sentence, and for BibTeX."""

    text: str
    bibtex: str


def citation(view: View, iri: str) -> Citation:
    """The citation of a record in the release that is served."""
    site, label = view.site, view.plain(iri)
    day = site.issued.date().isoformat()
    text = view.t("cite_as", name=label, site=view.t("site"), day=day, release=site.version, iri=iri)
    key = quote(iri.removeprefix(site.entities.root), safe="").replace("%2F", "-")
    fields = {
        "title": "{" + label.replace("{", "").replace("}", "") + "}",
        "howpublished": "{" + view.t("site") + "}",
        "year": "{" + day[:4] + "}",
        "note": "{Release " + site.version + ", " + day + "}",
        "url": "{" + iri + "}",
    }
    rows = ",\n".join(f"  {name} = {text}" for name, text in fields.items())
    return Citation(text, f"@misc{{aikg-{key},\n{rows}\n}}")
