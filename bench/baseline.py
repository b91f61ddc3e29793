"""Our pages as a plain ASGI application, for comparison: the same data and templates, without routing or caching."""

from __future__ import annotations

import os
from pathlib import Path

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.linked_data import router as linked_data
from api.settings import Settings
from api.site.site import make_site
from kg.release import store


def application() -> ASGIApp:
    """The pages of the release in `KG_BENCH_RELEASE`."""
    settings = Settings()
    release = store.open_release(Path(os.environ["KG_BENCH_RELEASE"]), settings.memory_quads)
    site = make_site(settings, release, lambda _: None)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _lifespan(receive, send)
            return
        scope["state"] = {"site": site, "request_id": ""}
        path = scope["path"]
        if path.startswith("/page/"):
            response = linked_data.show(Request(scope), path.removeprefix("/page/"))
            await response(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200 if path == "/" else 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return answer


async def _lifespan(receive: Receive, send: Send) -> None:
    while (message := await receive())["type"] != "lifespan.shutdown":
        await send({"type": f"{message['type']}.complete"})
    await send({"type": "lifespan.shutdown.complete"})
