"""Amounts of money as a figure: each amount as a bar with its label, a part hung from its whole and never stacked.

The hint of the query says which columns are what: `x` what has the money, `whole` what it is a part of, `y` the amount,
`period` and `kind` when and of which kind, `note` whether it is an estimate. Of these, `plain` is the kind without a
word of its own, `exact` an amount without an estimate, and `estimate` one that is wholly estimated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from pyoxigraph import Literal, NamedNode

from api.html.view import View
from api.i18n.values import amount
from kg.rdf.terms import AnyTerm, value
from kg.sparql.library import StoredQuery

MONEY = "money"
EVIDENCE = "passage"
# Measures of the drawing, in its own units.
WIDTH = 1_100
BARS_FROM = 430
_LONGEST = 400
_BAR, _STEP, _GAP, _TOP = 28, 40, 26, 10
# The style of a bar: outlined before the latest period, hatched if estimated.
_LATEST, _EARLIER, _OTHER, _ESTIMATED = "b26", "b25", "sup", "est"


@dataclass(frozen=True, slots=True)
class MoneyBar:
    """One amount: when and of which kind, in words, its note, evidence, and its place in the drawing."""

    when: str
    amount: str
    note: str
    marks: tuple[Markup, ...]
    style: str
    y: int
    width: float
    share: float


@dataclass(frozen=True, slots=True)
class MoneyRow:
    """What has the money, or is a part of what stands above it, with its bars."""

    iri: str
    name: str
    is_part: bool
    bars: tuple[MoneyBar, ...]
    y: int


@dataclass(frozen=True, slots=True)
class MoneyFigure:
    """The rows with amounts from top to bottom, what has none stated, the periods, and the styles in use."""

    rows: tuple[MoneyRow, ...]
    without: tuple[str, ...]
    first: str
    last: str
    styles: tuple[str, ...]
    height: int

    @property
    def has_parts(self) -> bool:
        """Whether a part stands beside its whole, so that amounts must not be added."""
        return any(row.is_part for row in self.rows)

    @property
    def marks(self) -> tuple[Markup, ...]:
        """The evidence of all amounts, each once."""
        return tuple(dict.fromkeys(mark for row in self.rows for bar in row.bars for mark in bar.marks))


Cells = dict[str, AnyTerm | None]


def money(
    view: View, query: StoredQuery, columns: Sequence[str], rows: Sequence[Sequence[AnyTerm | None]]
) -> MoneyFigure:
    """The figure of the rows of a query, in their order."""
    hint, unit = query.chart, query.units.get(query.chart["y"], "")
    groups: dict[str, list[Cells]] = {}
    for row in rows:
        cells = dict(zip(columns, row, strict=True))
        groups.setdefault(_text(cells[hint["x"]]), []).append(cells)
    stated = {iri: found for iri, found in groups.items() if any(cells[hint["y"]] is not None for cells in found)}
    sums = [float(_text(cells[hint["y"]])) for found in stated.values() for cells in found if cells[hint["y"]]]
    periods = sorted({_text(c[hint["period"]]) for found in stated.values() for c in found if c[hint["period"]]})
    drawing = _Drawing(view, hint, unit, max(sums, default=1), periods[-1] if periods else "")
    drawn, y = [], _TOP
    for iri, found in stated.items():
        bars = drawing.bars(found, y)
        is_part = any(_text(cells.get(hint.get("whole", ""))) in stated for cells in found)
        drawn.append(MoneyRow(iri, view.short_name(iri), is_part, bars, y))
        y += len(bars) * _STEP + _GAP
    return MoneyFigure(
        tuple(drawn),
        tuple(iri for iri in groups if iri not in stated),
        view.plain(periods[0]) if periods else "",
        view.plain(periods[-1]) if periods else "",
        tuple(dict.fromkeys(bar.style for row in drawn for bar in row.bars)),
        y,
    )


@dataclass(frozen=True, slots=True)
class _Drawing:
    """What all bars of a figure have in common: the unit, the greatest amount, and the latest period."""

    view: View
    hint: dict[str, str]
    unit: str
    greatest: float
    latest: str

    def bars(self, found: Sequence[Cells], y: int) -> tuple[MoneyBar, ...]:
        """The bars of one row: amounts that several passages state are one bar."""
        hint = self.hint
        same: dict[tuple[str, str, str], list[Cells]] = {}
        for cells in found:
            if cells[hint["y"]] is not None:
                key = (_text(cells[hint["period"]]), _text(cells[hint["kind"]]), _text(cells[hint["y"]]))
                same.setdefault(key, []).append(cells)
        return tuple(self._bar(*key, cells, y + n * _STEP) for n, (key, cells) in enumerate(same.items()))

    def _bar(self, period: str, kind: str, sum_: str, found: Sequence[Cells], y: int) -> MoneyBar:
        view, hint = self.view, self.hint
        status = _text(found[0][hint["note"]])
        is_plain = kind.endswith(hint["plain"])
        style = _OTHER if not is_plain else _LATEST if period == self.latest else _EARLIER
        if status.endswith(hint["estimate"]):
            style = _ESTIMATED
        share = float(sum_) / self.greatest
        known = view.site.entities
        passages = dict.fromkeys(_text(cells.get(EVIDENCE)) for cells in found if cells.get(EVIDENCE) is not None)
        graphs = [graph for passage in passages if (graph := known.graph_of(passage))]
        return MoneyBar(
            view.plain(period) + ("" if is_plain else " " + view.plain(kind)),
            amount(sum_, self.unit, view.language),
            "" if status.endswith(hint["exact"]) else view.plain(status),
            view.marks_of(graphs),
            style,
            y,
            round(max(2.0, share * _LONGEST), 1),
            round(share * 100, 1),
        )


def _text(term: AnyTerm | None) -> str:
    return term.value if isinstance(term, Literal | NamedNode) else value(term) if term is not None else ""
