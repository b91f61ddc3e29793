"""`/charts`: pages that show several stored queries on a subject as charts with tables."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from api.admission.slots import in_thread
from api.html.access import Access
from api.html.rendering import page
from api.html.view import View, view_of
from api.http.route import PAGE, QUERY_ERRORS, Cost, Router
from api.i18n import language
from api.problems import Problem
from api.queries import execution
from api.queries.execution import QueryOutcome
from api.site.site import Site, site_of
from kg.engines.evaluation import Query
from kg.errors import nearest
from kg.sparql import library
from kg.sparql.library import StoredQuery

router = Router()


@dataclass(frozen=True, slots=True)
class Chart:
    """A stored query with its result."""

    query: StoredQuery
    result: QueryOutcome
    access: Access


@router.get("/charts", "Charts", Cost.SMALL, gives=PAGE)
def listing(request: Request) -> Response:
    """The list of subjects."""
    if moved := language.redirect(request):
        return moved
    return page(request, language.language_of(request), "charts.html", subjects=site_of(request).chart_pages)


@router.get("/charts/{name}", "A subject in charts", Cost.QUERY, gives=PAGE, statuses=(404, *QUERY_ERRORS))
async def show(request: Request, name: str) -> Response:
    """A subject as charts, each with its table, its query and its downloads."""
    site = site_of(request)
    subjects = site.chart_pages
    if name not in subjects:
        raise Problem(404, "not-found", f"no charts on '{name[:60]}'{nearest(name, subjects)}")
    if moved := language.redirect(request):
        return moved
    view = view_of(request, language.language_of(request))
    charts = [await chart(request, site, view, site.queries[q]) for q in subjects[name].queries]
    return await in_thread(
        request,
        Cost.MEDIUM,
        page,
        request,
        view.language,
        "chart.html",
        name=name,
        charts=charts,
        subjects=subjects,
        libraries=True,
    )


async def chart(request: Request, site: Site, view: View, query: StoredQuery) -> Chart:
    """The result of a query in the reader's language, with default parameters."""
    values = {p.name: view.language for p in query.parameters if p.type == "language"}
    text = library.fill(query.text, library.bind(query, values, site.context))
    result = await execution.run(request, site, Query(text), execution.Formats(html=True))
    host = str(request.base_url).rstrip("/")
    return Chart(query, result, Access(view, f"queries/{query.name}", tuple(values.items()), text, host))
