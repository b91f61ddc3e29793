"""The gate: slots for work in this process and memory for request bodies, shared fairly by clients.

Work is Python in threads, which take turns at one interpreter: more than a few at a time finish no sooner, and delay
everything else. So a few units run, the others wait in turn by client, and small work never waits behind large.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from api.admission.cost import Cost
from api.problems import Problem
from api.settings import Settings
from api.telemetry.metrics import Metrics

# A body of at most this size is small; a part of the memory for bodies is kept for such.
_SMALL_BODY = 65_536
_SHARE_OF_LARGE_BODIES = 0.875
_RETRY_AFTER = "2"


class Refused(Problem):
    """A request that the gate does not take: 429 if its client has too much here already, otherwise 503."""


@dataclass(eq=False, slots=True)
class _Waiter:
    client: str
    units: int
    turn: asyncio.Future[None]


class _Lane:
    """Units of work of one kind, and the requests that wait for some, in turn by client."""

    def __init__(self, units: int) -> None:
        self.free = units
        self.waiting = 0
        self._units = units
        self._queues: OrderedDict[str, deque[_Waiter]] = OrderedDict()

    def size_of(self, cost: Cost) -> int:
        """The units that a cost takes here: never more than there are."""
        return min(cost.units, self._units)

    def take_at_once(self, units: int) -> bool:
        """Whether there is room and nobody waits; the units are then taken."""
        if self.waiting or self.free < units:
            return False
        self.free -= units
        return True

    def add(self, waiter: _Waiter) -> None:
        self._queues.setdefault(waiter.client, deque()).append(waiter)
        self.waiting += 1

    def remove(self, waiter: _Waiter) -> None:
        """Removes a waiter that gave up, or gives back what it was given meanwhile."""
        queue = self._queues.get(waiter.client)
        if queue is not None and waiter in queue:
            queue.remove(waiter)
            self.waiting -= 1
            if not queue:
                del self._queues[waiter.client]
        elif waiter.turn.done() and not waiter.turn.cancelled():
            self.give_back(waiter.units)
        self._give_out()

    def give_back(self, units: int) -> None:
        self.free += units
        self._give_out()

    def _give_out(self) -> None:
        while self._queues:
            client, queue = next(iter(self._queues.items()))
            if queue[0].units > self.free:
                return
            waiter = queue.popleft()
            self.waiting -= 1
            self._queues.move_to_end(client)
            if not queue:
                del self._queues[client]
            self.free -= waiter.units
            waiter.turn.set_result(None)


class Gate:
    """The admission of requests to one HTTP process; everything here runs in the thread of the event loop."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._small, self._large = _Lane(settings.small_slots), _Lane(settings.work_units)
        self._requests: Counter[str] = Counter()
        self._bodies: Counter[str] = Counter()
        self._body_bytes = 0

    # ---- requests ----

    def enter(self, client: str) -> None:
        """Counts a request of a client until `leave`; raises `Refused` (429) if it has too many here."""
        most = self._settings.client_requests
        if self._requests[client] >= most:
            detail = f"at most {most} requests of one client are handled at a time; wait for one to end"
            raise self._refused(429, "too-many-requests", detail, most)
        self._requests[client] += 1

    def leave(self, client: str) -> None:
        self._requests[client] -= 1
        if not self._requests[client]:
            del self._requests[client]

    @asynccontextmanager
    async def slot(self, client: str, cost: Cost, gone: Callable[[], Awaitable[None]]) -> AsyncIterator[_Slot]:
        """A slot for work of this cost, at once or when its turn comes; raises `Refused` if that takes too long.

        `gone` returns when the client has left; the request then gives up its place.
        """
        lane = self._small if cost is Cost.SMALL else self._large
        units = lane.size_of(cost)
        if not lane.take_at_once(units):
            await self._wait(lane, _Waiter(client, units, asyncio.get_running_loop().create_future()), gone)
        self._metrics.admitted.labels(cost.label).inc()
        slot = _Slot(lane, units)
        try:
            yield slot
        finally:
            slot.give_back()

    async def _wait(self, lane: _Lane, waiter: _Waiter, gone: Callable[[], Awaitable[None]]) -> None:
        if self.waiting >= self._settings.work_queue:
            raise self._refused(503, "server-busy", "too many others are waiting; try again in a moment")
        lane.add(waiter)
        left = asyncio.ensure_future(gone())
        try:
            async with asyncio.timeout(self._settings.wait_seconds):
                await asyncio.wait({waiter.turn, left}, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            pass
        except BaseException:
            lane.remove(waiter)
            raise
        finally:
            is_gone = left.done()
            left.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await left
        if waiter.turn.done():
            return
        lane.remove(waiter)
        if is_gone:
            raise Problem(499, "client-gone", "the client disconnected before its turn came")
        seconds = self._settings.wait_seconds
        raise self._refused(503, "server-busy", f"no slot became free within {seconds:g} seconds; try again")

    @property
    def waiting(self) -> int:
        """The number of requests that wait for a slot."""
        return self._small.waiting + self._large.waiting

    # ---- bodies ----

    def check_body(self, client: str, size: int) -> None:
        """Raises `Refused` if a body of this size has no room now."""
        settings = self._settings
        if self._bodies[client] + size > settings.client_body_mb * 1_000_000 and self._bodies[client]:
            detail = "the requests of this client that are under way have too many bytes; send one after the other"
            raise self._refused(429, "too-many-requests", detail, settings.client_body_mb)
        room = settings.body_mb * 1_000_000 * (1 if size <= _SMALL_BODY else _SHARE_OF_LARGE_BODIES)
        if self._body_bytes + size > room and self._body_bytes:
            raise self._refused(503, "server-busy", "the requests under way have too many bytes; try again in a moment")

    def add_body(self, client: str, size: int) -> None:
        """Counts bytes of a body, or with a negative size no longer."""
        self._body_bytes += size
        self._bodies[client] += size
        if not self._bodies[client]:
            del self._bodies[client]

    # ---- numbers ----

    def _refused(self, status: int, kind: str, detail: str, limit: int = 0) -> Refused:
        self._metrics.not_admitted.labels(kind).inc()
        return Refused(status, kind, detail, {"limit": limit} if limit else {}, {"Retry-After": _RETRY_AFTER})

    def measure(self) -> None:
        """Sets the gauges of the metrics."""
        self._metrics.work.set(self._settings.work_units - self._large.free)
        self._metrics.small_work.set(self._settings.small_slots - self._small.free)
        self._metrics.requests_waiting.set(self.waiting)
        self._metrics.body_bytes.set(self._body_bytes)


class _Slot:
    """Units that were taken; given back once, at the latest when the request ends."""

    def __init__(self, lane: _Lane, units: int) -> None:
        self._lane = lane
        self._units = units

    @property
    def is_held(self) -> bool:
        return self._units > 0

    def give_back(self) -> None:
        units, self._units = self._units, 0
        if units:
            self._lane.give_back(units)
