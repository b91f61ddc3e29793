"""Writes sorted Turtle (RDF 1.1): reproducible, with each subject once and one predicate per line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from pyoxigraph import BlankNode, Literal, NamedNode, Quad, Triple

from kg.rdf.iris import RDF_TYPE

# A safe subset of PN_LOCAL; other names are written as full IRIs.
_LOCAL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?")
_XSD_STRING = "http://www.w3.org/2001/XMLSchema#string"
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def write(triples: Iterable[Quad | Triple], prefixes: Mapping[str, str]) -> str:
    """The triples as Turtle, sorted by subject, predicate (`a` first) and object."""
    writer = _Writer(prefixes)
    rows = sorted(
        {(_key(t.subject), _predicate_key(t.predicate), _key(t.object), t) for t in triples},
        key=lambda r: r[:3],
    )
    blocks: list[str] = []
    for _, by_subject in groupby(rows, key=lambda r: r[0]):
        members = list(by_subject)
        lines = [
            f"{writer.predicate(group[0][3].predicate)} {' , '.join(writer.term(row[3].object) for row in group)}"
            for group in (list(g) for _, g in groupby(members, key=lambda r: r[1]))
        ]
        blocks.append(f"{writer.term(members[0][3].subject)} " + " ;\n    ".join(lines) + " .\n")
    header = "".join(f"@prefix {p}: <{prefixes[p]}> .\n" for p in sorted(writer.used))
    return header + "\n" + "\n".join(blocks)


def _key(term: Any) -> str:
    return str(term)


def _predicate_key(predicate: NamedNode) -> str:
    return "" if predicate.value == RDF_TYPE else predicate.value


class _Writer:
    def __init__(self, prefixes: Mapping[str, str]) -> None:
        self.prefixes = sorted(prefixes.items(), key=lambda item: -len(item[1]))
        self.used: set[str] = set()
        self.known: dict[str, str] = {}

    def predicate(self, node: NamedNode) -> str:
        return "a" if node.value == RDF_TYPE else self.iri(node.value)

    def iri(self, value: str) -> str:
        if value not in self.known:
            self.known[value] = self._compact(value)
        return self.known[value]

    def _compact(self, value: str) -> str:
        for prefix, namespace in self.prefixes:
            local = value.removeprefix(namespace)
            if local != value and _LOCAL.fullmatch(local):
                self.used.add(prefix)
                return f"{prefix}:{local}"
        return f"<{value}>"

    def term(self, term: Any) -> str:
        if isinstance(term, NamedNode):
            return self.iri(term.value)
        if isinstance(term, BlankNode):
            return f"_:{term.value}"
        assert isinstance(term, Literal)
        text = f'"{term.value.translate(_ESCAPES)}"'
        if term.language:
            return f"{text}@{term.language}"
        if term.datatype.value == _XSD_STRING:
            return text
        return f"{text}^^{self.iri(term.datatype.value)}"
