"""Queries as the workers' pool has them, and what may become of one."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from api.errors import Problem
from api.processes import Worker
from kg import packets
from kg.errors import KgError, QueryTooComplex
from kg.evaluation import Answer
from kg.worker import OUT_OF_MEMORY


@dataclass(eq=False, slots=True)
class Job:
    """A query that waits or is worked on; `done` is called once, when it has a reply or an error."""

    message: bytes
    client: str
    seconds: float
    done: Callable[[Job], None]
    services: tuple[str, ...] = ()
    deadline: float = field(init=False)
    is_slow: bool = False
    is_over: bool = False
    worker: Worker | None = None
    reply: bytes = b""
    error: KgError | None = None

    def __post_init__(self) -> None:
        self.deadline = time.monotonic() + self.seconds

    @property
    def is_small(self) -> bool:
        """Whether it fits into one packet."""
        return len(self.message) < packets.LARGEST

    def answer(self) -> Answer:
        """The answer; raises the error that there was instead."""
        if self.error is not None:
            raise self.error
        return packets.read_answer(self.reply)


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
