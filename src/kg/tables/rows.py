"""Rows of cells with their line number, the limits on tables, and the errors that reading can raise."""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class Row:
    """The raw cells of a row; `line` is where it begins in the file, 0 for workbooks."""

    line: int
    cells: tuple[str, ...]


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
_TOO_LARGE = frozenset({"bytes", "rows", "columns", "cell", "characters", "unpacked", "memory", "quote-long"})
_UNSUPPORTED = frozenset({"old-workbook", "no-table", "no-workbook", "doctype", "encoding"})


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
        self.reason = MESSAGES[code]
        for name, value in values.items():
            self.reason = self.reason.replace("{" + name + "}", f"{value:,}" if isinstance(value, int) else value)
        super().__init__(f"{self.place}: {self.reason}" if self.place else self.reason)

    @property
    def kind(self) -> str:
        """The kind of error: `too-large`, `unsupported` or `broken`."""
        return "too-large" if self.code in _TOO_LARGE else "unsupported" if self.code in _UNSUPPORTED else "broken"

    @property
    def place(self) -> str:
        """The position as text: `row 3, column 2 (line 5)`."""
        row = None if self.row is None else f"row {self.row}" if self.row else "header"
        column = None if self.column is None else f"column {self.column}"
        words = ", ".join(filter(None, (row, column)))
        return f"{words} (line {self.line})".lstrip() if self.line else words
