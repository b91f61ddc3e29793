"""Serving successive releases: nothing of the previous one stays in memory."""

from __future__ import annotations

import asyncio
import gc
import weakref
from pathlib import Path

from conftest import make_release, tiny_quads
from pyoxigraph import Literal, NamedNode, Quad
from test_workers import run

from api.settings import Settings
from api.site.current import Serving


def test_a_release_that_is_no_longer_served_is_given_up(tmp_path: Path) -> None:
    """Despite reference cycles, and without waiting for a garbage collection."""
    releases = tmp_path / "releases"
    first = make_release(releases, tiny_quads())
    more = Quad(NamedNode("urn:a"), NamedNode("urn:p"), Literal("x"), NamedNode("urn:g"))

    async def work() -> None:
        serving = Serving(Settings(), first, releases, lambda _: None)
        await serving.start()
        gc.freeze()
        gc.disable()
        try:
            gone = weakref.ref(serving.site.matcher)
            make_release(releases, [*tiny_quads(), more])
            assert await serving.look()
            while gone() is not None:
                await asyncio.sleep(0.1)
        finally:
            gc.enable()
            gc.unfreeze()
            await serving.close()

    run(work)
