"""What can go wrong, as values that say where and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class FileProblem:
    """One finding in curated input: where it stands, which rule it breaks, what to do.

    `line` and `column` count from 1; 0 means that the finding concerns the file, or the dataset, as a whole.
    """

    file: str
    line: int
    column: int
    rule: str
    message: str
    is_warning: bool = False

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        warning = "warning: " if self.is_warning else ""
        return f"{place}: {warning}{self.message} [{self.rule}]"


class KgError(Exception):
    """An error whose text is written for the person who reads it."""


class Rejected(KgError):
    """Curated input that breaks rules; carries every problem of the run."""

    def __init__(self, problems: Iterable[FileProblem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(map(str, self.problems)))


class NoRelease(KgError):
    """There is no release to read where one was looked for."""


class BrokenRelease(KgError):
    """A release that is not what its manifest says."""


class BuildBusy(KgError):
    """Another build holds the lock."""


class QueryRefused(KgError):
    """A query that this server does not run, such as one with SERVICE."""


class UpdateRefused(KgError):
    """An update sent as a query."""


class QueryTooLong(KgError):
    """A query longer than what is read; `limit` is in characters."""

    def __init__(self, message: str, limit: int = 0) -> None:
        super().__init__(message)
        self.limit = limit


class QueryTooComplex(KgError):
    """A query nested more deeply than what the engine's stack bears."""


class QueryMalformed(KgError):
    """A text that is no SPARQL query; `line` and `column` count from 1, 0 when unknown."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line, self.column = line, column


class QueryFailed(KgError):
    """A query that the engine could not evaluate."""


class EngineError(KgError):
    """A remote engine that did not answer as it should."""


class EngineAway(EngineError):
    """A remote engine that cannot be reached or says so; `retry_after` is in seconds, 0 when it does not say."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class EngineFailed(EngineError):
    """An answer of a remote engine that cannot be used."""


class EngineTimeout(EngineError):
    """A query that a remote engine did not finish in time."""


class ReleaseMoved(EngineError):
    """The remote engine holds another release than the one asked for, or is going over to it."""

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ResultTooLarge(KgError):
    """A result larger than what is sent; `limit` is in bytes."""

    def __init__(self, limit: int) -> None:
        detail = (
            f"the result is larger than {limit:,} bytes, the most that is sent; ask for less, for instance with LIMIT"
        )
        super().__init__(detail)
        self.limit = limit


class FormatNotOffered(KgError):
    """No format that suits the caller for a result of this kind, `solutions` or `graph`."""

    def __init__(self, kind: str) -> None:
        super().__init__("none of the formats asked for is offered here; choose one by Accept or by format=")
        self.kind = kind


class RdfFault(KgError):
    """Why a stranger's RDF is not read: line and column from 1, 0 when unknown; `limit` is what it exceeds."""

    def __init__(self, message: str, line: int = 0, column: int = 0, limit: int = 0) -> None:
        super().__init__(message)
        self.line, self.column, self.limit = line, column, limit


class RdfMalformed(RdfFault):
    """A text that is not of the syntax that it is said to be."""


class RdfRefused(RdfFault):
    """RDF that is well-formed and not taken, such as one whose context lies elsewhere."""


class RdfTooLarge(RdfFault):
    """More bytes or more statements than what is read."""


class RdfTooComplex(RdfFault):
    """RDF nested more deeply than what is read."""


class UnknownSyntax(KgError):
    """A document whose RDF syntax is not told, or is none of ours."""


class QueryNotFound(KgError):
    """No query of that name in the library."""


class BadParameter(KgError):
    """A query parameter that is missing, unknown or not of its type."""


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the closest known spelling, or nothing."""
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{matches[0]}'?" if matches else ""
