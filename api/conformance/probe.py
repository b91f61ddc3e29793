"""Tests the requirements against any server over HTTP."""

from __future__ import annotations

import asyncio
import http.client
import json
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers

from api.conformance import requirements
from api.conformance import run as conformance
from api.conformance.run import Request, Response, Verdict, report
from kg.errors import KgError

__all__ = ["check", "report"]
_SECONDS = 60.0


def check(url: str) -> tuple[list[Verdict], str]:
    """The findings and the server's software; raises `KgError` if there is no response."""
    target = urlsplit(url)
    if target.scheme not in ("http", "https") or not target.hostname:
        raise KgError(f"'{url}' is no address of a server; expected something like http://127.0.0.1:8000/")

    async def fetch(request: Request) -> Response:
        return await asyncio.to_thread(_fetch, target, request)

    async def work() -> tuple[list[Verdict], str]:
        front = json.loads((await fetch(Request("GET", "/", {"accept": "application/json"}))).body)
        findings = await conformance.run(requirements.all_checks(front["base"], front["example"]), fetch)
        return findings, front["software"]

    try:
        return asyncio.run(work())
    except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
        raise KgError(f"{url} does not answer as a server of this project: {error}") from error


def _fetch(target: SplitResult, request: Request) -> Response:
    kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
    connection = kind(target.hostname or "", target.port, timeout=_SECONDS)
    try:
        path = target.path.rstrip("/") + request.path
        connection.request(request.method, path, request.body or None, dict(request.headers))
        response = connection.getresponse()
        headers = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in response.getheaders()]
        return Response(response.status, Headers(raw=[(n.lower(), v) for n, v in headers]), response.read())
    finally:
        connection.close()
