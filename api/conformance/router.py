"""`/conformance`: the requirements of specifications, tested on this server."""

from __future__ import annotations

from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from api.admission.slots import in_thread
from api.conformance.live import LiveRun
from api.html.rendering import page
from api.http.responses import json_answer, prefers_json
from api.http.route import JSON, PAGE, Cost, Router
from api.i18n import language
from api.site.site import site_of

router = Router()
_NO_STORE = {"Cache-Control": "no-store", "Vary": "Accept"}


@router.get("/conformance", "Live checks of this server", Cost.LARGE, gives=(*JSON, *PAGE))
async def show(request: Request) -> Response:
    """Each requirement with its specification, the request sent, and whether the response meets it.

    A run is at most a minute old; whoever asks while one is under way gets its results.
    """
    as_json = prefers_json(request)
    if not as_json and (moved := language.redirect(request)):
        return moved
    root = str(request.scope.get("root_path", ""))
    verdicts = await cast(LiveRun, request.app.state.live_run).verdicts(request.app, site_of(request), root)
    if as_json:
        rows = [
            {
                "check": v.requirement.name,
                "specification": v.requirement.specification,
                "section": v.requirement.section,
                "passed": v.passed,
                "detail": v.detail,
            }
            for v in verdicts
        ]
        return json_answer({"passed": sum(v.passed for v in verdicts), "checks": rows}, _NO_STORE)
    tongue = language.language_of(request)
    response = await in_thread(request, Cost.MEDIUM, page, request, tongue, "conformance.html", verdicts=verdicts)
    response.headers["Cache-Control"] = "no-store"
    return response
