"""Who counts as one client."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from starlette.types import Scope

_LONGEST_HOST = 100


def client_of(host: str) -> str:
    """Return the key of a client: its address, of IPv6 only the network, which one client has to itself (RFC 6177)."""
    return _client_of(host[:_LONGEST_HOST])


def client_in(scope: Scope) -> str:
    """The key of the client of a request, behind the proxies that are trusted."""
    peer = scope.get("client")
    return client_of(peer[0] if peer else "")


@lru_cache(maxsize=10_000)
def _client_of(host: str) -> str:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
