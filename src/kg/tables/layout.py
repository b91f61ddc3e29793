"""Finds the header of a table among its first rows: titles above it, two rows of it, or none at all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kg.tables.rows import Notice

# The first rows that are not blank, which a layout is found by.
SAMPLE = 30
# A single column is a list of names unless its first cell says what the names are.
_HEADINGS = re.compile(
    r"(機関|法人|組織|団体|大学|企業|会社|事業|施策|法令|法律|人|氏|件|項目|制度|正式|研究者|担当者|省庁|府省)?"
    r"(名称|名前|名|一覧|リスト)(（.*）|\(.*\))?|(機関|法人|組織|団体|大学|企業|会社|事業|法令|法律|番号|コード)"
    r"|(full |legal |official )?(names?|labels?|titles?|organi[sz]ations?|institutions?|body|bodies|id|code)"
    r"|\w+[ _](name|label|title)",
    re.IGNORECASE,
)
# What is hardly the name of a column: dates, addresses of pages and of mail, long numbers.
_SHAPES = (
    re.compile(r"\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?"),
    re.compile(r"https?://\S+"),
    re.compile(r"\S+@\S+\.\S+"),
    re.compile(r"['’]?[\d,]{5,}(?:\.\d+)?"),
    re.compile(r"\d(?:\.\d+)?[eE]\+?\d+"),
)


@dataclass(frozen=True, slots=True)
class Layout:
    """The names of the columns, the number of rows before the first row of data, and what was found out."""

    columns: tuple[str, ...]
    before: int
    notices: tuple[Notice, ...] = ()


def find(rows: Sequence[Sequence[str]], header: int | None) -> Layout:
    """The layout of a table by its first rows that are not blank.

    `header` is the number of the header among them, from 1, 0 if there is none, and None if it is to be found.
    """
    rows = [_trimmed(row) for row in rows]
    width = max(map(len, rows))
    if header is not None:
        at = min(header, len(rows)) - 1
        return _named(rows, at, width) if at >= 0 else Layout(_numbers(len(rows[0])), 0)
    if width == 1:
        return _named(rows, 0, 1) if _HEADINGS.fullmatch(rows[0][0].strip()) else _without(1, 0)
    at = _below_titles(rows)
    if _is_data(rows, at):
        return _without(width, at)
    if at + 1 < len(rows) and _repeats(rows[at], rows[at + 1]):
        found = _named(rows, at + 1, width)
        return Layout(found.columns, found.before, (Notice("repeated-header"),))
    notices = (Notice("titles", values=(("lines", at), ("text", _said(rows[:at])))),) if at else ()
    if combined := _combined(rows, at, width):
        return Layout(combined, at + 2, (*notices, Notice("two-headers")))
    found = _named(rows, at, width)
    return Layout(found.columns, found.before, notices)


def _trimmed(row: Sequence[str]) -> tuple[str, ...]:
    cells = tuple(row)
    while len(cells) > 1 and not cells[-1].strip():
        cells = cells[:-1]
    return cells


def _numbers(width: int) -> tuple[str, ...]:
    return tuple(str(n) for n in range(1, width + 1))


def _named(rows: Sequence[Sequence[str]], at: int, width: int) -> Layout:
    return Layout(tuple(rows[at]), at + 1)


def _without(width: int, before: int) -> Layout:
    return Layout(_numbers(width), before, (Notice("no-header"),))


def _filled(row: Sequence[str]) -> int:
    return sum(bool(cell.strip()) for cell in row)


def _below_titles(rows: Sequence[Sequence[str]]) -> int:
    """The first row that has more than a title; 0 if there is none."""
    return next((n for n, row in enumerate(rows[:-1]) if _filled(row) > 1), 0)


def _said(rows: Sequence[Sequence[str]]) -> str:
    return " / ".join(cell.strip() for row in rows for cell in row if cell.strip())[:200]


def _shape(cell: str) -> int | None:
    return next((n for n, shape in enumerate(_SHAPES) if shape.fullmatch(cell.strip())), None)


def _is_data(rows: Sequence[Sequence[str]], at: int) -> bool:
    """Whether a row looks like those below it: the same kind of number or date in a column, or 1 above 2."""
    below = rows[at + 1 : at + 11]
    for column, cell in enumerate(rows[at]):
        beneath = [row[column] for row in below if column < len(row) and row[column].strip()]
        shape = _shape(cell)
        if shape is not None and sum(_shape(other) == shape for other in beneath) * 2 >= len(beneath):
            return True
        if cell.strip() == "1" and beneath[:1] == ["2"]:
            return True
    return False


def _repeats(row: Sequence[str], following: Sequence[str]) -> bool:
    """Whether the next row is the header again, in another encoding or with more columns."""
    cells = {cell.strip() for cell in row if cell.strip()}
    return len(cells) > 1 and len(cells & {cell.strip() for cell in following}) * 2 >= len(cells)


def _combined(rows: Sequence[Sequence[str]], at: int, width: int) -> tuple[str, ...]:
    """The names of columns from two header rows, whose merged cells are blank but for the first; () if there is one."""
    if at + 2 >= len(rows):
        return ()
    upper, lower = ([*rows[n], *[""] * (width - len(rows[n]))] for n in (at, at + 1))
    beneath_blank = any(low.strip() and not up.strip() for up, low in zip(upper, lower, strict=True))
    above_blank = any(up.strip() and not low.strip() for up, low in zip(upper, lower, strict=True))
    if not beneath_blank or not above_blank or any(_shape(cell) is not None for cell in lower):
        return ()
    # The row below has values where the second header row has none.
    if not any(rows[at + 2][n : n + 1] and not lower[n].strip() and rows[at + 2][n].strip() for n in range(width)):
        return ()
    names, group = [], ""
    for up, low in zip(upper, lower, strict=True):
        group = up.strip() or (group if low.strip() else "")
        names.append(" ".join(filter(None, (group, low.strip()))))
    return tuple(names)
