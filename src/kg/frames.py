"""Messages between the server and its workers: a length, a JSON head, a length, a body of bytes."""

from __future__ import annotations

import json
import struct
from dataclasses import asdict
from typing import Any, BinaryIO

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
from kg.evaluation import Answer, Query, Wanted

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


def request(query: Query, want: Wanted, most_bytes: int) -> bytes:
    """What a worker is asked."""
    return pack({"query": asdict(query), "want": asdict(want), "most_bytes": most_bytes})


def read_request(head: bytes) -> tuple[Query, Wanted, int]:
    """The inverse of `request`."""
    document = json.loads(head)
    query = document["query"]
    return (
        Query(
            query["text"],
            tuple(query["default_graphs"]),
            tuple(query["named_graphs"]),
            tuple(tuple(s) for s in query["services"]),
        ),
        Wanted(**document["want"]),
        document["most_bytes"],
    )


def answer(result: Answer) -> bytes:
    """What a worker answers."""
    return pack({"kind": result.kind, "content_type": result.content_type, "total": result.total}, result.body)


def error(failure: KgError) -> bytes:
    """What a worker answers when the query is at fault."""
    arguments: list[Any] = [str(failure)]
    if isinstance(failure, QueryMalformed):
        arguments += [failure.line, failure.column]
    elif isinstance(failure, ResultTooLarge):
        arguments = [failure.limit]
    elif isinstance(failure, FormatNotOffered):
        arguments = [failure.kind]
    return pack({"error": type(failure).__name__, "arguments": arguments})


_ERRORS: dict[str, type[KgError]] = {
    e.__name__: e
    for e in (
        *(QueryMalformed, QueryFailed, QueryRefused, ResultTooLarge, FormatNotOffered),
        *(EngineAway, EngineFailed, EngineTimeout, ReleaseMoved),
    )
}


def read_answer(head: bytes, body: bytes) -> Answer:
    """The answer of a worker; raises the error that it met."""
    document = json.loads(head)
    if name := document.get("error"):
        raise _ERRORS[name](*document["arguments"])
    return Answer(document["kind"], document["content_type"], body, document["total"])
