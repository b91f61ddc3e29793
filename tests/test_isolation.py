"""Child processes: what they may do, how they end, and that every task has the same sandbox."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from servers import descendants, is_alive, until
from test_tables import workbook
from test_workers import run

from api.settings import Settings
from api.site.pools import table_pool
from kg.errors import (
    Busy,
    KgError,
    NoRelease,
    OutOfMemory,
    QueryMalformed,
    QueryTimeout,
    QueryTooComplex,
    TooManyQueries,
)
from kg.isolation import messages, program
from kg.isolation.jobs import Worker
from kg.isolation.pool import Pool, PoolLimits
from kg.isolation.program import Failures, Program
from kg.partners import process as partners
from kg.rdf import formats
from kg.tables import process as tables
from kg.tables.rows import TableError, TableLimits

FAILURES = Failures(
    Busy, TooManyQueries, lambda _: Busy("too late"), QueryTimeout, OutOfMemory, lambda: QueryTooComplex("too deep")
)
TURTLE = formats.RDF_FORMATS[0]


def task(cpu_seconds: float = 0.0, memory: int = 200_000_000, **options: Any) -> Program:
    return Program("isolated", options, memory, cpu_seconds)


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@asynccontextmanager
async def started(program: Program, **limits: Any) -> AsyncIterator[Pool]:
    pool = Pool(program, PoolLimits(**{"workers": 2, "queue": 8, "per_client": 8, "seconds": 20.0, **limits}), FAILURES)
    try:
        yield pool
    finally:
        await pool.close()
        ends = sum(n for event, n in pool.events.items() if event.startswith("ended"))
        assert (pool.alive, pool.events["forked"]) == (0, ends)


def once(message: bytes, program_: Program | None = None, seconds: float = 20.0) -> bytes:
    return program.run(program_ or task(), message, seconds, FAILURES)


def pooled(message: bytes, program_: Program | None = None, seconds: float = 20.0) -> bytes:
    found: list[bytes] = []

    async def work() -> None:
        async with started(program_ or task()) as pool:
            found.append(await pool.run(message, client="a", seconds=seconds))

    run(work)
    return found[0]


Asked = Callable[..., bytes]
both = pytest.mark.parametrize("ask", [once, pooled], ids=["once", "pool"])


@both
@pytest.mark.parametrize("size", [1, 65_535, 65_536, 3_000_000])
def test_a_message_of_any_size_is_answered(ask: Asked, size: int) -> None:
    assert ask(b"echo " + b"x" * size) == b"x" * size


@both
@pytest.mark.parametrize("has_files", [False, True])
def test_a_child_has_no_network_and_writes_no_file(ask: Asked, has_files: bool, port: int, tmp_path: Path) -> None:
    program = task(files=has_files)
    refused = errno.EACCES if has_files else errno.EMFILE
    assert ask(b"connect %d" % port, program) == b"refused %d" % refused
    assert ask(f"write {tmp_path / 'x'}".encode(), program) == b"refused %d" % (
        errno.EFBIG if has_files else errno.EMFILE
    )
    assert ask(b"read", program) == (b'"""' if has_files else b"refused %d" % errno.EMFILE)


def test_a_task_may_need_the_network(port: int) -> None:
    assert once(b"connect %d" % port, task(network=True)) == b"connected"


@both
@pytest.mark.parametrize(
    ("message", "error", "options"),
    [
        (b"fail", QueryMalformed, {}),
        (b"take", OutOfMemory, {}),
        (b"crash", QueryTooComplex, {}),
        (b"spin", QueryTimeout, {"cpu_seconds": 0.01}),
        (b"tell", NoRelease, {"is_broken": True}),
    ],
    ids=["fails", "memory", "crash", "processor", "start"],
)
def test_what_goes_wrong_is_raised(ask: Asked, message: bytes, error: type[KgError], options: dict[str, Any]) -> None:
    with pytest.raises(error) as caught:
        ask(message, task(**options))
    if isinstance(caught.value, QueryMalformed):
        assert (str(caught.value), caught.value.line, caught.value.column) == ("not like this", 3, 4)


@both
def test_a_child_is_killed_at_the_deadline(ask: Asked) -> None:
    before = set(descendants(os.getpid()))
    with pytest.raises((QueryTimeout, Busy)):
        ask(b"spin", seconds=1.0)
    until(lambda: not set(descendants(os.getpid())) - before)


def test_an_error_of_a_child_is_one_of_ours_or_none() -> None:
    for name in ("SystemExit", "KgError", "os.system"):
        with pytest.raises(KgError, match=r"^said$"):
            messages.checked(b'\xff["%s", "said", {}]' % name.encode())


def test_each_message_has_a_child_of_its_own_unless_they_are_reused() -> None:
    async def work() -> None:
        for is_reused, count in ((False, 3), (True, 1)):
            async with started(task(), is_reused=is_reused) as pool:
                assert len({await pool.run(b"tell", client="a") for _ in range(3)}) == count
        async with started(task(), is_reused=True) as pool:
            told = [await pool.run(b"tell", client="a", grants={"x": 1}) for _ in range(2)]
            assert [t.split()[:2] for t in told] == [[b"held", b"['x']"]] * 2
            assert len(set(told)) == 2

    run(work)


def test_slots_queue_and_clients_are_limited() -> None:
    async def work() -> None:
        async with started(task(), workers=1, queue=1, per_client=2) as pool:
            spinning = asyncio.ensure_future(pool.run(b"spin", client="a", seconds=20))
            while not pool.busy:
                await asyncio.sleep(0.01)
            waiting = asyncio.ensure_future(pool.run(b"echo x", client="a", seconds=20))
            await asyncio.sleep(0)
            with pytest.raises(TooManyQueries):
                await pool.run(b"echo x", client="a")
            with pytest.raises(Busy, match="waiting"):
                await pool.run(b"echo x", client="b")
            assert pool.waiting == 1
            spinning.cancel()
            assert await waiting == b"x"

    run(work)


def test_a_job_that_waits_ends_at_its_deadline_also_while_the_zygote_starts() -> None:
    async def work() -> None:
        async with started(task()) as pool:
            began = time.monotonic()
            with pytest.raises(Busy, match="too late"):
                await pool.run(b"echo x", client="a", seconds=0.01)
            assert time.monotonic() - began < 1.0

    run(work)


def test_a_zygote_is_ended_when_it_is_idle_and_started_again() -> None:
    async def work() -> None:
        async with started(task(), idle_seconds=0.1) as pool:
            pool.expect()
            for _ in range(2):
                assert await pool.run(b"echo x", client="a") == b"x"
                while pool.is_ready:
                    await asyncio.sleep(0.01)
        async with started(task(), idle_seconds=0.0) as pool:
            pool.expect()
            assert pool._restarting is None

    run(work)


# ---- the tasks themselves ----


def is_confined(pid: int) -> bool:
    """Whether a process has no network (by seccomp, or because it can open nothing) and can write no file.

    It can open nothing when all numbers of descriptors below its limit are taken; how high the limit is depends on what
    this process has open, because the child's channel keeps its number.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    limits = {
        line[:26].strip(): line[26:].split()[0] for line in Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]
    }
    taken = {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    has_no_network = "\nSeccomp:\t2\n" in status or taken.issuperset(range(int(limits["Max open files"])))
    return has_no_network and limits["Max file size"] == "0" and limits["Max address space"] != "unlimited"


def test_a_partners_file_is_read_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    before, confined, checked = set(descendants(os.getpid())), list[bool](), messages.checked

    def looked(reply: bytes) -> bytes:
        # The process has answered, and has not been ended yet.
        confined.extend(is_confined(pid) for pid in descendants(os.getpid()) if pid not in before)
        return checked(reply)

    monkeypatch.setattr(messages, "checked", looked)
    assert len(partners.read(b"<urn:a> <urn:p> 1 .", TURTLE, "http://e/", seconds=60, memory_mb=500)) == 1
    assert confined == [True]


def test_a_partners_file_that_takes_too_long_or_too_much_is_left() -> None:
    body = b"".join(b"<urn:a> <urn:p> %d .\n" % n for n in range(500_000))
    with pytest.raises(partners.Unreadable, match=r"takes longer than 0\.1 s"):
        partners.read(body, TURTLE, "http://e/", seconds=0.1, memory_mb=500)
    with pytest.raises(partners.Unreadable, match="broke down"):
        partners.read(body, TURTLE, "http://e/", seconds=60, memory_mb=40)


# The limits of time and memory are those that are tried.
NO_LIMITS = TableLimits(rows=10**9, characters=10**12)


def table(body: bytes, name: str, encoding: str = "", **settings: Any) -> tuple[Any, list[bool]]:
    """The table that was read, or the error; and for each process that was ended whether it was confined."""
    found: list[Any] = []
    confined: list[bool] = []

    async def work() -> None:
        pool = table_pool(Settings(**settings))
        kill, pids = pool._processes.kill, list[int]()

        def looked(worker: Worker) -> None:
            pids.append(worker.pid)
            confined.append(is_confined(worker.pid))
            kill(worker)

        pool._processes.kill = looked  # type: ignore[method-assign]
        message = tables.request(body, name, NO_LIMITS, encoding=encoding, sheet="", header=1)
        try:
            found.append(tables.read_answer(await pool.run(message, client="")))
        except TableError as error:
            found.append(error)
        await pool.close()
        await asyncio.to_thread(until, lambda: not any(map(is_alive, pids)))

    run(work)
    return found[0], confined


def test_a_workbook_is_read_without_a_network() -> None:
    read, confined = table(workbook([["name", "number"], ["x", 1]]), "t.xlsx")
    assert (read.rows, confined) == ([("x", "1")], [True])


@pytest.mark.parametrize("settings", [{"desk_seconds": 1}, {"desk_memory_mb": 64}], ids=["time", "memory"])
def test_a_table_that_takes_too_long_or_too_much_is_refused(settings: dict[str, Any]) -> None:
    error, _ = table(b"a,b\n" + b"1,2\n" * 2_000_000, "t.csv", **settings)
    assert isinstance(error, TableError)
    assert error.code == "memory"


def test_a_table_in_any_encoding_is_read_where_no_socket_can_be_opened() -> None:
    for encoding in ("utf-8", "utf-16", "cp932", "euc-jp"):
        read, _ = table(
            "名称,番号\n理化学研究所,1\n".encode(encoding), "t.csv", "" if encoding != "euc-jp" else encoding
        )
        assert read.rows == [("理化学研究所", "1")], encoding


def test_a_pool_whose_zygote_is_killed_while_it_waits_starts_another() -> None:
    async def work() -> None:
        async with started(task()) as pool:
            assert await pool.run(b"echo x", client="a") == b"x"
            child = pool._processes._zygote
            assert child is not None
            os.kill(child.pid, signal.SIGKILL)
            while pool.is_ready:
                await asyncio.sleep(0.01)
            assert await pool.run(b"echo y", client="a") == b"y"

    run(work)
