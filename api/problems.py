"""Error responses: the HTTP status of each error, and problem details (RFC 9457)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kg.errors import (
    BadParameter,
    BrokenRelease,
    BuildBusy,
    Busy,
    EngineAway,
    EngineFailed,
    EngineTimeout,
    KgError,
    NoRelease,
    NotWritable,
    OutOfMemory,
    QueryFailed,
    QueryMalformed,
    QueryNotFound,
    QueryRefused,
    QueryTooComplex,
    QueryTooLong,
    RdfFault,
    RdfTooLarge,
    ReleaseMoved,
    ResultTooLarge,
    TookTooLong,
    TooManyAtOnce,
    UnknownFunction,
    UnknownSyntax,
    UpdateRefused,
)

STATUS: Mapping[type[KgError], int] = {
    BadParameter: 400,
    QueryMalformed: 400,
    QueryTooComplex: 400,
    UpdateRefused: 400,
    UnknownFunction: 400,
    NotWritable: 406,
    RdfFault: 400,
    RdfTooLarge: 413,
    UnknownSyntax: 415,
    QueryRefused: 403,
    QueryNotFound: 404,
    QueryTooLong: 413,
    ResultTooLarge: 413,
    QueryFailed: 500,
    EngineFailed: 502,
    EngineAway: 503,
    ReleaseMoved: 503,
    EngineTimeout: 504,
    TooManyAtOnce: 429,
    Busy: 503,
    OutOfMemory: 503,
    TookTooLong: 504,
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
    408: "Request timeout",
    410: "Gone",
    412: "Precondition failed",
    413: "Too large",
    415: "Unsupported media type",
    416: "Range not satisfiable",
    421: "Misdirected request",
    422: "Cannot be processed",
    429: "Too many requests",
    431: "Header fields too large",
    499: "Client closed request",
    500: "Internal error",
    501: "Not offered",
    502: "Bad gateway",
    503: "Not available",
    504: "Timeout",
    505: "HTTP version not supported",
}


@dataclass
class Problem(KgError):
    """An error response with its status, kind, detail and further members that help the client."""

    status: int
    kind: str
    detail: str
    members: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.detail

    def document(self) -> dict[str, Any]:
        """The body as `application/problem+json` (RFC 9457, section 3)."""
        return {
            "type": f"urn:aikg:problem:{self.kind}",
            "title": TITLES.get(self.status, "Error"),
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }


def of_error(error: KgError) -> Problem:
    """The error response for an exception of the engine."""
    if isinstance(error, Problem):
        return error
    status = next((STATUS[c] for c in type(error).__mro__ if c in STATUS), 500)
    kind = re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__).lower()
    limit = getattr(error, "limit", None)
    wait: float | None = getattr(error, "retry_after", None)
    headers = {} if wait is None else {"Retry-After": str(max(1, math.ceil(wait)))}
    return Problem(status, kind, str(error), {"limit": limit} if limit else {}, headers)


def as_text(problem: Problem) -> str:
    """An error as plain text: the detail, a mark below the position in the query, and the alternatives."""
    lines = [f"{problem.status} {TITLES.get(problem.status, 'Error')}: {problem.detail}"]
    if "excerpt" in problem.members:
        lines += ["", f"  {problem.members['excerpt']}", f"  {' ' * (int(problem.members['mark']) - 1)}^"]
    for name, media_type in problem.members.get("formats", {}).items():
        lines.append(f"  format={name:<7} {media_type}")
    lines += [f"  {iri}" for iri in problem.members.get("nearest", ())]
    return "\n".join(lines) + "\n"


def not_acceptable(offered: Mapping[str, str]) -> Problem:
    """The error response if no format is acceptable, with the available formats by name."""
    return Problem(
        406,
        "not-acceptable",
        "none of the requested formats is available here; choose one with Accept or format=",
        {"formats": dict(offered)},
        {"Vary": "Accept"},
    )
