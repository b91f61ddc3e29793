"""Rows of cells with their line number, the limits on tables, and the errors that reading can raise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kg.errors import KgError


@dataclass(frozen=True, slots=True)
class TableLimits:
    """The largest table that is read: bytes of the file, rows, columns, characters per cell and in all cells.

    `unpacked` is the size of a decompressed workbook in bytes.
    """

    bytes: int = 50_000_000
    rows: int = 200_000
    columns: int = 500
    cell: int = 20_000
    characters: int = 100_000_000
    unpacked: int = 300_000_000


USUAL = TableLimits()


CellNotice = tuple[int, str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Row:
    """The raw cells of a row; `line` is where it begins in the file, 0 for workbooks.

    `notices` are what the reader has repaired in its cells: the column from 1, a code of `NOTICES`, and its values.
    """

    line: int
    cells: tuple[str, ...]
    notices: tuple[CellNotice, ...] = ()


# Messages by error code; `{placeholders}` are filled in.
MESSAGES = {
    "bytes": "the file is larger than {limit} bytes",
    "rows": "the table has more than {limit} rows",
    "columns": "the table has more than {limit} columns",
    "cell": "the cell is longer than {limit} characters",
    "characters": "the cells have more than {limit} characters in total",
    "unpacked": "the workbook is larger than {limit} bytes when decompressed",
    "memory": "reading the table exceeds the limit on time or memory; split it into smaller files",
    "old-workbook": "workbooks in the old .xls format or with a password cannot be read; "
    "save it as .xlsx without a password, or as CSV",
    "no-table": "the file is not a table; expected CSV, TSV or a workbook (.xlsx)",
    "no-workbook": "the file is a ZIP archive but not a workbook; expected .xlsx, CSV or TSV",
    "doctype": "the workbook has a document type declaration, which is not allowed in workbooks",
    "encoding": "unknown encoding '{name}'; expected one of {known}",
    "damaged": "the workbook is damaged; open it and save it again, or save the sheet as CSV",
    "no-sheet": "the workbook has no sheet with cells",
    "unknown-sheet": "no sheet '{name}'; the sheets are {known}",
    "byte": "the byte {byte} is not valid in {encoding}",
    "ambiguous": "the file is valid in both Shift_JIS and EUC-JP, with different text; "
    "save it as UTF-8, or give the encoding",
    "control": "the control character {character} is not allowed in a table",
    "quote-open": "the quotation mark that opens this cell is never closed",
    "quote-long": "the cell is longer than {limit} characters; is a closing quotation mark missing?",
    "quote-inside": "a closing quotation mark must end the cell; double a quotation mark inside a quoted cell",
    "ragged": "the row has {cells} cell(s), the header {width}; is a delimiter or a quotation mark missing?",
    "outside": "the cell is outside the {width} columns of the header",
    "empty": "the table is empty",
    "no-iri": "the cell is empty, so {template} gives no IRI for this row; fill in the cell, or use other columns",
    "bad-iri": "'{iri}' is not an absolute IRI; choose a column of IRIs, or write a template with columns in braces",
    "bad-template": "the template '{template}' does not give an IRI; "
    "expected one such as https://example.org/id/{…}, with a column in braces",
    "no-column": "no column '{name}'; the columns are {known}",
    "near-column": "no column '{name}'; did you mean '{near}'? The columns are {known}",
    "same-columns": "the columns {numbers} are all called '{name}'; give the number of the column instead",
    "two-targets": "{iri} is linked to {target} here, but to {other} in row {first}",
    "bad-match": "'{found}' is not a valid match; expected exact, close, review or none",
    "no-record": "no record has the IRI '{iri}'",
}
# What was found out or repaired, by code.
NOTICES = {
    "titles": "{lines} line(s) above the header are left out: {text}",
    "no-header": "the first row looks like data, so the columns are numbered",
    "repeated-header": "the header is there twice; the second one is used",
    "two-headers": "two rows of column names are combined",
    "short-row": "the row lacks its last {missing} cell(s); they are taken as empty",
    "two-encodings": "the file is in {first} up to here and in {second} from here on",
    "no-value": "the cell has the formula {formula}, and the file does not hold its value; "
    "open the workbook, save it, and read it again",
    "shown": "the number {number} is read as it is shown, {shown}",
    "number-repaired": "'{cell}' is read as the number {number}",
    "number-rounded": "'{cell}' is not used: a spreadsheet has rounded this number, and its last digits are lost; "
    "export the column as text",
    "number-wrong": "'{cell}' is not used: {reason}",
    "number-form": "'{cell}' is not used: it does not have the form of such an identifier",
    "number-shared": "the number {number} is in the rows {rows} beside different names: only one of them can be the "
    "corporation; the others are parts of it, former names, or wrong",
    "more": "{number} more repairs of this kind are not listed",
}
_TOO_LARGE = frozenset({"bytes", "rows", "columns", "cell", "characters", "unpacked", "memory", "quote-long"})
_UNSUPPORTED = frozenset({"old-workbook", "no-table", "no-workbook", "doctype", "encoding"})


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that was found out or repaired in reading a table: a code of `NOTICES`, its place and its values.

    `row` counts from 1 below the header, which is 0; `column` and `line` count from 1, and are 0 if there is none.
    """

    code: str
    row: int = 0
    column: int = 0
    line: int = 0
    values: tuple[tuple[str, str | int], ...] = ()

    def __str__(self) -> str:
        said = filled(NOTICES[self.code], dict(self.values))
        return f"{place}: {said}" if (place := place_of(self.row, self.column, self.line)) else said


def filled(text: str, values: Mapping[str, int | str]) -> str:
    """A message with its `{placeholders}` filled in."""
    for name, value in values.items():
        text = text.replace("{" + name + "}", f"{value:,}" if isinstance(value, int) else value)
    return text


def place_of(row: int | None, column: int | None, line: int | None) -> str:
    """The position as text: `row 3, column 2 (line 5)`."""
    words = ", ".join(
        filter(None, (None if row is None else f"row {row}" if row else "header", f"column {column}" if column else ""))
    )
    return f"{words} (line {line})".lstrip() if line else words


class TableError(KgError):
    """A table that cannot be read: a code of `MESSAGES` with its values, and the position if known.

    `row` counts from 1 for the first row below the header, which is 0; `column` and `line` count from 1.
    """

    def __init__(
        self,
        code: str,
        *,
        row: int | None = None,
        column: int | None = None,
        line: int | None = None,
        **values: int | str,
    ) -> None:
        self.code, self.row, self.column, self.line, self.values = code, row, column, line or None, values
        self.reason = filled(MESSAGES[code], values)
        super().__init__(f"{self.place}: {self.reason}" if self.place else self.reason)

    @property
    def kind(self) -> str:
        """The kind of error: `too-large`, `unsupported` or `broken`."""
        return "too-large" if self.code in _TOO_LARGE else "unsupported" if self.code in _UNSUPPORTED else "broken"

    @property
    def place(self) -> str:
        """The position as text: `row 3, column 2 (line 5)`."""
        return place_of(self.row, self.column, self.line)
