"""`/validate`: validates submitted RDF against shapes, vocabulary and records; nothing is stored."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Query
from pydantic import BaseModel, Field, WithJsonSchema
from starlette.requests import Request
from starlette.responses import Response

from api.admission.clients import client_in
from api.admission.slots import in_thread
from api.html.rendering import page
from api.html.view import view_of
from api.http import uploads
from api.http.responses import HTML_OFFER, is_terminal, json_answer, prefers_json, rdf_offers, write_rdf
from api.http.route import JSON, PAGE, RDF, Cost, Router
from api.i18n import language
from api.problems import Problem, not_acceptable, of_error
from api.queries.execution import unless_gone
from api.site.site import Site, site_of
from api.validation import document
from api.validation.document import SubmittedDocument
from api.validation.shown_results import placed, shown
from kg.errors import KgError
from kg.isolation import messages
from kg.project import profiles
from kg.rdf import formats
from kg.submitted import report
from kg.submitted.report import Report

router = Router()
_TEXT, _JSON, _HTML = "text", "json", "html"
_NAMES = {
    _JSON: formats.JSON,
    _TEXT: formats.PLAIN,
    **{f.name: f.media_type for f in formats.RDF_FORMATS},
    _HTML: formats.HTML,
}
_CONFORMS = {"headers": {"X-Conforms": {"description": "Whether nothing is violated.", "schema": {"type": "boolean"}}}}


Syntax = Annotated[
    str,
    Query(
        description="The syntax of the document, where its media type or file name does not tell it.",
        json_schema_extra={"enum": [f.name for f in formats.RDF_FORMATS]},
    ),
]


Profile = Annotated[
    str,
    Query(description="What records must have: `core`, or the name of a profile that adds to it."),
]


class DocumentForm(BaseModel):
    """The form of POST, for OpenAPI; `api.validation.document` reads it."""

    file: str = Field("", json_schema_extra={"format": "binary"})
    text: str = ""
    syntax: Syntax = ""
    profile: Profile = ""


@router.get("/validate", "Validate RDF: the form", Cost.SMALL, gives=(*JSON, *PAGE))
async def form(
    request: Request,
    example: Annotated[str | None, Query(description="Fills the form with an example; takes no value.")] = None,
) -> Response:
    """Return the form, with `example` filled in; as JSON the accepted syntaxes, report formats and limits."""
    site = site_of(request)
    if prefers_json(request):
        return json_answer(_taken(site), {"Vary": "Accept"})
    if moved := language.redirect(request):
        return moved
    # Whoever opens the form will send something soon.
    site.validations.expect()
    text = "" if example is None or not site.project.faulty_example else site.project.faulty_example + "\n"
    return await in_thread(request, Cost.SMALL, _page, request, text)


@router.post(
    "/validate",
    "Validate RDF",
    Cost.UPLOAD,
    body={**{media_type: {"schema": {"type": "string"}} for media_type in RDF}, uploads.MULTIPART: DocumentForm},
    gives=(*JSON, formats.PLAIN, *RDF, *PAGE),
    statuses=(400, 413, 415, 429, 503, 504),
    responses={200: _CONFORMS, 422: {"description": "The report on a document that does not conform.", **_CONFORMS}},
)
async def validate(
    request: Request,
    syntax: Syntax = "",
    profile: Profile = "",
    fail: Annotated[
        str,
        Query(description="Whether a document that does not conform is answered with 422."),
        WithJsonSchema({"type": "boolean"}),
    ] = "",
) -> Response:
    """Validate a document sent as the body or in a form; the status is 200 even if it does not conform.

    With `fail=true` it is 422 then, for clients that only look at the status.
    """
    site, wanted = site_of(request), _wanted(request)
    sent: SubmittedDocument | None = None
    try:
        sent = await document.read(request, site.settings.validate_max_bytes, syntax, profile)
        profiles.chosen(profiles.profiles(site.project.root), sent.profile)
        reply = await unless_gone(request, site.validations.run(_message(site, sent), client=client_in(request.scope)))
        found = await in_thread(request, Cost.MEDIUM, report.load, reply)
    except KgError as error:
        problem = placed(of_error(error), error, _decoded(sent))
        if wanted != _HTML or problem.status == 499:
            raise problem from None
        return await in_thread(request, Cost.MEDIUM, _page, request, _decoded(sent), sent, None, problem)
    status = 422 if fail.lower() in ("true", "1", "yes") and not found.conforms else 200
    return await in_thread(request, Cost.MEDIUM, _respond, request, wanted, sent, found, status)


def _message(site: Site, sent: SubmittedDocument) -> bytes:
    """What the process that validates it (`kg.submitted.process`) is asked."""
    settings = site.settings
    limits = {
        "size": settings.validate_max_bytes,
        "quads": settings.validate_max_statements,
        "depth": settings.validate_max_depth,
    }
    return messages.pack(
        {"syntax": sent.syntax.name, "profile": sent.profile, "limits": limits, "most": settings.validate_max_results},
        sent.body,
    )


def _wanted(request: Request) -> str:
    """Return the name of the report format; raises `Problem` 406."""
    if asked := request.query_params.get("format"):
        found = formats.rdf_format(asked)
        if asked in _NAMES or found:
            return asked if asked in _NAMES else cast(formats.Rdf, found).name
        raise not_acceptable(_NAMES)
    if request.headers.get("accept", "*/*").strip() == "*/*" and is_terminal(request):
        return _TEXT
    offers = [(formats.JSON,), (formats.PLAIN,), *rdf_offers(), HTML_OFFER]
    best = formats.negotiate(request.headers.get("accept"), offers)
    if best is None:
        raise not_acceptable(_NAMES)
    return list(_NAMES)[best]


def _respond(request: Request, wanted: str, sent: SubmittedDocument, found: Report, status: int) -> Response:
    site = site_of(request)
    if wanted == _HTML:
        response = _page(request, _decoded(sent), sent, found, status=status)
    else:
        response = Response(_written(request, site, wanted, sent, found), status)
        rdf = formats.rdf_format(wanted) if wanted not in (_TEXT, _JSON) else None
        response.headers["Content-Type"] = rdf.content_type if rdf else _content_type(wanted)
        response.headers["Vary"] = "Accept"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Conforms"] = str(found.conforms).lower()
    return response


def _content_type(wanted: str) -> str:
    return formats.JSON if wanted == _JSON else f"{formats.PLAIN}; charset=utf-8"


def _written(request: Request, site: Site, wanted: str, sent: SubmittedDocument, found: Report) -> bytes:
    if wanted == _JSON:
        return json_answer(report.as_json(found)).body  # type: ignore[return-value]
    if wanted == _TEXT:
        name, tongue = sent.name or "-", language.chosen(request) or "en"
        told = [*report.lines(found, name, site.context, tongue), report.summary(found, name)]
        return "".join(f"{line}\n" for line in told).encode()
    syntax = formats.rdf_format(wanted)
    assert syntax is not None
    return write_rdf(site, report.quads(found), syntax)


def _decoded(sent: SubmittedDocument | None) -> str:
    return sent.body.decode("utf-8-sig", "replace") if sent else ""


def _page(
    request: Request,
    text: str = "",
    sent: SubmittedDocument | None = None,
    found: Report | None = None,
    problem: Problem | None = None,
    status: int = 200,
) -> Response:
    site, tongue = site_of(request), language.language_of(request)
    view = view_of(request, tongue)
    response = page(
        request,
        view.language,
        "validate.html",
        problem.status if problem else status,
        text=text if len(text) <= site.settings.max_body_bytes else "",
        syntax=sent.syntax.name if sent else "",
        profile=sent.profile if sent else profiles.CORE,
        profiles=list(profiles.profiles(site.project.root)),
        name=sent.name if sent else "",
        found=found,
        findings=shown(found, text, tongue),
        path_shown=lambda result: report.compact_path(result, site.context),
        problem=problem,
        host=str(request.base_url).rstrip("/"),
    )
    if problem:
        response.headers.update(problem.headers)
    return response


def _taken(site: Site) -> dict[str, object]:
    settings = site.settings
    return {
        "syntaxes": {f.name: f.media_type for f in formats.RDF_FORMATS},
        "reports": _NAMES,
        "profiles": list(profiles.profiles(site.project.root)),
        "limits": {
            "bytes": settings.validate_max_bytes,
            "statements": settings.validate_max_statements,
            "depth": settings.validate_max_depth,
            "results": settings.validate_max_results,
            "seconds": settings.validate_seconds,
            "at_once": settings.client_validations,
        },
    }
