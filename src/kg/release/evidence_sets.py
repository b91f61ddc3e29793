"""Sets of facts by kind of evidence, as datasets for queries: the sources alone, with registers, with the curators.

`FROM <{base}evidence/paper>` asks only what passages state, `…/register` what registers and partners state as well, and
`…/curator` everything but what the rules inferred. A set brings its named graphs along, so that GRAPH works in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pyoxigraph import DefaultGraph, NamedNode, Quad

from kg.engines.backend import Backend
from kg.engines.embedded import EmbeddedStore
from kg.engines.evaluation import Query
from kg.errors import QueryMalformed, QueryRefused
from kg.rdf import iris
from kg.rdf.terms import value
from kg.release.facts import EntityDescription, Fact, Kind, Node, kind_of
from kg.sparql import decomposition, lexer

# The kinds of evidence that each level adds to those before it; the last one is everything.
LEVELS: dict[str, tuple[Kind, ...]] = {
    "paper": ("passage", "description"),
    "register": ("register", "partner"),
    "curator": ("curator",),
    "inferred": ("inferred",),
}
EVERYTHING = "inferred"
_PATH = "evidence/"
# A set is a copy in memory, which each worker makes when it is first asked.
_LARGEST = 1_000_000


def kinds_of(level: str) -> frozenset[Kind]:
    """Return the kinds of evidence of a level, with those of the levels before it."""
    names = list(LEVELS)
    return frozenset(kind for name in names[: names.index(level) + 1] for kind in LEVELS[name])


def iri_of(level: str, base: str) -> str:
    """Return the IRI that stands in FROM for the set of a level."""
    return base + _PATH + level


def with_from(text: str, level: str, base: str, prefixes: Mapping[str, str]) -> str:
    """Return the text of a query with FROM and the set of a level; unchanged for everything.

    Raises `QueryMalformed` for a query that cannot be read, which must not pass for one that is limited.
    """
    if level in ("", EVERYTHING):
        return text
    where = decomposition.read(text, prefixes).where
    return f"{text[:where]}FROM <{iri_of(level, base)}> {text[where:]}"


def description_of(found: EntityDescription, level: str) -> EntityDescription:
    """Return what a level has of a description: facts that rest on other evidence alone are left out."""
    if level in ("", EVERYTHING):
        return found
    kinds = kinds_of(level)
    node = _node_of(found.node, kinds)
    loose = tuple(part for part in (_node_of(p, kinds) for p in found.loose_parts) if part.facts)
    return EntityDescription(node, loose, _facts_of(found.incoming, kinds), (), ())


def _node_of(node: Node, kinds: frozenset[Kind]) -> Node:
    return Node(node.iri, _facts_of(node.facts, kinds))


def _facts_of(facts: Iterable[Fact], kinds: frozenset[Kind]) -> tuple[Fact, ...]:
    kept = []
    for fact in facts:
        if evidence := tuple(e for e in fact.evidence if e.kind in kinds):
            part = _node_of(fact.part, kinds) if fact.part else None
            kept.append(replace(fact, evidence=evidence, part=part))
    return tuple(kept)


class EvidenceSets:
    """The stores of the sets of a release, made when they are first asked for."""

    def __init__(self, store: Backend, base: str) -> None:
        self._store, self._base = store, base
        self._names = {iri_of(level, base): level for level in LEVELS}
        self._made: dict[str, Backend] = {}

    def resolved(self, query: Query) -> tuple[Backend, Query]:
        """Return the store that a query asks and the query without the name of the set.

        Raises `QueryMalformed` for a set beside another graph, and `QueryRefused` where a release is too large.
        """
        in_text = self._base + _PATH in query.text
        outside = [*query.default_graphs, *query.named_graphs]
        if not in_text and not any(name in self._names for name in outside):
            return self._store, query
        spans = _clauses(query.text) if in_text else []
        asked = {*outside, *(name for _, _, name in spans)}
        if not asked & self._names.keys():
            return self._store, query
        if len(asked) > 1:
            raise QueryMalformed("a set of facts by evidence stands alone: no second FROM beside it")
        text = query.text
        for start, end, _ in spans:
            text = text[:start] + "".join(c if c == "\n" else " " for c in text[start:end]) + text[end:]
        plain = replace(query, text=text, default_graphs=(), named_graphs=())
        level = self._names[asked.pop()]
        if level == EVERYTHING:
            return self._store, plain
        if self._store.needs_network:
            graphs = tuple(self._graphs(level))
            return self._store, replace(plain, default_graphs=graphs, named_graphs=graphs)
        return self._set(level), plain

    def _set(self, level: str) -> Backend:
        if level not in self._made:
            if len(self._store) > _LARGEST:
                raise QueryRefused("this release is too large for sets of facts by evidence; use FROM with its graphs")
            self._made[level] = EmbeddedStore.in_memory(self._quads(level))
        return self._made[level]

    def _graphs(self, level: str) -> set[str]:
        root, wanted = self._base + "graph/", kinds_of(level)
        about, primary = NamedNode(iris.Base(self._base).about), NamedNode(iris.PRIMARY_SOURCE)
        sources = {value(q.subject): value(q.object) for q in self._store.quads_for_pattern(None, primary, None, about)}
        names = self._store.query("SELECT DISTINCT ?g WHERE { GRAPH ?g { ?s ?p ?o } }")
        graphs = (value(row[0]) for row in names)  # type: ignore[union-attr]
        return {g for g in graphs if kind_of(g.removeprefix(root), sources.get(g, "")) in wanted}

    def _quads(self, level: str) -> Iterator[Quad]:
        for graph in self._graphs(level):
            for quad in self._store.quads_for_pattern(None, None, None, NamedNode(graph)):
                yield quad
                yield Quad(quad.subject, quad.predicate, quad.object, DefaultGraph())


def _clauses(text: str) -> list[tuple[int, int, str]]:
    """The FROM clauses of a query with full IRIs: start, end, IRI."""
    tokens = [token for token in lexer.tokens(text) if token.lastgroup]
    found = []
    for i, token in enumerate(tokens[:-1]):
        if token[0].upper() == "FROM":
            at = i + 1 + (tokens[i + 1][0].upper() == "NAMED")
            if at < len(tokens) and tokens[at].lastgroup == "iri":
                found.append((token.start(), tokens[at].end(), tokens[at][0][1:-1]))
    return found
