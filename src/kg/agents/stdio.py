"""An agent's server on standard input and output, over a release on this machine or a server elsewhere."""

from __future__ import annotations

import contextlib
from typing import Any

from kg.agents.calls import InProcess, OverHttp, ServerAccess, ServerCalls
from kg.agents.tools import agent_server


async def serve_application(application: Any) -> None:
    """Serve an application of this process until the agent closes its end."""
    async with application.router.lifespan_context(application):
        await _serve(InProcess(application))


async def serve_url(url: str) -> None:
    """Serve what the server at this address answers."""
    await _serve(OverHttp(url))


async def _serve(connector: ServerAccess) -> None:
    calls = ServerCalls(connector)
    guide = await calls.get("/llms.txt", accept="text/plain")
    text = guide.body.decode()
    with contextlib.suppress(BrokenPipeError):
        await agent_server(calls, text.partition("\n")[0].lstrip("# "), text).run_stdio_async()
