"""pyshacl as the referee of SHACL: what it reports, in the terms of `kg.build.shapes`."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyshacl
import rdflib
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, RdfFormat, parse
from rdflib.namespace import SH, XSD

from kg.build.shapes import Violation
from kg.rdf.terms import AnyTerm


def violations(quads: Iterable[Quad], *shapes: Path) -> list[Violation]:
    """What the referee finds, in no particular order; a shape's own texts only, none of the referee's."""
    # rdflib's parser would write some literals anew.
    graph = rdflib.Graph()
    for path in shapes:
        base = path.resolve().as_uri()
        graph += to_rdflib(parse(path=str(path), format=RdfFormat.TURTLE, base_iri=base, rename_blank_nodes=True))
    with _quiet():
        _, report, _ = pyshacl.validate(to_rdflib(quads), shacl_graph=graph, inference="none", advanced=False)
    assert isinstance(report, rdflib.Graph)
    return read(report, graph)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps rdflib from logging a traceback for each ill-typed literal, and from warning of it."""
    log = logging.getLogger("rdflib.term")
    before, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.disabled = before


def to_rdflib(quads: Iterable[Quad]) -> rdflib.Graph:
    """The merged triples of the quads."""
    graph = rdflib.Graph()
    with _quiet():
        for quad in quads:
            graph.add((_rdflib_term(quad.subject), _rdflib_term(quad.predicate), _rdflib_term(quad.object)))
    return graph


def _rdflib_term(term: AnyTerm) -> rdflib.term.Node:
    if isinstance(term, NamedNode):
        return rdflib.URIRef(term.value)
    if isinstance(term, BlankNode):
        return rdflib.BNode(term.value)
    assert isinstance(term, Literal)
    # rdflib keeps "x" and "x"^^xsd:string apart, which RDF 1.1 does not.
    datatype = None if term.language or term.datatype.value == str(XSD.string) else term.datatype.value
    return rdflib.Literal(
        term.value, lang=term.language, datatype=datatype and rdflib.URIRef(datatype), normalize=False
    )


def read(report: rdflib.Graph, shapes: rdflib.Graph) -> list[Violation]:
    """The violations of a validation report (SHACL, section 3.6)."""
    return [_violation(report, shapes, result) for result in report.objects(predicate=SH.result)]


def _violation(report: rdflib.Graph, shapes: rdflib.Graph, result: rdflib.term.Node) -> Violation:
    shape, messages = report.value(result, SH.sourceShape), report.objects(result, SH.resultMessage)
    own = set(shapes.objects(predicate=SH.message))
    while shape is not None and not isinstance(shape, rdflib.URIRef):
        shape = shapes.value(predicate=SH.property, object=shape)
    return Violation(
        text(report.value(result, SH.focusNode)),
        _path(report, report.value(result, SH.resultPath)),
        text(report.value(result, SH.value)),
        dict(sorted((m.language or "", str(m)) for m in messages if isinstance(m, rdflib.Literal) and m in own)),
        str(report.value(result, SH.resultSeverity)),
        str(report.value(result, SH.sourceConstraintComponent)),
        str(shape or ""),
    )


def text(term: rdflib.term.Node | None) -> str:
    """The term as N-Triples has it; rdflib's own way shortens what Turtle could."""
    if term is None:
        return ""
    if isinstance(term, rdflib.URIRef):
        return f"<{term}>"
    if isinstance(term, rdflib.BNode):
        return f"_:{term}"
    assert isinstance(term, rdflib.Literal)
    if term.language:
        return str(Literal(str(term), language=term.language))
    return str(Literal(str(term), datatype=NamedNode(str(term.datatype)) if term.datatype else None))


def _path(report: rdflib.Graph, path: rdflib.term.Node | None) -> tuple[str, ...]:
    either = report.value(path, SH.alternativePath) if path is not None else None
    steps = [_step(report, step) for step in (report.items(either) if either is not None else [path])]
    return tuple(steps) if all(steps) else ()


def _step(report: rdflib.Graph, step: rdflib.term.Node | None) -> str:
    if isinstance(step, rdflib.BNode):
        inverse = report.value(step, SH.inversePath)
        return f"^{inverse}" if isinstance(inverse, rdflib.URIRef) else ""
    return str(step or "")


def sorted_by_content(found: Iterable[Violation]) -> Sequence[Violation]:
    return sorted(found, key=lambda v: (v.focus, v.path, v.value, v.component, v.shape, sorted(v.messages.items())))
