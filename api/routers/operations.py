"""`/healthz`, `/readyz`, `/robots.txt`: for the machines around the server."""

from __future__ import annotations

from fastapi import APIRouter
from pyoxigraph import QueryBoolean
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from api.errors import Problem
from api.responses import json_answer
from api.site import site_of

router = APIRouter()
_NO_STORE = {"Cache-Control": "no-store"}


@router.get("/healthz", summary="Whether the process answers")
def healthz() -> Response:
    return PlainTextResponse("ok\n", headers=_NO_STORE)


@router.get("/readyz", summary="Whether the release can be queried")
def readyz(request: Request) -> Response:
    """200 with the release when its store answers, else 503."""
    site = site_of(request)
    answer = site.release.store.query("ASK { ?s ?p ?o }")
    if not (isinstance(answer, QueryBoolean) and bool(answer)):
        raise Problem(503, "not-ready", "the release is empty")
    return json_answer(request, {"release": site.version, "quads": site.manifest.quads}, _NO_STORE)


@router.get("/robots.txt", summary="For crawlers")
def robots() -> Response:
    return PlainTextResponse("User-agent: *\nDisallow: /sparql\n")
