"""`kg serve` in a separate process, and information about it and its children."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from projects import ROOT, environment


@dataclass
class Process:
    """A running server: its address, its process and its standard error."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    children: list[int] = field(default_factory=list)

    @property
    def pid(self) -> int:
        return self.process.pid

    def text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def client(self, **options: Any) -> httpx.Client:
        """A client, with its own loopback address if `local_address` is given."""
        address = options.pop("local_address", None)
        # Without certificates, since loading them takes longer than a response.
        transport = httpx.HTTPTransport(local_address=address, verify=False)
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, transport=transport, **options)


@contextmanager
def serve(
    store: Path | str, *arguments: str, log: Path | None = None, stderr: Any = None, **settings: str
) -> Iterator[Process]:
    """Starts `kg serve --store` with settings as environment variables, and ends it."""
    log = log or Path(store).parent / f"serve-{time.monotonic_ns()}.log"
    command = [sys.executable, "-m", "kg.cli", "serve", "--port", "0", "--store", str(store), *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stderr=stderr or output, stdout=output, env={**environment(ROOT), **settings}
        )
        try:
            url = _address(process, log) if stderr is None else ""
            yield Process(url, process, log)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    found: list[str] = []

    def is_there() -> bool:
        assert process.poll() is None, log.read_text()
        found[:] = re.findall(r"on (http://\S+)/", log.read_text(encoding="utf-8", errors="replace"))
        if not found:
            return False
        try:
            return httpx.get(f"{found[0]}/readyz", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    until(is_there, 120)
    return found[0]


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Waits until a condition holds; fails on timeout."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
        time.sleep(0.02)


def descendants(pid: int) -> list[int]:
    """All descendants of a process, including zombies."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *descendants(child)]
    return found


def resident_mb(pid: int) -> float:
    """Resident memory of a process in MB (RSS); 0 if it has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    match = re.search(r"VmRSS:\s+(\d+) kB", text)
    return int(match[1]) / 1000 if match else 0.0


def processor_seconds(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
