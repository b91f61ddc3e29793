"""Messages between the server and its query workers, over a socket that keeps packets apart (SOCK_SEQPACKET).

A packet begins with one byte, which says whether more of the same message follows. What a small query costs is mostly
what moving it costs, so messages are a fixed head and bytes. Only what the server itself wrote is read with `marshal`.
"""

from __future__ import annotations

import json
import marshal
import socket
import struct
from collections.abc import Iterator
from typing import Any

from kg.engines.evaluation import Answer, Query, ResultFormats
from kg.errors import (
    EngineAway,
    EngineFailed,
    EngineTimeout,
    FormatNotOffered,
    KgError,
    QueryFailed,
    QueryMalformed,
    QueryRefused,
    ReleaseMoved,
    ResultTooLarge,
)

LARGEST = 65_536
_LAST, _MORE = b"\x00", b"\x01"
_ANSWER = struct.Struct("!BBQ")
_KINDS = ("solutions", "boolean", "graph")
_FAILED = 255


def split(message: bytes) -> Iterator[bytes]:
    """The packets of a message."""
    room = LARGEST - 1
    last = max(0, len(message) - 1) // room * room
    for start in range(0, last, room):
        yield _MORE + message[start : start + room]
    yield _LAST + message[last:]


class Receiver:
    """Puts a message together from packets; one buffer serves for all."""

    def __init__(self) -> None:
        self._buffer = bytearray(LARGEST)
        self._view = memoryview(self._buffer)
        self._begun: list[bytes] = []

    def receive(self, channel: socket.socket, *, wait: bool = True) -> bytes | None:
        """The message that the next packet completes, None when more must come; raises `EOFError` at the end.

        Unless it may `wait`, `BlockingIOError` when there is none.
        """
        size = channel.recv_into(self._buffer, 0, 0 if wait else socket.MSG_DONTWAIT)
        if not size:
            raise EOFError
        part = self._view[1:size].tobytes()
        if self._buffer[:1] == _MORE:
            self._begun.append(part)
            return None
        if self._begun:
            part = b"".join((*self._begun, part))
            self._begun.clear()
        return part


def request(query: Query, want: ResultFormats, most_bytes: int) -> bytes:
    """What a worker is asked."""
    asked = (query.text, query.default_graphs, query.named_graphs, query.services)
    return marshal.dumps((asked, (want.results, want.graph, want.rows), most_bytes))


def read_request(message: bytes) -> tuple[Query, ResultFormats, int]:
    """The inverse of `request`."""
    asked, want, most_bytes = marshal.loads(message)  # noqa: S302 written by the server, never by a stranger
    return Query(*asked), ResultFormats(*want), most_bytes


def answer(result: Answer) -> bytes:
    """What a worker answers."""
    content_type = result.content_type.encode()
    head = _ANSWER.pack(_KINDS.index(result.kind), len(content_type), result.total)
    return b"".join((head, content_type, result.body))


def error(failure: KgError) -> bytes:
    """What a worker answers when the query is at fault."""
    arguments: list[Any] = [str(failure)]
    if isinstance(failure, QueryMalformed):
        arguments += [failure.line, failure.column]
    elif isinstance(failure, ResultTooLarge):
        arguments = [failure.limit]
    elif isinstance(failure, FormatNotOffered):
        arguments = [failure.kind]
    return _ANSWER.pack(_FAILED, 0, 0) + json.dumps([type(failure).__name__, arguments]).encode()


_ERRORS: dict[str, type[KgError]] = {
    e.__name__: e
    for e in (
        *(QueryMalformed, QueryFailed, QueryRefused, ResultTooLarge, FormatNotOffered),
        *(EngineAway, EngineFailed, EngineTimeout, ReleaseMoved),
    )
}


def read_answer(message: bytes) -> Answer:
    """The answer of a worker; raises the error that it met."""
    kind, size, total = _ANSWER.unpack_from(message)
    start = _ANSWER.size
    if kind == _FAILED:
        name, arguments = json.loads(message[start:])
        raise _ERRORS[name](*arguments)
    return Answer(_KINDS[kind], message[start : start + size].decode(), message[start + size :], total)
