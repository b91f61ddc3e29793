"""Answers kept in memory, ready to be sent, and the layer of the application that keeps them.

A release never changes, so an answer depends only on the target and on what negotiation sees of the request.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.heads import Variant, preferred_coding, variant
from api.metrics import Metrics
from api.representation import Representation, condition, not_modified, of_answer
from api.site import Site

MANY_BYTES = 100_000
_LARGEST_KEPT = 2_000_000
# Answers, and redirects: to documents, and to a language.
_KEPT = (200, 302, 303, 308)
_Value = TypeVar("_Value")


class Cache:
    """Representations by key, the least recently used given up first; bounded in bytes."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._kept: OrderedDict[object, tuple[Representation, int]] = OrderedDict()

    def get(self, key: object) -> Representation | None:
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def put(self, key: object, representation: Representation) -> None:
        """Keeps a representation; put again when it has grown, it counts anew."""
        size = representation.size
        if key in self._kept:
            self.bytes -= self._kept.pop(key)[1]
        if size > min(_LARGEST_KEPT, self.most_bytes) or not representation.is_kept:
            return
        self._kept[key] = (representation, size)
        self.bytes += size
        while self.bytes > self.most_bytes:
            _, (_, given_up) = self._kept.popitem(last=False)
            self.bytes -= given_up

    def __len__(self) -> int:
        return len(self._kept)


def cache_key(site: Site, target: bytes, seen: Variant) -> object:
    """What a representation is kept under: the release, the path with its query, and what negotiation sees."""
    return site.version, target, seen


class Representations:
    """Answers GET from the cache, or keeps what the application answers; then conditions and content coding.

    Of several that ask for the same at once, one is worked on.
    """

    def __init__(self, app: ASGIApp, cache: Cache, metrics: Metrics) -> None:
        self.app = app
        self.cache = cache
        self.metrics = metrics
        self._flights: dict[object, asyncio.Future[Representation | None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "POST"):
            await self.app(scope, receive, send)
            return
        request, site = Headers(scope=scope), scope["state"]["site"]
        key = _key(scope, request, site) if scope["method"] == "GET" else None
        kept = found = await self._kept(key) if key is not None else None
        if found is None:
            found = await self._made(key, scope, receive, send)
        if found is None:
            return
        coding = found.coding(preferred_coding(request.get("accept-encoding")))
        is_new = coding != "identity" and coding not in found.coded
        if is_new:
            await apart(len(found.body), found.body_in, coding)
        if key is not None:
            self.metrics.cached.labels("hit" if kept else "miss").inc()
            if is_new or not kept:
                self.cache.put(key, found)
        await _send(send, request, found, coding, site, has_validators=key is not None)

    async def _kept(self, key: object) -> Representation | None:
        """The answer that is kept, or that somebody else is waiting for already."""
        if (found := self.cache.get(key)) is None and key in self._flights:
            return await asyncio.shield(self._flights[key])
        return found

    async def _made(self, key: object, scope: Scope, receive: Receive, send: Send) -> Representation | None:
        """What the application answers; None when it is nothing to keep, and sent already."""
        flight: asyncio.Future[Representation | None] = asyncio.get_running_loop().create_future()
        if key is not None:
            self._flights[key] = flight
        found = None
        try:
            collected = _Collector(send)
            await self.app(scope, receive, collected)
            if collected.start is not None and collected.is_whole:
                headers, body = collected.start["headers"], bytes(collected.body)
                status: int = collected.start["status"]
                found = await apart(len(body), of_answer, status, list(headers), body, scope["state"]["site"])
        finally:
            if key is not None:
                self._flights.pop(key, None)
            # Only what may be kept is for others, too.
            flight.set_result(found if found is not None and found.is_kept else None)
        return found


async def apart(size: int, work: Callable[..., _Value], *arguments: object) -> _Value:
    """Does work on so many bytes in a thread when there are many, so that nobody else waits for it."""
    return work(*arguments) if size < MANY_BYTES else await asyncio.to_thread(work, *arguments)


class _Collector:
    """Holds back what may be kept until it is whole; lets everything else pass, and a 200 that is a file in parts."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.start: Message | None = None
        self.body = bytearray()
        self.is_whole = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = Headers(raw=message["headers"])
            if message["status"] in _KEPT and "set-cookie" not in headers and "accept-ranges" not in headers:
                self.start = message
                return
        if self.start is None:
            await self.send(message)
            return
        self.body += message.get("body", b"")
        self.is_whole = not message.get("more_body", False)


def _key(scope: Scope, request: Headers, site: Site) -> object:
    target: bytes = scope.get("raw_path") or scope["path"].encode()
    if scope["query_string"]:
        target += b"?" + scope["query_string"]
    tongues, cookie = request.get("accept-language", ""), request.get("cookie", "")
    seen = variant(request.get("accept"), tongues, cookie, scope["scheme"], request.get("host", ""))
    return cache_key(site, target, seen)


async def _send(
    send: Send, request: Headers, representation: Representation, coding: str, site: Site, *, has_validators: bool
) -> None:
    body, status = representation.body_in(coding), representation.status
    fields = representation.fields(coding, site.issued, has_validators=has_validators)
    if has_validators and (tag := representation.tag_in(coding)):
        status = condition(request, tag, site)
        if status != 200:
            fields, body = not_modified(fields), b""
            if status == 412:
                fields.append((b"content-length", b"0"))
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
