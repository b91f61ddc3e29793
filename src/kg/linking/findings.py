"""What is wrong or repaired in the identifiers of a table, cell by cell, and which rows share one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from kg.linking.matching import Matcher
from kg.linking.review import MatchSetup
from kg.names import normalization
from kg.names.identifiers import ROUNDED, Identifiers
from kg.tables.rows import Notice
from kg.tables.table import Table

_LISTED = 10


def of_numbers(table: Table, setup: MatchSetup, matcher: Matcher) -> list[Notice]:
    """The notices about the columns that hold identifiers: repaired, unusable, or shared by rows of other names."""
    found: list[Notice] = []
    identifiers = matcher.identifiers
    for at, pid in setup.properties:
        registers = matcher.registers(pid)
        if not registers:
            continue
        rows_of: dict[str, list[int]] = defaultdict(list)
        for number, row in enumerate(table.rows, 1):
            cell = row[at].strip()
            if not cell:
                continue
            read = next((i.value for i in identifiers.read(cell)[0] if i.scheme in registers), "")
            if not read:
                found.append(_unusable(cell, number, at + 1, registers, identifiers))
                continue
            rows_of[read].append(number)
            if identifiers.is_repaired(cell):
                found.append(Notice("number-repaired", number, at + 1, values=(("cell", cell[:60]), ("number", read))))
        found += _shared(table, setup, at, rows_of)
    return sorted(found, key=lambda notice: (notice.row, notice.column))


def _unusable(cell: str, row: int, column: int, registers: frozenset[str], identifiers: Identifiers) -> Notice:
    faults = [f for f in identifiers.read(cell)[1] if f.scheme in registers or f.scheme == ROUNDED]
    code = "number-form" if not faults else "number-rounded" if faults[0].scheme == ROUNDED else "number-wrong"
    reason = (("reason", faults[0].detail),) if code == "number-wrong" else ()
    return Notice(code, row, column, values=(("cell", cell[:60]), *reason))


def _shared(table: Table, setup: MatchSetup, at: int, rows_of: Mapping[str, Sequence[int]]) -> list[Notice]:
    """Numbers beside different names: of a body, its units and its predecessors, or of a wrong row."""
    found = []
    for number, rows in rows_of.items():
        names = {normalization.name(table.rows[n - 1][setup.name]).key for n in rows}
        if len(names) > 1:
            listed = ", ".join(map(str, rows[:_LISTED])) + (", …" if len(rows) > _LISTED else "")
            found.append(Notice("number-shared", rows[0], at + 1, values=(("number", number), ("rows", listed))))
    return found
