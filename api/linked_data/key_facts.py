"""The three to five facts that a reader wants first of a record, each with its evidence.

A card with `#+ layout: key` gives them: `fact` is a property, class or record that names a fact, `value` what it is,
`graph` where it is stated; a row without a graph is counted by the query. Rows with an `amount` are shown large.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from markupsafe import Markup
from pyoxigraph import Literal, NamedNode

from api.html.access import Access, of_query
from api.html.view import View
from api.i18n.collation import natural
from api.i18n.values import amount
from api.linked_data import cards
from kg.rdf.terms import AnyTerm, value

LAYOUT = "key"
_MOST = 5
_MOST_VALUES = 4


@dataclass(frozen=True, slots=True)
class KeyFact:
    """A fact by its name, with its values and the marks of its evidence; none for what is counted.

    `receipt` is the URL of the receipt of its row, or of the whole card if it has several rows.
    """

    name: Markup
    values: tuple[Markup, ...]
    more: int
    marks: tuple[Markup, ...]
    is_amount: bool
    receipt: str = ""


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """The facts of a record, and the query that gives them."""

    facts: tuple[KeyFact, ...]
    access: Access


def of_record(view: View, iri: str, host: str) -> KeyFacts | None:
    """The key facts of a record; None if its class has no such card, or the card no rows."""
    query = cards.with_layout(view, iri, LAYOUT)
    if query is None:
        return None
    text, rows = cards.rows(view, iri, query)
    groups: dict[str, list[dict[str, AnyTerm | None]]] = {}
    for row in rows:
        if row["fact"] is not None:
            groups.setdefault(value(row["fact"]), []).append(row)
    unit = query.units.get("amount", "")
    access = of_query(view, host, text)
    facts = tuple(
        replace(_fact(view, name, found, unit), receipt=_receipt(access, found))
        for name, found in list(groups.items())[:_MOST]
    )
    return KeyFacts(facts, access) if facts else None


def _receipt(access: Access, rows: list[dict[str, AnyTerm | None]]) -> str:
    if len(rows) > 1:
        return access.receipt
    return access.row_receipt(list(rows[0]), list(rows[0].values()))


def _fact(view: View, name: str, rows: list[dict[str, AnyTerm | None]], unit: str) -> KeyFact:
    sum_ = next((row["amount"] for row in rows if row["amount"] is not None), None)
    marks = view.marks_of(value(row["graph"]) for row in rows if row["graph"] is not None)
    if isinstance(sum_, Literal):
        kind = rows[0]["value"]
        named = view.name(name) + Markup(" ") + (view.name(value(kind)) if kind is not None else Markup(""))
        return KeyFact(named, (Markup(amount(sum_.value, unit, view.language)),), 0, marks, True)
    terms = dict.fromkeys(row["value"] for row in rows if row["value"] is not None)
    if all(isinstance(term, NamedNode) for term in terms):
        terms = dict.fromkeys(sorted(terms, key=lambda term: natural(view.plain(value(term)))))
    shown = tuple(_value(view, term) for term in list(terms)[:_MOST_VALUES])
    return KeyFact(Markup(view.name(name)), shown, max(0, len(terms) - _MOST_VALUES), marks, False)


def _value(view: View, term: AnyTerm) -> Markup:
    return view.short_link(term.value) if isinstance(term, NamedNode) else view.cell(term, codes=False)
