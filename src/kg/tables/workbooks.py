"""Reads workbooks (Office Open XML, ECMA-376) as rows of text. Limits are checked before anything is decompressed."""

from __future__ import annotations

import datetime
import io
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any
from xml.parsers import expat

from kg.tables.rows import CellNotice, Row, TableError, TableLimits

_MOST_FILES = 2_000
# The last row of a worksheet (ECMA-376, 18.3.1.73); a file with more rows is refused.
_LAST_ROW = 1_048_576
_CHUNK = 65_536
# Blank cells that a row may have beyond the columns of a table; a formatted sheet has some.
_BLANK_CELLS = 1_000
_FORMULA = re.compile(rb"<f[ />]")
# A number format that shows leading zeros: 007.
_ZEROS = re.compile("00+")


def rows(body: bytes, limits: TableLimits, sheet: str = "") -> Iterator[Row]:
    """The rows of the first or a named sheet, with unformatted values as text and '' for blank cells."""
    _check(body, limits)
    import openpyxl

    with warnings.catch_warnings():
        # openpyxl warns about unsupported content such as charts.
        warnings.simplefilter("ignore")
        try:
            workbook = openpyxl.load_workbook(io.BytesIO(body), read_only=True, data_only=True, keep_links=False)
            worksheet = _sheet(workbook, sheet)
            worksheet.reset_dimensions()
            formulas = _formulas(body, worksheet.title)
            for number, cells in enumerate(worksheet.iter_rows(), 1):
                if number > _LAST_ROW:
                    raise TableError("damaged")
                yield _row(cells, next(formulas, ()))
        except TableError:
            raise
        except Exception as error:  # openpyxl raises all kinds of exceptions for damaged files
            raise TableError("damaged") from error


def _formulas(body: bytes, title: str) -> Iterator[tuple[object, ...]]:
    """The rows of a sheet with formulas instead of their values; nothing if the workbook has none."""
    import openpyxl

    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        if not any(map(_has_formula, (archive.open(file) for file in archive.infolist()))):
            return
    workbook = openpyxl.load_workbook(io.BytesIO(body), read_only=True, keep_links=False)
    worksheet = workbook[title]
    worksheet.reset_dimensions()
    yield from worksheet.iter_rows(values_only=True)


def _has_formula(part: Any) -> bool:
    rest = b""
    while chunk := part.read(_CHUNK):
        if _FORMULA.search(rest + chunk):
            return True
        rest = chunk[-2:]
    return False


def _row(cells: Sequence[Any], formulas: Sequence[object]) -> Row:
    """A row with what the reader has repaired or misses in its cells."""
    texts: list[str] = []
    notices: list[CellNotice] = []
    for at, cell in enumerate(cells, 1):
        text = _text(cell.value)
        written = str(formulas[at - 1]) if cell.value is None and at <= len(formulas) else ""
        if written.startswith("="):
            notices.append((at, "no-value", (("formula", written[:100]),)))
        elif type(cell.value) is int and (zeros := _ZEROS.fullmatch(cell.number_format or "")):
            shown = text.zfill(len(zeros[0]))
            if shown != text:
                notices.append((at, "shown", (("number", text), ("shown", shown))))
            text = shown
        texts.append(text)
    return Row(0, tuple(texts), tuple(notices))


def _check(body: bytes, limits: TableLimits) -> None:
    """Refuses a workbook that is too large when decompressed, or has a document type (ECMA-376-2, 8.1.4)."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            files = archive.infolist()
            if len(files) > _MOST_FILES or sum(f.file_size for f in files) > limits.unpacked:
                raise TableError("unpacked", limit=limits.unpacked)
            if "[Content_Types].xml" not in archive.namelist():
                raise TableError("no-workbook")
            for file in files:
                with archive.open(file) as part:
                    _check_part(part, limits, is_xml=file.filename.endswith((".xml", ".rels")))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise TableError("damaged") from error


class _Harmless(Exception):
    """The root element was reached: no document type can follow, and it is no worksheet."""


def _check_part(part: Any, limits: TableLimits, *, is_xml: bool) -> None:
    """Refuses a document type, and a very long row: openpyxl makes objects of all its cells, blank ones too, at once.

    A worksheet may have any name, so every part is read that is XML.
    """
    most, cells, is_first = limits.columns + _BLANK_CELLS, 0, True

    def refuse(*_: object) -> None:
        raise TableError("doctype")

    def begun(name: str, _: object) -> None:
        nonlocal cells, is_first
        # With or without a prefix of the namespace.
        name = name.rpartition(":")[2]
        if is_first and name != "worksheet":
            raise _Harmless
        is_first = False
        cells = cells + 1 if name == "c" else 0 if name == "row" else cells
        if cells > most:
            raise TableError("columns", limit=limits.columns)

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler, parser.StartElementHandler = refuse, begun
    try:
        while chunk := part.read(_CHUNK):
            parser.Parse(chunk)
        parser.Parse(b"", True)
    except _Harmless:
        return
    except expat.ExpatError as error:
        if is_xml:
            raise TableError("damaged") from error


def _sheet(workbook: Any, name: str) -> Any:
    names = [s.title for s in workbook.worksheets]
    if not names:
        raise TableError("no-sheet")
    if name and name not in names:
        raise TableError("unknown-sheet", name=name[:100], known=", ".join(names[:20]))
    return workbook[name or names[0]]


def _text(value: object) -> str:
    """A value as text, with whole numbers without fraction and dates in ISO 8601."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)
