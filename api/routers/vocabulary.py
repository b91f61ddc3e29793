"""`/ontology`, `/context.jsonld`, `/shapes.ttl`: the vocabulary, documented and as files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter
from pyoxigraph import NamedNode
from starlette.requests import Request
from starlette.responses import Response

from api import language
from api.errors import Problem
from api.responses import answer, chosen_rdf, rdf_answer
from api.site import Site, site_of
from api.view import page
from kg import formats, iris
from kg.entities import OWL, RDFS
from kg.terms import value

router = APIRouter()

_KINDS = {
    "classes": OWL + "Class",
    "object_properties": OWL + "ObjectProperty",
    "datatype_properties": OWL + "DatatypeProperty",
    "annotation_properties": OWL + "AnnotationProperty",
}
_RELATIONS = {
    "term_super_class": RDFS + "subClassOf",
    "term_super_property": RDFS + "subPropertyOf",
    "term_domain": RDFS + "domain",
    "term_range": RDFS + "range",
    "term_inverse": OWL + "inverseOf",
    "term_disjoint": OWL + "disjointWith",
}
_BACKWARD = {"term_sub_class": RDFS + "subClassOf", "term_sub_property": RDFS + "subPropertyOf"}


@dataclass(frozen=True, slots=True)
class Term:
    """A term of the ontology: its anchor, and what the axioms say of it, relation to IRIs."""

    iri: str
    relations: dict[str, list[str]]

    @property
    def anchor(self) -> str:
        return self.iri.partition("#")[2]


@router.get("/ontology", summary="The ontology")
def ontology(request: Request) -> Response:
    """The terms as a page whose anchors are their local names, or the ontology graph as RDF."""
    site = site_of(request)
    if (syntax := chosen_rdf(request)) is not None:
        return rdf_answer(site, site.entities.graph_document(site.entities.ontology.value), syntax)
    if moved := language.redirect(request):
        return moved
    own, borrowed = _sections(site)
    return page(
        request,
        language.language_of(request),
        "ontology.html",
        iri=iris.ONTOLOGY,
        sections=own,
        borrowed=borrowed,
        has_shapes=_shapes(site).is_file(),
        formats=formats.RDF_FORMATS,
    )


@router.get("/context.jsonld", summary="The JSON-LD context")
def context(request: Request) -> Response:
    body = json.dumps(site_of(request).context.document, ensure_ascii=False, indent=1).encode() + b"\n"
    return answer(body, "application/ld+json; charset=utf-8")


@router.get("/shapes.ttl", summary="The SHACL shapes")
def shapes(request: Request) -> Response:
    path = _shapes(site_of(request))
    if not path.is_file():
        raise Problem(404, "not-found", "this release has no shapes")
    return answer(path.read_bytes(), "text/turtle; charset=utf-8")


def _shapes(site: Site) -> Path:
    return site.project / "ontology" / "shapes.ttl"


def _sections(site: Site) -> tuple[dict[str, list[Term]], list[str]]:
    """Our terms by kind, and the borrowed ones."""
    graph = site.entities.ontology
    typed: dict[str, set[str]] = {}
    for quad in site.release.store.quads_for_pattern(None, NamedNode(iris.RDF_TYPE), None, graph):
        if isinstance(quad.subject, NamedNode):
            typed.setdefault(value(quad.object), set()).add(quad.subject.value)
    kinds = {key: typed.get(iri, set()) for key, iri in _KINDS.items()}
    declared = set().union(*kinds.values())
    everything = set().union(*typed.values()) if typed else set()
    kinds["individuals"] = {i for i in everything - declared if i.startswith(iris.ONTOLOGY + "#")}
    own = {
        key: [_term(site, iri) for iri in sorted(found, key=str.lower) if iri.startswith(iris.ONTOLOGY + "#")]
        for key, found in kinds.items()
    }
    borrowed = sorted(i for i in declared if not i.startswith(iris.ONTOLOGY))
    return {key: terms for key, terms in own.items() if terms}, borrowed


def _term(site: Site, iri: str) -> Term:
    store, graph, node = site.release.store, site.entities.ontology, NamedNode(iri)
    relations: dict[str, list[str]] = {}
    for key, relation in _RELATIONS.items():
        forward = store.quads_for_pattern(node, NamedNode(relation), None, graph)
        relations[key] = sorted(value(q.object) for q in forward if isinstance(q.object, NamedNode))
    for key, relation in _BACKWARD.items():
        backward = store.quads_for_pattern(None, NamedNode(relation), node, graph)
        relations[key] = sorted(value(q.subject) for q in backward if isinstance(q.subject, NamedNode))
    inverse = store.quads_for_pattern(None, NamedNode(OWL + "inverseOf"), node, graph)
    relations["term_inverse"] += [value(q.subject) for q in inverse]
    kinds = store.quads_for_pattern(node, NamedNode(iris.RDF_TYPE), None, graph)
    relations["term_type"] = sorted(k for q in kinds if (k := value(q.object)) not in _KINDS.values())
    return Term(iri, {key: found for key, found in relations.items() if found})
