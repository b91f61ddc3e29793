"""The proxies whose `X-Forwarded-*` header fields are believed, and the address by which readers know the server."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from urllib.parse import urlsplit

# What may stand in a Host field (RFC 9110, 7.2): a name or an address, and a port.
HOST = re.compile(rb"(?:[A-Za-z0-9._~%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
# Names of this machine, at any port.
_LOOPBACK = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]*)?", re.IGNORECASE)
# `[address]`, `[address]:port` or `address:port`.
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::.*)?|([^:\[]*):\d+")


class TrustedProxies:
    """Addresses and networks, separated by commas. What is no address is compared as text.

    Reads `X-Forwarded-For` as uvicorn does for the application, so that both ways to an answer see the same client.
    """

    def __init__(self, listed: str) -> None:
        self._literals: set[str] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for entry in map(str.strip, listed.split(",")):
            try:
                self._networks.append(ipaddress.ip_network(entry))
            except ValueError:
                self._literals.add(entry)
        self._trusts = lru_cache(maxsize=4_096)(self._is_trusted)

    def __contains__(self, host: str) -> bool:
        return self._trusts(host)

    def _is_trusted(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return bool(host) and host in self._literals
        return any(address in network for network in self._networks)

    def client(self, chain: str) -> str:
        """Return the last address of `X-Forwarded-For` that is not a trusted proxy, else the first."""
        hosts = [_without_port(entry.strip()) for entry in chain.split(",")]
        return next((host for host in reversed(hosts) if host not in self), hosts[0])


class PublicAddress:
    """The address in `KG_PUBLIC_URL`, which answers name instead of the requested one; unset, any host is named."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.scheme, self.host = parts.scheme, parts.netloc

    def allows(self, host: str) -> bool:
        """Whether a request for this host is meant for this server."""
        return not self.host or host.lower() == self.host.lower() or _LOOPBACK.fullmatch(host) is not None

    def named(self, scheme: str, host: str) -> tuple[str, str]:
        """The scheme and host that the answer to a request names."""
        return (self.scheme, self.host) if self.host else (scheme, host)


def _without_port(entry: str) -> str:
    match = _WITH_PORT.fullmatch(entry)
    return entry if match is None else match[2] if match[1] is None else match[1]
