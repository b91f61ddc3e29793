"""Strangers' queries run in processes of their own: a pool of workers with lanes, deadlines and one account of each.

A query starts in the fast lane. What is not answered within its slice goes on as a slow one, at the lowest priority,
if one of the slow places is free; else it is stopped when others wait, and begins anew when a slow place is free. The
slice shrinks as more wait, so that whoever comes has a first turn soon, whatever else runs.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.errors import Problem
from api.places import Places
from api.settings import Settings
from kg import frames
from kg.errors import BrokenRelease, KgError, QueryTooComplex
from kg.evaluation import Answer, Query, Wanted
from kg.worker import OUT_OF_MEMORY

_LOG = logging.getLogger("api.workers")
_SHORTEST_SLICE = 0.008
_TICK = 0.002
_CROWD = 8
_PATIENCE = 1.0
_SLOW_AFTER = 0.25
_REUSED_UP_TO_BYTES = 4_000_000
_QUERIES_OF_ONE_WORKER = 10_000
_END_SECONDS = 5.0
_GRACE_SECONDS = 2.0


@dataclass(eq=False, slots=True)
class _Worker:
    """A process that waits for a query or works on one."""

    pid: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    ended: asyncio.Future[tuple[int, int]]
    queries: int = 0
    is_fit: bool = True


class Pool:
    """The workers of one release; `run` is all that a request needs.

    `account` counts what became of workers and queries: forked = idle + working + the sum of ends.
    """

    def __init__(
        self,
        directory: Path,
        base: str,
        prefixes: Mapping[str, str],
        settings: Settings,
        count: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.settings = settings
        self.account: Counter[str] = Counter()
        self._count_outside = count
        self._options = {
            "directory": str(directory),
            "memory_quads": settings.memory_quads,
            "memory_bytes": settings.query_memory_mb * 1_000_000,
            "base": base,
            "prefixes": dict(prefixes),
        }
        self._places = Places(settings.query_workers, _CROWD)
        self._slow = Places(max(1, settings.query_workers * 2 // 3))
        self._clients: Counter[str] = Counter()
        self._idle: list[_Worker] = []
        self._processes: dict[int, asyncio.Future[tuple[int, int]]] = {}
        self._forks: dict[int, asyncio.Future[int]] = {}
        self._next_fork = 0
        self._control: socket.socket | None = None
        self._zygote: subprocess.Popen[bytes] | None = None
        self._ready: asyncio.Future[None] | None = None
        self._starting = asyncio.Lock()
        self._is_closing = False

    # ---- life ----

    async def start(self) -> None:
        """Starts the zygote and waits until it holds the store; raises `KgError` when it cannot."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "kg.zygote", str(theirs.fileno())]
        with theirs:
            self._zygote = await asyncio.to_thread(
                subprocess.Popen,
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        ours.setblocking(False)
        ours.send(json.dumps(self._options).encode())
        self._control = ours
        self._ready = loop.create_future()
        loop.add_reader(ours.fileno(), self._read_control)
        await self._ready

    async def close(self) -> None:
        """Ends the zygote, and with it every worker."""
        self._is_closing = True
        zygote = self._zygote
        self._lose_zygote()
        if zygote is not None:
            try:
                await asyncio.to_thread(zygote.wait, _END_SECONDS)
            except subprocess.TimeoutExpired:
                zygote.kill()
                await asyncio.to_thread(zygote.wait)

    async def drain(self) -> None:
        """Waits until no query runs, at most as long as one may run, then closes."""
        # A request that has this pool in hand may not have got as far as its query.
        await asyncio.sleep(_GRACE_SECONDS)
        until = time.monotonic() + self.settings.query_seconds
        while sum(self._clients.values()) and time.monotonic() < until:
            await asyncio.sleep(0.05)
        await self.close()

    @property
    def is_ready(self) -> bool:
        return self._control is not None and self._ready is not None and self._ready.done()

    @property
    def alive(self) -> int:
        """Workers that live, idle ones included."""
        return len(self._processes)

    @property
    def waiting(self) -> int:
        return len(self._places.waiting) + len(self._slow.waiting)

    def _count(self, event: str) -> None:
        self.account[event] += 1
        self._count_outside(event)

    # ---- queries ----

    async def run(
        self, query: Query, want: Wanted, *, client: str, seconds: float, services: tuple[str, ...] = ()
    ) -> Answer:
        """The answer of a query within so many seconds; raises `Problem` 429, 503, 504 or what is wrong with the query.

        Cancelling the call kills the worker that works on it.
        """
        if self._clients[client] >= self.settings.client_queries:
            self._count("refused: client")
            raise _too_many(self.settings.client_queries)
        if self._places.free <= 0 and self.waiting >= self.settings.query_queue:
            self._count("refused: queue")
            raise _busy("too many queries are waiting")
        self._clients[client] += 1
        try:
            job = _Job(frames.request(query, want, self.settings.max_result_bytes), services)
            return await self._run(job, asyncio.get_running_loop().time() + seconds, seconds)
        finally:
            self._clients[client] -= 1
            if not self._clients[client]:
                del self._clients[client]

    async def _run(self, job: _Job, deadline: float, seconds: float) -> Answer:
        answer = await self._attempt(job, deadline, seconds, self._fast_lane)
        if answer is None:
            self._count("requeued")
            await self._take(self._slow, deadline)
            try:
                answer = await self._attempt(job, deadline, seconds, self._slow_lane)
            finally:
                self._slow.give()
        assert answer is not None
        return answer

    async def _attempt(
        self,
        job: _Job,
        deadline: float,
        seconds: float,
        lane: Callable[[_Worker, asyncio.Task[Answer], float], Coroutine[Any, Any, bool]],
    ) -> Answer | None:
        """One run on one worker; None when the lane stopped it for others to have their turn."""
        await self._take(self._places, deadline)
        try:
            worker = await self._worker(job.services)
            reply = asyncio.ensure_future(self._ask(worker, job))
            try:
                is_done = await lane(worker, reply, deadline)
                if is_done:
                    return await reply
                if asyncio.get_running_loop().time() < deadline:
                    return None
                self._count("deadline")
                raise _too_slow(seconds)
            finally:
                self._keep_or_kill(worker, reply)
        finally:
            self._places.give()

    async def _fast_lane(self, worker: _Worker, reply: asyncio.Task[Answer], deadline: float) -> bool:
        spent = _Spent(worker.pid)
        # The slice is looked at again and again: others may have come since.
        while (left := self._slice() - spent.seconds()) > 0 and self._left(deadline) > 0:
            if await _done(reply, min(max(left, _TICK), _SHORTEST_SLICE, self._left(deadline))):
                return True
        if self._slow.try_take():
            try:
                return await self._slow_lane(worker, reply, deadline)
            finally:
                self._slow.give()
        while self._left(deadline) > 0:
            if self._places.waiting:
                return False
            if await _done(reply, min(_SHORTEST_SLICE, self._left(deadline))):
                return True
        return False

    async def _slow_lane(self, worker: _Worker, reply: asyncio.Task[Answer], deadline: float) -> bool:
        self._tell({"renice": worker.pid})
        worker.is_fit = False
        return await _done(reply, self._left(deadline))

    def _slice(self) -> float:
        """How long a query may go on before it counts as slow: the less, the more wait for a place."""
        return max(_SHORTEST_SLICE, _SLOW_AFTER / (1 + len(self._places.waiting)))

    def _left(self, deadline: float) -> float:
        return max(0.0, deadline - asyncio.get_running_loop().time())

    async def _take(self, places: Places, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await places.take()
        except TimeoutError:
            self._count("refused: waited")
            raise _busy("the query waited for its turn until its time was over") from None

    async def _ask(self, worker: _Worker, job: _Job) -> Answer:
        """The worker's answer; raises `Problem` when the worker dies over it."""
        worker.queries += 1
        try:
            worker.writer.write(job.message)
            await worker.writer.drain()
            head_size, body_size = frames.LENGTHS.unpack(await worker.reader.readexactly(frames.LENGTHS.size))
            head = await worker.reader.readexactly(head_size)
            body = await worker.reader.readexactly(body_size)
        except (asyncio.IncompleteReadError, ConnectionError, OSError):
            worker.is_fit = False
            raise _died(*await asyncio.wait_for(asyncio.shield(worker.ended), _END_SECONDS)) from None
        worker.is_fit = worker.is_fit and body_size <= _REUSED_UP_TO_BYTES and worker.queries < _QUERIES_OF_ONE_WORKER
        return frames.read_answer(head, body)

    # ---- workers ----

    async def _worker(self, services: tuple[str, ...]) -> _Worker:
        while self._idle and not services:
            worker = self._idle.pop()
            if not worker.ended.done():
                return worker
        return await self._fork(services)

    async def _fork(self, services: tuple[str, ...]) -> _Worker:
        if self._control is None:
            await self._restart()
        self._next_fork += 1
        number, pid = self._next_fork, asyncio.get_running_loop().create_future()
        message: dict[str, Any] = {"fork": number}
        if services:
            message["services"] = dict.fromkeys(services, str(self.settings.service_seconds))
        ours, theirs = socket.socketpair()
        self._forks[number] = pid
        try:
            with theirs:
                self._tell(message, theirs)
            child = await pid
        except BaseException:
            pid.cancel()
            ours.close()
            raise
        ours.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=1 << 20)
        # A worker that may ask other endpoints serves one query.
        return _Worker(child, reader, writer, self._processes[child], is_fit=not services)

    def _keep_or_kill(self, worker: _Worker, reply: asyncio.Task[Answer]) -> None:
        """Keeps a worker that has answered for the next query; kills one that still works or is not fit."""
        if not reply.done():
            reply.cancel()
            worker.is_fit = False
        elif not reply.cancelled():
            reply.exception()
        wanted = worker.is_fit and not self._is_closing and len(self._idle) < self.settings.query_workers
        if wanted and not worker.ended.done():
            self._idle.append(worker)
        else:
            self._tell({"kill": worker.pid})
            worker.writer.close()

    # ---- the zygote ----

    async def _restart(self) -> None:
        async with self._starting:
            if self._control is None:
                if self._is_closing:
                    raise _busy("the server is closing")
                _LOG.warning("starting a new zygote")
                self._count("zygotes restarted")
                if self._zygote is not None:
                    await asyncio.to_thread(self._zygote.wait)
                await self.start()

    def _tell(self, message: dict[str, Any], descriptor: socket.socket | None = None) -> None:
        if self._control is None:
            return
        data = json.dumps(message).encode()
        try:
            # The socket holds some hundred messages, and the zygote does nothing long between two of them.
            if descriptor is None:
                self._control.send(data)
            else:
                socket.send_fds(self._control, [data], [descriptor.fileno()])
        except OSError as error:
            _LOG.error("the zygote does not listen: %s", error)
            self._lose_zygote()

    def _read_control(self) -> None:
        while self._control is not None:
            try:
                data = self._control.recv(65_536)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._lose_zygote()
                return
            self._hear(json.loads(data))

    def _hear(self, message: dict[str, Any]) -> None:
        assert self._ready is not None
        if "ready" in message:
            self._ready.set_result(None)
        elif "error" in message:
            self._ready.set_exception(BrokenRelease(message["error"]))
        elif "fork" in message:
            self._count("forked")
            self._processes[message["pid"]] = asyncio.get_running_loop().create_future()
            waiting = self._forks.pop(message["fork"])
            if waiting.done():
                self._tell({"kill": message["pid"]})
            else:
                waiting.set_result(message["pid"])
        elif "exit" in message:
            self._bury(message["exit"], message["signal"], message["code"])

    def _bury(self, pid: int, number: int, code: int) -> None:
        self._count(f"ended: {signal.Signals(number).name if number else f'code {code}'}")
        self._processes.pop(pid).set_result((number, code))
        for worker in [w for w in self._idle if w.pid == pid]:
            self._idle.remove(worker)
            worker.writer.close()

    def _lose_zygote(self) -> None:
        """Forgets a zygote that has ended, and with it every worker: they die with it."""
        if self._control is None:
            return
        asyncio.get_running_loop().remove_reader(self._control.fileno())
        self._control.close()
        self._control = None
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(BrokenRelease("the query workers could not be started"))
        for waiting in self._forks.values():
            if not waiting.done():
                waiting.set_exception(_busy("the query workers are being started anew"))
        self._forks.clear()
        for pid in list(self._processes):
            self._bury(pid, signal.SIGKILL, -signal.SIGKILL)
        for worker in self._idle:
            worker.writer.close()
        self._idle.clear()


@dataclass(frozen=True, slots=True)
class _Job:
    message: bytes
    services: tuple[str, ...]


class _Spent:
    """What a worker has spent on a query: time of the processor, so that one that is kept waiting by others is not held
    to be slow; of other time only what is beyond a second, as when it waits for another endpoint.
    """

    def __init__(self, pid: int) -> None:
        self._source = Path(f"/proc/{pid}/schedstat")
        self._begun = time.monotonic()
        self._before = self._processor()

    def seconds(self) -> float:
        passed = time.monotonic() - self._begun
        processor = self._processor() - self._before if self._before >= 0 else passed
        return max(processor, passed - _PATIENCE)

    def _processor(self) -> float:
        try:
            return int(self._source.read_text().partition(" ")[0]) / 1e9
        except (OSError, ValueError):
            return -1.0


async def _done(reply: asyncio.Task[Answer], seconds: float) -> bool:
    """Whether the reply is there within so many seconds; it goes on either way."""
    done, _ = await asyncio.wait({reply}, timeout=seconds)
    return bool(done)


def _busy(why: str) -> Problem:
    return Problem(503, "busy", f"{why}; try again in a moment", {}, {"Retry-After": "5"})


def _too_many(most: int) -> Problem:
    detail = f"at most {most} queries of one client run at a time; wait for one to end"
    return Problem(429, "too-many-queries", detail, {"limit": most}, {"Retry-After": "1"})


def _too_slow(seconds: float) -> Problem:
    detail = f"the query was stopped after {seconds:g} seconds; ask for less, or make its patterns more selective"
    return Problem(504, "query-timeout", detail, {"limit": seconds})


def _died(number: int, code: int) -> KgError:
    """What the end of a worker says about its query."""
    if number in (signal.SIGSEGV, signal.SIGBUS):
        return QueryTooComplex("the query nests too deeply for the engine")
    if number == signal.SIGABRT or code == OUT_OF_MEMORY:
        detail = "the query needed more memory than one query may take; ask for less at a time"
        return Problem(503, "out-of-memory", detail, {}, {"Retry-After": "60"})
    return _busy("the process that worked on the query was ended from outside")
