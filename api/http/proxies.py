"""The proxies whose `X-Forwarded-*` header fields are believed, and the client that they name."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

# `[address]`, `[address]:port` or `address:port`.
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::.*)?|([^:\[]*):\d+")


class TrustedProxies:
    """Addresses and networks, separated by commas; `*` trusts every peer. What is no address is compared as text.

    Reads `X-Forwarded-For` as uvicorn does for the application, so that both ways to an answer see the same client.
    """

    def __init__(self, listed: str) -> None:
        self._trusts_all = listed == "*"
        self._literals: set[str] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for entry in map(str.strip, listed.split(",")):
            try:
                self._networks.append(ipaddress.ip_network(entry))
            except ValueError:
                self._literals.add(entry)
        self._trusts = lru_cache(maxsize=4_096)(self._is_trusted)

    def __contains__(self, host: str) -> bool:
        return self._trusts_all or self._trusts(host)

    def _is_trusted(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return bool(host) and host in self._literals
        return any(address in network for network in self._networks)

    def client(self, chain: str) -> str:
        """Return the last address of `X-Forwarded-For` that is not a trusted proxy, else the first."""
        hosts = [_without_port(entry.strip()) for entry in chain.split(",")]
        if self._trusts_all:
            return hosts[0]
        return next((host for host in reversed(hosts) if host not in self), hosts[0])


def _without_port(entry: str) -> str:
    match = _WITH_PORT.fullmatch(entry)
    return entry if match is None else match[2] if match[1] is None else match[1]
