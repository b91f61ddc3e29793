"""Strangers' documents are checked in processes of their own: one each, with a deadline, killed when the client leaves.

A process that has imported and opened what it needs, and waits, is kept ready for the next document, for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.problems import Problem
from api.settings import Settings
from api.workers.places import Places
from kg import errors
from kg.errors import KgError, RdfFault, RdfTooComplex
from kg.isolation import frames
from kg.isolation.worker import OUT_OF_MEMORY
from kg.rdf.formats import Rdf
from kg.submitted import report
from kg.submitted.report import Report

_LOG = logging.getLogger("api.workers.checkers")
_END_SECONDS = 5.0


@dataclass(eq=False, slots=True)
class _Checker:
    """A process that waits for its document or works on it; `release` is the folder that it holds open."""

    release: Path
    process: subprocess.Popen[bytes]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Checkers:
    """The processes that check documents; `run` is all that a request needs."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.working: set[int] = set()
        self._places = Places(settings.validate_processes)
        self._clients: Counter[str] = Counter()
        self._spare: asyncio.Future[_Checker] | None = None
        self._spare_release: Path | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[Any]] = set()

    async def run(self, body: bytes, syntax: Rdf, *, project: Path, release: Path, client: str) -> Report:
        """The report on a document; raises `Problem` 429, 503, 504 or the `RdfFault` of the document.

        Cancelling the call kills the process that works on it.
        """
        settings = self.settings
        if self._clients[client] >= settings.client_validations:
            raise _too_many(settings.client_validations)
        if self._places.free <= 0 and len(self._places.waiting) >= settings.validate_queue:
            raise _busy("too many documents are waiting")
        self._clients[client] += 1
        try:
            async with asyncio.timeout(settings.validate_seconds):
                await self._places.take()
                try:
                    return await self._check(body, syntax, project, release)
                finally:
                    self._places.give()
        except TimeoutError:
            raise _too_slow(settings.validate_seconds) from None
        finally:
            self._clients[client] -= 1
            if not self._clients[client]:
                del self._clients[client]

    async def _check(self, body: bytes, syntax: Rdf, project: Path, release: Path) -> Report:
        checker, is_fit = await self._ready(project, release), False
        self.working.add(checker.process.pid)
        try:
            settings = self.settings
            limits = {
                "size": settings.validate_max_bytes,
                "quads": settings.validate_max_statements,
                "depth": settings.validate_max_depth,
            }
            head = {"syntax": syntax.name, "limits": limits, "most": settings.validate_max_results}
            return await _ask(checker, frames.pack(head, body))
        except RdfFault:
            # What could not be read has left nothing behind.
            is_fit = self._spare is None and checker.process.poll() is None
            raise
        finally:
            self.working.discard(checker.process.pid)
            if is_fit and self.settings.validate_spare_seconds:
                self._spare = asyncio.get_running_loop().create_future()
                self._spare.set_result(checker)
                self._spare_release = release
            else:
                self._end(checker)
            # The next one gets ready while this answer is written.
            self.prepare(project, release)

    # ---- processes ----

    def prepare(self, project: Path, release: Path) -> None:
        """Gets a process ready for the next document, unless one is, and lets go of one that nobody has needed."""
        if not self.settings.validate_spare_seconds:
            return
        if self._spare is None or self._spare_release != release:
            self.discard()
            self._spare, self._spare_release = asyncio.ensure_future(self._start(project, release)), release
            self._spare.add_done_callback(_look)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self.settings.validate_spare_seconds, self.discard)

    def discard(self) -> None:
        """Ends the process that is kept ready."""
        spare, self._spare = self._spare, None
        if spare is not None:
            self._keep(self._drop(spare))

    async def close(self) -> None:
        """Ends every process."""
        self.discard()
        if self._timer is not None:
            self._timer.cancel()
        while self._ending:
            await asyncio.gather(*self._ending, return_exceptions=True)

    async def _ready(self, project: Path, release: Path) -> _Checker:
        spare, self._spare = self._spare, None
        if spare is None or self._spare_release != release:
            if spare is not None:
                self._keep(self._drop(spare))
            spare = asyncio.ensure_future(self._start(project, release))
        try:
            checker = await asyncio.shield(spare)
        except asyncio.CancelledError:
            self._keep(self._drop(spare))
            raise
        if checker.process.poll() is None:
            return checker
        self._end(checker)
        return await self._start(project, release)

    async def _start(self, project: Path, release: Path) -> _Checker:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "kg.submitted.process", str(theirs.fileno())]
        with theirs:
            process = await asyncio.to_thread(
                subprocess.Popen,
                command,
                pass_fds=[theirs.fileno()],
                # Each thread of the engine would reserve 128 MB of addresses, which are what is limited.
                env={**os.environ, "MALLOC_ARENA_MAX": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        ours.setblocking(False)
        checker = _Checker(release, process, *await asyncio.open_unix_connection(sock=ours, limit=1 << 20))
        options = {
            "project": str(project),
            "release": str(release),
            "memory_bytes": self.settings.validate_memory_mb * 1_000_000,
            "seconds": self.settings.validate_seconds,
            "parent": os.getpid(),
        }
        try:
            checker.writer.write(frames.pack(options))
            head, _ = await _read(checker)
        except BaseException:
            self._end(checker)
            raise
        if "error" in head:
            self._end(checker)
            _LOG.error("no validation: %s", head["error"])
            raise _busy("the validation could not be started")
        return checker

    def _end(self, checker: _Checker) -> None:
        """Kills a process, whatever it does, and waits for its end aside."""
        checker.process.kill()
        checker.writer.close()
        self._keep(asyncio.to_thread(checker.process.wait))

    async def _drop(self, spare: asyncio.Future[_Checker]) -> None:
        try:
            self._end(await spare)
        except (KgError, OSError):
            return

    def _keep(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


def _look(spare: asyncio.Future[_Checker]) -> None:
    """Takes note of a failure, which the request that needs the process is told."""
    if not spare.cancelled():
        spare.exception()


async def _ask(checker: _Checker, message: bytes) -> Report:
    checker.writer.write(message)
    # A process that ended before it had read all is told by reading from it.
    with contextlib.suppress(ConnectionError):
        await checker.writer.drain()
    head, body = await _read(checker)
    if name := head.get("fault"):
        fault: type[RdfFault] = getattr(errors, name)
        raise fault(head["message"], head["line"], head["column"], head["limit"])
    return await asyncio.to_thread(report.load, body)


async def _read(checker: _Checker) -> tuple[dict[str, Any], bytes]:
    """The next message of a process; raises `Problem` when the process dies over it."""
    try:
        lengths = frames.LENGTHS.unpack(await checker.reader.readexactly(frames.LENGTHS.size))
        head, body = [await checker.reader.readexactly(length) for length in lengths]
    except (asyncio.IncompleteReadError, ConnectionError):
        raise _died(await asyncio.to_thread(checker.process.wait, _END_SECONDS)) from None
    return frames.head(head), body


def _died(code: int) -> KgError:
    """What the end of a process says about its document."""
    if code in (-signal.SIGSEGV, -signal.SIGBUS):
        return RdfTooComplex("the document nests too deeply for its parser")
    if code == -signal.SIGXCPU:
        return Problem(504, "validation-timeout", "the validation took all the processor time that it may take")
    if code in (-signal.SIGABRT, OUT_OF_MEMORY):
        detail = "the validation needed more memory than one may take; send less at a time"
        return Problem(503, "validation-out-of-memory", detail, {}, {"Retry-After": "60"})
    return _busy("the process that validated the document was ended from outside")


def _busy(why: str) -> Problem:
    return Problem(503, "validation-busy", f"{why}; try again in a moment", {}, {"Retry-After": "5"})


def _too_many(most: int) -> Problem:
    detail = f"at most {most} documents of one client are validated at a time; wait for one to end"
    return Problem(429, "too-many-validations", detail, {"limit": most}, {"Retry-After": "1"})


def _too_slow(seconds: float) -> Problem:
    detail = f"the validation was stopped after {seconds:g} seconds; send less at a time"
    return Problem(504, "validation-timeout", detail, {"limit": seconds})
