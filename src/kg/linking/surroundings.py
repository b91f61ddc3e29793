"""What a release says around the names of records: their owners, classes, places and identifiers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from pyoxigraph import DefaultGraph, NamedNode

from kg.linking.evidence import OWNED_BY
from kg.names import law_numbers
from kg.names.identifiers import Identifiers
from kg.names.law_numbers import LawNumber
from kg.rdf.iris import RDF_TYPE
from kg.rdf.namespaces import KG, OWL, SCHEMA, SKOS
from kg.rdf.terms import value
from kg.release.store import Release

_OWNS = (KG + "hasComponent",)
LINKS = (OWL + "sameAs", SCHEMA + "sameAs", SKOS + "exactMatch", "http://xmlns.com/foaf/0.1/homepage")
_LAW_NUMBER = KG + "lawNumber"
# Parts of these kinds are known by their own names. The short name of any other part (基盤研究, "basic research") means
# it only together with its owner's name, or if its kind is given.
_WITH_NAMED_PARTS = frozenset({"organization", "law"})
_NAMED_BY_OWNERS = frozenset({"scheme"})


def pairs(release: Release, predicate: str) -> Iterator[tuple[str, str]]:
    graph = DefaultGraph() if release.manifest.is_merged else None
    for quad in release.store.quads_for_pattern(None, NamedNode(predicate), None, graph):
        yield value(quad.subject), value(quad.object)


def classes(release: Release, records: Iterable[str]) -> dict[str, frozenset[str]]:
    """The local names of the classes of records."""
    wanted, found = frozenset(records), defaultdict[str, set[str]](set)
    for iri, of in pairs(release, RDF_TYPE):
        if iri in wanted:
            found[iri].add(of.replace("#", "/").rpartition("/")[2])
    return {iri: frozenset(names) for iri, names in found.items()}


def identifiers(
    release: Release, kinds: Mapping[str, str], registers: Identifiers
) -> tuple[dict[tuple[str, str], list[str]], dict[LawNumber, str]]:
    """Records by identifier, and laws by number."""
    found: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    laws: dict[LawNumber, str] = {}
    for predicate in (*registers.of_properties, *LINKS, _LAW_NUMBER):
        for iri, text in sorted(pairs(release, predicate)):
            if iri not in kinds or text.startswith(release.manifest.base_iri):
                continue
            own = registers.of_property(predicate, text)
            for identifier in [own] if own else registers.read(text)[0]:
                found[identifier.scheme, identifier.value][iri] = None
                if law := law_numbers.of_law_id(identifier.value):
                    laws[law] = iri
            if predicate == _LAW_NUMBER and (law := law_numbers.read(text)):
                laws[law] = iri
    return {key: list(known) for key, known in found.items()}, laws


def below(kinds: Mapping[str, str], root: str) -> frozenset[str]:
    """The records that are parts of another by their path."""
    return frozenset(iri for iri, kind in kinds.items() if "/" in iri.removeprefix(root + kind + "/"))


def parts(kinds: Mapping[str, str], root: str) -> frozenset[str]:
    """The records whose names are meaningful only within their owner."""
    below_ = below(kinds, root)
    named = {iri for iri in below_ if kinds[iri] in _WITH_NAMED_PARTS}
    return frozenset((below_ - named) | {iri for iri, kind in kinds.items() if kind in _NAMED_BY_OWNERS})


def owners(release: Release, kinds: Mapping[str, str], root: str) -> dict[str, list[str]]:
    """The direct owners of each record: from its path, and from what the data states about units and parts."""
    found: dict[str, list[str]] = defaultdict(list)
    for predicate in OWNED_BY:
        for iri, owner in sorted(pairs(release, predicate)):
            found[iri].append(owner)
    for predicate in _OWNS:
        for owner, iri in sorted(pairs(release, predicate)):
            found[iri].append(owner)
    for iri in kinds:
        above = iri.rpartition("/")[0]
        if above.startswith(root) and above in kinds:
            found[iri].append(above)
    return dict(found)


def located(release: Release, places: Iterable[str]) -> dict[str, frozenset[str]]:
    """The records that say something of a place, such as whose jurisdiction it is, by place."""
    graph = DefaultGraph() if release.manifest.is_merged else None
    return {
        place: frozenset(
            value(quad.subject) for quad in release.store.quads_for_pattern(None, None, NamedNode(place), graph)
        )
        for place in places
    }
