"""The pool of query workers: lanes, deadlines, memory limits, and that no worker is lost."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import select
import shutil
import signal
import socket
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import loops
import pytest
from pyoxigraph import Literal, NamedNode, Quad, Store
from servers import descendants, descriptors, is_alive, serve, threads, until

from api.admission.clients import client_of
from api.problems import of_error
from api.settings import Settings
from api.site.pools import query_pool
from kg.engines import codec
from kg.engines.evaluation import Answer, Query, ResultFormats
from kg.errors import (
    Busy,
    KgError,
    OutOfMemory,
    QueryFailed,
    QueryMalformed,
    QueryTimeout,
    QueryTooComplex,
    ResultTooLarge,
)
from kg.isolation.jobs import Job, Worker
from kg.isolation.pool import Pool
from kg.isolation.waiting import Waiting
from kg.rdf import formats
from kg.release.store import Release

PRODUCT = "SELECT (COUNT(*) AS ?n{}) {{ ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }}"
JSON = ResultFormats("json", "ttl")
MOST_BYTES = 10_000_000


@asynccontextmanager
async def started(release: Release, **settings: Any) -> AsyncIterator[Pool]:
    pool = query_pool(release.directory, release.manifest.base_iri, {}, Settings(**settings))
    await pool.start()
    try:
        yield pool
    finally:
        await pool.close()
        ends = sum(n for event, n in pool.events.items() if event.startswith("ended"))
        assert (pool.alive, pool.events["forked"]) == (0, ends)


def run(work: Callable[[], Awaitable[None]]) -> None:
    # In a thread: a browser of other tests may have left a loop in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: loops.run(asyncio.wait_for(work(), 180))).result()  # type: ignore[arg-type]


async def ask(pool: Pool, text: str, *, client: str = "a", seconds: float = 10.0, want: ResultFormats = JSON) -> Answer:
    message = codec.request(Query(text), want, MOST_BYTES)
    return codec.read_answer(await pool.run(message, client=client, seconds=seconds))


def job(text: str, *, is_slow: bool = False, seconds: float = 5.0) -> Job:
    made = Job(codec.request(Query(text), JSON, 1_000), "c", seconds, lambda: None)
    made.is_slow = is_slow
    return made


def test_the_first_of_few_is_next_and_the_last_of_a_crowd() -> None:
    waiting, every = Waiting(), [job(f"ASK {{}} # {n}") for n in range(12)]
    for one in every[:8]:
        waiting.add(one)
    assert waiting.next(may_be_slow=True) is every[0]
    for one in every[8:]:
        waiting.add(one)
    assert waiting.next(may_be_slow=True) is every[-1]
    slow = job("ASK {}", is_slow=True)
    waiting.add(slow)
    assert (waiting.next(may_be_slow=True), waiting.next(may_be_slow=False)) == (slow, every[-1])
    assert (len(waiting), waiting.new) == (13, 12)
    assert [waiting.remove(one) for one in (slow, every[5], every[-1], slow)] == [True, True, True, False]
    assert waiting.clear() == [*every[:5], *every[6:-1]]
    assert waiting.next(may_be_slow=True) is None


def test_who_waited_for_too_long_waits_no_longer() -> None:
    waiting = Waiting()
    late, slow, early = job("ASK {}", seconds=1), job("ASK {}", is_slow=True, seconds=2), job("ASK {}", seconds=30)
    for one in (early, late, slow):
        waiting.add(one)
    assert waiting.remove_late(time.monotonic() + 5) == [late, slow]
    assert list(waiting) == [early]


def test_who_is_kept_from_the_processor_is_not_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 0.2 s a process ran for 1 ms and waited for 198 ms, then it ran for 3 ms more."""
    ours, theirs = socket.socketpair()
    worker = Worker(os.getpid(), ours)
    worker.begin(job("ASK {}"))
    told = iter([b"5000000 0 1\n", b"6000000 198000000 2\n", b"9000000 198000000 2\n"])
    monkeypatch.setattr(os, "pread", lambda *_: next(told))
    start = worker.since
    with ours, theirs:
        assert worker.look(start) == (0, 0)
        assert worker.look(start + 0.2) == pytest.approx((0.001, 0.001))
        assert worker.look(start + 0.203) == pytest.approx((0.004, 0.001))
        worker.close()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("SELECT * {", QueryMalformed),
        ("ASK { FILTER(" + "!" * 50_000 + "true) }", QueryTooComplex),
        ("SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }", ResultTooLarge),
    ],
    ids=["malformed", "stack overflow", "size"],
)
def test_a_query_that_fails_fails_alone(tiny: Release, text: str, error: type[KgError]) -> None:
    async def work() -> None:
        async with started(tiny) as pool:
            with pytest.raises(error):
                await ask(pool, text)
            assert b"true" in (await ask(pool, "ASK {}")).body

    run(work)


@pytest.mark.parametrize("silent", ["", "SILENT"])
@pytest.mark.parametrize("settings", [{}, {"memory_quads": 0}], ids=["in memory", "on disk"])
def test_a_worker_has_no_network(tiny: Release, silent: str, settings: dict[str, int]) -> None:
    """Queries that the guard refuses, evaluated without it."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.3)

    async def work() -> None:
        async with started(tiny, **settings) as pool:
            for host in ("127.0.0.1", "localhost"):
                address = f"http://{host}:{listener.getsockname()[1]}/sparql"
                with contextlib.suppress(QueryFailed):
                    await ask(pool, f"SELECT * {{ SERVICE {silent} <{address}> {{ ?s ?p ?o }} }}", seconds=3)

    with listener:
        run(work)
        with pytest.raises(TimeoutError):
            listener.accept()


def test_each_format_is_written_where_nothing_can_be_opened(tiny: Release) -> None:
    async def work() -> None:
        async with started(tiny) as pool:
            for known in formats.RESULT_FORMATS:
                assert (await ask(pool, "SELECT * { ?s ?p ?o } LIMIT 3", want=ResultFormats(known.name))).body
            for syntax in formats.RDF_FORMATS:
                assert (await ask(pool, "DESCRIBE ?s { ?s ?p ?o }", want=ResultFormats(graph=syntax.name))).total
            assert (await ask(pool, "SELECT * { ?s ?p ?o }", want=ResultFormats("json", rows=2))).total > 2

    run(work)


def test_memory_is_limited_for_each_query(tiny: Release) -> None:
    async def work() -> None:
        async with started(tiny, query_memory_mb=100) as pool:
            with pytest.raises(OutOfMemory) as caught:
                await ask(pool, "SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i } ORDER BY ?c ?f ?i", seconds=40)
            problem = of_error(caught.value)
            assert (problem.status, problem.kind, problem.headers) == (503, "out-of-memory", {"Retry-After": "60"})

    run(work)


@pytest.mark.serial
def test_a_crowd_of_queries_of_some_milliseconds_is_not_stopped_to_begin_anew(tiny: Release) -> None:
    """Each query needs less than its time slice; interrupting them would only waste work."""

    def counting(rows: int, number: int) -> str:
        values = " ".join(map(str, range(rows)))
        return f"SELECT (COUNT(*) AS ?n) {{ VALUES ?a {{ {values} }} VALUES ?b {{ {values} }} }} # {number}"

    async def work() -> None:
        async with started(tiny, client_queries=100) as pool:

            async def took(rows: int) -> float:
                begun = time.monotonic()
                await ask(pool, counting(rows, 0))
                return time.monotonic() - begun

            await took(100)
            rows = int(100 * (0.02 / min([await took(100) for _ in range(5)])) ** 0.5)
            answers = await asyncio.gather(*(ask(pool, counting(rows, n), seconds=30) for n in range(1, 65)))
            assert {json.loads(a.body)["results"]["bindings"][0]["n"]["value"] for a in answers} == {str(rows**2)}
            assert pool.events["requeued"] < 8

    run(work)


@pytest.mark.serial
def test_while_products_run_others_have_their_turn(tiny: Release) -> None:
    """64 cross products from 64 clients at once, and repeated small queries of another client."""

    async def work() -> None:
        async with started(tiny, client_queries=2) as pool:
            hostile = [
                asyncio.ensure_future(ask(pool, PRODUCT.format(n), client=f"h{n}", seconds=4)) for n in range(64)
            ]
            waits = []
            while not all(task.done() for task in hostile):
                begun = time.monotonic()
                await ask(pool, "ASK {}", client="other")
                waits.append(time.monotonic() - begun)
                # Killed processes exist for another moment.
                assert pool.alive <= pool.limits.workers * 2
                await asyncio.sleep(0.1)
            found = await asyncio.gather(*hostile, return_exceptions=True)
            assert {type(f) for f in found} == {Busy, QueryTimeout}
            # Whoever had to wait for the products would have waited for all of their four seconds.
            assert sorted(waits)[len(waits) // 2] < 0.5
            assert len(waits) > 8
            assert max(waits) < 3

    run(work)


def test_a_query_that_was_stopped_for_others_is_answered_in_the_end(tiny: Release) -> None:
    medium = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . FILTER(STRLEN(STR(?c)) >= 0 && STRLEN(STR(?f)) >= 0) }"

    async def work() -> None:
        async with started(tiny, query_workers=2, client_queries=50) as pool:
            alone = (await ask(pool, medium, seconds=120)).body
            found = await asyncio.gather(*(ask(pool, medium, client=f"c{n}", seconds=120) for n in range(5)))
            assert {f.body for f in found} == {alone}

    run(work)


@pytest.mark.serial
def test_slow_queries_of_many_clients_leave_room_for_a_small_one(tiny: Release) -> None:
    """Whoever has many addresses fills the slots and the queue again and again, and still keeps nobody out."""

    async def work() -> None:
        async with started(tiny, query_queue=32) as pool:
            refused = 0

            async def attack(client: str) -> None:
                nonlocal refused
                while True:
                    try:
                        await ask(pool, PRODUCT.format(client), client=client, seconds=5)
                    except Busy:
                        refused += 1
                    except QueryTimeout:
                        pass
                    await asyncio.sleep(0.05)

            attacking = [asyncio.ensure_future(attack(f"h{n}")) for n in range(60)]
            # Until each of them has had its first turn, and is known to be slow.
            begun = time.monotonic()
            while pool.events["requeued"] + pool.events["refused: slow"] < 150 and time.monotonic() - begun < 20:
                await asyncio.sleep(0.05)
            for n in range(60):
                await ask(pool, f"ASK {{}} # {n}", client="other")
                await asyncio.sleep(0.02)
            assert refused
            assert pool.waiting < 60
            for task in attacking:
                task.cancel()
            await asyncio.wait(attacking)

    run(work)


@pytest.mark.serial
def test_slow_queries_do_not_starve_a_medium_one(tiny: Release) -> None:
    async def work() -> None:
        async with started(tiny, client_queries=50) as pool:
            hostile = [
                asyncio.ensure_future(ask(pool, PRODUCT.format(n), client=f"h{n % 2}", seconds=25)) for n in range(8)
            ]
            await asyncio.sleep(1.5)
            assert len(pool.busy) >= 4
            begun = time.monotonic()
            await ask(pool, _counting(4_000), client="other", seconds=20)
            assert time.monotonic() - begun < 15
            assert not any(task.done() for task in hostile)
            for task in hostile:
                task.cancel()
            await asyncio.wait(hostile)

    run(work)


def _counting(rows: int) -> str:
    """A query that takes about a second for 4,000 rows."""
    values = " ".join(map(str, range(rows)))
    return f"SELECT (COUNT(*) AS ?n) {{ VALUES ?a {{ {values} }} VALUES ?b {{ {values} }} }}"


def test_a_zygote_that_hangs_costs_its_jobs_their_time_at_most_and_is_replaced(tiny: Release) -> None:
    async def work() -> None:
        async with started(tiny) as pool:
            await ask(pool, "ASK {}")
            for pid in pool.idle:
                os.kill(pid, signal.SIGKILL)
            while pool.alive:
                await asyncio.sleep(0.01)
            os.kill(pool.zygote, signal.SIGSTOP)
            begun = time.monotonic()
            with pytest.raises(Busy):
                await ask(pool, "ASK {} # 1", seconds=0.5)
            assert time.monotonic() - begun < 2
            # One that asked for longer gets its answer from the next zygote, or is told to ask again.
            with contextlib.suppress(Busy):
                await ask(pool, "ASK {} # 2", seconds=20)
            assert json.loads((await ask(pool, "ASK {} # 3", seconds=20)).body)["boolean"] is True
            assert time.monotonic() - begun < 15

    run(work)


def test_small_queries_behind_a_large_one_are_taken_back_and_none_is_lost(tiny: Release) -> None:
    """Some hundred queries at once, including cross products: small ones get their own results in time."""

    async def work() -> None:
        async with started(tiny, client_queries=500, query_queue=500) as pool:
            small = [f"SELECT ?n {{ VALUES ?n {{ {n} }} }}" for n in range(200)]
            texts = [q for n, q in enumerate(small) for q in ([PRODUCT.format(n), q] if n % 40 == 0 else [q])]
            found = await asyncio.gather(
                *(ask(pool, q, seconds=1.5 if "COUNT" in q else 20, want=ResultFormats("csv")) for q in texts),
                return_exceptions=True,
            )
            for text, answer in zip(texts, found, strict=True):
                if "COUNT" in text:
                    assert isinstance(answer, Busy | QueryTimeout)
                else:
                    assert isinstance(answer, Answer), answer
                    assert answer.body.split()[1] == text.split()[6].encode()

    run(work)


def test_what_a_worker_answered_before_it_died_is_heard(tiny: Release) -> None:
    """The worker is killed while its result is unread in its channel."""

    async def work() -> None:
        async with started(tiny) as pool:
            await ask(pool, "ASK {}")
            (worker,) = pool._idle
            asyncio.get_running_loop().remove_reader(worker.channel.fileno())
            given = job("ASK { ?s ?p ?o }", seconds=30)
            pool.submit(given)
            assert worker.job is given
            end = select.poll()
            end.register(worker.channel, select.POLLIN)
            assert await asyncio.to_thread(end.poll, 20_000)
            os.kill(worker.pid, signal.SIGKILL)
            while not given.is_over:
                await asyncio.sleep(0.01)
            assert given.error is None
            assert b"true" in given.result()

    run(work)


def test_a_finished_query_is_freed(tiny: Release) -> None:
    """Jobs and their waiters must not form reference cycles, which would keep results until a collection."""

    class Waiter: ...

    def submitted(pool: Pool, over: asyncio.Event) -> weakref.ref[Waiter]:
        waiter, query = Waiter(), job("ASK {}")
        query.done = lambda: (waiter, query) and over.set()
        pool.submit(query)
        return weakref.ref(waiter)

    async def work() -> None:
        async with started(tiny) as pool:
            over = asyncio.Event()
            gc.disable()
            try:
                waiter = submitted(pool, over)
                await over.wait()
                await ask(pool, "ASK {}")
                assert waiter() is None
            finally:
                gc.enable()

    run(work)


def test_no_answer_is_that_of_another_query_while_workers_are_kept_waiting(tiny: Release) -> None:
    """Bursts of small queries while cross products keep the processors busy, so that jobs are taken back often."""

    async def work() -> None:
        async with started(tiny, client_queries=2_000, query_queue=2_000) as pool:
            hogs = [
                asyncio.ensure_future(ask(pool, PRODUCT.format(n), client=f"h{n}", seconds=6))
                for n in range(pool.limits.workers * 2)
            ]
            for burst in range(20):
                numbers = range(burst * 50, burst * 50 + 50)
                texts = [
                    f"SELECT ({n} AS ?n) {{}}" if n % 2 else f"SELECT ?n {{ VALUES ?n {{ {n} }} }}" for n in numbers
                ]
                found = await asyncio.gather(*(ask(pool, q, seconds=30, want=ResultFormats("csv")) for q in texts))
                assert [int(a.body.split()[1]) for a in found] == list(numbers)
            await asyncio.gather(*hogs, return_exceptions=True)

    run(work)


def test_a_text_of_many_packets_arrives_whole(tiny: Release) -> None:
    async def work() -> None:
        async with started(tiny) as pool:
            long = "x" * 900_000
            answers = await asyncio.gather(
                *(ask(pool, f'SELECT (STRLEN("{n}{long}") AS ?n) {{}}', want=ResultFormats("csv")) for n in range(6))
            )
            assert {a.body for a in answers} == {b"n\r\n900001\r\n"}
            body = (await ask(pool, f'SELECT ("{long}" AS ?x) {{}}', want=ResultFormats("csv"))).body
            assert body == f"x\r\n{long}\r\n".encode()

    run(work)


def test_whoever_leaves_leaves_no_process_behind(tiny: Release) -> None:
    async def work() -> None:
        async with started(tiny) as pool:
            for _ in range(20):
                left = asyncio.ensure_future(ask(pool, PRODUCT.format("")))
                await asyncio.sleep(0.01)
                left.cancel()
                await asyncio.wait({left})
            while pool.alive > len(pool._idle):
                await asyncio.sleep(0.01)
            assert b"true" in (await ask(pool, "ASK {}")).body

    run(work)


def test_nothing_is_left_when_all_is_over(tiny: Release) -> None:
    async def work() -> None:
        me = os.getpid()
        # Otherwise the event loop's thread pool may grow at any time.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        await ask_once(tiny)
        before = descriptors(me), threads(me), len(descendants(me))
        async with started(tiny) as pool:
            await asyncio.gather(
                *(ask(pool, PRODUCT.format(n), client=f"h{n}", seconds=0.5) for n in range(10)), return_exceptions=True
            )
        assert (descriptors(me), threads(me), len(descendants(me))) == before

    async def ask_once(release: Release) -> None:
        async with started(release) as pool:
            await ask(pool, "ASK {}")

    run(work)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_worker_that_is_killed_is_replaced(tiny: Release, number: int) -> None:
    async def work() -> None:
        async with started(tiny) as pool:
            await ask(pool, "ASK {}")
            (idle,) = pool._idle
            os.kill(idle.pid, number)
            while pool.alive:
                await asyncio.sleep(0.01)
            assert b"true" in (await ask(pool, "ASK {}")).body
            busy = asyncio.ensure_future(ask(pool, PRODUCT.format("")))
            await asyncio.sleep(0.2)
            for pid in list(pool._processes.alive):
                os.kill(pid, number)
            with pytest.raises(KgError):
                await busy
            assert b"true" in (await ask(pool, "ASK {}")).body

    run(work)


def test_a_zygote_that_is_killed_takes_its_workers_along_and_is_replaced(tiny: Release) -> None:
    async def work() -> None:
        async with started(tiny) as pool:
            busy = asyncio.ensure_future(ask(pool, PRODUCT.format("")))
            await asyncio.sleep(0.2)
            workers = list(pool._processes.alive)
            assert pool._processes._zygote is not None
            pool._processes._zygote.kill()
            with pytest.raises(Busy):
                await busy
            await asyncio.to_thread(until, lambda: not any(map(is_alive, workers)))
            assert b"true" in (await ask(pool, "ASK {}")).body
            assert pool.is_ready

    run(work)


def test_workers_end_with_the_server_however_it_ends(tiny: Release, tmp_path: Any) -> None:

    with serve(tiny.directory, log=tmp_path / "log") as server:
        with server.client() as client:
            assert client.get("/sparql", params={"query": "ASK {}"}).status_code == 200
        below = descendants(server.pid)
        assert len(below) >= 2
        server.process.kill()
        until(lambda: not any(map(is_alive, below)))


def test_a_zygote_shares_the_memory_of_its_server_and_the_next_reads_for_itself(tiny: Release, tmp_path: Any) -> None:
    def spawned(server: Any) -> list[int]:
        below = descendants(server.pid)
        return [pid for pid in below if b"kg.isolation.zygote" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    with serve(tiny.directory, log=tmp_path / "log") as server, server.client() as client:

        def answers() -> bool:
            # A new text each time, since results are cached.
            return client.get("/sparql", params={"query": f"ASK {{}} #{time.monotonic_ns()}"}).status_code == 200

        assert answers()
        first = descendants(server.pid)
        assert first
        assert not spawned(server)
        os.kill(first[0], signal.SIGKILL)
        until(lambda: answers() and bool(spawned(server)))
        assert not set(first) & set(descendants(server.pid))


def test_a_store_on_disk_is_opened_after_the_fork(tiny: Release) -> None:
    async def work() -> None:
        count = "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }"
        async with started(tiny) as memory, started(tiny, memory_quads=0) as disk:
            assert (await ask(disk, count)).body == (await ask(memory, count)).body
            with pytest.raises(QueryFailed):
                await ask(disk, "SELECT * { SERVICE <http://127.0.0.1:1/> { ?s ?p ?o } }")

    run(work)


def test_a_store_of_many_files_is_read_as_they_are_needed(tiny: Release, tmp_path: Path) -> None:
    """The engine opens only the first files of a store immediately."""
    folder = shutil.copytree(tiny.directory, tmp_path / "release")
    store = Store(str(folder / "store"))
    many = 0
    # The engine may put files together at any time, also while it closes: some more than the test needs.
    while many < 4 or (many < 100 and len(list((folder / "store").glob("*.sst"))) <= 24):
        store.add(Quad(NamedNode(f"urn:x:{many}"), NamedNode("urn:x:p"), Literal("many"), NamedNode(f"urn:x:g{many}")))
        store.flush()
        many += 1
    del store
    assert len(list((folder / "store").glob("*.sst"))) > 20

    async def work() -> None:
        pool = query_pool(folder, tiny.manifest.base_iri, {}, Settings(memory_quads=0))
        await pool.start()
        try:
            found = await ask(pool, 'SELECT (COUNT(*) AS ?n) { GRAPH ?g { ?s <urn:x:p> "many" } }')
            assert json.loads(found.body)["results"]["bindings"][0]["n"]["value"] == str(many)
        finally:
            await pool.close()

    run(work)


def test_opening_a_store_on_disk_is_not_what_memory_is_limited_for(tiny: Release) -> None:
    """The engine starts threads to open a store, which reserve more address space than some queries may use."""

    async def work() -> None:
        async with started(tiny, memory_quads=0, query_memory_mb=64) as pool:
            assert b"true" in (await ask(pool, "ASK { ?s ?p ?o }")).body

    run(work)


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8::1", "2001:db8::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_a_client_is_an_address_or_a_network(host: str, client: str) -> None:
    assert client_of(host) == client
