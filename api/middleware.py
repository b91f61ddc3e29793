"""Plain ASGI layers around the application: a request's site and id, its log line, the headers of every answer."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import Problem, of_error
from api.metrics import Metrics
from api.responses import problem_response
from api.serving import Serving
from api.view import respond
from kg.errors import KgError
from kg.remote import RemoteStore

_LOG = logging.getLogger("api")
_ACCESS = logging.getLogger("api.access")
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    # What is no page runs nothing and is framed by nobody; pages have their own policy.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "cross-origin",
    # The data is public and nothing depends on cookies but the language: any page may read it (Fetch, CORS protocol).
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Link, ETag, Location, Retry-After, X-Release, X-Request-ID, X-Conforms",
}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Accept, Accept-Language, Content-Type, If-None-Match, Range, X-Request-ID",
    "Access-Control-Max-Age": "86400",
}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}", re.ASCII)
_KNOWN_ROUTES = frozenset(
    {
        *("sparql", "id", "page", "data", "linkset", "graph", "ontology", "context.jsonld", "shapes.ttl", "queries"),
        *("dataset", ".well-known", "dumps", "about", "conformance", "static", "sitemap.xml", "robots.txt"),
        *("healthz", "readyz", "metrics", "openapi.json", "search", "suggest", "explore", "charts", "why", "explain"),
        *("feed.atom", "feed", "validate"),
        *("reconcile", "ja", "en", "resolve", "link"),
    }
)


# Where requests have bodies.
_POSTED_TO = (
    *("/sparql", "/reconcile", "/resolve", "/validate"),
    *("/link", "/link/table", "/link/match", "/link/result", "/link/linkset"),
)


class Envelope:
    """Gives each request its site and id, answers preflights and failures, adds the headers of every answer.

    Writes one line of JSON per request, without the query, unless the settings ask for it.
    """

    def __init__(self, app: ASGIApp, serving: Serving, metrics: Metrics) -> None:
        self.app = app
        self.serving = serving
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        site = self.serving.site
        asked_id = Headers(scope=scope).get("x-request-id", "")
        request_id = asked_id if _REQUEST_ID.fullmatch(asked_id) else uuid.uuid4().hex[:16]
        scope["state"] = {**scope.get("state", {}), "site": site, "request_id": request_id}
        fields = {**_ALWAYS, "X-Release": site.version, "X-Request-ID": request_id}
        status, sent = 0, 0

        async def send_on(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in fields.items():
                    headers.setdefault(name, value)
            else:
                sent += len(message.get("body", b""))
            await send(message)

        try:
            if scope["method"] == "OPTIONS":
                takes_posts = scope["path"].endswith(_POSTED_TO)
                allowed = "GET, HEAD, POST, OPTIONS" if takes_posts else "GET, HEAD, OPTIONS"
                await Response(None, 204, {"Allow": allowed, **_PREFLIGHT})(scope, receive, send_on)
            else:
                await self.app(scope, receive, send_on)
        except Exception as error:
            _LOG.error("unexpected error", exc_info=error, extra={"request_id": request_id})
            if status:
                raise
            await _failure(scope, request_id)(scope, receive, send_on)
        finally:
            self._account(scope, status, sent, time.perf_counter() - started)

    def _account(self, scope: Scope, status: int, sent: int, seconds: float) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/")
        route = path.partition("/")[0]
        route = route if route in _KNOWN_ROUTES else "other" if route else "front"
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "OPTIONS") else "other"
        self.metrics.requests.labels(route, method, str(status)).inc()
        self.metrics.seconds.labels(route).observe(seconds)
        self.metrics.sent.inc(sent)
        if _ACCESS.isEnabledFor(logging.INFO):
            line = {
                "request_id": scope["state"]["request_id"],
                "client": (scope.get("client") or ("",))[0],
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "bytes": sent,
                "seconds": round(seconds, 6),
            }
            if self.serving.settings.log_queries and scope["query_string"]:
                line["query"] = scope["query_string"].decode("latin-1")
            _ACCESS.info(json.dumps(line, ensure_ascii=False))


def _failure(scope: Scope, request_id: str) -> Response:
    detail = f"an unexpected error; the server's log has the details under request {request_id}"
    problem = Problem(500, "internal-error", detail, {"request": request_id})
    try:
        return respond(Request(scope), problem)
    except Exception as error:  # noqa: BLE001 - pages themselves may be what fails
        _LOG.error("no page for an error", exc_info=error, extra={"request_id": request_id})
        return problem_response(problem)


class Confirmed:
    """Lets no answer go that was read of a remote engine while it went over to another release: 503 instead."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not isinstance(store := scope["state"]["site"].release.store, RemoteStore):
            await self.app(scope, receive, send)
            return
        is_replaced = False

        async def send_on(message: Message) -> None:
            nonlocal is_replaced
            if message["type"] == "http.response.start":
                try:
                    await asyncio.to_thread(store.confirm)
                except KgError as error:
                    is_replaced = True
                    await problem_response(of_error(error))(scope, receive, send)
            if not is_replaced:
                await send(message)

        await self.app(scope, receive, send_on)


class HeadAsGet:
    """Answers HEAD as GET would be answered; the server leaves the body out (RFC 9110, 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self.app(scope, receive, send)


class MountPath:
    """Tells the application the path under which a proxy mounts it, whether the proxy strips it or not."""

    def __init__(self, app: ASGIApp, root: str) -> None:
        self.app = app
        self.root = "/" + root.strip("/") if root.strip("/") else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.root and scope["type"] == "http" and not scope.get("root_path"):
            path, raw = scope["path"], scope.get("raw_path") or b""
            if path != self.root and not path.startswith(self.root + "/"):
                path, raw = self.root + path, self.root.encode() + raw
            scope = {**scope, "root_path": self.root, "path": path, "raw_path": raw}
        await self.app(scope, receive, send)
