"""Looks up names and identifiers of a release in the forms in which people write them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from kg.linking import surroundings
from kg.linking.hits import NAMESAKE, UNSURE, NameHit
from kg.names import forms, law_numbers, normalization
from kg.names.identifiers import Fault
from kg.names.legal_forms import Stripped
from kg.names.name_profile import NameProfile
from kg.rdf import iris
from kg.rdf.namespaces import KG
from kg.release.search import ONTOLOGY_KIND, IndexEntry
from kg.release.store import Release

_CODES = (KG + "isoAlpha2", KG + "isoAlpha3")
# Passages and terms of code lists have the names of what they are about: they are found only if their kind is given.
ON_REQUEST = frozenset({ONTOLOGY_KIND, "source", "passage", "concordance", "vocabulary"})
# Forms in which the name stands alone, without its owner or a number.
_ALONE = frozenset({"exact", "brackets", "legal-form", "abbreviation"})
# Forms that apply to one kind only: without its honorific, 委員長 (chair of a committee) would become the committee.
_BODY = "organization"
_ONLY_FOR = {"legal-form": _BODY, "abbreviation": _BODY, "honorific": "person"}
_PLACE = "place"
_DISTINCTIVE = 10
# The fewest characters of a name that is compared without its spaces.
_CLOSED = 5
_NO_DOCUMENTS = frozenset({"organization", "person", "place"})


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
        self._closed: dict[str, list[IndexEntry]] = defaultdict(list)
        self._direct = surroundings.owners(release, self.kinds, self._root)
        self._owners = {iri: self._owners_of(iri) for iri in self._entries}
        usual = {iri: kind for iri, kind in self.kinds.items() if kind not in ON_REQUEST}
        self._below = surroundings.below(usual, self._root)
        self._parts = surroundings.parts(self.kinds, self._root)
        self._identified, self._laws = surroundings.identifiers(release, self.kinds, profile.identifiers)
        self._forms = {iri: self._forms_of(found) for iri, found in self._entries.items() if self.kinds[iri] == _BODY}
        self._classes = surroundings.classes(release, self._entries)
        self._codes = {code: iri for predicate in _CODES for iri, code in surroundings.pairs(release, predicate)}
        self._located = surroundings.located(release, (i for i, kind in self.kinds.items() if kind == _PLACE))
        places = frozenset(
            normalization.name(e.text).key for found in self._entries.values() for e in found if e.kind == _PLACE
        )
        for found in self._entries.values():
            for entry in found:
                self._add(entry, places)

    def _add(self, entry: IndexEntry, places: frozenset[str]) -> None:
        key = normalization.name(entry.text).key
        for known in forms.index_keys(key):
            self._names[known].append(entry)
        self._closed[key.replace(" ", "")].append(entry)
        if entry.kind == "person" and (folded := forms.person(entry.text)):
            self._persons[folded].append(entry)
            for joined in forms.joined(entry.text):
                self._romanised[joined].append(entry)
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
        return frozenset(self.kinds.values()) - ON_REQUEST

    def fits(self, kind: str, wanted: frozenset[str]) -> bool:
        """Whether a kind is wanted; if no kinds are given, all are except those in `ON_REQUEST`."""
        return kind in wanted if wanted else kind not in ON_REQUEST

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
            self._closed_up,
            self._in_place,
            self._quoted,
            self._as_edition,
        ):
            if found := self._told_apart(name, [hit for hit in reading(name) if self._accepts(hit, wanted)]):
                # If no kind is given, a bare number or code may mean anything.
                return found if wanted else [replace(h, form="number") if h.form == "code" else h for h in found]
        return self.rivals(name, wanted) or self._by_prefix(name, wanted)

    def _told_apart(self, name: str, hits: list[NameHit]) -> list[NameHit]:
        """A name alone means the record that has it, not the part of another one that is about that record.

        Nor does it mean a record that has the name only with something in brackets, to be told apart.
        """
        apart = [hit for hit in hits if hit.form == "exact" and self._is_namesake(hit, name)]
        if len(apart) == len(hits):
            return hits
        return [replace(hit, form=NAMESAKE) if hit in apart else hit for hit in hits]

    def _is_namesake(self, hit: NameHit, name: str) -> bool:
        return hit.iri in self._below or bool(forms.brackets(hit.matched) and not forms.brackets(name))

    def rivals(self, name: str, wanted: frozenset[str], best: Sequence[NameHit] = ()) -> list[NameHit]:
        """Other records that may go by this short name.

        Those that have the preferred name of the best hit with something in brackets are told apart from it by that.
        """
        key, known = normalization.name(name).key, {hit.iri for hit in best}
        is_preferred = bool(best) and best[0].role == "name"
        found = []
        for e in self._stems.get(key, ()):
            if e.iri not in known and self.fits(e.kind, wanted):
                parts = forms.brackets(e.text) if is_preferred else None
                is_apart = parts is not None and normalization.name(parts[0]).key == key
                found.append(NameHit(e.iri, e.kind, NAMESAKE if is_apart else "short", e.text, e.role))
        return found

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
        if (law := law_numbers.split(forms.unwrapped(name))) and law[0] in self._laws:
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
            for owner, unit in ((forms.owner(head), forms.article(tail)), (forms.owner(tail), forms.article(head))):
                for entry in self._locals.get(unit, ()):
                    owners = self._owners[entry.iri]
                    if self._names_owner(owner, owners):
                        form = self._fitted("unit", stripped, owners)
                        yield NameHit(entry.iri, entry.kind, form, entry.text, entry.role)

    def _names_owner(self, key: str, owners: Sequence[str]) -> bool:
        """Whether a key names one of these owners by its full name, by an abbreviation, or as a unit of another."""
        keys = (key, key + "学") if key.endswith("大") else (key,)
        if named := [e.iri for k in keys for e in self._names.get(k, ()) if self.fits(e.kind, frozenset())]:
            # What is the whole name of one record is no abbreviation of another's.
            return any(iri in owners for iri in named)
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

    def _closed_up(self, name: str) -> Iterator[NameHit]:
        """A name with other spaces between its words, letters and digits than it has."""
        key = normalization.name(name).key.replace(" ", "")
        if len(key) >= _CLOSED:
            yield from (NameHit(e.iri, e.kind, "spacing", e.text, e.role) for e in self._closed.get(key, ()))

    def _in_place(self, name: str) -> Iterator[NameHit]:
        """A name followed by the country of the record, after a comma or in brackets."""
        if not (parts := forms.with_place(name)):
            return
        places = {hit.iri for hit in self._exactly(parts[1]) if hit.kind == _PLACE}
        for hit in self._exactly(parts[0]):
            if hit.form not in UNSURE and any(hit.iri in self._located[place] for place in places):
                yield replace(hit, form="placed")

    def _quoted(self, name: str) -> Iterator[NameHit]:
        """A name in quotation marks after a word for what it is, which is sure if the record is of that class."""
        if not (parts := forms.quoted(name)):
            return
        classes = {
            e.iri.replace("#", "/").rpartition("/")[2]
            for e in self._names.get(normalization.name(parts[0]).key, ())
            if e.kind == ONTOLOGY_KIND
        }
        for hit in self._exactly(parts[1]):
            is_class = hit.form not in UNSURE and not classes.isdisjoint(self._classes.get(hit.iri, ()))
            yield replace(hit, form="with-class" if is_class else "quoted")

    def _as_edition(self, name: str) -> Iterator[NameHit]:
        """The name of a document with a word for a summary, draft or other edition of it."""
        if (bare := forms.without_edition(name)) and bare != name:
            found = self._told_apart(bare, list(self._exactly(bare))) or list(self._closed_up(bare))
            for hit in found:
                if hit.kind not in _NO_DOCUMENTS:
                    yield hit if hit.form == NAMESAKE else replace(hit, form="edition")

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
