"""The ontology reference: the terms with their axioms, their use in the release, and the class diagram."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pyoxigraph import BlankNode, Literal, NamedNode

from api.ontology.diagram import COLUMNS, ROWS, Connector, Count, Diagram, draw
from api.site.site import Site
from kg.rdf import iris
from kg.rdf.namespaces import DCTERMS, OWL, RDFS, SKOS
from kg.rdf.terms import Term, value

KINDS = {
    "classes": OWL + "Class",
    "object_properties": OWL + "ObjectProperty",
    "datatype_properties": OWL + "DatatypeProperty",
    "annotation_properties": OWL + "AnnotationProperty",
}
_SUB = (RDFS + "subClassOf", RDFS + "subPropertyOf")
# Relations between terms, by the key of their heading.
_RELATIONS = {
    "term_domain": (RDFS + "domain",),
    "term_range": (RDFS + "range",),
    "term_inverse": (OWL + "inverseOf",),
    "term_disjoint": (OWL + "disjointWith", OWL + "propertyDisjointWith"),
    "replaced_by": (DCTERMS + "isReplacedBy",),
}
# Relations that are symmetric.
_MUTUAL = frozenset({"term_inverse", "term_disjoint"})
# Relations to terms of other vocabularies.
_ALIGNMENTS = (
    *_SUB,
    *(OWL + name for name in ("equivalentClass", "equivalentProperty", "sameAs")),
    *(SKOS + name for name in ("exactMatch", "closeMatch", "broadMatch", "narrowMatch", "relatedMatch")),
    *(RDFS + name for name in ("seeAlso", "isDefinedBy")),
)
_MAX_USED = 5


@dataclass(frozen=True, slots=True)
class Example:
    """A member of a class, or the subject and object of a property."""

    subject: str
    object: Term | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """The use of a term: number of members or triples, classes of subjects and objects, and the list of its records."""

    number: int = 0
    subjects: tuple[Count, ...] = ()
    objects: tuple[Count, ...] = ()
    example: Example | None = None
    records: Count | None = None


@dataclass(frozen=True, slots=True)
class TermEntry:
    """One of our terms: its relations by heading, alignments, property chains, types and use."""

    iri: str
    relations: Mapping[str, Sequence[str]]
    alignments: Sequence[tuple[str, str]]
    chains: Sequence[Sequence[str]]
    types: Sequence[str]
    is_deprecated: bool
    usage: Usage

    @property
    def anchor(self) -> str:
        return self.iri.partition("#")[2]

    def is_used_as_stated(self, relation: str) -> bool:
        """Whether the subjects or objects of a property have exactly the class that its domain or range states."""
        used = {"term_domain": self.usage.subjects, "term_range": self.usage.objects}.get(relation, ())
        return bool(used) and [count.iri for count in used] == list(self.relations.get(relation, ()))


@dataclass(frozen=True, slots=True)
class Branch:
    """A class in the hierarchy; `again` if it is repeated, in which case its subclasses are left out."""

    iri: str
    number: int
    children: tuple[Branch, ...] = ()
    again: bool = False


@dataclass(frozen=True, slots=True)
class TermReference:
    """The language-independent content of the page; `apart` are groups of disjoint classes."""

    sections: Mapping[str, Sequence[TermEntry]]
    hierarchy: Sequence[Branch]
    borrowed: Mapping[str, Sequence[Count]]
    apart: Sequence[Sequence[str]]
    diagram: Diagram


def describe(site: Site) -> TermReference:
    """Reads the ontology of a release and its use from the store; raises `Problem` if the store is too large."""
    site.survey()
    ontology = Ontology(site)
    uses = Uses(site, ontology)
    own = {kind: [i for i in found if i.startswith(ontology.own)] for kind, found in ontology.terms.items()}
    borrowed: dict[str, list[Count]] = {}
    for iri in sorted({i for found in ontology.terms.values() for i in found if not i.startswith(ontology.own)}):
        namespace = iri[: max(iri.rfind("#"), iri.rfind("/")) + 1]
        borrowed.setdefault(namespace, []).append(Count(iri, uses.number(iri)))
    return TermReference(
        {kind: [_entry(ontology, uses, kind, iri) for iri in found] for kind, found in own.items() if found},
        _hierarchy(ontology, uses, own["classes"]),
        borrowed,
        ontology.apart,
        draw(*_overview(uses, ontology)),
    )


class Ontology:
    """The axioms of the ontology graph between named terms, and the terms by kind, sorted by name."""

    def __init__(self, site: Site) -> None:
        self.own = site.project.vocabularies
        self._forward: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        self._backward: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for quad in site.release.store.quads_for_pattern(None, None, None, site.entities.ontology):
            subject, target = _key(quad.subject), _key(quad.object)
            self._forward[quad.predicate.value][subject].append(target)
            self._backward[quad.predicate.value][target].append(subject)
        self.terms = self._terms()
        self.ancestors = {iri: self._ancestors(iri) for sub in _SUB for iri in self._forward[sub]}
        groups = self._backward[iris.RDF_TYPE].get(OWL + "AllDisjointClasses", [])
        self.apart = [self.listed(head) for group in sorted(groups) for head in self.objects(group, OWL + "members")]

    def objects(self, subject: str, predicate: str) -> list[str]:
        return self._forward[predicate].get(subject, [])

    def related(self, iri: str, predicates: Iterable[str], *, ahead: bool = True, back: bool = False) -> list[str]:
        """The distinct IRIs related by these predicates: as objects with `ahead`, as subjects with `back`."""
        found: set[str] = set()
        for predicate in predicates:
            found.update(self._forward[predicate].get(iri, ()) if ahead else ())
            found.update(self._backward[predicate].get(iri, ()) if back else ())
        return sorted((i for i in found - {iri} if not i.startswith("_:")), key=str.lower)

    def listed(self, head: str) -> list[str]:
        """The members of an RDF list."""
        rdf = iris.RDF_TYPE.removesuffix("type")
        found: dict[str, list[str]] = {}
        while head not in found and head != rdf + "nil":
            found[head] = self.objects(head, rdf + "first")[:1]
            head = next(iter(self.objects(head, rdf + "rest")), rdf + "nil")
        return [member for members in found.values() for member in members]

    def _terms(self) -> dict[str, list[str]]:
        typed = self._backward[iris.RDF_TYPE]
        found = {kind: {i for i in typed.get(iri, ()) if not i.startswith("_:")} for kind, iri in KINDS.items()}
        declared = set().union(*found.values())
        found["individuals"] = {i for kind in typed.values() for i in kind if i.startswith(self.own)} - declared
        return {kind: sorted(terms, key=str.lower) for kind, terms in found.items()}

    def _ancestors(self, iri: str) -> frozenset[str]:
        """All superclasses or superproperties of a term; none if it is part of a cycle."""
        found: set[str] = set()
        waiting = [iri]
        while waiting:
            term = waiting.pop()
            more = {up for sub in _SUB for up in self.objects(term, sub)} - found
            found |= more
            waiting += more
        return frozenset(found) if iri not in found else frozenset()


class Uses:
    """The triples of a release by property, and its members by class."""

    def __init__(self, site: Site, ontology: Ontology) -> None:
        store, self._site, self._ancestors = site.release.store, site, ontology.ancestors
        inferred = NamedNode(iris.Base(site.base).inferred)
        derived = store.quads_for_pattern(None, None, None, inferred)
        self._inferred_triples = {(_key(q.subject), q.predicate.value, q.object) for q in derived}
        self.triples: dict[str, list[tuple[str, Term]]] = defaultdict(list)
        self.members: dict[str, set[str]] = defaultdict(set)
        self._size: Counter[str] = Counter()
        kinds: dict[str, tuple[set[str], set[str]]] = {}
        quads = store.quads_for_pattern(None, None, None, site.entities.everywhere)
        for s, p, o in dict.fromkeys((_key(q.subject), q.predicate.value, q.object) for q in quads):
            if not isinstance(o, Term):
                continue
            self.triples[p].append((s, o))
            self._size[s] += 1
            if p == iris.RDF_TYPE:
                self.members[_key(o)].add(s)
                kinds.setdefault(s, (set(), set()))[self.is_inferred(s, p, o)].add(_key(o))
        # As elsewhere on the site, inferred classes are used only if none is stated.
        self._kinds = {s: self._lowest(stated or derived) for s, (stated, derived) in kinds.items()}

    def is_inferred(self, subject: str, predicate: str, target: Term) -> bool:
        return (subject, predicate, target) in self._inferred_triples

    def number(self, iri: str) -> int:
        """The members of a class, or the triples of a property."""
        return len(self.members[iri]) if iri in self.members else len(self.triples.get(iri, ()))

    def of_property(self, iri: str) -> Usage:
        triples = self.triples.get(iri, [])
        subjects = Counter(kind for s, _ in triples for kind in self._kinds.get(s, ("",)))
        objects = Counter(kind for _, o in triples for kind in self._ends(o))
        named = [(s, o) for s, o in triples if _is_iri(s, o)]
        best = min(
            named,
            key=lambda t: (self.is_inferred(t[0], iri, t[1]), self._rank(t[0]), self._rank(_key(t[1]))),
            default=None,
        )
        example = Example(*best) if best else None
        return Usage(len(triples), _most(subjects), _most(objects), example)

    def of_class(self, iri: str) -> Usage:
        members = self.members.get(iri, set())
        named = [s for s in members if not s.startswith("_:")]
        best = min(named, key=lambda s: (iri not in self._kinds[s], self._rank(s)), default=None)
        example = Example(best) if best else None
        return Usage(len(members), example=example, records=self._list_of(members))

    def _list_of(self, members: set[str]) -> Count | None:
        """The class list that has all members of a class that are records, if there is just one."""
        entities = self._site.entities
        names = {m.removeprefix(entities.root).partition("/")[0] for m in members if m.startswith(entities.root)}
        if len(names) != 1:
            return None
        name = names.pop()
        listed = sum(entities.root + path in members for path in entities.members(name))
        return Count(name, listed) if listed else None

    def _ends(self, target: Term) -> tuple[str, ...]:
        return (target.datatype.value,) if isinstance(target, Literal) else self._kinds.get(_key(target), ("",))

    def _lowest(self, kinds: set[str]) -> tuple[str, ...]:
        above = set().union(*(self._ancestors.get(kind, ()) for kind in kinds))
        return tuple(sorted(kinds - above))

    def _rank(self, iri: str) -> tuple[bool, int, str]:
        """Sort key for examples: records before parts, and those with many statements first."""
        return "#" in iri, -self._size[iri], iri


def _entry(ontology: Ontology, uses: Uses, kind: str, iri: str) -> TermEntry:
    below = ontology.related(iri, _SUB, ahead=False, back=True)
    name = "class" if kind == "classes" else "property"
    relations = {
        f"term_super_{name}": [up for up in ontology.related(iri, _SUB) if up.startswith(ontology.own)],
        f"term_sub_{name}": below,
        **{key: ontology.related(iri, found, back=key in _MUTUAL) for key, found in _RELATIONS.items()},
    }
    ours = tuple(namespace.removesuffix("#") for namespace in ontology.own)
    outside = [(p, o) for p in _ALIGNMENTS for o in ontology.related(iri, [p]) if not o.startswith(ours)]
    usage = uses.of_class(iri) if kind == "classes" else uses.of_property(iri) if kind != "individuals" else Usage()
    return TermEntry(
        iri,
        {key: found for key, found in relations.items() if found},
        outside,
        [ontology.listed(head) for head in sorted(ontology.objects(iri, OWL + "propertyChainAxiom"))],
        [t for t in ontology.related(iri, [iris.RDF_TYPE]) if t not in KINDS.values()],
        "true" in ontology.objects(iri, OWL + "deprecated"),
        usage,
    )


def _hierarchy(ontology: Ontology, uses: Uses, own: Sequence[str]) -> list[Branch]:
    """The class hierarchy, including the borrowed superclasses of our classes; most used first."""
    shown = {*own, *(up for iri in own for up in ontology.ancestors.get(iri, ()))}
    parents = {iri: [up for up in ontology.related(iri, _SUB[:1]) if up in shown] for iri in shown}
    # The full branch of a class is shown once, preferably below one of our classes.
    main_parent = {
        iri: min(found, key=lambda up: (not up.startswith(ontology.own), up)) for iri, found in parents.items() if found
    }

    def branch(iri: str, way: frozenset[str]) -> Branch:
        below = [c for c, found in parents.items() if iri in found and c not in way]
        made = [branch(c, way | {c}) if main_parent[c] == iri else Branch(c, uses.number(c), again=True) for c in below]
        return Branch(iri, uses.number(iri), tuple(sorted(made, key=lambda b: (b.again, -b.number, b.iri))))

    roots = [branch(iri, frozenset({iri})) for iri in shown if not parents[iri]]
    return sorted(roots, key=lambda b: (-b.number, b.iri))


def _overview(uses: Uses, ontology: Ontology) -> tuple[list[Count], list[Connector]]:
    """The classes without common members that have the most links between them, and these links."""
    apart = {iri for group in ontology.apart for iri in group}
    declared = [c for c in ontology.terms["classes"] if uses.members.get(c)]
    home: dict[str, str] = {}
    for kind in sorted(declared, key=lambda c: (c not in apart, -len(uses.members[c]), c)):
        if home.keys().isdisjoint(uses.members[kind]):
            home.update(dict.fromkeys(uses.members[kind], kind))
    found: Counter[tuple[str, str, str]] = Counter()
    for p in ontology.terms["object_properties"]:
        for s, o in uses.triples.get(p, ()):
            if s in home and (target := home.get(_key(o))) and not uses.is_inferred(s, p, o):
                found[home[s], p, target] += 1
    weight: dict[str, float] = defaultdict(float)
    for (source, _, target), number in found.items():
        for kind in {source, target}:
            weight[kind] += math.log2(1 + number)
    kept = sorted(weight, key=lambda kind: (-weight[kind], kind))[: COLUMNS * ROWS]
    links = [Connector(*key, number) for key, number in found.items() if key[0] in kept and key[2] in kept]
    boxes = [Count(kind, len(uses.members[kind])) for kind in kept]
    return boxes, sorted(links, key=lambda link: (-link.number, link.source, link.property, link.target))


def _most(counts: Counter[str]) -> tuple[Count, ...]:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(Count(iri, number) for iri, number in ordered[:_MAX_USED])


def _key(term: object) -> str:
    """The IRI or text of a term, or `_:` and the label of a blank node."""
    return str(term) if isinstance(term, BlankNode) else value(term)  # type: ignore[arg-type]


def _is_iri(subject: str, target: Term) -> bool:
    return not subject.startswith("_:") and not isinstance(target, BlankNode)
