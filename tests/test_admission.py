"""The gate: whose work runs, whose waits, and who is refused, so that no client slows the others."""

import asyncio
import contextlib
import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import loops
import pytest
from conftest import Server
from servers import until
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from api.admission.clients import client_of
from api.admission.cost import Cost
from api.admission.gate import Gate, Refused
from api.app import create_app
from api.http.route import Declaration, Route
from api.settings import Settings
from api.telemetry.metrics import Metrics
from kg.release.store import Release

Start = Callable[..., "Busy"]


class Busy:
    """A server with two more routes, whose work lasts until `done` is set; clients have addresses of their own."""

    def __init__(self, url: str, done: threading.Event, begun: list[str]) -> None:
        self.url, self.done, self.begun = url, done, begun

    def client(self, last: int, **options: object) -> httpx.Client:
        transport = httpx.HTTPTransport(local_address=f"127.0.0.{last}", verify=False)
        return httpx.Client(base_url=self.url, trust_env=False, timeout=30, transport=transport)

    def get(self, last: int, path: str, **headers: str) -> httpx.Response:
        with self.client(last) as client:
            return client.get(path, headers=headers)

    @contextlib.contextmanager
    def uploading(self, last: int, path: str, size: int, sent: bytes) -> Iterator[socket.socket]:
        """An upload that announces `size` bytes, of which some are sent."""
        parts = urlsplit(self.url)
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/turtle\r\nContent-Length: {size}\r\n\r\n"
        address = (str(parts.hostname), parts.port or 80)
        with socket.create_connection(address, 20, (f"127.0.0.{last}", 0)) as connection:
            connection.sendall(head.encode() + sent)
            yield connection

    def number(self, name: str) -> float:
        """A number of the server's metrics."""
        lines = self.get(9, "/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


@pytest.fixture
def start(tiny: Release, queries_project: Path) -> Iterator[Start]:
    with contextlib.ExitStack() as stack:

        def serve(**settings: object) -> Busy:
            app = create_app(Settings(project=queries_project, **settings), tiny)
            done, begun = threading.Event(), list[str]()

            def work(name: str) -> Response:
                begun.append(name)
                assert done.wait(30)
                return PlainTextResponse("done")

            def stream(name: str) -> Response:
                begun.append(name)
                # What has ranges is sent as it comes.
                return StreamingResponse(itertools.repeat(b"x" * 100_000, 500), headers={"Accept-Ranges": "bytes"})

            for path, endpoint in (("/work/{name}", work), ("/stream/{name}", stream)):
                app.router.routes.insert(0, Route("GET", path, endpoint, Declaration("", Cost.MEDIUM)))
            running = stack.enter_context(Server(app))
            stack.callback(done.set)
            return Busy(running.url, done, begun)

        yield serve


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(50) as running:
        yield running


def test_large_work_waits_while_small_work_and_kept_answers_do_not(start: Start, pool: ThreadPoolExecutor) -> None:
    server = start()
    assert server.get(3, "/data/law/ai-act.ttl").status_code == 200
    answers = [pool.submit(server.get, 2, f"/work/{n}") for n in range(40)]
    until(lambda: server.number("kg_requests_waiting") == 38)
    # A page is 4 units of 8, so two of them are worked on.
    assert len(server.begun) == 2
    assert server.get(3, "/data/law/ai-act.ttl").status_code == 200
    assert server.get(3, "/suggest?q=AI").status_code == 200
    assert server.get(3, "/sparql?query=ASK%20%7B%7D").status_code == 200
    server.done.set()
    assert [a.result().status_code for a in answers] == [200] * 40


def test_clients_take_turns(start: Start, pool: ThreadPoolExecutor) -> None:
    server = start(work_units=4)
    crowd = [pool.submit(server.get, 2, f"/work/crowd-{n}") for n in range(10)]
    until(lambda: server.number("kg_requests_waiting") == 9)
    other = pool.submit(server.get, 3, "/work/other")
    until(lambda: server.number("kg_requests_waiting") == 10)
    server.done.set()
    assert {a.result().status_code for a in (*crowd, other)} == {200}
    # The first was under way, and the second of the crowd came before.
    assert server.begun.index("other") <= 2


def test_a_client_has_a_number_of_requests_at_a_time(start: Start, pool: ThreadPoolExecutor) -> None:
    server = start(client_requests=4)
    answers = [pool.submit(server.get, 2, f"/work/{n}") for n in range(4)]
    until(lambda: server.number("kg_requests_waiting") == 2)
    refused = server.get(2, "/data/law/ai-act.ttl")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
    assert refused.json()["type"] == "urn:aikg:problem:too-many-requests"
    assert server.get(3, "/data/law/ai-act.ttl").status_code == 200
    # Bytes that are there anyway are no work.
    assert server.get(2, "/healthz").status_code == 200
    server.done.set()
    assert [a.result().status_code for a in answers] == [200] * 4
    assert server.get(2, "/data/law/ai-act.ttl").status_code == 200
    assert server.number('kg_refused_total{reason="too-many-requests"}') == 1


def test_a_queue_has_an_end_and_a_wait_too(start: Start, pool: ThreadPoolExecutor) -> None:
    server = start(work_units=4, work_queue=2, wait_seconds=2)
    answers = [pool.submit(server.get, 2, f"/work/{n}") for n in range(3)]
    until(lambda: server.number("kg_requests_waiting") == 2)
    refused = server.get(3, "/page/law/ai-act?lang=en", accept="text/html")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    # A page that takes no work to make, in the language of the reader.
    assert "The server is busy" in refused.text
    until(lambda: sum(a.done() for a in answers) == 2)
    server.done.set()
    assert sorted(a.result().status_code for a in answers) == [200, 503, 503]


def test_who_leaves_gives_up_the_turn(start: Start, pool: ThreadPoolExecutor) -> None:
    server = start(work_units=4)
    first = pool.submit(server.get, 2, "/work/first")
    until(lambda: server.begun == ["first"])
    with server.uploading(3, "/healthz", 0, b"GET /work/left HTTP/1.1\r\nHost: x\r\n\r\n"):
        until(lambda: server.number("kg_requests_waiting") == 1)
    until(lambda: server.number("kg_requests_waiting") == 0)
    server.done.set()
    assert first.result().status_code == 200
    assert server.get(3, "/work/next").status_code == 200
    assert server.begun == ["first", "next"]


def test_stalled_uploads_hold_no_slot(start: Start) -> None:
    server = start()
    with contextlib.ExitStack() as stack:
        for path in ("/link/table", "/link", "/link/match", "/validate", "/reconcile", "/resolve", "/sparql"):
            for _ in range(6):
                stack.enter_context(server.uploading(2, path, 5_000, b"x" * 150))
        until(lambda: server.number("kg_body_bytes") > 0)
        with server.client(3) as client:
            found = client.post("/link/table", files={"file": ("t.csv", b"name\nx\n")})
            assert found.status_code == 200
            assert client.post("/validate", content=b"", headers={"content-type": "text/turtle"}).status_code == 400
    until(lambda: server.number("kg_body_bytes") == 0)


def test_bodies_have_a_budget_for_each_client_and_in_all(start: Start) -> None:
    server = start(client_body_mb=3, body_mb=4)
    megabyte = b"# " + b"x" * 999_998
    with contextlib.ExitStack() as stack:
        for last in (2, 2, 4):
            stack.enter_context(server.uploading(last, "/validate", 1_500_000, megabyte))
        until(lambda: server.number("kg_body_bytes") == 3_000_000)
        with server.uploading(2, "/validate", 1_200_000, b"") as one_more:
            answer = one_more.recv(10_000)
            assert answer.startswith(b"HTTP/1.1 429 "), answer
            assert b"retry-after: 2" in answer.lower()
        with server.uploading(5, "/validate", 900_000, b"") as other:
            assert other.recv(10_000).startswith(b"HTTP/1.1 503 ")
        # A part of the memory is kept for small bodies.
        with server.client(5) as client:
            answer_to_small = client.post("/sparql", data={"query": "ASK {}"})
            assert answer_to_small.status_code == 200
    until(lambda: server.number("kg_body_bytes") == 0)


def test_a_response_that_is_read_slowly_holds_no_slot(start: Start) -> None:
    server = start(work_units=1)
    with server.uploading(2, "/healthz", 0, b"GET /stream/x HTTP/1.1\r\nHost: x\r\n\r\n"):
        until(lambda: server.begun == ["x"])
        assert server.get(3, "/page/law/ai-act?lang=en", accept="text/html").status_code == 200


def test_twelve_who_ask_for_the_live_checks_share_one_run(start: Start, pool: ThreadPoolExecutor) -> None:
    server = start()
    answers = [pool.submit(server.get, 2, f"/conformance?format=json&n={n}") for n in range(12)]
    documents = [answer.result().json() for answer in answers]
    assert all(check["passed"] for check in documents[0]["checks"]), documents[0]
    assert documents == [documents[0]] * 12
    assert server.number("kg_requests_total") < 3 * len(documents[0]["checks"])


def test_addresses_of_one_network_are_one_client() -> None:
    assert client_of("2001:db8::1") == client_of("2001:db8::ffff:2") != client_of("2001:db8:0:1::1")
    assert client_of("::ffff:192.0.2.1") == "192.0.2.1"


async def _never() -> None:
    await asyncio.Event().wait()


def test_no_turn_is_lost_when_who_waits_is_cancelled() -> None:
    async def scenario() -> None:
        gate = Gate(Settings(work_units=4), Metrics())
        async with gate.slot("a", Cost.MEDIUM, _never):
            waiting = [asyncio.ensure_future(_hold(gate, client)) for client in ("a", "b", "c")]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert gate.waiting == 3
            waiting[0].cancel()
            await asyncio.sleep(0.01)
            assert gate.waiting == 2
        assert await asyncio.wait_for(asyncio.gather(*waiting[1:]), 5) == ["b", "c"]
        async with gate.slot("d", Cost.LARGE, _never):
            assert gate.waiting == 0

    async def _hold(gate: Gate, client: str) -> str:
        async with gate.slot(client, Cost.MEDIUM, _never):
            return client

    loops.run(scenario())


def test_a_request_that_has_a_slot_does_not_wait_for_another(start: Start, pool: ThreadPoolExecutor) -> None:
    """The page of an error is made in the slot of the request that failed: waiting for one would be a deadlock."""
    server = start(work_units=4, small_slots=1, wait_seconds=3)
    answers = [
        pool.submit(server.get, last, f"/page/law/none-{n}?lang=en", accept="text/html")
        for last in (2, 3, 4)
        for n in range(8)
    ]
    assert {a.result().status_code for a in answers} == {404}


def test_refusals_are_problems_with_their_limit() -> None:
    gate = Gate(Settings(client_requests=1), Metrics())
    gate.enter("a")
    with pytest.raises(Refused) as refused:
        gate.enter("a")
    assert (refused.value.status, refused.value.members) == (429, {"limit": 1})
    gate.leave("a")
    gate.enter("a")
