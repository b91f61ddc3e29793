"""Plain ASGI layers: HEAD as GET, the mount path, and the headers that every answer has."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    # The data is public and nothing depends on cookies but the language: any page may read it (Fetch, CORS protocol).
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Link, ETag, X-Release",
}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST",
    "Access-Control-Allow-Headers": "Accept, Content-Type",
    "Access-Control-Max-Age": "86400",
}


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


class StandardHeaders:
    """Adds the headers that do not depend on what is answered, and answers the preflights of browsers."""

    def __init__(self, app: ASGIApp, release: str) -> None:
        self.app = app
        self.headers = {**_ALWAYS, "X-Release": release}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            await Response(None, 204, {**self.headers, **_PREFLIGHT})(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)
