"""Matching: which record a name in somebody's table means, how sure that is, and why.

Normalised names are looked up; only what no form of the name finds goes to the search index. A candidate is a match
when one record alone has the name or identifier, and nothing that the caller or another record says is against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from kg.linking.evidence import Facts
from kg.linking.gazetteer import LINKS, UNSURE, Gazetteer, Identified, NameHit
from kg.names import identifiers
from kg.release import search
from kg.release.store import Release

Properties = Sequence[tuple[str, str]]

_LONGEST = 400
# What only looks like a name is at best so likely to be meant.
_MOST_SIMILAR = 58.0
_AGAINST = 0.5
# Texts of the index that are compared for a name that no form finds: enough to offer, not to list all.
_DEPTH = 40


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


def open_matcher(release: Release) -> Matcher:
    """The matcher of a release, from the entries of its search index."""
    return Matcher(release, search.open_index(release))


class Matcher:
    """The names and identifiers of one release; reading only, from any thread."""

    def __init__(self, release: Release, index: search.Search) -> None:
        self._search = index
        self._known = Gazetteer(release, index.entries)
        manifest = release.manifest
        self._facts = Facts(release.store, manifest.base_iri, manifest.is_merged, self._known.named)
        self._similar = lru_cache(maxsize=20_000)(self._find_similar)

    def match(
        self, name: str, *, kinds: Sequence[str] = (), properties: Properties = (), limit: int = 5
    ) -> list[Candidate]:
        """The records that a name may mean, best first, at most one of them as a match.

        `kinds` are classes of paths; `properties` are pairs of a property (an IRI or its last part) and a value, which
        may be the name or identifier of another record; several values of one property are alternatives. Without a name
        the properties alone choose.
        """
        wanted = frozenset(kinds)
        name = name[:_LONGEST].strip()
        by_name = self._known.hits(name, wanted) if name else []
        by_property = list(self._by_properties(name, properties, wanted))
        best = _best([*by_name, *by_property])
        known = frozenset(hit.iri for hit in best)
        rivals = self._known.rivals(name, wanted, known) if best and best[0].form == "exact" else []
        candidates = self._judge([*best, *_best(rivals)], properties, _contradict(by_name, by_property))
        if name and all(hit.form in UNSURE for hit in best):
            candidates += self._alike(name, wanted, known, properties, limit)
        candidates.sort(key=lambda c: (not c.match, -c.score, len(c.matched), c.iri))
        return candidates[:limit]

    def identify(self, text: str, scheme: str = "") -> Identified:
        """The records that an IRI or identifier, of ours or of a register, means in any of its written forms.

        A bare number, which several registers may have, is one only when its scheme is told.
        """
        return self._known.identify(text, scheme)

    def _by_properties(self, name: str, properties: Properties, wanted: frozenset[str]) -> Iterator[NameHit]:
        """What the properties tell by themselves: identifiers always, other values when there is no name."""
        for pid, text in properties:
            for predicate in self._facts.predicates(pid):
                scheme = identifiers.OF_PROPERTIES.get(predicate)
                if scheme is None and predicate not in LINKS:
                    continue
                found = (i for i in identifiers.read(text)[0] if scheme in (None, i.scheme))
                for iri in (iri for i in found for iri in self._known.identified(i.scheme, i.value)):
                    if self._known.fits(kind := self._known.kinds[iri], wanted):
                        yield NameHit(iri, kind, "identifier", text)
        if not name and properties:
            pid, text = properties[0]
            for iri in sorted(self._facts.subjects(pid, text)):
                kind = self._known.kinds.get(iri, "passage")
                if self._known.fits(kind, wanted):
                    yield NameHit(iri, kind, "short", text)

    def _judge(self, hits: Sequence[NameHit], properties: Properties, is_contradictory: bool) -> list[Candidate]:
        """The candidates, one of them as a match if it alone is named, or alone backed by what is said of it."""
        told = {hit.iri: self._agreements(hit.iri, properties) for hit in hits}
        against = {iri for iri, found in told.items() if any(feature.value is False for feature in found)}
        backed = {iri for iri, found in told.items() if found} - against
        standing = [hit for hit in hits if hit.iri not in against]
        if len(backed) == 1:
            # What is said of one of them speaks for that one alone.
            standing = [hit for hit in standing if hit.iri in backed]
            against = {hit.iri for hit in hits} - backed
        chosen = ""
        # What is true of an owner is true of many of its units, and makes none of them the owner.
        if len(standing) == 1 and standing[0].form != "owner" and not is_contradictory:
            is_sure = len(hits) == 1 and standing[0].form not in UNSURE
            chosen = standing[0].iri if is_sure or standing[0].iri in backed else ""
        doubts = max(len(standing), 1)
        candidates = []
        for hit in hits:
            score = hit.score * (_AGAINST if hit.iri in against else _of_several(doubts))
            features = (
                Feature("form", hit.form),
                Feature("role", hit.role),
                Feature("unique", hit.iri == chosen),
                *told[hit.iri],
            )
            candidates.append(Candidate(hit.iri, hit.kind, round(score, 1), hit.iri == chosen, features, hit.matched))
        return candidates

    def _agreements(self, iri: str, properties: Properties) -> tuple[Feature, ...]:
        """For each property that the record has, whether its value is one of those given."""
        found: dict[str, bool] = {}
        for pid, text in properties:
            if (agrees := self._facts.agree(iri, pid, text)) is not None:
                found[pid] = found.get(pid, False) or agrees
        return tuple(Feature(f"property:{pid}", agrees) for pid, agrees in found.items())

    def _alike(
        self, name: str, wanted: frozenset[str], known: frozenset[str], properties: Properties, limit: int
    ) -> Iterator[Candidate]:
        """Candidates that only look alike: never a match."""
        for candidate in self._similar(name, wanted, limit):
            if candidate.iri not in known:
                told = self._agreements(candidate.iri, properties)
                weight = _AGAINST if any(feature.value is False for feature in told) else 1.0
                score = round(candidate.score * weight, 1)
                yield replace(candidate, score=score, features=(*candidate.features, *told))

    def _find_similar(self, name: str, wanted: frozenset[str], limit: int) -> tuple[Candidate, ...]:
        hits = self._search.find(name, kinds=sorted(wanted), limit=limit * 3, depth=_DEPTH).hits
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
            if self._known.fits(hit.kind, wanted) and hit.entry.role != "description"
        )[:limit]


def _of_several(records: int) -> float:
    """How much remains of a score when so many records have the name: one of two is meant about half the time."""
    return 1.0 if records <= 1 else 0.2 + 0.7 / records


def _contradict(by_name: Sequence[NameHit], by_property: Sequence[NameHit]) -> bool:
    """Whether the name means one record for sure and an identifier another."""
    named = {hit.iri for hit in by_name if hit.form not in UNSURE}
    identified = {hit.iri for hit in by_property if hit.form == "identifier"}
    return bool(named and identified) and named.isdisjoint(identified)


def _best(hits: Iterable[NameHit]) -> list[NameHit]:
    """The best hit for each record, the best first."""
    best: dict[str, NameHit] = {}
    for hit in hits:
        if hit.iri not in best or hit.score > best[hit.iri].score:
            best[hit.iri] = hit
    return sorted(best.values(), key=lambda h: (-h.score, h.iri))
