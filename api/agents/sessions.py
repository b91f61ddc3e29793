"""The server of the Model Context Protocol in this process, made when the first agent comes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager


class AgentSessions:
    """Starts the server of the protocol on first use, and stops it with the process.

    Each request stands alone: any HTTP process can answer it, and nothing is kept between two.
    """

    def __init__(self) -> None:
        self._starting = asyncio.Lock()
        self._manager: StreamableHTTPSessionManager | None = None
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def manager(self, application: FastAPI, title: str, instructions: str) -> StreamableHTTPSessionManager:
        """The running server; its tools make their requests to the application."""
        async with self._starting:
            if self._manager is None:
                # The SDK takes half a second to import, which nobody else waits for.
                manager = await asyncio.to_thread(_make, application, title, instructions)
                running = asyncio.Event()
                self._task = asyncio.create_task(self._run(manager, running))
                await running.wait()
                self._manager = manager
        return self._manager

    async def close(self) -> None:
        self._stop.set()
        if self._task is not None:
            await self._task

    async def _run(self, manager: StreamableHTTPSessionManager, running: asyncio.Event) -> None:
        async with manager.run():
            running.set()
            await self._stop.wait()


def _make(application: Any, title: str, instructions: str) -> StreamableHTTPSessionManager:
    from kg.agents.calls import InProcess, ServerCalls
    from kg.agents.tools import agent_server

    server = agent_server(ServerCalls(InProcess(application)), title, instructions)
    # Whoever may ask is decided in front (`api.middleware.Envelope`): the data is public, and nothing can be changed.
    server.streamable_http_app(json_response=True, stateless_http=True, host="")
    return server.session_manager
