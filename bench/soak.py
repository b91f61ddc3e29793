"""Sends valid, invalid and hostile traffic to a real server, and checks every response and every worker.

    .venv/bin/python bench/soak.py --seconds 600 --plot docs/images/soak.svg

Loopback only; ends only processes that it started.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from servers import Process, descendants, descriptors, resident_mb, serve, threads

PRODUCT = "SELECT (COUNT(*) AS ?n{}) {{ ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }}"
GOOD = (
    "SELECT (COUNT(*) AS ?n) {{ ?s ?p ?o }} #{}",
    "SELECT ?s ?label {{ ?s a <http://data.europa.eu/eli/ontology#LegalResource> ; "
    "<http://www.w3.org/2004/02/skos/core#prefLabel> ?label }} ORDER BY ?s ?label #{}",
    "SELECT ?g (COUNT(*) AS ?n) {{ GRAPH ?g {{ ?s ?p ?o }} }} GROUP BY ?g ORDER BY DESC(?n) ?g LIMIT 20 #{}",
    "CONSTRUCT WHERE {{ <https://w3id.org/aikg/id/law/ai-act> ?p ?o }} #{}",
    "ASK {{ ?s ?p ?o }} #{}",
)
PATHS = (
    "/id/law/ai-act",
    "/data/law/ai-act.ttl",
    "/data/law/ai-act.jsonld",
    "/page/law/ai-act?lang=ja",
    "/dataset",
    "/graph?default",
)
BAD = (
    ("/sparql?query=" + quote("SELECT * {"), 400),
    ("/sparql?query=" + quote("CLEAR ALL"), 400),
    ("/sparql?query=" + quote("ASK { SERVICE <http://127.0.0.1/> { ?s ?p ?o } }"), 403),
    ("/id/law/nothing-of-that-name", 404),
    ("/graph?graph=urn:nothing", 404),
    ("/data/law/ai-act.docx", 404),
)
NASTY = (
    "ASK { FILTER(" + "!" * 900 + "true) }",
    "ASK { ?s ?p ?o" + " OPTIONAL { ?s ?p ?o }" * 900 + "}",
    "SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i } ORDER BY ?c ?f ?i",
    "SELECT * { ?a ?b ?c . ?d ?e ?f }",
)


@dataclass
class Sample:
    """A sample: seconds since the start, and MB of the server and its workers."""

    at: float
    server_mb: float
    workers_mb: float
    descriptors: int
    threads: int


@dataclass
class Report:
    seconds: float
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    forked: int = 0
    ended: int = 0
    alive: int = 0

    @property
    def growth(self) -> float:
        """Growth of the server's memory in MB: the median of the last fifth minus that of the second fifth."""
        fifth = max(1, len(self.samples) // 5)
        early, late = self.samples[fifth : 2 * fifth], self.samples[-fifth:]
        return _median([s.server_mb for s in late]) - _median([s.server_mb for s in early])

    def __str__(self) -> str:
        last = self.samples[-1]
        lines = [f"{self.seconds:.0f} s; answers by kind and status:"]
        lines += [f"  {name:<28} {count:,}" for name, count in sorted(self.counts.items())]
        lines.append(f"wrong answers: {len(self.wrong)}")
        lines.append(f"workers: {self.forked:,} forked = {self.ended:,} ended + {self.alive} alive")
        lines.append(f"server: {last.server_mb:.0f} MB at the end, {self.growth:+.1f} MB over the run")
        lines.append(f"most for all workers together: {max(s.workers_mb for s in self.samples):.0f} MB")
        lines.append(f"descriptors {last.descriptors}, threads {last.threads} at the end")
        return "\n".join(lines)


def _median(numbers: list[float]) -> float:
    ordered = sorted(numbers)
    return ordered[len(ordered) // 2] if ordered else 0.0


def soak(store: Path, seconds: float, log: Path, seed: int = 1) -> Report:
    """Runs the traffic against a server; wrong responses are reported, not raised."""
    report = Report(seconds)
    settings = {"KG_QUERY_SECONDS": "3", "KG_QUERY_MEMORY_MB": "300", "KG_LOG_REQUESTS": "false", "KG_CACHE_MB": "8"}
    settings |= {"KG_HEAD_SECONDS": "2", "KG_WRITE_SECONDS": "3"}
    with serve(store, log=log, **settings) as server:
        expected = _expected(server)
        stop = threading.Event()
        workers: list[Callable[[random.Random], None]] = [
            *(lambda r, n=n: _good(server, report, expected, r, n) for n in range(3)),
            lambda r: _bad(server, report, r),
            *(lambda r, n=n: _hostile(server, report, r, n) for n in range(3)),
            lambda r: _rude(server, report, r),
            lambda r: _killer(server, report, r),
        ]
        running = [threading.Thread(target=_loop, args=(w, stop, seed + n, report)) for n, w in enumerate(workers)]
        for thread in running:
            thread.start()
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            report.samples.append(_sample(server, time.monotonic() - begun))
            time.sleep(min(1.0, seconds / 60))
        stop.set()
        for thread in running:
            thread.join(60)
        _quiet(server)
        report.samples.append(_sample(server, time.monotonic() - begun))
        _account(server, report)
    return report


def _loop(work: Callable[[random.Random], None], stop: threading.Event, seed: int, report: Report) -> None:
    source = random.Random(seed)
    while not stop.is_set():
        try:
            work(source)
        except (httpx.HTTPError, OSError) as error:
            report.wrong.append(f"{type(error).__name__}: {error}")


def _client(server: Process, address: str) -> httpx.Client:
    return server.client(local_address=address)


def _expected(server: Process) -> dict[str, bytes]:
    with _client(server, "127.0.0.2") as client:
        known = {text: client.get("/sparql", params={"query": text.format("")}).content for text in GOOD}
        return known | {path: client.get(path).content for path in PATHS}


def _good(server: Process, report: Report, expected: dict[str, bytes], source: random.Random, number: int) -> None:
    with _client(server, f"127.0.5.{number + 1}") as client:
        for _ in range(20):
            if source.random() < 0.6:
                name = source.choice(GOOD)
                answer = client.get("/sparql", params={"query": name.format(source.randrange(10_000))})
            else:
                name = source.choice(PATHS)
                answer = client.get(name)
            report.counts[f"good {answer.status_code}"] += 1
            if answer.status_code not in (200, 303) or answer.content != expected[name]:
                report.wrong.append(f"{name[:60]}: {answer.status_code} {answer.text[:200]}")


def _bad(server: Process, report: Report, source: random.Random) -> None:
    with _client(server, "127.0.6.1") as client:
        path, wanted = source.choice(BAD)
        answer = client.get(path)
        report.counts[f"bad {answer.status_code}"] += 1
        if answer.status_code != wanted:
            report.wrong.append(f"{path}: {answer.status_code} instead of {wanted}")
    time.sleep(0.01)


def _hostile(server: Process, report: Report, source: random.Random, number: int) -> None:
    with _client(server, f"127.0.7.{source.randrange(1, 250)}") as client:
        text = source.choice((*NASTY, PRODUCT.format(number), PRODUCT.format(source.randrange(1_000))))
        answer = client.post("/sparql", data={"query": text, "timeout": "1"})
        report.counts[f"hostile {answer.status_code}"] += 1
        if answer.status_code not in (200, 400, 413, 429, 503, 504):
            report.wrong.append(f"{text[:60]}: {answer.status_code} {answer.text[:200]}")
        if answer.status_code == 200 and "boolean" not in answer.text:
            report.wrong.append(f"{text[:60]}: 200 and no answer")


def _rude(server: Process, report: Report, source: random.Random) -> None:
    """Disconnects, never completes the request head, sends too large a head, or does not speak HTTP."""
    target = urlsplit(server.url)
    kind = source.randrange(4)
    with contextlib.suppress(ConnectionError), socket.create_connection((target.hostname, target.port), 10) as rude:
        if kind == 0:
            query = quote(PRODUCT.format(source.randrange(1_000)))
            rude.sendall(f"GET /sparql?query={query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            time.sleep(0.05)
        elif kind == 1:
            rude.sendall(b"GET / HTTP/1.1\r\nHost:")
            rude.recv(4_096)
        elif kind == 2:
            rude.sendall(b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000)
            rude.recv(4_096)
        else:
            rude.sendall(b"\x16\x03\x01\x02\x00\x01\xfc\x03\x03\r\n\r\n")
            rude.recv(4_096)
    report.counts[f"rude {('left', 'slow', 'large', 'no HTTP')[kind]}"] += 1
    time.sleep(0.1)


def _killer(server: Process, report: Report, source: random.Random) -> None:
    """Kills a worker that is idle or runs a hostile query, as the kernel might when memory is short."""
    time.sleep(2)
    below = descendants(server.pid)
    if len(below) > 1:
        # The first child of the server is the zygote, whose children are the workers.
        busy = [pid for pid in below[1:] if _niceness(pid) == 19]
        if busy:
            with contextlib.suppress(ProcessLookupError):
                os.kill(source.choice(busy), signal.SIGKILL)
                report.counts["killed"] += 1


def _niceness(pid: int) -> int:
    try:
        return os.getpriority(os.PRIO_PROCESS, pid)
    except ProcessLookupError:
        return 0


def _sample(server: Process, at: float) -> Sample:
    workers = sum(resident_mb(pid) for pid in descendants(server.pid))
    return Sample(at, resident_mb(server.pid), workers, descriptors(server.pid), threads(server.pid))


def _quiet(server: Process) -> None:
    """Waits until no query runs and no connection is open."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and "kg_queries_waiting 0.0" not in httpx.get(f"{server.url}/metrics").text:
        time.sleep(0.1)
    time.sleep(1)


def _account(server: Process, report: Report) -> None:
    text = httpx.get(f"{server.url}/metrics").text
    events = dict(re.findall(r'kg_worker_events_total\{event="([^"]+)"\} (\S+)', text))
    report.forked = int(float(events.get("forked", 0)))
    report.ended = sum(int(float(n)) for event, n in events.items() if event.startswith("ended"))
    report.alive = int(float(re.findall(r"^kg_workers (\S+)", text, re.MULTILINE)[0]))


def plot(report: Report) -> str:
    """Memory over time as SVG: of the server, and of all workers together."""
    width, height, left, top = 720, 260, 60, 20
    last = max(s.at for s in report.samples)
    most = max(max(s.server_mb, s.workers_mb) for s in report.samples) * 1.1

    def line(values: list[tuple[float, float]], colour: str) -> str:
        points = " ".join(
            f"{left + at / last * (width - left - 20):.1f},{top + (1 - mb / most) * (height - top - 40):.1f}"
            for at, mb in values
        )
        return f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{points}"/>'

    steps = [round(most / 4 * n) for n in range(5)]
    grid = "".join(
        f'<text x="{left - 6}" y="{top + (1 - mb / most) * (height - top - 40) + 4:.0f}" text-anchor="end">{mb}</text>'
        for mb in steps
    )
    places = [(left + n / 5 * (width - left - 20), last * n / 5) for n in range(6)]
    times = "".join(f'<text x="{x:.0f}" y="{height - 20}" text-anchor="middle">{at:.0f} s</text>' for x, at in places)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" font-family="sans-serif" '
        f'font-size="12" fill="#555"><title>Memory in MB over {last:.0f} seconds of mixed traffic</title>'
        f"{grid}{times}{line([(s.at, s.workers_mb) for s in report.samples], '#c77')}"
        f"{line([(s.at, s.server_mb) for s in report.samples], '#06c')}"
        f'<text x="{left + 8}" y="{top}" fill="#06c">server, MB</text>'
        f'<text x="{left + 110}" y="{top}" fill="#c77">zygote and all query workers, MB</text></svg>\n'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--store", type=Path, default=Path(".releases"))
    parser.add_argument("--log", type=Path, default=Path("/tmp/soak.log"))  # noqa: S108
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    report = soak(options.store, options.seconds, options.log)
    print(report)
    for line in report.wrong[:20]:
        print("wrong:", line)
    if options.plot:
        options.plot.write_text(plot(report), encoding="utf-8")
    sys.exit(bool(report.wrong))


if __name__ == "__main__":
    main()
