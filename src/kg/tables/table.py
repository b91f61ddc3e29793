"""Reads CSV, TSV and workbooks into a table of text, and writes tables as CSV.

Anything ambiguous is refused with its position, since a table that is misread leads to wrong links.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kg.tables import delimited, layout, workbooks
from kg.tables.rows import USUAL, Notice, Row, TableError, TableLimits

# Characters that begin a formula in a spreadsheet (OWASP, CSV injection), with their full-width forms.
_FORMULA = re.compile("[=+\\-@\t\r\n＝＋－＠].", re.DOTALL)
_MOST_NOTICES = 100
_NUMBER = re.compile(r"[+-]?(?:\d+(?:,\d{3})*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?%?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Table:
    """Column names, and rows with one text per column; with `for_spreadsheet`, CSV gets a byte-order mark.

    `notices` say what was found out or repaired in reading the table.
    """

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    for_spreadsheet: bool = False
    notices: tuple[Notice, ...] = ()


def read(
    body: bytes,
    name: str = "",
    limits: TableLimits = USUAL,
    *,
    sheet: str = "",
    encoding: str = "",
    header: int | None = None,
) -> Table:
    """Reads a table; the file `name` decides its type if the bytes do not. Raises `TableError`.

    `header` is the number of the row with the names of the columns, from 1, blank rows not counted; 0 if there is none,
    and None if it is to be found.
    """
    if len(body) > limits.bytes:
        raise TableError("bytes", limit=limits.bytes)
    if body.startswith(b"PK\x03\x04"):
        return _table(workbooks.rows(body, limits, sheet), limits, header=header, spreadsheet=True)
    if body.startswith(b"\xd0\xcf\x11\xe0"):
        raise TableError("old-workbook")
    if body.startswith((b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"\x1f\x8b")):
        raise TableError("no-table")
    text, is_plain, notices = delimited.decoded(body, encoding)
    rows = delimited.parse(text, delimited.delimiter_of(text, name.lower()), limits)
    return _table(rows, limits, header=header, spreadsheet=not is_plain, notices=notices)


def _table(
    rows: Iterable[Row],
    limits: TableLimits,
    *,
    header: int | None,
    spreadsheet: bool,
    notices: Sequence[Notice] = (),
) -> Table:
    """Checks the limits and the width of rows, and drops blank rows unless there is only one column."""
    waiting = iter(rows)
    sample: list[tuple[int, Row]] = []
    for blank, row in _unblank(waiting):
        sample.append((blank, row))
        if len(sample) > layout.SAMPLE:
            break
    if not sample:
        raise TableError("empty")
    filled = [row for _, row in sample]
    found = layout.find([row.cells for row in filled], header)
    _check_header(found, filled, limits)
    kept: list[tuple[str, ...]] = []
    said = [*notices, *found.notices]
    characters = 0
    for blank, row in itertools.islice(itertools.chain(sample, _unblank(waiting)), found.before, None):
        if len(found.columns) == 1 and kept:
            kept += [("",)] * blank
        number = len(kept) + 1
        if number > limits.rows:
            raise TableError("rows", row=number, line=row.line, limit=limits.rows)
        cells = _fitted(row, number, len(found.columns), said)
        characters += _check_cells(cells, number, row.line, limits)
        if characters > limits.characters:
            raise TableError("characters", row=number, limit=limits.characters)
        kept.append(cells)
    columns = tuple(restored(cell) for cell in found.columns)
    return Table(columns, [tuple(map(restored, cells)) for cells in kept], spreadsheet, _listed(said))


def _unblank(rows: Iterator[Row]) -> Iterator[tuple[int, Row]]:
    """The rows that are not blank, each with the number of blank rows before it."""
    blank = 0
    for row in rows:
        if any(row.cells):
            yield blank, row
            blank = 0
        else:
            blank += 1


def _check_header(found: layout.Layout, filled: Sequence[Row], limits: TableLimits) -> None:
    line = filled[max(found.before - 1, 0)].line
    if len(found.columns) > limits.columns:
        raise TableError("columns", row=0, line=line, limit=limits.columns)
    _check_cells(found.columns, 0, line, limits)


def _fitted(row: Row, number: int, width: int, said: list[Notice]) -> tuple[str, ...]:
    """The cells of a row, one for each column. Spreadsheets leave out blank cells at the end of a row."""
    extra = next((n for n, cell in enumerate(row.cells[width:], width + 1) if cell), 0)
    if extra and not row.line:
        raise TableError("outside", row=number, column=extra, width=width)
    if extra:
        raise TableError("ragged", row=number, column=extra, line=row.line, cells=len(row.cells), width=width)
    for at, code, values in row.notices:
        said.append(Notice(code, number, at, values=values))
    missing = width - len(row.cells)
    if missing > 0 and row.line:
        said.append(Notice("short-row", number, line=row.line, values=(("missing", missing),)))
    return (*row.cells[:width], *[""] * missing)


def _listed(notices: Sequence[Notice]) -> tuple[Notice, ...]:
    """The notices, of each code only the first ones."""
    kept: list[Notice] = []
    counts = Counter[str]()
    for notice in notices:
        counts[notice.code] += 1
        if counts[notice.code] <= _MOST_NOTICES:
            kept.append(notice)
        elif counts[notice.code] == _MOST_NOTICES + 1:
            rest = sum(other.code == notice.code for other in notices) - _MOST_NOTICES
            kept.append(Notice("more", values=(("number", rest),)))
    return tuple(kept)


def _check_cells(cells: Sequence[str], number: int, line: int, limits: TableLimits) -> int:
    """The number of characters in the cells; raises `TableError` for a cell that is too long."""
    total = 0
    for column, cell in enumerate(cells, 1):
        total += len(cell)
        if len(cell) > limits.cell:
            raise TableError("cell", row=number, column=column, line=line, limit=limits.cell)
    return total


# ---- writing ----


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet may evaluate this text; signed numbers and a lone dash are not formulas."""
    return bool(_FORMULA.match(cell)) and not _NUMBER.fullmatch(cell)


def defused(cell: str) -> str:
    """The cell, prefixed with an apostrophe if a spreadsheet would evaluate it, or if it looks already prefixed."""
    return "'" + cell if is_formula(cell.lstrip("'")) else cell


def restored(cell: str) -> str:
    """Reverts `defused`."""
    return cell[1:] if cell.startswith("'") and is_formula(cell.lstrip("'")) else cell


def write(table: Table) -> bytes:
    """The table as CSV (RFC 4180) in UTF-8, with formulas defused."""
    output = io.StringIO(newline="")
    writer = csv.writer(output)
    writer.writerow(map(defused, table.columns))
    for row in table.rows:
        # The csv module writes a single empty cell as a blank line, which readers skip.
        writer.writerow(map(defused, row)) if row != ("",) else output.write('""\r\n')
    return (("\ufeff" if table.for_spreadsheet else "") + output.getvalue()).encode()
