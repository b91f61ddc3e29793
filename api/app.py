"""The application: one release, its routers, and one way to answer errors."""

from __future__ import annotations

import logging
from pathlib import Path

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from api import language, view
from api.errors import Problem, of_error
from api.middleware import HeadAsGet, MountPath, StandardHeaders
from api.responses import problem_response, wants_html
from api.routers import front, graphs, library, linked_data, operations, sparql, vocabulary
from api.settings import Settings
from api.site import make_site
from kg import formats
from kg.errors import KgError
from kg.store import Release

_LOG = logging.getLogger("api")
ROUTERS = (front, sparql, linked_data, graphs, vocabulary, library, operations)


def create_app(settings: Settings, release: Release) -> FastAPI:
    """The server of one release; it holds no state but what it is given."""
    app = FastAPI(
        title="AI and Science Policy Knowledge Graph",
        version=release.manifest.ontology_version or "0",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.site = make_site(settings, release)
    for module in ROUTERS:
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    app.add_exception_handler(KgError, _on_kg_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(Exception, _on_failure)
    app.add_middleware(HeadAsGet)
    app.add_middleware(MountPath, root=settings.root_path)
    app.add_middleware(StandardHeaders, release=release.manifest.id[:16])
    return app


def _respond(request: Request, problem: Problem) -> Response:
    """A page for a browser, problem+json for everything else."""
    others = [(formats.PROBLEM_JSON, "application/json"), *((f.media_type,) for f in formats.RDF_FORMATS)]
    if wants_html(request, others):
        return view.error_page(request, language.language_of(request), problem)
    return problem_response(problem)


def _on_kg_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, KgError)
    return _respond(request, of_error(error))


def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kinds = {404: "not-found", 405: "method-not-allowed"}
    detail = f"nothing is at {request.url.path}" if error.status_code == 404 else str(error.detail)
    problem = Problem(error.status_code, kinds.get(error.status_code, "http"), detail, {}, dict(error.headers or {}))
    return _respond(request, problem)


def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return _respond(request, Problem(400, "bad-parameter", f"{where}: {first['msg']}"))


def _on_failure(request: Request, error: Exception) -> Response:
    _LOG.error("unexpected error at %s", request.url.path, exc_info=error)
    # Not a page: what made the request fail may make the page fail too.
    return problem_response(Problem(500, "internal-error", "an unexpected error; the server's log has the details"))
