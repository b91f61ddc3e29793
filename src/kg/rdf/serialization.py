"""Writes RDF in any syntax, with prefixes in alphabetical order: the engine declares them in the order of a hash."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import IO, cast

from pyoxigraph import Literal, NamedNode, Quad, RdfFormat, Triple, serialize

from kg.rdf.formats import Rdf

_ANY = NamedNode("urn:any")
# Longer IRIs are not looked at for prefixes: clients choose them, and they would fill the cache.
_LONGEST = 300


class _InOrder(io.RawIOBase):
    """Passes a document on with another head of the same length."""

    def __init__(self, output: IO[bytes], head: bytes) -> None:
        super().__init__()
        self.output, self.head, self.left = output, head, len(head)

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        written = bytes(data)  # type: ignore[call-overload]
        if self.head:
            self.output.write(self.head)
            self.head = b""
        self.output.write(written[self.left :])
        self.left = max(self.left - len(written), 0)
        return len(written)


@lru_cache(maxsize=256)
def _head(syntax: RdfFormat, prefixes: tuple[tuple[str, str], ...]) -> bytes:
    """Return how every document with these prefixes begins, their declarations in alphabetical order."""
    document = serialize([Triple(_ANY, _ANY, _ANY)], format=syntax, prefixes=dict(prefixes))
    assert document is not None
    if syntax == RdfFormat.RDF_XML:
        start, *names = document[: document.index(b">", document.index(b"<rdf:RDF"))].split(b" xmlns:")
        names.sort(key=lambda name: name.partition(b"=")[0])
        return b" xmlns:".join([start, *names])
    declared = [line for line in document.splitlines(keepends=True) if line.startswith(b"@prefix ")]
    declared.sort(key=lambda line: line.partition(b": ")[0])
    return b"".join(declared)


def used_prefixes(statements: Iterable[Triple] | Iterable[Quad], prefixes: Mapping[str, str]) -> dict[str, str]:
    """Return the prefixes that abbreviate IRIs of these statements, very long ones aside.

    A namespace ends where a part of an IRI ends.
    """
    beginnings: set[str] = set()
    for beginning in {_without_last_part(iri) for iri in _iris(statements) if len(iri) <= _LONGEST}:
        # Where a beginning is known, the shorter ones are too.
        while beginning and beginning not in beginnings:
            beginnings.add(beginning)
            beginning = _without_last_part(beginning)
    return {prefix: namespace for prefix, namespace in prefixes.items() if namespace in beginnings}


def _iris(statements: Iterable[Triple] | Iterable[Quad]) -> set[str]:
    found: set[str] = set()
    for statement in statements:
        for term in (statement.subject, statement.predicate, statement.object):
            if isinstance(term, NamedNode):
                found.add(term.value)
            elif isinstance(term, Literal):
                found.add(term.datatype.value)
        if isinstance(statement, Quad) and isinstance(statement.graph_name, NamedNode):
            found.add(statement.graph_name.value)
    return found


@lru_cache(maxsize=5_000)
def _without_last_part(iri: str) -> str:
    return iri[: max(iri.rfind("/", 0, -1), iri.rfind("#", 0, -1)) + 1]


def write(
    statements: Iterable[Triple] | Iterable[Quad],
    output: IO[bytes],
    syntax: Rdf,
    prefixes: Mapping[str, str] | None = None,
) -> None:
    """Write statements in the order given, with prefixes where the syntax has them."""
    if not syntax.has_prefixes:
        serialize(statements, output, format=syntax.syntax)
        return
    declared = dict(prefixes or {})
    ordered = _InOrder(output, _head(syntax.syntax, tuple(declared.items())))
    serialize(statements, cast(IO[bytes], ordered), format=syntax.syntax, prefixes=declared)


def to_bytes(
    statements: list[Triple] | list[Quad],
    syntax: Rdf,
    prefixes: Mapping[str, str] | None = None,
    output: io.BytesIO | None = None,
) -> bytes:
    """Return statements as `write` writes them; `output` may be a buffer that refuses to grow."""
    output = output or io.BytesIO()
    write(statements, output, syntax, prefixes)
    return output.getvalue()
