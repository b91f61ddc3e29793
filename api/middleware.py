"""ASGI middleware: the site and id of a request, its log line, the header fields of every response."""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
import time
import uuid
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.html.rendering import respond
from api.http.proxies import PublicAddress
from api.http.responses import problem_response
from api.http.route import Route, allowed
from api.problems import Problem, of_error
from api.site.current import Serving
from api.telemetry.requests import RequestLog
from kg.errors import KgError

_LOG = logging.getLogger("api")
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    # For all responses but pages, which have a policy of their own: nothing runs, nothing may frame them.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "cross-origin",
    # The data is public, and only the language depends on cookies: any origin may read it (Fetch, CORS protocol).
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Link, ETag, Location, Retry-After, X-Release, X-Request-ID, X-Conforms",
}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, OPTIONS",
    "Access-Control-Allow-Headers": (
        "Accept, Accept-Encoding, Accept-Language, Authorization, Cache-Control, Content-Encoding, Content-Type, "
        "If-Match, If-Modified-Since, If-None-Match, Last-Event-ID, Mcp-Method, Mcp-Name, MCP-Protocol-Version, "
        "Mcp-Session-Id, Pragma, Prefer, Range, User-Agent, X-Request-ID, X-Requested-With"
    ),
    "Access-Control-Max-Age": "86400",
}
_FOR_OPERATORS = ("/healthz", "/readyz", "/metrics")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}", re.ASCII)
# A number of the process, then one of the request in it.
_OWN, _numbers = uuid.uuid4().hex[:8], itertools.count(1)


def known_or_new_id(asked: str) -> str:
    """Return the id of a request: the client's if it is valid, else a new one."""
    return asked if asked and _REQUEST_ID.fullmatch(asked) else f"{_OWN}{next(_numbers):08x}"


class Envelope:
    """Attaches site and id to each request, answers preflights and failures, adds the header fields of every response.

    Writes one line of JSON per request, without the query, unless the settings ask for it.
    """

    def __init__(
        self,
        app: ASGIApp,
        serving: Serving,
        request_log: RequestLog,
        routes: Sequence[Route],
        root: str,
        address: PublicAddress,
    ) -> None:
        self.app = app
        self.address = address
        self.serving = serving
        self.request_log = request_log
        self.routes = routes
        self.root = "/" + root.strip("/") if root.strip("/") else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        site = self.serving.site
        request_id = known_or_new_id(Headers(scope=scope).get("x-request-id", ""))
        scope["state"] = {**scope.get("state", {}), "site": site, "request_id": request_id}
        fields = {**ALWAYS, "X-Release": site.version, "X-Request-ID": request_id}
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
            if not self._is_for_us(scope):
                detail = "this server does not answer for the requested host"
                await problem_response(Problem(421, "misdirected-request", detail))(scope, receive, send_on)
            elif scope["method"] == "OPTIONS":
                # It may come with the path of the mount or without; see `MountPath`.
                path = scope["path"].removeprefix(scope.get("root_path") or self.root)
                await Response(None, 204, {"Allow": allowed(self.routes, path), **_PREFLIGHT})(scope, receive, send_on)
            else:
                await self.app(scope, receive, send_on)
        except Exception as error:
            _LOG.error("unexpected error", exc_info=error, extra={"request_id": request_id})
            if status:
                raise
            await _failure(scope, request_id)(scope, receive, send_on)
        finally:
            self._log(scope, status, sent, time.perf_counter() - started)

    def _is_for_us(self, scope: Scope) -> bool:
        """Whether the requested host is ours; from here on, it is the one that answers name."""
        headers = MutableHeaders(scope=scope)
        host = headers.get("host", "")
        if not self.address.allows(host):
            # Whoever looks after the server knows it by other addresses.
            return scope["path"].removeprefix(scope.get("root_path", "")) in _FOR_OPERATORS
        if self.address.host:
            scope["scheme"], headers["host"] = self.address.named(scope["scheme"], host)
        return True

    def _log(self, scope: Scope, status: int, sent: int, seconds: float) -> None:
        route = self.request_log.label_of(scope["path"].removeprefix(scope.get("root_path", "")))
        self.request_log.count(route, scope["method"], status, sent, seconds)
        if self.request_log.are_logged:
            client = (scope.get("client") or ("",))[0]
            target = scope["path"].encode("utf-8", "surrogateescape")
            if scope["query_string"]:
                target += b"?" + scope["query_string"]
            self.request_log.log(
                *(scope["state"]["request_id"], client, scope["method"], target, status, sent, seconds)
            )


def _failure(scope: Scope, request_id: str) -> Response:
    detail = f"an unexpected error; the server's log has the details under request {request_id}"
    problem = Problem(500, "internal-error", detail, {"request": request_id})
    try:
        return respond(Request(scope), problem)
    except Exception as error:  # noqa: BLE001 - pages themselves may be what fails
        _LOG.error("no page for an error", exc_info=error, extra={"request_id": request_id})
        return problem_response(problem)


class Confirmed:
    """Responds with 503 if a remote engine switched to another release while the response was prepared."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not (store := scope["state"]["site"].release.store).needs_network:
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
    """Handles HEAD as GET; the server leaves the body out (RFC 9110, 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self.app(scope, receive, send)


class MountPath:
    """Sets the path under which a proxy mounts the application, whether the proxy strips it or not."""

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
