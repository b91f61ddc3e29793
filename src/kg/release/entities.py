"""Reads records from a release: labels, facts with their evidence, `#` parts, incoming links, lists by class."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, QuerySolutions, Triple

from kg.engines.backend import Backend
from kg.rdf import iris
from kg.rdf.namespaces import DCTERMS, KG, OWL, RDFS, SKOS
from kg.rdf.ordering import sort_quads, sort_triples
from kg.rdf.terms import Term, value
from kg.release.facts import EntityDescription, Evidence, Fact, Node, kind_of

PREF_LABEL = SKOS + "prefLabel"
LABELS = (PREF_LABEL, DCTERMS + "title", RDFS + "label")
NAMES = (PREF_LABEL, SKOS + "altLabel", SKOS + "hiddenLabel")

_MOST_CANDIDATES = 5_000
_DEFAULT = DefaultGraph()
_TYPED = "SELECT DISTINCT ?s WHERE { ?s a ?class }"
_TYPED_ANYWHERE = "SELECT DISTINCT ?s WHERE { { ?s a ?class } UNION { GRAPH ?g { ?s a ?class } } }"


class Entities:
    """Reads the records of a release from its store.

    `order` ranks properties, by their position in the context, and facts are sorted by it. Unless `is_merged`, the
    default graph has triples of its own, which have no evidence.
    """

    def __init__(self, store: Backend, base: str, order: Mapping[str, int], is_merged: bool = True) -> None:
        self.store = store
        self._is_merged = is_merged
        # Matches every triple at least once, and in a merged release exactly once.
        self._all = _DEFAULT if is_merged else None
        self.base = base
        self.root = base + "id/"
        self._order = order
        self._graphs = base + "graph/"
        named = iris.Base(base)
        self.about, self.ontology = NamedNode(named.about), NamedNode(named.ontology_graph)
        self._primary = {
            value(q.subject): value(q.object)
            for q in store.quads_for_pattern(None, NamedNode(iris.PRIMARY_SOURCE), None, self.about)
        }
        self._evidence: dict[str, Evidence] = {}
        self._parts: dict[str, list[str]] = {}
        self._classes: dict[str, list[str]] = {}
        self._heads: dict[str, list[str]] = {}
        self._index()

    def _index(self) -> None:
        # A query creates one Python object for each subject, a scan several for each quad.
        rows = self.store.query(_TYPED if self._is_merged else _TYPED_ANYWHERE)
        assert isinstance(rows, QuerySolutions)
        subjects = (value(row[0]) for row in rows)
        for iri in sorted(s for s in subjects if s.startswith(self.root)):
            document, hash_mark, _ = iri.partition("#")
            if hash_mark:
                self._parts.setdefault(document, []).append(iri)
            else:
                path = iri.removeprefix(self.root)
                self._classes.setdefault(path.partition("/")[0], []).append(path)
        for name, paths in self._classes.items():
            known = set(paths)
            self._heads[name] = [p for p in paths if known.isdisjoint(_above(p))]

    @property
    def is_merged(self) -> bool:
        """Whether the default graph merges the named graphs, each triple once."""
        return self._is_merged

    @property
    def everywhere(self) -> DefaultGraph | None:
        """The graph that matches any triple: in a merged release the default graph, else all graphs."""
        return self._all

    # ---- classes ----

    def classes(self) -> dict[str, int]:
        """Count the records of each class, the largest first; records below another record are not counted."""
        return dict(sorted(((c, len(p)) for c, p in self._heads.items()), key=lambda pair: (-pair[1], pair[0])))

    def members(self, name: str, *, parts: bool = False) -> list[str]:
        """Return the sorted paths of a class, with `parts` also those below records; empty for an unknown class."""
        return (self._classes if parts else self._heads).get(name, [])

    def below(self, path: str) -> list[str]:
        """Return the paths below that of a record, such as the articles of a law."""
        return [p for p in self._classes.get(path.partition("/")[0], []) if p.startswith(path + "/")]

    def parts(self, iri: str) -> list[str]:
        """Return the IRIs of the `#` parts of a record."""
        return self._parts.get(iri, [])

    def nearest(self, path: str, most: int = 5) -> list[str]:
        """Return the known paths most similar to an unknown one."""
        if not iris.SLUG.fullmatch(path):
            path = "/".join(iris.SEGMENT.findall(path.lower()))
        name, _, slug = path.partition("/")
        candidates = self._classes.get(name) or [p for paths in self._classes.values() for p in paths]
        found = difflib.get_close_matches(path, candidates[:_MOST_CANDIDATES], n=most, cutoff=0.6)
        elsewhere = (f"{other}/{slug}" for other in self._classes) if slug else iter(())
        return list(dict.fromkeys([*(p for p in elsewhere if self.exists(self.root + p)), *found]))[:most]

    # ---- single values ----

    def exists(self, iri: str) -> bool:
        return next(self._quads(iri), None) is not None

    def values(self, iri: str, predicate: str) -> list[Term]:
        """Return the objects of a property, without duplicates."""
        return list(dict.fromkeys(o for q in self._quads(iri, predicate) if isinstance(o := q.object, Term)))

    def text(self, iri: str, predicate: str, languages: Iterable[str]) -> Literal | None:
        """Return the literal of a property in the first of these languages that has one, else any."""
        return _in_first([v for v in self.values(iri, predicate) if isinstance(v, Literal)], languages)

    def label(self, iri: str, languages: Iterable[str]) -> Literal | None:
        """Return the label of a resource: `skos:prefLabel`, else its title, else `rdfs:label`.

        A borrowed term keeps the label of its vocabulary; readers see the name that the ontology has beside it.
        """
        wanted = tuple(languages)
        if (first := next((found for p in LABELS[:-1] if (found := self.text(iri, p, wanted))), None)) is not None:
            return first
        quads = self._quads(iri, SKOS + "altLabel", self.ontology)
        beside = [q.object for q in quads if isinstance(q.object, Literal)]
        return _in_first(beside, wanted) or self.text(iri, LABELS[-1], wanted)

    def types(self, iri: str) -> list[str]:
        """Return the asserted classes of a subject, or the inferred ones if none is asserted."""
        quads = list(self._named(NamedNode(iri), NamedNode(iris.RDF_TYPE), None))
        stated = [value(q.object) for q in quads if self.evidence(value(q.graph_name)).kind != "inferred"]
        return list(dict.fromkeys(sorted(t for t in stated or [value(q.object) for q in quads] if t)))

    def successor(self, iri: str) -> str | None:
        """Return the IRI that replaces a deprecated record, '' if none does; None if it is not deprecated."""
        if not any(value(v) == "true" for v in self.values(iri, OWL + "deprecated")):
            return None
        return next((value(v) for v in self.values(iri, DCTERMS + "isReplacedBy")), "")

    @cached_property
    def inverses(self) -> dict[str, list[str]]:
        """The properties that are declared as the inverse of a property."""
        found: dict[str, list[str]] = {}
        for quad in self.store.quads_for_pattern(None, NamedNode(OWL + "inverseOf"), None, self._all):
            found.setdefault(value(quad.object), []).append(value(quad.subject))
        return found

    # ---- evidence ----

    def evidence(self, graph: str) -> Evidence:
        """Return what a named graph is drawn from."""
        if graph not in self._evidence:
            self._evidence[graph] = self._read_evidence(graph)
        return self._evidence[graph]

    def _read_evidence(self, graph: str) -> Evidence:
        source = self._primary.get(graph, "")
        kind = kind_of(graph.removeprefix(self._graphs), source)
        if kind == "inferred":
            return Evidence(graph, kind)
        if not source.startswith(self.root + "passage/"):
            return Evidence(graph, kind, source)
        first, last = (next((int(value(v)) for v in self.values(source, KG + p)), 0) for p in ("firstLine", "lastLine"))
        section, text = (next((value(v) for v in self.values(source, KG + p)), "") for p in ("inSection", "passageOf"))
        return Evidence(graph, "passage", source, section, first, last, text)

    def stated(self, triple: Triple) -> Fact | None:
        """Return a triple with its evidence; None if the release does not have it."""
        found = self._facts(self._named(triple.subject, triple.predicate, triple.object))
        return found[0] if found else None

    @cached_property
    def has_several_texts(self) -> bool:
        """Whether passages of several sources are evidence, so that lines alone do not say where a fact is from."""
        passages = self.root + "passage/"
        return len({s.rpartition("/")[0] for s in self._primary.values() if s.startswith(passages)}) > 1

    def graph_of(self, passage: str) -> str | None:
        """Return the named graph that is drawn from a passage or source."""
        return self._graph_by_source.get(passage)

    @cached_property
    def _graph_by_source(self) -> dict[str, str]:
        return {source: graph for graph, source in self._primary.items()}

    # ---- descriptions ----

    def describe(self, iri: str) -> EntityDescription:
        """Return everything that the page of a record shows; empty for a record that does not exist (see `exists`)."""
        parts = self.parts(iri)
        self.expect([iri, *parts])
        placed: set[str] = {iri}
        node = self._node(iri, set(parts), placed)
        loose = []
        for part in parts:
            if part not in placed:
                placed.add(part)
                loose.append(self._node(part, set(parts), placed))
        own = {iri, *parts}
        inward = [f for target in (iri, *parts) for f in self.incoming(target) if f.subject not in own]
        return EntityDescription(
            node,
            tuple(loose),
            tuple(f for f in inward if not f.is_inferred),
            tuple(f for subject in (iri, *parts) for f in self.facts(subject) if f.is_inferred),
            tuple(f for f in inward if f.is_inferred),
        )

    def _node(self, iri: str, parts: set[str], placed: set[str]) -> Node:
        facts = []
        for fact in self.facts(iri):
            if fact.is_inferred:
                continue
            target = value(fact.object)
            if target in parts and target not in placed:
                placed.add(target)
                part = self._node(target, parts, placed)
                fact = Fact(fact.subject, fact.predicate, fact.object, fact.evidence, part)
            facts.append(fact)
        return Node(iri, tuple(facts))

    def expect(self, iris: Iterable[str]) -> None:
        """Announce which IRIs are read next; see `Backend.expect`."""
        self.store.expect(map(NamedNode, iris))

    def facts(self, iri: str) -> list[Fact]:
        """Return the triples of a subject with their evidence, in the order of the properties."""
        return self._facts(self._named(NamedNode(iri), None, None))

    def incoming(self, iri: str) -> list[Fact]:
        """Return the triples with this object, with their evidence."""
        return self._facts(q for q in self._named(None, None, NamedNode(iri)) if isinstance(q.subject, NamedNode))

    def in_graph(self, graph: str) -> list[Fact]:
        """Return the triples of a named graph, with their evidence in this and other graphs."""
        quads = self.store.quads_for_pattern(None, None, None, NamedNode(graph))
        return self._facts(same for q in quads for same in self._named(q.subject, q.predicate, q.object))

    def _facts(self, quads: Iterable[Quad]) -> list[Fact]:
        quads = list(quads)
        self.expect(self._primary[g] for q in quads if (g := value(q.graph_name)) in self._primary)
        graphs: dict[tuple[str, str, Term], list[Evidence]] = {}
        for quad in quads:
            if isinstance(quad.object, Term):
                key = (value(quad.subject), quad.predicate.value, quad.object)
                evidence = graphs.setdefault(key, [])
                if name := value(quad.graph_name):
                    evidence.append(self.evidence(name))
        facts = [Fact(*key, tuple(sorted(set(e), key=lambda e: e.rank))) for key, e in graphs.items()]
        return sorted(facts, key=self._fact_order)

    def _fact_order(self, fact: Fact) -> tuple[int, str, str, int, str]:
        rank = self._order.get(fact.predicate, len(self._order))
        return rank, fact.predicate, fact.subject, *self._object_order(fact.object)

    def _object_order(self, term: Term) -> tuple[int, str]:
        stated = self.values(term.value, KG + "order") if isinstance(term, NamedNode) else []
        return (int(value(stated[0])) if stated else 0), str(term)

    # ---- documents ----

    def document(self, iri: str) -> list[Quad]:
        """Return the quads of named graphs about a record, its `#` parts and incoming links; sorted, types first."""
        subjects = [iri, *self.parts(iri)]
        self.expect(subjects)
        quads = [q for s in subjects for q in self._named(NamedNode(s), None, None)]
        quads += [q for s in subjects for q in self._named(None, None, NamedNode(s))]
        return sort_quads(quads)

    def triples(self, iri: str) -> list[Triple]:
        """Return the triples of a record's document and the labels of what it mentions, its own triples first."""
        quads = self.document(iri)
        triples = sort_triples([*quads, *self.neighbour_labels(quads)])
        return sorted(triples, key=lambda t: iris.document_of(value(t.subject)) != iri)

    def graph_document(self, graph: str) -> list[Quad]:
        """Return the sorted quads of a named graph."""
        return sort_quads(self.store.quads_for_pattern(None, None, None, NamedNode(graph)))

    def evidence_links(self, quads: Iterable[Quad]) -> list[Quad]:
        """Return the quads that link the graphs of these quads to the passages that they are drawn from."""
        graphs = dict.fromkeys(q.graph_name for q in quads if isinstance(q.graph_name, NamedNode))
        primary = NamedNode(iris.PRIMARY_SOURCE)
        return [q for g in graphs for q in self.store.quads_for_pattern(g, primary, None, self.about)]

    def neighbour_labels(self, quads: Iterable[Quad]) -> list[Triple]:
        """Return the preferred labels of the records that these quads mention."""
        terms = dict.fromkeys(t for q in quads for t in (q.subject, q.object) if isinstance(t, NamedNode))
        label = NamedNode(PREF_LABEL)
        return [
            Triple(q.subject, q.predicate, q.object)
            for term in terms
            if term.value.startswith(self.root)
            for q in self.store.quads_for_pattern(term, label, None, self._all)
        ]

    def _quads(
        self, iri: str, predicate: str | None = None, graph: NamedNode | DefaultGraph | None = None
    ) -> Iterator[Quad]:
        """The quads about a resource; none where a reader has typed something that is no IRI."""
        try:
            subject = NamedNode(iri)
        except ValueError:
            return iter(())
        property_ = NamedNode(predicate) if predicate else None
        return self.store.quads_for_pattern(subject, property_, None, graph or self._all)

    def _named(
        self, subject: Quad | object | None, predicate: NamedNode | None, target: object | None
    ) -> Iterator[Quad]:
        quads = self.store.quads_for_pattern(subject, predicate, target, None)  # type: ignore[arg-type]
        return (q for q in quads if not self._is_merged or isinstance(q.graph_name, NamedNode))


def _in_first(literals: Sequence[Literal], languages: Iterable[str]) -> Literal | None:
    """The literal in the first of these languages that has one, else any."""
    for language in languages:
        for literal in literals:
            if literal.language == language:
                return literal
    return min(literals, key=lambda v: v.language or "", default=None)


def _above(path: str) -> list[str]:
    """Return the paths above a path, from the record down; `class/a/b/c` has `class/a` and `class/a/b`."""
    segments = path.split("/")
    return ["/".join(segments[:n]) for n in range(2, len(segments))]
