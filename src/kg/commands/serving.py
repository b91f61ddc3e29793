"""`kg serve`: as few imports as it needs, since somebody waits for the first answer."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import Annotated

import typer

from kg import store
from kg.commands.terminal import Releases, current, err, releases_in
from kg.errors import KgError


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="HTTP processes, each with its own query workers.")] = 1,
    store_dir: Annotated[
        Path | None,
        typer.Option("--store", help="Serve this release, or this folder of releases.", show_default=False),
    ] = None,
    out: Releases = None,
) -> None:
    """Serve the current release: SPARQL, linked data and pages. Makes one first when there is none.

    A release that becomes current while it serves is gone over to; one that is broken is refused.
    """
    from api import server

    settings = server.read_settings()
    if store_dir is not None and (store_dir / "manifest.json").is_file():
        releases, directory = None, store_dir
    else:
        releases = store_dir or releases_in(out)
        directory = store.current_directory(releases) if store_dir else current(releases)
    opened = store.open_release(directory, settings.memory_quads)
    with _listen(host, port) as listener:
        address = f"[{host}]" if ":" in host else host
        where = f"http://{address}:{listener.getsockname()[1]}/"
        with contextlib.suppress(OSError):
            err.print(f"serving release {opened.manifest.id[:16]} on {where}", markup=False)
        server.run(settings, opened, releases, listener, workers)


def _listen(host: str, port: int) -> socket.socket:
    """The socket at its place. It listens only when the server can answer: a balancer asks another one until then."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        return listener
    except OSError as error:
        listener.close()
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise KgError(f"cannot listen on {host}:{port}: {reason}; choose with --host and --port") from error
