"""The request log: metrics and a log line for each request."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter

from prometheus_client import Counter as CounterOf
from prometheus_client import Histogram as HistogramOf

from api.settings import Settings
from api.telemetry.log_writer import LogWriter
from api.telemetry.metrics import Metrics

_ACCESS = logging.getLogger("api.access")
_FLUSH_SECONDS = 1.0
_KNOWN_METHODS = ("GET", "HEAD", "POST", "OPTIONS")


class RequestLog:
    """Counts and logs requests; cache hits are added to the metrics once a second."""

    def __init__(self, metrics: Metrics, settings: Settings, labels: frozenset[str]) -> None:
        self.metrics = metrics
        self._labels = labels
        self._log_queries = settings.log_queries
        self._hits: Counter[tuple[str, int]] = Counter()
        self._hit_bytes = 0
        self._writer: LogWriter | None = None
        self._dropped = 0
        # The library's own look-up by labels is slow.
        self._numbers: dict[tuple[str, str, int], tuple[CounterOf, HistogramOf]] = {}

    def label_of(self, path: str) -> str:
        """Return the metrics label for a path below the mount path."""
        first = path.lstrip("/").partition("/")[0]
        return first if first in self._labels else "other" if first else "front"

    def count(self, route: str, method: str, status: int, sent: int, seconds: float) -> None:
        """Count a request that the application or a worker answered."""
        numbers = self._numbers.get((route, method, status))
        if numbers is None:
            method = method if method in _KNOWN_METHODS else "other"
            requests = self.metrics.requests.labels(route, method, str(status))
            numbers = self._numbers[route, method, status] = (requests, self.metrics.seconds.labels(route))
        numbers[0].inc()
        numbers[1].observe(seconds)
        self.metrics.sent.inc(sent)

    def count_hit(self, route: str, status: int, sent: int) -> None:
        """Count a GET that was answered from the cache, below the application."""
        if not self._hits:
            asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self.flush)
        self._hits[route, status] += 1
        self._hit_bytes += sent

    def flush(self) -> None:
        """Add the cache hits so far to the metrics; call it in the event loop's thread."""
        for (route, status), number in self._hits.items():
            self.metrics.requests.labels(route, "GET", str(status)).inc(number)
            self.metrics.cached.labels("hit").inc(number)
        self.metrics.sent.inc(self._hit_bytes)
        self._hits.clear()
        self._hit_bytes = 0
        if self._writer is not None:
            dropped = self._writer.dropped
            self.metrics.dropped.inc(dropped - self._dropped)
            self._dropped = dropped

    def start(self) -> None:
        """Starts the log if it is wanted; a server does this when it begins to listen."""
        if _ACCESS.isEnabledFor(logging.INFO):
            self._writer = LogWriter(with_queries=self._log_queries)

    def close(self) -> None:
        """Writes what is left of the log."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    @property
    def are_logged(self) -> bool:
        return self._writer is not None

    def log(
        self, request_id: str, client: str, method: str, target: bytes, status: int, sent: int, seconds: float
    ) -> None:
        """Log a request as a line of JSON; its query string only if the settings say so."""
        if self._writer is not None:
            self._writer.add((time.time(), request_id, client, method, target, status, sent, seconds))
