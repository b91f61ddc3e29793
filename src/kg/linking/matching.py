"""Finds the records that a name may mean, with a score and the reasons for it.

Normalised names are looked up first; the search index is used only if no form of the name is known. A candidate is a
match if it is the only record with the name, and no property or other record contradicts it. An identifier supports a
name and never replaces it: a corporation's number is also written beside the names of its units and predecessors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from kg.linking.evidence import Facts
from kg.linking.gazetteer import Gazetteer, Identified
from kg.linking.hits import NAMESAKE, NEVER, UNSURE, NameHit
from kg.linking.surroundings import LINKS
from kg.names.name_profile import NameProfile
from kg.release import search
from kg.release.store import Release

Properties = Sequence[tuple[str, str]]

_MAX_NAME = 400
# The highest score of a candidate that is merely similar.
_MAX_SIMILAR = 58.0
# The factor for the score of a candidate that a property contradicts.
_CONTRADICTED = 0.5
# The factor for the score of a candidate of a kind that is only related to the one that was asked for.
_RELATED = 0.7
# Index entries that are compared for a name that no form finds: enough for suggestions, not a full list.
_DEPTH = 40


@dataclass(frozen=True, slots=True)
class Feature:
    """A reason for a score."""

    id: str
    value: float | bool | str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record that a name may mean; `score` is from 0 to 100, `matched` is the text of the record that matched."""

    iri: str
    kind: str
    score: float
    match: bool
    features: tuple[Feature, ...]
    matched: str


def open_matcher(release: Release, profile: NameProfile) -> Matcher:
    """Opens the matcher of a release, which uses the entries of its search index."""
    return Matcher(release, search.open_index(release, frozenset(profile.identifiers.of_properties)), profile)


class Matcher:
    """Matches names and identifiers against one release; thread-safe."""

    def __init__(self, release: Release, index: search.Search, profile: NameProfile) -> None:
        self._search, self._profile = index, profile
        self.identifiers = self._identifiers = profile.identifiers
        self._known = Gazetteer(release, index.entries, profile)
        manifest = release.manifest
        self._facts = Facts(release.store, manifest.base_iri, manifest.is_merged, self._known.named, self._identifiers)
        self._similar = lru_cache(maxsize=20_000)(self._find_similar)

    def match(
        self,
        name: str,
        *,
        kinds: Sequence[str] = (),
        properties: Properties = (),
        limit: int = 5,
        similar: bool = True,
    ) -> list[Candidate]:
        """The records that a name may mean, best first, with at most one match.

        `kinds` are class names as in IRIs. `properties` are pairs of a property (an IRI or its local name) and a value,
        which may be the name or identifier of another record; several values of one property are alternatives. Without
        a name, candidates are found by properties alone. If nothing of these kinds has the name, records of related
        kinds that have it are candidates, but never a match. Records whose names are merely `similar` can be left out.
        """
        wanted = frozenset(kinds)
        name = name[:_MAX_NAME].strip()
        by_name = self._known.hits(name, wanted) if name else []
        by_property = list(self._by_properties(name, properties, wanted))
        if name:
            by_property = self._beside_name(by_name, by_property)
        best = _best([*by_name, *by_property])
        known = frozenset(hit.iri for hit in best)
        rivals = self._known.rivals(name, wanted, best) if best and best[0].form == "exact" else []
        candidates = self._candidates([*best, *_best(rivals)], properties, _is_contradictory(by_name, by_property))
        if similar and name and all(hit.form in UNSURE for hit in best):
            candidates += self._related_candidates(name, wanted, properties)
            candidates += self._similar_candidates(name, wanted, known, properties, limit)
        candidates.sort(key=lambda c: (not c.match, -c.score, len(c.matched), c.iri))
        return candidates[:limit]

    def identify(self, text: str, scheme: str = "") -> Identified:
        """The records that an IRI or an external identifier stands for, in any of its written forms.

        A bare number, which may occur in several registers, needs its `scheme`.
        """
        return self._known.identify(text, scheme)

    def owners(self, iri: str) -> Sequence[str]:
        """The owners of a record, direct and indirect, nearest first."""
        return self._known.owners(iri)

    def has_property(self, pid: str) -> bool:
        """Whether any record has this property, given as an IRI, a prefixed name or a local name."""
        return self._facts.has(pid)

    def agrees(self, iri: str, pid: str, text: str) -> bool:
        """Whether a record has a value of a property that agrees with this text."""
        return self._facts.agree(iri, pid, text) is True

    def registers(self, pid: str) -> frozenset[str]:
        """The registers whose identifiers a property holds."""
        return self._facts.registers(pid)

    def _beside_name(self, by_name: Sequence[NameHit], by_property: Sequence[NameHit]) -> list[NameHit]:
        """What identifiers say beside a name: they agree with it, or are of a record that it is not known to mean.

        The identifier of an owner agrees with the name of its unit.
        """
        named = {hit.iri for hit in by_name if hit.form not in NEVER}
        owners = {owner for hit in by_name if hit.form not in UNSURE for owner in self._known.owners(hit.iri)}
        return [
            hit if hit.iri in named else replace(hit, form="identifier-only")
            for hit in by_property
            if hit.iri in named or hit.iri not in owners
        ]

    def _by_properties(self, name: str, properties: Properties, wanted: frozenset[str]) -> Iterator[NameHit]:
        """Records found by properties: by identifiers always, by other values only if there is no name."""
        for pid, text in properties:
            for predicate in self._facts.predicates(pid):
                scheme = self._identifiers.of_properties.get(predicate)
                if scheme is None and predicate not in LINKS:
                    continue
                found = (i for i in self._identifiers.read(text)[0] if scheme in (None, i.scheme))
                for iri in (iri for i in found for iri in self._known.identified(i.scheme, i.value)):
                    if self._known.fits(kind := self._known.kinds[iri], wanted):
                        yield NameHit(iri, kind, "identifier", text)
        if not name and properties:
            pid, text = properties[0]
            for iri in sorted(self._facts.subjects(pid, text)):
                kind = self._known.kinds.get(iri, "passage")
                if self._known.fits(kind, wanted):
                    yield NameHit(iri, kind, "short", text)

    def _candidates(self, hits: Sequence[NameHit], properties: Properties, is_contradictory: bool) -> list[Candidate]:
        """Turns hits into candidates. A single hit, or the single one that the properties support, is the match."""
        agreements = {hit.iri: self._agreements(hit.iri, properties) for hit in hits}
        contradicted = {iri for iri, found in agreements.items() if any(feature.value is False for feature in found)}
        supported = {iri for iri, found in agreements.items() if any(f.value is True for f in found)} - contradicted
        remaining = [hit for hit in hits if hit.iri not in contradicted and hit.form != NAMESAKE]
        if len(supported) == 1:
            # Properties that support a single hit rule out the others.
            remaining = [hit for hit in hits if hit.iri in supported]
            contradicted = {hit.iri for hit in hits} - supported
        chosen = ""
        # What is true of an owner is often true of its units too, so it does not make the owner the match.
        if len(remaining) == 1 and remaining[0].form not in NEVER and not is_contradictory:
            is_single = all(hit in remaining or hit.form == NAMESAKE for hit in hits)
            is_sure = is_single and remaining[0].form not in UNSURE
            chosen = remaining[0].iri if is_sure or remaining[0].iri in supported else ""
        rivals = max(len(remaining), 1)
        candidates = []
        for hit in hits:
            score = hit.score * (_CONTRADICTED if hit.iri in contradicted else _shared(rivals))
            features = (
                Feature("form", hit.form),
                Feature("role", hit.role),
                Feature("unique", hit.iri == chosen),
                *agreements[hit.iri],
            )
            candidates.append(Candidate(hit.iri, hit.kind, round(score, 1), hit.iri == chosen, features, hit.matched))
        return candidates

    def _agreements(self, iri: str, properties: Properties) -> tuple[Feature, ...]:
        """For each given property that the record has, whether a value agrees."""
        found: dict[str, bool] = {}
        for pid, text in properties:
            if (agrees := self._facts.agree(iri, pid, text)) is not None:
                found[pid] = found.get(pid, False) or agrees
        unusable = {pid: fault for pid, text in properties if (fault := self._facts.fault(pid, text))}
        return (
            *(Feature(f"property:{pid}", agrees) for pid, agrees in found.items()),
            *(Feature(f"unusable:{pid}", fault) for pid, fault in unusable.items()),
        )

    def _related_candidates(self, name: str, wanted: frozenset[str], properties: Properties) -> Iterator[Candidate]:
        """Candidates of kinds that may be taken for the one that was asked for."""
        related = self._profile.related_to(wanted) if wanted else frozenset()
        hits = self._known.hits(name, related) if related else []
        for hit in _best(hit for hit in hits if hit.form not in UNSURE):
            said = (Feature("form", hit.form), Feature("role", hit.role), Feature("kind", False))
            features = (*said, *self._agreements(hit.iri, properties))
            yield Candidate(hit.iri, hit.kind, round(hit.score * _RELATED, 1), False, features, hit.matched)

    def _similar_candidates(
        self, name: str, wanted: frozenset[str], known: frozenset[str], properties: Properties, limit: int
    ) -> Iterator[Candidate]:
        """Candidates with a similar name, which are never a match."""
        for candidate in self._similar(name, wanted, limit):
            if candidate.iri not in known:
                agreements = self._agreements(candidate.iri, properties)
                weight = _CONTRADICTED if any(feature.value is False for feature in agreements) else 1.0
                score = round(candidate.score * weight, 1)
                yield replace(candidate, score=score, features=(*candidate.features, *agreements))

    def _find_similar(self, name: str, wanted: frozenset[str], limit: int) -> tuple[Candidate, ...]:
        kinds = sorted(wanted or self._known.usual_kinds)
        hits = self._search.similar(name, kinds, limit, _DEPTH)
        return tuple(
            Candidate(
                hit.iri,
                hit.kind,
                round(hit.score * _MAX_SIMILAR, 1),
                False,
                (Feature("form", "similar"), Feature("role", hit.entry.role), Feature("similarity", hit.score)),
                hit.entry.text,
            )
            for hit in hits
        )


def _shared(records: int) -> float:
    """The factor for a name that several records share; of two, each is meant about half the time."""
    return 1.0 if records <= 1 else 0.2 + 0.7 / records


def _is_contradictory(by_name: Sequence[NameHit], by_property: Sequence[NameHit]) -> bool:
    """Whether the name unambiguously means one record and an identifier another."""
    named = {hit.iri for hit in by_name if hit.form not in UNSURE}
    identified = {hit.iri for hit in by_property if hit.form in ("identifier", "identifier-only")}
    return bool(named and identified) and named.isdisjoint(identified)


def _best(hits: Iterable[NameHit]) -> list[NameHit]:
    """The best hit for each record, best first."""
    best: dict[str, NameHit] = {}
    for hit in hits:
        if hit.iri not in best or hit.score > best[hit.iri].score:
            best[hit.iri] = hit
    return sorted(best.values(), key=lambda h: (-h.score, h.iri))
