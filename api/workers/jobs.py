"""Queries as the pool has them, the workers that they are given to, and what may become of one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from api.problems import Problem
from kg.engines.evaluation import Answer
from kg.errors import KgError, QueryTooComplex
from kg.isolation import packets
from kg.isolation.worker import OUT_OF_MEMORY


@dataclass(eq=False, slots=True)
class Job:
    """A query that waits or is worked on; `done` is called once, when it has a reply or an error.

    `is_slow` once it was stopped for it; it begins anew where it may take long.
    """

    message: bytes
    client: str
    seconds: float
    done: Callable[[], None]
    services: tuple[str, ...] = ()
    came: float = field(init=False)
    deadline: float = field(init=False)
    is_slow: bool = False
    is_over: bool = False
    worker: Worker | None = None
    reply: bytes = b""
    error: KgError | None = None

    def __post_init__(self) -> None:
        self.came = time.monotonic()
        self.deadline = self.came + self.seconds

    @property
    def is_small(self) -> bool:
        """Whether it fits into one packet."""
        return len(self.message) < packets.LARGEST

    def answer(self) -> Answer:
        """The answer; raises the error that there was instead."""
        if self.error is not None:
            raise self.error
        return packets.read_answer(self.reply)


class Effort(NamedTuple):
    """Seconds in which a process ran, and in which it neither ran nor waited for a processor, as far as is known."""

    ran: float
    rested: float


@dataclass(eq=False, slots=True)
class Worker:
    """A process that waits for queries or works on the first of `jobs`; those behind it lie unread in its channel."""

    pid: int
    # Our end, and a copy of the worker's, through which we take back what it has not read.
    channel: socket.socket
    unread: socket.socket
    jobs: deque[Job] = field(default_factory=deque)
    # Packets that the channel had no room for.
    backlog: deque[bytes] = field(default_factory=deque)
    receiver: packets.Receiver = field(default_factory=packets.Receiver)
    # When the first query had its turn, and whether it has turned out to take long since.
    since: float = 0.0
    is_stuck: bool = False
    # Its priority is the lowest.
    is_slow: bool = False
    # It may be given another query.
    is_fit: bool = True
    # The last query has several packets: nothing is sent behind it, and nothing can be taken back.
    has_large: bool = False
    answered: int = 0
    # What the system told at the first look: when that was, for how long it had run, and waited for a processor.
    _before: tuple[float, float, float] | None = None
    _clock: int = -1

    def begin(self) -> None:
        """The first of its queries has its turn."""
        self.since, self._before, self.is_stuck = time.monotonic(), None, False

    def post(self, job: Job) -> None:
        """Sends a query behind those in the channel, as far as there is room; the rest when there is."""
        self.has_large = not job.is_small
        self.backlog.extend(packets.split(job.message))
        self._flush()

    def _flush(self) -> None:
        try:
            while self.backlog:
                self.channel.send(self.backlog[0])
                self.backlog.popleft()
        except BlockingIOError:
            asyncio.get_running_loop().add_writer(self.channel.fileno(), self._go_on)
        except OSError:
            pass  # it has ended, and will be buried

    def _go_on(self) -> None:
        asyncio.get_running_loop().remove_writer(self.channel.fileno())
        self._flush()

    def withdraw(self) -> deque[Job]:
        """Takes back what lies unread in its channel and returns it; what it has read stays, or else the first of all.

        It may read while we do, so that any one of them may be left to it. Each is read by one of us, never by both.
        """
        messages = self._unread_messages()
        back: deque[Job] = deque()
        kept: deque[Job] = deque()
        # Of two with the same message, which have the same answer, the first is held to be the one that was read.
        for job in reversed(self.jobs):
            if job.message in messages:
                messages.remove(job.message)
                back.appendleft(job)
            else:
                kept.appendleft(job)
        if back and not kept:
            kept.append(back.popleft())
            self.post(kept[0])
        self.jobs = kept
        return back

    def _unread_messages(self) -> list[bytes]:
        """Empties the channel of what it has not read."""
        if self.has_large:
            return []
        unsent = [packet[1:] for packet in self.backlog]
        self.backlog.clear()
        taken: list[bytes] = []
        receiver = packets.Receiver()
        with contextlib.suppress(BlockingIOError, EOFError):
            while (message := receiver.receive(self.unread, wait=False)) is not None:
                taken.append(message)
        return taken + unsent

    def look(self, now: float) -> Effort:
        """What it has done since it was first looked at with its first query, which is a tick or two after `since`.

        The time for which others keep it from its processor says nothing about a query. The system counts that when it
        is over: until then it seems to be rest.
        """
        try:
            if self._clock < 0:
                self._clock = os.open(f"/proc/{self.pid}/schedstat", os.O_RDONLY | os.O_CLOEXEC)
            ran, waited, _ = (int(number) / 1e9 for number in os.pread(self._clock, 64, 0).split())
        except (OSError, ValueError):
            return Effort(now - self.since, 0.0)
        if self._before is None:
            self._before = (now, ran, waited)
        first, ran_before, waited_before = self._before
        ran -= ran_before
        return Effort(ran, max(0.0, now - first - ran - (waited - waited_before)))

    def leave_loop(self) -> None:
        """Nothing is heard from it or sent to it any more."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self.channel.fileno())
        loop.remove_writer(self.channel.fileno())

    def close(self) -> None:
        """Nothing is left open of it."""
        self.channel.close()
        self.unread.close()
        if self._clock >= 0:
            os.close(self._clock)
            self._clock = -1


def busy(why: str) -> Problem:
    return Problem(503, "busy", f"{why}; try again in a moment", {}, {"Retry-After": "5"})


def too_many(most: int) -> Problem:
    detail = f"at most {most} queries of one client run at a time; wait for one to end"
    return Problem(429, "too-many-queries", detail, {"limit": most}, {"Retry-After": "1"})


def too_slow(seconds: float) -> Problem:
    detail = f"the query was stopped after {seconds:g} seconds; ask for less, or make its patterns more selective"
    return Problem(504, "query-timeout", detail, {"limit": seconds})


def died(number: int, code: int) -> KgError:
    """What the end of a worker says about its query."""
    if number in (signal.SIGSEGV, signal.SIGBUS):
        return QueryTooComplex("the query nests too deeply for the engine")
    if number == signal.SIGABRT or code == OUT_OF_MEMORY:
        detail = "the query needed more memory than one query may take; ask for less at a time"
        return Problem(503, "out-of-memory", detail, {}, {"Retry-After": "60"})
    return busy("the process that worked on the query was ended from outside")
