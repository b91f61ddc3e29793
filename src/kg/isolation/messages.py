"""Messages to and from child processes, over a socket that keeps packets apart (SOCK_SEQPACKET).

The first byte of a packet says whether more of the same message follows. A reply that begins with the byte 255, which
no UTF-8 text has, is an error.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from kg.errors import KgError

LARGEST = 65_536
_LAST, _MORE = b"\x00", b"\x01"
_FAILED = b"\xff"
_SIZE = struct.Struct("!I")


def split(message: bytes) -> Iterator[bytes]:
    """The packets of a message."""
    room = LARGEST - 1
    last = max(0, len(message) - 1) // room * room
    for start in range(0, last, room):
        yield _MORE + message[start : start + room]
    yield _LAST + message[last:]


class Receiver:
    """Puts messages together from packets, in one buffer."""

    def __init__(self) -> None:
        self._buffer = bytearray(LARGEST)
        self._view = memoryview(self._buffer)
        self._begun: list[bytes] = []

    def receive(self, channel: socket.socket) -> bytes | None:
        """Return the message that the next packet completes, None when more must come; raises `EOFError` at the end."""
        size = channel.recv_into(self._buffer)
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


def pack(head: Mapping[str, Any], body: bytes = b"") -> bytes:
    """A message of JSON and bytes."""
    encoded = json.dumps(head).encode()
    return b"".join((_SIZE.pack(len(encoded)), encoded, body))


def unpack(message: bytes) -> tuple[dict[str, Any], bytes]:
    """The inverse of `pack`."""
    start = _SIZE.size
    end = start + _SIZE.unpack_from(message)[0]
    return json.loads(message[start:end]), message[end:]


def failure(error: KgError) -> bytes:
    """The reply that says what is wrong with a message."""
    return _FAILED + json.dumps([type(error).__name__, str(error), vars(error)]).encode()


def checked(reply: bytes) -> bytes:
    """The reply; raises the `KgError` that it reports. Child processes are not trusted: nothing else is constructed."""
    if reply[:1] != _FAILED:
        return reply
    name, text, values = json.loads(reply[1:])
    kind = _known(KgError).get(name, KgError)
    error = kind.__new__(kind)
    error.args = (text,)
    vars(error).update(values)
    raise error


def _known(kind: type[KgError]) -> dict[str, type[KgError]]:
    found = {kind.__name__: kind}
    for each in kind.__subclasses__():
        found |= _known(each)
    return found
