"""`kg serve`, with few imports for a fast start."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from kg.cli.terminal import Releases, current, err, releases_in
from kg.engines import endpoint
from kg.engines.endpoint import Options
from kg.errors import KgError
from kg.release import mirror, store


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="HTTP processes, each with its own query workers.")] = 1,
    place: Annotated[
        str | None,
        typer.Option(
            "--store",
            metavar="DIR|URL",
            help="Serve this release, this folder of releases, or what 'kg publish' loaded into this engine.",
            show_default=False,
        ),
    ] = None,
    out: Releases = None,
) -> None:
    """Serve the current release: SPARQL, linked data and pages. Makes one first when there is none.

    Switches over to a release that becomes current while it serves; a broken one is refused.
    """
    from api import server

    settings = server.read_settings()
    with contextlib.ExitStack() as held:
        releases, directory = _served(held, place, out, settings)
        opened = store.open_release(directory, settings.memory_quads)
        listener = held.enter_context(_listen(host, port))
        address = f"[{host}]" if ":" in host else host
        where = f"http://{address}:{listener.getsockname()[1]}/"
        with contextlib.suppress(OSError):
            err.print(f"serving release {opened.manifest.id[:16]} on {where}", markup=False)
        server.run(settings, opened, releases, listener, workers)


def _served(held: contextlib.ExitStack, place: str | None, out: Path | None, settings: Any) -> tuple[Path | None, Path]:
    """The folder of releases to follow, if any, and the first release."""
    if place is None:
        releases = releases_in(out)
        return releases, current(releases)
    if re.match(r"https?://", place):
        options = Options(
            endpoint.check_url(place),
            connect_seconds=settings.remote_connect_seconds,
            read_seconds=settings.query_seconds,
            attempts=settings.remote_attempts,
            most_bytes=settings.remote_max_bytes,
            memo_quads=settings.remote_memo_quads,
        )
        releases = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="kg-remote-")))
        return releases, mirror.start(releases, options)
    directory = Path(place)
    if (directory / "manifest.json").is_file():
        return None, directory
    return directory, store.current_directory(directory)


def _listen(host: str, port: int) -> socket.socket:
    """Binds the socket. It listens only when the server is ready, so that a balancer uses another one until then."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        return listener
    except OSError as error:
        listener.close()
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise KgError(f"cannot listen on {host}:{port}: {reason}; choose with --host and --port") from error
