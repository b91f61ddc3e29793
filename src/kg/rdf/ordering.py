"""The order in which statements are written: by subject, with `rdf:type` first."""

from __future__ import annotations

from collections.abc import Iterable

from pyoxigraph import Quad, Triple

from kg.rdf import iris


def sort_quads(quads: Iterable[Quad]) -> list[Quad]:
    """Each quad once, by subject (`rdf:type` first) and graph: what the serialisers need to group them well."""
    return sorted(dict.fromkeys(quads), key=_quad_order)


def sort_triples(statements: Iterable[Quad | Triple]) -> list[Triple]:
    """The triples of statements, each once, by subject with `rdf:type` first."""
    triples = dict.fromkeys(Triple(s.subject, s.predicate, s.object) for s in statements)
    return sorted(triples, key=triple_order)


def triple_order(statement: Quad | Triple) -> tuple[str, str, str]:
    """What triples are sorted by: the subject, then the property with `rdf:type` first, then the object."""
    predicate = "" if statement.predicate.value == iris.RDF_TYPE else statement.predicate.value
    return str(statement.subject), predicate, str(statement.object)


def _quad_order(quad: Quad) -> tuple[str, str, str, str]:
    return str(quad.graph_name), *triple_order(quad)
