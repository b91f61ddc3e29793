"""The queue of a pool: jobs that wait for a worker."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator

from kg.isolation.jobs import Job

_CROWD = 8
# How many seconds of running a second of waiting outweighs.
_AGEING = 0.1
# Seconds for which a client counts as one with slow jobs, and how many clients are noted before old ones are removed.
_NOTED_SECONDS, _MOST_NOTED = 10.0, 1_000


class Waiting:
    """Jobs that have not begun, and those that were stopped as slow and begin anew when a slow slot is free.

    The oldest job that has not begun is next, but in a crowd the newest: the clients of the others have waited long,
    may have left, and would make everyone wait as long (adaptive last-in-first-out). Jobs of clients whose jobs were
    slow lately (`after_slow`) wait behind those of others, and take no room from them.
    """

    def __init__(self) -> None:
        self._new: deque[Job] = deque()
        self._behind: deque[Job] = deque()
        self._stopped: deque[Job] = deque()

    def __len__(self) -> int:
        return len(self._new) + len(self._behind) + len(self._stopped)

    def __iter__(self) -> Iterator[Job]:
        yield from self._new
        yield from self._behind
        yield from self._stopped

    @property
    def new(self) -> int:
        """The number of jobs that have not begun."""
        return len(self._new) + len(self._behind)

    @property
    def stopped(self) -> int:
        """The number of jobs that were stopped as slow."""
        return len(self._stopped)

    def before(self, *, after_slow: bool) -> int:
        """The number of jobs that take the room of a new one."""
        return len(self._behind if after_slow else self._new)

    def add(self, job: Job) -> None:
        self._queue_of(job).append(job)

    def next(self, *, may_be_slow: bool) -> Job | None:
        """Return the job whose turn is next; it stays in the queue until it is removed."""
        if self._stopped and may_be_slow:
            return self.next_stopped()
        queue = self._new or self._behind
        if not queue:
            return None
        return queue[-1 if len(queue) > _CROWD else 0]

    def next_stopped(self) -> Job | None:
        """Return the stopped job whose turn is next: what ran least, unless another has waited for much longer."""
        now = time.monotonic()
        return min(self._stopped, key=lambda job: job.tried - _AGEING * (now - job.came), default=None)

    def remove(self, job: Job) -> bool:
        """Removes a job; returns whether it was waiting."""
        try:
            self._queue_of(job).remove(job)
        except ValueError:
            return False
        return True

    def remove_late(self, now: float) -> list[Job]:
        """Removes and returns the jobs whose deadline has passed."""
        late = [job for job in self if now >= job.deadline]
        for job in late:
            self.remove(job)
        return late

    def clear(self) -> list[Job]:
        """Removes and returns all jobs."""
        everyone = list(self)
        for queue in (self._new, self._behind, self._stopped):
            queue.clear()
        return everyone

    def _queue_of(self, job: Job) -> deque[Job]:
        return self._stopped if job.is_slow else self._behind if job.after_slow else self._new


class SlowClients:
    """The clients of which a job was slow lately."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def __contains__(self, client: str) -> bool:
        return time.monotonic() < self._until.get(client, 0.0)

    def add(self, client: str) -> None:
        now = time.monotonic()
        if len(self._until) > _MOST_NOTED:
            self._until = {c: until for c, until in self._until.items() if until > now}
        self._until[client] = now + _NOTED_SECONDS
