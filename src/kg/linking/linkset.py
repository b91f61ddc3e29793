"""A linkset to publish: links from another dataset to ours, with what it is (VoID) and how it came about (PROV-O).

The links stand as plain triples, so that any tool reads them. Which of them a person decided is told from the other
side: the activity `#review` used the subjects of those links; all others come from `#matching` alone.
"""

from __future__ import annotations

import datetime
import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal as OneOf

from pyoxigraph import Literal, NamedNode, Triple

from kg.errors import KgError
from kg.rdf import iris, serialization
from kg.rdf.formats import Rdf
from kg.rdf.namespaces import RDFS, SKOS
from kg.rdf.ordering import sort_triples

PROV = "http://www.w3.org/ns/prov#"
VOID = "http://rdfs.org/ns/void#"
FOAF = "http://xmlns.com/foaf/0.1/"
DCAT = "http://www.w3.org/ns/dcat#"
XSD = "http://www.w3.org/2001/XMLSchema#"
PREFIXES = {"dcat": DCAT, "foaf": FOAF, "prov": PROV, "rdfs": RDFS, "skos": SKOS, "void": VOID, "xsd": XSD}

Relation = OneOf["exact", "close"]
PREDICATES: dict[Relation, str] = {"exact": SKOS + "exactMatch", "close": SKOS + "closeMatch"}


@dataclass(frozen=True, slots=True)
class Link:
    """That their `subject` is our `target`, exactly or closely; `is_reviewed` when a person said so."""

    subject: str
    target: str
    relation: Relation = "exact"
    is_reviewed: bool = False


@dataclass(frozen=True, slots=True)
class LinksetInfo:
    """How a linkset came about: the release and software that matched, when, the table, and who reviewed.

    `linkset` and `dataset` are the IRIs that the publisher gives to the linkset and to their dataset; without them the
    linkset is named by its content and the dataset told by what its IRIs begin with.
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
                raise KgError(f"the IRI of the {name} is no absolute IRI: '{iri[:200]}'")


def is_iri(text: str) -> bool:
    """Whether a text is an absolute IRI that RDF can hold (RFC 3987)."""
    return bool(iris.ABSOLUTE.match(text)) and not iris.ILLEGAL_IN_IRI.search(text)


def write(links: Sequence[Link], account: LinksetInfo, syntax: Rdf) -> bytes:
    """The linkset in one syntax; the same bytes for the same links and account."""
    statements = sort_triples(describe(links, account))
    return serialization.to_bytes(statements, syntax, {p: ns for p, ns in PREFIXES.items() if _uses(statements, ns)})


def describe(links: Sequence[Link], account: LinksetInfo) -> list[Triple]:
    """The links and what is said of them."""
    distinct = sorted(set(links), key=lambda link: (link.subject, link.target, link.relation, link.is_reviewed))
    me = account.linkset or _name(distinct, account)
    return [*_links(distinct), *_dataset(me, distinct, account), *_activities(me, distinct, account)]


def _name(links: Sequence[Link], account: LinksetInfo) -> str:
    digest = hashlib.sha256("\n".join([account.release, *map(repr, links)]).encode())
    return uuid.uuid5(uuid.NAMESPACE_URL, digest.hexdigest()).urn


def _uses(statements: Iterable[Triple], namespace: str) -> bool:
    terms = (t for s in statements for t in (s.predicate, s.object, getattr(s.object, "datatype", None)))
    return any(isinstance(t, NamedNode) and t.value.startswith(namespace) for t in terms)


def _links(links: Sequence[Link]) -> Iterable[Triple]:
    for link in links:
        yield _triple(link.subject, PREDICATES[link.relation], NamedNode(link.target))


def _dataset(me: str, links: Sequence[Link], account: LinksetInfo) -> Iterable[Triple]:
    """The linkset in VoID: one `void:Linkset` for each predicate, since VoID gives it just one."""
    subjects = account.dataset or f"{me}#subjects"
    yield _type(me, VOID + "Dataset")
    yield _type(me, PROV + "Entity")
    yield _triple(me, VOID + "triples", _number(len({(k.subject, k.target, k.relation) for k in links})))
    yield _type(subjects, VOID + "Dataset")
    if not account.dataset and (space := _space([link.subject for link in links])):
        yield _triple(subjects, VOID + "uriSpace", Literal(space))
    for relation, predicate in PREDICATES.items():
        size = len({(k.subject, k.target) for k in links if k.relation == relation})
        if not size:
            continue
        part = f"{me}#{relation}"
        yield _triple(me, VOID + "subset", NamedNode(part))
        yield _type(part, VOID + "Linkset")
        yield _triple(part, VOID + "linkPredicate", NamedNode(predicate))
        yield _triple(part, VOID + "subjectsTarget", NamedNode(subjects))
        yield _triple(part, VOID + "objectsTarget", NamedNode(account.base + "dataset"))
        yield _triple(part, VOID + "triples", _number(size))


def _activities(me: str, links: Sequence[Link], account: LinksetInfo) -> Iterable[Triple]:
    """Who matched what, by what, and when."""
    at = Literal(account.at.isoformat(timespec="seconds"), datatype=NamedNode(XSD + "dateTime"))
    matching, software, release, table = (f"{me}#{n}" for n in ("matching", "software", "release", "table"))
    yield _triple(me, PROV + "generatedAtTime", at)
    yield _triple(me, PROV + "wasGeneratedBy", NamedNode(matching))
    yield _type(matching, PROV + "Activity")
    yield _triple(matching, PROV + "endedAtTime", at)
    yield _triple(matching, PROV + "wasAssociatedWith", NamedNode(software))
    yield _triple(matching, PROV + "used", NamedNode(release))
    yield _type(software, PROV + "SoftwareAgent")
    yield _triple(software, RDFS + "label", Literal(account.software))
    yield _type(release, PROV + "Entity")
    yield _triple(release, PROV + "specializationOf", NamedNode(account.base + "dataset"))
    yield _triple(release, DCAT + "version", Literal(account.release))
    if account.table:
        yield _triple(matching, PROV + "used", NamedNode(table))
        yield _type(table, PROV + "Entity")
        yield _triple(table, RDFS + "label", Literal(account.table))
    if reviewed := sorted({link.subject for link in links if link.is_reviewed}):
        yield from _review(me, reviewed, account, at)


def _review(me: str, subjects: Sequence[str], account: LinksetInfo, at: Literal) -> Iterable[Triple]:
    review, person = f"{me}#review", f"{me}#reviewer"
    yield _triple(me, PROV + "wasGeneratedBy", NamedNode(review))
    yield _type(review, PROV + "Activity")
    yield _triple(review, PROV + "endedAtTime", at)
    yield _triple(review, PROV + "wasInformedBy", NamedNode(f"{me}#matching"))
    yield _triple(review, PROV + "wasAssociatedWith", NamedNode(person))
    yield _type(person, PROV + "Person")
    if account.reviewer:
        yield _triple(person, FOAF + "name", Literal(account.reviewer))
    for subject in subjects:
        yield _triple(review, PROV + "used", NamedNode(subject))


def _space(subjects: Sequence[str]) -> str:
    """What all these IRIs begin with, up to a `/`, `#` or `:`; '' when that is no more than a scheme."""
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
