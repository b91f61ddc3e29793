"""The names and identifiers of a release, to be looked up in the forms in which documents write them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pyoxigraph import DefaultGraph, NamedNode

from kg.names import forms, identifiers, law_numbers, normalization
from kg.names.identifiers import Fault
from kg.names.law_numbers import LawNumber
from kg.rdf import iris
from kg.rdf.namespaces import KG, OWL, SKOS
from kg.rdf.terms import value
from kg.release.search import ONTOLOGY_KIND, IndexEntry
from kg.release.store import Release

_ORG = "http://www.w3.org/ns/org#"
_OWNED_BY = (_ORG + "unitOf", _ORG + "subOrganizationOf")
_OWNS = (KG + "hasComponent",)
LINKS = (OWL + "sameAs", SKOS + "exactMatch", "http://xmlns.com/foaf/0.1/homepage")
_LAW_NUMBER = KG + "lawNumber"
_CODES = (KG + "isoAlpha2", KG + "isoAlpha3")
# Parts of documents and terms of lists bear the names of what they are about: they are found only when asked for.
_QUIET = frozenset({ONTOLOGY_KIND, "source", "passage", "vocabulary"})
# How sure each way of reading a name is, in percent, before anything else is known.
SCORES: Mapping[str, float] = {
    "identifier": 100.0,
    "law-number": 100.0,
    "exact": 100.0,
    "legal-form": 98.0,
    "brackets": 97.0,
    "unit": 96.0,
    "abbreviation": 95.0,
    "honorific": 95.0,
    "romanised": 94.0,
    "code": 94.0,
    "short": 60.0,
    "number": 55.0,
    "owner": 30.0,
}
# What may mean other things as well, however few records have it.
UNSURE = frozenset({"short", "number", "owner"})
# Forms in which a name stands alone, without its owner or a number.
_ALONE = frozenset({"exact", "brackets", "legal-form", "abbreviation"})
# What is left out or filled in of the names of one kind only: 委員長 of a committee is not the committee.
_BODY = "organization"
_ONLY_FOR = {"legal-form": _BODY, "abbreviation": _BODY, "honorific": "person"}
# Parts of these kinds are known by names of their own; of others (the 基盤研究 of a programme, a strategy's 研究基盤) a
# short name means them only beside that of their owner, or when their kind is asked for.
_WITH_NAMED_PARTS = frozenset({"organization", "law"})
_NAMED_BY_OWNERS = frozenset({"scheme"})
_DISTINCTIVE = 10
_ROLE_COSTS = {"other name": 1.0, "spelling": 2.0, "reading": 2.0}


@dataclass(frozen=True, slots=True)
class NameHit:
    """A record that has a name: in which form of it, and which text of ours that is."""

    iri: str
    kind: str
    form: str
    matched: str
    role: str = "name"

    @property
    def score(self) -> float:
        return SCORES[self.form] - _ROLE_COSTS.get(self.role, 0.0)


@dataclass(frozen=True, slots=True)
class Identified:
    """The records that an identifier names, and why a text that has the form of one is none."""

    iris: tuple[str, ...]
    faults: tuple[Fault, ...]


class Gazetteer:
    """The names and identifiers of one release; reading only, from any thread."""

    def __init__(self, release: Release, entries: Iterable[IndexEntry]) -> None:
        self._base = release.manifest.base_iri
        self._root = self._base + "id/"
        self.kinds: dict[str, str] = {}
        self._of: dict[str, list[IndexEntry]] = defaultdict(list)
        self._names: dict[str, list[IndexEntry]] = defaultdict(list)
        self._persons: dict[str, list[IndexEntry]] = defaultdict(list)
        self._locals: dict[str, list[IndexEntry]] = defaultdict(list)
        self._stems: dict[str, list[IndexEntry]] = defaultdict(list)
        for entry in entries:
            self.kinds[entry.iri] = entry.kind
            if entry.role not in ("identifier", "description"):
                self._of[entry.iri].append(entry)
        self._direct = _owners(release, self.kinds, self._root)
        self._owners = {iri: self._all_owners(iri) for iri in self._of}
        self._parts = _parts(self.kinds, self._root)
        self._identified, self._laws = _identifiers(release, self.kinds)
        self._codes = {code: iri for predicate in _CODES for iri, code in _pairs(release, predicate)}
        places = frozenset(
            normalization.name(e.text).key for found in self._of.values() for e in found if e.kind == "place"
        )
        for found in self._of.values():
            for entry in found:
                self._add(entry, places)

    def _add(self, entry: IndexEntry, places: frozenset[str]) -> None:
        key = normalization.name(entry.text).key
        for known in forms.of_known(key):
            self._names[known].append(entry)
        if entry.kind == "person" and (folded := forms.person(entry.text)):
            self._persons[folded].append(entry)
        for stem in forms.unqualified(entry.text, places):
            self._stems[stem].append(entry)
        if owners := self._owners[entry.iri]:
            names = {normalization.name(e.text).key for owner in owners for e in self._of.get(owner, ())}
            for unit in set(forms.of_unit(key, names)):
                self._locals[unit].append(entry)
                for stem in forms.stems(unit):
                    self._stems[stem].append(entry)

    def _all_owners(self, iri: str) -> tuple[str, ...]:
        """What a record is a part of, directly or not, the nearest first."""
        found: list[str] = []
        waiting = list(self._direct.get(iri, ()))
        while waiting:
            if (owner := waiting.pop(0)) not in found and owner != iri:
                found.append(owner)
                waiting += self._direct.get(owner, ())
        return tuple(found)

    def fits(self, kind: str, wanted: frozenset[str]) -> bool:
        """Whether a kind is one of those wanted, or, when all are, one that is found without being asked for."""
        return kind in wanted if wanted else kind not in _QUIET

    def _takes(self, hit: NameHit, wanted: frozenset[str]) -> bool:
        if not wanted and hit.iri in self._parts and hit.form in _ALONE:
            return len(normalization.name(hit.matched).key) >= _DISTINCTIVE and self.fits(hit.kind, wanted)
        return self.fits(hit.kind, wanted)

    def texts(self, iri: str) -> Sequence[IndexEntry]:
        """The names of a record."""
        return self._of.get(iri, ())

    # ---- names ----

    def hits(self, name: str, wanted: frozenset[str]) -> list[NameHit]:
        """What has this name, by the first way of reading it that finds anything among the wanted kinds."""
        for reading in (self._exactly, self._as_identifier, self._in_brackets, self._as_unit, self._as_person):
            if found := [hit for hit in reading(name) if self._takes(hit, wanted)]:
                # Without a kind a bare number or code may be anything.
                return found if wanted else [replace(h, form="number") if h.form == "code" else h for h in found]
        return self.rivals(name, wanted) or self._beginning(name, wanted)

    def rivals(self, name: str, wanted: frozenset[str], but: frozenset[str] = frozenset()) -> list[NameHit]:
        """What may be called so for short."""
        return [
            NameHit(e.iri, e.kind, "short", e.text, e.role)
            for e in self._stems.get(normalization.name(name).key, ())
            if e.iri not in but and self.fits(e.kind, wanted)
        ]

    def _beginning(self, name: str, wanted: frozenset[str]) -> list[NameHit]:
        """The body whose name is the beginning: 東京大学 of 東京大学医学部, which is a unit that nobody told us of."""
        key = normalization.name(normalization.without_legal_form(name)).key
        for end in range(len(key) - 1, 1, -1):
            found = [e for e in self._names.get(key[:end], ()) if e.kind == _BODY and self.fits(e.kind, wanted)]
            if found:
                return [NameHit(e.iri, e.kind, "owner", e.text, e.role) for e in found]
        return []

    def named(self, text: str) -> frozenset[str]:
        """The records of any kind that a text names or identifies beyond doubt."""
        return frozenset(hit.iri for hit in self.hits(text.strip(), frozenset()) if hit.form not in UNSURE)

    def _exactly(self, name: str) -> Iterator[NameHit]:
        for key, form in forms.of_asked(name):
            only = _ONLY_FOR.get(form)
            found = [e for e in self._names.get(key, ()) if only in (None, e.kind)]
            yield from (NameHit(e.iri, e.kind, form, e.text, e.role) for e in found)
            if found and form == "exact":
                return

    def _as_identifier(self, name: str) -> Iterator[NameHit]:
        found, _ = identifiers.read(name)
        for identifier in found:
            for iri in self.identified(identifier.scheme, identifier.value):
                yield NameHit(iri, self.kinds[iri], "identifier" if identifier.is_certain else "code", identifier.value)
        if (law := law_numbers.split(name)) and law[0] in self._laws:
            iri, rest = self._laws[law[0]], normalization.name(law[1]).key
            if not rest:
                yield NameHit(iri, self.kinds[iri], "law-number", str(law[0]))
            units = (e for e in self._locals.get(forms.article(rest), ()) if iri in self._owners[e.iri])
            yield from (NameHit(e.iri, e.kind, "unit", e.text, e.role) for e in units)
        if own := self.own(name):
            yield NameHit(own, self.kinds[own], "identifier", own)
        if code := self._codes.get(name.upper()):
            yield NameHit(code, self.kinds[code], "code", name.upper())

    def _in_brackets(self, name: str) -> Iterator[NameHit]:
        """A name with another of the same record in brackets, or with the letters by which it is known."""
        if not (parts := forms.brackets(name)):
            return
        outer, inner = (
            list(self._exactly(part)) or list(self._as_identifier(part)) or list(self._as_unit(part)) for part in parts
        )
        names = {hit.iri for hit in inner}
        for hit in outer:
            if hit.iri in names or (not inner and self._abbreviates(normalization.name(parts[1]).key, hit.iri)):
                yield replace(hit, form="brackets")

    def _as_unit(self, name: str) -> Iterator[NameHit]:
        """The names of an owner and one of its units: 理研AIP, 産総研 人工知能研究センター, AI法第9条."""
        key = normalization.name(normalization.without_legal_form(name)).key
        for head, tail in forms.splits(key):
            for owner, unit in ((head, forms.article(tail)), (tail, head)):
                for entry in self._locals.get(unit, ()):
                    if self._is_any(owner, self._owners[entry.iri]):
                        yield NameHit(entry.iri, entry.kind, "unit", entry.text, entry.role)

    def _is_any(self, key: str, owners: Sequence[str]) -> bool:
        """Whether a key names one of these owners: in full, for short, or as a unit of another."""
        keys = (key, key + "学") if key.endswith("大") else (key,)
        if any(e.iri in owners for k in keys for e in self._names.get(k, ())):
            return True
        if any(self._abbreviates(key, owner) for owner in owners):
            return True
        return len(key) > 3 and any(hit.iri in owners for hit in self._as_unit(key))

    def _abbreviates(self, key: str, iri: str) -> bool:
        """Whether a key is made of characters or first letters of a name that the record has."""
        if key.isascii():
            return any(e.language == "en" and forms.is_acronym_of(key, e.text) for e in self.texts(iri))
        return any(forms.is_short_for(key, normalization.name(e.text).key) for e in self.texts(iri))

    def _as_person(self, name: str) -> Iterator[NameHit]:
        if folded := forms.person(name):
            yield from (NameHit(e.iri, e.kind, "romanised", e.text, e.role) for e in self._persons.get(folded, ()))

    # ---- identifiers ----

    def identified(self, scheme: str, value: str) -> Sequence[str]:
        """The records that have an identifier of a register."""
        return self._identified.get((scheme, value), ())

    def identify(self, text: str, scheme: str = "") -> Identified:
        """The records that an IRI or identifier, of ours or of a register, means in any of its written forms.

        A bare number, which several registers may have, is one only when its scheme is told.
        """
        if own := self.own(text):
            return Identified((own,), ())
        found, faults = identifiers.read(text)
        meant = [i for i in found if (i.scheme == scheme if scheme else i.is_certain)]
        known = [iri for identifier in meant for iri in self.identified(identifier.scheme, identifier.value)]
        if not known and not scheme and (law := law_numbers.read(text)) and law in self._laws:
            known = [self._laws[law]]
        return Identified(tuple(dict.fromkeys(known)), tuple(faults))

    def own(self, text: str) -> str:
        """The IRI of ours that a text is: canonical, of a page or file of it, or its path alone; '' for none."""
        bare = text.strip().partition("://")[2] or text.strip()
        home = self._base.partition("://")[2]
        path = bare.replace(":", "/", 1).strip("/")
        for part in ("id/", "page/", "data/"):
            if bare.startswith(home + part):
                path = bare.removeprefix(home + part).partition("?")[0].partition("#")[0].rstrip("/")
                path = path.rpartition(".")[0] if part == "data/" and "." in path else path
        iri = self._root + path
        return iri if iris.SLUG.fullmatch(path) and iri in self.kinds else ""


# ---- reading a release ----


def _pairs(release: Release, predicate: str) -> Iterator[tuple[str, str]]:
    graph = DefaultGraph() if release.manifest.is_merged else None
    for quad in release.store.quads_for_pattern(None, NamedNode(predicate), None, graph):
        yield value(quad.subject), value(quad.object)


def _identifiers(
    release: Release, kinds: Mapping[str, str]
) -> tuple[dict[tuple[str, str], list[str]], dict[LawNumber, str]]:
    """The records by identifier, and the laws by number."""
    found: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    laws: dict[LawNumber, str] = {}
    for predicate in (*identifiers.OF_PROPERTIES, *LINKS, _LAW_NUMBER):
        for iri, text in sorted(_pairs(release, predicate)):
            if iri not in kinds or text.startswith(release.manifest.base_iri):
                continue
            own = identifiers.of_property(predicate, text)
            for identifier in [own] if own else identifiers.read(text)[0]:
                found[identifier.scheme, identifier.value][iri] = None
                if law := law_numbers.of_law_id(identifier.value):
                    laws[law] = iri
            if predicate == _LAW_NUMBER and (law := law_numbers.read(text)):
                laws[law] = iri
    return {key: list(known) for key, known in found.items()}, laws


def _parts(kinds: Mapping[str, str], root: str) -> frozenset[str]:
    """The records whose names say what they are only within another."""
    below = {iri for iri, kind in kinds.items() if "/" in iri.removeprefix(root + kind + "/")}
    named = {iri for iri in below if kinds[iri] in _WITH_NAMED_PARTS}
    return frozenset((below - named) | {iri for iri, kind in kinds.items() if kind in _NAMED_BY_OWNERS})


def _owners(release: Release, kinds: Mapping[str, str], root: str) -> dict[str, list[str]]:
    """What each record is directly a part of: by its owner's path, and by what the data says of units and parts."""
    found: dict[str, list[str]] = defaultdict(list)
    for predicate in _OWNED_BY:
        for iri, owner in sorted(_pairs(release, predicate)):
            found[iri].append(owner)
    for predicate in _OWNS:
        for owner, iri in sorted(_pairs(release, predicate)):
            found[iri].append(owner)
    for iri in kinds:
        above = iri.rpartition("/")[0]
        if above.startswith(root) and above in kinds:
            found[iri].append(above)
    return dict(found)
