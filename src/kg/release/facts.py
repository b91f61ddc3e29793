"""Facts with their evidence, as pages and data show them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, cast

from kg.rdf.terms import Term

Kind = Literal["passage", "curator", "register", "partner", "inferred", "description"]
# The order of kinds of evidence.
KINDS: tuple[Kind, ...] = ("passage", "register", "curator", "partner", "description", "inferred")


def kind_of(path: str, source: str) -> Kind:
    """The kind of a named graph, by its path below `graph/` and the record that it is drawn from, if any."""
    head = path.partition("/")[0]
    if path == "inferred" or head in ("curator", "register", "partner"):
        return cast(Kind, head)
    return "passage" if source else "description"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a fact is stated: the named graph and its source; for a passage its lines and their text too."""

    graph: str
    kind: Kind
    source: str = ""
    section: str = ""
    first: int = 0
    last: int = 0
    text: str = ""

    @property
    def rank(self) -> tuple[int, str, int, str]:
        """The sort key: the most direct kind of evidence first, then text by text in the order of lines."""
        return KINDS.index(self.kind), self.text, self.first, self.graph


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
    """A subject and its asserted facts, sorted by property."""

    iri: str
    facts: tuple[Fact, ...]

    @property
    def fragment(self) -> str:
        return self.iri.partition("#")[2]


@dataclass(frozen=True, slots=True)
class EntityDescription:
    """A record as it is published: asserted facts, parts that no fact leads to, incoming links, inferred facts."""

    node: Node
    loose_parts: tuple[Node, ...]
    incoming: tuple[Fact, ...]
    inferred: tuple[Fact, ...]
    inferred_incoming: tuple[Fact, ...]


def by_predicate(facts: Iterable[Fact]) -> list[tuple[str, list[Fact]]]:
    """Group consecutive facts by property."""
    return [(p, list(group)) for p, group in groupby(facts, key=lambda f: f.predicate)]
