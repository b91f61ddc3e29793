"""Messages between the server and the process that checks a document: two lengths, a JSON head, a body of bytes."""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO

LENGTHS = struct.Struct("!II")


def pack(head: dict[str, Any], body: bytes = b"") -> bytes:
    """One message."""
    encoded = json.dumps(head).encode()
    return LENGTHS.pack(len(encoded), len(body)) + encoded + body


def head(encoded: bytes) -> dict[str, Any]:
    """The head of a message."""
    document: dict[str, Any] = json.loads(encoded)
    return document


def read(stream: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """The next message, None at the end of the stream."""
    lengths = stream.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    sizes = LENGTHS.unpack(lengths)
    return head(stream.read(sizes[0])), stream.read(sizes[1])
