"""The hot path: responses that bypass the application.

A cached response to a GET is sent from memory. A query to the endpoint is answered in place if it is certain to be
small (`kg.sparql.bounded`), otherwise it goes directly to a worker; its result is cached and sent the same way.
Everything else, every error, and unusual requests fall through to the application, which can answer everything that is
answered here.
"""

from __future__ import annotations

import asyncio
import functools
import re
import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from api.admission.clients import client_of
from api.http.bodies import fields
from api.http.caching import MANY_BYTES, Cache, cache_key
from api.http.heads import Head, Heads
from api.http.representation import EncodedResponse, Representation, of_answer
from api.http.responses import answer
from api.middleware import ALWAYS, known_or_new_id
from api.queries import execution
from api.queries.execution import Formats, QueryOutcome, seconds_asked, wanted
from api.settings import Settings
from api.site.current import Serving
from api.site.site import Site
from api.telemetry.requests import RequestLog
from kg.engines import codec
from kg.engines.evaluation import Answer, Query, ResultFormats
from kg.errors import KgError, QueryTimeout
from kg.isolation.jobs import Job
from kg.sparql import guard

if TYPE_CHECKING:
    from api.hotpath.connection import Connection

# Queries with dataset parameters are left to the application.
_QUERY_PARAMETERS = frozenset({"query", "format", "timeout"})
# The characters of a target that the parser takes; a fragment is left to it.
_TARGET = re.compile(rb"/[!\"$-~]*")
_LONGEST_QUERY, _LONGEST_ACCEPT = 5_000, 1_000
# A single strong entity tag; lists, weak tags and `*` are left to the application.
_ONE_TAG = re.compile(r'"[^"]*"')


class Asked(NamedTuple):
    """A query as a request asks it, with its time limit, and whether two evaluations may differ."""

    query: Query
    want: ResultFormats
    seconds: float
    is_volatile: bool


class Waiter(NamedTuple):
    """A connection that waits for a result, with its request, until its own deadline."""

    connection: Connection
    data: bytes
    head: Head
    until: float


@dataclass(eq=False, slots=True)
class Flight:
    """A running query, and the connections that wait for its result, which may be several for the same query."""

    key: object
    target: bytes
    site: Site
    started: float
    seconds: float
    is_volatile: bool
    job: Job = field(init=False)
    waiting: list[Waiter] = field(default_factory=list)
    # Tells those whose deadline comes before that of the last one.
    timer: asyncio.TimerHandle | None = None


class Shortcut:
    """Handles requests on the hot path; shared by all connections of a process."""

    def __init__(self, settings: Settings, serving: Serving, cache: Cache, request_log: RequestLog) -> None:
        self._settings = settings
        self._serving = serving
        self._cache = cache
        self._request_log = request_log
        self._heads = Heads(settings, serving.site.project.languages)
        self._root = b"/" + settings.root_path.strip("/").encode() if settings.root_path.strip("/") else b""
        self._limits = guard.QueryLimits(
            settings.max_query_length, settings.max_query_depth, settings.max_query_operators
        )
        self._flights: dict[object, Flight] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, connection: Connection, data: bytes) -> bool:
        """Whether a request, given by its complete head, is answered here, now or later."""
        end = data.find(b"\r\n")
        if data[end - 9 : end] != b" HTTP/1.1" or len(data) > self._settings.max_head_bytes:
            return False
        target = data[4 : end - 9]
        if not _TARGET.fullmatch(target):
            return False
        head = self._heads.read(data[end:], connection.scheme or "http", connection.peer)
        if head is None:
            return False
        if self._root and target != self._root and not target.startswith(self._root + b"/"):
            target = self._root + target
        site = self._serving.site
        key = cache_key(site, target, head.variant)
        kept = self._cache.get(key)
        if kept is not None:
            return self._send_kept(connection, head, site, key, target, kept)
        if not target.startswith(b"/sparql?", len(self._root)):
            return False
        if head.condition is not None and not _ONE_TAG.fullmatch(head.condition):
            return False
        return self._ask(connection, data, head, site, key, target)

    # ---- cached responses ----

    def _send_kept(
        self, connection: Connection, head: Head, site: Site, key: object, target: bytes, kept: Representation
    ) -> bool:
        coding = kept.coding(head.coding)
        if coding != "identity" and coding not in kept.coded and len(kept.body) >= MANY_BYTES:
            # The application compresses it in a thread.
            return False
        is_new = coding not in kept.wires
        wire = kept.wire(coding, site, _common(site.version)) if is_new else kept.wires[coding]
        if head.condition is not None and wire.tag not in ("", head.condition):
            # The tag may be one of several, or a weak one.
            return False
        if is_new:
            self._cache.put(key, kept)
        status, sent = self._send(connection, head, wire)
        path = target.partition(b"?")[0][len(self._root) :].decode("latin-1")
        self._request_log.count_hit(self._request_log.label_of(path), status, sent)
        if self._request_log.are_logged:
            self._log(connection, head, target, status, sent, 0.0)
        return True

    def _send(self, connection: Connection, head: Head, wire: EncodedResponse) -> tuple[int, int]:
        """Sends a representation or a 304; returns the status and the size of the body."""
        request_id = connection.request_id = known_or_new_id(head.request_id)
        last = b"x-request-id: %s\r\n\r\n" % request_id.encode()
        if wire.tag and head.condition == wire.tag:
            connection.send(STATUS_LINE[304], wire.not_modified, last, b"")
            return 304, 0
        connection.send(STATUS_LINE[wire.status], wire.head, last, wire.body)
        return wire.status, len(wire.body)

    def _log(self, connection: Connection, head: Head, target: bytes, status: int, sent: int, seconds: float) -> None:
        client = head.client or connection.peer
        self._request_log.log(connection.request_id, client, "GET", target, status, sent, seconds)

    # ---- queries ----

    def _ask(self, connection: Connection, data: bytes, head: Head, site: Site, key: object, target: bytes) -> bool:
        flight = self._flights.get(key)
        # Who joins extends the query; an old one is not extended again and again.
        if flight is not None and time.monotonic() <= flight.started + flight.seconds:
            self._join(flight, connection, data, head)
            return True
        try:
            read = self._read(target, head, site)
        except KgError:
            # The application reports the error.
            return False
        if read is None:
            return False
        flight = Flight(key, target, site, time.monotonic(), read.seconds, read.is_volatile)
        if (small := execution.answer_in_place(site, read.query, read.want)) is not None:
            flight.waiting.append(Waiter(connection, data, head, 0.0))
            self._deliver(flight, _representation(flight, small))
            return True
        client = client_of(head.client or connection.peer)
        if not site.pool.has_room(client):
            return False
        message = codec.request(read.query, read.want, self._settings.max_result_bytes)
        flight.job = Job(message, client, read.seconds, functools.partial(self._on_answer, flight))
        self._join(flight, connection, data, head)
        if not read.is_volatile:
            self._flights[key] = flight
        site.pool.submit(flight.job)
        return True

    def _join(self, flight: Flight, connection: Connection, data: bytes, head: Head) -> None:
        """Lets a connection wait for a result, for as long as it asked for."""
        flight.job.deadline = time.monotonic() + flight.seconds
        if flight.waiting and flight.timer is None:
            self._time(flight)
        flight.waiting.append(Waiter(connection, data, head, flight.job.deadline))
        connection.wait(flight)

    def _time(self, flight: Flight) -> None:
        left = max(0.0, flight.waiting[0].until - time.monotonic())
        flight.timer = asyncio.get_running_loop().call_later(left, self._tell_late, flight)

    def _tell_late(self, flight: Flight) -> None:
        """Tells the connections whose deadline has passed, while the query goes on for others."""
        flight.timer = None
        now = time.monotonic()
        late = [waiter for waiter in flight.waiting if now >= waiter.until]
        flight.waiting = [waiter for waiter in flight.waiting if now < waiter.until]
        if len(flight.waiting) > 1:
            self._time(flight)
        elif not flight.waiting:
            self._drop(flight)
        for waiter in late:
            waiter.connection.fall_through(waiter.data, QueryTimeout(flight.seconds))

    def _read(self, target: bytes, head: Head, site: Site) -> Asked | None:
        """What a request asks; None if the application has to answer it.

        Raises `KgError` for an invalid query.
        """
        if len(head.accept or "") > _LONGEST_ACCEPT:
            return None
        parameters = fields(target.partition(b"?")[2])
        values = dict(parameters)
        query = values.get("query")
        is_plain = len(parameters) == len(values) and values.keys() <= _QUERY_PARAMETERS
        if query is None or not is_plain or len(query) > _LONGEST_QUERY:
            return None
        formats = _formats(head.accept, values.get("format"))
        if formats.html:
            return None
        # Allowed endpoints are left to the application: here every SERVICE is an error.
        reading = guard.read(query, self._limits)
        want = ResultFormats(formats.results, formats.graph)
        seconds = seconds_asked(site, values.get("timeout"))
        return Asked(Query(query), want, seconds, reading.is_volatile)

    def leave(self, connection: Connection, flight: Flight) -> None:
        """Removes a lost connection; ends the query if no other connection waits for it."""
        flight.waiting = [waiter for waiter in flight.waiting if waiter.connection is not connection]
        if not flight.waiting:
            self._drop(flight)
            flight.site.pool.cancel(flight.job)

    def _drop(self, flight: Flight) -> None:
        """Lets nobody join a query any more."""
        # Another one may have the same key by now.
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]
        if flight.timer is not None:
            flight.timer.cancel()
            flight.timer = None

    def _on_answer(self, flight: Flight) -> None:
        self._drop(flight)
        if not flight.waiting:
            return
        try:
            found = codec.read_answer(flight.job.result())
        except KgError as error:
            for waiter in flight.waiting:
                waiter.connection.fall_through(waiter.data, error)
            return
        if len(found.body) < MANY_BYTES:
            self._deliver(flight, _representation(flight, found))
        else:
            task = asyncio.ensure_future(self._deliver_apart(flight, found))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver_apart(self, flight: Flight, found: Answer) -> None:
        """Hashes and compresses a large response in a thread, so that it does not block the event loop."""
        made = await asyncio.to_thread(_representation, flight, found)
        for coding in {made.coding(waiter.head.coding) for waiter in flight.waiting}:
            await asyncio.to_thread(made.body_in, coding)
        self._deliver(flight, made)

    def _deliver(self, flight: Flight, made: Representation) -> None:
        seconds = time.monotonic() - flight.started
        waiting, flight.waiting = flight.waiting, []
        for connection, _, head, _ in waiting:
            wire = made.wire(made.coding(head.coding), flight.site, _common(flight.site.version))
            status, sent = self._send(connection, head, wire)
            self._request_log.count("sparql", "GET", status, sent, seconds)
            if self._request_log.are_logged:
                self._log(connection, head, flight.target, status, sent, seconds)
        self._cache.put(flight.key, made)


@lru_cache(maxsize=10)
def _common(version: str) -> tuple[tuple[str, str], ...]:
    """The header fields of every response of a release."""
    return (*ALWAYS.items(), ("X-Release", version))


def _representation(flight: Flight, found: Answer) -> Representation:
    return of_answer(200, list(_headers(found.content_type, flight.is_volatile)), found.body, flight.site)


@lru_cache(maxsize=1_000)
def _formats(accept: str | None, asked: str | None) -> Formats:
    return wanted(accept, asked)


@lru_cache(maxsize=100)
def _headers(content_type: str, is_volatile: bool) -> tuple[tuple[bytes, bytes], ...]:
    """The header fields of a query result, as sent by the application."""
    plain = QueryOutcome(content_type=content_type, is_volatile=is_volatile)
    return tuple(answer(b"", content_type, plain.headers).raw_headers)
