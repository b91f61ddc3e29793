"""Writes the lines of the request log in a thread of its own, in batches, so that no answer waits for them.

What is logged is kept as it is and formatted here. The memory for it is bounded: under pressure, such as a pipe that
nobody reads, lines are dropped and counted. At an orderly end everything that was logged is written.
"""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from collections import deque
from functools import lru_cache, partial

# Lines that may wait; about 30 MB.
_MOST = 100_000
# Seconds from the first line of a batch until it is written, and for the rest at the end.
_PAUSE, _LAST_SECONDS = 0.1, 5.0
# Lines of one write. A pipe keeps 4,096 bytes whole where several processes write to it (POSIX, PIPE_BUF).
_AT_ONCE, _WHOLE_LINES = 200, 10
_STDERR = 2


# A request that was answered: the time, its ID, client, method and target; the status, the bytes sent, the seconds.
Entry = tuple[float, str, str, str, bytes, int, int, float]


class LogWriter:
    """A queue of entries, and the thread that writes them."""

    def __init__(self, *, with_queries: bool, descriptor: int = _STDERR, most: int = _MOST) -> None:
        self.dropped = 0
        # Most requests ask for what others ask for.
        self._asked = lru_cache(maxsize=2_000)(partial(_asked, with_queries=with_queries))
        is_pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
        self._at_once = _WHOLE_LINES if is_pipe else _AT_ONCE
        self._descriptor = descriptor
        self._most = most
        self._entries: deque[Entry] = deque()
        self._wake = threading.Event()
        self._is_ending = False
        self._thread = threading.Thread(target=self._run, name="request log", daemon=True)
        self._thread.start()

    def add(self, entry: Entry) -> None:
        """Takes an entry without waiting; drops it if too many wait."""
        entries = self._entries
        if len(entries) >= self._most:
            self.dropped += 1
            return
        if not entries:
            self._wake.set()
        entries.append(entry)

    def close(self) -> None:
        """Writes what waits, and ends."""
        self._is_ending = True
        self._wake.set()
        self._thread.join(_LAST_SECONDS)

    def _run(self) -> None:
        while not (self._is_ending and not self._entries):
            self._wake.wait()
            self._wake.clear()
            if not self._is_ending:
                time.sleep(_PAUSE)
            while self._entries:
                self._send(self._lines(min(self._at_once, len(self._entries))))

    def _lines(self, number: int) -> list[str]:
        """The next lines; IDs need no quoting (`api.middleware`)."""
        lines, take, asked = [], self._entries.popleft, self._asked
        second, head = 0, ""
        for _ in range(number):
            at, request_id, client, method, target, status, sent, seconds = take()
            if int(at) != second:
                second = int(at)
                head = f'{{"time": "{_time(second)}", "level": "INFO", "request_id": "'
            lines.append(
                f'{head}{request_id}", {asked(client, method, target)}, '
                f'"status": {status}, "bytes": {sent}, "seconds": {seconds:.6f}}}\n'
            )
        return lines

    def _send(self, lines: list[str]) -> None:
        data = "".join(lines).encode()
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:
            # A full disk or a closed pipe: the lines are lost, the requests are not.
            self.dropped += len(lines)


def _asked(client: str, method: str, target: bytes, *, with_queries: bool) -> str:
    """What was asked, and by whom, as members of the line."""
    path, _, query = target.partition(b"?")
    members = {"client": client, "method": method, "path": path.decode("utf-8", "replace")}
    if with_queries and query:
        members["query"] = query.decode("latin-1")
    return json.dumps(members, ensure_ascii=False)[1:-1]


def _time(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(second))
