"""Messages for the workers of a pool, and the workers as the server sees them."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kg.errors import KgError
from kg.isolation import messages


@dataclass(eq=False, slots=True)
class Job:
    """A message that waits for a worker or is processed; `done` is called once, when there is a reply or an error.

    With `grants` (`kg.isolation.program`) it gets a worker for itself alone; `is_new` wants a new process. `is_slow`
    once it was stopped as slow; it begins anew in a slow slot. `tried` are the seconds for which it ran before it was
    last stopped. `after_slow` if a job of its client was slow lately.
    """

    message: bytes
    client: str
    seconds: float
    done: Callable[[], None]
    grants: Mapping[str, Any] = field(default_factory=dict)
    is_new: bool = False
    came: float = field(init=False)
    deadline: float = field(init=False)
    is_slow: bool = False
    tried: float = 0.0
    after_slow: bool = False
    is_over: bool = False
    worker: Worker | None = None
    reply: bytes = b""
    error: KgError | None = None

    def __post_init__(self) -> None:
        self.came = time.monotonic()
        self.deadline = self.came + self.seconds

    def result(self) -> bytes:
        """The reply; raises the error that there was instead."""
        if self.error is not None:
            raise self.error
        return messages.checked(self.reply)


class Effort(NamedTuple):
    """Seconds in which a process ran, and in which it neither ran nor waited for a processor, as far as is known."""

    ran: float
    rested: float


@dataclass(eq=False, slots=True)
class Worker:
    """A child process, idle or processing a job."""

    pid: int
    channel: socket.socket
    job: Job | None = None
    # Packets that the channel had no room for.
    backlog: deque[bytes] = field(default_factory=deque)
    receiver: messages.Receiver = field(default_factory=messages.Receiver)
    # When the job began, and whether it has turned out to be large.
    since: float = 0.0
    is_stuck: bool = False
    # Its priority is the lowest.
    is_slow: bool = False
    # It may be given another job.
    is_fit: bool = True
    answered: int = 0
    # At the first look: the time, for how long it had run, and for how long it had waited for a processor.
    _before: tuple[float, float, float] | None = None
    _clock: int = -1

    def begin(self, job: Job) -> None:
        """Sends a job, as far as there is room in the channel; the rest when there is."""
        self.job, self.since, self._before, self.is_stuck = job, time.monotonic(), None, False
        self.backlog.extend(messages.split(job.message))
        self._flush()

    def _flush(self) -> None:
        try:
            while self.backlog:
                self.channel.send(self.backlog[0])
                self.backlog.popleft()
        except BlockingIOError:
            asyncio.get_running_loop().add_writer(self.channel.fileno(), self._go_on)
        except OSError:
            pass  # it has ended, which the zygote will report

    def _go_on(self) -> None:
        asyncio.get_running_loop().remove_writer(self.channel.fileno())
        self._flush()

    def look(self, now: float) -> Effort:
        """Return its effort since the first look at its job, which is a tick or two after `since`.

        Waiting for a processor says nothing about a job. The system counts such a wait when it is over; until then it
        looks like rest.
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
        """Nothing is received from it or sent to it any more."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self.channel.fileno())
        loop.remove_writer(self.channel.fileno())

    def close(self) -> None:
        """Closes the descriptors kept for it."""
        self.channel.close()
        if self._clock >= 0:
            os.close(self._clock)
            self._clock = -1
