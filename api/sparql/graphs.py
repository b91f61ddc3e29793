"""`/graph`: the read operations of the SPARQL 1.1 Graph Store HTTP Protocol, and a page for each named graph."""

from __future__ import annotations

import difflib
from typing import Annotated

from fastapi import Query as Parameter
from starlette.requests import Request
from starlette.responses import Response

from api.html.rendering import page
from api.http.parameters import Texts
from api.http.responses import answer, chosen_rdf, rdf_answer
from api.http.route import PAGE, RDF, Cost, Router
from api.i18n import language
from api.problems import Problem
from api.queries import execution
from api.queries.execution import Formats
from api.site.site import Site, site_of
from kg.engines.evaluation import Query
from kg.rdf import formats
from kg.release.facts import Fact

router = Router()
_WHOLE = "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }"


@router.get("/graph", "A graph of the store", Cost.QUERY, gives=RDF, statuses=(400, 404, 413, 429, 503, 504))
async def indirect(
    request: Request,
    graph: Annotated[Texts, Parameter(description="The IRI of a named graph.")] = (),
    default: Annotated[str | None, Parameter(description="The default graph; takes no value.")] = None,
) -> Response:
    """Return the graph that `?graph=IRI` or `?default` identifies (Graph Store HTTP Protocol, 4.2)."""
    site = site_of(request)
    if len(graph) + (default is not None) != 1:
        raise Problem(400, "which-graph", "choose one graph: ?default, or ?graph= and its IRI")
    if graph and graph[0] not in site.manifest.graphs:
        near = difflib.get_close_matches(graph[0], site.manifest.graphs, n=3)
        detail = f"there is no graph '{graph[0][:200]}'"
        raise Problem(404, "unknown-graph", detail, {"path": graph[0], "nearest": near})
    syntax = chosen_rdf(request, html=False)
    assert syntax is not None
    result = await execution.run(request, site, Query(_WHOLE, graph), Formats(graph=syntax.name))
    return answer(result.body, result.content_type, {"Vary": "Accept", "Link": f'<{site.licence}>; rel="license"'})


@router.get("/graph/{path:path}", "A named graph", Cost.LARGE, gives=(*RDF, *PAGE), statuses=(301, 404))
def show(request: Request, path: str) -> Response:
    """Return the facts of a named graph and its evidence; formats with graphs keep the graph name."""
    site = site_of(request)
    graph = f"{site.base}graph/{path}"
    size = site.manifest.graphs.get(graph)
    if size is None:
        raise Problem(404, "unknown-graph", f"there is no graph '{path}'", {"path": path})
    if (syntax := chosen_rdf(request)) is not None:
        quads = site.entities.graph_document(graph)
        return rdf_answer(site, [*quads, *site.entities.evidence_links(quads)], syntax)
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
