"""What a query worker is asked and what it answers, as bytes: a small query costs mostly what moving it costs."""

from __future__ import annotations

import marshal
import struct

from kg.engines.evaluation import Answer, Query, ResultFormats

_ANSWER = struct.Struct("!BBQ")
_KINDS = ("solutions", "boolean", "graph")


def request(query: Query, want: ResultFormats, most_bytes: int) -> bytes:
    """What a worker is asked: the query, the formats and the largest answer."""
    asked = (query.text, query.default_graphs, query.named_graphs, query.services)
    return marshal.dumps((asked, (want.results, want.graph, want.rows), most_bytes))


def read_request(message: bytes) -> tuple[Query, ResultFormats, int]:
    """The inverse of `request`."""
    asked, want, most_bytes = marshal.loads(message)  # noqa: S302 written by the server, never by a client
    return Query(*asked), ResultFormats(*want), most_bytes


def answer(result: Answer) -> bytes:
    """What a worker answers."""
    content_type = result.content_type.encode()
    head = _ANSWER.pack(_KINDS.index(result.kind), len(content_type), result.total)
    return b"".join((head, content_type, result.body))


def read_answer(reply: bytes) -> Answer:
    """The inverse of `answer`."""
    kind, size, total = _ANSWER.unpack_from(reply)
    start = _ANSWER.size
    return Answer(_KINDS[kind], reply[start : start + size].decode(), reply[start + size :], total)
