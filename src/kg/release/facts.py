"""Facts with their evidence, as pages and data show them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from kg.rdf.terms import Term

Kind = Literal["passage", "curator", "register", "partner", "inferred", "description"]
# The order of kinds of evidence.
KINDS: tuple[Kind, ...] = ("passage", "register", "curator", "partner", "description", "inferred")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a fact stands: its named graph, what that graph is drawn from, and the lines when that is a passage."""

    graph: str
    kind: Kind
    source: str = ""
    section: str = ""
    first: int = 0
    last: int = 0

    @property
    def rank(self) -> tuple[int, int, str]:
        """The sort key: the most direct kind of evidence first."""
        return KINDS.index(self.kind), self.first, self.graph


@dataclass(frozen=True, slots=True)
class Fact:
    """A triple with its evidence; `part` if its object is a `#` part that is shown inline."""

    subject: str
    predicate: str
    object: Term
    evidence: tuple[Evidence, ...]
    part: Node | None = None

    @property
    def is_inferred(self) -> bool:
        return bool(self.evidence) and all(e.kind == "inferred" for e in self.evidence)


@dataclass(frozen=True, slots=True)
class Node:
    """A subject and its stated facts, those of one property together."""

    iri: str
    facts: tuple[Fact, ...]

    @property
    def fragment(self) -> str:
        return self.iri.partition("#")[2]


@dataclass(frozen=True, slots=True)
class EntityDescription:
    """A record as it is published: stated facts, parts that none of them leads to, links in, what was inferred."""

    node: Node
    loose_parts: tuple[Node, ...]
    incoming: tuple[Fact, ...]
    inferred: tuple[Fact, ...]
    inferred_incoming: tuple[Fact, ...]


def by_predicate(facts: Iterable[Fact]) -> list[tuple[str, list[Fact]]]:
    """Facts of one property together, in the order in which they come."""
    return [(p, list(group)) for p, group in groupby(facts, key=lambda f: f.predicate)]
