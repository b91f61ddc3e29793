"""The task of processes that read one uploaded table (`kg.isolation`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, astuple
from typing import Any

from kg.isolation import messages
from kg.isolation.program import MessageHandler
from kg.tables import table as tables
from kg.tables.rows import Notice, TableLimits
from kg.tables.table import Table


def request(body: bytes, name: str, limits: TableLimits, *, encoding: str, sheet: str, header: int | None) -> bytes:
    """The message that asks for a table to be read."""
    options = {"name": name, "limits": asdict(limits), "encoding": encoding, "sheet": sheet, "header": header}
    return messages.pack(options, body)


def read_answer(reply: bytes) -> Table:
    """The table that was read."""
    columns, rows, for_spreadsheet, notices = json.loads(reply)
    said = tuple(
        Notice(code, row, column, line, tuple((name, value) for name, value in values))
        for code, row, column, line, values in notices
    )
    return Table(tuple(columns), [tuple(row) for row in rows], for_spreadsheet, said)


def hold(options: Mapping[str, Any]) -> None:
    """Imports what reads workbooks, so that no child has to."""
    import openpyxl  # noqa: F401


def begin(held: None, options: Mapping[str, Any], grants: Mapping[str, Any]) -> MessageHandler:
    # A codec is imported when a text turns out to be in its encoding.
    return MessageHandler(_answer, needs_files=True)


def _answer(message: bytes) -> bytes:
    options, body = messages.unpack(message)
    name, limits = options.pop("name"), TableLimits(**options.pop("limits"))
    table = tables.read(body, name, limits, **options)
    notices = [astuple(notice) for notice in table.notices]
    return json.dumps([table.columns, table.rows, table.for_spreadsheet, notices], ensure_ascii=False).encode()
