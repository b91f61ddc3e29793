"""Reads CSV and TSV: detects the encoding and delimiter, and reports the position of errors."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from kg.tables.rows import Notice, Row, TableError, TableLimits

ENCODINGS = ("utf-8", "utf-16", "cp932", "euc-jp")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_DELIMITERS = ",\t;"
_SAMPLE = 20
_NOT_IN_CP932 = re.compile("[\x80\xa0\uf8f0-\uf8f3]")
# The field size limit of the csv module.
_READER_LIMIT = 131_072
# UTF-8 for Japanese, read as Shift_JIS, begins most characters with one of these.
_GARBLED = re.compile("[\u7e3a\u7e67\u7e5d\uff61-\uff9f]{2}|[\u7e3a\u7e67\u7e5d][\uff61-\uff9f]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")


# ---- characters ----


def decoded(body: bytes, encoding: str) -> tuple[str, bool, tuple[Notice, ...]]:
    """Decodes strictly; also returns whether the text is UTF-8 without a byte-order mark, and what was found out."""
    for mark, name in _BOMS:
        if body.startswith(mark):
            return _strictly(body[len(mark) :], (name,)), False, ()
    if encoding:
        return _strictly(body, (encoding,)), encoding == "utf-8", ()
    if not _fits(body, "utf-8") and (joined := _joined(body)):
        return joined[0], False, (joined[1],)
    text = _strictly(body, ("utf-8", "cp932"))
    if _fits(body, "utf-8"):
        return text, True, ()
    if _fits(body, "euc-jp"):
        raise TableError("ambiguous")
    return text, False, ()


def _joined(body: bytes) -> tuple[str, Notice] | None:
    """The text of two files that were joined: lines in UTF-8 and then in Shift_JIS, or the other way round."""
    lines = body.splitlines(keepends=True)
    encodings = ["" if line.isascii() else "utf-8" if _fits(line, "utf-8") else "cp932" for line in lines]
    first = next(filter(None, encodings), "")
    at = next((n for n, encoding in enumerate(encodings) if encoding not in ("", first)), 0)
    second = encodings[at]
    head, tail = b"".join(lines[:at]), b"".join(lines[at:])
    if not at or not _fits(head, first) or not all(encoding in ("", second) for encoding in encodings[at:]):
        return None
    if not _fits(tail, second):
        return None
    text = _decode(head, first) + _decode(tail, second)
    # A damaged UTF-8 text may pass for Shift_JIS, as half-width kana and rare characters.
    if _GARBLED.search(text):
        return None
    names = {"utf-8": "UTF-8", "cp932": "Shift_JIS"}
    return text, Notice("two-encodings", line=at + 1, values=(("first", names[first]), ("second", names[second])))


def _decode(body: bytes, encoding: str) -> str:
    """Decodes; raises `UnicodeDecodeError` also for bytes that Python accepts although they are not Shift_JIS."""
    text = body.decode(encoding)
    if encoding == "cp932" and (found := _NOT_IN_CP932.search(text)):
        at = len(text[: found.start()].encode(encoding))
        raise UnicodeDecodeError(encoding, body, at, at + 1, "no character")
    return text


def _fits(body: bytes, encoding: str) -> bool:
    try:
        _decode(body, encoding)
    except UnicodeDecodeError:
        return False
    return True


def _strictly(body: bytes, encodings: Sequence[str]) -> str:
    """Decodes with the first encoding that fits; else reports the position of the encoding that fails last."""
    furthest, at = "", -1
    for encoding in encodings:
        try:
            return _decode(body, encoding)
        except UnicodeDecodeError as error:
            if error.start > at:
                furthest, at = encoding, error.start
        except LookupError:
            raise TableError("encoding", name=encoding[:40], known=", ".join(ENCODINGS)) from None
    before = body[:at].decode(furthest)
    row, column, line = _place(before, delimiter_of(before, ""))
    byte = f"0x{body[at]:02X}"
    raise TableError("byte", row=row, column=column, line=line, byte=byte, encoding=furthest)


def _place(before: str, delimiter: str) -> tuple[int, int, int]:
    """The row (0 for the header), column and line of the end of a text."""
    row, column = -1, 1
    reader = csv.reader(io.StringIO(before, newline=""), delimiter=delimiter)
    with contextlib.suppress(csv.Error):
        for cells in reader:
            row, column = row + bool(cells), max(len(cells), 1)
    line = len(re.findall(r"\r\n|\n|\r", before)) + 1
    return (row + 1, 1, line) if not before or before.endswith(("\n", "\r")) else (row, column, line)


# ---- rows ----


def delimiter_of(text: str, name: str) -> str:
    """The delimiter: of comma, tab and semicolon the one that gives the first rows the same width.

    If none does, the text is one column, and any commas belong to its cells.
    """
    if name.endswith((".tsv", ".tab")):
        return "\t"
    best, rank = "", (False, 1)
    for delimiter in _DELIMITERS:
        sample = csv.reader(io.StringIO(text[: _READER_LIMIT - 1], newline=""), delimiter=delimiter)
        widths = [len(row) for row, _ in zip(sample, range(_SAMPLE), strict=False) if row] or [1]
        # The last row of the sample may be truncated.
        found = (len({*widths[:-1]} or {widths[0]}) == 1, widths[0])
        if widths[0] > 1 and found > rank:
            best, rank = delimiter, found
    return best or ("," if name.endswith(".csv") else "\t")


def parse(text: str, delimiter: str, limits: TableLimits) -> Iterator[Row]:
    """The rows of delimited text (RFC 4180), with quoted line breaks; raises `TableError` where it is malformed."""
    if found := _CONTROL.search(text):
        row, column, line = _place(text[: found.start()], delimiter)
        raise TableError("control", row=row, column=column, line=line, character=f"U+{ord(found[0]):04X}")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number, line = 0, 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _malformed(text, line, number, delimiter, str(error), limits) from None
        yield Row(line, tuple(cells))
        number += bool(cells)
        line = reader.line_num + 1


def _malformed(text: str, line: int, number: int, delimiter: str, reason: str, limits: TableLimits) -> TableError:
    """The error of the csv module in the row that begins at this line, with its column."""
    rest = "".join(islice(io.StringIO(text, newline=""), line - 1, None))[: _READER_LIMIT - 1]
    cells = next(csv.reader(io.StringIO(rest, newline=""), delimiter=delimiter), [""])
    if "end of data" in reason:
        return TableError("quote-open", row=number, column=len(cells), line=line)
    if "larger than field limit" in reason:
        return TableError("quote-long", row=number, column=len(cells), line=line, limit=limits.cell)
    return TableError("quote-inside", row=number, line=line)
