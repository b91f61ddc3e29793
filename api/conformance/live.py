"""The run of all requirements against the running server, shared by everyone who asks for it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from api.conformance import requirements, run
from api.conformance.run import Fetch, Request, Response, Verdict
from api.pages.front import example
from api.site.site import Site

if TYPE_CHECKING:
    import httpx

_KEPT_SECONDS = 60.0
# A server that is busy for a moment meets its requirements all the same.
_BUSY, _ATTEMPTS, _PAUSE_SECONDS = (429, 503), 5, 1.0


class LiveRun:
    """One run at a time, whose verdicts are kept for a minute: a run sends a hundred requests, one after the other."""

    def __init__(self) -> None:
        self._of: tuple[str, str] | None = None
        self._until = 0.0
        self._task: asyncio.Task[list[Verdict]] | None = None

    async def verdicts(self, app: ASGIApp, site: Site, root: str) -> list[Verdict]:
        """The verdicts on this release of the server."""
        if self._task is None or self._of != (site.version, root) or self._is_over:
            self._of = site.version, root
            self._task = asyncio.ensure_future(self._run(app, site, root))
        # Whoever leaves does not end the run of the others.
        return await asyncio.shield(self._task)

    @property
    def _is_over(self) -> bool:
        """Whether the last run failed, or was too long ago."""
        task = self._task
        assert task is not None
        is_failed = task.done() and (task.cancelled() or task.exception() is not None)
        return is_failed or (task.done() and time.monotonic() > self._until)

    async def _run(self, app: ASGIApp, site: Site, root: str) -> list[Verdict]:
        """Test the application through all its layers, without a socket."""
        # Imported here, since a server starts 0.1 s faster without it.
        import httpx

        transport = httpx.ASGITransport(app, raise_app_exceptions=False, root_path=root, client=("conformance", 0))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://localhost{root}") as client:
            found = await run.run(requirements.table(site.base, example(site)), _patient(client))
        self._until = time.monotonic() + _KEPT_SECONDS
        return found


def _patient(client: httpx.AsyncClient) -> Fetch:
    """Return a function that asks again while the server is busy."""
    fetch = run.over(client)

    async def fetch_patiently(request: Request) -> Response:
        for _ in range(_ATTEMPTS - 1):
            response = await fetch(request)
            if response.status not in _BUSY:
                return response
            await asyncio.sleep(_PAUSE_SECONDS)
        return await fetch(request)

    return fetch_patiently
