"""Questions of the front page, answered as sentences: stored queries whose rows fill in the words of `site.yaml`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from markupsafe import Markup, escape
from pyoxigraph import Literal, NamedNode

from api.html.view import View
from api.i18n.collation import natural
from api.i18n.values import amount, shown
from api.pages.query_answers import Chart
from kg.project.description import FrontQuestion
from kg.rdf import formats
from kg.rdf.terms import AnyTerm, value

# A column of this name says where a row stands; it is shown as marks and not in the sentence.
EVIDENCE = "passage"
_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
_PLACE = re.compile(r"\{(\w+)\}")
# Of long lists a sentence names the first.
_MOST = 6

Row = Sequence[AnyTerm | None]


@dataclass(frozen=True, slots=True)
class AnsweredQuestion:
    """A question with its answer in one sentence, the marks of its evidence, and the query that gave the rows."""

    question: str
    sentence: Markup
    marks: tuple[Markup, ...]
    chart: Chart


def answered(view: View, asked: FrontQuestion, chart: Chart) -> AnsweredQuestion | None:
    """The answer to a question; None when the query has no rows, so that nothing is said about nothing."""
    table = chart.result.table
    if table is None or not table.rows:
        return None
    groups: dict[str, list[Row]] = {}
    for row in table.rows:
        groups.setdefault(str(row[0]), []).append(row)
    units = chart.query.units
    said = [_filled(view, view.said(asked.row), table.columns, rows, units) for rows in groups.values()]
    rows = Markup(view.t("list_comma")).join(said[:_MOST])
    if len(said) > _MOST:
        rows += view.t("list_comma") + view.t("and_more", n=view.number(len(said) - _MOST))
    whole = {"n": escape(view.number(len(groups))), "rows": rows}
    sentence = _filled(view, view.said(asked.answer), table.columns, list(table.rows), units, whole)
    return AnsweredQuestion(view.said(asked.question), sentence, _marks(view, table.columns, table.rows), chart)


def _filled(
    view: View,
    template: str,
    columns: Sequence[str],
    rows: Sequence[Row],
    units: dict[str, str],
    known: dict[str, Markup] | None = None,
) -> Markup:
    """The template with its `{column}`s filled in; what stands in `[brackets]` only when its columns have values."""
    found = dict(known or {})
    for i, column in enumerate(columns):
        terms = list(dict.fromkeys(term for row in rows if (term := row[i]) is not None))
        found.setdefault(column, _names(view, terms, units.get(column, ""), is_linked=i == 0))
    said = _OPTIONAL.sub(lambda m: m[1] if all(found.get(n) for n in _PLACE.findall(m[1])) else "", template)
    parts = _PLACE.split(said)
    # The pieces of a split by one group are text and name in turn.
    return Markup("").join(escape(part) if i % 2 == 0 else found.get(part, Markup("")) for i, part in enumerate(parts))


def _names(view: View, terms: Sequence[AnyTerm], unit: str, *, is_linked: bool) -> Markup:
    """The values of a column in a row; what names have in common at their beginning is said once."""
    if is_linked:
        return Markup(view.t("list_dot")).join(_name(view, term, unit) for term in terms)
    names = [view.short_name(term.value) if isinstance(term, NamedNode) else "" for term in terms]
    if not all(names):
        return Markup(view.t("list_dot")).join(_name(view, term, unit) for term in terms)
    names.sort(key=natural)
    words = [name.split(" ") for name in names]
    # The words that all begin with, at most all but the last one of the shortest.
    leading = list(takewhile(lambda column: len(set(column)) == 1, zip(*(w[:-1] for w in words), strict=False)))
    later = (" ".join(w[len(leading) :]) for w in words[1:])
    joiner = view.t("list_slash" if any(view.t("list_dot") in name for name in names) else "list_dot")
    return escape(joiner.join([*names[:1], *later]))


def _name(view: View, term: AnyTerm, unit: str) -> Markup:
    if isinstance(term, NamedNode):
        return view.short_link(term.value)
    if isinstance(term, Literal) and term.datatype.value in formats.NUMERIC:
        text = amount(term.value, unit, view.language) or shown(term, view.language)
        return Markup('<data class="nw" value="{}">{}</data>').format(term.value, text)
    return view.literal(term) if isinstance(term, Literal) else escape(value(term))


def _marks(view: View, columns: Sequence[str], rows: Sequence[Row]) -> tuple[Markup, ...]:
    """A mark for each passage in the column of evidence, in the order of the rows."""
    if EVIDENCE not in columns:
        return ()
    at, known = columns.index(EVIDENCE), view.site.entities
    passages = dict.fromkeys(value(term) for row in rows if (term := row[at]) is not None)
    graphs = [graph for passage in passages if (graph := known.graph_of(passage))]
    return tuple(view.mark(known.evidence(graph)) for graph in graphs)
