"""Runs the nginx configuration of `docs/nginx` in front of servers, with clients that check every response."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from projects import ROOT
from servers import until

CONFIGURATION = ROOT / "docs" / "nginx"
_MAIN = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    log_format tested '$time_iso8601 $remote_addr "$request" $status $body_bytes_sent $request_time $request_id '
                      'upstream=$upstream_addr status=$upstream_status cache=$upstream_cache_status';
    include {folder}/conf.d/*.conf;
}}
"""
_LINE = re.compile(r'^\S+ (\S+) "(\S+) (\S+) [^"]*" (\d+) .* upstream=(.*) status=(.*) cache=(.*)$', re.MULTILINE)


class Line(NamedTuple):
    """A request in nginx's log; `servers` and `statuses` have one entry per attempt."""

    client: str
    method: str
    target: str
    status: int
    servers: list[str]
    statuses: list[str]
    cache: str


@dataclass(frozen=True, slots=True)
class Nginx:
    """A running nginx: its address, its process, and its log."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def now(self) -> int:
        """The current end of the log."""
        return self.log.stat().st_size

    def lines(self, since: int = 0) -> list[Line]:
        """The requests in the log from a position on."""
        with self.log.open("rb") as log:
            log.seek(since)
            found = _LINE.findall(log.read().decode())
        return [
            Line(client, method, target, int(status), servers.split(", "), statuses.split(", "), cache)
            for client, method, target, status, servers, statuses, cache in found
        ]

    def client(self, local_address: str = "127.0.0.1", **options: Any) -> httpx.Client:
        transport = httpx.HTTPTransport(local_address=local_address, verify=False)
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, transport=transport, **options)


@contextmanager
def balance(folder: Path, servers: Sequence[str], *, cache: bool = False, rate: str = "100r/s") -> Iterator[Nginx]:
    """Runs nginx with the files of `docs/nginx` in front of servers (`host:port`); skips the test without nginx.

    `rate` replaces the requests of one address that the files allow, for a benchmark that has one address.
    """
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        message = "no nginx on this machine; apt-get install nginx-light"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    port = free_port()
    _configure(folder, port, servers, cache=cache, rate=rate)
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        until(lambda: _has_started(process, port, folder / "error.log"))
        yield Nginx(f"http://127.0.0.1:{port}", process, folder / "kg.log")
    finally:
        process.terminate()
        process.wait(20)


def _configure(folder: Path, port: int, servers: Sequence[str], *, cache: bool, rate: str) -> None:
    """Writes the configuration files with the addresses and paths of this test."""
    (folder / "conf.d").mkdir(parents=True)
    user = f"user {pwd.getpwuid(0).pw_name} root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(_MAIN.format(folder=folder, user=user), encoding="utf-8")
    logs = f"access_log {folder}/shipped.log kg; access_log {folder}/kg.log tested;"
    places = {
        "listen 443 ssl;": f"listen 127.0.0.1:{port};",
        "    ssl_certificate     /etc/ssl/kg/fullchain.pem;\n": "",
        "    ssl_certificate_key /etc/ssl/kg/privkey.pem;\n": "",
        # The documented log names no client, which the tests need to know.
        "access_log /var/log/nginx/kg.log kg;": logs,
        "rate=100r/s": f"rate={rate}",
        "127.0.0.1:8001": servers[0],
        "127.0.0.1:8002": servers[1],
    }
    _fill("kg.conf", folder, places)
    if cache:
        _fill("cache.conf", folder, {"/var/cache/nginx-kg": f"{folder}/cache"})


def _fill(name: str, folder: Path, places: Mapping[str, str]) -> None:
    text = (CONFIGURATION / name).read_text(encoding="utf-8")
    for documented, here in places.items():
        assert text.count(documented) == 1, (name, documented)
        text = text.replace(documented, here)
    (folder / "conf.d" / name).write_text(text, encoding="utf-8")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_open(port: int) -> bool:
    """Whether a process listens on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _has_started(process: subprocess.Popen[bytes], port: int, log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    return is_open(port)


@dataclass(frozen=True, slots=True)
class Ask:
    """A request of a load; `variant` distinguishes requests for the same target."""

    method: str
    target: str
    variant: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)
    content: bytes | None = field(default=None, compare=False)


class Heard(NamedTuple):
    """A response to a client; `held` is the earlier response whose entity tag was sent."""

    client: str
    ask: Ask
    answer: httpx.Response
    held: httpx.Response | None = None


class Load:
    """Clients with distinct addresses, each sending one request after another until the block ends.

    Clients retry truncated responses, and these are counted. Responses that `is_right` rejects, and failed connections
    to nginx itself, are in `wrong`. With `revalidates`, clients send the entity tag that they hold.
    """

    def __init__(
        self,
        nginx: Nginx,
        asks: Sequence[Ask],
        is_right: Callable[[Heard], bool],
        *,
        clients: int = 24,
        revalidates: bool = False,
    ) -> None:
        self.nginx = nginx
        self.asks = asks
        self.is_right = is_right
        self.revalidates = revalidates
        self.heard: list[Heard] = []
        self.wrong: list[str] = []
        self.broken_off = 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(f"127.0.9.{n + 1}", n)) for n in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(90)

    def goes_on(self, answers: int = 400) -> None:
        """Waits for a number of further responses."""
        wanted = len(self.heard) + answers
        until(lambda: len(self.heard) >= wanted or bool(self.wrong), 60)

    def statuses(self) -> Counter[int]:
        return Counter(heard.answer.status_code for heard in self.heard)

    def _run(self, address: str, first: int) -> None:
        held: dict[Ask, httpx.Response] = {}
        with self.nginx.client(address) as client:
            number = first
            while not self._stop.is_set():
                ask = self.asks[number % len(self.asks)]
                self._ask(client, address, ask, held)
                number += 1

    def _ask(self, client: httpx.Client, address: str, ask: Ask, held: dict[Ask, httpx.Response]) -> None:
        known = held.get(ask)
        headers = {**ask.headers, **({"if-none-match": known.headers["etag"]} if known is not None else {})}
        for _ in range(2):
            try:
                answer = client.request(ask.method, ask.target, headers=headers, content=ask.content)
            except (httpx.RemoteProtocolError, httpx.ReadError):
                self.broken_off += 1
                continue
            except httpx.HTTPError as error:
                self.wrong.append(f"{ask}: {type(error).__name__} {error}")
                return
            heard = Heard(address, ask, answer, known)
            self.heard.append(heard)
            if not self.is_right(heard):
                self.wrong.append(f"{ask}: {answer.status_code} {dict(answer.headers)} {answer.text[:200]}")
            if self.revalidates and answer.status_code == 200:
                held[ask] = answer
            return
        self.wrong.append(f"{ask}: broken off twice")
