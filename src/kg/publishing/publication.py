"""Publishes a release to a remote engine: loads it beside the current one, verifies it, and then switches over.

Graphs are loaded under temporary names (`urn:aikg:staged:…`) in chunks, so that an interrupted load can be resumed. The
default graph is loaded under its final name. Then the pointer to the release is removed, the graphs are renamed, and
the pointer to the new release is written, in one transaction if the engine supports it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, RdfFormat, Triple, parse, serialize

from kg.engines import dialects, pointer, remote
from kg.engines.dialects import Dialect
from kg.engines.endpoint import Endpoint, Options
from kg.errors import KgError
from kg.rdf.terms import value
from kg.release import history, store

STAGED = "urn:aikg:staged:"
_MERGED = "urn:aikg:merged:"
_CHUNK = 10_000
_MOVES = 50
_SHOWN = 5
_PROBES = 2_000
_TOGETHER = 50
_MOST_OF_ONE = 1_000
_N_TRIPLES = "application/n-triples"
_Report = Callable[[str, int, int], None]


class NotFaithful(KgError):
    """The engine does not return the data that was loaded."""


@dataclass(frozen=True, slots=True)
class Target:
    """The URLs of an engine: for queries, updates and graphs (Graph Store Protocol).

    The latter two default to the URLs that Virtuoso and Fuseki use.
    """

    options: Options
    update_url: str = ""
    graphs_url: str = ""


@dataclass(frozen=True, slots=True)
class PublicationOutcome:
    """The result: the numbers of triples sent, and already present from an earlier attempt."""

    release: str
    engine: str
    graphs: int
    sent: int
    found: int
    is_new: bool


def publish(directory: Path, target: Target, report: _Report = lambda *_: None) -> PublicationOutcome:
    """Publishes the release of a folder to the engine; repeat the call to resume after an interruption.

    Raises the errors of `Endpoint`, and `NotFaithful` if the data read back differs; readers then still see the
    previous release.
    """
    manifest = store.read_manifest(directory)
    endpoint, dialect = remote.connect(target.options)
    try:
        return _Publication(endpoint, dialect, _addressed(target, dialect), directory, manifest, report).run()
    finally:
        endpoint.close()


def _addressed(target: Target, dialect: Dialect) -> Target:
    """The target with default URLs filled in."""
    query = target.options.query_url.rstrip("/")
    if dialect is dialects.VIRTUOSO:
        root = query.removesuffix("/sparql-auth").removesuffix("/sparql")
        update, graphs = f"{root}/sparql-auth", f"{root}/sparql-graph-crud-auth"
    else:
        root = query.removesuffix("/query").removesuffix("/sparql")
        update, graphs = (f"{root}/update", f"{root}/data") if root != query else (query, query)
    return Target(target.options, target.update_url or update, target.graphs_url or graphs)


class _Publication:
    """One publication."""

    def __init__(
        self,
        endpoint: Endpoint,
        dialect: Dialect,
        target: Target,
        directory: Path,
        manifest: store.Manifest,
        report: _Report,
    ) -> None:
        self.endpoint, self.dialect, self.target = endpoint, dialect, target
        self.directory, self.manifest, self.report = directory, manifest, report
        self.merged = remote.merged_graph(manifest.id)
        self.store = remote.RemoteStore(endpoint, dialect, manifest.id, manifest.graphs)
        self.sent = self.found = 0

    def run(self) -> PublicationOutcome:
        if self._holds_it():
            return self._outcome(is_new=False)
        graphs = self._read()
        counts = self.store.counts()
        total = sum(map(len, graphs.values()))
        for graph, triples in graphs.items():
            self._load(self._staged(graph), triples, counts.get(self._staged(graph), 0))
            self.report("load", self.sent + self.found, total)
        self._verify(graphs, total, self._staged)
        self._switch(graphs, total)
        return self._outcome(is_new=True)

    def _outcome(self, *, is_new: bool) -> PublicationOutcome:
        name = self.dialect.name
        return PublicationOutcome(self.manifest.id, name, len(self.manifest.graphs), self.sent, self.found, is_new)

    def _holds_it(self) -> bool:
        return pointer.held_release(self.endpoint, self.dialect) == self.manifest.id and self._is_complete()

    def _is_complete(self) -> bool:
        """Whether the graphs under their final names have the right number of triples."""
        counts = self.store.counts()
        wanted = {**self.manifest.graphs, self.merged: self.manifest.triples}
        return all(counts.get(graph, 0) == n for graph, n in wanted.items())

    # ---- loading ----

    def _read(self) -> dict[str, list[Triple]]:
        """The triples of each graph as loaded into the engine, with the default graph under its name there."""
        document = (self.directory / "dataset.nq").read_bytes()
        if dialects.OURS.encode() in document:
            raise KgError(
                f"{self.directory} has IRIs below {dialects.OURS}, which are needed in the engine; rename them"
            )
        quads = list(parse(document, format=RdfFormat.N_QUADS))
        if any(isinstance(q.object, Triple) for q in quads):
            raise KgError(f"{self.directory} has triples about triples, which not every engine keeps; leave them out")
        graphs: dict[str, list[Triple]] = {}
        for quad in store.served(quads, self.manifest.is_merged):
            graphs.setdefault(value(quad.graph_name) or self.merged, []).append(self.dialect.statement(quad))
        return graphs

    def _staged(self, graph: str) -> str:
        """The temporary name of a graph."""
        return graph if graph == self.merged else f"{STAGED}{self.manifest.id[:16]}:{graph}"

    def _load(self, name: str, triples: Sequence[Triple], there: int) -> None:
        """Sends missing chunks: complete chunks of an earlier attempt are kept, a partial one restarts the graph."""
        start = there if there == len(triples) or (there < len(triples) and there % _CHUNK == 0) else 0
        self.found += start
        if there and not start:
            self._update([self.dialect.removing(name)])
        for at in range(start, len(triples), _CHUNK):
            chunk = triples[at : at + _CHUNK]
            body = serialize(chunk, format=RdfFormat.N_TRIPLES) or b""
            self._add(name, body)
            self.sent += len(chunk)

    def _add(self, graph: str, body: bytes) -> None:
        """Adds N-Triples to a graph (SPARQL 1.1 Graph Store HTTP Protocol, 5.5)."""
        self.endpoint.send(
            "POST", self.target.graphs_url, body=body, content_type=_N_TRIPLES, parameters={"graph": graph}
        )

    # ---- verifying ----

    def _verify(self, graphs: Mapping[str, Sequence[Triple]], total: int, name: Callable[[str], str]) -> None:
        """Reads all graphs back; drops those that differ and raises `NotFaithful`."""
        lines: list[str] = []
        wrong: list[tuple[str, list[str]]] = []
        done = 0
        for graph, triples in graphs.items():
            there = set(self._read_back(name(graph)))
            # In the form of numbers in results, which some engines change.
            sent = {self.dialect.answered(t): t for t in triples}
            if there != sent.keys():
                wrong.append((graph, [f"- {t}" for t in sent.keys() - there] + [f"+ {t}" for t in there - sent.keys()]))
            elif graph != self.merged or not self.manifest.is_merged:
                place = DefaultGraph() if graph == self.merged else NamedNode(graph)
                lines += (f"{self.dialect.original(sent[t], place)} .\n" for t in there)
            done += len(triples)
            self.report("verify", done, total)
        digest = hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()
        if wrong or digest != self.manifest.id:
            self._update([self.dialect.removing(name(graph)) for graph, _ in wrong])
            raise NotFaithful(_differences(self.dialect.name, wrong, digest, self.manifest.id))

    def _probe(self, graphs: Mapping[str, Sequence[Triple]]) -> None:
        """Queries a sample of subjects and objects, which uses other indexes than reading a graph."""
        for position in ("subject", "object"):
            found: dict[Any, set[Quad]] = {}
            for graph, triples in graphs.items():
                place = DefaultGraph() if graph == self.merged else NamedNode(graph)
                for triple in map(self.dialect.answered, triples):
                    quad = Quad(triple.subject, triple.predicate, triple.object, place)
                    found.setdefault(getattr(triple, position), set()).add(quad)
            few = [t for t in found if isinstance(t, NamedNode) and len(found[t]) < _MOST_OF_ONE]
            few = few[:: max(1, len(few) // _PROBES)]
            for at in range(0, len(few), _TOGETHER):
                together = few[at : at + _TOGETHER]
                self.store.expect(together)
                for term in together:
                    subject, target = (term, None) if position == "subject" else (None, term)
                    if set(self.store.quads_for_pattern(subject, None, target, None)) != found[term]:
                        raise NotFaithful(
                            f"the engine's indexes contradict each other at <{term.value}>; "
                            "publish into an empty database of its own"
                        )

    def _read_back(self, name: str) -> Iterator[Triple]:
        text = f"SELECT ?s ?p ?o WHERE {{ GRAPH <{name}> {{ ?s ?p ?o }} }}"
        with self.endpoint.stream({"query": text}, dialects.SOLUTIONS) as parts:
            for row in self.dialect.rows(parts):
                yield Triple(row["s"], row["p"], row["o"])

    # ---- switching over ----

    def _switch(self, graphs: Mapping[str, Sequence[Triple]], total: int) -> None:
        """Switches over; until the new pointer is written, readers have to retry, and never see mixed data."""
        old = self._old_graphs()
        moves = [operation for g in self.manifest.graphs for operation in self.dialect.renaming(self._staged(g), g)]
        drops = [self.dialect.removing(g) for g in old if g not in self.manifest.graphs]
        unpoint = f"DELETE WHERE {{ GRAPH <{pointer.POINTER}> {{ <{pointer.CURRENT}> <{pointer.ID}> ?id }} }}"
        if self.dialect.is_transactional:
            forget = self.dialect.removing(pointer.POINTER)
            point = f"INSERT DATA {{ GRAPH <{pointer.POINTER}> {{ {' '.join(map(_line, self._pointer()))} }} }}"
            self._update([forget, *moves, *drops, point])
        else:
            self._update([unpoint])
            for at in range(0, len(moves), _MOVES):
                self._update(moves[at : at + _MOVES])
                self.report("switch", at, len(moves))
            self._update(drops)
            # Virtuoso has been observed to lose rows of graphs that an update did not name.
            self._verify(graphs, total, lambda graph: graph)
            self._probe(graphs)
        if not self._is_complete():
            self._update([unpoint])
            raise NotFaithful("the engine lost triples while its graphs were renamed; publish again")
        if not self.dialect.is_transactional:
            self._update([self.dialect.removing(pointer.POINTER)])
            self._add(pointer.POINTER, "\n".join(map(_line, self._pointer())).encode())
        if pointer.pointed(self.endpoint, self.dialect, pointer.MANIFEST) != self._manifest_text():
            self._update([unpoint])
            raise NotFaithful("the engine does not give the manifest back as it was written")
        self._clean()

    def _old_graphs(self) -> list[str]:
        """The graphs of the previous release, even if it was dropped only in part."""
        written = pointer.pointed(self.endpoint, self.dialect, pointer.MANIFEST)
        try:
            return list(json.loads(written)["graphs"]) if written else []
        except (ValueError, KeyError):
            return []

    def _pointer(self) -> list[Triple]:
        changes = self.directory / history.FILE
        values = {pointer.ID: self.manifest.id, pointer.MANIFEST: self._manifest_text()}
        if changes.is_file():
            values[pointer.CHANGES] = changes.read_text(encoding="utf-8")
        current = NamedNode(pointer.CURRENT)
        return [Triple(current, NamedNode(name), Literal(text)) for name, text in values.items()]

    def _manifest_text(self) -> str:
        return json.dumps(asdict(self.manifest), ensure_ascii=False, sort_keys=True)

    def _clean(self) -> None:
        """Drops the default graph of the previous release, and leftovers of other attempts."""
        left = [g for g in self.store.counts() if g.startswith((STAGED, _MERGED)) and g != self.merged]
        for at in range(0, len(left), _MOVES):
            self._update([self.dialect.removing(g) for g in left[at : at + _MOVES]])

    def _update(self, operations: Sequence[str]) -> None:
        if not operations:
            return
        self.endpoint.update(self.target.update_url, self.dialect.update_parameter, " ;\n".join(operations))


def _line(triple: Triple) -> str:
    return f"{triple} ."


def _differences(engine: str, wrong: Sequence[tuple[str, Sequence[str]]], digest: str, wanted: str) -> str:
    shown = [f"<{graph}>\n  " + "\n  ".join(lines[:_SHOWN]) for graph, lines in wrong[:_SHOWN]]
    count = sum(len(lines) for _, lines in wrong)
    told = "\n".join(
        [f"{engine} does not give back what it was given: {count} differences in {len(wrong)} graphs", *shown]
    )
    return told if wrong else f"{told}; the data read back is {digest[:16]}, not {wanted[:16]}"
