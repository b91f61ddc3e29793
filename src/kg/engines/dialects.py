"""Differences between engines in terms and results: a table of dialects, and conversions in both directions.

Engines cannot look up blank nodes by label, so ours are stored as IRIs below `urn:aikg:blank:`. Virtuoso reads
durations as numbers of months or seconds, so there they have a datatype that it does not know.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, cast

from pyoxigraph import (
    BlankNode,
    DefaultGraph,
    Literal,
    NamedNode,
    Quad,
    QueryBoolean,
    QueryResultsFormat,
    QuerySolutions,
    QueryTriples,
    RdfFormat,
    Store,
    Triple,
    parse,
    parse_query_results,
)

from kg.errors import EngineFailed
from kg.rdf.datatypes import XSD

OURS = "urn:aikg:"
BLANK = "urn:aikg:blank:"
AS_WRITTEN = "urn:aikg:as-written:"
_REWRITTEN = frozenset({XSD + "decimal", XSD + "double", XSD + "float"})
_VARIABLES = re.compile(rb'"vars"\s*:\s*\[[^\]]*\]')
_WHOLE = re.compile(rb"\]\s*\}\s*\}\s*\Z")
_CANCELLED = re.compile(rb"^##.*", re.MULTILINE)
SOLUTIONS = "application/sparql-results+json"
TRIPLES = "application/n-triples"


@dataclass(frozen=True, slots=True)
class Dialect:
    """The dialect of an engine.

    `kept` are datatypes that must be hidden from it, as are integers of more than `integer_bits`; `markers` are bytes
    without which a result needs no repair; `isolates_paths` as in `kg.sparql.translation`; `most_named` is the maximum
    number of graphs in a request; with `is_transactional`, the operations of an update become visible together.
    """

    name: str
    update_parameter: str
    has_digest: bool
    is_transactional: bool
    seconds_parameter: tuple[str, int]
    isolates_paths: bool
    most_named: int
    kept: frozenset[str]
    markers: tuple[bytes, ...]
    integer_bits: int | None = None

    # ---- terms ----

    def there(self, term: Any) -> Any:
        """The engine's form of one of our terms."""
        if isinstance(term, BlankNode):
            return NamedNode(BLANK + term.value)
        if isinstance(term, Literal) and self._is_hidden(term):
            return Literal(term.value, datatype=NamedNode(AS_WRITTEN + term.datatype.value.removeprefix(XSD)))
        return term

    def _is_hidden(self, term: Literal) -> bool:
        if self.integer_bits is None or term.datatype.value != XSD + "integer":
            return term.datatype.value in self.kept
        # The most significant bit is that of the sign.
        return len(term.value) > 9 and int(term.value).bit_length() >= self.integer_bits

    def back(self, term: Any) -> Any:
        """Our form of a term of the engine."""
        term = _named(term)
        if isinstance(term, Literal) and term.language is None:
            datatype = term.datatype.value
            if self.kept and datatype == XSD + "boolean" and term.value in ("0", "1"):
                return Literal("true" if term.value == "1" else "false", datatype=term.datatype)
            if datatype in _REWRITTEN:
                return _as_stored(term)
        return term

    def statement(self, triple: Triple | Quad) -> Triple:
        """The engine's form of one of our statements."""
        return Triple(self.there(triple.subject), triple.predicate, self.there(triple.object))

    def answered(self, triple: Triple) -> Triple:
        """The engine's form of a statement, as it appears in results."""
        return Triple(self.back(triple.subject), triple.predicate, self.back(triple.object))

    def original(self, triple: Triple, graph: NamedNode | DefaultGraph) -> Quad:
        """The inverse of `statement`."""
        return Quad(_named(triple.subject), triple.predicate, _named(triple.object), graph)

    def removing(self, graph: str) -> str:
        """The update operation that empties a graph.

        In Virtuoso, DROP, CLEAR and MOVE were observed to lose rows, but not DELETE.
        """
        if self.is_transactional:
            return f"DROP SILENT GRAPH <{graph}>"
        return f"DELETE {{ GRAPH <{graph}> {{ ?s ?p ?o }} }} WHERE {{ GRAPH <{graph}> {{ ?s ?p ?o }} }}"

    def renaming(self, old: str, new: str) -> list[str]:
        """The operations that move the content of a graph to another, replacing it.

        MOVE was observed to lose triples in Fuseki's TDB2.
        """
        copied = f"INSERT {{ GRAPH <{new}> {{ ?s ?p ?o }} }} WHERE {{ GRAPH <{old}> {{ ?s ?p ?o }} }}"
        return [self.removing(new), copied, self.removing(old)]

    # ---- results ----

    def solutions(self, body: bytes, variables: Sequence[str]) -> QuerySolutions:
        """JSON results with these columns in this order; raises `EngineFailed` if they are incomplete."""
        if any(marker in body for marker in self.markers):
            body = self._mended(body)
        head = f'"vars": {json.dumps(list(variables))}'.encode()
        body = _VARIABLES.sub(lambda _: head, body, count=1)
        # Rows are parsed lazily, so a truncated result must be detected before the first.
        if not _WHOLE.search(body, max(0, len(body) - 100)):
            raise EngineFailed(f"the engine's results are broken off: …{body[-100:].decode(errors='replace')}")
        try:
            found = parse_query_results(body, format=QueryResultsFormat.JSON)
        except (SyntaxError, ValueError) as error:
            raise EngineFailed(f"the engine's results are broken: {error}") from None
        if not isinstance(found, QuerySolutions):
            raise EngineFailed("the engine answers a SELECT with something else")
        return found

    def rows(self, parts: Iterator[bytes]) -> Iterator[dict[str, Any]]:
        """Streamed JSON results as rows of our terms; raises `EngineFailed` where they break off."""
        fault = ""
        found = None
        try:
            found = parse_query_results(cast(IO[bytes], _Parts(parts)), format=QueryResultsFormat.JSON)
            assert isinstance(found, QuerySolutions)
            names = [v.value for v in found.variables]
            for row in found:
                yield {name: self.back(row[name]) for name in names}
        except SyntaxError as error:
            fault = str(error)
        finally:
            # The parser must not be freed by another thread, not even with a traceback.
            found = None
        if fault:
            raise EngineFailed(f"the engine's results are broken: {fault}")

    def boolean(self, body: bytes) -> QueryBoolean:
        """The result of an ASK; Virtuoso sends solutions, none for false."""
        try:
            document = json.loads(body)
            value = document["boolean"] if "boolean" in document else bool(document["results"]["bindings"])
        except (ValueError, KeyError) as error:
            raise EngineFailed(f"the engine's answer is broken: {error}") from None
        found = parse_query_results(json.dumps({"head": {}, "boolean": value}), format=QueryResultsFormat.JSON)
        assert isinstance(found, QueryBoolean)
        return found

    def triples(self, body: bytes) -> list[Triple]:
        """Parses N-Triples; raises `EngineFailed` if they are incomplete."""
        if cancelled := _CANCELLED.search(body):
            raise EngineFailed(f"the engine's triples are broken off: {cancelled[0].decode(errors='replace')[:200]}")
        try:
            parsed = list(parse(body, format=RdfFormat.N_TRIPLES))
        except SyntaxError as error:
            raise EngineFailed(f"the engine's triples are broken: {error}") from None
        return [Triple(self.back(q.subject), q.predicate, self.back(q.object)) for q in parsed]

    def _mended(self, body: bytes) -> bytes:
        try:
            document = json.loads(body)
            for row in document["results"]["bindings"]:
                for cell in row.values():
                    self._mend(cell)
        except (ValueError, KeyError, TypeError) as error:
            raise EngineFailed(f"the engine's results are broken: {error}") from None
        return json.dumps(document, ensure_ascii=False).encode()

    def _mend(self, cell: dict[str, str]) -> None:
        if cell["type"] == "bnode":
            cell["value"] = cell["value"].removeprefix("nodeID://")
        elif cell["type"] == "uri" and cell["value"].startswith(BLANK):
            cell.update(type="bnode", value=cell["value"].removeprefix(BLANK))
        elif "datatype" in cell:
            term = self.back(Literal(cell["value"], datatype=NamedNode(cell["datatype"])))
            cell.update(type="literal", value=term.value, datatype=term.datatype.value)


def _named(term: Any) -> Any:
    """Our form of an engine's term, with numbers as originally written."""
    if isinstance(term, NamedNode) and term.value.startswith(BLANK):
        return BlankNode(term.value.removeprefix(BLANK))
    if isinstance(term, Literal) and term.datatype.value.startswith(AS_WRITTEN):
        return Literal(term.value, datatype=NamedNode(XSD + term.datatype.value.removeprefix(AS_WRITTEN)))
    return term


class _Parts(io.RawIOBase):
    """The parts of a response as a file object."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not self._rest:
            self._rest = next(self._parts, b"")
        part, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        return part


def _as_stored(term: Literal) -> Literal:
    """The literal in the form of our embedded engine: `1.5e+10` as `1.5E10`."""
    store = Store()
    node = NamedNode(OURS)
    store.add(Quad(node, node, term, DefaultGraph()))
    found = next(iter(store)).object
    assert isinstance(found, Literal)
    return found


def graph_result(triples: Sequence[Triple]) -> QueryTriples:
    """Distinct triples as a query result."""
    store = Store()
    store.extend(Quad(t.subject, t.predicate, t.object, DefaultGraph()) for t in triples)
    found = store.query("CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }")
    assert isinstance(found, QueryTriples)
    return found


_MARKERS = (OURS.encode(), b"#decimal", b"#double", b"#float")
STANDARD = Dialect("standard", "update", False, True, ("timeout", 1), False, 20_000, frozenset(), _MARKERS)
VIRTUOSO = Dialect(
    "virtuoso",
    "query",
    True,
    False,
    ("timeout", 1_000),
    True,
    # With more than about 1,600 its compiler or header fields fail.
    1_000,
    frozenset(XSD + d for d in ("duration", "dayTimeDuration", "yearMonthDuration")),
    (*_MARKERS, b"nodeID://", b"#boolean"),
    # A larger integer comes back as another number.
    32,
)


DIALECTS = {dialect.name: dialect for dialect in (STANDARD, VIRTUOSO)}


def of_server(name: str) -> Dialect:
    """The dialect of an engine by its `Server` header."""
    return VIRTUOSO if name.lower().startswith("virtuoso") else STANDARD
