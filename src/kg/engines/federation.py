"""SERVICE: asks other endpoints for a query, only those allowed, only at public addresses, each with a timeout.

The engine opens connections and resolves names itself. So its requests go to a forwarder on loopback in the same child
process, which resolves a name once, refuses addresses that are not public, and connects to the address that it checked.
"""

from __future__ import annotations

import http.client
import http.server
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from kg.engines.evaluation import Query
from kg.errors import QueryRefused

_LARGEST_ANSWER = 64_000_000
_PASSED_ON = ("Accept", "Content-Type")
_CHUNK = 65_536
# IPv4 by way of a translator (RFC 6052).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# IPv4-compatible (RFC 4291, 2.5.5.1), local translators (RFC 8215), site-local (RFC 3879), discard-only (RFC 6666).
_NOT_PUBLIC = tuple(map(ipaddress.IPv6Network, ("::/96", "64:ff9b:1::/48", "fec0::/10", "100::/64")))


def public_address(host: str, port: int) -> str:
    """Return the address to connect to; raises `QueryRefused` unless all addresses of a name are public (RFC 6890)."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise QueryRefused(f"SERVICE: {host} cannot be resolved: {error}") from error
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    for address in addresses:
        if not is_public(address):
            raise QueryRefused(f"SERVICE: {host} is at {address}, which is no public address")
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an address, and every IPv4 address that a gateway would make of it, is public (RFC 6890)."""
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv4Address):
        return parsed.is_global and not parsed.is_multicast
    if parsed.ipv4_mapped is not None:
        return is_public(str(parsed.ipv4_mapped))
    if any(parsed in network for network in _NOT_PUBLIC):
        return False
    inner = [parsed.sixtofour, *(parsed.teredo or ())]
    if parsed in _NAT64:
        inner.append(ipaddress.IPv4Address(int(parsed) & 0xFFFF_FFFF))
    is_global = parsed in _NAT64 or parsed.sixtofour is not None or parsed.is_global
    return is_global and not parsed.is_multicast and all(is_public(str(each)) for each in inner if each is not None)


class Forwarder:
    """A loopback server that forwards SPARQL requests; `services` maps each endpoint to its timeout in seconds."""

    def __init__(self, services: Mapping[str, float]) -> None:
        self.endpoints = list(services)
        self.seconds = list(services.values())
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def do_GET(self) -> None:
                outer._pass_on(self, b"")

            def do_POST(self) -> None:
                outer._pass_on(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Logs nothing: queries are private."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def redirect(self, query: Query) -> Query:
        """Return the query with the forwarder's address in place of each allowed endpoint."""
        port = self.server.server_address[1]
        places = [(s, e, f"http://127.0.0.1:{port}/{self.endpoints.index(iri)}") for s, e, iri in query.services]
        return replace(query, services=tuple(places))

    def _pass_on(self, handler: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
        number, _, query = handler.path.lstrip("/").partition("?")
        try:
            status, content_type, answer = self._ask(handler, int(number), query, body)
        except (QueryRefused, OSError, http.client.HTTPException) as error:
            status, content_type, answer = 502, "text/plain; charset=utf-8", str(error).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", content_type)
        handler.send_header("Content-Length", str(len(answer)))
        handler.end_headers()
        handler.wfile.write(answer)

    def _ask(
        self, handler: http.server.BaseHTTPRequestHandler, number: int, query: str, body: bytes
    ) -> tuple[int, str, bytes]:
        target = urlsplit(self.endpoints[number])
        host, secure = target.hostname or "", target.scheme == "https"
        port = target.port or (443 if secure else 80)
        connection = http.client.HTTPConnection(host, port, timeout=self.seconds[number])
        raw = socket.create_connection((public_address(host, port), port), self.seconds[number])
        connection.sock = ssl.create_default_context().wrap_socket(raw, server_hostname=host) if secure else raw
        parameters = "&".join(p for p in (target.query, query) if p)
        headers = {name: handler.headers[name] for name in _PASSED_ON if name in handler.headers}
        path = f"{target.path or '/'}{'?' + parameters if parameters else ''}"
        connection.request(handler.command, path, body or None, headers)
        # A redirect would lead to an unchecked address, so it is an error like any other status.
        response = connection.getresponse()
        received = bytearray()
        while chunk := response.read(_CHUNK):
            received += chunk
            if len(received) > _LARGEST_ANSWER:
                raise OSError(f"{host} answers with more than {_LARGEST_ANSWER:,} bytes")
        connection.close()
        content_type = response.getheader("Content-Type", "application/octet-stream")
        return response.status, content_type, bytes(received)
