"""Generates load: prepared requests through wrk on its own core, or one at a time for slow responses."""

from __future__ import annotations

import http.client
import json
import re
import resource
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import figures
import processes

SCRIPT = Path(__file__).with_name("mixed.lua")
Prepared = Sequence[str | tuple[str, str]]


class Failed(Exception):
    """A measurement with error responses, or without any response."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The result of a round: requests per second, latencies in ms, CPU of the server's processes per request in µs.

    `busy` is the share of its core that the load generator used: near 1 it is the bottleneck, and CPU per request is
    the better measure.
    """

    requests: int
    seconds: float
    per_second: float
    p50: float
    p99: float
    cpu: float
    busy: float
    bytes: int


def write(requests: Prepared, path: Path) -> Path:
    """Writes requests as a Lua table for `mixed.lua`."""
    lines = (_lua(r) if isinstance(r, str) else f"{{{_lua(r[0])}, {_lua(r[1])}}}" for r in requests)
    path.write_text("return {\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    return path


def _lua(text: str) -> str:
    escaped = {"\\": "\\\\", '"': '\\"', "\r": "\\r", "\n": "\\n"}
    return '"' + re.sub(r'[\\"\r\n]', lambda m: escaped[m[0]], text) + '"'


def mixed(
    url: str, pid: int, requests: Path, clients: int, seconds: int, first: int, core: int | None, patience: int = 60
) -> Sample:
    """Runs wrk with a number of connections for some seconds; `first` is the first number of fresh requests.

    Raises `Failed` for any response above 399, for missing responses, and if there are none.
    """
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", f"--timeout={patience}s", "-s", str(SCRIPT), url]
    before, used = processes.cpu_seconds(pid), _children()
    with processes.on_core(core):
        done = subprocess.run(
            [*command, "--", str(requests), str(first)],
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds + 2 * patience,
        )
    cpu, used = processes.cpu_seconds(pid) - before, _children() - used
    line = next((line for line in reversed(done.stdout.splitlines()) if line.startswith("{")), "")
    if done.returncode or not line:
        raise Failed(f"wrk: {done.stdout[-500:]}{done.stderr[-500:]}")
    told = json.loads(line)
    wrong = {k: told[k] for k in ("connect", "read", "write", "status", "timeout") if told[k]}
    if wrong or not told["requests"]:
        raise Failed(f"{told['requests']} answers, wrong: {wrong or 'none came in time'}")
    took, count = told["microseconds"] / 1e6, told["requests"]
    return Sample(
        count, took, count / took, told["p50"] / 1e3, told["p99"] / 1e3, cpu / count * 1e6, used / took, told["bytes"]
    )


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def in_turn(url: str, pid: int, requests: Prepared, seconds: float, first: int, patience: float = 120) -> Sample:
    """Sends requests one by one on a connection until the time is over, at least one; raises `Failed`."""
    host, _, port = url.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=patience)
    before, begun, size = processes.cpu_seconds(pid), time.perf_counter(), 0
    times: list[float] = []
    try:
        while not times or time.perf_counter() - begun < seconds:
            request = requests[len(times) % len(requests)]
            text = request if isinstance(request, str) else f"{request[0]}{first + len(times)}{request[1]}"
            started = time.perf_counter()
            size += _exchange(connection, text)
            times.append(time.perf_counter() - started)
    except (OSError, http.client.HTTPException) as error:
        raise Failed(f"{type(error).__name__}: {error}") from error
    finally:
        connection.close()
    took, count = time.perf_counter() - begun, len(times)
    cpu = processes.cpu_seconds(pid) - before
    middle, rare = (figures.percentile(times, p) * 1e3 for p in (50, 99))
    return Sample(count, took, count / took, middle, rare, cpu / count * 1e6, 0.0, size)


def each(url: str, requests: Prepared) -> None:
    """Sends every request once, without measuring."""
    host, _, port = url.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=120)
    for request in requests:
        _exchange(connection, request if isinstance(request, str) else "0".join(request))
    connection.close()


def _exchange(connection: http.client.HTTPConnection, text: str) -> int:
    """Sends a prepared request and returns the bytes of the response."""
    head, _, body = text.partition("\r\n\r\n")
    line, *fields = head.split("\r\n")
    method, target, _ = line.split(" ")
    connection.request(method, target, body.encode() or None, dict(f.split(": ", 1) for f in fields))
    answer = connection.getresponse()
    size = len(answer.read())
    if answer.status > 399:
        raise Failed(f"{answer.status} for {target[:200]}")
    return size
