"""The checks that data must pass: SHACL shapes, and queries whose every row is a violation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import rdflib
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, Store

from kg import queries
from kg.builder import Curated
from kg.context import Context
from kg.errors import Problem
from kg.store import merged
from kg.terms import AnyTerm, value

SH = rdflib.SH


def to_rdflib(quads: Iterable[Quad]) -> rdflib.Graph:
    """The merged triples of the quads, each once."""
    graph = rdflib.Graph()
    terms: dict[object, rdflib.term.Node] = {}

    def term(node: AnyTerm) -> rdflib.term.Node:
        if node not in terms:
            terms[node] = _rdflib_term(node)
        return terms[node]

    graph.addN((term(q.subject), term(q.predicate), term(q.object), graph) for q in quads)
    return graph


def _rdflib_term(term: AnyTerm) -> rdflib.term.Node:
    if isinstance(term, NamedNode):
        return rdflib.URIRef(term.value)
    if isinstance(term, BlankNode):
        return rdflib.BNode(term.value)
    assert isinstance(term, Literal)
    if term.language:
        return rdflib.Literal(term.value, lang=term.language)
    # rdflib keeps "x" and "x"^^xsd:string apart, which RDF 1.1 does not.
    datatype = rdflib.URIRef(term.datatype.value)
    return rdflib.Literal(term.value, datatype=None if datatype == rdflib.XSD.string else datatype)


def shacl(quads: Iterable[Quad], shapes: Path, curated: Curated) -> list[Problem]:
    """The violations of the shapes (SHACL Core and SHACL-SPARQL), placed where the focus node stands in the files."""
    import pyshacl

    _, report, _ = pyshacl.validate(
        to_rdflib(quads),
        shacl_graph=rdflib.Graph().parse(shapes, format="turtle"),
        inference="none",
        meta_shacl=False,
        advanced=False,
    )
    assert isinstance(report, rdflib.Graph)
    problems: list[Problem] = []
    for result in report.subjects(rdflib.RDF.type, SH.ValidationResult):
        focus = str(report.value(result, SH.focusNode))
        path = report.value(result, SH.resultPath)
        predicate = str(path) if isinstance(path, rdflib.URIRef) else ""
        found = report.value(result, SH.value)
        shown = f" (is: {found})" if found is not None and str(found) != focus else ""
        name = curated.context.compact(focus)
        what = f" {curated.context.compact(predicate)}" if predicate else ""
        problem = _placed(curated, focus, predicate, "shape", f"{name}{what}: {_message(report, result)}{shown}")
        is_violation = report.value(result, SH.resultSeverity) == SH.Violation
        problems.append(problem if is_violation else replace(problem, is_warning=True))
    return problems


def _message(report: rdflib.Graph, result: rdflib.term.Node) -> str:
    messages = [m for m in report.objects(result, SH.resultMessage) if isinstance(m, rdflib.Literal)]
    by_language = {m.language or "": str(m) for m in messages}
    return " / ".join(by_language[k] for k in ("en", "ja", "") if k in by_language)


def _placed(curated: Curated, subject: str, predicate: str, rule: str, message: str) -> Problem:
    if position := curated.position(subject, predicate):
        return position.problem(rule, message)
    return Problem("data", 0, 0, rule, message)


def checks(quads: Iterable[Quad], folder: Path, curated: Curated) -> list[Problem]:
    """A problem for every row that a check query finds; `?this` says where, the other columns say what."""
    store = Store()
    store.bulk_extend(merged(quads))
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.rq")):
        query = queries.read(path)
        for row in queries.select(store, query.text):
            values = {name: row[name] for name in query.columns}
            this = _text(values.pop("this"), curated.context)
            others = ", ".join(_text(v, curated.context) for v in values.values() if v is not None)
            message = f"{this}: {query.title['en']} / {query.title['ja']}" + (f": {others}" if others else "")
            subject = value(row["this"])
            problems.append(_placed(curated, subject, "", query.name, message))
    return problems


def _text(term: AnyTerm, context: Context) -> str:
    if isinstance(term, NamedNode):
        return context.compact(term.value)
    return f"'{term.value}'" if isinstance(term, Literal) else str(term)
