"""`/conformance`: the requirements of specifications, tested on this server when the page is requested."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from api.conformance import requirements, run
from api.html.rendering import page
from api.http.responses import json_answer, prefers_json
from api.http.route import JSON, PAGE, Cost, Router
from api.i18n import language
from api.pages.front import example
from api.site.site import site_of

router = Router()
_NO_STORE = {"Cache-Control": "no-store", "Vary": "Accept"}


@router.get("/conformance", "Live checks of this server", Cost.LARGE, gives=(*JSON, *PAGE))
async def show(request: Request) -> Response:
    """Each requirement with its specification, the request sent, and whether the response meets it."""
    as_json = prefers_json(request)
    if not as_json and (moved := language.redirect(request)):
        return moved
    verdicts = await _verdicts(request)
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
    response = page(request, language.language_of(request), "conformance.html", verdicts=verdicts)
    response.headers["Cache-Control"] = "no-store"
    return response


async def _verdicts(request: Request) -> list[run.Verdict]:
    """Test this application through all its layers, without a socket."""
    # Imported here, since a server starts 0.1 s faster without it.
    import httpx

    site, root = site_of(request), str(request.scope.get("root_path", ""))
    transport = httpx.ASGITransport(request.app, raise_app_exceptions=False, root_path=root, client=("conformance", 0))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://localhost{root}") as client:
        return await run.run(requirements.table(site.base, example(site)), run.over(client))
