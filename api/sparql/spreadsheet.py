"""The result of a stored query as CSV for people: labels beside IRIs, units, totals, and the date of the data."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from api.html.view import View
from kg.engines import evaluation
from kg.sparql.library import StoredQuery


def written(view: View, body: bytes, query: StoredQuery, address: str) -> bytes:
    """Returns CSV of a result for a spreadsheet, which `body` is already, with what a reader of the table needs.

    `address` is that of the page of the query, of which the last lines speak.
    """
    head, *rows = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""))
    named = [at for at in range(len(head)) if any(_is_name(view, row[at]) for row in rows)]
    output = io.StringIO(newline="")
    writer = csv.writer(output)
    writer.writerow(_heading(view, query, head, named))
    for row in rows:
        writer.writerow([cell for at, text in enumerate(row) for cell in _cells(view, text, is_named=at in named)])
    if query.totals and len(rows) > 1:
        writer.writerow(_totals(view, query, head, rows, named))
    writer.writerow([])
    writer.writerow([view.t("sheet_date"), view.site.issued.date().isoformat()])
    writer.writerow([view.t("sheet_release"), view.site.version])
    writer.writerow([view.t("sheet_source"), address])
    return ("\ufeff" + output.getvalue()).encode()


def _heading(view: View, query: StoredQuery, head: Sequence[str], named: Sequence[int]) -> list[str]:
    titles: list[str] = []
    for at, name in enumerate(head):
        unit = query.units.get(name, "")
        title = view.column(name)
        titles.append(view.t("sheet_with_unit", title=title, unit=unit) if unit else title)
        if at in named:
            titles.append(view.t("sheet_address", title=title))
    return titles


def _is_name(view: View, text: str) -> bool:
    return text.startswith((view.site.base, *view.site.project.vocabularies))


def _cells(view: View, text: str, *, is_named: bool) -> tuple[str, ...]:
    """A cell as text; in a column of records, the label and the IRI."""
    if not is_named:
        return (text,)
    return (evaluation.harmless(view.plain(text)), text) if _is_name(view, text) else (text, "")


def _totals(
    view: View, query: StoredQuery, head: Sequence[str], rows: Sequence[Sequence[str]], named: Sequence[int]
) -> list[str]:
    """The sums of the columns that may be added up; a row of words has none."""
    cells: list[str] = []
    for at, name in enumerate(head):
        text = ""
        if name in query.totals:
            try:
                text = str(sum((Decimal(row[at]) for row in rows if row[at]), Decimal()))
            except InvalidOperation:
                text = ""
        cells += [text, ""] if at in named else [text]
    if not cells[0]:
        cells[0] = view.t("sheet_total")
    return cells
