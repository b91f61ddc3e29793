"""The protocol that every engine holding a release implements, so that its readers need not know which one it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from pyoxigraph import NamedNode

from kg.sparql.quadstore import QuadStore


class Backend(QuadStore, Protocol):
    """A release as an engine holds it: read by patterns and queries, never written to."""

    @property
    def needs_network(self) -> bool:
        """Whether reading opens connections, so that each read is a round trip."""
        ...

    @property
    def needs_files(self) -> bool:
        """Whether reading opens files. A store that needs neither files nor network can be shared across a fork."""
        ...

    @property
    def has_moved(self) -> bool:
        """Whether the engine was seen to hold another release than the one that was opened."""
        ...

    def confirm(self) -> None:
        """Raise `ReleaseMoved` unless everything read so far belongs to this release."""
        ...

    def expect(self, terms: Iterable[NamedNode], /) -> None:
        """Announce which terms are read next, so that an engine over the network can fetch them in one round trip."""
        ...
