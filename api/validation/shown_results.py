"""Validation results as the pages show them, with the lines around each."""

from __future__ import annotations

from dataclasses import dataclass

from pyoxigraph import Literal

from api.problems import Problem
from kg.errors import KgError, RdfFault
from kg.rdf.terms import Term
from kg.submitted import report, syntax_words
from kg.submitted.report import Report, Result

_LONGEST_LINE = 240
_LONGEST_VALUE = 500
_AROUND = 2


@dataclass(frozen=True, slots=True)
class ShownResult:
    """A result on the page, with the lines around it: number, text, and whether it is the line of the result."""

    result: Result
    focus: Term
    value: Term | None
    message: str
    excerpt: tuple[tuple[int, str, bool], ...]


def shown(found: Report | None, text: str, language: str) -> list[ShownResult]:
    """Return the results of a report on this text, in the reader's language."""
    lines = text.split("\n")
    return [_finding(result, lines, language) for result in found.results] if found else []


def placed(problem: Problem, error: KgError, text: str) -> Problem:
    """Add to the error that a text cannot be read its position, and the text of that line."""
    if not isinstance(error, RdfFault) or not error.line:
        return problem
    problem.members |= {"line": error.line, "column": error.column or 1}
    if said := syntax_words.said_in(str(error), "ja"):
        problem.members["message"] = {"en": str(error), "ja": said}
    lines = text.split("\n")
    if text and error.line <= len(lines):
        start = max(0, error.column - 60)
        problem.members["excerpt"] = lines[error.line - 1][start : start + 120].rstrip("\r")
        problem.members["mark"] = max(1, error.column - start)
    problem.detail = f"line {error.line}{f', column {error.column}' if error.column else ''}: {problem.detail}"
    return problem


def _finding(result: Result, lines: list[str], tongue: str) -> ShownResult:
    first, last = max(1, result.line - _AROUND), min(len(lines), result.line + _AROUND)
    numbers = range(first, last + 1) if result.line else range(0)
    return ShownResult(
        result,
        report.parse_term(result.focus),
        _short(report.parse_term(result.value)) if result.value else None,
        result.messages.get(tongue) or next(iter(result.messages.values()), ""),
        tuple((n, lines[n - 1].rstrip("\r")[:_LONGEST_LINE], n == result.line) for n in numbers),
    )


def _short(term: Term) -> Term:
    """Return a value for the page: of a long literal only the beginning."""
    if not isinstance(term, Literal) or len(term.value) <= _LONGEST_VALUE:
        return term
    return Literal(term.value[:_LONGEST_VALUE] + "…", language=term.language)
