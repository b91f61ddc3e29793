"""Sends the same bytes, in many segmentations, through the hot path and through the application alone.

    .venv/bin/python bench/differential.py --store .releases --seconds 30

Answers, their order and what becomes of the connection must be the same. Requests are valid, unusual, broken and cut
into pieces anywhere; a difference is printed with the seed that makes it again (`--seed`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import re
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import uvicorn
from uvicorn.server import ServerState

from api.app import create_app
from api.hotpath.connection import protocol_class
from api.http.protocol import BoundedProtocol
from api.settings import Settings
from kg.release import store
from kg.release.store import Release

ASK = "/sparql?query=" + quote("ASK { ?s ?p ?o }")
KEPT = (
    "/data/law/ai-act.ttl",
    "/page/law/ai-act?lang=en",
    ASK,
    "/context.jsonld",
    "/id/law/ai-act",
    "/dataset?lang=en",
)
TARGETS = (
    *KEPT,
    *("/healthz", "/nothing", "/data/law/none.ttl", "/page/law/ai-act", "*", "http://x/healthz", "/%00", "/a b"),
    *("/sparql?query=ASK {}", "/sparql?query=ASK\t{}", "/sparql?query=ASK\x7f{}", "/sparql?query=nonsense"),
    *("/sparql?query=ASK%7B%7D#x", "/sparql?query=ASK%7B%7D&query=x", "/sparql?format=csv&query=SELECT%20*%20%7B%7D"),
    *("/sparql", "/data/law/ai-act.ttl?", "/data/law/ai-act.ttl#x", "//data", "/data/../healthz", "/\u6cd5", ""),
)
METHODS = ("GET",) * 24 + ("HEAD", "POST", "OPTIONS", "DELETE", "get", "BREW")
VERSIONS = ("HTTP/1.1",) * 60 + ("HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1", "")
HOSTS = ("Host: x",) * 60 + ("", "Host:", "Host: a b", "Host: x\r\nHost: x", "Host: [::1]:80", "HOST:x", "Host : x")
USUAL = (
    *("Accept: */*", "Accept: text/turtle", "Accept: text/html", "Accept: application/json;q=0.5, text/turtle;q=0.1"),
    *("Accept: nonsense", "Accept:", "accept:text/csv", "Accept-Encoding: gzip", "Accept-Encoding: br, gzip;q=0.5"),
    *("Accept-Language: ja", "Accept-Language: en;q=0.5, ja", "Cookie: lang=en", "Cookie: lang=xx; y=z"),
    *('If-None-Match: "x"', "If-None-Match: *", 'If-None-Match: W/"x", "y"', "Range: bytes=0-9", "If-Match: *"),
    *("Connection: keep-alive", "Connection: close", "Connection: Upgrade", "Upgrade: h2c", "Expect: 100-continue"),
    *("X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: a, 127.0.0.1", "X-Forwarded-Proto: https", "X: \xff"),
    "X-Request-ID: fixed",
    # The middle of a head that looks like the beginning of one.
    *("X-Quoted: GET /context.jsonld HTTP/1.1",) * 6,
)
UNUSUAL = (
    *("X-Request-ID: a b", " folded", "NoColon", ": empty", "X : y", "X:\ty\t", "X: a\rb"),
    *("X: \x00", "Content-Length: 0", "Content-Length: 5", "Content-Length: 5, 5", "Content-Length: x", "TE: trailers"),
    *("Transfer-Encoding: identity", "If-Modified-Since: Tue, 01 Dec 2026 00:00:00 GMT"),
)
ENDS = ("\r\n",) * 60 + ("\n", "\r", "\r\n\r\n")
BODIES = ("hello", "query=ASK%20%7B%7D", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
LAST = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
# Time and number of a response differ each time.
_OWN = re.compile(rb"(?im)^(?:date|x-request-id|server): [^\r]*\r\n")
_OWN_WITH_ADDRESS = re.compile(rb"(?im)^(?:date|x-request-id|server|etag|content-length): [^\r]*\r\n")
_BROKEN = b"urn:aikg:problem:malformed-request"
_START = re.compile(rb"(?=HTTP/1\.1 \d{3} [A-Z])")
_AT_ONCE = 8
_PATIENCE = 20.0


@dataclass
class Findings:
    """How many sequences were sent, with which statuses in the answers, and which made a difference."""

    sequences: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        seen = ", ".join(f"{status}: {count:,}" for status, count in sorted(self.statuses.items()))
        return f"{self.sequences:,} sequences, {len(self.differences)} differences; answers {seen}"


# ---- what is sent ----


def sequence(chance: random.Random) -> bytes:
    """Some requests on one connection, sometimes damaged."""
    sent = b"".join(_request(chance) for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4))))
    for _ in range(chance.choice((0, 0, 0, 0, 0, 0, 0, 1, 2))):
        at = chance.randrange(len(sent) + 1)
        damage = chance.choice(
            (b"", bytes([chance.randrange(256)]), b"\r\n", b"\n", b"\r\n\r\n", b" ", b"GET / HTTP/1.1\r\n")
        )
        sent = sent[:at] + damage + sent[at + chance.randrange(3) :]
    return sent + LAST


def _request(chance: random.Random) -> bytes:
    method, version, end = chance.choice(METHODS), chance.choice(VERSIONS), chance.choice(ENDS)
    target = chance.choice(KEPT) if chance.random() < 0.8 else chance.choice(TARGETS)
    fields = [chance.choice(HOSTS), *chance.choices(USUAL, k=chance.choice((0, 0, 1, 1, 2, 3)))]
    if chance.random() < 0.1:
        fields.append(chance.choice(UNUSUAL))
    chance.shuffle(fields)
    lines = [" ".join((method, target, version)), *filter(None, fields), "", ""]
    head = end.join(lines)
    body = chance.choice(BODIES) if method == "POST" or chance.random() < 0.05 else ""
    if body and chance.random() < 0.2:
        chunks = f"{len(body):x}\r\n{body}\r\n0\r\n\r\n"
        head, body = head.replace(end + end, f"{end}Transfer-Encoding: chunked{end}{end}", 1), chunks
    elif body and chance.random() < 0.8:
        head = head.replace(end + end, f"{end}Content-Length: {len(body)}{end}{end}", 1)
    return (head + body).encode("latin-1" if head.isascii() else "utf-8")


def cuts(chance: random.Random, sent: bytes) -> list[bytes]:
    """The bytes in pieces: whole, at a few places, or each alone."""
    kind = chance.random()
    if kind < 0.2:
        return [sent]
    if kind < 0.25 and len(sent) < 300:
        return [sent[n : n + 1] for n in range(len(sent))]
    # Preferably where a request begins or ends, or seems to.
    likely = [match.end() for match in re.finditer(rb"\r\n\r\n|(?=GET /)", sent)]
    chosen = [chance.choice(likely) if chance.random() < 0.6 else chance.randrange(len(sent)) for _ in range(4)]
    places = sorted(set(chosen))
    return [sent[a:b] for a, b in zip([0, *places], [*places, len(sent)], strict=True) if a < b]


# ---- what comes back ----


Heard = list[tuple[bytes, tuple[bytes, ...], bytes]]


class _Client(asyncio.Protocol):
    """A connection that keeps what it received, also if the server then resets it."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.closed = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.received += data

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


async def answers(place: tuple[str, int], pieces: Sequence[bytes]) -> Heard:
    """The responses to pieces that arrive one by one, until the server closes: status line, fields, body."""
    transport, client = await asyncio.get_running_loop().create_connection(_Client, *place)
    transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in pieces:
        if transport.is_closing():
            break
        transport.write(piece)
        # The server, in the same loop, reads it before there is more.
        for _ in range(4):
            await asyncio.sleep(0)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(client.closed, _PATIENCE)
    transport.close()
    found = [_parsed(response, place) for response in _START.split(bytes(client.received)) if response]
    # Whether the rest of a request is asked for depends on how much of it has come.
    return [response for response in found if not response[0].startswith(b"HTTP/1.1 100 ")]


def _parsed(response: bytes, place: tuple[str, int]) -> tuple[bytes, tuple[bytes, ...], bytes]:
    own, here = _OWN, f"{place[0]}:{place[1]}".encode()
    if here in response:
        # A request without a host gets the address of the server, which is in the tag and the length, too.
        own, response = _OWN_WITH_ADDRESS, response.replace(here, b"here")
    head, _, body = response.partition(b"\r\n\r\n")
    status, _, fields = own.sub(b"", head + b"\r\n").partition(b"\r\n")
    return status, tuple(sorted(line.lower() for line in fields.split(b"\r\n"))), body


# ---- the servers ----


def settings(project: Path | None = None) -> Settings:
    return Settings(project=project, head_seconds=2, write_seconds=2, keep_alive_seconds=1, client_requests=10_000)


@asynccontextmanager
async def listening(release: Release, chosen: Settings, *, has_hot_path: bool) -> AsyncIterator[tuple[str, int]]:
    """A server in this loop: with the hot path, or with the application alone."""
    app = create_app(chosen, release)
    protocol: Any = protocol_class(chosen)
    if not has_hot_path:
        protocol = type("Plain", (BoundedProtocol,), {"settings": chosen, "proxies": protocol.proxies})
    config = uvicorn.Config(app, http=protocol, ws="none", log_level="critical", timeout_keep_alive=1)
    config.load()
    state = ServerState()
    state.default_headers = config.encoded_headers
    async with app.router.lifespan_context(app) as shared:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: protocol(config=config, server_state=state, app_state=dict(shared or {})), "127.0.0.1", 0
        )
        async with server:
            yield server.sockets[0].getsockname()[:2]


async def fuzz(release: Release, seconds: float, seed: int, chosen: Settings | None = None) -> Findings:
    """Compares the two for some seconds; each sequence has a seed of its own, counted from `seed`."""
    chosen, found, until = chosen or settings(), Findings(), time.monotonic() + seconds
    numbers = iter(range(seed, sys.maxsize))
    async with (
        listening(release, chosen, has_hot_path=True) as hot,
        listening(release, chosen, has_hot_path=False) as plain,
    ):
        # What is kept is answered by the hot path from now on.
        for target in KEPT:
            for accept in ("", "Accept: */*\r\n", "Accept: text/turtle\r\n", "Accept: text/html\r\n"):
                await answers(hot, [f"GET {target} HTTP/1.1\r\nHost: x\r\n{accept}\r\n".encode() + LAST])

        async def compare() -> None:
            while time.monotonic() < until:
                await _compare(next(numbers), hot, plain, found)

        await asyncio.gather(*(compare() for _ in range(_AT_ONCE)))
    return found


def _is_cut_off(heard: Heard, expected: Heard, sent: bytes) -> bool:
    """Whether a client that asked to close, and sent more all the same, lost the end of the last answer (a reset)."""
    before = sent.removesuffix(LAST).lower()
    if b"close" not in before and b"1.0" not in before:
        return False
    shorter, longer = sorted((heard, expected), key=lambda found: (len(found), sum(len(body) for _, _, body in found)))
    same = shorter[:-1] == longer[: max(0, len(shorter) - 1)]
    return same and (not shorter or longer[len(shorter) - 1][2].startswith(shorter[-1][2]))


def _is_race(heard: Heard, expected: Heard, sent: bytes) -> bool:
    """Whether a request whose body turned out to be broken was answered before, in one of the two."""
    if b"chunked" not in sent:
        return False
    at = next((n for n, both in enumerate(zip(heard, expected, strict=False)) if both[0] != both[1]), None)
    if at is None:
        # One has the refusal of the body besides.
        more = max(heard, expected, key=len)[min(len(heard), len(expected)) :]
        return all(_BROKEN in body for _, _, body in more)
    return any(_BROKEN in found[at][2] for found in (heard, expected))


async def _compare(seed: int, hot: tuple[str, int], plain: tuple[str, int], found: Findings) -> None:
    chance = random.Random(seed)
    sent = sequence(chance)
    expected = await answers(plain, [sent])
    found.sequences += 1
    found.statuses.update(status.split(b" ")[1].decode() for status, _, _ in expected)
    for place, name in ((hot, "hot path"), (hot, "hot path"), (plain, "application")):
        pieces = cuts(chance, sent)
        heard = await answers(place, pieces)
        if heard != expected and not _is_cut_off(heard, expected, sent) and not _is_race(heard, expected, sent):
            told = f"seed {seed}, {name}: {pieces}\n  expected {expected}\n  heard    {heard}"
            found.differences.append(told[:6_000])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, required=True, help="a release, or a folder of releases")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    options = parser.parse_args()
    directory: Path = options.store
    if not (directory / "manifest.json").is_file():
        directory = store.current_directory(directory)
    found = asyncio.run(fuzz(store.open_release(directory), options.seconds, options.seed))
    print(f"seed {options.seed}: {found}")
    for difference in found.differences[:5]:
        print(difference)
    return 1 if found.differences else 0


if __name__ == "__main__":
    sys.exit(main())
