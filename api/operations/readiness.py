"""Whether a server can do its work, proved by doing some: a query, a search, and a new worker process."""

from __future__ import annotations

import asyncio
import time

from api.site.site import Site
from kg.engines import codec
from kg.engines.evaluation import Query, ResultFormats
from kg.errors import KgError

_QUERY = codec.request(Query("ASK {}"), ResultFormats("json"), 1_000)
# Seconds that a proof may take, and for which it holds: monitors ask often.
_SECONDS, _HOLDS = 5.0, 2.0


class Readiness:
    """The last proof, which all who ask at a time share."""

    def __init__(self) -> None:
        self._site: Site | None = None
        self._until = 0.0
        self._proof: asyncio.Task[str] | None = None

    async def problem(self, site: Site) -> str:
        """What the release of a site cannot do now; '' if it can do everything."""
        if self._proof is None or self._site is not site or (self._proof.done() and time.monotonic() > self._until):
            self._site = site
            self._proof = asyncio.ensure_future(self._prove(site))
        return await asyncio.shield(self._proof)

    async def _prove(self, site: Site) -> str:
        try:
            async with asyncio.timeout(_SECONDS):
                if not site.release.store.needs_network:
                    # Through a remote engine, queries fail while that is away, and the process is fine.
                    await self._ask(site)
                await asyncio.to_thread(_search, site)
        except TimeoutError:
            return f"a query and a search took longer than {_SECONDS:g} seconds"
        except (KgError, OSError, ValueError) as error:
            return f"a query or a search failed: {type(error).__name__}"
        finally:
            self._until = time.monotonic() + _HOLDS
        return ""

    async def _ask(self, site: Site) -> None:
        """Asks a query, and again of a new process: the first may have been answered by one that was there."""
        for is_new in (False, True):
            work = site.pool.run(_QUERY, client="readiness", seconds=_SECONDS, is_new=is_new)
            codec.read_answer(await work)


def _search(site: Site) -> None:
    entries = site.search.entries
    if entries and not site.search.find(entries[0].text, limit=1).hits:
        raise ValueError("a name is not found")
