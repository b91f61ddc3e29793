"""Reads partners' RDF in a child process (`kg.isolation`).

Some texts overflow the parser's stack or keep it busy for hours; there they cost their own dataset and nothing of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyoxigraph import BlankNode, DefaultGraph, Quad, RdfFormat, Store, Triple, parse, serialize

from kg.errors import KgError
from kg.isolation import program
from kg.isolation.program import Failures, MessageHandler, Program
from kg.rdf import formats
from kg.rdf.formats import Rdf


class Unreadable(KgError):
    """A text that is not RDF as it is accepted here; `line` and `column` count from 1, 0 when unknown."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line, self.column = line, column


def _too_slow(seconds: float) -> Unreadable:
    return Unreadable(f"reading it takes longer than {seconds:g} s (KG_PARTNER_SECONDS)")


FAILURES = Failures(
    busy=Unreadable,
    too_many=lambda limit: Unreadable(f"more than {limit} files are read at a time"),
    too_late=_too_slow,
    too_slow=_too_slow,
    out_of_memory=lambda: Unreadable("the parser broke down on it; KG_PARTNER_MEMORY_MB gives it more memory"),
    too_complex=lambda: Unreadable("the parser broke down on it: it nests too deeply"),
)


def read(body: bytes, syntax: Rdf, base: str, *, seconds: float, memory_mb: int) -> list[Quad]:
    """Return the triples of a document, each once, with literals as a store keeps them.

    Raises `Unreadable`, also for blank nodes, triples within triples and named graphs.
    """
    task = Program(__name__, {"syntax": syntax.name, "base": base}, memory_mb * 1_000_000, seconds)
    return list(parse(program.run(task, body, seconds, FAILURES), format=RdfFormat.N_TRIPLES))


def hold(options: Mapping[str, Any]) -> None:
    """Nothing is shared."""


def begin(held: None, options: Mapping[str, Any], grants: Mapping[str, Any]) -> MessageHandler:
    syntax = formats.rdf_format(options["syntax"])
    assert syntax is not None
    return MessageHandler(lambda body: _canonical(body, syntax, options["base"]))


def _canonical(body: bytes, syntax: Rdf, base: str) -> bytes:
    # A store writes each literal in one way (`01` is `1`), as the release will.
    store = Store()
    try:
        for quad in parse(body, format=syntax.syntax, base_iri=base):
            _check(quad)
            store.add(quad)
    except SyntaxError as error:
        raise Unreadable(f"is not {syntax.title}: {error.msg}", error.lineno or 0, error.offset or 0) from None
    return serialize((q.triple for q in store), format=RdfFormat.N_TRIPLES) or b""


def _check(quad: Quad) -> None:
    terms: tuple[Any, ...] = (quad.subject, quad.object)
    if any(isinstance(term, Triple) for term in terms):
        raise Unreadable(f"a triple within a triple is not accepted: {quad.triple}")
    if any(isinstance(term, BlankNode) for term in terms):
        other = next((t for t in (*terms, quad.predicate) if not isinstance(t, BlankNode)), "")
        raise Unreadable(f"a blank node is not accepted, beside {other}; give it a name, such as <#name>")
    if quad.graph_name != DefaultGraph():
        raise Unreadable(f"a named graph is not accepted: {quad.graph_name}; the dataset is one graph, named here")
