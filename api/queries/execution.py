"""Runs untrusted queries: checks their limits, answers small ones in place, and sends others to a worker.

A query is cancelled if its client disconnects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pyoxigraph import QueryResultsFormat, QuerySolutions, parse_query_results
from starlette.requests import Request

from api.admission.clients import client_in
from api.admission.slots import pause
from api.problems import Problem, not_acceptable
from api.site.site import Site
from kg.engines import codec, evaluation
from kg.engines.evaluation import Query
from kg.errors import FormatNotOffered, KgError, QueryMalformed
from kg.rdf import formats, iris
from kg.rdf.terms import AnyTerm
from kg.sparql import bounded, guard, projection

HTML_OFFER = (formats.HTML, formats.XHTML)
_RESULT_NAMES = {f.name: f.media_type for f in formats.RESULT_FORMATS}
_RDF_NAMES = {f.name: f.media_type for f in formats.RDF_FORMATS}
_Value = TypeVar("_Value")
_LONG = 5_000
# A longer text takes longer to read than a worker needs to answer it.
_SHORT = 2_000
_JSON = next(f.content_type for f in formats.RESULT_FORMATS if f.name == "json")


@dataclass(frozen=True, slots=True)
class Formats:
    """The formats that the client accepts: one for solutions, one for graphs, '' for none; `html` for a page."""

    results: str = ""
    graph: str = ""
    html: bool = False


@dataclass(frozen=True, slots=True)
class ResultTable:
    """Solutions for a page: the first rows, and the number of all."""

    columns: tuple[str, ...]
    rows: list[list[AnyTerm | None]]
    total: int


@dataclass(frozen=True, slots=True)
class QueryOutcome:
    """The result of a query: bytes in a format, or for a page a table, a truth value or a graph in Turtle.

    `is_volatile` if the same query may have another result next time.
    """

    body: bytes = b""
    content_type: str = ""
    table: ResultTable | None = None
    truth: bool | None = None
    turtle: str | None = None
    is_volatile: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether a result for a page has no rows, says no, or is a graph without triples."""
        if self.table is not None:
            return not self.table.total
        if self.turtle is not None:
            return not any(line and not line.startswith("@prefix") for line in self.turtle.splitlines())
        return not self.truth

    @property
    def headers(self) -> dict[str, str]:
        """Header fields for caches, which must not store volatile results."""
        return {"Vary": "Accept", **({"Cache-Control": "no-store"} if self.is_volatile else {})}


def wanted(accept: str | None, asked: str | None, *, html: bool = True) -> Formats:
    """Return the formats by `format=`, and by Accept where `format=` names none for that kind of result.

    Some clients always send `format=`, whatever the query returns, and say in Accept what they read.
    """
    # Some clients send several names, of which any one will do.
    names = [name.strip() for name in (asked or "").split(",")]
    if html and "html" in names:
        return Formats(html=True)
    results = next((f for n in names if (f := formats.result_format(n))), None)
    graph = next((g for n in names if (g := formats.graph_format(n))), None)
    accepted = _accepted(accept, html=html and results is None and graph is None)
    return Formats(
        results.name if results else accepted.results, graph.name if graph else accepted.graph, accepted.html
    )


def _accepted(accept: str | None, *, html: bool) -> Formats:
    page: Sequence[tuple[str, ...]] = [HTML_OFFER] if html else []
    best = formats.negotiate(accept, [*(f.offer for f in formats.RESULT_FORMATS), *page])
    best_graph = formats.negotiate(accept, [*(f.offer for f in formats.RDF_FORMATS), *page])
    return Formats(
        formats.RESULT_FORMATS[best].name if best is not None and best < len(formats.RESULT_FORMATS) else "",
        formats.RDF_FORMATS[best_graph].name
        if best_graph is not None and best_graph < len(formats.RDF_FORMATS)
        else "",
        best == len(formats.RESULT_FORMATS),
    )


def seconds_asked(site: Site, asked: str | None) -> float:
    """Return the time limit in seconds: the setting, or less if `timeout=` asks for less."""
    most = site.settings.query_seconds
    if not asked:
        return most
    try:
        seconds = float(asked)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise Problem(400, "bad-timeout", f"timeout: expected seconds, a number above 0, not '{asked[:40]}'")
    return min(seconds, most)


def answer_in_place(site: Site, query: Query, want: evaluation.ResultFormats) -> evaluation.Answer | None:
    """Answer a query that is certain to be small, without a worker; None for any other, and for other formats."""
    if not site.settings.in_place or want.results != "json" or want.rows is not None or len(query.text) > _SHORT:
        return None
    # A store over the network would block the event loop, and a dataset of the client's needs the engine.
    if site.release.store.needs_network or query.default_graphs or query.named_graphs or query.services:
        return None
    found = bounded.answer(site.release.store, query.text, site.prefixes, site.settings.max_result_bytes)
    return found and evaluation.Answer(found[0], _JSON, found[1])


async def run(request: Request, site: Site, query: Query, want: Formats, timeout: str | None = None) -> QueryOutcome:
    """Evaluate a query in a worker process; raises `Problem` or another `KgError`."""
    settings = site.settings
    if error := request.scope["state"].get("error"):
        # The hot path tried it and failed.
        raise _told(error, query.text)
    limits = guard.QueryLimits(settings.max_query_length, settings.max_query_depth, settings.max_query_operators)
    if len(query.text) > _LONG:
        # Reading a long text would block the event loop.
        reading = await asyncio.to_thread(guard.read, query.text, limits, settings.services)
    else:
        reading = guard.read(query.text, limits, settings.services)
    _check_graphs((*query.default_graphs, *query.named_graphs))
    query = Query(
        query.text,
        query.default_graphs,
        query.named_graphs,
        tuple((s.start, s.end, s.endpoint) for s in reading.services),
    )
    sent = evaluation.ResultFormats(want.results, want.graph)
    if want.html:
        sent = evaluation.ResultFormats("json", "ttl", settings.max_table_rows)
    if (small := answer_in_place(site, query, sent)) is not None:
        return QueryOutcome(small.body, small.content_type, is_volatile=reading.is_volatile)
    client = client_in(request.scope)
    if not site.pool.has_room(client):
        # There may be room in a moment.
        await pause()
    work = site.pool.run(
        codec.request(query, sent, settings.max_result_bytes),
        client=client,
        seconds=seconds_asked(site, timeout),
        grants={s.endpoint: settings.service_seconds for s in reading.services},
    )
    try:
        result = codec.read_answer(await unless_gone(request, work))
    except (QueryMalformed, FormatNotOffered) as error:
        raise _told(error, query.text) from None
    if want.html:
        return _for_page(result, reading.is_volatile, query.text)
    return QueryOutcome(result.body, result.content_type, is_volatile=reading.is_volatile)


def _told(error: KgError, text: str) -> KgError:
    """Return the error as it is reported to the client."""
    if isinstance(error, QueryMalformed):
        return _placed(error, text)
    if isinstance(error, FormatNotOffered):
        return not_acceptable(_RDF_NAMES if error.kind == "graph" else _RESULT_NAMES)
    return error


def _for_page(result: evaluation.Answer, is_volatile: bool, text: str) -> QueryOutcome:
    if result.kind == "graph":
        return QueryOutcome(turtle=result.body.decode(), is_volatile=is_volatile)
    parsed = parse_query_results(result.body, format=QueryResultsFormat.JSON)
    if not isinstance(parsed, QuerySolutions):
        return QueryOutcome(truth=bool(parsed), is_volatile=is_volatile)
    names = [v.value for v in parsed.variables]
    columns = projection.written_order(text, names)
    at = [names.index(name) for name in columns]
    rows: list[list[AnyTerm | None]] = [[solution[i] for i in at] for solution in parsed]
    return QueryOutcome(table=ResultTable(tuple(columns), rows, result.total), is_volatile=is_volatile)


def _check_graphs(names: Sequence[str]) -> None:
    for name in names:
        if iris.ILLEGAL_IN_IRI.search(name) or not iris.ABSOLUTE.match(name):
            raise Problem(400, "bad-graph-name", f"expected an absolute IRI as the name of a graph, not '{name[:200]}'")


def _placed(error: QueryMalformed, text: str) -> Problem:
    """Return the problem for invalid SPARQL: position, the line, and where to put a mark under it."""
    members: dict[str, object] = {}
    if error.line:
        lines = text.split("\n")
        at_fault = lines[error.line - 1] if error.line <= len(lines) else ""
        start = max(0, error.column - 60)
        members = {"line": error.line, "column": error.column, "excerpt": at_fault[start : start + 120]}
        members["mark"] = error.column - start
    return Problem(400, "malformed-query", str(error), members)


async def unless_gone(request: Request, work: Awaitable[_Value]) -> _Value:
    """Return the result of the work; cancel it if the client disconnects."""
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise Problem(499, "client-gone", "the client disconnected before the answer was ready")
    finally:
        gone.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
