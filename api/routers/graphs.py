"""`/graph/{source}/{passage}`: a named graph, as a page and as RDF."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api import language
from api.errors import Problem
from api.responses import chosen_rdf, rdf_answer
from api.site import Site, site_of
from api.view import page
from kg import formats
from kg.entities import Fact

router = APIRouter()


@router.get("/graph/{path:path}", summary="A named graph")
def show(request: Request, path: str) -> Response:
    """The facts of one graph with what it is drawn from; as quads they stay in their graph."""
    site = site_of(request)
    graph = f"{site.base}graph/{path}"
    size = site.manifest.graphs.get(graph)
    if size is None:
        raise Problem(404, "unknown-graph", f"no graph is called '{path}'", {"path": path})
    if (syntax := chosen_rdf(request)) is not None:
        quads = site.entities.graph_document(graph)
        return rdf_answer(request, site, [*quads, *site.entities.evidence_links(quads)], syntax)
    if moved := language.redirect(request):
        return moved
    return page(
        request,
        language.language_of(request),
        "graph.html",
        graph=graph,
        path=path,
        size=size,
        evidence=site.entities.evidence(graph),
        subjects=_by_subject(site, graph) if size <= site.settings.max_table_rows else [],
        formats=formats.RDF_FORMATS,
    )


def _by_subject(site: Site, graph: str) -> list[tuple[str, list[Fact]]]:
    subjects: dict[str, list[Fact]] = {}
    for fact in site.entities.in_graph(graph):
        subjects.setdefault(fact.subject, []).append(fact)
    return sorted(subjects.items())
