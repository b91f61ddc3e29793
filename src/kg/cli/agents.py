"""`kg mcp`."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from kg.cli.terminal import Releases, current, releases_in
from kg.engines import endpoint
from kg.release import store


def mcp(
    url: Annotated[
        str | None,
        typer.Option(
            help="Ask the server at this address, instead of the release on this machine.", show_default=False
        ),
    ] = None,
    place: Annotated[
        Path | None, typer.Option("--store", metavar="DIR", help="Ask this release.", show_default=False)
    ] = None,
    out: Releases = None,
) -> None:
    """Serve a language model: tools of the Model Context Protocol on standard input and output."""
    # Standard output belongs to the protocol.
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    from kg.agents import stdio

    if url is not None:
        asyncio.run(stdio.serve_url(endpoint.check_url(url)))
        return
    from api import server
    from api.app import create_app

    settings = server.read_settings()
    opened = store.open_release(place or current(releases_in(out)), settings.memory_quads)
    asyncio.run(stdio.serve_application(create_app(settings, opened)))
