"""Reads CSV, TSV and workbooks into a table of text, and writes tables as CSV.

Anything ambiguous is refused with its position, since a table that is misread leads to wrong links.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kg.tables import delimited, workbooks
from kg.tables.rows import USUAL, Row, TableError, TableLimits

# Characters that begin a formula in a spreadsheet (OWASP, CSV injection), with their full-width forms.
_FORMULA = re.compile("[=+\\-@\t\r\n＝＋－＠].", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:,\d{3})*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?%?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Table:
    """Column names, and rows with one text per column; with `for_spreadsheet`, CSV gets a byte-order mark."""

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    for_spreadsheet: bool = False


def read(
    body: bytes,
    name: str = "",
    limits: TableLimits = USUAL,
    *,
    sheet: str = "",
    encoding: str = "",
    has_header: bool = True,
) -> Table:
    """Reads a table; the file `name` decides its type if the bytes do not. Raises `TableError`."""
    if len(body) > limits.bytes:
        raise TableError("bytes", limit=limits.bytes)
    if body.startswith(b"PK\x03\x04"):
        return _table(workbooks.rows(body, limits, sheet), limits, has_header=has_header, pads=True, spreadsheet=True)
    if body.startswith(b"\xd0\xcf\x11\xe0"):
        raise TableError("old-workbook")
    if body.startswith((b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"\x1f\x8b")):
        raise TableError("no-table")
    text, is_plain = delimited.decoded(body, encoding)
    rows = delimited.parse(text, delimited.delimiter_of(text, name.lower()), limits)
    return _table(rows, limits, has_header=has_header, pads=False, spreadsheet=not is_plain)


def _table(rows: Iterable[Row], limits: TableLimits, *, has_header: bool, pads: bool, spreadsheet: bool) -> Table:
    """Checks the limits and the width of rows, and drops blank rows unless there is only one column."""
    columns: tuple[str, ...] | None = None
    kept: list[tuple[str, ...]] = []
    characters = blank = 0
    for row in rows:
        if not any(row.cells):
            blank += 1
            continue
        if columns is None:
            columns, blank = _header(row, limits, has_header=has_header), 0
            if has_header:
                continue
        if len(columns) == 1:
            kept += [("",)] * blank
        blank = 0
        number = len(kept) + 1
        if number > limits.rows:
            raise TableError("rows", row=number, line=row.line, limit=limits.rows)
        cells = _fitted(row, number, columns, pads=pads)
        characters += _check_cells(cells, number, row.line, limits)
        if characters > limits.characters:
            raise TableError("characters", row=number, limit=limits.characters)
        kept.append(cells)
    if columns is None:
        raise TableError("empty")
    return Table(columns, [tuple(map(restored, cells)) for cells in kept], spreadsheet)


def _header(row: Row, limits: TableLimits, *, has_header: bool) -> tuple[str, ...]:
    cells = row.cells
    while len(cells) > 1 and not cells[-1] and not row.line:
        cells = cells[:-1]
    if len(cells) > limits.columns:
        raise TableError("columns", row=0, line=row.line, limit=limits.columns)
    if not has_header:
        return tuple(str(n) for n in range(1, len(cells) + 1))
    _check_cells(cells, 0, row.line, limits)
    return tuple(restored(cell) for cell in cells)


def _fitted(row: Row, number: int, columns: tuple[str, ...], *, pads: bool) -> tuple[str, ...]:
    """The cells of a row, one for each column."""
    cells, width = row.cells, len(columns)
    if pads:
        cells = (*cells[:width], *[""] * (width - len(cells)))
        extra = next((n for n, cell in enumerate(row.cells[width:], width + 1) if cell), 0)
        if extra:
            raise TableError("outside", row=number, column=extra, width=width)
    elif len(cells) != width:
        column = min(len(cells), width) + 1
        raise TableError("ragged", row=number, column=column, line=row.line, cells=len(cells), width=width)
    return cells


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
