"""`/conformance`: the demands of the specifications, checked on this server when the page is opened."""

from __future__ import annotations

import anyio
from starlette import requests
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message

from api.conformance import requirements
from api.conformance import run as conformance
from api.conformance.run import Fetch
from api.html.rendering import page
from api.http.responses import json_answer, prefers_json
from api.http.route import JSON, PAGE, Cost, Router
from api.i18n import language
from api.pages.front import example
from api.site.site import site_of

router = Router()
_NO_STORE = {"Cache-Control": "no-store", "Vary": "Accept"}


@router.get("/conformance", "Live checks of this server", Cost.LARGE, gives=(*JSON, *PAGE))
async def show(request: requests.Request) -> Response:
    """Each check with its specification, the request that is made, and whether the answer is what is demanded."""
    site = site_of(request)
    as_json = prefers_json(request)
    if not as_json and (moved := language.redirect(request)):
        return moved
    table = requirements.all_checks(site.base, example(site))
    findings = await conformance.run(table, _inside(request.app, str(request.scope.get("root_path", ""))))
    if as_json:
        rows = [
            {
                "check": f.check.name,
                "specification": f.check.specification,
                "section": f.check.section,
                "passed": f.passed,
                "detail": f.detail,
            }
            for f in findings
        ]
        return json_answer({"passed": sum(f.passed for f in findings), "checks": rows}, _NO_STORE)
    response = page(request, language.language_of(request), "conformance.html", findings=findings)
    response.headers["Cache-Control"] = "no-store"
    return response


def _inside(app: ASGIApp, root: str) -> Fetch:
    """Requests to the application itself, through all its layers, without a socket."""

    async def fetch(request: conformance.Request) -> conformance.Response:
        path, _, query = request.path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": root + path,
            "raw_path": (root + path).encode(),
            "root_path": root,
            "query_string": query.encode(),
            "headers": [(b"host", b"localhost"), *((n.encode(), v.encode()) for n, v in request.headers.items())],
            "client": ("conformance", 0),
            "server": ("localhost", 80),
            "state": {},
        }
        answers: list[Message] = []
        received = False

        async def receive() -> Message:
            nonlocal received
            if received:
                # A caller that stays: nothing more ever comes.
                await anyio.sleep_forever()
            received = True
            return {"type": "http.request", "body": request.body, "more_body": False}

        async def send(message: Message) -> None:
            answers.append(message)

        await app(scope, receive, send)
        body = b"".join(a.get("body", b"") for a in answers[1:])
        headers = Headers(raw=answers[0]["headers"])
        return conformance.Response(answers[0]["status"], headers, b"" if request.method == "HEAD" else body)

    return fetch
