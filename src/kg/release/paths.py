"""The graph of links between records: neighbours of a record, and shortest paths between two records."""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice, pairwise
from typing import Literal as OneOf

from pyoxigraph import NamedNode, Quad

from kg.rdf import iris
from kg.rdf.namespaces import OWL, RDFS
from kg.rdf.terms import value
from kg.release.entities import Entities
from kg.sparql.quadstore import QuadStore

Direction = OneOf["out", "in"]

# Classes linked with nearly every record; their links are shown only for records of these classes.
QUIET = frozenset({"passage", "source", "concordance", "fiscal-year"})
# With the terms of lists: the kinds that are no subjects of their own.
AUXILIARY = QUIET | {"vocabulary"}
# Having the same country or status is a weak connection.
CATEGORIES = frozenset({"place", "vocabulary"})
MOST_STEPS = 12
CHAINS = 3
# Integer costs, so that equal costs compare equal: a base per step, and more through records with many neighbours.
_STEP = 1_000
_HUB = 2
_TOLD = 2 * _STEP
_THROUGH_CATEGORY = 4 * MOST_STEPS * _STEP
# Limits: records with cached links, candidates per class, statements of a property that are examined.
_REMEMBERED, _CANDIDATES, _LOOKED_AT = 20_000, 500, 1_000


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """An edge between two records, given as paths `class/slug`; the property is an IRI."""

    source: str
    property: str
    target: str
    is_inferred: bool = False

    def other(self, path: str) -> str:
        return self.target if path == self.source else self.source


@dataclass(frozen=True, slots=True)
class Group:
    """All edges of a record by one property in one direction."""

    property: str
    direction: Direction
    links: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """A path of records; `links[n]` connects `nodes[n]` and `nodes[n + 1]` in either direction."""

    nodes: tuple[str, ...]
    links: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """The first `most` edges of a record by one property in one direction."""

    path: str
    direction: Direction
    property: str
    most: int


@dataclass(frozen=True, slots=True)
class EdgeFilter:
    """Which edges are used: with or without inferred ones, except by some properties or with some records."""

    inferred: bool = False
    without: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()

    def takes(self, link: Edge) -> bool:
        """Whether an edge is used; `hidden` has paths of records and names of classes."""
        if (link.is_inferred and not self.inferred) or link.property in self.without:
            return False
        ends = (link.source, link.target)
        return not self.hidden or self.hidden.isdisjoint((*ends, *map(kind_of, ends)))


ALL = EdgeFilter()


@dataclass(frozen=True, slots=True)
class Picture:
    """Records with the edges between them; a record's role is "end", "chain", "node", or '' for a neighbour.

    `is_cut` if there are more records than shown.
    """

    choice: EdgeFilter
    roles: dict[str, str]
    links: list[Edge]
    chains: list[Chain]
    is_cut: bool


def kind_of(path: str) -> str:
    """The class in the path of a record."""
    return path.partition("/")[0]


class LinkGraph:
    """The edges of one release, where those of `#` parts belong to their owners; thread-safe.

    They are read from the store on demand, record by record.
    """

    def __init__(self, entities: Entities) -> None:
        self._entities = entities
        self._store, self._root = entities.store, entities.root
        self._inferred = iris.Base(entities.base).inferred
        self._terms = _Terms.read(entities.store, entities.ontology)
        self._all = lru_cache(maxsize=_REMEMBERED)(self._read)
        self._near = lru_cache(maxsize=_REMEMBERED)(self._find_neighbours)

    def inverse(self, predicate: str) -> str | None:
        """The inverse of a property."""
        return self._terms.inverses.get(predicate)

    def is_symmetric(self, predicate: str) -> bool:
        """Whether a property reads the same from both ends."""
        return predicate in self._terms.symmetric

    def knows(self, predicate: str) -> bool:
        """Whether a property links records; False for a text that is not an IRI."""
        try:
            named = NamedNode(predicate)
        except ValueError:
            return False
        quads = self._store.quads_for_pattern(None, named, None, self._entities.everywhere)
        return any(value(q.object).startswith(self._root) for q in islice(quads, _LOOKED_AT))

    def degree(self, path: str) -> int:
        """The number of neighbours of a record."""
        return len({link.other(path) for link in self._all(path)})

    def best_linked(self, kinds: Iterable[str]) -> list[str]:
        """The top-level record of each class with the most neighbours.

        In large classes only the first records are considered.
        """
        found = []
        for kind in kinds:
            heads = (path for path in self._entities.members(kind) if path.count("/") == 1)
            best = min(((-self.degree(path), path) for path in islice(heads, _CANDIDATES)), default=(0, ""))
            if best[0]:
                found.append(best[1])
        return found

    def at(self, path: str, choice: EdgeFilter = ALL) -> list[Edge]:
        """The sorted edges of a record; those with passages, sources and years only if it is one of these."""
        found = (link for link in self._all(path) if choice.takes(link))
        if kind_of(path) in QUIET:
            return list(found)
        return [link for link in found if kind_of(link.other(path)) not in QUIET]

    def groups(self, path: str, choice: EdgeFilter = ALL) -> list[Group]:
        """The edges of a record by property and direction, outgoing edges first."""
        found: dict[tuple[Direction, str], list[Edge]] = defaultdict(list)
        for link in self.at(path, choice):
            found["out" if link.source == path else "in", link.property].append(link)
        ordered = sorted(found.items(), key=lambda pair: (pair[0][0] == "in", pair[0][1]))
        return [Group(predicate, direction, tuple(links)) for (direction, predicate), links in ordered]

    def between(self, paths: Collection[str], choice: EdgeFilter = ALL) -> list[Edge]:
        """The sorted edges with both ends among some records."""
        known = set(paths)
        return sorted({link for path in known for link in self.at(path, choice) if link.other(path) in known})

    def picture(
        self, named: Iterable[str], parts: Iterable[Part], ends: tuple[str, str] | None, choice: EdgeFilter, most: int
    ) -> Picture:
        """Given records, paths between two ends, and neighbours: up to `most` records in this order."""
        found = self.chains(*ends, CHAINS, choice) if ends else []
        roles = dict.fromkeys(ends or (), "end") | {path: "chain" for chain in found for path in chain.nodes[1:-1]}
        most_of = {(part.path, part.direction, part.property): part.most for part in parts}
        expanded = dict.fromkeys(path for path, _, _ in most_of)
        roles = dict.fromkeys((*named, *expanded), "node") | roles
        for path in expanded:
            for group in self.groups(path, choice):
                for link in group.links[: most_of.get((path, group.direction, group.property), 0)]:
                    roles.setdefault(link.other(path), "")
        kept = [path for path in roles if choice.hidden.isdisjoint((path, kind_of(path)))]
        # Records with a role come before neighbours.
        shown = sorted(kept, key=lambda path: not roles[path])[:most]
        links = self.between(shown, choice)
        return Picture(choice, {path: roles[path] for path in shown}, links, found, len(shown) < len(kept))

    # ---- chains ----

    def chains(self, start: str, end: str, most: int = 1, choice: EdgeFilter = ALL) -> list[Chain]:
        """Up to `most` paths between two records, shortest first, none longer than `MOST_STEPS`.

        Each further path is the cheapest after raising the cost of records on earlier paths, since paths that differ in
        only one member of a list are not informative.
        """
        found: list[tuple[str, ...]] = []
        dearer: Counter[str] = Counter()
        for _ in range(2 * most if start != end else 0):
            if len(found) == most or (nodes := self._cheapest(start, end, dearer, choice)) is None:
                break
            dearer.update(nodes[1:-1])
            if nodes not in found:
                found.append(nodes)
        return [Chain(nodes, tuple(self._near(a, choice)[b] for a, b in pairwise(nodes))) for nodes in found]

    def _cheapest(self, start: str, end: str, dearer: Mapping[str, int], choice: EdgeFilter) -> tuple[str, ...] | None:
        """The cheapest path, with ties broken by name (Dijkstra 1959)."""
        through_quiet = not QUIET.isdisjoint({kind_of(start), kind_of(end)})
        waiting: list[tuple[int, tuple[str, ...]]] = [(0, (start,))]
        fewest: dict[str, int] = {}
        while waiting:
            cost, nodes = heapq.heappop(waiting)
            here, steps = nodes[-1], len(nodes) - 1
            if here == end:
                return nodes
            # A costlier path to a record is useful only if it has fewer steps.
            if steps >= fewest.get(here, MOST_STEPS):
                continue
            fewest[here] = steps
            for other in self._near(here, choice):
                if other == end:
                    heapq.heappush(waiting, (cost + _STEP, (*nodes, other)))
                elif other not in nodes and (through_quiet or kind_of(other) not in QUIET):
                    heapq.heappush(waiting, (cost + self._cost(other, dearer.get(other, 0)), (*nodes, other)))
        return None

    def _cost(self, through: str, times: int) -> int:
        """The cost of passing through a record, which grows with its neighbours and with its use in earlier paths."""
        category = _THROUGH_CATEGORY if kind_of(through) in CATEGORIES else 0
        return category + _STEP + round(_STEP * math.log2(max(self.degree(through), 1)) / _HUB) + times * _TOLD

    def _find_neighbours(self, path: str, choice: EdgeFilter) -> dict[str, Edge]:
        """The neighbours of a record, each with its preferred edge, stated before inferred."""
        near: dict[str, Edge] = {}
        for link in sorted(self._all(path), key=lambda found: found.is_inferred):
            if choice.takes(link):
                near.setdefault(link.other(path), link)
        return near

    # ---- reading ----

    def _read(self, path: str) -> tuple[Edge, ...]:
        """All edges of a record, sorted; equivalent edges have the same two ends, so none is missed."""
        names = [self._root + path, *self._entities.parts(self._root + path)]
        self._entities.expect(names)
        stated: set[Edge] = set()
        inferred: set[Edge] = set()
        for node in map(NamedNode, names):
            for quad in (*self._quads(node, None), *self._quads(None, node)):
                if link := self._link(quad):
                    (inferred if link.is_inferred else stated).add(link)
        inferred = {link for link in inferred if replace(link, is_inferred=False) not in stated}
        return tuple(sorted(self._without_echoes(stated, inferred)))

    def _quads(self, subject: NamedNode | None, target: NamedNode | None) -> Iterator[Quad]:
        return self._store.quads_for_pattern(subject, None, target, None)

    def _link(self, quad: Quad) -> Edge | None:
        """The edge for a quad that links two records, unless it is from the merged default graph."""
        subject, target, graph = quad.subject, quad.object, quad.graph_name
        if not isinstance(target, NamedNode) or not isinstance(subject, NamedNode):
            return None
        if self._entities.is_merged and not isinstance(graph, NamedNode):
            return None
        if not subject.value.startswith(self._root) or not target.value.startswith(self._root):
            return None
        source, other = (iris.document_of(t.value).removeprefix(self._root) for t in (subject, target))
        predicate = quad.predicate.value
        if source == other or predicate == iris.RDF_TYPE:
            return None
        return Edge(source, predicate, other, isinstance(graph, NamedNode) and graph.value == self._inferred)

    def _without_echoes(self, stated: set[Edge], inferred: set[Edge]) -> Iterator[Edge]:
        """Removes inferred edges that repeat another by an inverse, symmetric or broader property."""
        told: set[tuple[str, str, str]] = set()
        for link in sorted(stated):
            if (link.source, link.property, link.target) not in told:
                yield link
                told |= self._terms.implied(link)
        # Most specific first, since it implies the others.
        for link in sorted(inferred, key=lambda found: (-len(self._terms.broader(found.property)), found)):
            if (link.source, link.property, link.target) in told:
                continue
            link = self._terms.in_usual_direction(link)
            yield link
            told |= self._terms.implied(link)


@dataclass(frozen=True, slots=True)
class _Terms:
    """The axioms on properties that make edges equivalent."""

    inverses: Mapping[str, str]
    # The direction in which inverse properties are declared: `p owl:inverseOf q` is on p.
    defined: frozenset[str]
    symmetric: frozenset[str]
    above: Mapping[str, frozenset[str]]

    @classmethod
    def read(cls, store: QuadStore, graph: NamedNode) -> _Terms:
        def pairs(predicate: str) -> Iterator[tuple[str, str]]:
            for quad in store.quads_for_pattern(None, NamedNode(predicate), None, graph):
                if isinstance(quad.subject, NamedNode) and isinstance(quad.object, NamedNode):
                    yield quad.subject.value, quad.object.value

        inverse = sorted(pairs(OWL + "inverseOf"))
        above: dict[str, set[str]] = defaultdict(set)
        for narrow, broad in pairs(RDFS + "subPropertyOf"):
            above[narrow].add(broad)
        symmetric = {s for s, kind in pairs(iris.RDF_TYPE) if kind == OWL + "SymmetricProperty"}
        return cls(
            {**{q: p for p, q in inverse}, **dict(inverse)},
            frozenset(p for p, _ in inverse),
            frozenset(symmetric),
            {p: frozenset(_closure(p, above)) for p in above},
        )

    def broader(self, predicate: str) -> frozenset[str]:
        """The properties implied by one, including itself."""
        return self.above.get(predicate, frozenset()) | {predicate}

    def in_usual_direction(self, link: Edge) -> Edge:
        other = self.inverses.get(link.property)
        if other is None or link.property in self.defined:
            return link
        return Edge(link.target, other, link.source, link.is_inferred)

    def implied(self, link: Edge) -> set[tuple[str, str, str]]:
        """The statements about the same two records implied by one, including itself."""
        found: set[tuple[str, str, str]] = set()
        waiting = [(link.source, link.property, link.target)]
        while waiting:
            s, p, o = statement = waiting.pop()
            if statement in found:
                continue
            found.add(statement)
            waiting += [(s, broad, o) for broad in self.above.get(p, ())]
            if p in self.symmetric:
                waiting.append((o, p, s))
            if other := self.inverses.get(p):
                waiting.append((o, other, s))
        return found


def _closure(start: str, above: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        waiting += (more := above.get(waiting.pop(), set()) - found)
        found |= more
    return found - {start}
