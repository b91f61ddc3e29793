"""A release in a remote engine, read over the SPARQL 1.1 Protocol.

The release's default graph is a named graph in the engine, selected by the protocol's dataset parameters, so that
`GRAPH ?g` does not match it. A pointer says which release the engine holds; it is removed before anything changes. If
the pointer is still there after a response, the whole response belongs to that release.
"""

from __future__ import annotations

import contextlib
import resource
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any

from pyoxigraph import (
    BlankNode,
    DefaultGraph,
    NamedNode,
    Quad,
    QueryBoolean,
    QuerySolutions,
    QueryTriples,
    Store,
    Triple,
)

from kg.engines import dialects, pointer
from kg.engines.dialects import Dialect
from kg.engines.endpoint import Endpoint, Options
from kg.engines.memo import BATCH, LARGEST_KEPT, Memo
from kg.errors import QueryFailed, QueryRefused, ReleaseMoved
from kg.sparql import projection, translation
from kg.sparql.quadstore import Graph, Object, Results, Subject

# A graph that does not exist: named in the protocol's parameters when no graph may be visible.
NOWHERE = "urn:aikg:nowhere"
FILE = "remote.json"
_DEFAULT = DefaultGraph()
_Key = tuple[Any, Any, Any, Any]


def merged_graph(release: str) -> str:
    """Return the name of the graph that holds a release's default graph."""
    return f"urn:aikg:merged:{release[:16]}"


class RemoteStore:
    """Reads one release. Raises `ReleaseMoved` if the engine switches to another, and the errors of `Endpoint`.

    `is_sealed` is for untrusted queries, in a child process: no connection opens while our parser reads them.
    """

    needs_network = True
    needs_files = False

    def __init__(
        self, endpoint: Endpoint, dialect: Dialect, release: str, graphs: Iterable[str], *, is_sealed: bool = False
    ) -> None:
        self.endpoint = endpoint
        self.dialect = dialect
        self.release = release
        self.merged = merged_graph(release)
        self.graphs = frozenset(graphs)
        self._is_sealed = is_sealed
        self._memo = Memo(endpoint.options.memo_quads)
        # Responses received, and how many of them are known to belong to this release.
        self._answers = self._confirmed = 0
        self.has_moved = False

    # ---- queries ----

    def query(
        self,
        query: str,
        /,
        *,
        base_iri: str | None = None,
        prefixes: dict[str, str] | None = None,
        default_graph: Graph | list[Graph] | None = None,
        named_graphs: list[NamedNode | BlankNode] | None = None,
    ) -> Results:
        """Evaluate a query as pyoxigraph's `Store.query` does; a `SyntaxError` comes from the same parser."""
        base, known = base_iri or "", prefixes or {}
        form, variables = self._read(query, base_iri, known)
        asked = translation.translate(query, base, known)
        defaults = _names(default_graph)
        named = None if named_graphs is None else [g.value for g in named_graphs]
        if defaults is None and named is None and asked.datasets is not None:
            defaults, named = list(asked.datasets[0]), list(asked.datasets[1])
        fields = self._dataset(asked, defaults, named)
        try:
            if asked.described is not None:
                return self._describe(asked, fields)
            text = translation.isolate_paths(asked.text) if self.dialect.isolates_paths else asked.text
            body = self._ask(text, dialects.TRIPLES if form is QueryTriples else dialects.SOLUTIONS, fields)
            if form is QueryBoolean:
                return self.dialect.boolean(body)
            if form is QueryTriples:
                return dialects.graph_result(self.dialect.triples(body))
            return self.dialect.solutions(body, variables)
        finally:
            self.confirm()

    def _read(self, text: str, base: str | None, prefixes: dict[str, str]) -> tuple[type[Any], list[str]]:
        """Return the form and the columns of a query, by evaluating it over an empty store."""
        with sealed() if self._is_sealed else contextlib.nullcontext():
            try:
                found = Store().query(text, base_iri=base, prefixes=prefixes)
            except (OSError, RuntimeError) as error:
                # An ASK is evaluated immediately, so that a SERVICE clause in it fails here.
                if "SERVICE" in text.upper():
                    raise QueryRefused("the query uses SERVICE, which is not supported here") from None
                translation.translate(text, base or "", prefixes)
                raise QueryFailed(f"the query could not be evaluated: {error}") from None
        columns = [v.value for v in found.variables] if isinstance(found, QuerySolutions) else []
        return type(found), projection.written_order(text, columns)

    def _dataset(
        self, asked: translation.Translation, defaults: list[str] | None, named: list[str] | None
    ) -> dict[str, str | list[str]]:
        """Return the protocol's parameters: the default graph, and the graphs that GRAPH can match."""
        if defaults is None and named is None:
            seen = self.graphs if asked.graphs is None else self.graphs.intersection(asked.graphs)
            if len(seen) > self.dialect.most_named:
                most = self.dialect.most_named
                raise QueryFailed(
                    f"the dataset has {len(seen):,} graphs, and this engine can be asked about {most:,} at once; "
                    "name a graph after GRAPH instead of using a variable"
                )
            return {"default-graph-uri": self.merged, "named-graph-uri": sorted(seen) or NOWHERE}
        hidden = [g for g in (*(defaults or ()), *(named or ())) if g.startswith(dialects.OURS)]
        if hidden:
            raise QueryRefused(f"<{hidden[0]}> is no graph of the dataset")
        return {"default-graph-uri": defaults or NOWHERE, "named-graph-uri": named or NOWHERE}

    def _describe(self, asked: translation.Translation, fields: dict[str, str | list[str]]) -> QueryTriples:
        """Evaluate DESCRIBE as the embedded engine does: the triples of each resource, following blank nodes."""
        found: list[Any] = [NamedNode(iri) for iri in asked.described or ()]
        if asked.text:
            chosen = self._solutions(asked.text, fields)
            found += [t for row in chosen for t in row if isinstance(t, NamedNode | BlankNode)]
        triples: dict[Triple, None] = {}
        left, done = list(dict.fromkeys(found)), set(found)
        while left:
            some, left = left[:BATCH], left[BATCH:]
            values = " ".join(str(self.dialect.there(t)) for t in some)
            text = f"CONSTRUCT {{ ?s ?p ?o }} WHERE {{ VALUES ?s {{ {values} }} ?s ?p ?o }}"
            for triple in self.dialect.triples(self._ask(text, dialects.TRIPLES, fields)):
                triples[triple] = None
                if isinstance(triple.object, BlankNode) and triple.object not in done:
                    done.add(triple.object)
                    left.append(triple.object)
        return dialects.graph_result(list(triples))

    def _solutions(self, text: str, fields: dict[str, str | list[str]] | None = None) -> QuerySolutions:
        _, variables = self._read(text, None, {})
        return self.dialect.solutions(self._ask(text, dialects.SOLUTIONS, fields or {}), variables)

    def _ask(self, text: str, accept: str, fields: dict[str, str | list[str]]) -> bytes:
        name, factor = self.dialect.seconds_parameter
        limit = str(int(self.endpoint.options.read_seconds * factor))
        body = self.endpoint.ask({"query": text, name: limit, **fields}, accept).body
        self._answers += 1
        return body

    # ---- patterns ----

    def quads_for_pattern(
        self,
        subject: Subject | None,
        predicate: NamedNode | None,
        object: Object | None,  # noqa: A002 the engine's name
        graph_name: Graph | None = None,
        /,
    ) -> Iterator[Quad]:
        """Match quads as pyoxigraph does; what a page is likely to read next is fetched along and kept."""
        if subject is not None:
            about = self._about(subject, "?s", self._memo.subjects)
            return (q for q in about if _matches(q, predicate, object, graph_name))
        if object is not None and predicate is None:
            to = self._about(object, "?o", self._memo.objects)
            return (q for q in to if _matches(q, None, None, graph_name))
        key = (subject, predicate, object, graph_name)
        kept = self._memo.patterns.get(key)
        return iter(kept) if kept is not None else self._scan(key)

    def expect(self, terms: Iterable[NamedNode], /) -> None:
        """Announce which terms are read next, such as the parts of a record: one round trip fetches them together."""
        self._memo.expect(list(terms))

    def _about(self, term: Any, variable: str, kept: OrderedDict[Any, tuple[Quad, ...]]) -> tuple[Quad, ...]:
        """Return all quads with this subject or object, fetched together with those of terms that are likely next."""
        known = self._memo.find(kept, term)
        if known is not None:
            return known
        terms = self._memo.batch(kept, term)
        values = " ".join(str(self.dialect.there(t)) for t in terms)
        where = f"VALUES {variable} {{ {values} }} GRAPH ?g {{ ?s ?p ?o }} {_not_blank('?s', '?o')}"
        found: dict[Any, list[Quad]] = {t: [] for t in terms}
        for quad in self._quads(self._solutions(f"SELECT ?s ?p ?o ?g WHERE {{ {where} }}")):
            found.setdefault(quad.subject if variable == "?s" else quad.object, []).append(quad)
        self._memo.keep(kept, found)
        return tuple(found[term])

    def _scan(self, key: _Key) -> Iterator[Quad]:
        """Stream quads from the engine; a small result is kept for the next time."""
        subject, predicate, target, graph = key
        s, p, o = (
            variable if term is None else str(self.dialect.there(term))
            for variable, term in (("?s", subject), ("?p", predicate), ("?o", target))
        )
        place = "?g" if graph is None else f"<{self.merged if graph == _DEFAULT else graph.value}>"
        columns = " ".join(v for v in (s, p, o, place) if v.startswith("?")) or "(1 AS ?found)"
        text = f"SELECT {columns} WHERE {{ GRAPH {place} {{ {s} {p} {o} }} {_not_blank(s, o)} }}"
        met: list[Quad] | None = []
        for quad in self._streamed(text, key):
            if met is not None:
                met.append(quad)
                if len(met) > LARGEST_KEPT:
                    met = None
            yield quad
        if met is not None:
            self._memo.keep(self._memo.patterns, {key: met})

    def _streamed(self, text: str, key: _Key) -> Iterator[Quad]:
        """Parse the rows of a scan as they arrive."""
        with self.endpoint.stream({"query": text}, dialects.SOLUTIONS) as parts:
            for row in self.dialect.rows(parts):
                quad = self._quad(row, key)
                if quad is not None:
                    yield quad
        self._answers += 1
        self.confirm()

    def _quad(self, row: dict[str, Any], key: _Key) -> Quad | None:
        subject, predicate, target, graph = key
        place = graph if graph is not None else self._place(row["g"].value)
        if place is None:
            return None
        return Quad(
            row["s"] if subject is None else subject,
            row["p"] if predicate is None else predicate,
            row["o"] if target is None else target,
            place,
        )

    def _quads(self, solutions: Iterable[Any]) -> Iterator[Quad]:
        for row in solutions:
            place = self._place(row["g"].value)
            if place is not None:
                yield Quad(row["s"], row["p"], row["o"], place)

    def _place(self, graph: str) -> Graph | None:
        """Return the graph by its name in the release; None for a graph of the engine that is not part of it."""
        if graph == self.merged:
            return _DEFAULT
        return NamedNode(graph) if graph in self.graphs else None

    # ---- the whole ----

    def __len__(self) -> int:
        counts = self.counts()
        return sum(n for graph, n in counts.items() if graph == self.merged or graph in self.graphs)

    def counts(self) -> dict[str, int]:
        """Count the triples in each graph of the engine, whether it belongs to the release or not."""
        found = self._solutions("SELECT ?g (COUNT(*) AS ?n) WHERE { GRAPH ?g { ?s ?p ?o } } GROUP BY ?g")
        return {row["g"].value: int(row["n"].value) for row in found}

    def confirm(self) -> None:
        """Raise `ReleaseMoved` unless everything read so far belongs to this release."""
        answers = self._answers
        # Even if the engine is back at this release: what was read in between is kept here and may be of the other one.
        is_lost = self.has_moved and not self._is_sealed
        if answers == self._confirmed and not is_lost:
            return
        held = pointer.held_release(self.endpoint, self.dialect)
        if is_lost or held != self.release:
            self.has_moved = True
            told = f"release {held[:16]}" if held else "no release, or is switching over to one"
            raise ReleaseMoved(f"the engine holds {told}, not {self.release[:16]} as it was read")
        self._confirmed = max(self._confirmed, answers)


def _not_blank(*places: str) -> str:
    """Return a filter that excludes blank nodes: only graphs that Virtuoso itself keeps have any."""
    return " ".join(f"FILTER (!isBlank({place}))" for place in places if place.startswith("?"))


def _matches(quad: Quad, predicate: Any, target: Any, graph: Any) -> bool:
    return (
        (predicate is None or quad.predicate == predicate)
        and (target is None or quad.object == target)
        and (graph is None or quad.graph_name == graph)
    )


def _names(graphs: Graph | list[Graph] | None) -> list[str] | None:
    if graphs is None:
        return None
    listed = graphs if isinstance(graphs, list) else [graphs]
    if any(isinstance(g, DefaultGraph) for g in listed):
        raise QueryFailed("the default graph has no name in a remote engine")
    return [g.value for g in listed if not isinstance(g, DefaultGraph)]


@contextlib.contextmanager
def sealed() -> Iterator[None]:
    """Prevent this process from opening descriptors, and so connections; it must have a single thread."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect(options: Options) -> tuple[Endpoint, Dialect]:
    """Return the endpoint and the dialect of an engine; raises the errors of `Endpoint`."""
    endpoint = Endpoint(options)
    known = dialects.DIALECTS.get(options.dialect)
    dialect = known or dialects.of_server(endpoint.server())
    endpoint.authenticate(digest=dialect.has_digest)
    return endpoint, dialect
