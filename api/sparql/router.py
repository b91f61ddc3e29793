"""`/sparql`: SPARQL 1.1 queries over HTTP, the workbench for browsers, the Service Description for RDF clients."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from fastapi import Query as Parameter
from pydantic import BaseModel, Field
from pyoxigraph import NamedNode, Quad
from starlette.requests import Request
from starlette.responses import Response

from api.admission.slots import in_thread
from api.html.access import of_query
from api.html.rendering import page
from api.html.view import view_of
from api.http import bodies
from api.http.parameters import Texts, Timeout
from api.http.responses import answer, chosen_rdf, json_answer, rdf_answer
from api.http.route import JSON, PAGE, QUERY_ERRORS, RDF, RESULTS, Cost, Router
from api.i18n import language
from api.problems import Problem, of_error
from api.queries import empty_results, execution
from api.queries.empty_results import Explanation
from api.queries.execution import QueryOutcome
from api.site.site import Site, site_of
from kg.engines.evaluation import Query
from kg.errors import KgError, UpdateRefused
from kg.rdf import formats, iris
from kg.rdf.namespaces import DCTERMS
from kg.rdf.terms import value
from kg.release.catalogue import SD, W3C_FORMATS

router = Router()

DIRECT = "application/sparql-query"
UPDATE = "application/sparql-update"
_ANSWERS = (*RESULTS, *RDF, *PAGE)
# How other endpoints spell the parameter, which their clients send here, too.
_FORMAT = ("format", "output", "results", "query.format")


class DatasetParameters(BaseModel):
    """Parameters of the SPARQL Protocol (2.1) beside the query, for OpenAPI.

    They are read from the raw request, because the protocol rejects repeated queries and text that is not UTF-8.
    """

    default_graphs: Texts = Field(
        (), alias="default-graph-uri", description="IRIs of graphs that make up the default graph."
    )
    named_graphs: Texts = Field((), alias="named-graph-uri", description="IRIs of graphs that GRAPH can name.")
    timeout: Timeout = ""


class QueryParameters(DatasetParameters):
    """The query and the parameters beside it."""

    query: str = Field("", description="A SPARQL 1.1 query; without one the Service Description.")


class _Operation(NamedTuple):
    parameters: list[tuple[str, str]]
    query: str | None


@router.get(
    "/sparql",
    "SPARQL 1.1 query",
    Cost.QUERY,
    gives=_ANSWERS,
    statuses=QUERY_ERRORS,
    in_sitemap=True,
    endless=("query", "format"),
)
async def get(request: Request, _: Annotated[QueryParameters, Parameter()]) -> Response:
    """Evaluate the query in `query=`; without one, return the workbench (HTML) or the Service Description (RDF)."""
    parameters = bodies.fields(request.scope["query_string"])
    operation = _Operation(parameters, _only(parameters, "query"))
    if operation.query is None:
        if any(name == "update" for name, _ in parameters):
            raise UpdateRefused("the endpoint is read-only; updates are not supported")
        return await in_thread(request, Cost.MEDIUM, _without_query, request)
    if _is_for_reader(request, parameters) and (moved := language.redirect(request)):
        return moved
    return await _respond(request, operation)


@router.post(
    "/sparql",
    "SPARQL 1.1 query, in the body",
    Cost.QUERY,
    body={bodies.FORM: QueryParameters, DIRECT: {"schema": {"type": "string"}}},
    gives=_ANSWERS,
    statuses=(415, *QUERY_ERRORS),
)
async def post(request: Request, _: Annotated[DatasetParameters, Parameter()]) -> Response:
    """Evaluate a query sent as a form (`application/x-www-form-urlencoded`) or as `application/sparql-query`."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in (bodies.FORM, DIRECT):
        detail = f"expected {bodies.FORM} or {DIRECT}, not '{media_type or 'nothing'}'"
        if media_type == UPDATE:
            detail = "the endpoint is read-only; updates are not supported"
        raise Problem(415, "unsupported-media-type", detail, {}, {"Accept-Post": f"{bodies.FORM}, {DIRECT}"})
    body = await bodies.read(request)
    in_url = bodies.fields(request.scope["query_string"])
    if media_type == DIRECT:
        if _only(in_url, "query") is not None:
            raise Problem(400, "two-queries", "send the query in the body or in the URL, not in both")
        return await _respond(request, _Operation(in_url, bodies.utf8(body)))
    parameters = [*in_url, *bodies.fields(body)]
    query = _only(parameters, "query")
    if query is None and any(name == "update" for name, _ in parameters):
        raise UpdateRefused("the endpoint is read-only; updates are not supported")
    if query is None:
        raise Problem(400, "no-query", "the form has no field 'query'")
    return await _respond(request, _Operation(parameters, query))


async def _respond(request: Request, operation: _Operation) -> Response:
    site = site_of(request)
    values = dict(operation.parameters)
    want = execution.wanted(request.headers.get("accept"), _format(operation.parameters))
    query = Query(
        operation.query or "",
        tuple(v for k, v in operation.parameters if k == "default-graph-uri" and v),
        tuple(v for k, v in operation.parameters if k == "named-graph-uri" and v),
    )
    try:
        result = await execution.run(request, site, query, want, values.get("timeout"))
    except KgError as error:
        if not want.html:
            raise
        return await in_thread(request, Cost.MEDIUM, _form, request, query.text, problem=of_error(error))
    if want.html:
        reason = None
        if result.is_empty:
            reason = await empty_results.explain(request, site, query)
        return await in_thread(request, Cost.MEDIUM, _form, request, query.text, result=result, reason=reason)
    return answer(result.body, result.content_type, result.headers)


@router.get(
    "/why",
    "Why a query has no rows",
    Cost.QUERY,
    gives=JSON,
    statuses=QUERY_ERRORS,
    depends_on_language=True,
    for_robots=False,
)
async def why(
    request: Request, query: Annotated[str, Parameter(description="The SPARQL 1.1 query to explain.")] = ""
) -> Response:
    """Explain an empty result: a term that does not exist, with the nearest that do, or a pattern without matches."""
    site = site_of(request)
    if not query.strip():
        raise Problem(400, "no-query", "expected the query to explain in 'query='")
    # An invalid query is reported first, and one that has rows.
    result = await execution.run(request, site, Query(query), execution.Formats(html=True))
    view = view_of(request, language.language_of(request))
    if not result.is_empty:
        document = {"kind": None, "message": view.t("why_rows")}
        return json_answer(document, {"Vary": "Accept-Language, Cookie"})
    found = await empty_results.explain(request, site, Query(query))
    return json_answer(empty_results.as_json(site, found, view.reason(found)), {"Vary": "Accept-Language, Cookie"})


def _is_for_reader(request: Request, parameters: list[tuple[str, str]]) -> bool:
    return execution.wanted(request.headers.get("accept"), _format(parameters)).html


def _format(parameters: list[tuple[str, str]]) -> str:
    """Return the names of formats, comma-separated: those in `format=` before those in its other spellings."""
    return ",".join(value for spelling in _FORMAT for name, value in parameters if name == spelling)


def _form(
    request: Request,
    text: str,
    result: QueryOutcome | None = None,
    problem: Problem | None = None,
    reason: Explanation | None = None,
) -> Response:
    site = site_of(request)
    host = str(request.base_url).rstrip("/")
    view = view_of(request, language.language_of(request))
    return page(
        request,
        view.language,
        "sparql.html",
        problem.status if problem else 200,
        libraries=True,
        reason=reason,
        access=of_query(view, host, text, is_graph=result is not None and result.turtle is not None),
        text=text,
        result=result,
        problem=problem,
        library=site.queries,
        host=host,
    )


def _without_query(request: Request) -> Response:
    site = site_of(request)
    if (syntax := chosen_rdf(request)) is not None:
        description = service_description(site, str(request.base_url))
        return rdf_answer(
            site,
            description,
            syntax,
            {"Link": f'<{site.licence}>; rel="license", <{site.base}dataset>; rel="collection"'},
        )
    if moved := language.redirect(request):
        return moved
    first = next(iter(site.queries.values()), None)
    return _form(request, first.text if first else _FIRST_QUERY)


_FIRST_QUERY = """PREFIX skos: <http://www.w3.org/2004/02/skos/core#>

SELECT ?record ?label ?graph WHERE {
  GRAPH ?graph { ?record skos:prefLabel ?label }
}
LIMIT 50
"""


def service_description(site: Site, host: str) -> list[Quad]:
    """Return the description of the endpoint (SPARQL 1.1 Service Description); `host` is its address.

    It includes the default dataset as in the catalogue: default graph and named graphs with their sizes.
    """
    service, dataset = NamedNode(site.base + "sparql"), NamedNode(site.base + "dataset")
    pairs: list[tuple[str, NamedNode]] = [
        (iris.RDF_TYPE, NamedNode(SD + "Service")),
        (SD + "endpoint", NamedNode(host.rstrip("/") + "/sparql")),
        (SD + "supportedLanguage", NamedNode(SD + "SPARQL11Query")),
        # Inferred triples are in a graph of the dataset; evaluating a query infers nothing.
        (SD + "defaultEntailmentRegime", NamedNode("http://www.w3.org/ns/entailment/Simple")),
        (SD + "defaultDataset", dataset),
        (DCTERMS + "license", NamedNode(site.licence)),
    ]
    if site.manifest.is_merged:
        pairs.append((SD + "feature", NamedNode(SD + "UnionDefaultGraph")))
    if site.settings.services:
        pairs.append((SD + "feature", NamedNode(SD + "BasicFederatedQuery")))
    for name in dict.fromkeys(f.w3c_name for f in (*formats.RESULT_FORMATS, *formats.RDF_FORMATS) if f.w3c_name):
        pairs.append((SD + "resultFormat", NamedNode(W3C_FORMATS + name)))
    about_graphs = [quad for quad in site.catalogue if _is_of_graphs(quad, dataset)]
    return [*(Quad(service, NamedNode(predicate), target) for predicate, target in pairs), *about_graphs]


def _is_of_graphs(quad: Quad, dataset: NamedNode) -> bool:
    subject, predicate = value(quad.subject), quad.predicate.value
    if subject == dataset.value:
        return predicate.startswith(SD) or value(quad.object) == SD + "Dataset"
    return subject.startswith((f"{dataset.value}#graph-", f"{dataset.value}#default-graph"))


def _only(parameters: list[tuple[str, str]], name: str) -> str | None:
    """Return the value of a parameter, None without one; more than one is an error (SPARQL 1.1 Protocol, 2.1)."""
    values = [v for k, v in parameters if k == name]
    if len(values) > 1:
        raise Problem(
            400, "two-queries", f"the parameter '{name}' must not be repeated; it was sent {len(values)} times"
        )
    return values[0] if values else None
