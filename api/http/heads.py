"""Reads the relevant fields of request heads without the full HTTP parser.

Unusual heads are left to the parser. Everything else must be read exactly as the parser would.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from api.http.proxies import HOST, PublicAddress, TrustedProxies
from api.i18n import language
from api.settings import Settings
from kg.rdf import formats

CODINGS = ("br", "gzip")
_BLOCK = re.compile(rb"(?:\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\x00-\x08\x0a-\x1f\x7f]*)+\r\n\r\n")
# Fields for bodies, upgrades, rare conditions and ranges, which are left to the parser.
_UNUSUAL = frozenset(
    {
        *(b"content-length", b"transfer-encoding", b"trailer", b"te", b"expect", b"upgrade", b"http2-settings"),
        *(b"range", b"if-range", b"if-match", b"if-unmodified-since", b"if-modified-since"),
    }
)
_READ = frozenset(
    {
        *(b"accept", b"accept-encoding", b"accept-language", b"cookie", b"host", b"connection"),
        *(b"if-none-match", b"x-request-id", b"x-forwarded-for", b"x-forwarded-proto"),
    }
)
_LONGEST, _MOST = 2_048, 2_000
_LONGEST_HOST = 200

Variant = tuple[frozenset[tuple[str, float]] | None, str, str, str]


@dataclass(frozen=True, slots=True)
class Head:
    """The relevant header fields: `variant` is everything that the body may depend on, `coding` the best coding.

    `client` is the client's address as given by a trusted proxy, '' without one.
    """

    variant: Variant
    accept: str | None
    coding: str
    condition: str | None
    request_id: str
    client: str


def variant(accept: str | None, tongues: str, cookie: str, scheme: str, host: str, languages: Sequence[str]) -> Variant:
    """Everything except the target that a response may depend on. The host occurs in examples and descriptions."""
    return formats.accept_key(accept), language.preferred(tongues, cookie, languages), scheme, host[:_LONGEST_HOST]


def preferred_coding(accepted: str | None) -> str:
    """The supported content coding that the client prefers (RFC 9110, 12.5.3)."""
    if accepted is None:
        return "identity"
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, *parameters = (p.strip() for p in part.split(";"))
        weights.setdefault(name, formats.weight(parameters))
    best = max(CODINGS, key=lambda c: weights.get(c, weights.get("*", 0.0)))
    quality = weights.get(best, weights.get("*", 0.0))
    return best if quality > 0 and quality >= weights.get("identity", 0.0) else "identity"


class Heads:
    """Reads header fields, with a cache, since clients often send the same ones."""

    def __init__(self, settings: Settings, languages: Sequence[str]) -> None:
        self._languages = languages
        self._trusted = TrustedProxies(settings.trusted_proxies)
        self._address = PublicAddress(settings.public_url)
        self._known: dict[tuple[bytes, bool], Head | None] = {}

    def read(self, block: bytes, scheme: str, peer: str) -> Head | None:
        """The fields between the request line and the end of the head; None if they are left to the parser."""
        key = (block, peer in self._trusted)
        try:
            return self._known[key]
        except KeyError:
            head = self._read(block, scheme, key[1])
        if len(block) <= _LONGEST:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = head
        return head

    def _read(self, block: bytes, scheme: str, is_trusted: bool) -> Head | None:
        if not _BLOCK.fullmatch(block):
            return None
        fields: dict[bytes, str] = {}
        for line in block[2:-4].split(b"\r\n"):
            name, _, value = line.partition(b":")
            name = name.lower()
            if name in _UNUSUAL or (name in _READ and name in fields):
                return None
            fields[name] = value.strip(b" \t").decode("latin-1")
        host = fields.get(b"host", "")
        if not HOST.fullmatch(host.encode("latin-1")) or not self._address.allows(host):
            return None
        if fields.get(b"connection", "keep-alive").lower() != "keep-alive":
            return None
        client = ""
        if is_trusted:
            if (said := fields.get(b"x-forwarded-proto")) in ("http", "https"):
                scheme = said or scheme
            if chain := fields.get(b"x-forwarded-for"):
                client = self._trusted.client(chain)
        scheme, host = self._address.named(scheme, host)
        return Head(
            variant(
                fields.get(b"accept"),
                fields.get(b"accept-language", ""),
                fields.get(b"cookie", ""),
                scheme,
                host,
                self._languages,
            ),
            fields.get(b"accept"),
            preferred_coding(fields.get(b"accept-encoding")),
            fields.get(b"if-none-match"),
            fields.get(b"x-request-id", ""),
            client,
        )
