"""Completion for the editor: the classes and properties used in a release, by name in any language."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad
from rapidfuzz import fuzz

from kg.names import normalization
from kg.rdf.context import Context
from kg.rdf.namespaces import SKOS
from kg.release import catalogue
from kg.release.entities import LABELS
from kg.sparql.quadstore import QuadStore

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|[-_]")
_MEANINGS = (SKOS + "altLabel", SKOS + "hiddenLabel", SKOS + "definition")
# The least resemblance of a term that is offered instead of another.
_LEAST = 70


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
        self._names = _names(store, (*LABELS, SKOS + "altLabel"))
        self._texts = _names(store, _MEANINGS)
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
        local = asked.rpartition(":")[2].rpartition("#")[2].rpartition("/")[2]
        # Words of a name in camel case: budgetType → budget type.
        word = normalization.normal(_CAMEL.sub(" ", local))
        scored = [(self._resemblance(word, used), -rank, used.iri) for rank, used in enumerate(among)]
        return [iri for score, _, iri in sorted(scored, reverse=True)[:most] if score >= _LEAST]

    def _resemblance(self, word: str, used: Used) -> float:
        """How much a word is like a term, up to 100: by its names in any language, by spelling, by its definition."""
        own = normalization.normal(_CAMEL.sub(" ", used.compact.rpartition(":")[2]))
        names = [normalization.normal(name) for name in self._names.get(used.iri, ())]
        if word in (own, *names):
            return 100
        spelling = fuzz.WRatio(word, own)
        named = 88 if any(word in name.split() or name in word.split() for name in names) else 0
        defined = 76 if any(word in normalization.normal(text).split() for text in self._texts.get(used.iri, ())) else 0
        return max(spelling, named, defined)


def _names(store: QuadStore, predicates: Iterable[str]) -> dict[str, list[str]]:
    """The texts of all terms by some properties, in all languages."""
    found: dict[str, list[str]] = {}
    for predicate in predicates:
        for quad in store.quads_for_pattern(None, NamedNode(predicate), None, DefaultGraph()):
            if isinstance(quad.subject, NamedNode) and isinstance(quad.object, Literal):
                found.setdefault(quad.subject.value, []).append(quad.object.value)
    return found
