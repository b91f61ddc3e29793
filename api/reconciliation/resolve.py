"""`/resolve`: the record that has an identifier of a register, in any written form."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.admission.slots import in_thread
from api.html.view import View, view_of
from api.http import bodies
from api.http.responses import json_answer, prefers_json
from api.http.route import JSON, TOO_LARGE, Cost, Router
from api.i18n.language import language_of
from api.problems import Problem
from api.site.site import Site, site_of
from kg.errors import BadParameter
from kg.linking.gazetteer import Identified
from kg.rdf import formats

router = Router()
_VARY = {"Vary": "Accept, Accept-Language, Cookie"}
_LONGEST = 500


class IdentifierBatch(BaseModel):
    """The body of POST, for OpenAPI; it is read without the model, so that errors name the field."""

    iris: list[str]
    scheme: str = ""


@router.get(
    "/resolve",
    "Our record for an outside identifier",
    Cost.SMALL,
    gives=JSON,
    statuses=(300, 303, 400, 404, TOO_LARGE),
    depends_on_language=True,
)
def get(
    request: Request,
    iri: Annotated[str, Query(description="An IRI or identifier, in any form.")] = "",
    scheme: Annotated[str, Query(description="The register that a bare number is of, such as ror.")] = "",
) -> Response:
    """Redirect (303) to the record that has an identifier, or describe it as JSON; a 404 says why there is none."""
    asked = iri.strip()
    if not asked:
        raise Problem(400, "bad-parameter", "iri: expected an IRI or identifier, such as ?iri=https://ror.org/…")
    view = view_of(request, language_of(request))
    found = view.site.matcher.identify(asked[:_LONGEST], _scheme(view.site, scheme))
    if not found.iris:
        raise _nothing(view.site, asked, found)
    if prefers_json(request):
        return json_answer(_told(view, asked, found), _VARY)
    if len(found.iris) > 1:
        response = json_answer(_told(view, asked, found), _VARY)
        response.status_code = 300
        return response
    target = f"{view.root}/id/{found.iris[0].removeprefix(view.site.entities.root)}"
    return RedirectResponse(target, 303, {**_VARY, "Cache-Control": "public, max-age=60, must-revalidate"})


@router.post(
    "/resolve",
    "Our records for many outside identifiers",
    Cost.UPLOAD,
    body={formats.JSON: IdentifierBatch},
    gives=JSON,
    statuses=(400, 413, 415, TOO_LARGE),
    depends_on_language=True,
)
async def post(request: Request) -> Response:
    """Resolve `{"iris": […]}`: in the same order the records that have each identifier, or why there are none.

    `scheme` names the register of bare numbers.
    """
    document, site = await bodies.json_document(request), site_of(request)
    asked = document.get("iris") if isinstance(document, dict) else None
    if not isinstance(asked, list) or not all(isinstance(text, str) for text in asked):
        raise Problem(400, "bad-query", 'expected {"iris": […]}, a list of strings', {"where": "iris"})
    if len(asked) > (most := site.settings.max_batch):
        raise Problem(413, "batch-too-large", f"{len(asked):,} identifiers; send at most {most:,}", {"limit": most})
    view, scheme = view_of(request, language_of(request)), _scheme(site, document.get("scheme"))
    results = await in_thread(request, Cost.UPLOAD, lambda: [_result(view, text, scheme) for text in asked])
    return json_answer({"results": results}, {**_VARY, "Cache-Control": "no-store"})


def _scheme(site: Site, written: object) -> str:
    known = site.project.names.identifiers.registers
    if not written:
        return ""
    if not isinstance(written, str) or written not in known:
        raise BadParameter(f"scheme: expected one of {', '.join(known)}")
    return written


def _result(view: View, asked: str, scheme: str) -> dict[str, object]:
    found = view.site.matcher.identify(asked.strip()[:_LONGEST], scheme)
    told = _told(view, asked, found)
    return told if found.iris else {**told, "reason": _reason(asked, found)}


def _told(view: View, asked: str, found: Identified) -> dict[str, object]:
    matches = [
        {
            "iri": iri,
            "id": iri.removeprefix(view.site.entities.root),
            "name": view.plain(iri),
            "href": view.href(iri),
        }
        for iri in found.iris
    ]
    return {"iri": asked, "matches": matches}


def _reason(asked: str, found: Identified) -> str:
    """Return why an identifier has no record: it is wrong, or no record has it."""
    if found.faults:
        fault = found.faults[0]
        return f"'{asked[:200]}' is not a valid {fault.scheme.replace('-', ' ')}: {fault.detail}"
    return f"no record has the identifier '{asked[:200]}'"


def _nothing(site: Site, asked: str, found: Identified) -> Problem:
    known = site.entities
    path = asked[:200].removeprefix(known.root)
    near = [known.root + other for other in known.nearest(path)] if "://" not in path else []
    near += [c.iri for c in site.matcher.match(asked[:200], limit=3) if c.iri not in near]
    kind = "bad-identifier" if found.faults else "unknown-identifier"
    return Problem(404, kind, _reason(asked, found), {"identifier": asked[:200], "nearest": near[:5]}, dict(_VARY))
