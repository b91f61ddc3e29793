"""Explains why a query has no solutions: a term that does not exist, or else the first part that removes them all.

A group without its last parts never has fewer solutions. So the part to blame is found by bisection: the parts before
it have solutions, and with it there are none.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from kg.errors import QueryMalformed
from kg.sparql import decomposition as pieces
from kg.sparql import lexer
from kg.sparql.decomposition import DecomposedQuery, Kind, Piece, Place, Use

# Limits on ASK queries about names, about parts with missing names, and about FROM.
_MOST_NAMES, _MOST_SUSPECTS, _MOST_GRAPHS = 32, 6, 4


@dataclass(frozen=True, slots=True)
class QueryTerm:
    """An IRI of the query: expanded, as written, with its line and column from 1, and its kind of position."""

    iri: str
    written: str
    line: int
    column: int
    place: Place


@dataclass(frozen=True, slots=True)
class EmptinessCause:
    """The reason: `text` at its line and column, after `before`, which still has solutions, or `alone`.

    `terms` are all terms that do not exist. If the kind is not `term`, solutions do not depend on them, as in OPTIONAL,
    VALUES or a branch of a UNION.
    """

    kind: Kind
    terms: tuple[QueryTerm, ...]
    text: str
    line: int
    column: int
    before: str
    alone: bool


def diagnose(query: str, prefixes: Mapping[str, str]) -> Generator[str, bool, EmptinessCause | None]:
    """A generator that yields ASK queries, receives their results, and returns the reason; None if it is not found.

    Supports SELECT, ASK and CONSTRUCT queries of SPARQL 1.1 without SERVICE.
    """
    try:
        reading = pieces.read(query, prefixes)
    except QueryMalformed:
        return None
    steps, truths = _search(reading), dict[str, bool]()
    try:
        ask = next(steps)
        while True:
            if ask not in truths:
                truths[ask] = yield ask
            ask = steps.send(truths[ask])
    except StopIteration as stop:
        found: EmptinessCause = stop.value
    return found


def _search(reading: DecomposedQuery) -> Generator[str, bool, EmptinessCause]:
    absent = []
    for use in reading.graphs[:_MOST_GRAPHS]:
        if not (yield use.check):
            absent.append(use)
    if absent and len(absent) == len(reading.graphs):
        return _finding(reading, "term", absent, absent[0].written, absent[0].start, alone=True)
    absent += yield from _absent(reading)
    for use, question in islice(_suspects(reading, reading.pieces, absent, "", ""), _MOST_SUSPECTS):
        if not (yield question):
            return _finding(reading, "term", absent, use.written, use.start, alone=True)
    before = reading.body(reading.pieces)
    if not (yield reading.ask(before)):
        return (yield from _fault(reading, absent))
    for name, start, end in reading.clauses:
        if name not in ("GROUP", "ORDER") and not (yield reading.ask_up_to(end)):
            kinds: dict[str, Kind] = {"HAVING": "having", "VALUES": "pattern"}
            kind, text = kinds.get(name, "modifier"), reading.query[start:end]
            if kind == "having" and _names_an_alias(reading.query[:start], text):
                kind = "alias"
            return _finding(reading, kind, absent, text, start, before)
    return _finding(reading, "unknown", absent, before=before)


def _names_an_alias(select: str, having: str) -> bool:
    """Whether a HAVING clause names a variable of `(… AS ?n)`, which has its value afterwards (SPARQL 1.1, 18.2.4)."""
    words = [token[0] for token in lexer.tokens(select) if token.lastgroup]
    made = {name[1:] for word, name in pairwise(words) if word.upper() == "AS" and name[:1] in ("?", "$")}
    return any(token[0][1:] in made for token in lexer.tokens(having) if token["variable"])


def _absent(reading: DecomposedQuery) -> Generator[str, bool, list[Use]]:
    """All uses of missing names in order; each name is tested once."""
    same: dict[tuple[str, Place, bool], list[Use]] = {}
    for use in reading.uses:
        same.setdefault((use.iri, use.place, "GRAPH ?g" in use.check), []).append(use)
    absent = []
    for uses in islice(same.values(), _MOST_NAMES):
        if not (yield reading.ask(uses[0].check)):
            absent += uses
    return sorted(absent, key=lambda use: use.start)


def _suspects(
    reading: DecomposedQuery, pieces: Iterable[Piece], absent: Sequence[Use], opening: str, closing: str
) -> Iterator[tuple[Use, str]]:
    """Each part with a missing name, and the query whether it has solutions nevertheless, as an OPTIONAL has."""
    starts = [use.start for use in absent]
    for piece in pieces if absent else ():
        spans = ((piece.spans[0][0], piece.opened),) if piece.inside else piece.spans
        found = [at for start, end in spans for at in (bisect_left(starts, start),) if at < bisect_left(starts, end)]
        if found:
            yield absent[min(found)], reading.ask(opening + reading.body([piece]) + closing)
        yield from _suspects(reading, piece.inside, absent, opening + reading.opening(piece), "} " + closing)


def _fault(reading: DecomposedQuery, absent: Sequence[Use]) -> Generator[str, bool, EmptinessCause]:
    """The part to blame; groups are searched recursively."""
    pieces, outside, wrapping, closing, before = reading.pieces, "", "", "", ""
    while True:
        index = yield from _first_false(reading, pieces, outside, closing)
        piece, above = pieces[index], outside + reading.body(pieces[:index])
        before = above + closing if index else before
        kind = piece.kind
        # The same without the GRAPH clause shows whether the graph is to blame.
        if kind == "graph" and not (yield reading.ask(f"{above}{{ {reading.body(piece.inside)} }}{closing}")):
            kind = "pattern"
        if kind == "graph" or not piece.inside:
            break
        pieces, closing = piece.inside, "} " + closing
        outside, wrapping = above + reading.opening(piece), wrapping + reading.opening(piece)
    # A filter alone has no solutions to test.
    itself = reading.ask(wrapping + reading.body([piece]) + closing)
    alone = not before or (kind != "filter" and not (yield itself))
    return _finding(reading, kind, absent, reading.text(piece), piece.spans[-1][0], "" if alone else before, alone)


def _first_false(
    reading: DecomposedQuery, pieces: Sequence[Piece], outside: str, closing: str
) -> Generator[str, bool, int]:
    """The index of the part that removes all solutions, if all parts together have none."""
    low, high = 0, len(pieces)
    while high - low > 1:
        middle = (low + high) // 2
        if (yield reading.ask(outside + reading.body(pieces[:middle]) + closing)):
            low = middle
        else:
            high = middle
    return high - 1


def _finding(
    reading: DecomposedQuery,
    kind: Kind,
    absent: Iterable[Use],
    text: str = "",
    start: int = 0,
    before: str = "",
    alone: bool = False,
) -> EmptinessCause:
    first: dict[tuple[str, Place], Use] = {}
    for use in absent:
        first.setdefault((use.iri, use.place), use)
    terms = (QueryTerm(use.iri, use.written, *reading.place(use.start), use.place) for use in first.values())
    return EmptinessCause(kind, tuple(terms), text, *reading.place(start), before.strip(), alone)
