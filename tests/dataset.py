"""The real data of this checkout, mapped, with inferences and merged, for all tests that query it."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pyoxigraph import Literal, NamedNode, Quad, Store

from kg.build import reasoning
from kg.curation import builder
from kg.partners import datasets
from kg.partners.fetch import FetchLimits
from kg.project.reading import read_project
from kg.rdf import iris
from kg.rdf.terms import value
from kg.release import dataset_record, store
from kg.sparql import library

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "source"
# The texts of the sources whose passages are evidence, by the slug of the source.
SOURCE, LAW = "mext-2026-06-29", "egov-ai-act"
TEXTS = {SOURCE: SHARED / "mext-science-for-ai-2026-06-29.txt", LAW: SHARED / "law-ai-act.txt"}
PROJECT = read_project(ROOT)
BASE = PROJECT.base
LICENCE = PROJECT.licence.iri
ONTOLOGY_NAMESPACE = iris.ONTOLOGY + "#"

PREFIXES = """
BASE <https://w3id.org/aikg/id/>
PREFIX kg: <https://w3id.org/aikg/ontology#>
PREFIX org: <http://www.w3.org/ns/org#>
PREFIX foaf: <http://xmlns.com/foaf/0.1/>
PREFIX eli: <http://data.europa.eu/eli/ontology#>
PREFIX bibo: <http://purl.org/ontology/bibo/>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX dcterms: <http://purl.org/dc/terms/>
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX time: <http://www.w3.org/2006/time#>
PREFIX schema: <https://schema.org/>
PREFIX owl: <http://www.w3.org/2002/07/owl#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
PREFIX oa: <http://www.w3.org/ns/oa#>
PREFIX qb: <http://purl.org/linked-data/cube#>
"""


@dataclass(frozen=True, slots=True)
class Data:
    """The curated records, their asserted quads, all quads with ontology and inferences, and a store of them."""

    curated: builder.Curated
    asserted: list[Quad]
    everything: list[Quad]
    store: Store

    def rows(self, pattern: str, *variables: str) -> set[tuple[str, ...]]:
        """The distinct solutions of a graph pattern; '' for unbound.

        In the pattern `<class/slug>` is a record and `<../graph/curator>` a graph; in results these have no `<>`.
        """
        text = f"{PREFIXES}SELECT DISTINCT {' '.join('?' + v for v in variables)} WHERE {{ {pattern} }}"
        return {
            tuple("" if s[v] is None else short(value(s[v])) for v in variables)
            for s in library.select(self.store, text)
        }

    def one(self, pattern: str, variable: str) -> set[str]:
        return {row[0] for row in self.rows(pattern, variable)}

    def holds(self, pattern: str) -> bool:
        return bool(self.store.query(f"{PREFIXES}ASK {{ {pattern} }}"))

    def total(self, expression: str, pattern: str) -> int:
        """The value of an aggregate over distinct solutions."""
        text = f"{PREFIXES}SELECT ({expression} AS ?total) WHERE {{ {pattern} }}"
        (solution,) = library.select(self.store, text)
        return int(value(solution["total"]))


def short(iri: str) -> str:
    return iri.removeprefix(BASE.id).removeprefix(BASE.graph)


def build() -> tuple[builder.Curated, list[Quad], list[Quad]]:
    """The records, the asserted quads, and all quads of a release, read again from the files."""
    curated = builder.read_all(PROJECT)
    asserted = builder.asserted_quads(curated)
    stated = [*asserted, *builder.ontology_quads(PROJECT)]
    inferred = reasoning.inferred_quads(reasoning.close(stated, ROOT / "queries" / "rules"), BASE)
    ours = [*stated, *inferred]
    everything = [*ours, *datasets.load(PROJECT, ours, FetchLimits()).quads]
    stored = library.library(ROOT).values()
    told = dataset_record.quads(PROJECT, BASE.iri, builder.read_context(ROOT), stored, everything)
    return curated, asserted, [*everything, *told]


@functools.cache
def load() -> Data:
    curated, asserted, everything = build()
    memory = Store()
    memory.bulk_extend(store.merged(everything))
    return Data(curated, asserted, everything, memory)


def literals(quads: list[Quad], *predicates: str) -> Iterator[tuple[Quad, Literal]]:
    """The quads with a literal, of some or all predicates."""
    for quad in quads:
        if isinstance(quad.object, Literal) and (not predicates or quad.predicate.value in predicates):
            yield quad, quad.object


_LINES = re.compile(r"([^/]+)/(\d+)(?:-(\d+))?")


def place_of(graph: NamedNode) -> tuple[str, int, int] | None:
    """The source of a graph, with the first and the last line; None if it is not drawn from a text."""
    match = _LINES.fullmatch(short(value(graph)))
    return (match[1], int(match[2]), int(match[3] or match[2])) if match and match[1] in TEXTS else None


def lines_of(graph: NamedNode, source: str = SOURCE) -> tuple[int, int] | None:
    """The first and last line of a source for a graph; None if it is drawn from something else."""
    place = place_of(graph)
    return place[1:] if place and place[0] == source else None


_MARKUP = re.compile(r"<[^>]*>|\*\*|[\s\u3000|]")
_CIRCLED = re.compile("([①-⑳]+)")


def plain(text: str) -> str:
    """Text without markup and spaces and with normalised width; circled numbers are kept."""
    kept = _CIRCLED.split(_MARKUP.sub("", text.replace("&amp;", "&")))
    return "".join(part if _CIRCLED.match(part) else unicodedata.normalize("NFKC", part) for part in kept)


def passage(texts: Mapping[str, str], graph: NamedNode) -> str:
    """The lines of the source for a graph."""
    place = place_of(graph)
    assert place is not None
    source, first, last = place
    return "\n".join(texts[source].split("\n")[first - 1 : last])
