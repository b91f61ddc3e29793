"""`/healthz`, `/readyz`, `/metrics`, `/openapi.json`: routes for monitoring and for clients of the API."""

from __future__ import annotations

from typing import cast

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from api.admission.gate import Gate
from api.admission.slots import in_thread
from api.http.crowd import Crowd
from api.http.responses import json_answer
from api.http.route import JSON, Cost, Router
from api.operations.readiness import Readiness
from api.problems import Problem
from api.site.current import Serving
from api.telemetry import metrics
from api.telemetry.requests import RequestLog
from kg.rdf import formats

router = Router()
_TEXT = (formats.PLAIN,)
_NO_STORE = {"Cache-Control": "no-store"}


@router.get("/healthz", "Whether the process answers", Cost.FIXED, gives=_TEXT)
async def healthz() -> Response:
    return PlainTextResponse("ok\n", headers=_NO_STORE)


@router.get("/readyz", "Whether the release can be queried", Cost.FIXED, gives=JSON, statuses=(503,))
async def readyz(request: Request) -> Response:
    """Return 200 and the current release, or 503; `refused` names a newer release that is broken.

    A query, a search and a new worker process prove it, at most every two seconds.
    """
    serving = cast(Serving, request.app.state.serving)
    site = serving.site
    if problem := await cast(Readiness, request.app.state.readiness).problem(site):
        raise Problem(503, "not-ready", problem, {}, {"Retry-After": "5"})
    document: dict[str, object] = {"release": site.version, "quads": site.manifest.quads}
    if serving.refusal is not None:
        # The reason is in the log only, since it names folders of the machine.
        document["refused"] = {"release": serving.refusal.release, "detail": "it is not what its manifest says"}
    return json_answer(document, _NO_STORE)


@router.get("/metrics", "Numbers for Prometheus", Cost.SMALL, gives=_TEXT)
async def numbers(request: Request) -> Response:
    serving, request_log = cast(Serving, request.app.state.serving), cast(RequestLog, request.app.state.request_log)
    known = request_log.metrics
    request_log.flush()
    cast(Gate, request.app.state.gate).measure()
    known.connections.set(len(cast(Crowd, request.app.state.crowd)))
    known.alive.set(serving.site.pool.alive)
    known.waiting.set(serving.site.pool.waiting)
    known.triples.set(serving.site.manifest.triples)
    text = await in_thread(request, Cost.SMALL, known.exposition)
    return Response(text, 200, {**_NO_STORE, "Content-Type": metrics.CONTENT_TYPE})


@router.get("/openapi.json", "This API, described", Cost.MEDIUM, gives=JSON)
def description(request: Request) -> Response:
    """OpenAPI 3.1; each stored query is an operation."""
    return json_answer(request.app.openapi())
