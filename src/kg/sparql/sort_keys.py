"""Rewrites `ORDER BY` so that every mix of terms has one total order.

SPARQL 1.1 (section 15.1) orders unbound, blank nodes, IRIs and literals, and leaves open how literals of different
kinds compare. The embedded engine compares literals of one kind by value and all others by their text, which is no
total order: its sort returns a wrong order or aborts the process. Here each condition becomes several conditions, each
of which compares values of one kind: the kind, the number, the date, the text, the datatype and the language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kg.rdf.datatypes import XSD
from kg.sparql import lexer

_ORDER_BY = re.compile(r"\border\s*(?:#[^\n\r]*\s*)*by\b", re.IGNORECASE)
# The clauses that may follow an ORDER BY (SPARQL 1.1, section 19.8, rules 18 and 28).
_END = frozenset({"LIMIT", "OFFSET", "VALUES", "HAVING", "GROUP"})
# Their values are of one kind already.
_HOMOGENEOUS = frozenset({"COUNT", "STR", "LANG", "UCASE", "LCASE", "STRLEN", "RAND"})
_OPENING, _CLOSING = frozenset("({["), frozenset(")}]")

# 0 unbound, 1 blank node, 2 IRI, 3 number, 4 NaN, 6 and 7 dates without and with a time zone, 9 all other literals.
# TZ is an error for everything that is no date, which COALESCE passes over.
_KEYS = (
    'COALESCE(IF(isIRI({0}),2,IF(isBlank({0}),1,IF(isNumeric({0}),IF({0}={0},3,4),COALESCE(IF(TZ({0})="",6,7),9)))),0)',
    f"IF(isNumeric({{0}}),<{XSD}double>({{0}}),0e0)",
    # A double and an integer may be equal to each other and not to the same third number: exact ones come first.
    f"IF(isNumeric({{0}}),IF(DATATYPE({{0}}) IN (<{XSD}double>,<{XSD}float>),1,0),"
    'COALESCE(IF(TZ({0})="",STR(DATATYPE({0})),STR(DATATYPE({0}))),""))',
    'COALESCE(IF(TZ({0})="",{0},{0}),IF(isNumeric({0}),{0},STR({0})))',
    "STR(DATATYPE({0}))",
    "LANG({0})",
    # Equal values may be written in several ways, as 0 and -0.
    "STR({0})",
)


def with_total_order(query: str) -> str:
    """Return the query with its ORDER BY conditions, those of subqueries too, replaced by conditions of one kind each.

    A condition that cannot be read, or whose values are of one kind already, stays as it is.
    """
    if not _ORDER_BY.search(query):
        return query
    tokens = [m for m in lexer.tokens(query) if m[0].strip() and not m[0].startswith("#")]
    edits = []
    for at in range(len(tokens) - 2):
        if _is_word(tokens[at], "ORDER") and _is_word(tokens[at + 1], "BY"):
            edits += [
                (tokens[first].start(), tokens[last].end(), " ".join(_conditions(query, tokens, first, last)))
                for first, last in _spans(tokens, at + 2)
            ]
    for start, end, text in reversed(edits):
        query = f"{query[:start]}{text}{query[end:]}"
    return query


def _is_word(token: re.Match[str], word: str) -> bool:
    return token.lastgroup == "word" and token[0].upper() == word


def _spans(tokens: Sequence[re.Match[str]], at: int) -> Iterator[tuple[int, int]]:
    """The first and last token of each condition from `at` on."""
    while at < len(tokens) and tokens[at][0] not in _CLOSING and tokens[at][0].upper() not in _END:
        last = at
        if tokens[at].lastgroup != "variable":
            # A word or an IRI has its arguments in brackets; anything else begins with one.
            last = at if tokens[at][0] in _OPENING else at + 1
            if last >= len(tokens) or tokens[last][0] not in _OPENING:
                return
            last = _closing(tokens, last)
            if last < 0:
                return
        yield at, last
        at = last + 1


def _closing(tokens: Sequence[re.Match[str]], at: int) -> int:
    """The token that closes the bracket at `at`; -1 without one."""
    depth = 0
    for place in range(at, len(tokens)):
        depth += (tokens[place][0] in _OPENING) - (tokens[place][0] in _CLOSING)
        if depth == 0:
            return place
    return -1


def _conditions(query: str, tokens: Sequence[re.Match[str]], first: int, last: int) -> list[str]:
    """The conditions that replace one."""
    word = tokens[first][0].upper()
    direction = word if word in ("ASC", "DESC") else "ASC"
    if direction == word:
        first += 1
    whole = query[tokens[first].start() : tokens[last].end()]
    inner = tokens[first + 1] if tokens[first][0] == "(" and first < last else tokens[first]
    is_call = inner is tokens[first] or _closing(tokens, first + 2) == last - 1
    if word in ("EXISTS", "NOT") or (inner[0].upper() in _HOMOGENEOUS and is_call):
        return [query[tokens[first - (direction == word)].start() : tokens[last].end()]]
    return [f"{direction}({key.format(whole)})" for key in _KEYS]
