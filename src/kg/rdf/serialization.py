"""RDF in any syntax, the same bytes each time: the engine declares prefixes in another order in each run."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import IO, cast

from pyoxigraph import Quad, RdfFormat, Triple, serialize

from kg.rdf.formats import Rdf

_XML_ROOT = re.compile(rb'\A(.*?<rdf:RDF)((?: xmlns:[\w.-]+="[^"]*")*)', re.DOTALL)
_ATTRIBUTE = re.compile(rb' xmlns:[\w.-]+="[^"]*"')
_DECLARATIONS = re.compile(rb"(?:@prefix [^\n]*\n)*")
# Of the IRIs that are looked at for prefixes, which may be a stranger's, so that little of them is kept.
_LONGEST = 300


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
        if not is_whole and not _has_all_declarations(head, is_xml=self.is_xml):
            return
        self.output.write(_ordered(head, is_xml=self.is_xml))
        self.head = None


def _has_all_declarations(head: bytes, *, is_xml: bool) -> bool:
    if is_xml:
        root = head.find(b"<rdf:RDF")
        return root >= 0 and head.find(b">", root) >= 0
    end = _end_of_declarations(head)
    return not b"@prefix ".startswith(head[end : end + 8])


def _ordered(document: bytes, *, is_xml: bool) -> bytes:
    """A document, or the beginning of one with all its declarations, with these in order."""
    if is_xml:
        return _XML_ROOT.sub(_root_in_order, document, count=1)
    end = _end_of_declarations(document)
    return b"".join([*sorted(document[:end].splitlines(keepends=True), key=_declared), document[end:]])


def _end_of_declarations(document: bytes) -> int:
    found = _DECLARATIONS.match(document)
    return found.end() if found else 0


def _root_in_order(root: re.Match[bytes]) -> bytes:
    return b"".join([root[1], *sorted(_ATTRIBUTE.findall(root[2]), key=_declared)])


def _declared(declaration: bytes) -> bytes:
    """What a declaration has before the namespace; of all in a document it differs in the prefix alone."""
    return declaration.partition(b": <")[0].partition(b'="')[0]


def used_prefixes(iris: Iterable[str], prefixes: Mapping[str, str]) -> dict[str, str]:
    """The prefixes that abbreviate some of these IRIs, except very long ones: a namespace ends where a part does."""
    beginnings: set[str] = set()
    for beginning in {_without_last_part(iri) for iri in iris if len(iri) <= _LONGEST}:
        # Where a beginning is known, the shorter ones are too.
        while beginning and beginning not in beginnings:
            beginnings.add(beginning)
            beginning = _without_last_part(beginning)
    return {prefix: namespace for prefix, namespace in prefixes.items() if namespace in beginnings}


@lru_cache(maxsize=5_000)
def _without_last_part(iri: str) -> str:
    return iri[: max(iri.rfind("/", 0, -1), iri.rfind("#", 0, -1)) + 1]


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


def to_bytes(
    statements: list[Triple] | list[Quad],
    syntax: Rdf,
    prefixes: Mapping[str, str] | None = None,
    output: io.BytesIO | None = None,
) -> bytes:
    """The same in memory: in an `output` that may refuse to grow."""
    output = output or io.BytesIO()
    if not syntax.has_prefixes:
        serialize(statements, output, format=syntax.syntax)
        return output.getvalue()
    serialize(statements, output, format=syntax.syntax, prefixes=dict(prefixes or {}))
    return _ordered(output.getvalue(), is_xml=syntax.syntax == RdfFormat.RDF_XML)
