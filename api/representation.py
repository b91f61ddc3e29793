"""Representations: kept in memory with their compressed bodies, each with a strong validator; conditions evaluated.

A release never changes, so an answer depends only on the target and on what negotiation sees of the request.
"""

from __future__ import annotations

import asyncio
import datetime
import gzip
import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime, parsedate_to_datetime
from typing import TypeVar

import brotli
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import language
from api.metrics import Metrics
from api.site import Site
from kg import formats

CODINGS = ("br", "gzip")
_SMALLEST = 500
_MANY_BYTES = 100_000
_Value = TypeVar("_Value")
_LARGEST_KEPT = 2_000_000
_LARGEST_COMPRESSED = 8_000_000
_COMPRESSIBLE = re.compile(
    r"text/|application/(?:[\w.-]+\+)?(?:json|xml|n-triples|n-quads|trig)|image/svg\+xml", re.ASCII
)
_BROTLI_QUALITY, _GZIP_LEVEL = 5, 6
_NOT_IN_304 = ("content-length", "content-type", "content-encoding")


@dataclass(slots=True)
class Representation:
    """A 200 as it is sent: header fields without length and coding, the body, and its compressed forms."""

    headers: list[tuple[bytes, bytes]]
    body: bytes
    tag: str
    coded: dict[str, bytes] = field(default_factory=dict)

    @property
    def is_compressible(self) -> bool:
        content_type = Headers(raw=self.headers).get("content-type", "")
        size = len(self.body)
        return _SMALLEST <= size <= _LARGEST_COMPRESSED and _COMPRESSIBLE.match(content_type) is not None

    def body_in(self, coding: str) -> bytes:
        """The body in a content coding, compressed once; `identity` is the body itself."""
        if coding == "identity":
            return self.body
        if coding not in self.coded:
            self.coded[coding] = _compress(self.body, coding)
        return self.coded[coding]

    @property
    def size(self) -> int:
        return len(self.body) + sum(map(len, self.coded.values())) + 500


def _compress(body: bytes, coding: str) -> bytes:
    if coding == "br":
        compressed: bytes = brotli.compress(body, quality=_BROTLI_QUALITY)
        return compressed
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)


class Cache:
    """Representations by key, the least recently used given up first; bounded in bytes."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._kept: OrderedDict[object, tuple[Representation, int]] = OrderedDict()

    def get(self, key: object) -> Representation | None:
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def put(self, key: object, representation: Representation) -> None:
        size = representation.size
        if key in self._kept:
            self.bytes -= self._kept.pop(key)[1]
        if size > min(_LARGEST_KEPT, self.most_bytes):
            return
        self._kept[key] = (representation, size)
        self.bytes += size
        while self.bytes > self.most_bytes:
            _, (_, given_up) = self._kept.popitem(last=False)
            self.bytes -= given_up

    def __len__(self) -> int:
        return len(self._kept)


class Representations:
    """Answers GET from the cache, or keeps what the application answers; then conditions and content coding."""

    def __init__(self, app: ASGIApp, cache: Cache, metrics: Metrics) -> None:
        self.app = app
        self.cache = cache
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "POST"):
            await self.app(scope, receive, send)
            return
        request, site = Headers(scope=scope), scope["state"]["site"]
        is_get = scope["method"] == "GET"
        key = _key(scope, request, site) if is_get else None
        kept = found = self.cache.get(key) if key is not None else None
        if found is None:
            collected = _Collector(send)
            await self.app(scope, receive, collected)
            if not collected.is_whole:
                return
            found = await _apart(len(collected.body), _representation, collected, site)
        coding = _coding(request, found)
        is_new = coding != "identity" and coding not in found.coded
        if is_new:
            await _apart(len(found.body), found.body_in, coding)
        if key is not None:
            self.metrics.cached.labels("hit" if kept else "miss").inc()
            # Put again when a coding is new: it counts for the size.
            if (is_new or not kept) and "no-store" not in Headers(raw=found.headers).get("cache-control", ""):
                self.cache.put(key, found)
        await _send(send, request, found, coding, site, is_get)


async def _apart(size: int, work: Callable[..., _Value], *arguments: object) -> _Value:
    """Does work on so many bytes in a thread when there are many, so that nobody else waits for it."""
    return work(*arguments) if size < _MANY_BYTES else await asyncio.to_thread(work, *arguments)


class _Collector:
    """Holds back a 200 until it is whole; lets everything else pass, and a 200 that is a file in parts."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.start: Message | None = None
        self.body = bytearray()
        self.is_whole = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = Headers(raw=message["headers"])
            if message["status"] == 200 and "set-cookie" not in headers and "accept-ranges" not in headers:
                self.start = message
                return
        if self.start is None:
            await self.send(message)
            return
        self.body += message.get("body", b"")
        self.is_whole = not message.get("more_body", False)


def _key(scope: Scope, request: Headers, site: Site) -> object:
    """All that the answer may depend on. The host stands in examples and in the Service Description."""
    return (
        site.version,
        scope.get("root_path", ""),
        scope.get("raw_path") or scope["path"].encode(),
        scope["query_string"],
        formats.accept_key(request.get("accept")),
        language.key(request),
        scope["scheme"],
        request.get("host", "")[:200],
    )


def _representation(collected: _Collector, site: Site) -> Representation:
    assert collected.start is not None
    body = bytes(collected.body)
    headers = [(n, v) for n, v in collected.start["headers"] if n.lower() not in (b"content-length", b"etag")]
    fields = MutableHeaders(raw=headers)
    digest = hashlib.blake2b(body, digest_size=8)
    digest.update(fields.get("content-type", "").encode())
    return Representation(headers, body, f"{site.version[:8]}.{digest.hexdigest()}")


def _coding(request: Headers, representation: Representation) -> str:
    """The content coding to send: the best that the client takes (RFC 9110, 12.5.3)."""
    accepted = request.get("accept-encoding")
    if accepted is None or not representation.is_compressible:
        return "identity"
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, *parameters = (p.strip() for p in part.split(";"))
        weights.setdefault(name, formats.weight(parameters))
    best = max(CODINGS, key=lambda c: weights.get(c, weights.get("*", 0.0)))
    quality = weights.get(best, weights.get("*", 0.0))
    return best if quality > 0 and quality >= weights.get("identity", 0.0) else "identity"


async def _send(
    send: Send, request: Headers, representation: Representation, coding: str, site: Site, is_get: bool
) -> None:
    body = representation.body_in(coding)
    message: Message = {"type": "http.response.start", "status": 200, "headers": list(representation.headers)}
    headers = MutableHeaders(scope=message)
    if representation.is_compressible:
        headers.add_vary_header("Accept-Encoding")
    if coding != "identity":
        headers["content-encoding"] = coding
    headers["content-length"] = str(len(body))
    if is_get and "no-store" not in headers.get("cache-control", ""):
        tag = f'"{representation.tag}{"" if coding == "identity" else "." + coding}"'
        headers["etag"] = tag
        headers.setdefault("last-modified", format_datetime(site.issued, usegmt=True))
        status = condition(request, tag, site)
        if status != 200:
            message["status"], body = status, b""
            for name in _NOT_IN_304:
                del headers[name]
            if status == 412:
                headers["content-length"] = "0"
    await send(message)
    await send({"type": "http.response.body", "body": body})


def condition(request: Mapping[str, str], tag: str, site: Site) -> int:
    """200, 304 or 412, by the order of precedence of RFC 9110, 13.2.2."""
    modified = site.issued.replace(microsecond=0)
    if (wanted := request.get("if-match")) is not None:
        if wanted.strip() != "*" and tag not in _tags(wanted, weak=False):
            return 412
    elif (since := _date(request.get("if-unmodified-since"))) and modified > since:
        return 412
    if (known := request.get("if-none-match")) is not None:
        return 304 if known.strip() == "*" or tag in _tags(known, weak=True) else 200
    since = _date(request.get("if-modified-since"))
    return 304 if since and modified <= since else 200


_TAG = re.compile(r'(W/)?("[^"\x00-\x20\x7f]*")')


def _tags(written: str, *, weak: bool) -> set[str]:
    """The entity tags of a list; for the weak comparison those marked weak too."""
    return {tag for mark, tag in _TAG.findall(written) if weak or not mark}


def _date(written: str | None) -> datetime.datetime | None:
    try:
        date = parsedate_to_datetime(written) if written else None
    except ValueError:
        return None
    return date if date is not None and date.tzinfo is not None else None
