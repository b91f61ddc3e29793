"""Processes on loopback: started on one core, what they have used, ended by their id."""

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
    """A process in a session of its own, ready; raises `RuntimeError` with the end of its log when not in time."""
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
    """What is started within runs on this core alone, with all that it starts; None leaves things as they are."""
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
    """A process and all below it."""
    found = [pid]
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += tree(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and all below it, those that have ended and been waited for included."""
    return sum(_ticks(member) for member in tree(pid)) * _TICK


def settle(pid: int, seconds: float = 2.0) -> None:
    """Waits until a process and all below it are at rest, as when they have answered what nobody reads any more."""
    until, before = time.monotonic() + seconds, -1.0
    while (now := cpu_seconds(pid)) != before and time.monotonic() < until:
        before = now
        time.sleep(0.04)


def _ticks(pid: int) -> int:
    try:
        # The name, in brackets, may hold spaces; utime, stime, cutime and cstime are fields 14 to 17.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))


def memory_mb(pid: int) -> float:
    """Memory of a process and all below it, pages that several share counted once (PSS), in MB."""
    total = 0
    for member in tree(pid):
        with contextlib.suppress(OSError):
            match = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{member}/smaps_rollup").read_text(), re.MULTILINE)
            total += int(match[1]) if match else 0
    return total * 1024 / 1e6


def free_bytes() -> int:
    """Memory that a new process could have."""
    match = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return int(match[1]) * 1024 if match else 0


def size(path: Path) -> int:
    """Bytes that a file or folder takes on disk."""
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file() and not p.is_symlink()]
    return sum(p.stat().st_blocks * 512 for p in files)
