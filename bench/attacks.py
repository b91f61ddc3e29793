"""Attacks a server in each of many ways, and measures how long a good client waits meanwhile.

    .venv/bin/python bench/attacks.py --store .releases --seconds 10
    .venv/bin/python bench/attacks.py --store .releases --seconds 3 --only search,stalled

Loopback only: the server, the attacker (a process of its own, from 127.0.0.2 and further addresses) and the good client
(from 127.0.0.3) run on this machine, and only processes that it started are ended.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import figures
import httpx
from servers import Process, resident_mb, serve

ATTACKER, GOOD = "127.0.0.2", "127.0.0.3"
_NUMBERS = itertools.count(random.Random().randrange(10**9))
_SLOW = "SELECT (COUNT(*) AS ?n{}) {{ ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }}"
_RECORDS = ("law/ai-act", "ministry/mext", "programme/aip")


@dataclass(frozen=True, slots=True)
class Target:
    """The server under attack, and for how long."""

    host: str
    port: int
    until: float

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.until


Attack = Callable[[Target], Awaitable[None]]


# ---- how the attacks are made ----


@contextlib.asynccontextmanager
async def _connection(
    target: Target, address: str = ATTACKER
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(target.host, target.port, local_addr=(address, 0))
    try:
        yield reader, writer
    finally:
        writer.close()


def _get(path: str, *fields: str) -> bytes:
    return "\r\n".join((f"GET {path} HTTP/1.1", "Host: attacked", *fields, "", "")).encode()


async def _answered(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            await reader.readexactly(int(line[15:]))


def asking(connections: int, request: Callable[[int], bytes], addresses: int = 1) -> Attack:
    """Connections that each send one request after the other; each of `addresses` has a share of them."""

    async def one(target: Target, address: str) -> None:
        while not target.is_over:
            with contextlib.suppress(OSError, EOFError, asyncio.LimitOverrunError):
                async with _connection(target, address) as (reader, writer):
                    while not target.is_over:
                        writer.write(request(next(_NUMBERS)))
                        await _answered(reader)
            await asyncio.sleep(0.05)

    async def attack(target: Target) -> None:
        far = [f"127.0.{1 + n // 250}.{1 + n % 250}" for n in range(addresses)] if addresses > 1 else [ATTACKER]
        await asyncio.gather(*(one(target, far[n % len(far)]) for n in range(connections)))

    return attack


def stalling(connections: int, request: bytes, sent: int, more: int = 0) -> Attack:
    """Connections that send the beginning of a request, then `more` bytes, and wait."""

    async def one(target: Target) -> None:
        while not target.is_over:
            with contextlib.suppress(OSError, EOFError):
                async with _connection(target) as (reader, writer):
                    writer.write(request[:sent])
                    for _ in range(more // 100_000):
                        writer.write(b" " * 100_000)
                        await writer.drain()
                    async with asyncio.timeout(max(0.0, target.until - time.monotonic())):
                        await reader.read()
            await asyncio.sleep(0.2)

    async def attack(target: Target) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.gather(*(one(target) for _ in range(connections)), return_exceptions=True)

    return attack


async def _broken_off(target: Target) -> None:
    """Uploads that end in the middle."""
    head = _post("/validate", 1_000_000, "text/turtle")
    while not target.is_over:
        with contextlib.suppress(OSError):
            async with _connection(target) as (_, writer):
                writer.write(head + b"# begun\n" * 200)
                await writer.drain()
                writer.transport.abort()


def _post(path: str, size: int, media_type: str) -> bytes:
    fields = (f"POST {path} HTTP/1.1", "Host: attacked", f"Content-Type: {media_type}", f"Content-Length: {size}")
    return "\r\n".join((*fields, "", "")).encode()


def _names(n: int) -> bytes:
    queries = {f"q{i}": {"query": f"国立研究開発法人 {n} {i}"} for i in range(300)}
    body = f"queries={quote(json.dumps(queries))}".encode()
    return _post("/reconcile", len(body), "application/x-www-form-urlencoded") + body


def _long_text(n: int) -> str:
    return quote(f"人工知能 研究開発 program of science {n} " + "国立研究開発法人情報 " * 18)


HTML = "Accept: text/html"
ATTACKS: dict[str, Attack] = {
    "search": asking(40, lambda n: _get(f"/search?lang=en&q={_long_text(n)}", HTML)),
    "paths": asking(40, lambda n: _get(f"/explore/path?from={_RECORDS[0]}&to={_RECORDS[1 + n % 2]}&without=x{n}")),
    "ontology": asking(40, lambda n: _get(f"/ontology?lang=en&n={n}", HTML)),
    "graph": asking(40, lambda n: _get(f"/graph/inferred?format=jsonld&n={n}")),
    "pages": asking(40, lambda n: _get(f"/page/{_RECORDS[n % 3]}?lang=en&n={n}", HTML)),
    "errors": asking(40, lambda n: _get(f"/page/law/none-{n}?lang=en", HTML)),
    "reconcile": asking(40, _names),
    "conformance": asking(12, lambda n: _get(f"/conformance?lang=en&n={n}", HTML)),
    "stalled": stalling(18, _post("/link/table", 5_000, "multipart/form-data; boundary=x") + b"--x\r\n" * 20, 150),
    "bodies": stalling(100, _post("/validate", 9_900_000, "text/turtle"), 1_000, 9_700_000),
    "broken": _broken_off,
    "silent": stalling(5_050, b"", 0),
    "forged": asking(
        150,
        lambda n: _get(
            f"/sparql?query={quote(_SLOW.format(n))}", f"X-Forwarded-For: 10.{n % 250}.{n // 250 % 250}.1, {ATTACKER}"
        ),
    ),
    "slow": asking(150, lambda n: _get(f"/sparql?query={quote(_SLOW.format(n))}"), addresses=150),
}


# ---- the good client ----


@dataclass(slots=True)
class Felt:
    """What the good client felt: seconds of each kind of request, what failed, and the most memory of the server."""

    kept: list[float] = field(default_factory=list)
    ask: list[float] = field(default_factory=list)
    page: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    megabytes: float = 0.0


def feel(server: Process, seconds: float) -> Felt:
    """Sends requests of each kind, one after the other, for some seconds."""
    felt, until = Felt(), time.monotonic() + seconds
    kept, path = f"/page/{_RECORDS[0]}?lang=en", f"/page/{_RECORDS[0]}"
    while time.monotonic() < until or not felt.page:
        n = next(_NUMBERS)
        _send(server, felt, felt.kept, kept)
        _send(server, felt, felt.ask, f"/sparql?format=json&query={quote(f'ASK {{ ?s ?p {n} }}')}")
        _send(server, felt, felt.page, f"{path}?lang=en&x={n}")
        felt.megabytes = max(felt.megabytes, resident_mb(server.pid))
        time.sleep(0.02)
    return felt


def _send(server: Process, felt: Felt, times: list[float], target: str) -> None:
    begun = time.perf_counter()
    try:
        with server.client(local_address=GOOD) as client:
            status = client.get(
                target, headers={"accept": "text/html, */*;q=0.1"} if "page" in target else {}
            ).status_code
    except httpx.HTTPError as error:
        felt.failed.append(f"{type(error).__name__} {target[:40]}")
    else:
        if status != 200:
            felt.failed.append(f"{status} {target[:40]}")
    times.append(time.perf_counter() - begun)


# ---- the run ----


def run(store: Path, names: list[str], seconds: float, log: Path) -> dict[str, Felt]:
    """The good client's experience without an attack (`none`), and during each."""
    found: dict[str, Felt] = {}
    for name in ["none", *names]:
        # Each attack meets a fresh server, so that none has the consequences of another.
        with serve(store, log=log) as server:
            feel(server, 0.5)
            attacker = None
            if name != "none":
                command = [
                    sys.executable,
                    __file__,
                    "--attack",
                    name,
                    "--url",
                    server.url,
                    "--seconds",
                    str(seconds + 1),
                ]
                attacker = subprocess.Popen(command, stderr=subprocess.DEVNULL)
                time.sleep(1.0)
            try:
                found[name] = feel(server, seconds)
            finally:
                if attacker is not None:
                    attacker.kill()
                    attacker.wait()
    return found


def table(found: dict[str, Felt]) -> str:
    """The results as a table of Markdown: 95th percentiles in ms, requests that failed, memory in MB."""
    lines = ["| attack | kept page | new ASK | new page | failed | server |", "|---|---|---|---|---|---|"]
    for name, felt in found.items():
        times = [f"{figures.percentile(t, 95) * 1e3:,.0f} ms" for t in (felt.kept, felt.ask, felt.page)]
        count = len(felt.kept) + len(felt.ask) + len(felt.page)
        lines.append(f"| {name} | {' | '.join(times)} | {len(felt.failed)} of {count} | {felt.megabytes:.0f} MB |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, help="a release, or a folder of releases")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each attack lasts")
    parser.add_argument("--only", default=",".join(ATTACKS), help="names of attacks, separated by commas")
    parser.add_argument("--json", type=Path, help="where all numbers are written")
    parser.add_argument("--attack", choices=ATTACKS, help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.attack:
        parts = urlsplit(options.url)
        target = Target(str(parts.hostname), int(parts.port or 80), time.monotonic() + options.seconds)
        asyncio.run(ATTACKS[options.attack](target))
        return
    if options.store is None:
        parser.error("--store: expected a release")
    with tempfile.TemporaryDirectory() as folder:
        found = run(options.store, options.only.split(","), options.seconds, Path(folder) / "log")
    print(table(found))
    for name, felt in found.items():
        for failure in sorted(set(felt.failed))[:5]:
            print(f"{name}: {failure}", file=sys.stderr)
    if options.json:
        options.json.write_text(json.dumps({k: asdict(v) for k, v in found.items()}), encoding="utf-8")


if __name__ == "__main__":
    main()
