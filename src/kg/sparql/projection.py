"""What a query selects: the columns of `SELECT *` in the order of the text, and variables that GROUP BY lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kg.sparql import lexer

_STAR = re.compile(r"SELECT\s*(?:DISTINCT\s*|REDUCED\s*)?\*", re.IGNORECASE)
_AGGREGATES = frozenset({"COUNT", "SUM", "MIN", "MAX", "AVG", "SAMPLE", "GROUP_CONCAT"})
_AFTER_SELECT = frozenset({"WHERE", "FROM"})
_AFTER_GROUP = frozenset({"HAVING", "ORDER", "LIMIT", "OFFSET", "VALUES"})


def may_select_all(text: str) -> bool:
    """Whether a query may have `SELECT *`: the words are in its text."""
    return _STAR.search(text) is not None


def in_written_order(text: str, names: Sequence[str]) -> str:
    """The query with `*` replaced by its variables `names` in the order in which they are written; '' if that is
    their order already, or the query has no `SELECT *` at its top.
    """
    star, order = _written(text, names)
    if star is None or order == list(names):
        return ""
    return f"{text[: star.start()]}{' '.join(f'?{name}' for name in order)}{text[star.end() :]}"


def written_order(text: str, names: Sequence[str]) -> list[str]:
    """The columns `names` of a query: of one with `SELECT *` at its top, in the order in which they are written."""
    return _written(text, names)[1]


def _written(text: str, names: Sequence[str]) -> tuple[re.Match[str] | None, list[str]]:
    """The `*` of a query, if it has one at its top, and its variables in the order of the text."""
    if len(names) < 2 or not may_select_all(text):
        return None, list(names)
    found = _tokens(text)
    star = next((m for m in found if m[0].upper() == "SELECT"), None)
    while star is not None and star[0].upper() in ("SELECT", "DISTINCT", "REDUCED"):
        star = next(found, None)
    if star is None or star[0] != "*":
        return None, list(names)
    known = set(names)
    order = list(dict.fromkeys(m[0][1:] for m in found if m.lastgroup == "variable" and m[0][1:] in known))
    return (star, order) if len(order) == len(known) else (None, list(names))


def ungrouped(text: str) -> re.Match[str] | None:
    """The first variable that is selected beside aggregates or GROUP BY and is in no GROUP BY."""
    found = list(_tokens(text))
    grouped = _grouped(found)
    for start, token in enumerate(found):
        if token[0].upper() != "SELECT":
            continue
        free, has_aggregate = _selected(found[start + 1 :])
        missing = next((m for m in free if m[0][1:] not in grouped), None)
        if missing is not None and (has_aggregate or grouped):
            return missing
    return None


def _selected(found: Sequence[re.Match[str]]) -> tuple[list[re.Match[str]], bool]:
    """The variables that a SELECT clause takes from its pattern outside aggregates, and whether it has aggregates."""
    free: list[re.Match[str]] = []
    named: set[str] = set()
    depth, aggregate, has_aggregate, after = 0, 0, False, ""
    for token in found:
        written, word = token[0], token[0].upper()
        if written == "{" or word in _AFTER_SELECT:
            break
        if word in _AGGREGATES:
            aggregate, has_aggregate = aggregate or depth + 1, True
        depth += (written == "(") - (written == ")")
        if aggregate and written == ")" and depth < aggregate:
            aggregate = 0
        if token.lastgroup == "variable":
            if after == "AS":
                named.add(written[1:])
            elif not aggregate and written[1:] not in named:
                free.append(token)
        after = word
    return free, has_aggregate


def _grouped(found: Sequence[re.Match[str]]) -> set[str]:
    """The variables in the GROUP BY clauses of a query and its subqueries."""
    grouped: set[str] = set()
    is_inside = False
    for token in found:
        word = token[0].upper()
        is_inside = word == "GROUP" or (is_inside and word not in _AFTER_GROUP and word != "}")
        if is_inside and token.lastgroup == "variable":
            grouped.add(token[0][1:])
    return grouped


def _tokens(text: str) -> Iterator[re.Match[str]]:
    return (m for m in lexer.tokens(text) if m.lastgroup)
