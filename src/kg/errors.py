"""Exceptions of the engine, and problems in files with their position."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class FileProblem:
    """A problem in curated input: its position, the rule that it breaks, and what to do.

    `line` and `column` count from 1; 0 means that the problem concerns the whole file or dataset.
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
    """Base class of errors whose message is shown to users."""


class Rejected(KgError):
    """Curated input with errors; carries all problems of the build."""

    def __init__(self, problems: Iterable[FileProblem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(map(str, self.problems)))


class NoRelease(KgError):
    """The folder of releases has no release that can be read."""


class BrokenRelease(KgError):
    """A release whose files do not match its manifest."""


class BuildBusy(KgError):
    """Another build is running and holds the lock."""


class QueryRefused(KgError):
    """A query with a feature that is not allowed, such as SERVICE."""


class UpdateRefused(KgError):
    """A SPARQL update that was sent as a query."""


class QueryTooLong(KgError):
    """A query that is too long; `limit` is in characters."""

    def __init__(self, message: str, limit: int = 0) -> None:
        super().__init__(message)
        self.limit = limit


class QueryTooComplex(KgError):
    """A query that is nested too deeply for the engine's stack."""


class QueryMalformed(KgError):
    """A query with a syntax error; `line` and `column` count from 1, 0 if unknown."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line, self.column = line, column


class QueryFailed(KgError):
    """A query that the engine could not evaluate."""


class Busy(KgError):
    """No slot is free, or the child process was killed; `retry_after` is in seconds."""

    retry_after = 5.0

    def __init__(self, why: str) -> None:
        super().__init__(f"{why}; try again in a moment")


class ValidationBusy(Busy):
    """`Busy`, for a validation."""


class DeskBusy(Busy):
    """`Busy`, for the link desk."""

    retry_after = 2.0


class TooManyAtOnce(KgError):
    """More jobs of one client than may run at a time, which is `limit`."""

    retry_after = 1.0
    text = "at most {} jobs of one client run at a time; wait for one to end"

    def __init__(self, limit: int) -> None:
        super().__init__(self.text.format(limit))
        self.limit = limit


class TooManyQueries(TooManyAtOnce):
    """`TooManyAtOnce`, for queries."""

    text = "at most {} queries of one client run at a time; wait for one to end"


class TooManyValidations(TooManyAtOnce):
    """`TooManyAtOnce`, for validations."""

    text = "at most {} documents of one client are validated at a time; wait for one to end"


class TookTooLong(KgError):
    """A job that was stopped at its deadline; `limit` is in seconds."""

    text = "this was stopped after {:g} seconds"

    def __init__(self, limit: float) -> None:
        super().__init__(self.text.format(limit))
        self.limit = limit


class QueryTimeout(TookTooLong):
    """`TookTooLong`, for a query."""

    text = "the query was stopped after {:g} seconds; ask for less, or make its patterns more selective"


class ValidationTimeout(TookTooLong):
    """`TookTooLong`, for a validation."""

    text = "the validation was stopped after {:g} seconds; send less at a time"


class OutOfMemory(KgError):
    """A job that needed more memory than one may take."""

    retry_after = 60.0
    text = "the query needed more memory than one query may take; ask for less at a time"

    def __init__(self) -> None:
        super().__init__(self.text)


class ValidationOutOfMemory(OutOfMemory):
    """`OutOfMemory`, for a validation."""

    text = "the validation needed more memory than one may take; send less at a time"


class EngineError(KgError):
    """A remote engine that did not answer as expected."""


class EngineAway(EngineError):
    """A remote engine that is unreachable or unavailable; `retry_after` is in seconds, 0 if unknown."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class EngineFailed(EngineError):
    """A remote engine that returned an error or an unusable answer."""


class EngineTimeout(EngineError):
    """A query that a remote engine did not finish before its deadline."""


class ReleaseMoved(EngineError):
    """The remote engine serves another release than the requested one, or is switching over to it."""

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ResultTooLarge(KgError):
    """A result that is too large to send; `limit` is in bytes."""

    def __init__(self, limit: int) -> None:
        detail = f"the result is larger than the limit of {limit:,} bytes; request less, for example with LIMIT"
        super().__init__(detail)
        self.limit = limit


class FormatNotOffered(KgError):
    """None of the requested formats is available for a result of this kind, `solutions` or `graph`."""

    def __init__(self, kind: str) -> None:
        super().__init__("none of the requested formats is available here; choose one with Accept or format=")
        self.kind = kind


class NotWritable(KgError):
    """A result that the requested format cannot express, such as a control character in XML."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{why}; ask for another format")


class UnknownFunction(KgError):
    """A query that calls a function by an IRI that the engine does not know."""

    def __init__(self, iri: str) -> None:
        super().__init__(f"there is no function <{iri}>")


class RdfFault(KgError):
    """Submitted RDF that cannot be read; line and column count from 1, 0 if unknown; `limit` is the exceeded limit."""

    def __init__(self, message: str, line: int = 0, column: int = 0, limit: int = 0) -> None:
        super().__init__(message)
        self.line, self.column, self.limit = line, column, limit


class RdfMalformed(RdfFault):
    """RDF with a syntax error."""


class RdfRefused(RdfFault):
    """Well-formed RDF with a feature that is not allowed, such as a remote context."""


class RdfTooLarge(RdfFault):
    """RDF with too many bytes or statements."""


class RdfTooComplex(RdfFault):
    """RDF that is nested too deeply."""


class UnknownSyntax(KgError):
    """A document whose RDF syntax is missing or not supported."""


class QueryNotFound(KgError):
    """The query library has no query of that name."""


class BadParameter(KgError):
    """A query parameter that is missing, unknown or invalid."""


class NoSuchRecord(BadParameter):
    """A parameter of a query with the IRI of no record; `near` has the nearest IRIs, short and whole."""

    def __init__(self, parameter: str, written: str, near: tuple[tuple[str, str], ...] = ()) -> None:
        names = " or ".join(f"'{short}'" for short, _ in near)
        hint = f"; did you mean {names}?" if names else ""
        super().__init__(f"parameter '{parameter}': no record has the IRI '{written}'{hint}")
        self.parameter, self.written, self.near = parameter, written, near


def nearest(word: str, known: Iterable[str]) -> str:
    """Returns `; did you mean 'x'?` with the most similar known word, or ''."""
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{matches[0]}'?" if matches else ""
