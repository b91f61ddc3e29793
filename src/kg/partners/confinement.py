"""RDF of strangers, parsed in a process of its own.

Some texts overflow the parser's stack or make it work for hours; there they cost their own dataset and nothing of ours.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from typing import Any

from pyoxigraph import BlankNode, DefaultGraph, Quad, RdfFormat, Store, Triple, parse, serialize

from kg.errors import KgError
from kg.rdf.formats import Rdf

_REFUSED = 3


class Unreadable(KgError):
    """A text that is no RDF as it is taken here; `line` and `column` count from 1, 0 when unknown."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line, self.column = line, column


def read(body: bytes, syntax: Rdf, base: str, *, seconds: float, memory_mb: int) -> list[Quad]:
    """The triples of a document, each once, literals as a store keeps them.

    Refused are blank nodes, triples within triples and named graphs.
    """
    command = [sys.executable, "-m", "kg.partners.confinement", syntax.name, base, str(memory_mb)]
    try:
        done = subprocess.run(command, input=body, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise Unreadable(f"reading it takes longer than {seconds:g} s (KG_PARTNER_SECONDS)") from None
    if done.returncode == _REFUSED:
        raise Unreadable(**json.loads(done.stdout))
    if done.returncode != 0:
        raise Unreadable(f"the parser broke down on it (status {done.returncode}); KG_PARTNER_MEMORY_MB gives it more")
    return list(parse(done.stdout, format=RdfFormat.N_TRIPLES))


def _refused(quad: Quad) -> str:
    """Why a statement is not taken, '' when it is."""
    terms: tuple[Any, ...] = (quad.subject, quad.object)
    if any(isinstance(term, Triple) for term in terms):
        return f"a triple within a triple is not taken: {quad.triple}"
    if any(isinstance(term, BlankNode) for term in terms):
        other = next((t for t in (*terms, quad.predicate) if not isinstance(t, BlankNode)), "")
        return f"a blank node is not taken, beside {other}; give it a name, such as <#name>"
    if quad.graph_name != DefaultGraph():
        return f"a named graph is not taken: {quad.graph_name}; the dataset is one graph, named here"
    return ""


def _main(name: str, base: str, memory_mb: str) -> int:
    from kg.rdf import formats

    most = int(memory_mb) * 1_000_000
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    syntax = formats.rdf_format(name)
    assert syntax is not None
    store = Store()
    problem: dict[str, Any] = {}
    try:
        for quad in parse(sys.stdin.buffer.read(), format=syntax.syntax, base_iri=base):
            if message := _refused(quad):
                problem = {"message": message}
                break
            # A store writes literals in one way (`01` is `1`), as the release will.
            store.add(quad)
    except SyntaxError as error:
        problem = {"message": f"is not {syntax.title}: {error.msg}", "line": error.lineno, "column": error.offset}
    if problem:
        print(json.dumps({k: v for k, v in problem.items() if v is not None}))
        return _REFUSED
    sys.stdout.buffer.write(serialize((q.triple for q in store), format=RdfFormat.N_TRIPLES) or b"")
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
