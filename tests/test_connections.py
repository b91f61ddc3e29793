"""Connections of untrusted clients: what is no request, who may be connected, and for how long nothing may happen."""

import contextlib
import json
import logging
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from conftest import Server
from pydantic import ValidationError
from servers import until
from starlette.responses import Response

from api.admission.cost import Cost
from api.app import create_app
from api.http.route import Declaration, Route
from api.settings import Settings
from kg.release.store import Release

Start = Callable[..., "Peer"]
KEPT = "/data/law/ai-act.ttl"


class Peer:
    """A server, and raw connections to it from addresses of our choice."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url, self.address = url, (str(parts.hostname), parts.port or 80)

    @contextlib.contextmanager
    def connected(self, last: int = 1, receive_buffer: int = 0) -> Iterator[socket.socket]:
        with socket.socket() as connection:
            if receive_buffer:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            connection.settimeout(20)
            connection.bind((f"127.0.0.{last}", 0))
            connection.connect(self.address)
            yield connection

    def said(self, *segments: bytes, last: int = 1) -> bytes:
        """What the server says to these segments until it closes, or is silent for half a second."""
        with self.connected(last) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for segment in segments:
                connection.sendall(segment)
                time.sleep(0.05)
            return everything(connection)

    def get(self, path: str, last: int = 1, **headers: str) -> httpx.Response:
        transport = httpx.HTTPTransport(local_address=f"127.0.0.{last}", verify=False)
        with httpx.Client(base_url=self.url, trust_env=False, timeout=30, transport=transport) as client:
            return client.get(path, headers=headers)


def everything(connection: socket.socket) -> bytes:
    connection.settimeout(0.5)
    found = b""
    with contextlib.suppress(TimeoutError, ConnectionError):
        while data := connection.recv(1_000_000):
            found += data
    return found


def statuses(said: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) [A-Z]", said)]


@pytest.fixture
def start(tiny: Release, queries_project: Path) -> Iterator[Start]:
    with contextlib.ExitStack() as stack:

        def serve(*more: Route, **settings: object) -> Peer:
            app = create_app(Settings(project=queries_project, **settings), tiny)
            app.router.routes[:0] = more
            peer = Peer(stack.enter_context(Server(app)).url)
            assert peer.get(KEPT, host="localhost").status_code == 200
            return peer

        yield serve


@pytest.fixture(scope="module")
def peer(tiny: Release, queries_project: Path) -> Iterator[Peer]:
    with Server(create_app(Settings(project=queries_project), tiny)) as running:
        found = Peer(running.url)
        assert found.get(KEPT, host="x").status_code == 200
        yield found


# ---- what is no request ----


@pytest.mark.parametrize("character", [" ", "\t", "\x7f", "\n", "\x01"])
def test_a_target_that_the_parser_refuses_is_refused_here_as_well(peer: Peer, character: str) -> None:
    head = f"GET /sparql?query=ASK{character}{{}} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    assert statuses(peer.said(head)) == [400]
    assert statuses(peer.said(head[:9], head[9:])) == [400]


def test_a_target_with_bare_utf_8_is_told_to_percent_encode(peer: Peer) -> None:
    """As `curl 'http://…/search?q=理研'` sends it."""
    head = "GET /search?q=理研 HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    for at in (0, 16, 20):
        said = peer.said(head[:at], head[at:]) if at else peer.said(head)
        assert statuses(said) == [400]
        assert b"percent-encode" in said


def test_a_head_over_the_limit_is_refused_also_for_a_kept_answer(peer: Peer) -> None:
    head = f"GET {KEPT} HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nX: {'y' * 70_000}\r\n\r\n".encode()
    assert statuses(peer.said(head)) == [431]
    assert statuses(peer.said(head[:40_000], head[40_000:])) == [431]


@pytest.mark.parametrize(
    "fields",
    [
        "",
        "Host:\r\n",
        "Host: \r\n",
        "Host: x\r\nHost: x\r\n",
        "Host: x\r\nHost: y\r\n",
        "Host: a b\r\n",
        "Host: a/b\r\n",
    ],
)
def test_a_request_names_one_host(peer: Peer, fields: str) -> None:
    head = f"GET {KEPT} HTTP/1.1\r\n{fields}\r\n".encode()
    assert statuses(peer.said(head)) == [400], fields
    assert statuses(peer.said(head[:9], head[9:])) == [400]


def test_the_first_version_of_http_needs_no_host(peer: Peer) -> None:
    assert statuses(peer.said(f"GET {KEPT} HTTP/1.0\r\n\r\n".encode())) == [200]


@pytest.mark.parametrize("host", ["x", "kg.example.org:8000", "[::1]:80", "a_b-c.example", "127.0.0.1"])
def test_names_and_addresses_are_hosts(peer: Peer, host: str) -> None:
    assert statuses(peer.said(f"GET {KEPT} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())) == [200]


def test_lines_of_a_list_are_one_list(peer: Peer) -> None:
    def media_type(*lines: str) -> str:
        head = "".join(f"{line}\r\n" for line in ("GET /sparql?query=ASK%20%7B%7D HTTP/1.1", "Host: x", *lines))
        match = re.search(rb"(?i)content-type: ([^;\r]*)", peer.said(f"{head}\r\n".encode()))
        assert match
        return match[1].decode()

    first, second = "Accept: application/x-unknown", "Accept: application/sparql-results+xml"
    assert media_type(first, second) == media_type(second, first) == "application/sparql-results+xml"
    assert media_type("Accept: text/csv;q=0.1", "Accept: application/sparql-results+json") != "text/csv"


# ---- the order of answers ----


def test_a_head_that_begins_behind_a_body_is_read_to_its_end(peer: Peer) -> None:
    """Its rest looks like a request of its own, and must not be answered as one."""
    body = b"query=ASK%20%7B%7D"
    post = b"POST /sparql HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    post += b"Content-Length: %d\r\n\r\n" % len(body) + body
    rest = f"GET {KEPT} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    begun = b"GET /healthz HTTP/1.1\r\nX-Quoted: "
    said = peer.said(post + begun, rest, b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
    bodies = re.findall(rb"(?i)content-type: ([^;\r]*)", said)
    # The answer to the query, then /healthz, whose head has the second segment in it, then /readyz.
    assert [b.split(b"/")[1] for b in bodies] == [b"sparql-results+json", b"plain", b"json"], said


def test_a_broken_request_is_refused_after_those_before_it_are_answered(peer: Peer) -> None:
    good = b"GET /data/law/ai-act.nt?n=%d HTTP/1.1\r\nHost: x\r\n\r\n"
    said = peer.said(good % 1 + good % 2 + b"nonsense\r\n\r\n" + good % 3)
    assert statuses(said) == [200, 200, 400]


def test_another_protocol_is_not_spoken(peer: Peer) -> None:
    """What follows such a request might be in that protocol, and is not taken for a request."""
    asking = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    after = b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"
    for segments in ((asking + after,), (asking, after)):
        said = peer.said(*segments)
        assert statuses(said) == [200]
        assert b"connection: close" in said.lower()


@pytest.mark.parametrize("version", ["HTTP/2.0", "HTTP/1.2", "HTTP/0.9"])
def test_another_version_is_not_spoken(peer: Peer, version: str) -> None:
    assert statuses(peer.said(f"GET /healthz {version}\r\nHost: x\r\n\r\n".encode()))[0] in (400, 505)


def test_a_refusal_is_read_by_a_client_that_goes_on_sending(peer: Peer) -> None:
    """Closing at once would reset the connection, and the client would never see why."""
    with peer.connected() as connection:
        connection.sendall(f"GET {KEPT} HTTP/1.1\r\nHost: x\r\nX: {'y' * 70_000}".encode())
        time.sleep(0.1)
        connection.sendall(b"y" * 200_000)
        time.sleep(0.1)
        assert statuses(everything(connection)) == [431]


# ---- uploads ----


def test_an_upload_that_is_broken_off_is_no_error_of_ours(peer: Peer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "api.access")
    for path, media_type in (("/validate", "text/turtle"), ("/sparql", "application/sparql-query"), ("/link", "x/y")):
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {media_type}\r\nContent-Length: 5000\r\n\r\n"
        with peer.connected() as connection:
            connection.sendall(head.encode() + b"# begun")
            time.sleep(0.1)
            # Reset instead of an orderly end.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    until(lambda: "499" in peer.get("/metrics").text)
    text = peer.get("/metrics").text
    assert re.search(r'kg_requests_total\{method="POST",route="validate",status="499"\} 1.0', text)
    assert 'status="500"' not in text
    assert not [record for record in caplog.records if record.exc_info]


# ---- who may be connected ----


def test_silent_connections_of_one_address_leave_room_for_others(start: Start) -> None:
    peer = start(max_connections=60, client_connections=40)
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(peer.connected(2)) for _ in range(60)]
        assert statuses(everything(silent[-1])) == [429]
        assert peer.get(KEPT, 3, host="x").status_code == 200


def test_silent_connections_give_way_when_all_are_taken(start: Start) -> None:
    """Whoever has the most loses the one that has been silent for longest; a request under way is never broken off."""
    done = threading.Event()

    def wait() -> Response:
        assert done.wait(20)
        return Response()

    peer = start(Route("GET", "/wait", wait, Declaration("", Cost.MEDIUM)), max_connections=50, client_connections=40)
    with contextlib.ExitStack() as stack:
        busy = stack.enter_context(peer.connected(1))
        busy.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.2)
        # The peer at 127.0.0.1 is a trusted proxy, whose connections are those of many clients.
        silent = [stack.enter_context(peer.connected(1)) for _ in range(60)]
        assert peer.get(KEPT, 3, host="x").status_code == 200
        assert everything(silent[0]) == b""
        assert peer.get("/healthz", 3).status_code == 200
        done.set()
        assert statuses(everything(busy)) == [200]


def test_open_connections_are_counted(start: Start) -> None:
    peer = start()
    with peer.connected(), peer.connected():
        # Those two, and the one that asks.
        until(lambda: "\nkg_connections 3.0\n" in peer.get("/metrics").text)


# ---- time ----

MEGABYTES = 6


def large() -> Response:
    return Response(b"x" * MEGABYTES * 1_000_000, headers={"Cache-Control": "public", "Vary": "Accept"})


@pytest.mark.parametrize("again", [False, True])
def test_a_client_that_reads_slowly_gets_everything(start: Start, again: bool) -> None:
    """The limit is on the time in which nothing is read, not on the whole answer."""
    peer = start(Route("GET", "/large", large, Declaration("", Cost.MEDIUM)), write_seconds=1.0)
    if again:
        assert peer.get("/large", host="x").status_code == 200
    with peer.connected(receive_buffer=50_000) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        begun, found = time.monotonic(), 0
        while found < MEGABYTES * 1_000_000:
            data = connection.recv(100_000)
            assert data, f"cut off after {found:,} bytes and {time.monotonic() - begun:.1f} s"
            found += len(data)
            # 1.5 MB/s, so that it takes four times the limit.
            time.sleep(max(0.0, begun + found / 1.5e6 - time.monotonic()))
    assert time.monotonic() - begun > 3


def test_an_upload_may_take_long_as_long_as_something_comes(start: Start) -> None:
    peer = start(write_seconds=1.0)
    body = b"<urn:a> <urn:b> <urn:c> .\n" * 8
    with peer.connected() as connection:
        head = f"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: text/turtle\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode())
        for at in range(0, len(body), 26):
            time.sleep(0.4)
            connection.sendall(body[at : at + 26])
        connection.settimeout(30)
        assert statuses(connection.recv(100_000)) == [200]


def test_who_reads_nothing_is_cut_off(start: Start) -> None:
    peer = start(Route("GET", "/large", large, Declaration("", Cost.MEDIUM)), write_seconds=1.0)
    with peer.connected(receive_buffer=50_000) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: "\nkg_connections 2.0\n" in peer.get("/metrics").text)
        until(lambda: "\nkg_connections 1.0\n" in peer.get("/metrics").text, 10)


# ---- the address of the server ----


def test_only_the_public_address_is_named(start: Start) -> None:
    peer = start(public_url="https://kg.example.org")
    sitemap = peer.get("/sitemap.xml", host="evil.example")
    assert sitemap.status_code == 421
    assert "evil.example" not in sitemap.text
    assert peer.get(KEPT, host="evil.example").status_code == 421
    for host in ("kg.example.org", "localhost:8000", "127.0.0.1"):
        text = peer.get("/sitemap.xml", host=host).text
        assert "https://kg.example.org/page/" in text
        assert host == "kg.example.org" or host not in text
        assert peer.get(KEPT, host=host).status_code == 200
    # Whoever looks after the server asks it by any address.
    for path in ("/healthz", "/readyz", "/metrics"):
        assert peer.get(path, host="10.1.2.3:8000").status_code == 200


def test_without_a_public_address_the_requested_one_is_named(peer: Peer) -> None:
    assert "http://some.example/page/" in peer.get("/sitemap.xml", host="some.example").text


@pytest.mark.parametrize("url", ["kg.example.org", "ftp://kg.example.org", "https://", "https://a b", "https://x/aikg"])
def test_a_public_address_is_scheme_and_host(url: str) -> None:
    with pytest.raises(ValidationError):
        Settings(public_url=url)


# ---- proxies ----


def test_not_everyone_is_a_proxy() -> None:
    with pytest.raises(ValidationError, match="addresses of your proxies"):
        Settings(trusted_proxies="*")
    with pytest.raises(ValidationError):
        Settings(trusted_proxies="10.0.0.1, *")


def test_who_invents_addresses_is_still_one_client(start: Start) -> None:
    """A proxy appends the address of its peer; what the peer wrote before it counts for nothing."""
    peer = start(client_queries=2, query_seconds=4)
    slow = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }"
    answers: list[int] = []

    def ask(n: int) -> None:
        fields = {"x-forwarded-for": f"10.0.0.{n}, 192.0.2.7", "host": "x"}
        url = f"/sparql?query={slow} #{n}".replace(" ", "%20").replace("#", "%23")
        answers.append(peer.get(url, **fields).status_code)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [429] * 6 + [504] * 2


def test_a_problem_of_a_connection_is_a_document(peer: Peer) -> None:
    said = peer.said(b"GET / HTTP/1.1\r\n\r\n")
    document = json.loads(said.partition(b"\r\n\r\n")[2])
    assert (document["status"], document["type"]) == (400, "urn:aikg:problem:malformed-request")
