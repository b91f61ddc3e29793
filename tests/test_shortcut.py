"""The hot path: the same responses as from the application, and no request that it must not handle."""

from __future__ import annotations

import contextlib
import itertools
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from dataset import BASE, PROJECT
from hypothesis import given
from hypothesis import strategies as st
from servers import Process, descendants, serve, until

from api.http.heads import Heads
from api.settings import Settings
from kg.release.store import Release

ASK = "/sparql?query=" + quote("ASK { ?s ?p ?o }")
TARGETS = ["/data/law/ai-act.ttl", "/page/law/ai-act?lang=en", ASK, "/dataset?lang=ja", "/context.jsonld"]
# A part of a second.
SLOW = """SELECT (COUNT(*) AS ?n) { { SELECT * { ?a ?b ?c } LIMIT 400 } { SELECT * { ?d ?e ?f } LIMIT 400 }
FILTER(STRLEN(STR(?c)) + STRLEN(STR(?f)) > 0) }"""
OWN = ("date", "x-request-id")


@pytest.fixture(scope="module")
def running(tiny: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    log = tmp_path_factory.mktemp("shortcut") / "log"
    with serve(tiny.directory, log=log, KG_QUERY_SECONDS="3", KG_CLIENT_QUERIES="100") as server:
        yield server


def exchange(server: Process, *pieces: bytes, pause: float = 0.0) -> bytes:
    """Everything that the server sends for these pieces, until it closes."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        received = b""
        # The server may close at the first piece.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause)
            while part := connection.recv(65_536):
                received += part
    return received


def head(path: str, *fields: str, last: bool = False) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: x", *fields, *(["Connection: close"] if last else [])]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def fields_of(response: httpx.Response) -> dict[str, str]:
    return {n: v for n, v in response.headers.items() if n not in OWN}


@pytest.mark.parametrize(
    ("condition", "status"),
    [("{}", 304), ("W/{}", 304), ('"other", {}', 304), ("*", 304), ('"other"', 200), ('W/"other"', 200)],
)
def test_a_condition_holds_for_an_answer_that_is_not_kept_yet(running: Process, condition: str, status: int) -> None:
    with running.client() as client:
        tag = client.get(ASK).headers["etag"]
        fresh = ASK + quote(f" # {condition}")
        assert client.get(fresh, headers={"if-none-match": condition.format(tag)}).status_code == status


@pytest.mark.parametrize("coding", ["identity", "gzip", "br"])
@pytest.mark.parametrize("path", TARGETS)
def test_an_answer_from_memory_is_that_of_the_application(running: Process, path: str, coding: str) -> None:
    wanted = {"accept-encoding": coding}
    with running.client() as client:
        # Failed preconditions are left to the application, whatever is cached.
        worked = client.get(path, headers={**wanted, "if-modified-since": "Mon, 01 Jan 1990 00:00:00 GMT"})
        first, again = client.get(path, headers=wanted), client.get(path, headers=wanted)
        for found in (first, again):
            assert (found.status_code, found.content) == (200, worked.content)
            assert fields_of(found) == fields_of(worked)
            assert re.fullmatch(r"[0-9a-f]{16}", found.headers["x-request-id"])
        assert first.headers["x-request-id"] != again.headers["x-request-id"]
        same = {**wanted, "if-none-match": worked.headers["etag"]}
        fast = client.get(path, headers=same)
        slow = client.get(path, headers={**same, "range": "bytes=0-"})
        assert (fast.status_code, slow.status_code, fast.content) == (304, 304, b"")
        assert fields_of(fast) == fields_of(slow)


def test_a_redirect_is_kept_as_well(running: Process) -> None:
    with running.client() as client:
        wanted = {"accept": "text/turtle"}
        first, again = (client.get("/id/law/ai-act", headers=wanted) for _ in range(2))
        assert (first.status_code, again.status_code) == (303, 303)
        assert fields_of(first) == fields_of(again)
        assert first.headers["location"].endswith("/data/law/ai-act.ttl")
        assert "etag" not in again.headers
        page = client.get("/id/law/ai-act", headers={"accept": "text/html", "if-none-match": "*"})
        assert (page.status_code, "/page/" in page.headers["location"]) == (303, True)


def test_variants_are_never_mixed(running: Process) -> None:
    accepts = ["text/turtle", "application/ld+json", "application/n-triples", "application/rdf+xml", "*/*"]
    with running.client() as client:
        for _ in range(3):
            for accept in accepts:
                found = client.get("/graph?default", headers={"accept": accept, "accept-language": "ja;q=0.5"})
                expected = "text/turtle" if accept == "*/*" else accept
                assert found.headers["content-type"].startswith(expected)
            for tongue in ("ja", "en"):
                page = client.get("/page/law/ai-act", headers={"accept-language": tongue})
                assert page.headers["location"].endswith(f"lang={tongue}")
            for host, scheme in itertools.product(("a.example", "b.example"), ("http", "https")):
                fields = {"accept": "text/turtle", "host": host, "x-forwarded-proto": scheme}
                assert f"<{scheme}://{host}/sparql>" in client.get("/sparql", headers=fields).text


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize("accept", ["text/html", BROWSER, "text/turtle,text/html;q=0.5", "text/csv;q=0.5,text/html"])
@pytest.mark.parametrize("query", ["ASK { ?s ?p ?o }", "CONSTRUCT WHERE { ?s ?p ?o }"], ids=["ask", "construct"])
def test_a_page_is_always_made_by_the_application(running: Process, query: str, accept: str) -> None:
    fresh = {"query": f"{query} # {accept}"}
    with running.client(headers={"accept": accept, "accept-language": "en"}) as client:
        found = client.get("/sparql", params=fresh)
        worked = client.get("/sparql", params=fresh, headers={"if-modified-since": "Mon, 01 Jan 1990 00:00:00 GMT"})
        page = client.get("/sparql", params=fresh, follow_redirects=True)
    assert (found.status_code, found.content, fields_of(found)) == (302, worked.content, fields_of(worked))
    assert page.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("query", "status", "kind"),
    [
        ("SELECT * {", 400, "malformed-query"),
        ("INSERT DATA { <urn:a> <urn:b> <urn:c> }", 400, "update-refused"),
        ("SELECT * { SERVICE <http://example.org/> { ?s ?p ?o } }", 403, "query-refused"),
        ("SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }", 504, "query-timeout"),
    ],
)
def test_errors_are_those_of_the_application(running: Process, query: str, status: int, kind: str) -> None:
    with running.client() as client:
        fast = client.get("/sparql", params={"query": query, "timeout": "1"})
        posted = client.post("/sparql", data={"query": query, "timeout": "1"})
        assert (fast.status_code, posted.status_code) == (status, status)
        assert fast.json() == posted.json()
        assert fast.json()["type"].endswith(kind)
        assert fast.headers["content-type"] == posted.headers["content-type"]


def test_requests_that_come_while_a_query_runs_are_answered_in_order(running: Process) -> None:
    first = head(f"/sparql?format=csv&query={quote(SLOW)}", "X-Request-ID: r0")
    others = [head(path, f"X-Request-ID: r{n}") for n, path in enumerate(TARGETS, 1)]
    received = exchange(running, first, *others, head("/healthz", "X-Request-ID: r9", last=True), pause=0.005)
    ids = re.findall(rb"x-request-id: (r\d)", received, re.IGNORECASE)
    assert ids == [b"r0", b"r1", b"r2", b"r3", b"r4", b"r5", b"r9"]
    assert received.count(b"HTTP/1.1 200 OK") == 7


def test_a_query_that_many_ask_at_once_is_evaluated_once(running: Process) -> None:
    query = f"{SLOW} # many"
    with running.client() as watch, ThreadPoolExecutor(8) as threads:
        clients = [running.client(local_address=f"127.0.9.{n + 1}") for n in range(8)]
        before = _events(watch, "forked")
        found = list(threads.map(lambda c: c.get("/sparql", params={"query": query, "format": "csv"}), clients))
        assert len({f.content for f in found}) == 1
        assert all(f.status_code == 200 for f in found)
        # Eight evaluations would need eight workers at the same time.
        assert _events(watch, "forked") - before <= 2
        for client in clients:
            client.close()


def test_a_shared_query_goes_on_while_anybody_waits(running: Process) -> None:
    query = quote(f"{SLOW} # shared")
    host, _, port = running.url.removeprefix("http://").partition(":")
    leaving = socket.create_connection((host, int(port)), 10)
    leaving.sendall(head(f"/sparql?format=csv&query={query}"))
    time.sleep(0.02)
    request = head(f"/sparql?format=csv&query={query}")
    with socket.create_connection((host, int(port)), 10) as other:
        other.sendall(request)
        time.sleep(0.02)
        leaving.close()
        assert other.recv(65_536).startswith(b"HTTP/1.1 200 OK")


def test_who_joins_a_running_query_has_all_the_time_it_asked_for(running: Process) -> None:
    product = quote("SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l } # joined")

    def ask(wait: float) -> tuple[int, float]:
        time.sleep(wait)
        with running.client() as client:
            begun = time.monotonic()
            status = client.get(f"/sparql?query={product}&timeout=2").status_code
            return status, time.monotonic() - begun

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(ask, (0.0, 1.0, 1.5)))
    assert [status for status, _ in found] == [504] * 3
    # None is told too early, nor much too late.
    assert all(1.9 < seconds < 3.5 for _, seconds in found), found


def test_without_waiting_clients_nothing_runs(running: Process) -> None:
    product = quote("SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l } # left")
    host, _, port = running.url.removeprefix("http://").partition(":")
    with running.client() as client:
        idle = len(descendants(running.pid))
        before = _events(client, "ended: SIGKILL")
        for _ in range(3):
            with socket.create_connection((host, int(port)), 10) as connection:
                connection.sendall(head(f"/sparql?query={product}"))
                time.sleep(0.05)
        until(lambda: _events(client, "ended: SIGKILL") >= before + 3)
        until(lambda: len(descendants(running.pid)) <= max(idle, 8))


def test_hits_are_counted_and_logged(running: Process) -> None:
    with running.client() as client:
        client.get("/data/law/ai-act.ttl")
        before = _counted(client)
        for number in range(5):
            client.get("/data/law/ai-act.ttl", headers={"x-request-id": f"hit-{number}"})
        assert _counted(client) == before + 5
    until(lambda: all(f"hit-{n}" in running.text() for n in range(5)))


def test_a_release_that_becomes_current_is_served_at_once_and_the_old_never_again(
    tiny: Release, tmp_path: Path
) -> None:
    from conftest import make_release, tiny_quads
    from pyoxigraph import Literal, NamedNode, Quad

    from kg.release import store

    releases = tmp_path / "releases"
    make_release(releases, tiny_quads())
    with serve(releases, log=tmp_path / "log", KG_RELOAD_SECONDS="0.1") as server, server.client() as client:
        first = client.get("/data/law/ai-act.ttl")
        law, graph = NamedNode(f"{BASE.id}law/ai-act"), NamedNode(BASE.graph + "curator")
        note = NamedNode("http://www.w3.org/2004/02/skos/core#note")
        newer = make_release(releases, [*tiny_quads(), Quad(law, note, Literal("new", language="en"), graph)])
        assert store.current_directory(releases) == newer.directory
        until(lambda: client.get("/data/law/ai-act.ttl").headers["x-release"] == newer.manifest.id[:16], 30)
        again = client.get("/data/law/ai-act.ttl", headers={"if-none-match": first.headers["etag"]})
        assert again.status_code == 200
        assert '"new"@en' in again.text


# ---- requests for the full parser ----


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET %s HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
        b"GET %s HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\n",
        b"GET %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET %s HTTP/1.1\r\nHost: x\r\n Content-Length: 5\r\n\r\n",
        b"GET %s HTTP/1.1\r\nHost: x\r\nX: a\rContent-Length: 5\r\n\r\n",
        b"GET %s HTTP/1.1\r\nHost: x\r\nX: \x00\r\n\r\n",
        b"GET %s HTTP/1.1\nHost: x\r\n\r\n",
        b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"GET %s HTTP/1.1\r\nHost: x\r\nAccept: text/turtle\r\nAccept: text/html\r\n\r\n",
        b"GET %s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n",
        b"GET %s HTTP/1.1\r\n\r\n",
    ],
)
def test_an_unusual_head_is_not_read_here(request_head: bytes) -> None:
    whole = request_head % b"/data/law/ai-act.ttl"
    assert Heads(Settings(), PROJECT.languages).read(whole[whole.find(b"\r\n") :], "http", "127.0.0.1") is None


@pytest.mark.parametrize(
    "smuggled",
    [
        b"Content-Length: 44\r\n",
        b"Content-Length : 44\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"X: y\r\n Content-Length: 44\r\n",
    ],
)
def test_no_request_is_smuggled_in_a_body(running: Process, smuggled: bytes) -> None:
    """The body of a request, as a proxy sees it, is never treated as another request (request smuggling)."""
    with running.client() as client:
        client.get("/data/law/ai-act.ttl")
    inner = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: 1234567\r\n\r\n"
    outer = b"GET /data/law/ai-act.ttl HTTP/1.1\r\nHost: x\r\n" + smuggled + b"\r\n"
    received = exchange(running, outer, inner, head("/readyz", last=True), pause=0.05)
    assert b"ok\n" not in received


@given(st.lists(st.tuples(st.text("aAbX-", min_size=1, max_size=6), st.text("ab,;=\t /*", max_size=9)), max_size=6))
def test_fields_are_read_as_the_parser_reads_them(pairs: list[tuple[str, str]]) -> None:
    import httptools

    block = "\r\nHost: x" + "".join(f"\r\n{name}:{value}" for name, value in pairs) + "\r\n\r\n"
    read = Heads(Settings(trusted_proxies=""), PROJECT.languages).read(block.encode(), "http", "192.0.2.1")
    seen: list[tuple[bytes, bytes]] = []

    class Parsed:
        def on_header(self, name: bytes, value: bytes) -> None:
            seen.append((name, value))

    httptools.HttpRequestParser(Parsed()).feed_data(b"GET / HTTP/1.1" + block.encode())
    assert read is not None
    assert len(seen) == len(pairs) + 1


def _events(client: httpx.Client, event: str) -> float:
    found = re.search(rf'kg_worker_events_total{{event="{event}"}} (\S+)', client.get("/metrics").text)
    return float(found[1]) if found else 0.0


def _counted(client: httpx.Client) -> float:
    text = client.get("/metrics").text
    found = re.search(r'kg_requests_total\{method="GET",route="data",status="200"\} (\S+)', text)
    return float(found[1]) if found else 0.0
