"""The protocol of anything that holds quads and answers SPARQL, as pyoxigraph's `Store` does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from pyoxigraph import (
    BlankNode,
    DefaultGraph,
    Literal,
    NamedNode,
    Quad,
    QueryBoolean,
    QuerySolutions,
    QueryTriples,
    Triple,
)

Subject = NamedNode | BlankNode | Triple
Object = NamedNode | BlankNode | Literal | Triple
Graph = NamedNode | BlankNode | DefaultGraph
Results = QuerySolutions | QueryBoolean | QueryTriples


class QuadStore(Protocol):
    """Quads that can be read by pattern and by SPARQL query."""

    def quads_for_pattern(
        self,
        subject: Subject | None,
        predicate: NamedNode | None,
        object: Object | None,  # noqa: A002 the engine's name
        graph_name: Graph | None = None,
        /,
    ) -> Iterator[Quad]:
        """Return the quads that match; `None` matches anything, as a graph also the default graph."""
        ...

    def query(
        self,
        query: str,
        /,
        *,
        base_iri: str | None = None,
        prefixes: dict[str, str] | None = None,
        default_graph: Graph | list[Graph] | None = None,
        named_graphs: list[NamedNode | BlankNode] | None = None,
    ) -> Results:
        """Evaluate a query; raises `SyntaxError` when it is not SPARQL."""
        ...

    def __len__(self) -> int: ...
