"""Merged with real copies of the vocabularies that it borrows from, the whole graph is consistent.

A release declares only the axioms that its closure uses. Who loads it beside the vocabularies themselves has all of
them, with their domains, ranges and disjoint classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dataset import BASE, PROJECT, load
from hermit import is_consistent
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, RdfFormat, Triple, parse

from kg.curation import builder
from kg.rdf import iris
from kg.rdf.namespaces import OWL, RDFS
from kg.rdf.terms import value

PACKAGES = Path(__file__).parent / "clients" / "node_modules" / "@vocabulary"
# Vocabularies as npm packages, and those that lie beside the checkout.
INSTALLED = ("skos", "org", "prov", "qb", "time", "dcterms")
COPIED = ("eli-1.5.rdf", "frapo.ttl", "cito.ttl", "bibo.owl")
RDF = iris.RDF_TYPE.removesuffix("type")
# What says nothing about the world: texts, versions, and imports of further vocabularies.
ANNOTATIONS = frozenset(
    [RDFS + name for name in ("label", "comment", "seeAlso", "isDefinedBy")]
    + [OWL + name for name in ("imports", "versionInfo", "versionIRI", "priorVersion", "deprecated")]
    + [OWL + name for name in ("backwardCompatibleWith", "incompatibleWith")]
)
KINDS = {OWL + "ObjectProperty": "object", OWL + "DatatypeProperty": "value"}
# HermiT knows the OWL 2 datatype map, which has no dates.
_OUTSIDE = ("date", "gYear", "gYearMonth", "gMonth", "gDay", "gMonthDay", "time", "duration", "dayTimeDuration")
UNSUPPORTED = frozenset("http://www.w3.org/2001/XMLSchema#" + name for name in _OUTSIDE)


def read(path: Path) -> Iterator[Triple]:
    """The axioms of a vocabulary."""
    syntax = {".nq": RdfFormat.N_QUADS, ".ttl": RdfFormat.TURTLE}.get(path.suffix, RdfFormat.RDF_XML)
    for quad in parse(path=str(path), format=syntax, rename_blank_nodes=True):
        if quad.predicate.value.startswith((RDF, RDFS, OWL)) and quad.predicate.value not in ANNOTATIONS:
            yield quad.triple


def without_counts(axioms: list[Triple]) -> list[Triple]:
    """Without restrictions that count: on a property that is transitive for us they are not allowed (OWL 2, 11.2)."""
    counted = {t.subject for t in axioms if "ardinality" in t.predicate.value}
    return [t for t in axioms if t.subject not in counted and t.object not in counted]


def merged(axioms: list[Triple], quads: list[Quad]) -> list[Triple]:
    """The axioms of all, and the facts by their object properties and by values of datatypes that OWL has."""
    ours = [q.triple for q in builder.ontology_quads(PROJECT)]
    terms = {value(t.subject) for t in ours if t.predicate.value == iris.RDF_TYPE and value(t.object).startswith(OWL)}
    axioms = axioms + [t for t in ours if value(t.subject) in terms or isinstance(t.subject, BlankNode)]
    axioms = [
        t for t in axioms if t.predicate.value.startswith((RDF, RDFS, OWL)) and t.predicate.value not in ANNOTATIONS
    ]
    axioms = without_counts([t for t in axioms if value(t.object) not in UNSUPPORTED])
    kinds: dict[str, set[str]] = {}
    for t in axioms:
        if t.predicate.value == iris.RDF_TYPE and value(t.object) in KINDS:
            kinds.setdefault(value(t.subject), set()).add(KINDS[value(t.object)])

    def is_fact(t: Triple) -> bool:
        if t.predicate.value in (iris.RDF_TYPE, OWL + "sameAs"):
            return isinstance(t.object, NamedNode)
        kind = kinds.get(t.predicate.value, set())
        if isinstance(t.object, Literal):
            return kind == {"value"} and t.object.datatype.value not in UNSUPPORTED and not t.object.language
        return "object" in kind

    return axioms + [q.triple for q in quads if is_fact(q.triple)]


@pytest.fixture(scope="module")
def vocabularies(beside: Path) -> list[Triple]:
    if not PACKAGES.is_dir():
        pytest.skip("needs npm ci --prefix tests/clients")
    files = [PACKAGES / name / f"{name}.nq" for name in INSTALLED]
    files += [beside / "vocabularies" / name for name in COPIED]
    return [t for path in files for t in read(path)]


def test_the_graph_is_consistent_with_the_vocabularies(vocabularies: list[Triple]) -> None:
    assert is_consistent(merged(vocabularies, load().asserted))


def test_a_body_that_is_matched_as_a_concept_is_not(vocabularies: list[Triple]) -> None:
    """SKOS: what is matched is a concept. This is what the check would have found before."""
    node = NamedNode(BASE.id + "organization/riken")
    match = NamedNode("http://www.w3.org/2004/02/skos/core#exactMatch")
    wrong = Quad(node, match, NamedNode("https://doi.org/10.13039/501100006264"), NamedNode("urn:test"))
    assert not is_consistent(merged(vocabularies, [*load().asserted, wrong]))
