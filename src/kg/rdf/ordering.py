"""Sorts statements for output: by subject, with `rdf:type` first."""

from __future__ import annotations

from collections.abc import Iterable

from pyoxigraph import Quad, Triple

from kg.rdf import iris


def sort_quads(quads: Iterable[Quad]) -> list[Quad]:
    """Distinct quads by subject (`rdf:type` first) and graph, so that serializers can group them."""
    return sorted(dict.fromkeys(quads), key=_quad_order)


def sort_triples(statements: Iterable[Quad | Triple]) -> list[Triple]:
    """The distinct triples of statements, by subject with `rdf:type` first."""
    triples = dict.fromkeys(Triple(s.subject, s.predicate, s.object) for s in statements)
    return sorted(triples, key=triple_order)


def triple_order(statement: Quad | Triple) -> tuple[str, str, str]:
    """The sort key of triples: subject, then property with `rdf:type` first, then object."""
    predicate = "" if statement.predicate.value == iris.RDF_TYPE else statement.predicate.value
    return str(statement.subject), predicate, str(statement.object)


def _quad_order(quad: Quad) -> tuple[str, str, str, str]:
    return str(quad.graph_name), *triple_order(quad)
