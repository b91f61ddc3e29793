"""`/queries`: the query library; each query is a page with a form for its parameters, and an API."""

from __future__ import annotations

from collections import Counter
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query as Parameter
from starlette.requests import Request
from starlette.responses import Response

from api.admission.slots import in_thread
from api.html import figures
from api.html.access import Access
from api.html.rendering import page
from api.html.view import view_of
from api.http.parameters import EvidenceLevel, Timeout, evidence_level
from api.http.responses import answer, json_answer, prefers_json
from api.http.route import JSON, PAGE, QUERY_ERRORS, RDF, RESULTS, Cost, Router
from api.i18n import language
from api.problems import Problem, of_error
from api.queries import execution
from api.queries.execution import QueryOutcome
from api.site.site import Site, site_of
from api.sparql import spreadsheet
from kg.engines.evaluation import Query
from kg.errors import KgError, NoSuchRecord
from kg.rdf import iris
from kg.release import evidence_sets, named_records
from kg.sparql import library
from kg.sparql.library import StoredQuery

router = Router()
_EXCEL = "excel"
_RESERVED = ("lang", "format", "remember", "timeout", "evidence")


@router.get("/queries", "The query library", Cost.SMALL, gives=(*JSON, *PAGE), in_sitemap=True)
def listing(
    request: Request,
    tag: Annotated[str, Parameter(description="Only the queries with this tag.")] = "",
    text: Annotated[str, Parameter(alias="q", description="Words of a title or description.")] = "",
) -> Response:
    """List the stored queries, as a page or as JSON."""
    site = site_of(request)
    if prefers_json(request):
        return json_answer([_as_json(q) for q in site.queries.values()], {"Vary": "Accept"})
    if moved := language.redirect(request):
        return moved
    asked = text.strip()
    found = {
        name: query
        for name, query in site.queries.items()
        if (not tag or tag in query.tags)
        and (not asked or site.search.resembles(asked, [name, *query.title.values(), *query.description.values()]))
    }
    tags = Counter(t for query in site.queries.values() for t in query.tags)
    return page(
        request,
        language.language_of(request),
        "queries.html",
        library=found,
        tags=tags.most_common(),
        tag=tag,
        asked=asked,
    )


@router.get(
    "/queries/{name}",
    "Run a stored query",
    Cost.QUERY,
    gives=(*RESULTS, *RDF, *PAGE),
    statuses=(404, *QUERY_ERRORS),
)
async def run(request: Request, name: str, timeout: Timeout = "", evidence: EvidenceLevel = "") -> Response:
    """Evaluate a stored query with the parameters of the URL, which must match their types."""
    site, level = site_of(request), evidence_level(evidence)
    query = library.find(site.queries, name)
    want = execution.wanted(request.headers.get("accept"), request.query_params.get("format"))
    if want.html and (moved := language.redirect(request)):
        return moved
    values, text = _values(request, query), query.text
    try:
        values = _with_records(site, query, values)
        bound = library.bind(query, values, site.context)
        if any(p.type == "iri" and p.name in values for p in query.parameters):
            await in_thread(request, Cost.SMALL, named_records.check, bound, site.entities, site.context)
        text = evidence_sets.with_from(library.fill(text, bound), level, site.base, site.prefixes)
        result = await execution.run(request, site, Query(text), want, timeout)
    except KgError as error:
        problem = _missing(request, error) if isinstance(error, NoSuchRecord) else of_error(error)
        if not want.html:
            raise problem from None
        return await in_thread(request, Cost.MEDIUM, _page, request, query, values, text, problem=problem)
    if want.html:
        return await in_thread(request, Cost.MEDIUM, _page, request, query, values, text, result=result)
    if want.results == _EXCEL and result.content_type.startswith("text/csv"):
        asked, known = request.query_params.get("lang", ""), site.project.languages
        view = view_of(request, asked if asked in known else known[0])
        address = f"{str(request.base_url).rstrip('/')}/queries/{name}?{urlencode({**values, 'lang': view.language})}"
        body = await in_thread(request, Cost.MEDIUM, spreadsheet.written, view, result.body, query, address)
        return answer(body, result.content_type, result.headers)
    return answer(result.body, result.content_type, result.headers)


def _missing(request: Request, error: NoSuchRecord) -> Problem:
    """Return the error for a record that does not exist, with the nearest ones by label."""
    view = view_of(request, language.language_of(request))
    near = view.t("comma").join(f"{view.plain(iri)} ({short})" for short, iri in error.near)
    members = {"parameter": error.parameter, "written": error.written, "nearest": [iri for _, iri in error.near]}
    told = view.t("no_such_record_near", near=near) if near else ""
    return Problem(400, "no-such-record", str(error), {**members, "near": told})


def _values(request: Request, query: StoredQuery) -> dict[str, str]:
    """Return the parameters of the query from the URL; an empty form field means the default."""
    known = {p.name for p in query.parameters}
    return {
        name: text
        for name, text in request.query_params.multi_items()
        if text and (name in known or name not in _RESERVED)
    }


def _with_records(site: Site, query: StoredQuery, values: dict[str, str]) -> dict[str, str]:
    """The parameters with the record in place of its name or path, where one is meant."""
    found = dict(values)
    for parameter in query.parameters:
        text = values.get(parameter.name, "")
        if parameter.type == "iri" and text and ":" not in text:
            path = iris.SLUG.fullmatch(text) and site.entities.exists(site.entities.root + text)
            if iri := site.entities.root + text if path else site.search.meant(text):
                found[parameter.name] = site.context.compact(iri)
    return found


def _page(
    request: Request,
    query: StoredQuery,
    values: dict[str, str],
    text: str,
    result: QueryOutcome | None = None,
    problem: Problem | None = None,
) -> Response:
    view = view_of(request, language.language_of(request))
    bound = tuple((p.name, values.get(p.name, p.default)) for p in query.parameters)
    bound += (("evidence", view.evidence),) if view.evidence else ()
    is_graph = result is not None and result.turtle is not None
    table = result.table if result is not None else None
    is_money = query.chart.get("type") == figures.MONEY and table is not None and bool(table.rows)
    return page(
        request,
        view.language,
        "query.html",
        problem.status if problem else 200,
        libraries=bool(query.chart),
        access=Access(view, f"queries/{query.name}", bound, text, str(request.base_url).rstrip("/"), is_graph),
        query=query,
        values=values,
        text=text,
        result=result,
        figure=figures.money(view, query, table.columns, table.rows) if table is not None and is_money else None,
        problem=problem,
    )


def _as_json(query: StoredQuery) -> dict[str, object]:
    return {
        "name": query.name,
        "title": query.title,
        "description": query.description,
        "parameters": [
            {"name": p.name, "type": p.type, "default": p.default, "label": p.label} for p in query.parameters
        ],
        "columns": list(query.columns),
        "tags": list(query.tags),
        "sparql": query.text,
    }
