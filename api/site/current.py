"""The current site, which is replaced when a new release is published."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.settings import Settings
from api.site.site import Site, make_site
from kg.errors import EngineError, KgError
from kg.release import mirror, store
from kg.release.store import Release

_LOG = logging.getLogger("api.site.current")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A published release that cannot be served."""

    release: str
    reason: str


class Serving:
    """Holds the current site; with a folder of releases, it follows the `current` link there.

    Requests keep the site that they began with, so a replaced site stays until its queries have ended.
    """

    def __init__(
        self, settings: Settings, release: Release, releases: Path | None, count: Callable[[str], None]
    ) -> None:
        self.settings = settings
        self.releases = releases
        self.refusal: Refusal | None = None
        self.site: Site = make_site(settings, release, count)
        self._count = count
        self._seen = self._published()
        self._tasks: set[asyncio.Task[None]] = set()

    def prepare(self) -> None:
        """Shares an in-memory store with the workers; must be called before there is an event loop."""
        held = self.site.release.store
        if not (held.needs_files or held.needs_network):
            self.site.pool.prepare(lambda: held)

    async def start(self) -> None:
        await self.site.pool.start()
        if self.releases is not None:
            self._keep(self._follow())

    async def close(self) -> None:
        """Ends the workers of every site."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.site.close()

    async def look(self) -> bool:
        """Switches to the current release if it is another one; a broken one is refused, and the old one stays."""
        if self.releases is not None and mirror.follows(self.releases):
            # If an engine is temporarily unavailable, the site in memory is still served.
            try:
                if not await asyncio.to_thread(mirror.refresh, self.releases):
                    return False
            except EngineError:
                return False
        published = self._published()
        has_moved = self.site.release.store.has_moved
        if published is None or (published == self._seen and not has_moved):
            return False
        before, self._seen = self._seen, published
        directory = Path(published[0])
        if directory == self.site.release.directory and not has_moved:
            self.refusal = None
            return False
        try:
            await self._exchange(directory)
        except EngineError as error:
            # It is looked at again: the engine may be away, or going over already to the next.
            self._seen = before
            _LOG.warning("release %s cannot be read yet: %s", directory.name, error)
            return False
        except (KgError, OSError) as error:
            self.refusal = Refusal(directory.name, str(error))
            self._count("refused")
            _LOG.error("release %s refused, %s stays: %s", directory.name, self.site.version, error)
            return False
        return True

    async def _exchange(self, directory: Path) -> None:
        release = await asyncio.to_thread(store.open_release, directory, self.settings.memory_quads)
        site = await asyncio.to_thread(make_site, self.settings, release, self._count)
        try:
            await site.pool.start()
        except BaseException:
            await site.close()
            raise
        old, self.site, self.refusal = self.site, site, None
        self._count("exchanged")
        _LOG.warning("serving release %s instead of %s", site.version, old.version)
        self._keep(_retire(old))

    def _published(self) -> tuple[str, int] | None:
        """The folder of the current release, and when it was activated, so that a repaired release is tried again."""
        if self.releases is None:
            return None
        with contextlib.suppress(OSError):
            link = self.releases / "current"
            return str(link.resolve(strict=True)), os.lstat(link).st_mtime_ns
        return None

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self.settings.reload_seconds)
            await self.look()

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _retire(site: Site) -> None:
    """Ends the workers of a site after its queries, at the latest with the server."""
    try:
        await site.drain()
    finally:
        await site.close()
    # Parts of a site refer to each other, so its store would stay in memory until the next garbage collection.
    del site
    gc.unfreeze()
    gc.collect()
    gc.freeze()
