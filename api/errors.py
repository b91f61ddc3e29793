"""What a request may fail with: one table of HTTP status per error, and problem details (RFC 9457)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kg.errors import BadParameter, BrokenRelease, BuildBusy, KgError, NoRelease, QueryNotFound, QueryRefused

STATUS: Mapping[type[KgError], int] = {
    BadParameter: 400,
    QueryRefused: 403,
    QueryNotFound: 404,
    NoRelease: 503,
    BrokenRelease: 503,
    BuildBusy: 503,
}
TITLES: Mapping[int, str] = {
    400: "Bad request",
    403: "Refused",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    410: "Gone",
    413: "Too large",
    415: "Unsupported media type",
    422: "Bad request",
    500: "Internal error",
    503: "Not available",
}
_POSITION = re.compile(r"error at (\d+):(\d+): (.*)", re.DOTALL)


@dataclass
class Problem(KgError):
    """An answer that is an error: status, what happened, and whatever helps the caller onward."""

    status: int
    kind: str
    detail: str
    members: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.detail

    def document(self) -> dict[str, Any]:
        """The members of the problem+json body (RFC 9457, section 3)."""
        return {
            "type": f"urn:aikg:problem:{self.kind}",
            "title": TITLES.get(self.status, "Error"),
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }


def of_error(error: KgError) -> Problem:
    """The answer for an error of the domain."""
    if isinstance(error, Problem):
        return error
    status = next((STATUS[c] for c in type(error).__mro__ if c in STATUS), 500)
    kind = re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__).lower()
    return Problem(status, kind, str(error))


def malformed_query(error: SyntaxError) -> Problem:
    """The answer for a query that is not SPARQL, with line and column counted from 1."""
    match = _POSITION.match(str(error))
    if match is None:
        return Problem(400, "malformed-query", str(error))
    line, column = int(match[1]), int(match[2])
    # The parser's list of possible tokens runs to many lines of character classes: keep its beginning.
    expected = " ".join(match[3].split())
    detail = f"line {line}, column {column}: {expected[:300]}{'…' if len(expected) > 300 else ''}"
    return Problem(400, "malformed-query", detail, {"line": line, "column": column})


def not_acceptable(offered: Mapping[str, str]) -> Problem:
    """The answer when no offered format suits: the list of them, name to media type."""
    return Problem(
        406,
        "not-acceptable",
        "none of the formats asked for is offered here; choose one by Accept or by format=",
        {"formats": dict(offered)},
        {"Vary": "Accept"},
    )
