"""The reconciliation service, independent of the version of its protocol (`version_0_2` and `version_1_0`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal as OneOf

from pyoxigraph import Literal

from api.html.view import View
from kg.errors import nearest
from kg.linking.matching import Candidate
from kg.rdf import formats, iris
from kg.rdf.namespaces import DCTERMS, SKOS
from kg.rdf.terms import Term, named_node, value

Strictness = OneOf["any", "all", "should"]
Content = OneOf["entity", "name", "id", "iri"]
What = OneOf["entity", "property", "type"]

XSD = "http://www.w3.org/2001/XMLSchema#"
_ABOUT = (DCTERMS + "description", SKOS + "definition")
# Classes that are hardly the rows of a table are proposed last.
_LAST_KINDS = ("vocabulary", "source")
_UNNAMED_KINDS = ("passage",)


@dataclass(frozen=True, slots=True)
class Question:
    """A name to reconcile, with types, property values and strictness; `warnings` say what of it was left out."""

    name: str
    types: tuple[str, ...]
    strictness: Strictness
    properties: tuple[tuple[str, str], ...]
    limit: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExtensionProperty:
    """A property to fetch: up to `limit` values (0 for all), and records as themselves, by name, ID or IRI."""

    id: str
    limit: int = 0
    content: Content = "entity"


@dataclass(frozen=True, slots=True)
class Thing:
    """An entity, property or type with its ID and name for clients."""

    id: str
    name: str
    description: str = ""
    types: tuple[Thing, ...] = ()


Cell = Thing | str | int | float


class ReconciliationService:
    """The reconciliation service of one release in one language."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.site = view.site
        self._known = view.site.entities
        self._profile = view.site.profile
        self._keys = {term.iri: key for key, term in reversed(self.site.context.terms.items())}

    # ---- names ----

    def iri(self, entity: str) -> str:
        """Return the IRI for an entity ID, '' if it is unknown."""
        found = self.site.matcher.identify(entity).iris
        return found[0] if len(found) == 1 else ""

    def id(self, iri: str) -> str:
        """Return the ID of a record: its path."""
        return iri.removeprefix(self._known.root)

    def thing(self, iri: str) -> Thing:
        """Return a record with its name, description and types."""
        classes = [self.class_thing(c) for c in self._known.types(iri)]
        types = [self.kind_thing(self.id(iri).partition("/")[0]), *classes]
        return Thing(self.id(iri), self.view.plain(iri), self.about(iri), tuple(types))

    def about(self, iri: str) -> str:
        found = (self._known.text(iri, predicate, self.view.languages) for predicate in _ABOUT)
        return next((text.value for text in found if text), "")

    def kind_thing(self, kind: str) -> Thing:
        return Thing(kind, self.view.class_name(kind))

    def class_thing(self, iri: str) -> Thing:
        """Return a class of the ontology as a type; its broader type is the class in the paths of most members."""
        kinds = self._profile.kinds.get(iri)
        broader = (self.kind_thing(kinds.most_common(1)[0][0]),) if kinds else ()
        return Thing(self.site.context.compact(iri), self.view.plain(iri), self.about(iri), broader)

    def property_iri(self, id_: str) -> str:
        """Return the IRI for a property ID: a key of the context, `prefix:local` or an IRI; '' if it is invalid."""
        term = self.site.context.terms.get(id_)
        iri = term.iri if term else self.site.context.expand(id_)
        return iri if named_node(iri) else ""

    def property_thing(self, iri: str) -> Thing:
        return Thing(self._keys.get(iri) or self.site.context.compact(iri), self.view.plain(iri), self.about(iri))

    def find(self, what: What, id_: str) -> Thing | None:
        """Return an entity, property or type by its ID; None if it is unknown."""
        if what == "entity":
            return self.thing(iri) if (iri := self.iri(id_)) else None
        if what == "type" and id_ in self._known.classes():
            return self.kind_thing(id_)
        iri = self.property_iri(id_) if what == "property" else self.site.context.expand(id_)
        if named_node(iri) is None or self._known.label(iri, self.view.languages) is None:
            return None
        return self.property_thing(iri) if what == "property" else self.class_thing(iri)

    # ---- types ----

    def kinds(self) -> list[Thing]:
        """Return the types, those with most records first."""
        names = sorted(self._known.classes(), key=lambda kind: kind in _LAST_KINDS)
        return [self.kind_thing(kind) for kind in names if kind not in _UNNAMED_KINDS]

    def _is_of(self, iri: str, type_: str) -> bool:
        if type_ in self._known.classes():
            return self.id(iri).startswith(type_ + "/")
        return iri in self._profile.members.get(self.site.context.expand(type_), ())

    def _kinds_of(self, type_: str) -> Iterable[str]:
        if type_ in self._known.classes():
            return (type_,)
        return self._profile.kinds.get(self.site.context.expand(type_), ())

    # ---- matching ----

    def answer(self, question: Question) -> list[Candidate]:
        """Return the candidates for a name, best first; those of other types only if not strict, never as a match."""
        if not question.name and not question.properties:
            return []
        properties = [(self.property_iri(pid) or pid, text) for pid, text in question.properties]
        kinds = sorted({kind for type_ in question.types for kind in self._kinds_of(type_)})
        found: list[Candidate] = []
        if kinds or not question.types:
            found = self._match(question, kinds, properties)
        if question.types:
            test: Callable[[Iterable[bool]], bool] = all if question.strictness == "all" else any
            found = [c for c in found if test(self._is_of(c.iri, type_) for type_ in question.types)]
        if question.strictness == "should" and question.types and len(found) < question.limit:
            known = {candidate.iri for candidate in found}
            others = (c for c in self._match(question, (), properties) if c.iri not in known)
            found += [replace(c, match=False, score=round(c.score / 2, 1)) for c in others]
        found.sort(key=lambda candidate: -candidate.score)
        return found[: question.limit]

    def agrees(self, iri: str, pid: str, text: str) -> bool:
        """Whether a record has a value of a property that agrees with this text."""
        return self.site.matcher.agrees(iri, self.property_iri(pid) or pid, text)

    def warnings(self, question: Question) -> list[str]:
        """Return what of a query has no effect: properties that no record has, and types that do not exist."""
        pids = dict.fromkeys(pid for pid, _ in question.properties)
        unknown = [pid for pid in pids if not self.site.matcher.has_property(self.property_iri(pid) or pid)]
        told = [f"no record has the property '{pid[:100]}'{self._near_property(pid)}" for pid in unknown]
        types = [type_ for type_ in question.types if not self._kinds_of(type_)]
        return told + [f"there is no type '{type_[:100]}'" for type_ in types]

    def _near_property(self, pid: str) -> str:
        used = {key for kind in self._profile.properties.values() for iri in kind if (key := self._keys.get(iri))}
        return nearest(pid.rpartition(":")[2], sorted(used))

    def _match(self, question: Question, kinds: Sequence[str], properties: list[tuple[str, str]]) -> list[Candidate]:
        return self.site.matcher.match(question.name, kinds=kinds, properties=properties, limit=question.limit)

    # ---- suggesting ----

    def suggest(self, what: What, prefix: str, cursor: int, limit: int, type_: str = "") -> list[Thing]:
        """Return completions: records by name or ID, properties and types by name in any language."""
        if what == "entity":
            return self._suggest_entities(prefix, cursor, limit, type_)
        vocabulary = self.site.vocabulary
        if what == "property":
            used = vocabulary.matching(vocabulary.properties, self._written(prefix), cursor + limit)
            return [self.property_thing(found.iri) for found in used if found.iri != iris.RDF_TYPE][cursor:]
        kinds = [thing for thing in self.kinds() if self._begins(thing, prefix)]
        classes = vocabulary.matching(vocabulary.classes, self._written(prefix), cursor + limit)
        things = [*kinds, *(self.class_thing(found.iri) for found in classes if found.iri in self._profile.members)]
        return things[cursor : cursor + limit]

    def _written(self, prefix: str) -> str:
        """Return the short form of a property ID."""
        term = self.site.context.terms.get(prefix)
        return self.site.context.compact(term.iri) if term else prefix

    def _begins(self, thing: Thing, prefix: str) -> bool:
        names = (thing.id, *(view_name for view_name in self._kind_names(thing.id)))
        return any(name.lower().startswith(prefix.strip().lower()) for name in names)

    def _kind_names(self, kind: str) -> Iterable[str]:
        return (replace(self.view, language=language).class_name(kind) for language in self.view.languages)

    def _suggest_entities(self, prefix: str, cursor: int, limit: int, type_: str) -> list[Thing]:
        kinds = sorted(self._kinds_of(type_)) if type_ else [kind.id for kind in self.kinds()]
        found = [hit.iri for hit in self.site.search.find(prefix, kinds=kinds, limit=limit, offset=cursor).hits]
        if not cursor and (exact := self.iri(prefix)):
            found = [exact, *(iri for iri in found if iri != exact)]
        return [self.thing(iri) for iri in found[:limit]]

    # ---- extending ----

    def propose(self, type_: str, limit: int) -> list[Thing]:
        """Return the properties of a type's records, the most frequent first, those of parts only after all others.

        The rows of a table are seldom parts. Without a type, the properties are those of all records.
        """
        whole: Counter[str] = Counter()
        counts: Counter[str] = Counter()
        for kind in self._kinds_of(type_) if type_ else self._profile.properties:
            whole += self._profile.whole.get(kind, Counter())
            counts += self._profile.properties.get(kind, Counter())
        ordered = sorted(counts, key=lambda iri: (-whole[iri], -counts[iri], iri))
        return [self.property_thing(iri) for iri in ordered][: limit or None]

    def values(self, iri: str, wanted: ExtensionProperty) -> list[Cell]:
        """Return the values of a property of a record, with literals in the language of the view if there are any."""
        predicate = self.property_iri(wanted.id)
        terms = self._known.values(iri, predicate) if iri and predicate else []
        language = self.view.language
        if any(isinstance(term, Literal) and term.language == language for term in terms):
            terms = [term for term in terms if not isinstance(term, Literal) or term.language == language]
        terms = sorted(terms, key=str)
        return [self._cell(term, wanted.content) for term in terms[: wanted.limit or None]]

    def kind_of_values(self, iri: str) -> Thing | None:
        """Return the type of a property's values, if all are records of one type."""
        if (predicate := named_node(iri)) is None:
            return None
        quads = self._known.store.quads_for_pattern(None, predicate, None, self._known.everywhere)
        kinds = set()
        for quad in quads:
            target = value(quad.object)
            if not target.startswith(self._known.root) or "#" in target:
                return None
            kinds.add(self.id(target).partition("/")[0])
        return self.kind_thing(kinds.pop()) if len(kinds) == 1 else None

    def _cell(self, term: Term, content: Content) -> Cell:
        if isinstance(term, Literal):
            return _number(term)
        iri = value(term)
        # A part of a record cannot be reconciled, so its IRI is returned.
        if content == "iri" or "#" in iri or not iri.startswith(self._known.root):
            return iri
        if content == "id":
            return self.id(iri)
        name = self.view.plain(iri)
        return name if content == "name" else Thing(self.id(iri), name)


def _number(literal: Literal) -> Cell:
    """Return a literal as a number if its datatype is numeric; dates and years stay text."""
    datatype = literal.datatype.value
    if datatype in formats.NUMERIC:
        number = float(literal.value)
        return int(number) if number.is_integer() else number
    return literal.value
