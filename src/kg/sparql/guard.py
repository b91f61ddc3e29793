"""Checks an untrusted query before any engine parses it: length, nesting, and the endpoints of SERVICE."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from kg.errors import QueryRefused, QueryTooComplex, QueryTooLong, UpdateRefused
from kg.sparql import lexer

_QUERY_FORMS = frozenset({"SELECT", "ASK", "CONSTRUCT", "DESCRIBE"})
_UPDATES = frozenset({"INSERT", "DELETE", "LOAD", "CLEAR", "CREATE", "DROP", "COPY", "MOVE", "ADD", "WITH"})
# Keywords that nest the algebra one level deeper without a bracket.
_JOINING = frozenset({"UNION", "OPTIONAL", "MINUS", "FILTER", "BIND", "VALUES", "GRAPH", "EXISTS", "AS"})
_VOLATILE = frozenset({"NOW", "RAND", "UUID", "STRUUID", "BNODE"})


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """The limits of a query: characters, nesting of brackets, operators and group patterns."""

    length: int = 200_000
    depth: int = 200
    operators: int = 1_000


@dataclass(frozen=True, slots=True)
class ServiceClause:
    """A SERVICE clause: the endpoint, and the span of its IRI in the text, including brackets."""

    endpoint: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class GuardedQuery:
    """The result: the endpoints to be queried, and whether two evaluations may differ."""

    services: tuple[ServiceClause, ...] = ()
    is_volatile: bool = False


def read(text: str, limits: QueryLimits | None = None, allowed: Collection[str] = ()) -> GuardedQuery:
    """Raises `QueryTooLong`, `QueryTooComplex`, `UpdateRefused`, or `QueryRefused` for a SERVICE not in `allowed`.

    Deep nesting overflows the stack of the engine's parser: from about 1,000 levels on, or 3,000 joined patterns.
    """
    limits = limits or QueryLimits()
    if len(text) > limits.length:
        raise QueryTooLong(f"the query has {len(text):,} characters; at most {limits.length:,} are read", limits.length)
    if _is_plain(text, limits):
        return GuardedQuery()
    depth = operators = 0
    form, after, is_volatile = "", "", False
    services: list[ServiceClause] = []
    plain = lexer.unescape(text)
    for match in lexer.tokens(plain):
        kind, written = match.lastgroup, match[0]
        if kind == "bracket":
            depth += 1 if written in "{([" else -1
            if depth > limits.depth:
                raise QueryTooComplex(f"the query nests deeper than {limits.depth} levels of brackets")
        word = written.upper() if kind == "word" else ""
        if kind == "operator" or word in _JOINING:
            operators += 1
            if operators > limits.operators:
                raise QueryTooComplex(f"the query has more than {limits.operators:,} operators and group patterns")
        if not form and word in _UPDATES:
            raise UpdateRefused(f"this is an update ({word}); the endpoint only reads")
        form = form or (word if word in _QUERY_FORMS else "")
        is_volatile = is_volatile or word in _VOLATILE
        if word == "SERVICE":
            after = word
        elif after and kind is not None and word != "SILENT":
            services.append(_service(match, allowed))
            after = ""
    if services:
        _see_through(text, plain, len(services))
    return GuardedQuery(tuple(services), is_volatile or bool(services))


# Words that need a closer look wherever they occur, even in a string or name.
_NOTABLE = ("\\", "SERVICE", *sorted(_UPDATES | _VOLATILE))


def _is_plain(text: str, limits: QueryLimits) -> bool:
    """Whether a text is trivially within all limits and has none of the relevant words.

    Operators and group patterns have at least one character each, so the full check would give the same result.
    """
    if len(text) > limits.operators or text.count("{") + text.count("(") + text.count("[") > limits.depth:
        return False
    shouted = text.upper()
    for word in _NOTABLE:  # noqa: SIM110 a generator would take as long again
        if word in shouted:
            return False
    return True


def _service(match: re.Match[str], allowed: Collection[str]) -> ServiceClause:
    if not allowed:
        raise QueryRefused("SERVICE is not run here: the endpoint asks no other endpoint")
    if match.lastgroup != "iri":
        raise QueryRefused("SERVICE takes the full IRI of an endpoint here, in angle brackets: no variable, no prefix")
    endpoint = match[0][1:-1]
    if endpoint not in allowed:
        raise QueryRefused(f"SERVICE <{endpoint}> is not run here; endpoints that may be asked: {', '.join(allowed)}")
    return ServiceClause(endpoint, *match.span())


def _see_through(text: str, plain: str, found: int) -> None:
    """Refuses a federated query in which SERVICE could be hidden from the lexer, since safety depends on it here."""
    if text != plain or text.upper().count("SERVICE") != found:
        raise QueryRefused("with SERVICE the query may have no \\u escapes, and the word 'service' nowhere else")
