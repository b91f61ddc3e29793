"""A process that reads one stranger's table and ends: `python -m kg.tables.process`, limited in memory and time.

It takes a line of JSON (options) and the file on standard input, and writes the table, or what is wrong, as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
from dataclasses import asdict
from typing import Any

from kg.tables import table as tables
from kg.tables.rows import TableError, TableLimits
from kg.tables.table import Table


def request(
    body: bytes,
    name: str,
    limits: TableLimits,
    *,
    encoding: str,
    sheet: str,
    has_header: bool,
    memory: int,
    seconds: int,
) -> bytes:
    """What is sent to the process."""
    options = {
        "name": name,
        "limits": asdict(limits),
        "encoding": encoding,
        "sheet": sheet,
        "has_header": has_header,
        "memory": memory,
        "seconds": seconds,
    }
    return json.dumps(options).encode() + b"\n" + body


def answer(written: bytes) -> Table:
    """The table that the process has read; raises the `TableError` that it met."""
    document: dict[str, Any] = json.loads(written)
    if error := document.get("error"):
        raise TableError(**error)
    return Table(tuple(document["columns"]), [tuple(r) for r in document["rows"]], document["for_spreadsheet"])


def _confine(memory: int, seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))


def _read(options: dict[str, Any], body: bytes) -> dict[str, Any]:
    try:
        table = tables.read(
            body,
            options["name"],
            TableLimits(**options["limits"]),
            sheet=options["sheet"],
            encoding=options["encoding"],
            has_header=options["has_header"],
        )
        return {"columns": table.columns, "rows": table.rows, "for_spreadsheet": table.for_spreadsheet}
    except TableError as error:
        places = {"row": error.row, "column": error.column, "line": error.line}
        return {"error": {"code": error.code, **places, **error.values}}


def main() -> None:
    """Reads one table."""
    options = json.loads(sys.stdin.buffer.readline())
    _confine(options["memory"], options["seconds"])
    try:
        document = json.dumps(_read(options, sys.stdin.buffer.read()), ensure_ascii=False).encode()
    except MemoryError:
        document = json.dumps({"error": {"code": "memory"}}).encode()
    sys.stdout.buffer.write(document)


if __name__ == "__main__":
    main()
