"""What the serving side asks of a store: pyoxigraph's own, or a remote one (`kg.engines.remote`)."""

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


class Backend(Protocol):
    """A store that is read: by patterns, where `None` is any graph, the default one included, and by queries."""

    def quads_for_pattern(
        self,
        subject: Subject | None,
        predicate: NamedNode | None,
        object: Object | None,  # noqa: A002 the engine's name
        graph_name: Graph | None = None,
        /,
    ) -> Iterator[Quad]: ...

    def query(
        self,
        query: str,
        /,
        *,
        base_iri: str | None = None,
        prefixes: dict[str, str] | None = None,
        default_graph: Graph | list[Graph] | None = None,
        named_graphs: list[NamedNode | BlankNode] | None = None,
    ) -> Results: ...

    def __len__(self) -> int: ...
