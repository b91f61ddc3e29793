"""Metrics for Prometheus: requests, queries, workers, releases; summed over processes if there are several."""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The metrics of one application; with `PROMETHEUS_MULTIPROC_DIR` those of several processes are read as one."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "kg_requests", "Requests answered.", ["route", "method", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "kg_request_seconds", "Time to the whole answer.", ["route"], buckets=_SECONDS, registry=self.registry
        )
        self.sent = Counter("kg_sent_bytes", "Bytes of bodies sent.", registry=self.registry)
        self.dropped = Counter("kg_log_lines_dropped", "Lines of the request log not written.", registry=self.registry)
        self.cached = Counter("kg_cached_answers", "Answers from the cache.", ["outcome"], registry=self.registry)
        self.workers = Counter("kg_worker_events", "What became of query workers.", ["event"], registry=self.registry)
        self.alive = Gauge("kg_workers", "Query workers alive.", registry=self.registry, multiprocess_mode="livesum")
        self.waiting = Gauge(
            "kg_queries_waiting", "Queries that wait for a place.", registry=self.registry, multiprocess_mode="livesum"
        )
        self.triples = Gauge(
            "kg_triples", "Triples of the release served.", registry=self.registry, multiprocess_mode="mostrecent"
        )

        self.admitted = Counter("kg_admitted", "Slots given to work.", ["cost"], registry=self.registry)
        self.not_admitted = Counter("kg_refused", "Requests refused by the gate.", ["reason"], registry=self.registry)
        self.work = self._gauge("kg_work_units", "Units of work under way.")
        self.small_work = self._gauge("kg_small_work", "Small requests under way.")
        self.requests_waiting = self._gauge("kg_requests_waiting", "Requests that wait for a slot.")
        self.body_bytes = self._gauge("kg_body_bytes", "Bytes of request bodies under way.")
        self.connections = self._gauge("kg_connections", "Open connections.")

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(name, meaning, registry=self.registry, multiprocess_mode="livesum")

    def count(self, event: str) -> None:
        """Count an event of workers or releases."""
        self.workers.labels(event).inc()

    def exposition(self) -> bytes:
        """Return the metrics in the text format of Prometheus."""
        registry = self.registry
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)
        return generate_latest(registry)
