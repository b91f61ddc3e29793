"""Looks up names and identifiers of a release in the forms in which people write them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pyoxigraph import DefaultGraph, NamedNode

from kg.linking.evidence import OWNED_BY
from kg.names import forms, law_numbers, normalization
from kg.names.identifiers import Fault, Identifiers
from kg.names.law_numbers import LawNumber
from kg.names.legal_forms import Stripped
from kg.names.name_profile import NameProfile
from kg.rdf import iris
from kg.rdf.namespaces import KG, OWL, SCHEMA, SKOS
from kg.rdf.terms import value
from kg.release.search import ONTOLOGY_KIND, IndexEntry
from kg.release.store import Release

_OWNS = (KG + "hasComponent",)
LINKS = (OWL + "sameAs", SCHEMA + "sameAs", SKOS + "exactMatch", "http://xmlns.com/foaf/0.1/homepage")
_LAW_NUMBER = KG + "lawNumber"
_CODES = (KG + "isoAlpha2", KG + "isoAlpha3")
# Passages and terms of code lists have the names of what they are about: they are found only if their kind is given.
_ON_REQUEST = frozenset({ONTOLOGY_KIND, "source", "passage", "concordance", "vocabulary"})
# The score of each form in percent, before other evidence is considered.
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
    "unknown-legal-form": 58.0,
    "number": 55.0,
    "identifier-only": 50.0,
    "other-legal-form": 40.0,
    "owner": 30.0,
}
# Forms that may mean something else even if a single record has the name.
UNSURE = frozenset({"short", "number", "owner", "unknown-legal-form", "other-legal-form", "identifier-only"})
# Forms that are never a match, whatever else speaks for the record: the name of a part of it, of another corporation,
# or a name that it does not have beside its number, which its parts and its successors use too.
NEVER = frozenset({"owner", "other-legal-form", "unknown-legal-form", "identifier-only"})
# Forms in which the name stands alone, without its owner or a number.
_ALONE = frozenset({"exact", "brackets", "legal-form", "abbreviation"})
# Forms that apply to one kind only: without its honorific, 委員長 (chair of a committee) would become the committee.
_BODY = "organization"
_ONLY_FOR = {"legal-form": _BODY, "abbreviation": _BODY, "honorific": "person"}
_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
# Parts of these kinds are known by their own names. The short name of any other part (基盤研究, "basic research") means
# it only together with its owner's name, or if its kind is given.
_WITH_NAMED_PARTS = frozenset({"organization", "law"})
_NAMED_BY_OWNERS = frozenset({"scheme"})
_DISTINCTIVE = 10
_ROLE_COSTS = {"other name": 1.0, "spelling": 2.0, "reading": 2.0}


@dataclass(frozen=True, slots=True)
class NameHit:
    """A record found by name, the form in which the name was written, and the text of the record that matched."""

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
    """The records with an identifier, and the faults of a text that only looks like one."""

    iris: tuple[str, ...]
    faults: tuple[Fault, ...]


class Gazetteer:
    """The names and identifiers of one release; immutable and thread-safe."""

    def __init__(self, release: Release, entries: Iterable[IndexEntry], profile: NameProfile) -> None:
        self._identifiers, self._legal = profile.identifiers, profile.legal_forms
        self._base = release.manifest.base_iri
        self._root = self._base + "id/"
        self.kinds: dict[str, str] = {}
        self._entries: dict[str, list[IndexEntry]] = defaultdict(list)
        self._names: dict[str, list[IndexEntry]] = defaultdict(list)
        self._persons: dict[str, list[IndexEntry]] = defaultdict(list)
        self._romanised: dict[str, list[IndexEntry]] = defaultdict(list)
        self._locals: dict[str, list[IndexEntry]] = defaultdict(list)
        self._stems: dict[str, list[IndexEntry]] = defaultdict(list)
        for entry in entries:
            self.kinds[entry.iri] = entry.kind
            if entry.role not in ("identifier", "description"):
                self._entries[entry.iri].append(entry)
        self._direct = _owners(release, self.kinds, self._root)
        self._owners = {iri: self._owners_of(iri) for iri in self._entries}
        self._parts = _parts(self.kinds, self._root)
        self._identified, self._laws = _identifiers(release, self.kinds, profile.identifiers)
        self._forms = {iri: self._forms_of(found) for iri, found in self._entries.items() if self.kinds[iri] == _BODY}
        self._classes = _classes(release, self._forms)
        self._codes = {code: iri for predicate in _CODES for iri, code in _pairs(release, predicate)}
        places = frozenset(
            normalization.name(e.text).key for found in self._entries.values() for e in found if e.kind == "place"
        )
        for found in self._entries.values():
            for entry in found:
                self._add(entry, places)

    def _add(self, entry: IndexEntry, places: frozenset[str]) -> None:
        key = normalization.name(entry.text).key
        for known in forms.index_keys(key):
            self._names[known].append(entry)
        if entry.kind == "person" and (folded := forms.person(entry.text)):
            self._persons[folded].append(entry)
        elif entry.role == "reading" or entry.language == "ja-hrkt":
            self._romanised[forms.romanised(entry.text)].append(entry)
        for stem in forms.unqualified(entry.text, places):
            self._stems[stem].append(entry)
        if owners := self._owners[entry.iri]:
            names = {normalization.name(e.text).key for owner in owners for e in self._entries.get(owner, ())}
            for unit in set(forms.unit_keys(key, names)):
                self._locals[unit].append(entry)
                for stem in forms.stems(unit):
                    self._stems[stem].append(entry)

    def _owners_of(self, iri: str) -> tuple[str, ...]:
        """The owners of a record, direct and indirect, nearest first."""
        found: list[str] = []
        waiting = list(self._direct.get(iri, ()))
        while waiting:
            if (owner := waiting.pop(0)) not in found and owner != iri:
                found.append(owner)
                waiting += self._direct.get(owner, ())
        return tuple(found)

    def _forms_of(self, entries: Iterable[IndexEntry]) -> frozenset[str]:
        """The legal forms that a record's names say, if they say one and no other."""
        written = (forms for entry in entries for forms in self._legal.strip(entry.text).forms)
        return frozenset(form for meanings in written if len(meanings) == 1 for form in meanings)

    def _fitted(self, form: str, stripped: Stripped, records: Iterable[str]) -> str:
        """The form of a hit, given the legal forms that the name is written with and those of the records it names."""
        records = tuple(records)
        known = frozenset(form for iri in records for form in self._forms.get(iri, ()))
        classes = frozenset(name for iri in records for name in self._classes.get(iri, ()))
        fit = self._legal.fit(stripped.forms, known, classes)
        return form if fit == "same" else f"{fit}-legal-form"

    def owners(self, iri: str) -> Sequence[str]:
        """The owners of a record, direct and indirect, nearest first."""
        return self._owners.get(iri, ())

    @cached_property
    def usual_kinds(self) -> frozenset[str]:
        """The kinds of records that a name may mean if no kind is given."""
        return frozenset(self.kinds.values()) - _ON_REQUEST

    def fits(self, kind: str, wanted: frozenset[str]) -> bool:
        """Whether a kind is wanted; if no kinds are given, all are except those in `_ON_REQUEST`."""
        return kind in wanted if wanted else kind not in _ON_REQUEST

    def _accepts(self, hit: NameHit, wanted: frozenset[str]) -> bool:
        if not wanted and hit.iri in self._parts and hit.form in _ALONE:
            return len(normalization.name(hit.matched).key) >= _DISTINCTIVE and self.fits(hit.kind, wanted)
        return self.fits(hit.kind, wanted)

    def texts(self, iri: str) -> Sequence[IndexEntry]:
        """The names of a record."""
        return self._entries.get(iri, ())

    # ---- names ----

    def hits(self, name: str, wanted: frozenset[str]) -> list[NameHit]:
        """The records with this name, by the first reading of it that finds any of the wanted kinds."""
        for reading in (
            self._exactly,
            self._as_identifier,
            self._in_brackets,
            self._as_unit,
            self._in_full,
            self._as_person,
        ):
            if found := [hit for hit in reading(name) if self._accepts(hit, wanted)]:
                # If no kind is given, a bare number or code may mean anything.
                return found if wanted else [replace(h, form="number") if h.form == "code" else h for h in found]
        return self.rivals(name, wanted) or self._by_prefix(name, wanted)

    def rivals(self, name: str, wanted: frozenset[str], but: frozenset[str] = frozenset()) -> list[NameHit]:
        """Other records that may go by this short name."""
        return [
            NameHit(e.iri, e.kind, "short", e.text, e.role)
            for e in self._stems.get(normalization.name(name).key, ())
            if e.iri not in but and self.fits(e.kind, wanted)
        ]

    def _by_prefix(self, name: str, wanted: frozenset[str]) -> list[NameHit]:
        """The organisation whose name the text begins with: a university, for a faculty of it without a record."""
        key = normalization.name(self._legal.strip(name).bare).key
        for end in range(len(key) - 1, 1, -1):
            found = [e for e in self._names.get(key[:end], ()) if e.kind == _BODY and self.fits(e.kind, wanted)]
            if found:
                return [NameHit(e.iri, e.kind, "owner", e.text, e.role) for e in found]
        return []

    def named(self, text: str) -> frozenset[str]:
        """The records of any kind that a text names or identifies unambiguously."""
        return frozenset(hit.iri for hit in self.hits(text.strip(), frozenset()) if hit.form not in UNSURE)

    def _exactly(self, name: str) -> Iterator[NameHit]:
        stripped = self._legal.strip(name)
        for key, form in forms.lookup_keys(name, stripped.bare):
            only = _ONLY_FOR.get(form)
            found = [e for e in self._names.get(key, ()) if only in (None, e.kind)]
            for e in found:
                fitted = (
                    form
                    if form == "exact" or e.kind != _BODY
                    else self._fitted(form, stripped, (e.iri, *self._owners[e.iri]))
                )
                yield NameHit(e.iri, e.kind, fitted, e.text, e.role)
            if found and form == "exact":
                return

    def _as_identifier(self, name: str) -> Iterator[NameHit]:
        found, _ = self._identifiers.read(name)
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
        """A name followed by another name or the acronym of the same record in brackets."""
        if not (parts := forms.brackets(name)):
            return
        outer, inner = (
            list(self._exactly(part)) or list(self._as_identifier(part)) or list(self._as_unit(part)) for part in parts
        )
        names = {hit.iri for hit in inner}
        for hit in outer:
            if hit.iri in names or (not inner and self._abbreviates(normalization.name(parts[1]).key, hit.iri)):
                yield hit if hit.form in UNSURE else replace(hit, form="brackets")

    def _as_unit(self, name: str) -> Iterator[NameHit]:
        """The name of an owner with that of one of its units, in either order, or of a law with an article."""
        stripped = self._legal.strip(name)
        for head, tail in forms.splits(normalization.name(stripped.bare).key):
            for owner, unit in ((head, forms.article(tail)), (tail, head)):
                for entry in self._locals.get(unit, ()):
                    owners = self._owners[entry.iri]
                    if self._names_owner(owner, owners):
                        form = self._fitted("unit", stripped, owners)
                        yield NameHit(entry.iri, entry.kind, form, entry.text, entry.role)

    def _names_owner(self, key: str, owners: Sequence[str]) -> bool:
        """Whether a key names one of these owners by its full name, by an abbreviation, or as a unit of another."""
        keys = (key, key + "学") if key.endswith("大") else (key,)
        if any(e.iri in owners for k in keys for e in self._names.get(k, ())):
            return True
        if any(self._abbreviates(key, owner) for owner in owners):
            return True
        return len(key) > 3 and any(hit.iri in owners for hit in self._as_unit(key))

    def _abbreviates(self, key: str, iri: str) -> bool:
        """Whether a key is an acronym or abbreviation of one of the record's names."""
        if key.isascii():
            return any(e.language == "en" and forms.is_acronym_of(key, e.text) for e in self.texts(iri))
        return any(forms.is_short_for(key, normalization.name(e.text).key) for e in self.texts(iri))

    def _in_full(self, name: str) -> Iterator[NameHit]:
        """The name of a corporation with that of the institution that it runs, which begins with it or is the same."""
        stripped = self._legal.strip(name)
        key = normalization.name(stripped.bare).key.replace(" ", "")
        for end in range(2, len(key) // 2 + 1) if stripped.forms else ():
            corporation, institution = key[:end], key[end:]
            if institution.startswith(corporation):
                for e in self._names.get(institution, ()):
                    if e.kind == _BODY:
                        yield NameHit(e.iri, e.kind, self._fitted("legal-form", stripped, (e.iri,)), e.text, e.role)

    def _as_person(self, name: str) -> Iterator[NameHit]:
        if folded := forms.person(name):
            yield from (NameHit(e.iri, e.kind, "romanised", e.text, e.role) for e in self._persons.get(folded, ()))
        if folded := forms.romanised(name):
            yield from (NameHit(e.iri, e.kind, "romanised", e.text, e.role) for e in self._romanised.get(folded, ()))

    # ---- identifiers ----

    def identified(self, scheme: str, value: str) -> Sequence[str]:
        """The records with this identifier."""
        return self._identified.get((scheme, value), ())

    def identify(self, text: str, scheme: str = "") -> Identified:
        """The records that an IRI or an external identifier stands for, in any of its written forms.

        A bare number, which may occur in several registers, needs its `scheme`.
        """
        if own := self.own(text):
            return Identified((own,), ())
        found, faults = self._identifiers.read(text)
        meant = [i for i in found if (i.scheme == scheme if scheme else i.is_certain)]
        known = [iri for identifier in meant for iri in self.identified(identifier.scheme, identifier.value)]
        if not known and not scheme and (law := law_numbers.read(text)) and law in self._laws:
            known = [self._laws[law]]
        # The text of a law has the law's address, too.
        meant_most = [iri for iri in known if self.fits(self.kinds[iri], frozenset())] or known
        return Identified(tuple(dict.fromkeys(meant_most)), tuple(faults))

    def own(self, text: str) -> str:
        """The record IRI for its canonical form, the URL of its page or data file, or its path alone; '' if unknown."""
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


def _classes(release: Release, records: Iterable[str]) -> dict[str, frozenset[str]]:
    """The local names of the classes of records."""
    wanted, found = frozenset(records), defaultdict[str, set[str]](set)
    for iri, of in _pairs(release, _TYPE):
        if iri in wanted:
            found[iri].add(of.replace("#", "/").rpartition("/")[2])
    return {iri: frozenset(names) for iri, names in found.items()}


def _identifiers(
    release: Release, kinds: Mapping[str, str], identifiers: Identifiers
) -> tuple[dict[tuple[str, str], list[str]], dict[LawNumber, str]]:
    """Records by identifier, and laws by number."""
    found: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    laws: dict[LawNumber, str] = {}
    for predicate in (*identifiers.of_properties, *LINKS, _LAW_NUMBER):
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
    """The records whose names are meaningful only within their owner."""
    below = {iri for iri, kind in kinds.items() if "/" in iri.removeprefix(root + kind + "/")}
    named = {iri for iri in below if kinds[iri] in _WITH_NAMED_PARTS}
    return frozenset((below - named) | {iri for iri, kind in kinds.items() if kind in _NAMED_BY_OWNERS})


def _owners(release: Release, kinds: Mapping[str, str], root: str) -> dict[str, list[str]]:
    """The direct owners of each record: from its path, and from what the data states about units and parts."""
    found: dict[str, list[str]] = defaultdict(list)
    for predicate in OWNED_BY:
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
