"""The checks that data must pass: SHACL shapes, and queries whose every row is a violation."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import rdflib
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, RdfFormat, Store, parse

from kg.build import slices
from kg.curation.builder import Curated
from kg.errors import FileProblem
from kg.rdf import iris
from kg.rdf.context import Context
from kg.rdf.terms import AnyTerm, value
from kg.release.store import merged
from kg.sparql import library
from kg.sparql.library import StoredQuery

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
    return rdflib.Literal(term.value, datatype=None if datatype == rdflib.XSD.string else datatype, normalize=False)


@dataclass(frozen=True, slots=True)
class Violation:
    """One result of SHACL: terms in their N-Triples form, '' for none; messages by language.

    `path` has the alternatives of the property path, an inverse one with `^` before its IRI. `shape` is the IRI of the
    node shape.
    """

    focus: str
    path: tuple[str, ...]
    value: str
    messages: dict[str, str]
    severity: str
    component: str
    shape: str


def violations(quads: Iterable[Quad], shapes: rdflib.Graph) -> list[Violation]:
    """What breaks the shapes (SHACL Core and SHACL-SPARQL), in no order."""
    import pyshacl

    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")
        _, report, _ = pyshacl.validate(
            to_rdflib(quads), shacl_graph=shapes, inference="none", meta_shacl=False, advanced=False
        )
    assert isinstance(report, rdflib.Graph)
    return [_violation(report, shapes, result) for result in report.subjects(rdflib.RDF.type, SH.ValidationResult)]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps rdflib from writing a traceback about each literal that is not of its datatype: a check tells of them."""
    log = logging.getLogger("rdflib.term")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def _violation(report: rdflib.Graph, shapes: rdflib.Graph, result: rdflib.term.Node) -> Violation:
    shape, messages = report.value(result, SH.sourceShape), report.objects(result, SH.resultMessage)
    # A property shape has no name of its own; the node shape around it has.
    named = shape if isinstance(shape, rdflib.URIRef) else shapes.value(predicate=SH.property, object=shape)
    return Violation(
        _n3(report.value(result, SH.focusNode)),
        tuple(_path(report, report.value(result, SH.resultPath))),
        _n3(report.value(result, SH.value)),
        dict(sorted((m.language or "", str(m)) for m in messages if isinstance(m, rdflib.Literal))),
        str(report.value(result, SH.resultSeverity)),
        str(report.value(result, SH.sourceConstraintComponent)),
        str(named or ""),
    )


def _n3(term: rdflib.term.Node | None) -> str:
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


def _path(report: rdflib.Graph, path: rdflib.term.Node | None) -> Iterator[str]:
    """The alternatives of a path; our shapes have no sequences and no repetitions."""
    if isinstance(path, rdflib.URIRef):
        yield str(path)
    elif path is not None:
        inverse, either = report.value(path, SH.inversePath), report.value(path, SH.alternativePath)
        if inverse is not None:
            yield from (f"^{one}" for one in _path(report, inverse))
        elif either is not None:
            for one in report.items(either):
                yield from _path(report, one)


def shacl(quads: list[Quad], shapes: Path, curated: Curated) -> list[FileProblem]:
    """The violations of the shapes, placed where the focus node stands in the files.

    A document that conformed before, and on which nothing bears that has changed, is not validated again.
    """
    return [_problem(found, curated) for found in _violations(quads, rdflib.Graph().parse(shapes), shapes, curated)]


def _violations(quads: list[Quad], graph: rdflib.Graph, shapes: Path, curated: Curated) -> list[Violation]:
    looked_at = slices.scope(graph)
    if curated.parses is None or looked_at is None:
        return violations(quads, graph)
    documents, fingerprint = slices.documents(quads, looked_at), slices.fingerprint(shapes)
    keys = {document: documents.key(document, fingerprint) for document in documents.statements}
    due = {document for document, key in keys.items() if not curated.parses.has_conformed(key)}
    ontology = [quad for quad in quads if quad.graph_name == NamedNode(iris.ONTOLOGY_GRAPH)]
    found = violations(slices.quads_of(documents, due, ontology), graph) if due else []
    # Neighbours are there for their classes alone.
    found = [v for v in found if v.focus[:1] != "<" or iris.document_of(v.focus.strip("<>")) in due]
    faulty = {iris.document_of(v.focus.strip("<>")) for v in found}
    curated.parses.conformed(keys[document] for document in due - faulty)
    return found


def _problem(found: Violation, curated: Curated) -> FileProblem:
    focus = found.focus.strip("<>")
    predicate = found.path[0] if len(found.path) == 1 and found.path[0][0] != "^" else ""
    shown = f" (is: {_bare(found.value)})" if found.value and found.value != found.focus else ""
    name = curated.context.compact(focus)
    what = f" {curated.context.compact(predicate)}" if predicate else ""
    problem = _placed(curated, focus, predicate, "shape", f"{name}{what}: {_message(found.messages)}{shown}")
    return problem if found.severity == str(SH.Violation) else replace(problem, is_warning=True)


def _bare(term: str) -> str:
    """The text of a term without quotes and marks."""
    triple = next(iter(parse(f"<urn:s> <urn:p> {term} .", format=RdfFormat.N_TRIPLES)))
    return value(triple.object)


def _message(messages: Mapping[str, str]) -> str:
    return " / ".join(messages[k] for k in ("en", "ja", "") if k in messages)


def _placed(curated: Curated, subject: str, predicate: str, rule: str, message: str) -> FileProblem:
    if position := curated.position(subject, predicate):
        return position.problem(rule, message)
    return FileProblem("data", 0, 0, rule, message)


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One row of a check query: `this` is at fault, the other columns say what."""

    query: StoredQuery
    this: AnyTerm
    others: dict[str, AnyTerm]


def rows(quads: Iterable[Quad], checks: Iterable[StoredQuery]) -> Iterator[CheckRow]:
    """What the check queries find; each row is a violation."""
    store = Store()
    # Not in bulk: that would reserve 200 MB of addresses for its threads, which are what a process is limited in.
    store.extend(quads)
    for query in checks:
        for row in library.select(store, query.text):
            found = {name: row[name] for name in query.columns}
            yield CheckRow(query, found.pop("this"), {name: v for name, v in found.items() if v is not None})


def checks(quads: Iterable[Quad], folder: Path, curated: Curated) -> list[FileProblem]:
    """A problem for every row that a check query finds; `?this` says where, the other columns say what."""
    problems: list[FileProblem] = []
    for row in rows(merged(quads), [library.read(path) for path in sorted(folder.glob("*.rq"))]):
        this, title = _text(row.this, curated.context), row.query.title
        others = ", ".join(_text(v, curated.context) for v in row.others.values())
        message = f"{this}: {title['en']} / {title['ja']}" + (f": {others}" if others else "")
        problems.append(_placed(curated, value(row.this), "", row.query.name, message))
    return problems


def _text(term: AnyTerm, context: Context) -> str:
    if isinstance(term, NamedNode):
        return context.compact(term.value)
    return f"'{term.value}'" if isinstance(term, Literal) else str(term)
