"""The response cache, and the middleware that uses it.

A release never changes, so a response depends only on the target and on the negotiated headers.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.heads import Variant, preferred_coding, variant
from api.http.representation import Representation, condition, not_modified, of_answer
from api.site.site import Site
from api.telemetry.metrics import Metrics

MANY_BYTES = 100_000
_LARGEST_KEPT = 2_000_000
# The largest share of memory for responses that were requested repeatedly.
_SHARE_AGAIN = 0.8
# Successful responses, and redirects to documents and languages.
_KEPT = (200, 302, 303, 308)
_Value = TypeVar("_Value")


class Cache:
    """Representations by key, with a size limit; those requested once are evicted before those requested again.

    A segmented LRU (Karedla, Love and Wherry 1994), so that a client that requests everything once does not evict what
    others use.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._once: OrderedDict[object, tuple[Representation, int]] = OrderedDict()
        self._again: OrderedDict[object, tuple[Representation, int]] = OrderedDict()
        self._bytes_again = 0

    def get(self, key: object) -> Representation | None:
        found = self._again.get(key)
        if found is not None:
            self._again.move_to_end(key)
            return found[0]
        found = self._once.pop(key, None)
        if found is None:
            return None
        self._again[key] = found
        self._bytes_again += found[1]
        while self._bytes_again > self.most_bytes * _SHARE_AGAIN:
            oldest, given_back = self._again.popitem(last=False)
            self._bytes_again -= given_back[1]
            self._once[oldest] = given_back
        return found[0]

    def put(self, key: object, representation: Representation) -> None:
        """Stores a representation; storing it again updates its size."""
        size = representation.size
        kept = self._again if key in self._again else self._once
        self._drop(kept, key)
        if size > min(_LARGEST_KEPT, self.most_bytes) or not representation.is_kept:
            return
        kept[key] = (representation, size)
        self.bytes += size
        self._bytes_again += size if kept is self._again else 0
        while self.bytes > self.most_bytes:
            oldest = self._once or self._again
            self._drop(oldest, next(iter(oldest)))

    def _drop(self, kept: OrderedDict[object, tuple[Representation, int]], key: object) -> None:
        if key in kept:
            size = kept.pop(key)[1]
            self.bytes -= size
            self._bytes_again -= size if kept is self._again else 0

    def __len__(self) -> int:
        return len(self._once) + len(self._again)


def cache_key(site: Site, target: bytes, seen: Variant) -> object:
    """The cache key: the release, the path with its query, and the negotiated headers."""
    return site.version, target, seen


class Representations:
    """Answers GET from the cache, or caches the application's response; applies conditions and content coding.

    Of concurrent requests for the same resource, only one is processed.
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
        """The cached response, or that of a concurrent request."""
        if (found := self.cache.get(key)) is None and key in self._flights:
            return await asyncio.shield(self._flights[key])
        return found

    async def _made(self, key: object, scope: Scope, receive: Receive, send: Send) -> Representation | None:
        """The application's response; None if it cannot be cached and was already sent."""
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
            # Only cacheable responses are shared with concurrent requests.
            flight.set_result(found if found is not None and found.is_kept else None)
        return found


async def apart(size: int, work: Callable[..., _Value], *arguments: object) -> _Value:
    """Does work in a thread if it concerns many bytes, so that it does not block the event loop."""
    return work(*arguments) if size < MANY_BYTES else await asyncio.to_thread(work, *arguments)


class _Collector:
    """Buffers a cacheable response until it is complete; passes on others, including files sent in parts."""

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
    host, languages = request.get("host", ""), site.project.languages
    seen = variant(request.get("accept"), tongues, cookie, scope["scheme"], host, languages)
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
