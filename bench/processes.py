"""Starts processes on one core, measures their processor time and memory, and ends them by id."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

_TICK = 1 / os.sysconf("SC_CLK_TCK")
_STOP_SECONDS = 30.0


@contextlib.contextmanager
def running(
    command: Sequence[str],
    log: Path,
    is_ready: Callable[[], bool],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    seconds: float = 120.0,
) -> Iterator[int]:
    """Starts a process in a new session and waits until it is ready; raises `RuntimeError` with its log on timeout."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + seconds
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not start: {log.read_text(errors='replace')[-2000:]}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.005)
        yield process.pid
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """Processes started in this context run on one core, as do their children; None has no effect."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def tree(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += tree(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its descendants, including reaped children."""
    return sum(_ticks(member) for member in tree(pid)) * _TICK


def settle(pid: int, seconds: float = 2.0) -> None:
    """Waits until a process and its descendants are idle, for example after abandoned requests."""
    until, before = time.monotonic() + seconds, -1.0
    while (now := cpu_seconds(pid)) != before and time.monotonic() < until:
        before = now
        time.sleep(0.04)


def _ticks(pid: int) -> int:
    try:
        # The name, in brackets, may contain spaces; utime, stime, cutime and cstime are fields 14 to 17.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))


def memory_mb(pid: int) -> float:
    """Memory of a process and its descendants in MB, with shared pages counted once (PSS)."""
    total = 0
    for member in tree(pid):
        with contextlib.suppress(OSError):
            match = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{member}/smaps_rollup").read_text(), re.MULTILINE)
            total += int(match[1]) if match else 0
    return total * 1024 / 1e6


def free_bytes() -> int:
    """Memory available to a new process."""
    match = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return int(match[1]) * 1024 if match else 0


def size(path: Path) -> int:
    """The size of a file or folder on disk in bytes."""
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file() and not p.is_symlink()]
    return sum(p.stat().st_blocks * 512 for p in files)
