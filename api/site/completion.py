"""Completion for the editor: the classes and properties used in a release, by name in any language."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad
from rapidfuzz import process

from kg.names import normalization
from kg.rdf.context import Context
from kg.release import catalogue
from kg.release.entities import LABELS
from kg.sparql.quadstore import QuadStore


@dataclass(frozen=True, slots=True)
class Used:
    """A class or property, its number of uses, and its normalised names."""

    iri: str
    compact: str
    count: int
    keys: tuple[str, ...]


class Vocabulary:
    """The classes and properties that a release uses, most used first, and the properties of each class."""

    def __init__(self, store: QuadStore, own: str, context: Context) -> None:
        quads: Iterable[Quad] = store.quads_for_pattern(None, None, None, DefaultGraph())
        figures = catalogue.statistics(quads, own)
        self._names = _names(store)
        self._context = context
        self.classes = self._used({iri: len(members) for iri, members in figures.members.items()})
        self.properties = self._used({iri: found.triples for iri, found in figures.properties.items()})
        self._of_class = {
            iri: self._used({p: found.triples for p, found in properties.items()})
            for iri, properties in figures.class_properties.items()
        }

    def _used(self, counts: dict[str, int]) -> list[Used]:
        found = []
        for iri, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
            compact = self._context.compact(iri)
            names = [compact.rpartition(":")[2], *self._names.get(iri, ())]
            found.append(Used(iri, compact, count, tuple(normalization.name(n).key for n in names)))
        return found

    def properties_of(self, kind: str) -> list[Used]:
        """The properties of members of a class, most used first; all if the class is unknown."""
        return self._of_class.get(kind, self.properties)

    @staticmethod
    def matching(among: list[Used], text: str, most: int) -> list[Used]:
        """Exact matches, then terms whose name or short form begins with the text or contains it."""
        key, written = normalization.name(text).key, text.lower()
        if not key and not written:
            return among[:most]
        named, begins, inside = [], [], []
        for used in among:
            if key in used.keys or used.compact.lower() == written:
                named.append(used)
            elif used.compact.lower().startswith(written) or any(k.startswith(key) for k in used.keys if key):
                begins.append(used)
            elif key and any(key in k for k in used.keys):
                inside.append(used)
        return [*named, *begins, *inside][:most]

    def nearest(self, iri: str, *, is_class: bool, most: int = 3) -> list[str]:
        """The used classes or properties with names similar to an unused one."""
        among = self.classes if is_class else self.properties
        asked = self._context.compact(iri)
        by_name = {used.compact: used.iri for used in among}
        local = asked.rpartition(":")[2].rpartition("#")[2].rpartition("/")[2]
        keys = {name: normalization.normal(name.rpartition(":")[2]) for name in by_name}
        found = process.extract(normalization.normal(local), keys, limit=most, score_cutoff=60)
        return [by_name[name] for _, _, name in found]


def _names(store: QuadStore) -> dict[str, list[str]]:
    """The names of all terms, in all languages."""
    found: dict[str, list[str]] = {}
    for predicate in LABELS:
        for quad in store.quads_for_pattern(None, NamedNode(predicate), None, DefaultGraph()):
            if isinstance(quad.subject, NamedNode) and isinstance(quad.object, Literal):
                found.setdefault(quad.subject.value, []).append(quad.object.value)
    return found
