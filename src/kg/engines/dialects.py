"""What differs between engines in terms and answers: one table, and the way there and back.

No engine can be asked for a blank node by its label, so ours stand there as IRIs below `urn:aikg:blank:`.
Virtuoso reads durations as numbers of months or seconds, so there they have a datatype that it does not know.
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
    """An engine's ways.

    `kept` are datatypes that must be hidden from it; `markers` are bytes without which an answer needs no mending;
    `isolates_paths` as in `kg.sparql.translation`; `most_named` is how many graphs a query may name to it; with
    `is_transactional` the operations of one update are seen together or not at all.
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

    # ---- terms ----

    def there(self, term: Any) -> Any:
        """One of our terms as it stands in the engine."""
        if isinstance(term, BlankNode):
            return NamedNode(BLANK + term.value)
        if isinstance(term, Literal) and term.datatype.value in self.kept:
            return Literal(term.value, datatype=NamedNode(AS_WRITTEN + term.datatype.value.removeprefix(XSD)))
        return term

    def back(self, term: Any) -> Any:
        """A term of the engine as one of ours."""
        term = _named(term)
        if isinstance(term, Literal) and term.language is None:
            datatype = term.datatype.value
            if self.kept and datatype == XSD + "boolean" and term.value in ("0", "1"):
                return Literal("true" if term.value == "1" else "false", datatype=term.datatype)
            if datatype in _REWRITTEN:
                return _as_stored(term)
        return term

    def statement(self, triple: Triple | Quad) -> Triple:
        """One of our statements as it stands in the engine."""
        return Triple(self.there(triple.subject), triple.predicate, self.there(triple.object))

    def answered(self, triple: Triple) -> Triple:
        """A statement as it stands in the engine in the form in which answers have it."""
        return Triple(self.back(triple.subject), triple.predicate, self.back(triple.object))

    def original(self, triple: Triple, graph: NamedNode | DefaultGraph) -> Quad:
        """The inverse of `statement`."""
        return Quad(_named(triple.subject), triple.predicate, _named(triple.object), graph)

    def removing(self, graph: str) -> str:
        """The operation of an update after which a graph is empty.

        Virtuoso's own ways, DROP, CLEAR and MOVE, were met together with lost rows; DELETE was not.
        """
        if self.is_transactional:
            return f"DROP SILENT GRAPH <{graph}>"
        return f"DELETE {{ GRAPH <{graph}> {{ ?s ?p ?o }} }} WHERE {{ GRAPH <{graph}> {{ ?s ?p ?o }} }}"

    def renaming(self, old: str, new: str) -> list[str]:
        """Operations after which what was in one graph is in the other, and nothing else.

        MOVE has been seen to lose triples in Fuseki's TDB2.
        """
        copied = f"INSERT {{ GRAPH <{new}> {{ ?s ?p ?o }} }} WHERE {{ GRAPH <{old}> {{ ?s ?p ?o }} }}"
        return [self.removing(new), copied, self.removing(old)]

    # ---- answers ----

    def solutions(self, body: bytes, variables: Sequence[str]) -> QuerySolutions:
        """Results JSON with these columns in this order; raises `EngineFailed` when it is not whole."""
        if any(marker in body for marker in self.markers):
            body = self._mended(body)
        head = f'"vars": {json.dumps(list(variables))}'.encode()
        body = _VARIABLES.sub(lambda _: head, body, count=1)
        # Rows are parsed as they are asked for: what ends early must come to light before the first.
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
        """Results JSON that is still arriving, as rows of our terms; raises `EngineFailed` where it breaks off."""
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
            # The parser may not be let go of by another thread, not even with a traceback.
            found = None
        if fault:
            raise EngineFailed(f"the engine's results are broken: {fault}")

    def boolean(self, body: bytes) -> QueryBoolean:
        """The answer of an ASK; Virtuoso sends solutions, none of them for false."""
        try:
            document = json.loads(body)
            value = document["boolean"] if "boolean" in document else bool(document["results"]["bindings"])
        except (ValueError, KeyError) as error:
            raise EngineFailed(f"the engine's answer is broken: {error}") from None
        found = parse_query_results(json.dumps({"head": {}, "boolean": value}), format=QueryResultsFormat.JSON)
        assert isinstance(found, QueryBoolean)
        return found

    def triples(self, body: bytes) -> list[Triple]:
        """N-Triples as our triples; raises `EngineFailed` when they are not whole."""
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
    """One of our terms by how it stands in an engine, its number as it was written."""
    if isinstance(term, NamedNode) and term.value.startswith(BLANK):
        return BlankNode(term.value.removeprefix(BLANK))
    if isinstance(term, Literal) and term.datatype.value.startswith(AS_WRITTEN):
        return Literal(term.value, datatype=NamedNode(XSD + term.datatype.value.removeprefix(AS_WRITTEN)))
    return term


class _Parts(io.RawIOBase):
    """Parts of an answer as a file to read from."""

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
    """The literal as our own engine writes it: `1.5e+10` as `1.5E10`."""
    store = Store()
    node = NamedNode(OURS)
    store.add(Quad(node, node, term, DefaultGraph()))
    found = next(iter(store)).object
    assert isinstance(found, Literal)
    return found


def graph_result(triples: Sequence[Triple]) -> QueryTriples:
    """Triples as a query's result, each once."""
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
    # Beyond some 1,600 its compiler or its own header fields give way.
    1_000,
    frozenset(XSD + d for d in ("duration", "dayTimeDuration", "yearMonthDuration")),
    (*_MARKERS, b"nodeID://", b"#boolean"),
)


DIALECTS = {dialect.name: dialect for dialect in (STANDARD, VIRTUOSO)}


def of_server(name: str) -> Dialect:
    """The dialect of an engine by its `Server` field."""
    return VIRTUOSO if name.lower().startswith("virtuoso") else STANDARD
