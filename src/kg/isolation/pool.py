"""A pool of worker processes for one task, with slots, a queue and deadlines.

Where workers are reused, a job starts in the fast lane. If it is not done within its time slice, it continues as a slow
job at the lowest priority, provided that a slow slot is free; otherwise it is stopped if other jobs wait, and starts
again when a slow slot is free. The slice is short while jobs wait, so that a new job has its first turn soon.

The pool keeps as many workers busy as there are processors; further jobs wait until one of them is free, or turns out
to have a large job, beside which others go on. What counts is the processor time of a worker, not the time for which
others, this process among them, kept it from its processor.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kg.errors import KgError
from kg.isolation.jobs import Job, Worker
from kg.isolation.processes import Processes, may_raise_priority
from kg.isolation.program import Failures, Program
from kg.isolation.waiting import SlowClients, Waiting

_LOG = logging.getLogger("kg.isolation.pool")
# Seconds between two looks at busy workers.
_TICK = 0.002
# Seconds after which a job is slow if no other waits, and if others do. Starting again costs a fork and the work done
# so far (0.1 s with a million quads in memory), so with shorter slices a crowd would get little done.
_SLOW_AFTER, _SLOW_AFTER_ITS_TURN = 0.25, 0.03
# Beyond these a worker may keep much memory, and is replaced.
_REUSED_UP_TO_BYTES, _REUSED_UP_TO_SECONDS, _JOBS_OF_ONE_WORKER = 4_000_000, 5.0, 10_000
# Seconds without running, such as waiting for an endpoint, after which others go on beside a job, and it is slow.
_REST, _LONG_REST = 0.02, 1.0
# Seconds without running after which a worker hangs that waits for nothing.
_HANGS = 2.0
_GRACE_SECONDS = 2.0
# Seconds for which a slow job may keep others like it waiting.
_TURN = 1.0


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """The most jobs that run, that wait, and that run or wait for one client; the longest time of a job in seconds.

    If `is_reused`, a worker answers many jobs, one after the other, and `at_once` (0: one for each processor) have
    small ones at once; otherwise each job gets a new worker. The zygote ends after `idle_seconds` without a job, if
    given. If a job `never_rests`, as it waits for nothing outside, a worker that does is replaced.
    """

    workers: int
    queue: int
    per_client: int
    seconds: float
    is_reused: bool = False
    at_once: int = 0
    idle_seconds: float | None = None
    never_rests: bool = False


class Pool:
    """The workers of one task. Requests use `run`, or `submit` where an asyncio task would cost too much.

    `events` counts what became of workers and jobs: forked = alive + the sum of those ended.
    """

    def __init__(
        self,
        program: Program,
        limits: PoolLimits,
        failures: Failures,
        count: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.limits = limits
        self._failures = failures
        self._processes = Processes(program, self, count)
        processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._at_once = limits.at_once or processors
        self._slow_slots = max(1, limits.workers * 2 // 3)
        self._waiting = Waiting()
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._clients: Counter[str] = Counter()
        self._slow_clients = SlowClients()
        self._may_raise = may_raise_priority()
        self._is_due = False
        self._ticking: asyncio.TimerHandle | None = None
        self._resting: asyncio.TimerHandle | None = None
        self._restarting: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._is_closing = False

    # ---- life ----

    def prepare(self, held: Any) -> None:
        """Lets the workers share what is held in the memory of this process; see `Processes.prepare`."""
        self._processes.prepare(held)

    async def start(self) -> None:
        """Starts the zygote and waits until it is ready; raises `KgError` when it cannot be."""
        await self._processes.start()

    def expect(self) -> None:
        """Starts the zygote in the background for a job that will come soon, if zygotes are kept at all."""
        if self.limits.idle_seconds and not self._processes.is_ready:
            self._restart()
        self._rest_later()

    async def close(self) -> None:
        """Ends the zygote, and with it every worker."""
        self._is_closing = True
        if self._resting is not None:
            self._resting.cancel()
        await self._processes.close()
        if under_way := {*self._closing, *filter(None, [self._restarting])}:
            await asyncio.wait(under_way)
            await self._processes.close()

    async def drain(self) -> None:
        """Waits until no job runs, at most as long as one may run, then closes."""
        # A request that has this pool in hand may not have got as far as its job.
        await asyncio.sleep(_GRACE_SECONDS)
        until = time.monotonic() + self.limits.seconds
        while sum(self._clients.values()) and time.monotonic() < until:
            await asyncio.sleep(0.05)
        await self.close()

    @property
    def is_ready(self) -> bool:
        return self._processes.is_ready

    @property
    def events(self) -> Counter[str]:
        return self._processes.events

    @property
    def alive(self) -> int:
        """The number of living workers, idle ones included."""
        return len(self._processes.alive)

    @property
    def busy(self) -> list[int]:
        """The process numbers of the workers that have a job."""
        return [worker.pid for worker in self._busy]

    @property
    def idle(self) -> list[int]:
        """The process numbers of the workers that wait for a job."""
        return [worker.pid for worker in self._idle]

    @property
    def zygote(self) -> int:
        """The process number of the zygote; 0 without one."""
        return self._processes.zygote

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    # ---- jobs ----

    async def run(
        self,
        message: bytes,
        *,
        client: str,
        seconds: float | None = None,
        grants: Mapping[str, Any] | None = None,
        is_new: bool = False,
    ) -> bytes:
        """Return the reply to a message; raises the error that the worker reports, or one of the pool's `Failures`.

        Cancelling the call kills the worker that processes it.
        """
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done() -> None:
            if not over.done():
                over.set_result(None)

        seconds = self.limits.seconds if seconds is None else seconds
        job = Job(message, client, seconds, done, grants or {}, is_new)
        self.submit(job)
        try:
            await over
        finally:
            self.cancel(job)
        return job.result()

    def has_room(self, client: str) -> bool:
        """Whether a job of a client would be accepted."""
        # Slow jobs, and those of clients that had some, wait in queues of their own, so that they keep no others out.
        is_free = self._waiting.before(after_slow=client in self._slow_clients) < self.limits.queue or self._has_slot()
        return is_free and self._clients[client] < self.limits.per_client

    def submit(self, job: Job) -> None:
        """Accepts a job, whose `done` is called later; raises the failure `too_many` or `busy` otherwise."""
        if not self.has_room(job.client):
            is_many = self._clients[job.client] >= self.limits.per_client
            self._processes.count("refused: client" if is_many else "refused: queue")
            if is_many:
                raise self._failures.too_many(self.limits.per_client)
            raise self._failures.busy("too many others are waiting")
        self._clients[job.client] += 1
        job.after_slow = job.client in self._slow_clients
        self._waiting.add(job)
        self._give_out()

    def cancel(self, job: Job) -> None:
        """Ends a job whose result is no longer needed, unless it is over."""
        if job.is_over:
            return
        if job.worker is None:
            self._waiting.remove(job)
        else:
            self._end(job.worker)
        self._finish(job, None)

    def _finish(self, job: Job, error: KgError | None) -> None:
        if job.is_over:
            return
        job.is_over, job.error = True, error
        done, job.done = job.done, _nothing
        self._clients[job.client] -= 1
        if not self._clients[job.client]:
            del self._clients[job.client]
        # The job must not know who waits for it any longer, or the two would keep each other and the reply in memory.
        done()
        if self.limits.idle_seconds is not None and not self._clients:
            self._rest_later()

    # ---- which worker gets which job ----

    def _wake(self) -> None:
        """Schedules `_give_out`, once for all events of one iteration of the loop."""
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._give_out)

    def _give_out(self) -> None:
        self._is_due = False
        if self._processes.is_ready:
            while job := self._waiting.next(may_be_slow=self._has_slot() and self._has_slow_slot()):
                if not self._place(job):
                    break
                self._waiting.remove(job)
        elif self._waiting:
            self._restart()
        if self._ticking is None and (self._busy or self._waiting or self._processes.forking):
            self._ticking = asyncio.get_running_loop().call_later(_TICK, self._tick)

    def _has_slot(self) -> bool:
        return len(self._busy) + self._processes.forking < self.limits.workers

    def _has_slow_slot(self) -> bool:
        return sum(worker.is_slow for worker in self._busy) < self._slow_slots

    def _place(self, job: Job) -> bool:
        """Gives a job to a worker, or asks for a new one; False when it has to wait."""
        if not self._has_slot():
            return False
        if self.limits.is_reused and not (job.grants or job.is_new or job.is_slow):
            lively = sum(not (w.is_stuck or w.is_slow) for w in self._busy)
            # One more would slow these down, which are done in a moment or turn out to be large.
            if lively + self._processes.forking >= self._at_once:
                return False
        if self._idle and not (job.grants or job.is_new):
            self._give(self._idle.pop(), job)
        else:
            self._processes.fork(job)
        return True

    def _give(self, worker: Worker, job: Job) -> None:
        job.worker = worker
        self._busy.add(worker)
        worker.begin(job)
        if job.is_slow:
            self._slow_down(worker)

    def _hear(self, worker: Worker) -> bool:
        """Reads a packet of a worker's reply; False when there will be no more."""
        try:
            reply = worker.receiver.receive(worker.channel)
        except (OSError, EOFError):
            # It has ended, which the zygote will report.
            worker.leave_loop()
            return False
        job = worker.job
        if reply is None or job is None:
            return True
        worker.job = None
        worker.answered += 1
        is_worn = worker.answered >= _JOBS_OF_ONE_WORKER or time.monotonic() - worker.since > _REUSED_UP_TO_SECONDS
        if is_worn or len(reply) > _REUSED_UP_TO_BYTES:
            worker.is_fit = False
        self._release(worker)
        job.reply = reply
        self._finish(job, None)
        if self._waiting:
            self._give_out()
        return True

    def _release(self, worker: Worker) -> None:
        """Keeps a worker that has answered for the next job; ends one that is not fit."""
        is_wanted = worker.is_fit and not self._is_closing and len(self._idle) < self.limits.workers
        if is_wanted and worker.pid in self._processes.alive:
            if worker.is_slow:
                worker.is_slow = False
                self._processes.renice(worker, is_slow=False)
            self._busy.discard(worker)
            self._idle.append(worker)
        else:
            self._end(worker)

    def _end(self, worker: Worker) -> Job | None:
        """Kills a worker; returns the job that it processed."""
        self._forget(worker)
        self._processes.kill(worker)
        job, worker.job = worker.job, None
        if self._waiting:
            self._wake()
        return job

    def _forget(self, worker: Worker) -> None:
        self._busy.discard(worker)
        worker.leave_loop()

    # ---- time ----

    def _tick(self) -> None:
        """Looks at the busy workers: whose deadline has passed, which job is large, and which is slow."""
        self._ticking = None
        now = time.monotonic()
        for worker in list(self._busy):
            job = worker.job
            if job is None:  # it was ended while those before it were looked at
                continue
            if now >= job.deadline:
                self._processes.count("deadline")
                self._end(worker)
                self._finish(job, self._failures.too_slow(job.seconds))
                continue
            if now - worker.since < _TICK or not self.limits.is_reused:
                continue
            ran, rested = worker.look(now)
            if self.limits.never_rests and rested >= _HANGS and ran < _TICK and not job.grants:
                self._replace(worker)
                continue
            worker.is_stuck = ran >= _TICK or rested >= _REST
            if worker.is_slow:
                self._slow_clients.add(job.client)
                self._end_of_turn(worker, job, max(ran, rested))
            elif ran >= self._slice() or rested >= _LONG_REST:
                self._end_of_slice(worker, job)
        for job in [*self._waiting.remove_late(now), *self._processes.late(now)]:
            self._processes.count("refused: waited")
            self._finish(job, self._failures.too_late(job.seconds))
        self._processes.check(now)
        self._give_out()

    def _replace(self, worker: Worker) -> None:
        """Ends a worker that hangs, such as a stopped process; its job begins anew."""
        self._processes.count("hung")
        job = self._end(worker)
        assert job is not None
        job.worker = None
        self._waiting.add(job)

    def _end_of_turn(self, worker: Worker, job: Job, ran: float) -> None:
        """Stops a slow job for one that has run for less than half as long, if no slow slot is free for that.

        So each stopped job has its turn soon, and a long one begins anew a few times only.
        """
        if ran < _TURN or self._has_slow_slot() or job.grants:
            return
        other = self._waiting.next_stopped()
        if other is not None and other.tried * 2 < ran:
            self._stop(worker, ran)

    def _stop(self, worker: Worker, ran: float) -> None:
        """Ends a slow job that begins anew later; if too many wait for that already, it is refused."""
        job = self._end(worker)
        assert job is not None
        job.is_slow, job.worker, job.tried = True, None, ran
        if self._waiting.stopped < self.limits.queue:
            self._processes.count("requeued")
            self._waiting.add(job)
        else:
            self._processes.count("refused: slow")
            self._finish(job, self._failures.busy("too many slow ones are waiting"))

    def _end_of_slice(self, worker: Worker, job: Job) -> None:
        self._slow_clients.add(job.client)
        if self._has_slow_slot():
            self._slow_down(worker)
        elif self._waiting.new and not job.grants:
            self._stop(worker, self._slice())

    def _slow_down(self, worker: Worker) -> None:
        worker.is_slow = True
        # The pages that a worker has touched are copies that took time: it is kept if its priority can be restored.
        worker.is_fit = worker.is_fit and self._may_raise
        self._processes.renice(worker, is_slow=True)

    def _slice(self) -> float:
        """How long a job may go on before it counts as slow."""
        return _SLOW_AFTER_ITS_TURN if self._waiting.new else _SLOW_AFTER

    # ---- what becomes of processes ----

    def on_worker(self, worker: Worker, job: Job) -> None:
        # A worker that is not reused, or may do what others may not, has one job.
        is_fit = self.limits.is_reused and not job.grants
        if self._is_closing or (job.is_over and not is_fit):
            self._processes.kill(worker)
            return
        asyncio.get_running_loop().add_reader(worker.channel.fileno(), self._hear, worker)
        worker.is_fit = is_fit
        if job.is_over:
            self._idle.append(worker)
        else:
            self._give(worker, job)
        self._wake()

    def on_exit(self, pid: int, code: int) -> None:
        """The job that it processed ends with it."""
        for worker in [w for w in self._idle if w.pid == pid]:
            self._idle.remove(worker)
            self._forget(worker)
            worker.close()
        for worker in [w for w in self._busy if w.pid == pid]:
            while worker in self._busy and self._hear(worker):
                pass  # its last reply still lies there
            if worker not in self._busy:
                continue
            self._forget(worker)
            worker.close()
            if (job := worker.job) is not None:
                worker.job = None
                self._finish(job, self._failures.of_end(code, job.seconds))
            if self._waiting:
                self._wake()

    def on_zygote_lost(self, jobs_lost: list[Job]) -> None:
        """Another zygote is started when a job needs one."""
        for job in jobs_lost:
            self._finish(job, self._failures.busy("the worker processes are being restarted"))
        if self._waiting:
            self._wake()

    def _restart(self) -> None:
        """Starts a zygote in the background, unless one is being started."""
        if self._is_closing:
            self._refuse_all(self._failures.busy("the server is closing"))
        elif self._restarting is None:
            self._restarting = asyncio.ensure_future(self._start_anew())

    async def _start_anew(self) -> None:
        self._processes.count("zygotes restarted")
        try:
            await self.start()
        except KgError as error:
            _LOG.error("the worker processes cannot be started: %s", error)
            self._refuse_all(error)
        finally:
            self._restarting = None
        self._rest_later()
        if self._waiting:
            self._wake()

    def _rest_later(self) -> None:
        """Ends a zygote that has no job for a while."""
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        if self.limits.idle_seconds is not None and not self._is_closing:
            self._resting = asyncio.get_running_loop().call_later(self.limits.idle_seconds, self._rest)

    def _rest(self) -> None:
        if not self._clients and self._processes.is_ready:
            task = asyncio.ensure_future(self._processes.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def _refuse_all(self, error: KgError) -> None:
        for job in self._waiting.clear():
            self._finish(job, error)


def _nothing() -> None:
    """Replaces a callback that has been called."""
