"""Rows of a table before they are one: cells with their place, the limits of what is read, and what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass

from kg.errors import KgError


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest table that is read: bytes of the file, then rows, columns, characters of a cell and of all cells.

    `unpacked` is in bytes: how much a workbook may hold once it is unpacked.
    """

    bytes: int = 50_000_000
    rows: int = 200_000
    columns: int = 500
    cell: int = 20_000
    characters: int = 100_000_000
    unpacked: int = 300_000_000


USUAL = Limits()


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of a row as they were found; `line` is where it begins in the file, 0 where there are no lines."""

    line: int
    cells: tuple[str, ...]


class TableError(KgError):
    """A table that cannot be read; `row` (1 is the first below the header, 0 the header), `column` and `line` or None.

    `kind` tells apart what is broken, what is too large and what is no table of a kind that is read.
    """

    def __init__(
        self,
        message: str,
        kind: str = "broken",
        *,
        row: int | None = None,
        column: int | None = None,
        line: int | None = None,
    ) -> None:
        self.reason, self.kind, self.row, self.column, self.line = message, kind, row, column, line
        super().__init__(f"{self.place}: {message}" if self.place else message)

    @property
    def place(self) -> str:
        """Where it is, in words: `row 3, column 2 (line 5)`."""
        row = None if self.row is None else f"row {self.row}" if self.row else "header"
        column = None if self.column is None else f"column {self.column}"
        words = ", ".join(filter(None, (row, column)))
        return f"{words} (line {self.line})".lstrip() if self.line else words
