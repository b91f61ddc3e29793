"""Partners' datasets on pages: their links to a record, and the list of all datasets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pyoxigraph import NamedNode

from api.site.site import Site
from kg.rdf import iris
from kg.rdf.namespaces import DCTERMS
from kg.rdf.terms import value
from kg.release.facts import Fact


@dataclass(frozen=True, slots=True)
class Partner:
    """A partner's dataset: its record, graph, publisher, licence, and the facts or number of links to our records."""

    iri: str
    graph: str
    publisher: str
    licence: str
    facts: tuple[Fact, ...] = ()
    links: int = 0


def is_from_partners(fact: Fact) -> bool:
    """Whether a fact is stated by partners only."""
    return bool(fact.evidence) and all(e.kind == "partner" for e in fact.evidence)


def linked_from(site: Site, facts: Iterable[Fact]) -> list[Partner]:
    """The links that partners state, grouped by dataset."""
    by_graph: dict[tuple[str, str], list[Fact]] = {}
    for fact in facts:
        for evidence in fact.evidence:
            if evidence.kind == "partner":
                by_graph.setdefault((evidence.graph, evidence.source), []).append(fact)
    return [_partner(site, graph, source, found) for (graph, source), found in sorted(by_graph.items())]


def datasets(site: Site) -> list[Partner]:
    """All partners' datasets in the release, each with the number of its links to our records."""
    prefix = iris.Base(site.base).partner
    graphs = [graph for graph in site.manifest.graphs if graph.startswith(prefix)]
    return [_partner(site, graph, site.entities.evidence(graph).source, links=_count(site, graph)) for graph in graphs]


def _count(site: Site, graph: str) -> int:
    quads = site.release.store.quads_for_pattern(None, None, None, NamedNode(graph))
    return sum(isinstance(q.object, NamedNode) and q.object.value.startswith(site.entities.root) for q in quads)


def _partner(site: Site, graph: str, source: str, facts: Iterable[Fact] = (), links: int = 0) -> Partner:
    def one(name: str) -> str:
        return next((value(v) for v in site.entities.values(source, DCTERMS + name)), "") if source else ""

    return Partner(source, graph, one("publisher"), one("license"), tuple(facts), links)
