"""Strangers' queries: evaluated and written in one worker thread, whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import anyio
import anyio.to_thread
from pyoxigraph import BlankNode, DefaultGraph, NamedNode, QueryBoolean, QuerySolutions, QueryTriples, Triple

from api.errors import Problem, malformed_query, not_acceptable
from api.responses import HTML_OFFER, write_triples
from api.site import Site
from kg import formats, queries
from kg.entities import sort_triples
from kg.errors import KgError
from kg.formats import Rdf, Results
from kg.terms import AnyTerm

_RESULT_NAMES = {f.name: f.media_type for f in formats.RESULT_FORMATS}
_RDF_NAMES = {f.name: f.media_type for f in formats.RDF_FORMATS}


# The engine's signature; only IRIs are ever given.
Graph = NamedNode | BlankNode | DefaultGraph
NamedGraph = NamedNode | BlankNode


@dataclass(frozen=True, slots=True)
class Wanted:
    """The formats that the caller would take: one for solutions, one for graphs; `html` for a page."""

    results: Results | None
    graph: Rdf | None
    html: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A query with its RDF dataset (SPARQL 1.1 Protocol, 2.1.4)."""

    text: str
    default_graphs: tuple[str, ...] = ()
    named_graphs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """Solutions to be shown on a page: the first rows, and how many there are."""

    columns: tuple[str, ...]
    rows: list[list[AnyTerm | None]]
    total: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a query: bytes in a format, or for a page a table, a truth value or a graph in Turtle."""

    body: bytes = b""
    content_type: str = ""
    table: Table | None = None
    truth: bool | None = None
    turtle: str | None = None


class _Bounded(io.BytesIO):
    """Refuses to grow beyond a number of bytes."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def write(self, data: object) -> int:
        written = super().write(data)  # type: ignore[arg-type]
        if self.tell() > self.most:
            raise too_large(self.most)
        return written


def too_large(most: int) -> Problem:
    detail = f"the result is larger than {most:,} bytes, the most that is sent; ask for less, for instance with LIMIT"
    return Problem(413, "result-too-large", detail, {"limit": most})


def wanted(accept: str | None, asked: str | None, *, html: bool = True) -> Wanted:
    """The formats by `format=`, else by Accept; for what suits nothing there is None."""
    if asked:
        if asked == "html" and html:
            return Wanted(None, None, True)
        return Wanted(formats.result_format(asked), formats.rdf_format(asked))
    page: Sequence[tuple[str, ...]] = [HTML_OFFER] if html else []
    results = [(f.media_type, *f.aliases) for f in formats.RESULT_FORMATS]
    graphs = [(f.media_type, *f.aliases) for f in formats.RDF_FORMATS]
    best = formats.negotiate(accept, [*results, *page])
    best_graph = formats.negotiate(accept, [*graphs, *page])
    return Wanted(
        formats.RESULT_FORMATS[best] if best is not None and best < len(results) else None,
        formats.RDF_FORMATS[best_graph] if best_graph is not None and best_graph < len(graphs) else None,
        best == len(results),
    )


async def run(site: Site, query: Query, want: Wanted) -> Answer:
    """Evaluates a query in a worker thread; raises `Problem` or another `KgError`."""
    queries.guard(query.text, longest=site.settings.max_query_length, deepest=site.settings.max_query_depth)
    borrower = object()
    try:
        with anyio.fail_after(site.settings.query_wait_seconds):
            await site.limiter.acquire_on_behalf_of(borrower)
    except TimeoutError:
        detail = "too many queries are running; try again in a moment"
        raise Problem(503, "busy", detail, {}, {"Retry-After": "5"}) from None
    try:
        return await anyio.to_thread.run_sync(evaluate, site, query, want)
    finally:
        site.limiter.release_on_behalf_of(borrower)


def evaluate(site: Site, query: Query, want: Wanted) -> Answer:
    """Evaluates and writes; no iterator of the engine outlives the call, not even in a traceback."""
    failure: KgError
    try:
        return _evaluate(site, query, want)
    except SyntaxError as error:
        failure = malformed_query(error)
    except Problem as error:
        failure = Problem(error.status, error.kind, error.detail, error.members, error.headers)
    except (OSError, ValueError, RuntimeError) as error:
        failure = Problem(500, "query-failed", f"the query could not be evaluated: {error}")
    raise failure


def _evaluate(site: Site, query: Query, want: Wanted) -> Answer:
    default, named = _dataset(query)
    result = site.release.store.query(
        query.text,
        base_iri=site.base,
        default_graph=default,
        named_graphs=named,
    )
    if isinstance(result, QueryTriples):
        return _write_graph(site, result, want)
    assert isinstance(result, QuerySolutions | QueryBoolean)
    if want.html:
        if isinstance(result, QueryBoolean):
            return Answer(truth=bool(result))
        return Answer(table=_table(result, site.settings.max_table_rows))
    if want.results is None:
        raise not_acceptable(_RESULT_NAMES)
    output = _Bounded(site.settings.max_result_bytes)
    result.serialize(output, format=want.results.syntax)
    return Answer(output.getvalue(), want.results.content_type)


def _dataset(query: Query) -> tuple[list[Graph] | None, list[NamedGraph] | None]:
    """The dataset arguments; when the caller names any graph, only what is named is visible."""
    if not query.default_graphs and not query.named_graphs:
        return None, None
    return [*_graphs(query.default_graphs)], [*_graphs(query.named_graphs)]


def _graphs(names: Sequence[str]) -> list[NamedNode]:
    try:
        return [NamedNode(name) for name in names]
    except ValueError as error:
        raise Problem(400, "bad-graph-name", f"not an absolute IRI: {error}") from None


def _write_graph(site: Site, result: QueryTriples, want: Wanted) -> Answer:
    syntax = formats.rdf_format("ttl") if want.html else want.graph
    if syntax is None:
        raise not_acceptable(_RDF_NAMES)
    most, size = site.settings.max_result_bytes, 0
    triples: dict[Triple, None] = {}
    for triple in result:
        if triple not in triples:
            triples[triple] = None
            size += len(str(triple))
            if size > most:
                raise too_large(most)
    body = write_triples(site, sort_triples(triples), syntax)
    if want.html:
        return Answer(turtle=body.decode())
    return Answer(body, syntax.content_type)


def _table(result: QuerySolutions, most: int) -> Table:
    columns = tuple(v.value for v in result.variables)
    rows: list[list[AnyTerm | None]] = []
    total = 0
    for solution in result:
        total += 1
        if total <= most:
            rows.append(list(solution))
    return Table(columns, rows, total)
