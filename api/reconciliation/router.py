"""`/reconcile`: the Reconciliation Service API 0.2, as OpenRefine and others use it, in Japanese and English."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast, get_args

from fastapi import APIRouter
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.html.view import page, view_of
from api.http import bodies
from api.http.responses import json_answer
from api.i18n.language import language_of
from api.i18n.texts import LANGUAGES
from api.problems import Problem
from api.reconciliation import version_0_2
from api.reconciliation.service import ReconciliationService, What
from api.site.site import site_of
from kg.errors import BadParameter

router = APIRouter()
_VARY = {"Vary": "Accept-Language, Cookie"}
_MOST_SUGGESTIONS = 50
_SUGGESTIONS = 10
# The page that shows a record may stand in any client's frame; it runs nothing and sends nothing.
_FRAMED = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *"


def get(request: Request) -> Response:
    """The manifest; with `queries=`, `query=` or `extend=` the answer to them."""
    parameters = request.query_params
    if "callback" in parameters:
        raise Problem(400, "no-jsonp", "JSONP is not offered; every answer may be read from any origin (CORS)")
    found = _answer(request, dict(parameters))
    if found is None:
        found = version_0_2.manifest(_service(request), _address(request), site_of(request).settings)
    return json_answer(found, _VARY)


async def post(request: Request) -> Response:
    """A batch of queries in the field `queries`, or a data extension query in `extend`, of a form."""
    fields = await bodies.form(request)
    found = await run_in_threadpool(_answer, request, fields)
    if found is None:
        raise Problem(400, "no-query", "the form has neither a field 'queries' nor 'extend'")
    return json_answer(found, {**_VARY, "Cache-Control": "no-store"})


def _answer(request: Request, fields: dict[str, str]) -> dict[str, object] | None:
    """The answer to queries or an extension; None where neither is asked."""
    service, settings = _service(request), site_of(request).settings
    if (text := fields.get("queries")) is not None:
        questions = version_0_2.batch(text, settings)
        return version_0_2.results(service, {key: service.answer(question) for key, question in questions.items()})
    if (text := fields.get("extend")) is not None:
        return version_0_2.extended(service, version_0_2.extension(text, settings))
    if (text := fields.get("query")) is not None:
        # One query by itself, as an object or as a bare name, is what older clients send.
        written = bodies.parse_json(text, "query") if text.lstrip().startswith("{") else {"query": text}
        return version_0_2.result(service, service.answer(version_0_2.question(written, "query", settings)))
    return None


def suggest(request: Request) -> Response:
    """Entities, properties or types by the beginning of a name or an id."""
    parameters = request.query_params
    cursor = _number(request, "cursor", 0, 0, 10_000)
    limit = _number(request, "limit", _SUGGESTIONS, 1, _MOST_SUGGESTIONS)
    what, prefix = _what(request), parameters.get("prefix", "")[:200]
    things = _service(request).suggest(what, prefix, cursor, limit, parameters.get("type", ""))
    return json_answer(version_0_2.suggestions(things, what), _VARY)


def flyout(request: Request) -> Response:
    """A few lines of HTML about an entity, property or type."""
    service, what, id_ = _service(request), _what(request), request.query_params.get("id", "")
    known = service.find(what, id_)
    if known is None:
        raise _unknown(service, what, id_)
    html = Markup("<p><strong>{}</strong></p>").format(known.name)
    if known.description:
        html += Markup("<p>{}</p>").format(known.description)
    return json_answer({"id": id_, "html": str(html)}, _VARY)


def properties(request: Request) -> Response:
    """The properties that entities of a type have, for data extension."""
    type_, limit = request.query_params.get("type", ""), _number(request, "limit", 0, 0, 1_000)
    return json_answer(version_0_2.proposal(_service(request).propose(type_, limit), type_, limit), _VARY)


def preview(request: Request) -> Response:
    """A small page about an entity, for a frame of the size that the manifest tells."""
    service, id_ = _service(request), request.query_params.get("id", "")
    iri = service.iri(id_)
    if not iri:
        raise _unknown(service, "entity", id_)
    response = page(request, service.view.language, "preview.html", iri=iri, thing=service.thing(iri))
    response.headers["Content-Security-Policy"] = _FRAMED
    response.headers["Vary"] = _VARY["Vary"]
    return response


def _service(request: Request) -> ReconciliationService:
    """The service in the language of its address, else in that of the caller."""
    first = request.url.path.removeprefix(request.scope.get("root_path", "")).lstrip("/").partition("/")[0]
    return ReconciliationService(view_of(request, first if first in LANGUAGES else language_of(request)))


def _address(request: Request) -> str:
    """Where this client finds the endpoint."""
    return str(request.url.replace(query="", fragment="")).rstrip("/")


def _what(request: Request) -> What:
    what = request.path_params["what"]
    if what not in get_args(What):
        raise Problem(404, "not-found", f"'{what}' is not one of {', '.join(get_args(What))}")
    return cast(What, what)


def _unknown(service: ReconciliationService, what: What, id_: str) -> Problem:
    if not id_:
        return Problem(400, "bad-parameter", f"id: the id of the {what} is expected")
    near = [service.site.entities.root + path for path in service.site.entities.nearest(id_[:200])]
    return Problem(404, "unknown-entity", f"no {what} has the id '{id_[:200]}'", {"nearest": near})


def _number(request: Request, name: str, default: int, least: int, most: int) -> int:
    written = request.query_params.get(name, "")
    if not written:
        return default
    if not written.isascii() or not written.isdigit() or not least <= int(written[:9]) <= most:
        raise BadParameter(f"{name}: expected a number from {least} to {most}, not '{written[:40]}'")
    return int(written)


_ROUTES: tuple[tuple[str, str, Callable[..., object], str], ...] = (
    ("GET", "", get, "Reconciliation: manifest, or queries"),
    ("POST", "", post, "Reconciliation: queries, in a form"),
    ("GET", "/suggest/{what}", suggest, "Reconciliation: suggestions"),
    ("GET", "/flyout/{what}", flyout, "Reconciliation: a few lines about one"),
    ("GET", "/properties", properties, "Reconciliation: properties of a type"),
    ("GET", "/preview", preview, "Reconciliation: a page for a frame"),
)
for _prefix in ("", *(f"/{tongue}" for tongue in LANGUAGES)):
    for _method, _path, _endpoint, _summary in _ROUTES:
        router.add_api_route(f"{_prefix}/reconcile{_path}", _endpoint, methods=[_method], summary=_summary)
