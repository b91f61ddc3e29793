"""`/explain`: the evidence for a fact, either the passages that state it or the rules that infer it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pyoxigraph import Literal, NamedNode, RdfFormat, Triple, parse
from starlette.requests import Request
from starlette.responses import Response

from api.html.rendering import page
from api.html.view import View, view_of
from api.http.responses import json_answer, prefers_json
from api.http.route import JSON, PAGE, Cost, Router
from api.i18n import language
from api.problems import Problem
from api.site.site import Site, site_of
from kg.rdf import iris
from kg.release.explanation import ProofStep

router = Router()
_VARY = {"Vary": "Accept, Accept-Language, Cookie"}


@router.get("/explain", "Why a fact holds", Cost.MEDIUM, gives=(*JSON, *PAGE), statuses=(400, 404), for_robots=False)
def explain(
    request: Request,
    subject: Annotated[str, Query(description="The subject of the fact: an IRI or class:slug.")] = "",
    predicate: Annotated[str, Query(description="The property of the fact, or `a`.")] = "",
    object_: Annotated[
        str, Query(alias="object", description="The object: an IRI, class:slug, or a literal in N-Triples syntax.")
    ] = "",
) -> Response:
    """The passages that state a triple, or the rule that infers it with its premises, each explained in turn."""
    site = site_of(request)
    if not prefers_json(request) and (moved := language.redirect(request)):
        return moved
    triple = _triple(site, subject.strip(), predicate.strip(), object_.strip())
    step = site.explanations.explain(triple)
    if step is None:
        raise Problem(404, "fact-not-found", f"this release does not have the triple: {triple} .")
    view = view_of(request, language.language_of(request))
    if prefers_json(request):
        return json_answer(_as_json(view, step), _VARY)
    return page(request, view.language, "explain.html", step=step)


def _triple(site: Site, subject: str, predicate: str, object_: str) -> Triple:
    for name, written in (("subject", subject), ("predicate", predicate), ("object", object_)):
        if not written:
            raise Problem(400, "bad-parameter", f"{name}: missing; give subject, predicate and object")
    first, second = _named(site, "subject", subject), _named(site, "predicate", predicate)
    return Triple(first, second, _literal(object_) if object_.startswith('"') else _named(site, "object", object_))


def _named(site: Site, name: str, written: str) -> NamedNode:
    iri = iris.RDF_TYPE if written == "a" else site.context.expand(written.removeprefix("<").removesuffix(">"))
    if iris.ILLEGAL_IN_IRI.search(iri) or ":" not in iri:
        raise Problem(400, "bad-parameter", f"{name}: expected an IRI or class:slug, not '{written[:80]}'")
    return NamedNode(iri)


def _literal(written: str) -> Literal:
    """Parses a literal in N-Triples syntax."""
    try:
        (quad,) = parse(f"<x:s> <x:p> {written} .", format=RdfFormat.N_TRIPLES)
    except (SyntaxError, ValueError):
        quad = None
    if quad is None or not isinstance(quad.object, Literal):
        raise Problem(400, "bad-parameter", f"object: expected a literal in N-Triples syntax, not '{written[:80]}'")
    return quad.object


def _as_json(view: View, step: ProofStep) -> dict[str, object]:
    triple = {"subject": str(step.triple.subject), "predicate": str(step.triple.predicate)}
    evidence = [view.site.entities.evidence(graph) for graph in step.graphs]
    found: dict[str, object] = {
        **triple,
        "object": str(step.triple.object),
        "kind": "stated" if step.graphs else "inferred",
        "evidence": [
            {"graph": e.graph, "kind": e.kind, "source": e.source, "first_line": e.first, "last_line": e.last}
            for e in evidence
        ],
    }
    if step.rule:
        found["rule"] = {"name": step.rule.name, "title": step.rule.title, "description": step.rule.description}
        found["premises"] = [_as_json(view, premise) for premise in step.premises]
    return found
