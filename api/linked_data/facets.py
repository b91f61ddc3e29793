"""Facets of a class list: properties that divide its records, with the values to filter by and their counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pyoxigraph import NamedNode

from api.site.site import Site
from kg.rdf import iris
from kg.release.entities import NAMES

_MAX_FACETS = 4
_MAX_VALUES = 16
_MIN_RECORDS_PER_VALUE = 2
# The share of records that must have a property for it to be a facet.
_MIN_SHARE = 0.2
_RESERVED = frozenset({"lang", "page", "parts", "format", "remember"})


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a facet: its name in URLs, the number of records that have it, and whether it is selected."""

    iri: str
    name: str
    count: int
    chosen: bool


@dataclass(frozen=True, slots=True)
class Facet:
    """A property with its values, most frequent first; `name` is its name in URLs."""

    predicate: str
    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class FacetChoice:
    """A selected value; `predicate` and `value` are IRIs."""

    predicate: str
    value: str


def choices(site: Site, parameters: Sequence[tuple[str, str]]) -> list[FacetChoice]:
    """The selected values: every query parameter that is a property, with its value."""
    known = site.context.expand
    return [FacetChoice(known(k), known(v)) for k, v in parameters if k not in _RESERVED and ":" in k]


def filtered(site: Site, paths: Sequence[str], among: Sequence[FacetChoice]) -> list[str]:
    """The records that have every selected value."""
    store, root = site.release.store, site.entities.root
    matching = [
        {
            q.subject.value
            for q in store.quads_for_pattern(None, NamedNode(c.predicate), NamedNode(c.value), site.entities.everywhere)
            if isinstance(q.subject, NamedNode)
        }
        for c in among
        if _is_iri(c.predicate) and _is_iri(c.value)
    ]
    if len(matching) < len(among):
        return []
    return [path for path in paths if all(root + path in those for those in matching)]


def _is_iri(text: str) -> bool:
    return iris.ABSOLUTE.match(text) is not None and iris.ILLEGAL_IN_IRI.search(text) is None


def facets(site: Site, paths: Sequence[str], among: Sequence[FacetChoice]) -> list[Facet]:
    """The facets of these records, with the properties of the most records first and selected values marked."""
    counts: dict[str, Counter[str]] = {}
    having: Counter[str] = Counter()
    for path in paths:
        pairs = {
            (q.predicate.value, q.object.value)
            for q in site.release.store.quads_for_pattern(
                NamedNode(site.entities.root + path), None, None, site.entities.everywhere
            )
            if isinstance(q.object, NamedNode)
        }
        having.update({predicate for predicate, _ in pairs})
        for predicate, value in pairs:
            counts.setdefault(predicate, Counter())[value] += 1
    selected = {(c.predicate, c.value) for c in among}
    # A value that all records have does not divide them.
    for predicate, values in counts.items():
        for value in [v for v, n in values.items() if n == len(paths) and (predicate, v) not in selected]:
            del values[value]
    dividing = [p for p in counts if p in {p for p, _ in selected} or _divides(counts[p], having[p], len(paths))]
    dividing.sort(key=lambda p: (p not in {p for p, _ in selected}, -having[p], p))
    return [_facet(site, p, counts[p], selected) for p in _distinct(site, dividing, counts)[:_MAX_FACETS]]


def _divides(values: Counter[str], having: int, records: int) -> bool:
    is_shared = sum(values.values()) >= _MIN_RECORDS_PER_VALUE * len(values)
    return 1 < len(values) <= _MAX_VALUES and having >= _MIN_SHARE * records and is_shared


def _distinct(site: Site, predicates: list[str], counts: dict[str, Counter[str]]) -> list[str]:
    """Of several properties with the same values and counts, keeps ours, from which the borrowed ones are inferred."""
    seen: set[frozenset[tuple[str, int]]] = set()
    found = []
    for predicate in sorted(predicates, key=lambda p: not p.startswith(site.project.vocabularies)):
        signature = frozenset(counts[predicate].items())
        if signature not in seen and predicate not in NAMES:
            seen.add(signature)
            found.append(predicate)
    return sorted(found, key=predicates.index)


def _facet(site: Site, predicate: str, values: Counter[str], selected: set[tuple[str, str]]) -> Facet:
    return Facet(
        predicate,
        site.context.compact(predicate),
        tuple(
            Value(iri, site.context.compact(iri), n, (predicate, iri) in selected)
            for iri, n in sorted(values.items(), key=lambda pair: (-pair[1], pair[0]))[:_MAX_VALUES]
        ),
    )


def query(name: str, site: Site, among: Sequence[FacetChoice]) -> str:
    """The filtered list as a SPARQL query."""
    patterns = "".join(f"  ?record <{c.predicate}> <{c.value}> .\n" for c in among if _is_iri(c.value))
    start = f"{site.entities.root}{name}/"
    return (
        "PREFIX skos: <http://www.w3.org/2004/02/skos/core#>\n\n"
        "SELECT DISTINCT ?record ?label WHERE {\n"
        f"{patterns}  ?record a ?kind ; skos:prefLabel ?label .\n"
        f'  FILTER(STRSTARTS(STR(?record), "{start}") && !CONTAINS(STR(?record), "#"))\n'
        "} ORDER BY ?record"
    )
