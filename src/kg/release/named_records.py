"""Parameters of stored queries that name records: a name that is misspelt would give no rows, and no reason."""

from __future__ import annotations

from collections.abc import Mapping

from pyoxigraph import NamedNode

from kg.errors import NoSuchRecord
from kg.rdf.context import Context
from kg.release.entities import Entities
from kg.sparql.library import Bound

_MOST_NEAR = 3


def check(bound: Mapping[str, Bound], entities: Entities, context: Context) -> None:
    """Raises `NoSuchRecord` with the nearest ones if a parameter has the IRI of a record that does not exist."""
    for name, term in bound.items():
        if isinstance(term, NamedNode) and term.value.startswith(entities.root) and not entities.exists(term.value):
            path = term.value.removeprefix(entities.root)
            near = tuple(entities.root + found for found in entities.nearest(path, _MOST_NEAR))
            raise NoSuchRecord(name, context.compact(term.value), tuple((context.compact(iri), iri) for iri in near))
