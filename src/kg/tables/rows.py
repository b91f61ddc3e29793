"""Rows of a table before they are one: cells with their place, the limits of what is read, and what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass

from kg.errors import KgError


@dataclass(frozen=True, slots=True)
class TableLimits:
    """The largest table that is read: bytes of the file, then rows, columns, characters of a cell and of all cells.

    `unpacked` is in bytes: how much a workbook may hold once it is unpacked.
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
    """The cells of a row as they were found; `line` is where it begins in the file, 0 where there are no lines."""

    line: int
    cells: tuple[str, ...]


# What can be wrong with a table, by code; `{blanks}` are filled in.
MESSAGES = {
    "bytes": "the file is larger than {limit} bytes",
    "rows": "there are more than {limit} rows",
    "columns": "there are more than {limit} columns",
    "cell": "the cell is longer than {limit} characters",
    "characters": "the cells hold more than {limit} characters",
    "unpacked": "the workbook unpacks to more than {limit} bytes",
    "memory": "the table takes more time or memory than one may take",
    "old-workbook": "an old or a password-protected workbook cannot be read; "
    "save it as .xlsx without a password, or as CSV",
    "no-table": "this is no table; expected CSV, TSV or a workbook (.xlsx)",
    "no-workbook": "this is a ZIP file and no workbook; expected .xlsx, CSV or TSV",
    "doctype": "the workbook has a document type, which no workbook may have",
    "encoding": "no encoding '{name}'; one of {known}",
    "damaged": "the workbook is damaged; open and save it again, or save the sheet as CSV",
    "no-sheet": "the workbook has no sheet with cells",
    "unknown-sheet": "no sheet '{name}'; there are {known}",
    "byte": "the byte {byte} is no character of {encoding}",
    "ambiguous": "the file may be in Shift_JIS or in EUC-JP, and reads differently in each; "
    "save it as UTF-8, or name the encoding",
    "control": "the character {character} cannot stand in a table",
    "quote-open": "a quotation mark is opened here and never closed",
    "quote-long": "the cell is longer than {limit} characters; is a quotation mark left open?",
    "quote-inside": "after a closing quotation mark only the next cell can follow; a mark inside is doubled",
    "ragged": "the row has {cells} cell(s), the header {width}; is a delimiter or a quotation mark missing?",
    "outside": "the cell stands outside the {width} columns of the header",
    "empty": "there is nothing in the table",
    "no-iri": "the cell is empty, so the row has no IRI by {template}",
    "bad-iri": "'{iri}' is no absolute IRI",
    "two-targets": "{iri} is linked to {target} here and to {other} in row {first}",
    "bad-match": "'{found}' is no match; expected exact, close, review or none",
    "no-record": "no record of ours is '{iri}'",
}
_TOO_LARGE = frozenset({"bytes", "rows", "columns", "cell", "characters", "unpacked", "memory", "quote-long"})
_UNSUPPORTED = frozenset({"old-workbook", "no-table", "no-workbook", "doctype", "encoding"})


class TableError(KgError):
    """A table that cannot be taken: a code of `MESSAGES` with its values, and the place where it is known.

    `row` counts from 1 below the header, which is 0; `column` and `line` of the file count from 1.
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
        """What is the matter: `too-large`, `unsupported`, or else `broken`."""
        return "too-large" if self.code in _TOO_LARGE else "unsupported" if self.code in _UNSUPPORTED else "broken"

    @property
    def place(self) -> str:
        """Where it is, in words: `row 3, column 2 (line 5)`."""
        row = None if self.row is None else f"row {self.row}" if self.row else "header"
        column = None if self.column is None else f"column {self.column}"
        words = ", ".join(filter(None, (row, column)))
        return f"{words} (line {self.line})".lstrip() if self.line else words
