"""The profile of a release: the properties of each kind of record, and the records of each class."""

from __future__ import annotations

from collections import Counter, defaultdict

from pyoxigraph import DefaultGraph

from kg.rdf import iris
from kg.rdf.terms import value
from kg.release.entities import Entities


class Profile:
    """The stated properties of records by kind, and the records by class.

    `whole` leaves out the records that are parts of others, such as the articles of a law.
    """

    def __init__(self, known: Entities) -> None:
        self.properties: dict[str, Counter[str]] = defaultdict(Counter)
        self.whole: dict[str, Counter[str]] = defaultdict(Counter)
        self.members: dict[str, set[str]] = defaultdict(set)
        self.kinds: dict[str, Counter[str]] = defaultdict(Counter)
        stated: set[tuple[str, str, str]] = set()
        for quad in known.store.quads_for_pattern(None, None, None, None):
            iri, predicate, target = value(quad.subject), quad.predicate.value, quad.object
            if not iri.startswith(known.root) or "#" in iri:
                continue
            if predicate == iris.RDF_TYPE:
                self.members[value(target)].add(iri)
            elif not (known.is_merged and isinstance(quad.graph_name, DefaultGraph)) and (
                known.evidence(value(quad.graph_name)).kind != "inferred"
            ):
                stated.add((iri, predicate, str(target)))
        for iri, predicate, _ in stated:
            kind, _, name = iri.removeprefix(known.root).partition("/")
            self.properties[kind][predicate] += 1
            if "/" not in name:
                self.whole[kind][predicate] += 1
        for class_, members in self.members.items():
            self.kinds[class_].update(_kind(iri, known) for iri in members)


def _kind(iri: str, known: Entities) -> str:
    return iri.removeprefix(known.root).partition("/")[0]
