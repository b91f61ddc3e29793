"""A release in pyoxigraph's store, in the memory of this process or on its disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pyoxigraph import NamedNode, Quad, QuerySolutions, Store

from kg.sparql import lexer, projection
from kg.sparql.quadstore import Results
from kg.sparql.sort_keys import with_total_order


def _with_columns(query: str, options: Mapping[str, Any]) -> str:
    """The query with the columns of its `SELECT *`; one with SERVICE is left alone, since it would ask twice."""
    if not projection.may_select_all(query) or lexer.has_word(query, "SERVICE"):
        return query
    # An empty store tells them at the cost of reading the query; one with data would sort and group at once.
    result = Store().query(query, **options)
    names = [v.value for v in result.variables] if isinstance(result, QuerySolutions) else []
    return projection.in_written_order(query, names) or query


class EmbeddedStore:
    """A `Backend` over a pyoxigraph store; `quads_for_pattern` is bound to the store's own."""

    __slots__ = ("_store", "needs_files", "quads_for_pattern")

    needs_network = False
    has_moved = False

    def __init__(self, store: Store, *, needs_files: bool = False) -> None:
        self._store = store
        self.needs_files = needs_files
        self.quads_for_pattern = store.quads_for_pattern

    @classmethod
    def in_memory(cls, quads: Iterable[Quad]) -> EmbeddedStore:
        """Load quads into memory."""
        store = Store()
        store.bulk_extend(quads)
        return cls(store)

    @classmethod
    def on_disk(cls, directory: Path) -> EmbeddedStore:
        """Open a store on disk for reading; raises `OSError` when it cannot be opened."""
        return cls(Store.read_only(str(directory)), needs_files=True)

    def query(self, query: str, **options: Any) -> Results:
        """As pyoxigraph's `Store.query`, with a total order in every ORDER BY (`kg.sparql.sort_keys`).

        The columns of `SELECT *` have the order of the text; the engine's is alphabetical.
        """
        ordered = with_total_order(query)
        try:
            return self._store.query(_with_columns(ordered, options), **options)
        except SyntaxError:
            if ordered == query:
                raise
            # The error must be that of the query as it was written.
            return self._store.query(query, **options)

    def __len__(self) -> int:
        return len(self._store)

    def __iter__(self) -> Iterator[Quad]:
        return iter(self._store)

    def __contains__(self, quad: Quad) -> bool:
        return quad in self._store

    def confirm(self) -> None:
        """Do nothing: a release on this machine cannot change."""

    def expect(self, terms: Iterable[NamedNode], /) -> None:
        """Do nothing: no round trip can be saved."""
