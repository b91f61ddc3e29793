"""RDF in any syntax, the same bytes each time: the engine declares prefixes in another order in each run."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from typing import IO, cast

from pyoxigraph import Quad, RdfFormat, Triple, serialize

from kg.formats import Rdf

_XML_ROOT = re.compile(rb'\A(.*?<rdf:RDF)((?: xmlns:[\w.-]+="[^"]*")*)', re.DOTALL)
_DECLARATION = re.compile(rb' xmlns:[\w.-]+="[^"]*"')


class _Sorted(io.RawIOBase):
    """Passes bytes on, the prefix declarations at their beginning in order."""

    def __init__(self, output: IO[bytes], syntax: RdfFormat) -> None:
        super().__init__()
        self.output = output
        self.is_xml = syntax == RdfFormat.RDF_XML
        self.head: bytearray | None = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        written = bytes(data)  # type: ignore[call-overload]
        if self.head is None:
            self.output.write(written)
        else:
            self.head += written
            self._pass_head(is_whole=False)
        return len(written)

    def finish(self) -> None:
        """Passes on what is held back when the document has nothing but declarations."""
        self._pass_head(is_whole=True)

    def _pass_head(self, *, is_whole: bool) -> None:
        if self.head is None:
            return
        head = bytes(self.head)
        if self.is_xml:
            root = head.find(b"<rdf:RDF")
            if not is_whole and (root < 0 or head.find(b">", root) < 0):
                return
            head = _XML_ROOT.sub(_in_order, head)
        else:
            lines = head.splitlines(keepends=True)
            count = next((n for n, line in enumerate(lines) if not line.startswith(b"@prefix ")), None)
            if count is None and not is_whole:
                return
            head = b"".join([*sorted(lines[:count], key=_prefix), *lines[len(lines) if count is None else count :]])
        self.output.write(head)
        self.head = None


def _in_order(root: re.Match[bytes]) -> bytes:
    declarations: list[bytes] = _DECLARATION.findall(root[2])
    return b"".join([root[1], *sorted(declarations, key=_prefix)])


def _prefix(declaration: bytes) -> bytes:
    return re.split(rb"[:=]", declaration.removeprefix(b" xmlns:").removeprefix(b"@prefix "))[0]


def used_prefixes(iris: Iterable[str], prefixes: Mapping[str, str]) -> dict[str, str]:
    """The prefixes that abbreviate some of these IRIs."""
    # What an IRI has before its last part decides for all with the same: a namespace ends where a part does.
    spaces = {iri[: max(iri.rfind("/", 0, -1), iri.rfind("#", 0, -1)) + 1] for iri in iris}
    return {p: ns for p, ns in prefixes.items() if any(space.startswith(ns) for space in spaces)}


def write(
    statements: Iterable[Triple] | Iterable[Quad],
    output: IO[bytes],
    syntax: Rdf,
    prefixes: Mapping[str, str] | None = None,
) -> None:
    """Writes statements in the order given; prefixes where the syntax has them."""
    if not syntax.has_prefixes:
        serialize(statements, output, format=syntax.syntax)
        return
    ordered = _Sorted(output, syntax.syntax)
    serialize(statements, cast(IO[bytes], ordered), format=syntax.syntax, prefixes=dict(prefixes or {}))
    ordered.finish()


def to_bytes(statements: list[Triple] | list[Quad], syntax: Rdf, prefixes: Mapping[str, str] | None = None) -> bytes:
    """The same in memory."""
    output = io.BytesIO()
    write(statements, output, syntax, prefixes)
    return output.getvalue()
