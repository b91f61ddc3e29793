"""Finds the position of a syntax error, and what was expected there, since the engine's position is often imprecise.

Its parser reports the furthest character that any attempt looked at, and an attempt at a keyword looks at as many
characters as the keyword has. So this searches for the first token after which no query can continue.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from pyoxigraph import Store

from kg.errors import QueryMalformed
from kg.sparql import lexer, projection

_POSITION = re.compile(r"error at (\d+):(\d+): expected (?:one of )?(.*)", re.DOTALL)
_ALTERNATIVE = re.compile(r'"(?:[^"\\]|\\.)*"|\[(?:[^\]\']|\'(?:[^\'\\]|\\.[^\']*)\')*\]|[^,"\[\]]+', re.DOTALL)
# Longer than any keyword, so that no earlier attempt at one reaches its end.
_PADDING = " " * 40
_LONGEST_SEARCHED = 20_000
_MOST_NAMED = 12
_DIGITS = "['0'..='9']"
# A prefixed name that ends where the text does, and what follows it in an address.
_NAME_BEFORE = re.compile(r"(?<![\w.\-<])([A-Za-z][\w\-]*):([\w\-]+)\Z")
_SLASHES = re.compile(r"(?:/[\w\-]+)+")
_Prefixes = Mapping[str, str]
_NONE: _Prefixes = {}


def diagnose(text: str, error: SyntaxError, prefixes: _Prefixes = _NONE) -> QueryMalformed:
    """The error with its line and column, counted from 1 in characters, and what was expected there.

    `prefixes` need not be declared in the text.
    """
    message = str(error)
    if _POSITION.match(message) is None:
        return QueryMalformed(message)
    if len(text) <= _LONGEST_SEARCHED:
        start, message, reason = _first_wrong(text, prefixes)
    else:
        start, reason = _offset(text, message), message
    if (mistake := _mistake(text, start, reason + str(error), prefixes)) is not None:
        line, column = _place(text, mistake[0])
        return QueryMalformed(f"line {line}, column {column}: {mistake[1]}", line, column)
    line, column = _place(text, start)
    found = next((m[0] for m in lexer.tokens(text[start:]) if m[0].strip()), "")
    named = _named(found)
    met = f"{named} cannot stand here" if found else "the query ends too early"
    if said := next((part for part in _alternatives(reason) if " " in part), ""):
        met = f"{named}: {said[0].lower()}{said[1:]}" if found else said
        message = ""
    expected = _readable(message)
    hint = f"; expected {expected}" if expected else ""
    return QueryMalformed(f"line {line}, column {column}: {met}{hint}", line, column)


def _place(text: str, start: int) -> tuple[int, int]:
    return text.count("\n", 0, start) + 1, start - (text.rfind("\n", 0, start) + 1) + 1


def _mistake(text: str, start: int, reason: str, prefixes: _Prefixes) -> tuple[int, str] | None:
    """The place and the explanation of a common mistake, in place of what the grammar expects."""
    if "The SELECT contains" in reason and (variable := projection.ungrouped(text)) is not None:
        name = variable[0]
        return variable.start(), (
            f"{name} is selected beside an aggregate but is not grouped; add GROUP BY {name}, "
            f"or select one of its values with SAMPLE({name})"
        )
    before, after = _NAME_BEFORE.search(text[:start]), _SLASHES.match(text, start)
    if before is None or after is None:
        return None
    prefix, local = before[1], before[2] + after[0]
    declared = re.findall(rf"(?i:PREFIX)\s+{re.escape(prefix)}:\s*<([^>]*)>", text)
    namespace = declared[-1] if declared else prefixes.get(prefix, "")
    whole = f"<{namespace}{local}>" if namespace else "the whole IRI in <…>"
    escaped = local.replace("/", r"\/")
    return start, f"'/' cannot stand in a prefixed name; write {prefix}:{escaped} or {whole}"


def _named(found: str) -> str:
    """The text at fault in quotes; a character that is invisible or looks like another also by its code and name."""
    first, shown = found[:1], found[:40]
    if not first or first.isalnum() or (first.isascii() and first.isprintable()):
        return f"'{shown}'"
    return (
        f"'{shown if first.isprintable() else ''}' (U+{ord(first):04X} {unicodedata.name(first, 'control character')})"
    )


def _first_wrong(text: str, prefixes: _Prefixes) -> tuple[int, str, str]:
    """The start of the first token after which no query can continue, with the errors before and after it."""
    ends = [0, *(m.end() for m in lexer.tokens(text) if m.lastgroup or m[0].strip())]
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if _can_go_on(text[: ends[middle]], prefixes):
            low = middle
        else:
            high = middle - 1
    rest = text[ends[low] :]
    upto = text[: ends[min(low + 1, len(ends) - 1)]]
    reached = _error(text[: ends[low]] + _PADDING, prefixes)
    return ends[low] + len(rest) - len(rest.lstrip()), reached, _error(upto, prefixes)


def _can_go_on(text: str, prefixes: _Prefixes) -> bool:
    message = _error(text + _PADDING, prefixes)
    return not message or _offset(text + _PADDING, message) >= len(text) + len(_PADDING)


def _error(text: str, prefixes: _Prefixes) -> str:
    """The engine's message for a text; '' for a valid query."""
    try:
        Store().query(text, prefixes=dict(prefixes))
    except SyntaxError as error:
        return str(error)
    except (OSError, ValueError, RuntimeError):
        return ""
    return ""


def _offset(text: str, message: str) -> int:
    match = _POSITION.match(message)
    if match is None:
        return len(text)
    lines = text.split("\n")[: int(match[1]) - 1]
    return sum(len(line) + 1 for line in lines) + int(match[2]) - 1


def _alternatives(message: str) -> list[str]:
    """The expected items in the engine's message: quoted tokens, keywords, and sometimes a sentence."""
    match = _POSITION.match(message)
    parts = (part.strip() for part in _ALTERNATIVE.findall(match[3])) if match else ()
    return [p for p in parts if p and not p.startswith("[")]


def _readable(message: str) -> str:
    """The expected tokens, without the character classes of names and numbers."""
    named = [p for p in _alternatives(message) if " " not in p]
    if _DIGITS in message:
        named.append("a number")
    shown = ", ".join(named[:_MOST_NAMED])
    return f"{shown} …" if len(named) > _MOST_NAMED else shown
