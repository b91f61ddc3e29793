"""The processes of `kg serve`: one, or several with a shared socket under uvicorn's supervisor."""

from __future__ import annotations

import json
import logging
import logging.config
import os
import resource
import shutil
import signal
import socket
import tempfile
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError
from uvicorn.supervisors import Multiprocess

from api.app import create_app
from api.hotpath.connection import protocol_class
from api.settings import Settings
from kg.errors import KgError
from kg.isolation import sandbox
from kg.release import store
from kg.release.store import Release

_SERVED = "KG_SERVED"
# File descriptors other than connections: the store, the workers' sockets, the log.
_OTHER_DESCRIPTORS = 200


def read_settings() -> Settings:
    """The settings from the environment; raises `KgError` with all invalid ones."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = (f"KG_{str(e['loc'][0]).upper()}={e['input']}: {e['msg']}" for e in error.errors())
        raise KgError("; ".join(wrong)) from error


def run(settings: Settings, release: Release, releases: Path | None, listener: socket.socket, workers: int) -> None:
    """Serves until a signal to stop; answers requests in flight first."""
    settings = _with_descriptors(settings)
    # Options of the command line are passed to the processes in the environment, like settings.
    os.environ[_SERVED] = json.dumps([str(release.directory), str(releases) if releases else ""])
    app = None
    if workers == 1:
        app = create_app(settings, release, releases)
        app.state.serving.prepare()
    config = uvicorn.Config(
        app or "api.server:application",
        factory=workers > 1,
        http=protocol_class(settings) if workers == 1 else "api.server:ServedProtocol",
        ws="none",
        lifespan="on",
        log_config=_logging(settings),
        access_log=False,
        server_header=False,
        workers=workers,
        backlog=settings.max_connections,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    if workers == 1:
        uvicorn.Server(config).run(sockets=[listener])
        return
    numbers = tempfile.mkdtemp(prefix="kg-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = numbers
    try:
        Multiprocess(config, sockets=[listener]).run()
    finally:
        shutil.rmtree(numbers, ignore_errors=True)


def application() -> FastAPI:
    """Makes the application of one HTTP process of several."""
    # A supervisor that is killed would leave its processes behind, with the port.
    sandbox.end_with_parent(signal.SIGTERM)
    directory, releases = json.loads(os.environ[_SERVED])
    settings = Settings()
    release = store.open_release(Path(directory), settings.memory_quads)
    return create_app(settings, release, Path(releases) if releases else None)


def _with_descriptors(settings: Settings) -> Settings:
    """Raises the limit on file descriptors as far as possible, and limits connections accordingly."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.max_connections + _OTHER_DESCRIPTORS
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    most = max(1, min(settings.max_connections, soft - _OTHER_DESCRIPTORS))
    return settings.model_copy(update={"max_connections": most})


def _logging(settings: Settings) -> dict[str, Any]:
    """Logs one JSON object per line to standard error; drops what cannot be written, without waiting."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "api.server.JsonLines"}},
        "handlers": {"stderr": {"class": "api.server.Lossy", "formatter": "json"}},
        "loggers": {
            "api": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
            "api.access": {"level": "INFO" if settings.log_requests else "WARNING"},
            "mcp": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
            "uvicorn": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        },
    }


class JsonLines(logging.Formatter):
    """A log record as a JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {"time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"), "level": record.levelname}
        line |= {"logger": record.name, "message": record.getMessage()}
        if request_id := getattr(record, "request_id", ""):
            line["request_id"] = request_id
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class Lossy(logging.StreamHandler[Any]):
    """Writes to standard error; on a full disk or closed pipe the line is lost, but the request succeeds."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 the library's name
        """Does nothing, since there is nowhere to report it."""


def __getattr__(name: str) -> Any:
    if name == "ServedProtocol":  # imported by name in each process of several
        return protocol_class(_with_descriptors(Settings()))
    raise AttributeError(name)
