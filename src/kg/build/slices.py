"""Slices: the part of a dataset on which the conformance of a document depends, since shapes follow only one link.

Shapes here refer to values of single properties, in either direction, and to their classes. So conformance depends only
on the statements about a document's nodes with properties that occur in shapes, and on the classes of their neighbours.
A document that conformed conforms as long as its slice does not change.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import rdflib
from pyoxigraph import NamedNode, Quad, Triple

from kg.rdf import iris
from kg.rdf.terms import value

SH = rdflib.SH
# The SHACL terms for which this holds; with any other term the whole dataset is validated.
_LOCAL = frozenset(
    {
        *("targetClass", "property", "path", "alternativePath", "inversePath", "message", "severity", "name"),
        *("minCount", "maxCount", "class", "datatype", "nodeKind", "pattern", "flags", "minLength", "maxLength"),
        *("minInclusive", "maxInclusive", "minExclusive", "maxExclusive", "lessThan", "lessThanOrEquals", "equals"),
        *("in", "hasValue", "uniqueLang", "languageIn", "qualifiedValueShape", "qualifiedMinCount"),
        "qualifiedMaxCount",
    }
)
_OF_LITERALS = frozenset({"languageIn", "datatype", "nodeKind", "pattern", "in"})


@dataclass(frozen=True, slots=True)
class Scope:
    """The properties that shapes follow, forwards and backwards."""

    forwards: frozenset[str]
    backwards: frozenset[str]


def scope(shapes: rdflib.Graph) -> Scope | None:
    """The properties that the shapes follow; None if they may follow more than one link."""
    nested = set(shapes.objects(predicate=SH.qualifiedValueShape))
    if _words(shapes) - _LOCAL or any(_words(shapes, shape) - _OF_LITERALS for shape in nested):
        return None
    paths = {path for _, path in shapes.subject_objects(SH.path)}
    for either in shapes.objects(predicate=SH.alternativePath):
        paths |= set(shapes.items(either))
    alternatives = {p for p in paths if (p, SH.alternativePath, None) in shapes}
    inverse = {p for p in paths if (p, SH.inversePath, None) in shapes}
    backwards = {shapes.value(p, SH.inversePath) for p in inverse}
    compared = {o for word in (SH.lessThan, SH.lessThanOrEquals, SH.equals) for o in shapes.objects(predicate=word)}
    forwards = (paths - alternatives - inverse) | compared
    if any(not isinstance(p, rdflib.URIRef) or p == rdflib.RDF.type for p in forwards | backwards):
        return None
    return Scope(frozenset(map(str, forwards)), frozenset(map(str, backwards)))


def _words(shapes: rdflib.Graph, shape: rdflib.term.Node | None = None) -> set[str]:
    """The SHACL terms that are used, in one shape or in all."""
    namespace = str(SH)
    used = map(str, shapes.predicates(subject=shape))
    return {word.removeprefix(namespace) for word in used if word.startswith(namespace)}


@dataclass(slots=True)
class Documents:
    """The statements that shapes depend on, by document, and the classes of all nodes."""

    statements: dict[str, list[Triple]] = field(default_factory=lambda: defaultdict(list))
    classes: dict[str, list[Triple]] = field(default_factory=lambda: defaultdict(list))

    def part(self, document: str) -> Iterator[Triple]:
        """The slice of a document: statements about its nodes, and the classes of these and their neighbours."""
        for triple in self.statements[document]:
            yield triple
            yield from self.classes.get(value(triple.object), ())
            yield from self.classes.get(value(triple.subject), ())

    def key(self, document: str, fingerprint: bytes) -> bytes:
        """The hash of a document's slice."""
        lines = sorted({str(triple) for triple in self.part(document)})
        return hashlib.sha256(fingerprint + "\n".join((document, *lines)).encode()).digest()


def documents(quads: Iterable[Quad], looked_at: Scope) -> Documents:
    """The merged quads by document; those with a blank node as subject belong to none."""
    found = Documents()
    for triple in dict.fromkeys(quad.triple for quad in quads):
        if not isinstance(triple.subject, NamedNode):
            continue
        predicate = triple.predicate.value
        if predicate == iris.RDF_TYPE:
            found.classes[triple.subject.value].append(triple)
        if predicate == iris.RDF_TYPE or predicate in looked_at.forwards:
            found.statements[iris.document_of(triple.subject.value)].append(triple)
        if predicate in looked_at.backwards and isinstance(triple.object, NamedNode):
            found.statements[iris.document_of(triple.object.value)].append(triple)
    return found


def quads_of(found: Documents, chosen: Collection[str], ontology: Iterable[Quad]) -> list[Quad]:
    """The slices of some documents with the ontology, as quads of the default graph."""
    parts = dict.fromkeys(triple for document in chosen for triple in found.part(document))
    return [*ontology, *(Quad(t.subject, t.predicate, t.object) for t in parts)]


def fingerprint(shapes: Path) -> bytes:
    """The hash of everything else that conformance depends on: shapes, ontology, this code and the engine's."""
    from importlib.metadata import version

    digest = hashlib.sha256(f"{version('pyshacl')} {version('rdflib')}".encode())
    for path in (*sorted(shapes.parent.rglob("*.ttl")), Path(__file__)):
        digest.update(path.read_bytes())
    return digest.digest()
