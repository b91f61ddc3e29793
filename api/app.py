"""The FastAPI application: routes, middleware and error handlers over the current release."""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import pkgutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

import api
from api.admission.cost import Cost
from api.admission.gate import Gate, Refused
from api.admission.slots import in_thread
from api.agents.sessions import AgentSessions
from api.conformance.live import LiveRun
from api.hotpath.shortcut import Shortcut
from api.html import rendering
from api.http.caching import Cache, Representations
from api.http.crowd import Crowd
from api.http.proxies import PublicAddress
from api.http.responses import problem_response
from api.http.route import Route, Router, allowed, labels
from api.i18n.language import language_of
from api.middleware import Confirmed, Envelope, HeadAsGet, MountPath
from api.operations import openapi
from api.operations.readiness import Readiness
from api.problems import Problem, of_error
from api.settings import Settings
from api.site.current import Serving
from api.telemetry.metrics import Metrics
from api.telemetry.requests import RequestLog
from kg.errors import KgError
from kg.release.store import Release

_LOG = logging.getLogger("api")
# Objects allocated before the youngest generation is collected; most are freed with their request.
_ALLOCATIONS = 20_000
# Routes are matched in order, so the busiest packages come first.
_ASKED_MOST = ("api.sparql", "api.linked_data")


def routes(languages: Sequence[str] = ()) -> list[Route]:
    """Return the routes of every module of `api` that has a `Router` under the name `router`, for these languages."""
    names = [found.name for found in pkgutil.walk_packages(api.__path__, "api.")]
    modules = [importlib.import_module(name) for name in sorted(names, key=_rank)]
    routers = [found for module in modules if isinstance(found := getattr(module, "router", None), Router)]
    return [route for router in routers for route in router.routes(languages)]


def _rank(module: str) -> tuple[bool, str]:
    return not module.startswith(_ASKED_MOST), module


def create_app(settings: Settings, release: Release, releases: Path | None = None) -> FastAPI:
    """Create the application for a release; with a folder of releases it switches to each new current one."""
    metrics = Metrics()
    serving = Serving(settings, release, releases, metrics.count)
    known = routes(serving.site.project.languages)
    request_log = RequestLog(metrics, settings, labels(known))
    crowd = Crowd(settings.max_connections, settings.client_connections)
    agents = AgentSessions()
    cache = Cache(settings.cache_mb * 1_000_000)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        await serving.start()
        request_log.start()
        # What exists now is long-lived: collecting it again and again blocked every request for 0.1 s.
        gc.freeze()
        gc.set_threshold(_ALLOCATIONS, 10, 10)
        try:
            # Connections find it in the server's lifespan state.
            yield {"shortcut": Shortcut(settings, serving, cache, request_log), "crowd": crowd}
        finally:
            await agents.close()
            await serving.close()
            # The last requests are in it.
            await asyncio.to_thread(request_log.close)

    app = FastAPI(
        title=serving.site.project.title.get("en") or next(iter(serving.site.project.title.values())),
        version=release.manifest.ontology_version or "0",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        routes=list(known),
    )
    app.state.serving, app.state.request_log, app.state.gate = serving, request_log, Gate(settings, metrics)
    app.state.crowd, app.state.agents = crowd, agents
    app.state.readiness = Readiness()
    app.state.live_run = LiveRun()
    app.openapi = lambda: openapi.document(app, serving.site)  # type: ignore[method-assign]
    app.add_exception_handler(KgError, _on_kg_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    # The last added is the outermost.
    app.add_middleware(Confirmed)
    app.add_middleware(Representations, cache=cache, metrics=metrics)
    app.add_middleware(HeadAsGet)
    app.add_middleware(MountPath, root=settings.root_path)
    app.add_middleware(
        Envelope,
        serving=serving,
        request_log=request_log,
        routes=known,
        root=settings.root_path,
        address=PublicAddress(settings.public_url),
    )
    return app


async def _on_kg_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, KgError)
    return await _respond(request, of_error(error))


async def _respond(request: Request, problem: Problem) -> Response:
    """The response to an error; a page is work that needs a slot, and without one the error stands on a bare page."""
    if not rendering.wants_page(request):
        return problem_response(problem, request)
    if not isinstance(problem, Refused):
        try:
            return await in_thread(request, Cost.SMALL, rendering.error_page, request, language_of(request), problem)
        except Refused as error:
            problem = error
    return rendering.bare_page(language_of(request), problem)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404 and (moved := _without_slash(request)) is not None:
        return moved
    kinds = {404: "not-found", 405: "method-not-allowed", 416: "range-not-satisfiable"}
    detail = str(error.detail)
    if error.status_code == 404:
        detail = f"there is nothing at {request.url.path}"
    elif error.status_code == 405:
        detail = f"{request.method} is not supported here; this server is read-only"
    headers = dict(error.headers or {})
    if error.status_code == 405:
        # The framework names the methods of the first route of this path only.
        known = [route for route in request.app.routes if isinstance(route, Route)]
        headers["Allow"] = allowed(known, _path(request))
    problem = Problem(error.status_code, kinds.get(error.status_code, "http"), detail, {}, headers)
    return await _respond(request, problem)


def _path(request: Request) -> str:
    path: str = request.scope["path"]
    return path.removeprefix(request.scope.get("root_path", ""))


def _without_slash(request: Request) -> Response | None:
    """The redirect of an address with a trailing slash to a route that has none."""
    path = _path(request)
    bare = path.rstrip("/")
    if bare == path or not bare or bare.startswith("//"):
        return None
    if not any(isinstance(route, Route) and route.path_regex.match(bare) for route in request.app.routes):
        return None
    query = request.scope["query_string"].decode("latin-1")
    location = f"{request.scope.get('root_path', '')}{quote(bare)}{'?' + query if query else ''}"
    # A 301 may turn POST into GET.
    return Response(None, 301 if request.method == "GET" else 308, {"Location": location})


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name, message = first["loc"][-1], first["msg"]
    if first["type"] == "literal_error":
        message = f"expected {first['ctx']['expected']}, not '{str(first['input'])[:40]}'"
    return await _respond(request, Problem(400, "bad-parameter", f"{name}: {message}"))
