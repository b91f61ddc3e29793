"""Strangers' queries run in processes of their own: a pool of workers with lanes, deadlines and one account of each.

A query starts in the fast lane. What is not answered within its slice goes on as a slow one, at the lowest priority,
if one of the slow places is free; else it is stopped when others wait, and begins anew when a slow place is free. The
slice is short when others wait, so that whoever comes has a first turn soon, whatever else runs.

As many workers are kept busy as there are processors. A query that comes then is sent to one that is at work, to lie in
its channel until it is read: small queries one after the other cost less than a process each. When the first of them
turns out not to be small, those behind it are taken back and given to others; the time that a worker was kept from its
processor, by this process too, says nothing about its query.
"""

from __future__ import annotations

import asyncio
import heapq
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, MutableSequence
from pathlib import Path

from api.settings import Settings
from api.workers import jobs
from api.workers.jobs import Job, Worker
from api.workers.processes import Processes, may_raise_priority
from api.workers.waiting import Waiting
from kg.engines.backend import Backend
from kg.engines.evaluation import Answer, Query, ResultFormats
from kg.errors import KgError
from kg.isolation import packets

# Seconds between two looks at those at work.
_TICK = 0.002
# Seconds after which a query is slow when nobody waits, and when others do. To begin anew costs a fork and all that was
# done, 0.1 s with a million quads in memory: with shorter turns a crowd would get little else done.
_SLOW_AFTER, _SLOW_AFTER_ITS_TURN = 0.25, 0.03
# Queries that lie in the channel of one worker at most; two hundred small ones fit into it.
_BEHIND_ONE = 64
# After these a worker may hold on to much memory, and is replaced.
_REUSED_UP_TO_BYTES, _REUSED_UP_TO_SECONDS, _QUERIES_OF_ONE_WORKER = 4_000_000, 5.0, 10_000
# Seconds without running, as when it waits for another endpoint, after which those behind go to others, and it is slow.
_REST, _LONG_REST = 0.02, 1.0
_GRACE_SECONDS = 2.0


class Pool:
    """The workers of one release; `run` is all that a request needs, or `submit` where a task would cost too much.

    `account` counts what became of workers and queries: forked = alive + the sum of ends.
    """

    def __init__(
        self,
        directory: Path,
        base: str,
        prefixes: Mapping[str, str],
        settings: Settings,
        count: Callable[[str], None] = lambda _: None,
        *,
        is_remote: bool = False,
    ) -> None:
        self.settings = settings
        options = {
            "directory": str(directory),
            "memory_quads": settings.memory_quads,
            "memory_bytes": settings.query_memory_mb * 1_000_000,
            "base": base,
            "prefixes": dict(prefixes),
        }
        self._processes = Processes(options, self, count)
        processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        # Queries that are worth a process each: what another engine works on takes no processor here.
        self._at_once = settings.query_workers if is_remote else processors
        self._slow_places = max(1, settings.query_workers * 2 // 3)
        self._waiting = Waiting()
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._clients: Counter[str] = Counter()
        self._may_raise = may_raise_priority()
        self._is_due = False
        self._ticking: asyncio.TimerHandle | None = None
        self._restarting: asyncio.Task[None] | None = None
        self._is_closing = False

    # ---- life ----

    def prepare(self, held: Backend) -> None:
        """Lets the workers share the store in the memory of this process; see `Processes.prepare`."""
        self._processes.prepare(held)

    async def start(self) -> None:
        """Starts the zygote and waits until it holds the store; raises `KgError` when it cannot."""
        await self._processes.start()

    async def close(self) -> None:
        """Ends the zygote, and with it every worker."""
        self._is_closing = True
        await self._processes.close()

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
        return self._processes.is_ready

    @property
    def account(self) -> Counter[str]:
        return self._processes.account

    @property
    def alive(self) -> int:
        """Workers that live, idle ones included."""
        return len(self._processes.alive)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    # ---- queries ----

    async def run(
        self, query: Query, want: ResultFormats, *, client: str, seconds: float, services: tuple[str, ...] = ()
    ) -> Answer:
        """The answer of a query within so many seconds; raises `Problem` 429, 503, 504 or what is wrong with the query.

        Cancelling the call kills the worker that works on it.
        """
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done() -> None:
            if not over.done():
                over.set_result(None)

        job = Job(packets.request(query, want, self.settings.max_result_bytes), client, seconds, done, services)
        self.submit(job)
        try:
            await over
        finally:
            self.cancel(job)
        return job.answer()

    def has_room(self, client: str) -> bool:
        """Whether a query of a client would be taken in."""
        is_free = len(self._waiting) < self.settings.query_queue or self._has_place()
        return is_free and self._clients[client] < self.settings.client_queries

    def submit(self, job: Job) -> None:
        """Takes a query in, whose `done` is called later; raises `Problem` 429 or 503 when it is not taken."""
        if not self.has_room(job.client):
            is_many = self._clients[job.client] >= self.settings.client_queries
            self._processes.count("refused: client" if is_many else "refused: queue")
            raise jobs.too_many(self.settings.client_queries) if is_many else jobs.busy("too many queries are waiting")
        self._clients[job.client] += 1
        self._waiting.add(job)
        self._give_out()

    def cancel(self, job: Job) -> None:
        """Ends a query that nobody waits for any more; nothing if it is over."""
        if job.is_over:
            return
        worker = job.worker
        if worker is None:
            self._waiting.remove(job)
        elif worker.jobs[0] is not job:
            self._take_back(worker)
            if not self._waiting.remove(job):
                # The worker has begun with it after all: it is stopped as one whose time is over.
                job.deadline = 0.0
        else:
            self._end(worker)
        self._finish(job, None)

    def _finish(self, job: Job, error: KgError | None) -> None:
        if job.is_over:
            return
        job.is_over, job.error = True, error
        done, job.done = job.done, _nothing
        self._clients[job.client] -= 1
        if not self._clients[job.client]:
            del self._clients[job.client]
        # The query knows who waits for it no longer, or the two would keep each other and the answer in memory.
        done()

    # ---- who works on what ----

    def _wake(self) -> None:
        """Sees to it that what waits is given out, once for all that comes in the same turn of the loop."""
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._give_out)

    def _give_out(self) -> None:
        self._is_due = False
        if not self._processes.is_ready:
            self._restart()
            return
        while job := self._waiting.next(may_be_slow=self._has_place() and self._has_slow_place()):
            if not self._place(job):
                break
            self._waiting.remove(job)
        if self._ticking is None and (self._busy or self._waiting):
            self._ticking = asyncio.get_running_loop().call_later(_TICK, self._tick)

    def _has_place(self) -> bool:
        return len(self._busy) + self._processes.forking < self.settings.query_workers

    def _has_slow_place(self) -> bool:
        return sum(worker.is_slow for worker in self._busy) < self._slow_places

    def _place(self, job: Job) -> bool:
        """Gives a query to a worker, or sees to it that there will be one; False when it is to wait."""
        if job.is_small and not job.services and not job.is_slow:
            lively = [w for w in self._busy if w.is_fit and not (w.is_stuck or w.is_slow or w.has_large)]
            if len(lively) + self._processes.forking >= self._at_once or (lively and not self._has_place()):
                # One more would take their time from them, and there may be too many: only the fullest are given more.
                roomy = [w for w in lively if len(w.jobs) < _BEHIND_ONE and not w.backlog]
                if fullest := heapq.nlargest(self._at_once, roomy, key=_queries):
                    self._give(min(fullest, key=_queries), job)
                    return True
                if not self._idle:
                    return False
        if not self._has_place():
            return False
        if self._idle and not job.services:
            self._give(self._idle.pop(), job)
        else:
            self._processes.fork(job, dict.fromkeys(job.services, str(self.settings.service_seconds)))
        return True

    def _give(self, worker: Worker, job: Job) -> None:
        job.worker = worker
        worker.jobs.append(job)
        if len(worker.jobs) == 1:
            self._busy.add(worker)
            self._begin(worker)
        worker.post(job)

    def _begin(self, worker: Worker) -> None:
        """The first of a worker's queries has its turn."""
        worker.begin()
        if worker.jobs[0].is_slow:
            self._slow_down(worker)

    def _hear(self, worker: Worker) -> bool:
        """Reads a packet of what a worker has answered, if there is one; what the worker goes on with has its turn."""
        try:
            reply = worker.receiver.receive(worker.channel)
        except (OSError, EOFError):
            return False
        if reply is None:
            return True
        job = worker.jobs.popleft()
        worker.answered += 1
        is_worn = worker.answered >= _QUERIES_OF_ONE_WORKER or time.monotonic() - worker.since > _REUSED_UP_TO_SECONDS
        if is_worn or len(reply) > _REUSED_UP_TO_BYTES:
            worker.is_fit = False
        if worker.jobs and worker.is_fit:
            self._begin(worker)
        else:
            self._release(worker)
        job.reply = reply
        self._finish(job, None)
        if self._waiting:
            self._give_out()
        return True

    def _release(self, worker: Worker) -> None:
        """Keeps a worker that has answered for the next query; ends one that is not fit."""
        is_wanted = worker.is_fit and not self._is_closing and len(self._idle) < self.settings.query_workers
        if is_wanted and worker.pid in self._processes.alive:
            if worker.is_slow:
                worker.is_slow = False
                self._processes.renice(worker, is_slow=False)
            self._busy.discard(worker)
            self._idle.append(worker)
        else:
            # What lies behind is for others; it has not begun, or not for long.
            self._put_back(worker.jobs)
            self._end(worker)

    def _end(self, worker: Worker) -> Job | None:
        """Kills a worker; returns what it worked on, and puts what lay behind that back."""
        self._forget(worker)
        self._processes.kill(worker)
        first = worker.jobs.popleft() if worker.jobs else None
        self._put_back(worker.jobs)
        return first

    def _forget(self, worker: Worker) -> None:
        self._busy.discard(worker)
        worker.leave_loop()

    def _put_back(self, back: MutableSequence[Job]) -> None:
        self._waiting.put_back(back)
        back.clear()
        if self._waiting:
            self._wake()

    def _take_back(self, worker: Worker) -> None:
        """Gives others what lies unread behind a worker's first query."""
        first = worker.jobs[0]
        back = worker.withdraw()
        if worker.jobs[0] is not first:
            self._begin(worker)
        self._put_back(back)

    # ---- time ----

    def _tick(self) -> None:
        """Looks after those at work: whose time is over, who is slow, who lies behind one that is."""
        self._ticking = None
        now = time.monotonic()
        for worker in list(self._busy):
            if not worker.jobs:  # what was done for one before it has ended it
                continue
            job = worker.jobs[0]
            if now >= job.deadline:
                self._processes.count("deadline")
                self._end(worker)
                self._finish(job, jobs.too_slow(job.seconds))
                continue
            if now - worker.since < _TICK:
                continue
            ran, rested = worker.look(now)
            worker.is_stuck = ran >= _TICK or rested >= _REST
            if worker.is_stuck and len(worker.jobs) > 1:
                self._take_back(worker)
            if not worker.is_slow and (ran >= self._slice() or rested >= _LONG_REST):
                self._end_of_slice(worker)
        for job in self._waiting.remove_late(now):
            self._processes.count("refused: waited")
            self._finish(job, jobs.busy("the query waited for its turn until its time was over"))
        self._give_out()

    def _end_of_slice(self, worker: Worker) -> None:
        if self._has_slow_place():
            self._slow_down(worker)
        elif self._waiting.new and not worker.jobs[0].services:
            job = self._end(worker)
            assert job is not None
            self._processes.count("requeued")
            job.is_slow, job.worker = True, None
            self._waiting.add(job)

    def _slow_down(self, worker: Worker) -> None:
        worker.is_slow = True
        # What a worker has touched of the store is its own copy, and cost it much: it is kept where that can be.
        worker.is_fit = worker.is_fit and self._may_raise
        self._processes.renice(worker, is_slow=True)

    def _slice(self) -> float:
        """How long a query may go on before it counts as slow."""
        return _SLOW_AFTER_ITS_TURN if self._waiting.new else _SLOW_AFTER

    # ---- what becomes of processes ----

    def on_worker(self, worker: Worker, job: Job) -> None:
        if self._is_closing or (job.is_over and job.services):
            self._processes.kill(worker)
            return
        asyncio.get_running_loop().add_reader(worker.channel.fileno(), self._hear, worker)
        # A worker that may ask other endpoints serves one query.
        worker.is_fit = not job.services
        if job.is_over:
            self._idle.append(worker)
        else:
            self._give(worker, job)
        self._wake()

    def on_exit(self, pid: int, number: int, code: int) -> None:
        """The query that it worked on ends with it, those behind go to others."""
        for worker in [w for w in self._idle if w.pid == pid]:
            self._idle.remove(worker)
            self._forget(worker)
            worker.close()
        for worker in [w for w in self._busy if w.pid == pid]:
            while worker in self._busy and self._hear(worker):
                pass  # what it answered last still lies there
            if worker not in self._busy:
                continue
            self._forget(worker)
            worker.close()
            job = worker.jobs.popleft()
            self._put_back(worker.jobs)
            self._finish(job, jobs.died(number, code))

    def on_zygote_lost(self, jobs_lost: list[Job]) -> None:
        """Another zygote is started when a query needs one."""
        for job in jobs_lost:
            self._finish(job, jobs.busy("the query workers are being started anew"))
        if self._waiting:
            self._wake()

    def _restart(self) -> None:
        if self._is_closing:
            self._refuse_all(jobs.busy("the server is closing"))
        elif self._waiting and self._restarting is None:
            self._restarting = asyncio.ensure_future(self._start_anew())

    async def _start_anew(self) -> None:
        self._processes.count("zygotes restarted")
        try:
            await self.start()
        except KgError as error:
            self._refuse_all(error)
        finally:
            self._restarting = None
        self._wake()

    def _refuse_all(self, error: KgError) -> None:
        for job in self._waiting.clear():
            self._finish(job, error)


def _queries(worker: Worker) -> int:
    return len(worker.jobs)


def _nothing() -> None:
    """What there is to be done when a query is over and all has been done."""
