"""The queue of a pool: jobs that wait for a worker."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from kg.isolation.jobs import Job

_CROWD = 8


class Waiting:
    """Jobs that have not begun, and those that were stopped as slow and begin anew when a slow slot is free.

    The oldest job that has not begun is next, but in a crowd the newest: the clients of the others have waited long,
    may have left, and would make everyone wait as long (adaptive last-in-first-out).
    """

    def __init__(self) -> None:
        self._new: deque[Job] = deque()
        self._stopped: deque[Job] = deque()

    def __len__(self) -> int:
        return len(self._new) + len(self._stopped)

    def __iter__(self) -> Iterator[Job]:
        yield from self._new
        yield from self._stopped

    @property
    def new(self) -> int:
        """The number of jobs that have not begun."""
        return len(self._new)

    def add(self, job: Job) -> None:
        (self._stopped if job.is_slow else self._new).append(job)

    def put_back(self, jobs: Iterable[Job]) -> None:
        """Puts jobs back that a worker has not begun, in the order in which they came.

        Otherwise a job that was given out and put back would count as newer than those that came after it.
        """
        back = [job for job in jobs if not job.is_over]
        for job in back:
            job.worker = None
        self._stopped.extendleft(job for job in reversed(back) if job.is_slow)
        self._new = deque(sorted([*(job for job in back if not job.is_slow), *self._new], key=_came))

    def next(self, *, may_be_slow: bool) -> Job | None:
        """Return the job whose turn is next; it stays in the queue until it is removed."""
        if self._stopped and may_be_slow:
            return self._stopped[0]
        if not self._new:
            return None
        return self._new[-1 if self._is_crowded else 0]

    def remove(self, job: Job) -> bool:
        """Removes a job; returns whether it was waiting."""
        try:
            (self._stopped if job.is_slow else self._new).remove(job)
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
        self._new.clear()
        self._stopped.clear()
        return everyone

    @property
    def _is_crowded(self) -> bool:
        return len(self._new) > _CROWD


def _came(job: Job) -> float:
    return job.came
