"""The few places at the link desk of one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api.problems import Problem
from api.settings import Settings


class Desk:
    """The places at the desk of one process: who finds none waits, and who finds too many waiting is sent away."""

    def __init__(self, settings: Settings) -> None:
        self._places = asyncio.Semaphore(settings.desk_places)
        self._most = settings.desk_places + settings.desk_queue
        self._here = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        if self._here >= self._most:
            raise Problem(503, "desk-busy", "the link desk is busy; try again in a moment", {}, {"Retry-After": "2"})
        self._here += 1
        try:
            async with self._places:
                yield
        finally:
            self._here -= 1
