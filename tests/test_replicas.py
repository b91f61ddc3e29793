"""Replicas behind the nginx of `docs/nginx`: shutdown, restart, publication, and caching."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import httpx
import pytest
from balancer import Ask, Heard, Line, Load, Nginx, balance, free_port, is_open
from conftest import make_release, tiny_quads
from dataset import BASE
from pyoxigraph import Literal, NamedNode, Quad
from servers import Process, descendants, is_alive, serve, until

from kg.release.entities import PREF_LABEL

LABELS = "SELECT ?label { <https://w3id.org/aikg/id/law/ai-act> ?p ?label } ORDER BY ?label"
SLOW = "SELECT (COUNT(*) AS ?n) { VALUES ?k { 1 2 3 4 } ?a ?b ?c . ?d ?e ?f }"
NAMES = '{"q": {"query": "AI Act"}}'
FORM = {"content-type": "application/x-www-form-urlencoded"}
DIRECT = {"content-type": "application/sparql-query"}
JSON = {"accept": "application/sparql-results+json"}
ASKS = (
    Ask("GET", "/page/law/ai-act?lang=en", "page"),
    Ask("GET", "/page/law/ai-act?lang=ja", "page"),
    Ask("GET", "/data/law/ai-act.ttl"),
    Ask("GET", "/data/law/ai-act.jsonld"),
    Ask("HEAD", "/data/law/ai-act.trig"),
    Ask("GET", "/id/law/ai-act", "to data", {"accept": "text/turtle"}),
    Ask("GET", "/id/law/ai-act", "to the page", {"accept": "text/html"}),
    Ask("GET", "/dataset", "as Turtle", {"accept": "text/turtle"}),
    Ask("GET", f"/sparql?query={quote(LABELS)}", "labels", JSON),
    *(Ask("GET", f"/sparql?query={quote(f'{LABELS} #{n}')}", "labels", JSON) for n in range(8)),
    Ask("POST", "/sparql", "form", JSON | FORM, f"query={quote(LABELS)}".encode()),
    *(Ask("POST", "/sparql", f"direct {n}", JSON | DIRECT, f"{LABELS} #{n}".encode()) for n in range(4)),
    Ask("POST", "/reconcile", "names", FORM, f"queries={quote(NAMES)}".encode()),
)
READ = tuple(ask for ask in ASKS if ask.method == "GET" and not ask.target.startswith("/id/"))


class Replica:
    """A server that can be stopped and restarted on the same port."""

    def __init__(self, releases: Path, log: Path, **settings: str) -> None:
        self._start: Callable[..., Any] = lambda *arguments: serve(releases, *arguments, log=log, **settings)
        self._stack = ExitStack()
        self.process: Process = self._stack.enter_context(self._start())
        self.place = urlsplit(self.process.url).netloc

    def end(self) -> None:
        """SIGTERM, and waits."""
        self._stack.close()

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.process.wait(10)

    def start(self) -> None:
        self.process = self._stack.enter_context(self._start("--port", self.place.partition(":")[2]))

    def release(self) -> str:
        return str(httpx.get(f"{self.process.url}/readyz", trust_env=False).json()["release"])


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    make_release(tmp_path / "releases", tiny_quads())
    return tmp_path / "releases"


@contextmanager
def two_replicas(releases: Path) -> Iterator[tuple[Replica, Replica]]:
    """Two servers; the second checks for a new release about a second after the first."""
    with ExitStack() as stack:
        both = []
        for number, seconds in enumerate(("0.1", "2")):
            both.append(Replica(releases, releases.parent / f"{number}.log", KG_RELOAD_SECONDS=seconds))
            stack.callback(both[-1].end)
        yield both[0], both[1]


@pytest.fixture
def replicas(releases: Path) -> Iterator[tuple[Replica, Replica]]:
    with two_replicas(releases) as both:
        yield both


class Shared(NamedTuple):
    """Servers of one release and nginx with a cache, for read-only tests."""

    replicas: tuple[Replica, Replica]
    cache: Nginx


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    folder = tmp_path_factory.mktemp("replicas")
    make_release(folder / "releases", tiny_quads())
    with two_replicas(folder / "releases") as both, balance(folder / "nginx", [r.place for r in both], cache=True) as c:
        yield Shared(both, c)


@pytest.fixture
def nginx(replicas: tuple[Replica, Replica], tmp_path: Path) -> Iterator[Nginx]:
    with balance(tmp_path / "nginx", [r.place for r in replicas]) as running:
        yield running


def publish_another(releases: Path) -> str:
    """Makes a release in which a record has an additional name; returns the name of the release."""
    law = NamedNode(BASE.iri + "id/law/ai-act")
    more = Quad(law, NamedNode(PREF_LABEL), Literal("Another name", language="en"), NamedNode(BASE.graph + "curator"))
    return make_release(releases, [*tiny_quads(), more]).manifest.id[:16]


def answers_of(replica: Replica) -> dict[Ask, httpx.Response]:
    """The response of a server itself, with the Host header that nginx uses."""
    with replica.process.client(local_address="127.0.0.7", headers={"host": "127.0.0.1"}) as client:
        return {a: client.request(a.method, a.target, headers=dict(a.headers), content=a.content) for a in ASKS}


def is_same(one: httpx.Response, other: httpx.Response) -> bool:
    fields = ("etag", "x-release", "content-type", "location", "vary", "content-encoding", "cache-control")
    same_fields = all(one.headers.get(name) == other.headers.get(name) for name in fields)
    return (one.status_code, one.content) == (other.status_code, other.content) and same_fields


def client_of(nginx: Nginx, replica: Replica) -> str:
    """The address of a client that nginx routes to this server."""
    for number in range(1, 100):
        address, seen = f"127.0.8.{number}", nginx.now()
        with nginx.client(address) as client:
            client.get("/healthz")
        if line_of(nginx, address, seen).servers == [replica.place]:
            return address
    raise AssertionError(f"nobody is sent to {replica.place}")


def line_of(nginx: Nginx, client: str, since: int) -> Line:
    """The log line of a client's first request, which nginx writes after the response."""
    found: list[Line] = []

    def is_there() -> bool:
        found[:] = [line for line in nginx.lines(since) if line.client == client]
        return bool(found)

    until(is_there)
    return found[0]


def takes_traffic(nginx: Nginx, replica: Replica) -> None:
    """Waits until nginx routes requests to a server again."""
    seen = nginx.now()
    until(lambda: any(line.servers[-1] == replica.place for line in nginx.lines(seen)), 30)


def test_both_servers_give_the_same_bytes_under_the_same_tag(shared: Shared) -> None:
    first, second = map(answers_of, shared.replicas)
    assert [ask for ask in ASKS if not is_same(first[ask], second[ask])] == []
    assert {answer.status_code for answer in first.values()} == {200, 303}


@pytest.mark.slow
def test_a_killed_server_costs_no_answer(replicas: tuple[Replica, Replica], nginx: Nginx) -> None:
    one, two = replicas
    right = answers_of(one)
    with (
        Load(nginx, ASKS, lambda heard: is_same(heard.answer, right[heard.ask])) as load,
        ThreadPoolExecutor(1) as pool,
    ):
        takes_traffic(nginx, one)
        takes_traffic(nginx, two)
        slow = pool.submit(ask_slowly, nginx, client_of(nginx, one))
        runs_slowly(one)
        below = descendants(one.process.pid)
        one.kill()
        load.goes_on()
        assert slow.result() > 1_000_000
        until(lambda: not any(is_alive(pid) for pid in below))
        one.start()
        takes_traffic(nginx, one)
        load.goes_on()
    assert load.wrong == []
    # Responses in transit are lost: at most one per client.
    assert load.broken_off <= len({heard.client for heard in load.heard})
    retried = [line for line in nginx.lines() if len(line.servers) > 1]
    assert {line.method for line in retried} >= {"GET", "POST"}
    assert {(line.servers[-1], line.status < 400) for line in retried} == {(two.place, True)}


def ask_slowly(nginx: Nginx, client: str) -> int:
    """Posts a query that takes at least a second; returns its count."""
    with nginx.client(client) as http:
        answer = http.post("/sparql", data={"query": SLOW}, headers=JSON)
    answer.raise_for_status()
    return int(answer.json()["results"]["bindings"][0]["n"]["value"])


def runs_slowly(replica: Replica) -> None:
    """Waits for a query at the lowest priority, which has used up the time of the fast lane."""
    until(lambda: any(is_slow(pid) for pid in descendants(replica.process.pid)), 20)


def is_slow(pid: int) -> bool:
    try:
        return os.getpriority(os.PRIO_PROCESS, pid) == 19
    except ProcessLookupError:
        return False


@pytest.mark.slow
def test_a_rolling_restart_loses_no_request(replicas: tuple[Replica, Replica], nginx: Nginx) -> None:
    right = answers_of(replicas[0])
    load = Load(nginx, ASKS, lambda heard: is_same(heard.answer, right[heard.ask]))
    with load, ThreadPoolExecutor(1) as pool:
        for replica in replicas:
            takes_traffic(nginx, replica)
            slow = pool.submit(ask_slowly, nginx, client_of(nginx, replica))
            runs_slowly(replica)
            replica.end()
            # It ended with its last response, not before.
            assert slow.result(1) > 1_000_000
            load.goes_on(200)
            replica.start()
            # The next one may end only after nginx has found it again.
            takes_traffic(nginx, replica)
    assert load.wrong == []
    assert load.broken_off == 0
    assert load.statuses().keys() == {200, 303}


@pytest.mark.slow
def test_each_answer_is_of_one_release_while_another_is_published(releases: Path, tmp_path: Path) -> None:
    """As on two machines: each server has its own folder, and the second one gets the release later."""
    other = tmp_path / "other" / "releases"
    carry_over(releases, other)
    with ExitStack() as stack:
        both = [Replica(folder, folder.parent / "log", KG_RELOAD_SECONDS="0.1") for folder in (releases, other)]
        for replica in both:
            stack.callback(replica.end)
        nginx = stack.enter_context(balance(tmp_path / "nginx", [replica.place for replica in both]))
        old = both[0].release()
        right = {old: answers_of(both[0])}
        load = Load(nginx, READ, lambda heard: heard.answer.status_code in (200, 304), revalidates=True)
        with load:
            load.goes_on(300)
            new = publish_another(releases)
            until(lambda: both[0].release() == new)
            load.goes_on(300)
            carry_over(releases, other)
            until(lambda: both[1].release() == new)
            load.goes_on(300)
        right[new] = answers_of(both[1])
    assert load.wrong == []
    assert [ask for ask in READ if right[old][ask].content == right[new][ask].content] == []
    assert [heard for heard in load.heard if not is_of_one_release(heard, right)] == []
    assert load.statuses()[304] > 0
    assert_never_back(load, old, new)


def carry_over(releases: Path, other: Path) -> None:
    """Copies the current release to another folder: first the files, then the link, which is replaced atomically."""
    name = (releases / "current").readlink()
    shutil.copytree(releases / name, other / name)
    (other / ".next").symlink_to(name)
    (other / ".next").replace(other / "current")


def is_of_one_release(heard: Heard, right: dict[str, dict[Ask, httpx.Response]]) -> bool:
    """Whether body, entity tag and release are consistent; for a 304, those of the response that the client holds."""
    answer, held = heard.answer, heard.held
    if answer.status_code == 304:
        assert held is not None
        return all(answer.headers[name] == held.headers[name] for name in ("etag", "x-release"))
    return is_same(answer, right[answer.headers["x-release"]][heard.ask])


def assert_never_back(load: Load, old: str, new: str) -> None:
    """Both releases were served at the same time, and no client got the old one after the new one."""
    order = [heard.answer.headers["x-release"] for heard in load.heard]
    assert order.index(new) < len(order) - 1 - order[::-1].index(old)
    for client in {heard.client for heard in load.heard}:
        seen = [heard.answer.headers["x-release"] for heard in load.heard if heard.client == client]
        assert seen == sorted(seen, key=[old, new].index), client


def test_a_release_does_not_confirm_what_another_said(releases: Path, tmp_path: Path) -> None:
    """A client between two servers of which only one has switched over never gets a 304 for the other's content."""
    with ExitStack() as stack:
        fast = Replica(releases, tmp_path / "fast.log", KG_RELOAD_SECONDS="0.1")
        stack.callback(fast.end)
        behind = Replica(releases, tmp_path / "behind.log", KG_RELOAD_SECONDS="3600")
        stack.callback(behind.end)
        new = publish_another(releases)
        until(lambda: fast.release() == new)
        first, second = answers_of(fast), answers_of(behind)
        for here, there, place in ((first, second, behind), (second, first, fast)):
            with place.process.client(local_address="127.0.0.7", headers={"host": "127.0.0.1"}) as client:
                for ask in READ:
                    tag = here[ask].headers["etag"]
                    answer = client.get(ask.target, headers={**ask.headers, "if-none-match": tag})
                    assert is_same(answer, there[ask]), ask


# ---- nginx as a cache ----


SYNTAXES = ("text/turtle", "application/ld+json", "application/n-triples", "text/html")
NEGOTIATED = (
    "/dataset?lang=en",
    "/ontology?lang=en",
    "/id/law?lang=en",
    "/page/law/ai-act?lang=en",
    f"/sparql?query={quote('CONSTRUCT WHERE { <https://w3id.org/aikg/id/law/ai-act> ?p ?o }')}&lang=en",
)


@pytest.mark.parametrize("target", NEGOTIATED)
@pytest.mark.parametrize("codings", ["identity", "gzip", "br"])
def test_a_cache_keeps_the_variants_apart(shared: Shared, target: str, codings: str) -> None:
    server, seen = shared.replicas[0].process, shared.cache.now()
    with shared.cache.client() as client, server.client(headers={"host": "127.0.0.1"}) as direct:
        for syntax in (*SYNTAXES, *reversed(SYNTAXES)):
            headers = {"accept": syntax, "accept-encoding": codings}
            assert is_same(client.get(target, headers=headers), direct.get(target, headers=headers)), headers
    assert "HIT" in {line.cache for line in shared.cache.lines(seen)[len(SYNTAXES) :]}


def test_a_cache_answers_conditions_by_the_tag_of_the_variant(shared: Shared) -> None:
    target, turtle, html = "/dataset?lang=en", {"accept": "text/turtle"}, {"accept": "text/html"}
    with shared.cache.client() as client:
        tags = {syntax: client.get(target, headers={"accept": syntax}).headers["etag"] for syntax in SYNTAXES}
        seen = shared.cache.now()
        for headers, tag, status in (
            (turtle, tags["text/turtle"], 304),
            (html, tags["text/html"], 304),
            (turtle, tags["text/html"], 200),
            (html, tags["text/turtle"], 200),
        ):
            assert client.get(target, headers={**headers, "if-none-match": tag}).status_code == status, (headers, tag)
    assert {line.cache for line in shared.cache.lines(seen)} == {"HIT"}


def test_a_cache_keeps_the_languages_apart_and_nothing_that_must_not_be_kept(shared: Shared) -> None:
    seen = shared.cache.now()
    with shared.cache.client() as client:
        for language in ("ja", "en", "ja"):
            answer = client.get("/suggest?q=ai", headers={"accept-language": language})
            moved = client.get("/dataset", headers={"accept": "text/html", "accept-language": language})
            assert moved.headers["location"] == f"/dataset?lang={language}"
            assert answer.status_code == 200
        for target in ("/readyz", "/metrics", f"/sparql?query={quote('SELECT (NOW() AS ?now) {}')}"):
            assert client.get(target).headers["cache-control"] == "no-store"
            client.get(target)
    assert {line.target for line in shared.cache.lines(seen) if line.cache == "HIT"} == {"/suggest?q=ai"}


def test_a_cache_believes_no_invented_host(shared: Shared) -> None:
    turtle = {"accept": "text/turtle"}
    with shared.cache.client() as client:
        assert "evil.example" in client.get("/sparql", headers={**turtle, "host": "evil.example"}).text
        assert "evil.example" not in client.get("/sparql", headers=turtle).text


@pytest.mark.slow
def test_a_cache_has_the_new_release_within_its_minute(
    releases: Path, replicas: tuple[Replica, Replica], tmp_path: Path
) -> None:
    """The longest wait of these tests, since the server allows a minute."""
    one, two = replicas
    with balance(tmp_path / "nginx", [one.place, two.place], cache=True) as cache, cache.client() as client:
        old = client.get("/data/law/ai-act.ttl")
        new = publish_another(releases)
        until(lambda: one.release() == two.release() == new)
        assert client.get("/data/law/ai-act.ttl").headers["x-release"] == old.headers["x-release"]
        until(lambda: client.get("/data/law/ai-act.ttl").headers["x-release"] == new, 65)
        fresh = client.get("/data/law/ai-act.ttl", headers={"if-none-match": old.headers["etag"]})
    assert fresh.status_code == 200
    assert "Another name" in fresh.text


# ---- the start ----


def test_a_server_takes_connections_only_when_it_can_answer(releases: Path, tmp_path: Path) -> None:
    """Until then connections are refused, so that a balancer uses another server at once."""
    port = free_port()
    with serve(releases, "--port", str(port), log=tmp_path / "log", stderr=subprocess.DEVNULL) as starting:
        until(lambda: is_open(port), 30)
        assert descendants(starting.pid), "it listens before its query workers are there"
        assert httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).status_code == 200


def test_the_log_of_nginx_names_no_reader_and_no_query(shared: Shared) -> None:
    nginx = shared.cache
    with nginx.client("127.0.9.77") as client:
        client.get("/sparql", params={"query": "ASK { ?s ?p 'secret' }"})
    shipped = nginx.log.with_name("shipped.log")
    until(lambda: "/sparql" in shipped.read_text(encoding="utf-8"))
    text = shipped.read_text(encoding="utf-8")
    assert "secret" not in text
    assert "127.0.9.77" not in text


def test_nginx_refuses_who_asks_for_too_much(shared: Shared) -> None:
    nginx = shared.cache
    sent = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 800
    host, _, port = nginx.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), 20, ("127.0.9.78", 0)) as connection:
        connection.sendall(sent)
        received = b""
        while received.count(b"HTTP/1.1 ") < 800:
            received += connection.recv(1_000_000)
    assert b"HTTP/1.1 429 " in received
    with nginx.client("127.0.9.79") as client:
        assert client.get("/healthz").status_code == 200
