"""Writes the links from another dataset to this one as an RDF linkset, with VoID metadata and PROV-O provenance.

The links are plain triples that any tool can read. Reviewed links are marked in the provenance: the activity `#review`
used their subjects; all others come from `#matching` alone.
"""

from __future__ import annotations

import datetime
import hashlib
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal as OneOf

from pyoxigraph import Literal, NamedNode, Triple

from kg.errors import KgError
from kg.rdf import iris, serialization
from kg.rdf.formats import Rdf
from kg.rdf.namespaces import DCTERMS, OWL, RDFS, SCHEMA, SKOS
from kg.rdf.ordering import sort_triples
from kg.rdf.terms import value
from kg.release.entities import Entities

PROV = "http://www.w3.org/ns/prov#"
VOID = "http://rdfs.org/ns/void#"
FOAF = "http://xmlns.com/foaf/0.1/"
DCAT = "http://www.w3.org/ns/dcat#"
XSD = "http://www.w3.org/2001/XMLSchema#"
ORG = "http://www.w3.org/ns/org#"
PREFIXES = {
    "dcat": DCAT,
    "dcterms": DCTERMS,
    "foaf": FOAF,
    "org": ORG,
    "owl": OWL,
    "prov": PROV,
    "rdfs": RDFS,
    "schema": SCHEMA,
    "skos": SKOS,
    "void": VOID,
    "xsd": XSD,
}

Relation = OneOf["exact", "close", "part"]
Target = OneOf["thing", "body", "concept"]
RELATIONS: tuple[Relation, ...] = ("exact", "close", "part")
# SKOS matches concepts alone. A thing is the same, or only worth seeing too; a part of a body is its unit.
# A text has no counterpart here: it mentions records.
OfText = OneOf["mentions"]
PREDICATES: Mapping[tuple[Relation | OfText, Target], str] = {
    ("exact", "thing"): OWL + "sameAs",
    ("exact", "body"): OWL + "sameAs",
    ("exact", "concept"): SKOS + "exactMatch",
    ("close", "thing"): RDFS + "seeAlso",
    ("close", "body"): RDFS + "seeAlso",
    ("close", "concept"): SKOS + "closeMatch",
    ("part", "thing"): DCTERMS + "isPartOf",
    ("part", "body"): ORG + "unitOf",
    ("part", "concept"): SKOS + "broadMatch",
    ("mentions", "thing"): SCHEMA + "mentions",
    ("mentions", "body"): SCHEMA + "mentions",
    ("mentions", "concept"): SCHEMA + "mentions",
}


def target_of(classes: Iterable[str]) -> Target:
    """What a record is to a linkset, by its classes with their superclasses."""
    known = set(classes)
    return "concept" if SKOS + "Concept" in known else "body" if ORG + "Organization" in known else "thing"


def targets(entities: Entities) -> Callable[[str], Target]:
    """Returns a function that tells what a record of a release is to a linkset."""
    return lambda iri: target_of(value(term) for term in entities.values(iri, iris.RDF_TYPE))


@dataclass(frozen=True, slots=True)
class Link:
    """A link from a `subject` of the other dataset to a `target` of this one: the same, close to it, or its whole.

    The subject may also be a text that mentions the target. `label` is what the other dataset calls the subject.
    """

    subject: str
    target: str
    relation: Relation | OfText = "exact"
    is_reviewed: bool = False
    of: Target = "thing"
    label: str = ""

    @property
    def predicate(self) -> str:
        return PREDICATES[self.relation, self.of]


@dataclass(frozen=True, slots=True)
class LinksetInfo:
    """The provenance of a linkset: release and software used for matching, time, table and reviewer.

    `linkset` and `dataset` are the IRIs that the publisher assigns. By default the linkset is named by its content, and
    the dataset is described by the common beginning of its IRIs.
    """

    base: str
    release: str
    software: str
    at: datetime.datetime
    table: str = ""
    reviewer: str = ""
    linkset: str = ""
    dataset: str = ""

    def __post_init__(self) -> None:
        for name in ("linkset", "dataset"):
            if (iri := getattr(self, name)) and not is_iri(iri):
                raise KgError(f"the {name} needs an absolute IRI, not '{iri[:200]}'")


def is_iri(text: str) -> bool:
    """Whether a text is an absolute IRI that is valid in RDF (RFC 3987)."""
    return bool(iris.ABSOLUTE.match(text)) and not iris.ILLEGAL_IN_IRI.search(text)


def write(links: Sequence[Link], info: LinksetInfo, syntax: Rdf) -> bytes:
    """Serializes the linkset; the same links and provenance always give the same bytes."""
    statements = sort_triples(describe(links, info))
    return serialization.to_bytes(statements, syntax, {p: ns for p, ns in PREFIXES.items() if _uses(statements, ns)})


def describe(links: Sequence[Link], info: LinksetInfo) -> list[Triple]:
    """The links with their metadata and provenance."""
    distinct = sorted(set(links), key=lambda k: (k.subject, k.target, k.relation, k.is_reviewed, k.label))
    me = name_of(distinct, info)
    return [*_links(distinct), *_dataset(me, distinct, info), *_activities(me, distinct, info)]


def name_of(links: Sequence[Link], info: LinksetInfo) -> str:
    """The IRI of a linkset: the one that its publisher has given, or a name made of its content."""
    if info.linkset:
        return info.linkset
    digest = hashlib.sha256("\n".join([info.release, *map(repr, links)]).encode())
    return uuid.uuid5(uuid.NAMESPACE_URL, digest.hexdigest()).urn


def _uses(statements: Iterable[Triple], namespace: str) -> bool:
    terms = (t for s in statements for t in (s.predicate, s.object, getattr(s.object, "datatype", None)))
    return any(isinstance(t, NamedNode) and t.value.startswith(namespace) for t in terms)


def _links(links: Sequence[Link]) -> Iterable[Triple]:
    for link in links:
        yield _triple(link.subject, link.predicate, NamedNode(link.target))
        if link.label:
            yield _triple(link.subject, RDFS + "label", Literal(link.label))


def _dataset(me: str, links: Sequence[Link], info: LinksetInfo) -> Iterable[Triple]:
    """The VoID description, with one `void:Linkset` per predicate, since VoID allows just one for each linkset."""
    subjects = info.dataset or f"{me}#subjects"
    yield _type(me, VOID + "Dataset")
    yield _type(me, PROV + "Entity")
    named = {(k.subject, k.label) for k in links if k.label}
    yield _triple(me, VOID + "triples", _number(len({(k.subject, k.target, k.predicate) for k in links}) + len(named)))
    yield _type(subjects, VOID + "Dataset")
    if not info.dataset and (space := space_of([link.subject for link in links])):
        yield _triple(subjects, VOID + "uriSpace", Literal(space))
    for predicate in dict.fromkeys(PREDICATES.values()):
        size = len({(k.subject, k.target) for k in links if k.predicate == predicate})
        if not size:
            continue
        part = f"{me}#{predicate.replace('#', '/').rpartition('/')[2]}"
        yield _triple(me, VOID + "subset", NamedNode(part))
        yield _type(part, VOID + "Linkset")
        yield _triple(part, VOID + "linkPredicate", NamedNode(predicate))
        yield _triple(part, VOID + "subjectsTarget", NamedNode(subjects))
        yield _triple(part, VOID + "objectsTarget", NamedNode(info.base + "dataset"))
        yield _triple(part, VOID + "triples", _number(size))


def _activities(me: str, links: Sequence[Link], info: LinksetInfo) -> Iterable[Triple]:
    """The PROV-O activities: who matched what, with which software, and when."""
    at = Literal(info.at.isoformat(timespec="seconds"), datatype=NamedNode(XSD + "dateTime"))
    matching, software, release, table = (f"{me}#{n}" for n in ("matching", "software", "release", "table"))
    yield _triple(me, PROV + "generatedAtTime", at)
    yield _triple(me, PROV + "wasGeneratedBy", NamedNode(matching))
    yield _type(matching, PROV + "Activity")
    yield _triple(matching, PROV + "endedAtTime", at)
    yield _triple(matching, PROV + "wasAssociatedWith", NamedNode(software))
    yield _triple(matching, PROV + "used", NamedNode(release))
    yield _type(software, PROV + "SoftwareAgent")
    yield _triple(software, RDFS + "label", Literal(info.software))
    yield _type(release, PROV + "Entity")
    yield _triple(release, PROV + "specializationOf", NamedNode(info.base + "dataset"))
    yield _triple(release, DCAT + "version", Literal(info.release))
    if info.table:
        yield _triple(matching, PROV + "used", NamedNode(table))
        yield _type(table, PROV + "Entity")
        yield _triple(table, RDFS + "label", Literal(info.table))
    if reviewed := sorted({link.subject for link in links if link.is_reviewed}):
        yield from _review(me, reviewed, info, at)


def _review(me: str, subjects: Sequence[str], info: LinksetInfo, at: Literal) -> Iterable[Triple]:
    review, person = f"{me}#review", f"{me}#reviewer"
    yield _triple(me, PROV + "wasGeneratedBy", NamedNode(review))
    yield _type(review, PROV + "Activity")
    yield _triple(review, PROV + "endedAtTime", at)
    yield _triple(review, PROV + "wasInformedBy", NamedNode(f"{me}#matching"))
    yield _triple(review, PROV + "wasAssociatedWith", NamedNode(person))
    yield _type(person, PROV + "Person")
    if info.reviewer:
        yield _triple(person, FOAF + "name", Literal(info.reviewer))
    for subject in subjects:
        yield _triple(review, PROV + "used", NamedNode(subject))


def space_of(subjects: Sequence[str]) -> str:
    """The longest common beginning of the IRIs that ends in `/`, `#` or `:`; '' if that is just a scheme."""
    if not subjects:
        return ""
    first, last = min(subjects), max(subjects)
    same = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    space = first[: max(first.rfind(mark, 0, same) for mark in "/#:") + 1]
    return space if iris.ABSOLUTE.match(space.replace("//", "")) else ""


def _triple(subject: str, predicate: str, target: NamedNode | Literal) -> Triple:
    return Triple(NamedNode(subject), NamedNode(predicate), target)


def _type(subject: str, kind: str) -> Triple:
    return _triple(subject, iris.RDF_TYPE, NamedNode(kind))


def _number(n: int) -> Literal:
    return Literal(n)
