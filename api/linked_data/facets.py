"""Facets of a class list: the properties by whose values its records are told apart, counted, and chosen by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pyoxigraph import NamedNode

from api.site.site import Site
from kg.rdf import iris
from kg.release.entities import NAMES

_MOST_FACETS = 4
_MOST_VALUES = 16
_LEAST_RECORDS_PER_VALUE = 2
# A property that few of the records have, or that each has its own value of, divides nothing.
_LEAST_SHARE = 0.2
_RESERVED = frozenset({"lang", "page", "parts", "format", "remember"})


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a facet: its name in addresses, how many records have it, and whether it is chosen."""

    iri: str
    name: str
    count: int
    chosen: bool


@dataclass(frozen=True, slots=True)
class Facet:
    """A property with its values, the most frequent first; `name` is its name in addresses."""

    predicate: str
    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class FacetChoice:
    """A value that the reader asked for; `predicate` and `value` are IRIs."""

    predicate: str
    value: str


def choices(site: Site, parameters: Sequence[tuple[str, str]]) -> list[FacetChoice]:
    """What an address asks for: each parameter that is a property, with its value."""
    known = site.context.expand
    return [FacetChoice(known(k), known(v)) for k, v in parameters if k not in _RESERVED and ":" in k]


def chosen(site: Site, paths: Sequence[str], among: Sequence[FacetChoice]) -> list[str]:
    """The records that have every value asked for."""
    store, root = site.release.store, site.entities.root
    fitting = [
        {
            q.subject.value
            for q in store.quads_for_pattern(None, NamedNode(c.predicate), NamedNode(c.value), site.entities.everywhere)
            if isinstance(q.subject, NamedNode)
        }
        for c in among
        if _is_iri(c.predicate) and _is_iri(c.value)
    ]
    if len(fitting) < len(among):
        return []
    return [path for path in paths if all(root + path in those for those in fitting)]


def _is_iri(text: str) -> bool:
    return iris.ABSOLUTE.match(text) is not None and iris.ILLEGAL_IN_IRI.search(text) is None


def facets(site: Site, paths: Sequence[str], among: Sequence[FacetChoice]) -> list[Facet]:
    """The facets of these records, those of the most records first, with the values chosen marked."""
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
    asked = {(c.predicate, c.value) for c in among}
    # What all of them have tells none apart.
    for predicate, values in counts.items():
        for value in [v for v, n in values.items() if n == len(paths) and (predicate, v) not in asked]:
            del values[value]
    dividing = [p for p in counts if p in {p for p, _ in asked} or _divides(counts[p], having[p], len(paths))]
    dividing.sort(key=lambda p: (p not in {p for p, _ in asked}, -having[p], p))
    return [_facet(site, p, counts[p], asked) for p in _distinct(dividing, counts)[:_MOST_FACETS]]


def _divides(values: Counter[str], having: int, records: int) -> bool:
    is_shared = sum(values.values()) >= _LEAST_RECORDS_PER_VALUE * len(values)
    return 1 < len(values) <= _MOST_VALUES and having >= _LEAST_SHARE * records and is_shared


def _distinct(predicates: list[str], counts: dict[str, Counter[str]]) -> list[str]:
    """Of properties that say the same of the same records, ours alone: a borrowed one is inferred from it."""
    seen: set[frozenset[tuple[str, int]]] = set()
    found = []
    for predicate in sorted(predicates, key=lambda p: not p.startswith(iris.ONTOLOGY)):
        signature = frozenset(counts[predicate].items())
        if signature not in seen and predicate not in NAMES:
            seen.add(signature)
            found.append(predicate)
    return sorted(found, key=predicates.index)


def _facet(site: Site, predicate: str, values: Counter[str], asked: set[tuple[str, str]]) -> Facet:
    return Facet(
        predicate,
        site.context.compact(predicate),
        tuple(
            Value(iri, site.context.compact(iri), n, (predicate, iri) in asked)
            for iri, n in sorted(values.items(), key=lambda pair: (-pair[1], pair[0]))[:_MOST_VALUES]
        ),
    )


def query(name: str, site: Site, among: Sequence[FacetChoice]) -> str:
    """The list as SPARQL: the records whose path has this class, with every value asked for."""
    patterns = "".join(f"  ?record <{c.predicate}> <{c.value}> .\n" for c in among if _is_iri(c.value))
    start = f"{site.entities.root}{name}/"
    return (
        "PREFIX skos: <http://www.w3.org/2004/02/skos/core#>\n\n"
        "SELECT DISTINCT ?record ?label WHERE {\n"
        f"{patterns}  ?record a ?kind ; skos:prefLabel ?label .\n"
        f'  FILTER(STRSTARTS(STR(?record), "{start}") && !CONTAINS(STR(?record), "#"))\n'
        "} ORDER BY ?record"
    )
