"""The processes of a pool: a zygote that holds what they share, and the workers that it forks."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import select
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from kg.errors import Busy, KgError
from kg.isolation import messages, program, zygote
from kg.isolation.jobs import Job, Worker
from kg.isolation.program import Program

_LOG = logging.getLogger("kg.isolation.processes")
_END_SECONDS = 5.0
# A fork takes milliseconds, on a busy machine with a large store perhaps a second.
_FORK_SECONDS = 5.0
_CAP_SYS_NICE = 23


def may_raise_priority() -> bool:
    """Whether this process may raise a priority again (Linux: CAP_SYS_NICE)."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return bool(int(status.partition("CapEff:")[2].split()[0], 16) >> _CAP_SYS_NICE & 1)
    except (OSError, ValueError, IndexError):
        return False


def _has_one_thread() -> bool:
    """Whether a fork of this process is whole (Linux; elsewhere it is not known)."""
    try:
        return len(list(Path("/proc/self/task").iterdir())) == 1
    except OSError:
        return False


class _Forked:
    """A child that was forked without another program, with what is needed of `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)

    def kill(self) -> None:
        signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> None:
        """Waits for its end, which is reported once; raises `subprocess.TimeoutExpired`."""
        if self._descriptor < 0:
            return
        end = select.poll()
        end.register(self._descriptor, select.POLLIN)
        if not end.poll(None if timeout is None else timeout * 1000):
            raise subprocess.TimeoutExpired("zygote", timeout or 0)
        os.close(self._descriptor)
        self._descriptor = -1
        os.waitpid(self.pid, 0)


class Owner(Protocol):
    """What learns what becomes of the processes."""

    def on_worker(self, worker: Worker, job: Job) -> None:
        """A worker is there, for the job that it was asked for, or for any job when that one is over."""

    def on_exit(self, pid: int, code: int) -> None:
        """A worker has ended, with that exit code or by minus that signal."""

    def on_zygote_lost(self, jobs_lost: list[Job]) -> None:
        """All workers have ended, and these jobs will get none."""


class Processes:
    """One zygote and its workers: `alive` has the numbers of those that live, `events` counts what became of all."""

    def __init__(self, program: Program, owner: Owner, count: Callable[[str], None]) -> None:
        self.events: Counter[str] = Counter()
        self.alive: set[int] = set()
        self.is_ready = False
        self._program = program
        self._owner = owner
        self._count_outside = count
        self._forks: dict[int, tuple[socket.socket, Job]] = {}
        # When the oldest worker was asked for that is not there yet.
        self._asked = 0.0
        self._next_fork = 0
        self._control: socket.socket | None = None
        self._prepared: socket.socket | None = None
        self._zygote: subprocess.Popen[bytes] | _Forked | None = None
        self._ready: asyncio.Future[None] | None = None

    @property
    def forking(self) -> int:
        """Workers that are asked for and not there yet."""
        return len(self._forks)

    @property
    def zygote(self) -> int:
        """The process number of the zygote; 0 without one."""
        return self._zygote.pid if self._zygote is not None else 0

    def late(self, now: float) -> list[Job]:
        """The jobs whose deadline has passed before their worker is there; it will serve another."""
        return [job for _, job in self._forks.values() if now >= job.deadline and not job.is_over]

    def check(self, now: float) -> None:
        """Kills a zygote that does not answer; whoever needs one starts another."""
        if self._forks and now - self._asked > _FORK_SECONDS and self._zygote is not None:
            _LOG.error("the zygote has not answered for %g seconds and is replaced", _FORK_SECONDS)
            self._zygote.kill()
            self._lose_zygote()

    def count(self, event: str) -> None:
        self.events[event] += 1
        self._count_outside(event)

    def prepare(self, held: Any) -> None:
        """Forks the zygote from this process, so that they share what the task holds, which is read only once.

        Must be called before there is an event loop or another thread, since neither survives a fork. Where there is
        another thread it does nothing, and a zygote that `start` starts reads for itself.
        """
        if not _has_one_thread():
            return
        self._prepared, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            pid = os.fork()
            if pid == 0:
                zygote.begin(theirs.fileno(), self._program, held)
        self._zygote = _Forked(pid)

    async def start(self) -> None:
        """Starts the zygote and waits until it is ready; raises `KgError` when it cannot be."""
        if self._zygote is not None and self._prepared is None:
            await asyncio.to_thread(self._zygote.wait)
        loop = asyncio.get_running_loop()
        ours, self._prepared = self._prepared, None
        if ours is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                self._zygote = await asyncio.to_thread(program.spawn, theirs)
            ours.send(program.specification(self._program, forks=True))
        ours.setblocking(False)
        self._control = ours
        self._ready = loop.create_future()
        loop.add_reader(ours.fileno(), self._read_control)
        await self._ready

    async def close(self) -> None:
        """Ends the zygote and with it every worker."""
        child = self._zygote
        if self._prepared is not None:
            # Prepared and never started: it ends with its socket.
            self._prepared.close()
            self._prepared = None
        self._lose_zygote()
        if child is not None:
            try:
                await asyncio.to_thread(child.wait, _END_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                await asyncio.to_thread(child.wait)

    def fork(self, job: Job) -> None:
        """Asks for a worker, which the owner gets together with the job."""
        self._next_fork += 1
        if not self._forks:
            self._asked = time.monotonic()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self._forks[self._next_fork] = (ours, job)
        with theirs:
            self._tell({"fork": self._next_fork, "grants": dict(job.grants)}, theirs)

    def kill(self, worker: Worker) -> None:
        """Kills a worker; its channel is closed at once."""
        worker.close()
        self._tell({"kill": worker.pid})

    def renice(self, worker: Worker, *, is_slow: bool) -> None:
        """Gives a worker the lowest priority, or that of the others again."""
        self._tell({"renice": worker.pid, "slow": is_slow})

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
            try:
                self._hear(json.loads(messages.checked(data)))
            except KgError as error:
                assert self._ready is not None
                self._ready.set_exception(error)

    def _hear(self, message: dict[str, Any]) -> None:
        if "ready" in message:
            assert self._ready is not None
            self.is_ready = True
            self._ready.set_result(None)
        elif "fork" in message:
            self.count("forked")
            self.alive.add(message["pid"])
            ours, job = self._forks.pop(message["fork"])
            self._asked = time.monotonic()
            self._owner.on_worker(Worker(message["pid"], ours), job)
        elif "exit" in message:
            self._bury(message["exit"], message["code"])

    def _bury(self, pid: int, code: int) -> None:
        self.count(f"ended: {signal.Signals(-code).name if code < 0 else f'code {code}'}")
        self.alive.discard(pid)
        self._owner.on_exit(pid, code)

    def _lose_zygote(self) -> None:
        """Forgets a zygote that has ended, and with it every worker: they die with it."""
        if self._control is None:
            return
        asyncio.get_running_loop().remove_reader(self._control.fileno())
        self._control.close()
        self._control, self.is_ready = None, False
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(Busy("the worker processes could not be started"))
        lost, self._forks = self._forks, {}
        for ours, _ in lost.values():
            ours.close()
        for pid in list(self.alive):
            self._bury(pid, -signal.SIGKILL)
        self._owner.on_zygote_lost([job for _, job in lost.values()])
