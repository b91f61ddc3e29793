"""The slots at the link desk of one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api.settings import Settings
from kg.errors import DeskBusy


class Desk:
    """Limits the requests to the link desk that are processed at a time and that wait; others raise `DeskBusy`."""

    def __init__(self, settings: Settings) -> None:
        self._slots = asyncio.Semaphore(settings.desk_places)
        self._most = settings.desk_places + settings.desk_queue
        self._here = 0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        if self._here >= self._most:
            raise DeskBusy("the link desk is busy")
        self._here += 1
        try:
            async with self._slots:
                yield
        finally:
            self._here -= 1
