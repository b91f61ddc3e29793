"""The canonical forms of literals in curated files (XML Schema 1.1, part 2).

A store rewrites `01` to `1` and `P66M` to `P5Y6M`, so only canonical forms are accepted.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass

XSD = "http://www.w3.org/2001/XMLSchema#"


@dataclass(frozen=True, slots=True)
class Datatype:
    """A datatype with the form of its values, as a description and as a test."""

    expected: str
    accepts: Callable[[str], bool]


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.fullmatch(text) is not None


def _is_date(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


_DURATION = re.compile(r"P(?=.)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_PART_LIMITS = (None, 12, None, 24, 60, 60)


def _is_duration(text: str) -> bool:
    match = _DURATION.fullmatch(text)
    if not match:
        return False
    parts = match.groups()
    canonical = all(p is None or (p[0] != "0") for p in parts)
    return canonical and all(
        p is None or limit is None or int(p) < limit for p, limit in zip(parts, _PART_LIMITS, strict=True)
    )


DATATYPES: dict[str, Datatype] = {
    XSD + "integer": Datatype("an integer such as 17", _matches(r"0|-?[1-9]\d*")),
    XSD + "decimal": Datatype(
        "a decimal without needless zeros, such as 800000000 or 0.1",
        _matches(r"0|-?(?:[1-9]\d*|(?:0|[1-9]\d*)\.\d*[1-9])"),
    ),
    XSD + "boolean": Datatype("true or false", _matches("true|false")),
    XSD + "date": Datatype("a date such as 2026-06-29", _is_date),
    XSD + "gYear": Datatype("a year such as 2026", _matches(r"[12]\d{3}")),
    XSD + "gYearMonth": Datatype("a month such as 2026-03", _matches(r"[12]\d{3}-(?:0[1-9]|1[0-2])")),
    XSD + "duration": Datatype("a duration in lowest terms, such as P5Y6M", _is_duration),
}
