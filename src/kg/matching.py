"""Matching: which record a name in somebody's table means, how sure that is, and why.

Normalised names are looked up; only what no form of the name finds goes to the search index. A candidate is a match
when one record alone has the name or identifier, and nothing that the caller or another record says is against it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from pyoxigraph import DefaultGraph, NamedNode

from kg import forms, identifiers, iris, law_numbers, normalization, search
from kg.agreement import Facts
from kg.entities import KG, OWL, SKOS
from kg.identifiers import Fault
from kg.law_numbers import LawNumber
from kg.search import ONTOLOGY_KIND, Entry
from kg.store import Release
from kg.terms import value

_ORG = "http://www.w3.org/ns/org#"
_OWNERS = (_ORG + "unitOf", _ORG + "subOrganizationOf")
_LINKS = (OWL + "sameAs", SKOS + "exactMatch", "http://xmlns.com/foaf/0.1/homepage")
_LAW_NUMBER = KG + "lawNumber"
_CODES = (KG + "isoAlpha2", KG + "isoAlpha3")
# Parts of documents and terms of lists bear the names of what they are about: they are candidates only when asked for.
_QUIET = frozenset({ONTOLOGY_KIND, "source", "passage", "vocabulary"})
_SCORES: Mapping[str, float] = {
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
}
_ROLE_COSTS = {"other name": 1.0, "spelling": 2.0, "reading": 2.0}
_LONGEST = 400
_MOST_SIMILAR = 74.0


@dataclass(frozen=True, slots=True)
class Feature:
    """One reason for a score."""

    id: str
    value: float | bool | str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record that a name may mean; `score` is in 0 to 100, `matched` the text of ours that matched."""

    iri: str
    kind: str
    score: float
    match: bool
    features: tuple[Feature, ...]
    matched: str


@dataclass(frozen=True, slots=True)
class Identified:
    """The records that an identifier names, and why a text that has the form of one is none."""

    iris: tuple[str, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class _Hit:
    iri: str
    kind: str
    form: str
    matched: str
    role: str = "name"

    @property
    def score(self) -> float:
        return _SCORES[self.form] - _ROLE_COSTS.get(self.role, 0.0)


def open_matcher(release: Release) -> Matcher:
    """The matcher of a release, from the entries of its search index."""
    return Matcher(release, search.open_index(release))


class Matcher:
    """The names and identifiers of one release; reading only, from any thread."""

    def __init__(self, release: Release, index: search.Search) -> None:
        self._search = index
        self._base = release.manifest.base_iri
        self._root = self._base + "id/"
        entries = [e for e in index.entries if e.role != "description"]
        self._kinds = {e.iri: e.kind for e in index.entries}
        self._names: dict[str, list[Entry]] = defaultdict(list)
        self._persons: dict[str, list[Entry]] = defaultdict(list)
        self._keys: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            self._add(entry)
        self._identified, self._laws = _identifiers(release, self._kinds)
        self._codes = {code: iri for predicate in _CODES for iri, code in _texts(release, predicate)}
        self._owners = _owners(release, self._kinds, self._root)
        self._locals, self._stems = self._units()
        self._facts = Facts(release.store, self._base, release.manifest.is_merged, self._named)
        self._similar = lru_cache(maxsize=20_000)(self._find_similar)

    def _add(self, entry: Entry) -> None:
        if entry.role == "identifier":
            return
        self._keys[entry.iri].append(entry)
        for key in forms.of_known(normalization.name(entry.text).key):
            self._names[key].append(entry)
        if entry.kind == "person" and (folded := forms.person(entry.text)):
            self._persons[folded].append(entry)

    def _units(self) -> tuple[dict[str, list[Entry]], dict[str, list[Entry]]]:
        """By key, the units that their owners call so, and the records that may be called so for short."""
        local: dict[str, list[Entry]] = defaultdict(list)
        stems: dict[str, list[Entry]] = defaultdict(list)
        for iri, entries in self._keys.items():
            owners = {normalization.name(e.text).key for o in self._all_owners(iri) for e in self._keys.get(o, ())}
            for entry in entries:
                key = normalization.name(entry.text).key
                if owners:
                    for unit in set(forms.of_unit(key, iter(owners))):
                        local[unit].append(entry)
                        for stem in forms.stems(unit):
                            stems[stem].append(entry)
        return dict(local), dict(stems)

    def _all_owners(self, iri: str) -> list[str]:
        """What a record is a part of, directly or not, the nearest first."""
        found: list[str] = []
        waiting = list(self._owners.get(iri, ()))
        while waiting:
            if (owner := waiting.pop(0)) not in found and owner != iri:
                found.append(owner)
                waiting += self._owners.get(owner, ())
        return found

    # ---- asking ----

    def match(
        self, name: str, *, kinds: Sequence[str] = (), properties: Sequence[tuple[str, str]] = (), limit: int = 5
    ) -> list[Candidate]:
        """The records that a name may mean, best first, at most one of them as a match.

        `kinds` are classes of paths; `properties` are pairs of a property (an IRI or its last part) and a value, which
        may be the name or identifier of another record. Without a name the properties alone choose.
        """
        wanted = frozenset(kinds)
        name = name[:_LONGEST].strip()
        hits = list(self._hits(name, wanted)) if name else []
        if properties:
            hits += self._by_properties(name, properties, wanted)
        best = _best(hits)
        if not best or (len(best) == 1 and best[0].form == "short"):
            return self._with_similar(name, wanted, best, properties, limit)
        return self._judge(best, properties, self._rivals(name, best, wanted), limit)

    def identify(self, text: str) -> Identified:
        """The records that an IRI or identifier of ours or of a register means, in any of its written forms."""
        if own := self._own(text.strip()):
            return Identified((own,), ())
        found, faults = identifiers.read(text)
        known = [iri for identifier in found for iri in self._identified.get((identifier.scheme, identifier.value), ())]
        if not known and (law := law_numbers.read(text)):
            known = [self._laws[law]] if law in self._laws else []
        return Identified(tuple(dict.fromkeys(known)), tuple(faults))

    def _own(self, text: str) -> str:
        """The IRI of ours that a text is: canonical, of a page or file of the record, or its path alone."""
        bare = text.partition("://")[2] or text
        home = self._base.partition("://")[2]
        for part in ("id/", "page/", "data/"):
            if bare.startswith(home + part):
                path = bare.removeprefix(home + part).partition("?")[0].partition("#")[0].rstrip("/")
                path = path.rpartition(".")[0] if part == "data/" and "." in path else path
                return self._root + path if self._root + path in self._kinds else ""
        path = text.replace(":", "/", 1).strip("/")
        return self._root + path if iris.SLUG.fullmatch(path) and self._root + path in self._kinds else ""

    # ---- looking up ----

    def _hits(self, name: str, wanted: frozenset[str]) -> Iterator[_Hit]:
        """What has this name: from the first way of reading it that finds anything."""
        for readings in (self._exactly, self._as_identifier, self._in_brackets, self._as_unit, self._as_person):
            if found := [hit for hit in readings(name) if self._fits(hit.kind, wanted)]:
                yield from found
                return
        yield from (
            _Hit(e.iri, e.kind, "short", e.text, e.role)
            for e in self._stems.get(normalization.name(name).key, ())
            if self._fits(e.kind, wanted)
        )

    def _fits(self, kind: str, wanted: frozenset[str]) -> bool:
        return kind in wanted if wanted else kind not in _QUIET

    def _exactly(self, name: str) -> Iterator[_Hit]:
        for key, form in forms.of_asked(name):
            found = self._names.get(key, ())
            yield from (_Hit(e.iri, e.kind, form, e.text, e.role) for e in found)
            if found and form == "exact":
                return

    def _as_identifier(self, name: str) -> Iterator[_Hit]:
        found, _ = identifiers.read(name)
        for identifier in found:
            for iri in self._identified.get((identifier.scheme, identifier.value), ()):
                yield _Hit(iri, self._kinds[iri], "identifier" if identifier.is_certain else "code", identifier.value)
        if (law := law_numbers.split(name)) and law[0] in self._laws:
            iri, rest = self._laws[law[0]], normalization.name(law[1]).key
            if not rest:
                yield _Hit(iri, self._kinds[iri], "law-number", str(law[0]))
            for entry in self._locals.get(rest, ()):
                if iri in self._all_owners(entry.iri):
                    yield _Hit(entry.iri, entry.kind, "unit", entry.text, entry.role)
        if own := self._own(name):
            yield _Hit(own, self._kinds[own], "identifier", own)
        if name in self._codes:
            yield _Hit(self._codes[name], self._kinds[self._codes[name]], "code", name)

    def _in_brackets(self, name: str) -> Iterator[_Hit]:
        """A name with another of the same record in brackets, or with the letters by which it is known."""
        if not (parts := forms.brackets(name)):
            return
        outer, inner = (list(self._exactly(part)) or list(self._as_identifier(part)) for part in parts)
        names = {hit.iri for hit in inner}
        for hit in outer:
            known = (e.text for e in self._keys.get(hit.iri, ()) if e.language == "en")
            if hit.iri in names or (not inner and any(forms.is_acronym_of(parts[1], text) for text in known)):
                yield replace(hit, form="brackets")

    def _as_unit(self, name: str) -> Iterator[_Hit]:
        """A name of an owner and one of its units: 理研AIP, 産総研 人工知能研究センター, AI法第9条."""
        key = normalization.name(normalization.without_legal_form(name)).key
        for head, tail in forms.splits(key):
            for owner, unit in ((head, tail), (tail, head)):
                for entry in self._locals.get(unit, ()):
                    if self._owns(owner, self._all_owners(entry.iri)):
                        yield _Hit(entry.iri, entry.kind, "unit", entry.text, entry.role)

    def _owns(self, key: str, owners: Sequence[str]) -> bool:
        """Whether a key names one of these owners, in full, for short, or as unit of another."""
        keys = {key, key + "学"} if key.endswith("大") else {key}
        if any(e.iri in owners for k in keys for e in self._names.get(k, ())):
            return True
        for owner in owners:
            for entry in self._keys.get(owner, ()):
                if entry.language == "en" and key.isascii() and forms.is_acronym_of(key, entry.text):
                    return True
                if entry.language != "en" and forms.is_short_for(key, normalization.name(entry.text).key):
                    return True
        return any(hit.iri in owners for hit in self._as_unit(key)) if len(key) > 3 else False

    def _as_person(self, name: str) -> Iterator[_Hit]:
        if folded := forms.person(name):
            yield from (_Hit(e.iri, e.kind, "romanised", e.text, e.role) for e in self._persons.get(folded, ()))

    def _named(self, text: str) -> frozenset[str]:
        """The records of any kind that a text names or identifies beyond doubt."""
        return frozenset(hit.iri for hit in self._hits(text.strip(), frozenset()) if hit.form != "short")

    # ---- judging ----

    def _by_properties(
        self, name: str, properties: Sequence[tuple[str, str]], wanted: frozenset[str]
    ) -> Iterator[_Hit]:
        """What the properties tell by themselves: by identifiers always, by other values when there is no name."""
        for pid, text in properties:
            for predicate in self._facts.predicates(pid):
                identifier = identifiers.of_property(predicate, text)
                found, _ = identifiers.read(text)
                known = [i for i in found if identifier is None or i.scheme == identifier.scheme]
                if identifier is None and predicate not in _LINKS:
                    continue
                for iri in (iri for i in known for iri in self._identified.get((i.scheme, i.value), ())):
                    if self._fits(self._kinds[iri], wanted):
                        yield _Hit(iri, self._kinds[iri], "identifier", text)
        if not name:
            pid, text = properties[0]
            for iri in self._facts.subjects(pid, text):
                if self._fits(kind := self._kinds.get(iri, "passage"), wanted):
                    yield _Hit(iri, kind, "short", text)

    def _rivals(self, name: str, best: Sequence[_Hit], wanted: frozenset[str]) -> list[_Hit]:
        """What else may be called so for short, when a short name is all that was found."""
        known = {hit.iri for hit in best}
        if best[0].role == "name" or best[0].form != "exact":
            return []
        return [
            _Hit(e.iri, e.kind, "short", e.text, e.role)
            for e in self._stems.get(normalization.name(name).key, ())
            if e.iri not in known and self._fits(e.kind, wanted)
        ]

    def _judge(
        self, best: Sequence[_Hit], properties: Sequence[tuple[str, str]], rivals: Sequence[_Hit], limit: int
    ) -> list[Candidate]:
        agreements = {
            hit.iri: [(pid, self._facts.agree(hit.iri, pid, text)) for pid, text in properties]
            for hit in (*best, *rivals)
        }
        against = {iri for iri, found in agreements.items() if any(agrees is False for _, agrees in found)}
        backed = {iri for iri, found in agreements.items() if any(found) and any(a for _, a in found)} - against
        standing = [hit for hit in (*best, *rivals) if hit.iri not in against]
        if len(backed) == 1:
            standing = [hit for hit in standing if hit.iri in backed]
        safe = [hit for hit in standing if hit.form != "short" or hit.iri in backed]
        is_unique = len({hit.iri for hit in standing}) == 1 and len(safe) == 1
        doubts = len({hit.iri for hit in standing})
        candidates: list[Candidate] = []
        for hit in _best((*best, *rivals)):
            score = hit.score
            if hit.iri in against:
                score *= 0.5
            elif doubts > 1:
                score *= 0.5 + 0.3 / doubts
            features = [
                Feature("form", hit.form),
                Feature("role", hit.role),
                Feature("unique", is_unique and hit.iri == safe[0].iri),
                *(Feature(f"property:{pid}", agrees) for pid, agrees in agreements[hit.iri] if agrees is not None),
            ]
            is_match = is_unique and hit.iri == safe[0].iri
            candidates.append(Candidate(hit.iri, hit.kind, round(score, 1), is_match, tuple(features), hit.matched))
        candidates.sort(key=lambda c: (not c.match, -c.score, len(c.matched), c.iri))
        return candidates[:limit]

    def _with_similar(
        self,
        name: str,
        wanted: frozenset[str],
        known: Sequence[_Hit],
        properties: Sequence[tuple[str, str]],
        limit: int,
    ) -> list[Candidate]:
        """Candidates that only look alike: never a match."""
        found = self._judge(known, properties, (), limit) if known else []
        found = [replace(c, match=False) for c in found]
        have = {c.iri for c in found}
        for candidate in self._similar(name, wanted, limit) if name else ():
            if candidate.iri not in have:
                agreements = [(pid, self._facts.agree(candidate.iri, pid, text)) for pid, text in properties]
                told = tuple(Feature(f"property:{pid}", a) for pid, a in agreements if a is not None)
                lowered = candidate.score * (0.5 if any(a is False for _, a in agreements) else 1)
                found.append(replace(candidate, score=round(lowered, 1), features=(*candidate.features, *told)))
        found.sort(key=lambda c: (-c.score, len(c.matched), c.iri))
        return found[:limit]

    def _find_similar(self, name: str, wanted: frozenset[str], limit: int) -> tuple[Candidate, ...]:
        hits = self._search.find(name, kinds=sorted(wanted), limit=limit * 3).hits
        return tuple(
            Candidate(
                hit.iri,
                hit.kind,
                round(hit.score * _MOST_SIMILAR, 1),
                False,
                (Feature("form", "similar"), Feature("role", hit.entry.role), Feature("similarity", hit.score)),
                hit.entry.text,
            )
            for hit in hits
            if self._fits(hit.kind, wanted) and hit.entry.role != "description"
        )[:limit]


def _best(hits: Iterable[_Hit]) -> list[_Hit]:
    """The best hit for each record, the best first."""
    best: dict[str, _Hit] = {}
    for hit in hits:
        if hit.iri not in best or hit.score > best[hit.iri].score:
            best[hit.iri] = hit
    return sorted(best.values(), key=lambda h: (-h.score, h.iri))


# ---- reading a release ----


def _pairs(release: Release, predicate: str) -> Iterator[tuple[str, str]]:
    graph = DefaultGraph() if release.manifest.is_merged else None
    for quad in release.store.quads_for_pattern(None, NamedNode(predicate), None, graph):
        yield value(quad.subject), value(quad.object)


_texts = _pairs


def _identifiers(
    release: Release, kinds: Mapping[str, str]
) -> tuple[dict[tuple[str, str], list[str]], dict[LawNumber, str]]:
    """The records by identifier, and the laws by number."""
    found: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    laws: dict[LawNumber, str] = {}
    for predicate in (*identifiers.OF_PROPERTIES, *_LINKS, _LAW_NUMBER):
        for iri, text in _pairs(release, predicate):
            if iri not in kinds or text.startswith(release.manifest.base_iri):
                continue
            own = identifiers.of_property(predicate, text)
            for identifier in [own] if own else identifiers.read(text)[0]:
                found[identifier.scheme, identifier.value][iri] = None
                if law := law_numbers.of_law_id(identifier.value):
                    laws[law] = iri
            if predicate == _LAW_NUMBER and (law := law_numbers.read(text)):
                laws[law] = iri
    return {key: list(values) for key, values in found.items()}, laws


def _owners(release: Release, kinds: Mapping[str, str], root: str) -> dict[str, list[str]]:
    """What each record is directly a part of: by its owner's path, and for bodies by what they are units of."""
    found: dict[str, list[str]] = defaultdict(list)
    for predicate in _OWNERS:
        for iri, owner in _pairs(release, predicate):
            found[iri].append(owner)
    for iri in kinds:
        above = iri.rpartition("/")[0]
        if above.count("/") > root.count("/") and above in kinds:
            found[iri].append(above)
    return dict(found)
