"""Representations: cached responses with strong validators, compressed bodies and conditional requests."""

from __future__ import annotations

import datetime
import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache

import brotli
from starlette.datastructures import Headers, MutableHeaders

from api.site.site import Site

_SMALLEST = 500
_LARGEST_COMPRESSED = 8_000_000
_COMPRESSIBLE = re.compile(
    r"text/|application/(?:[\w.-]+\+)?(?:json|xml|n-triples|n-quads|trig)|image/svg\+xml", re.ASCII
)
_BROTLI_QUALITY, _GZIP_LEVEL = 5, 6
_NOT_IN_304 = (b"content-length", b"content-type", b"content-encoding")
_Fields = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class EncodedResponse:
    """A representation in one coding as it goes over the wire: all of the head but what each answer has of its own.

    `head` are its fields and `not_modified` those of a 304; `tag` is the entity tag, '' for a redirect.
    """

    status: int
    head: bytes
    not_modified: bytes
    body: bytes
    tag: str


@dataclass(slots=True)
class Representation:
    """A 200 or a redirect as it is sent: fields without length, coding, validators; the body; its compressed forms."""

    status: int
    headers: _Fields
    body: bytes
    tag: str
    is_text: bool
    is_kept: bool
    coded: dict[str, bytes] = field(default_factory=dict)
    wires: dict[str, EncodedResponse] = field(default_factory=dict)

    @property
    def is_compressible(self) -> bool:
        return self.is_text and _SMALLEST <= len(self.body) <= _LARGEST_COMPRESSED

    def coding(self, preferred: str) -> str:
        """The content coding for a client that prefers `coding`."""
        return preferred if self.is_compressible else "identity"

    def body_in(self, coding: str) -> bytes:
        """The body in a content coding, compressed once; `identity` is the body itself."""
        if coding == "identity":
            return self.body
        if coding not in self.coded:
            self.coded[coding] = _compress(self.body, coding)
        return self.coded[coding]

    def tag_in(self, coding: str) -> str:
        """The entity tag of the body in a coding: release, hash of the content, and coding; '' for none."""
        if self.status != 200 or not self.is_kept:
            return ""
        return f'"{self.tag}{"" if coding == "identity" else "." + coding}"'

    def fields(self, coding: str, issued: datetime.datetime, *, has_validators: bool = True) -> _Fields:
        """The header fields of a 200 in a coding."""
        fields = MutableHeaders(raw=list(self.headers))
        # By the type alone, so that all variants of a URL vary on the same fields (RFC 9111, 4.1).
        if self.is_text:
            fields.add_vary_header("Accept-Encoding")
        if coding != "identity":
            fields["content-encoding"] = coding
        if has_validators and (tag := self.tag_in(coding)):
            fields.setdefault("last-modified", format_datetime(issued, usegmt=True))
            fields["etag"] = tag
        fields["content-length"] = str(len(self.body_in(coding)))
        return fields.raw

    def wire(self, coding: str, site: Site, common: tuple[tuple[str, str], ...]) -> EncodedResponse:
        """The wire format in a coding, made once; `common` are the fields of every response of the release."""
        if (made := self.wires.get(coding)) is None:
            body, tag = self.body_in(coding), self.tag_in(coding)
            kind = self.status, self.is_text, self.is_kept
            head, unmodified = _lines(tuple(self.headers), kind, coding, site.issued, common)
            validator = b"etag: %s\r\n" % tag.encode() if tag else b""
            head = b"%s%scontent-length: %d\r\n" % (head, validator, len(body))
            made = self.wires[coding] = EncodedResponse(self.status, head, unmodified + validator, body, tag)
        return made

    @property
    def size(self) -> int:
        """Its approximate size in memory, in bytes."""
        heads = sum(len(w.head) + len(w.not_modified) for w in self.wires.values())
        return len(self.body) + sum(map(len, self.coded.values())) + heads + 1_000


def of_answer(status: int, headers: _Fields, body: bytes, site: Site) -> Representation:
    """Makes a representation of an application's response; `headers` are its fields with lower-case names."""
    kept, content_type, is_text, is_kept = _traits(tuple(headers))
    digest = hashlib.blake2b(body, digest_size=8)
    digest.update(content_type)
    return Representation(status, kept, body, f"{site.version[:8]}.{digest.hexdigest()}", is_text, is_kept)


@lru_cache(maxsize=2_000)
def _traits(headers: tuple[tuple[bytes, bytes], ...]) -> tuple[_Fields, bytes, bool, bool]:
    """The cached header fields, the content type, whether it is text, and whether the response is cacheable."""
    kept = [(n, v) for n, v in headers if n not in (b"content-length", b"etag")]
    fields = Headers(raw=kept)
    content_type = fields.get("content-type", "")
    is_kept = "no-store" not in fields.get("cache-control", "")
    return kept, content_type.encode(), _COMPRESSIBLE.match(content_type) is not None, is_kept


def not_modified(fields: _Fields) -> _Fields:
    """The header fields of a 200 that belong in a 304 (RFC 9110, 15.4.5)."""
    return [(n, v) for n, v in fields if n not in _NOT_IN_304]


@lru_cache(maxsize=2_000)
def _lines(
    headers: tuple[tuple[bytes, bytes], ...],
    kind: tuple[int, bool, bool],
    coding: str,
    issued: datetime.datetime,
    common: tuple[tuple[str, str], ...],
) -> tuple[bytes, bytes]:
    """The header lines of a 200 and a 304 without the per-response fields; most responses share them."""
    status, is_text, is_kept = kind
    plain = Representation(status, list(headers), b"", "", is_text, is_kept, {coding: b""})
    fields = MutableHeaders(raw=plain.fields(coding, issued))
    for name, value in common:
        fields.setdefault(name, value)
    shared = [(n, v) for n, v in fields.raw if n not in (b"etag", b"content-length")]
    return tuple(b"".join(b"%s: %s\r\n" % pair for pair in f) for f in (shared, not_modified(shared)))  # type: ignore[return-value]


def _compress(body: bytes, coding: str) -> bytes:
    if coding == "br":
        compressed: bytes = brotli.compress(body, quality=_BROTLI_QUALITY)
        return compressed
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)


def condition(request: Mapping[str, str], tag: str, site: Site) -> int:
    """200, 304 or 412, by the precedence of RFC 9110, 13.2.2.

    A date is that of the release, or later than when it became the current one: after a return to an older release,
    a date in between may be that of other content. A date in the future is none (RFC 9110, 13.1.3).
    """
    modified = site.issued.replace(microsecond=0)
    if (wanted := request.get("if-match")) is not None:
        if wanted.strip() != "*" and tag not in _tags(wanted, weak=False):
            return 412
    elif (since := _date(request.get("if-unmodified-since"))) and modified > since:
        return 412
    if (known := request.get("if-none-match")) is not None:
        return 304 if known.strip() == "*" or tag in _tags(known, weak=True) else 200
    since = _date(request.get("if-modified-since"))
    if since is None or since == modified:
        return 304 if since else 200
    return 304 if max(modified, site.current_since) <= since <= datetime.datetime.now(datetime.UTC) else 200


_TAG = re.compile(r'(W/)?("[^"\x00-\x20\x7f]*")')


def _tags(written: str, *, weak: bool) -> set[str]:
    """The entity tags of a list, including weak ones for the weak comparison."""
    return {tag for mark, tag in _TAG.findall(written) if weak or not mark}


def _date(written: str | None) -> datetime.datetime | None:
    try:
        date = parsedate_to_datetime(written) if written else None
    except ValueError:
        return None
    return date if date is not None and date.tzinfo is not None else None
