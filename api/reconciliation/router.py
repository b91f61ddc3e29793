"""`/reconcile`: the Reconciliation Service API 0.2, which OpenRefine and others use, in each language."""

from __future__ import annotations

from typing import Annotated, cast, get_args

from fastapi import Path, Query
from markupsafe import Markup
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from api.admission.slots import in_thread
from api.html.rendering import page
from api.html.view import view_of
from api.http import bodies
from api.http.parameters import WholeNumber
from api.http.responses import json_answer
from api.http.route import JSON, PAGE, TOO_LARGE, Cost, Router
from api.i18n.language import language_of, offered
from api.problems import Problem
from api.reconciliation import parts, version_0_2
from api.reconciliation.service import ReconciliationService, What
from api.site.site import site_of

# Clients can choose the language by the URL, or leave it to negotiation.
router = Router(by_language=True)
VARY = {"Vary": "Accept-Language, Cookie"}
MOST_SUGGESTIONS = 50
SUGGESTIONS = 10
# Any client may frame the preview: it runs no scripts and sends no forms.
_FRAMED = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *"

Kind = Annotated[str, Path(alias="what", json_schema_extra={"enum": list(get_args(What))})]
Id = Annotated[str, Query(alias="id", description="The id of one: class/slug, or an IRI.")]
TypeId = Annotated[str, Query(alias="type", description="The id of a type.")]


class QueriesForm(BaseModel):
    """The form of POST: a batch of queries, or a data extension query."""

    queries: str = Field("", description="A batch of queries (JSON).")
    extend: str = Field("", description="A data extension query (JSON).")


@router.get(
    "/reconcile",
    "Reconciliation: manifest, or queries",
    Cost.LARGE,
    gives=JSON,
    statuses=(400, 413, TOO_LARGE),
    depends_on_language=True,
)
def get(
    request: Request,
    queries: Annotated[str | None, Query(description="A batch of queries (JSON); without it the manifest.")] = None,
    extend: Annotated[str | None, Query(description="A data extension query (JSON).")] = None,
    query: Annotated[str | None, Query(description="One query: an object (JSON), or a name.")] = None,
    callback: Annotated[str | None, Query(include_in_schema=False)] = None,
) -> Response:
    """Return the service manifest, or the answer to `queries=`, `query=` or `extend=`."""
    if callback is not None:
        raise Problem(400, "no-jsonp", "JSONP is not supported; use CORS, which every answer allows")
    fields = {"queries": queries, "extend": extend, "query": query}
    found = _answer(request, {name: text for name, text in fields.items() if text is not None})
    if found is None:
        found = version_0_2.manifest(service_of(request), address_of(request), site_of(request).settings)
    return json_answer(found, VARY)


@router.post(
    "/reconcile",
    "Reconciliation: queries, in a form",
    Cost.UPLOAD,
    body={bodies.FORM: QueriesForm},
    gives=JSON,
    statuses=(400, 413, 415, TOO_LARGE),
    depends_on_language=True,
)
async def post(request: Request) -> Response:
    """Answer a form with a batch of queries in `queries`, or a data extension query in `extend`."""
    fields = await bodies.form(request)
    found = await in_thread(request, Cost.UPLOAD, _answer, request, fields)
    if found is None:
        raise Problem(400, "no-query", "the form has neither a field 'queries' nor 'extend'")
    return json_answer(found, {**VARY, "Cache-Control": "no-store"})


def _answer(request: Request, fields: dict[str, str]) -> dict[str, object] | None:
    """Return the answer to queries or an extension; None if there are neither."""
    service, settings = service_of(request), site_of(request).settings
    if (text := fields.get("queries")) is not None:
        return version_0_2.results(service, version_0_2.batch(text, settings))
    if (text := fields.get("extend")) is not None:
        return version_0_2.extended(service, parts.extension(bodies.parse_json(text, "extend"), settings))
    if (text := fields.get("query")) is not None:
        # Older clients send one query, as an object or as a bare name.
        written = bodies.parse_json(text, "query") if text.lstrip().startswith("{") else {"query": text}
        return version_0_2.result(service, version_0_2.question(written, "query", settings))
    return None


@router.get(
    "/reconcile/suggest/{what}",
    "Reconciliation: suggestions",
    Cost.SMALL,
    gives=JSON,
    statuses=(400, 404, TOO_LARGE),
    depends_on_language=True,
)
def suggest(
    request: Request,
    kind: Kind,
    prefix: Annotated[str, Query(description="What was typed so far.")] = "",
    type_: TypeId = "",
    cursor: Annotated[int, WholeNumber(0, 10_000), Query(description="How many to skip.")] = 0,
    limit: Annotated[int, WholeNumber(1, MOST_SUGGESTIONS), Query(description="How many.")] = SUGGESTIONS,
) -> Response:
    """Suggest entities, properties or types by the beginning of a name or ID."""
    what = what_of(kind)
    things = service_of(request).suggest(what, prefix[:200], cursor, limit, type_)
    return json_answer(parts.suggestions(things, what), VARY)


@router.get(
    "/reconcile/flyout/{what}",
    "Reconciliation: a few lines about one",
    Cost.SMALL,
    gives=JSON,
    statuses=(400, 404, TOO_LARGE),
    depends_on_language=True,
)
def flyout(request: Request, kind: Kind, id_: Id = "") -> Response:
    """Return a few lines of HTML about an entity, property or type."""
    service, what = service_of(request), what_of(kind)
    known = service.find(what, id_)
    if known is None:
        raise unknown(service, what, id_)
    html = Markup("<p><strong>{}</strong></p>").format(known.name)
    if known.description:
        html += Markup("<p>{}</p>").format(known.description)
    return json_answer({"id": id_, "html": str(html)}, VARY)


@router.get(
    "/reconcile/properties",
    "Reconciliation: properties of a type",
    Cost.SMALL,
    gives=JSON,
    statuses=(400, TOO_LARGE),
    depends_on_language=True,
)
def properties(
    request: Request,
    type_: TypeId = "",
    limit: Annotated[int, WholeNumber(0, 1_000), Query(description="How many; 0 for all.")] = 0,
) -> Response:
    """Propose properties of a type, for data extension."""
    return json_answer(parts.proposal(service_of(request).propose(type_, limit), type_, limit), VARY)


@router.get(
    "/reconcile/preview",
    "Reconciliation: a page for a frame",
    Cost.SMALL,
    gives=PAGE,
    statuses=(400, 404, TOO_LARGE),
)
def preview(request: Request, id_: Id = "") -> Response:
    """Return a small page about an entity, for a frame of the size in the manifest."""
    service = service_of(request)
    iri = service.iri(id_)
    if not iri:
        raise unknown(service, "entity", id_)
    response = page(request, service.view.language, "preview.html", iri=iri, thing=service.thing(iri))
    response.headers["Content-Security-Policy"] = _FRAMED
    response.headers["Vary"] = VARY["Vary"]
    return response


def service_of(request: Request) -> ReconciliationService:
    """Return the service in the language of the URL, or else of the client."""
    first = request.url.path.removeprefix(request.scope.get("root_path", "")).lstrip("/").partition("/")[0]
    return ReconciliationService(view_of(request, first if first in offered(request) else language_of(request)))


def address_of(request: Request) -> str:
    """Return the URL by which this client reached the endpoint."""
    return str(request.url.replace(query="", fragment="")).rstrip("/")


def what_of(what: str) -> What:
    if what not in get_args(What):
        raise Problem(404, "not-found", f"'{what}' is not one of {', '.join(get_args(What))}")
    return cast(What, what)


def unknown(service: ReconciliationService, what: What, id_: str) -> Problem:
    if not id_:
        return Problem(400, "bad-parameter", f"id: expected the id of the {what}")
    near = [service.site.entities.root + path for path in service.site.entities.nearest(id_[:200])]
    return Problem(404, "unknown-entity", f"no {what} has the id '{id_[:200]}'", {"nearest": near})
