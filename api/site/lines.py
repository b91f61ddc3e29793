"""How many facts stand on each line of the sources, and which sections the sources have."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from pyoxigraph import NamedNode, QuerySolutions

from kg.rdf.namespaces import KG
from kg.rdf.terms import value
from kg.release.entities import Entities

_FACTS = "SELECT ?graph (COUNT(*) AS ?facts) WHERE { GRAPH ?graph { ?s ?p ?o } } GROUP BY ?graph"
_SECTIONS = f"""PREFIX kg: <{KG}>
SELECT ?source ?section ?first ?last WHERE {{
  ?section kg:sectionOf ?source ; kg:firstLine ?first ; kg:lastLine ?last .
}} ORDER BY ?source ?first ?section"""


@dataclass(frozen=True, slots=True)
class SourceSection:
    """A section of a source, from its first to its last line."""

    iri: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class LinesOfSource:
    """The number of facts by line of one source, its sections, and the number of its last line."""

    iri: str
    facts: dict[int, int]
    sections: tuple[SourceSection, ...]
    last: int


def lines_of_sources(entities: Entities) -> dict[str, LinesOfSource]:
    """The lines of each source that facts stand on, by the IRI of the source."""
    rows = entities.store.query(_FACTS)
    assert isinstance(rows, QuerySolutions)
    facts: dict[str, Counter[int]] = {}
    for graph, count in rows:
        evidence = entities.evidence(graph.value) if isinstance(graph, NamedNode) else None
        if evidence and evidence.first and evidence.text:
            found = facts.setdefault(evidence.text, Counter())
            for line in range(evidence.first, evidence.last + 1):
                found[line] += int(value(count))
    sections: dict[str, list[SourceSection]] = {}
    rows = entities.store.query(_SECTIONS)
    assert isinstance(rows, QuerySolutions)
    for source, section, first, last in rows:
        found_ = SourceSection(value(section), int(value(first)), int(value(last)))
        sections.setdefault(value(source), []).append(found_)
    return {
        source: LinesOfSource(
            source,
            dict(lines),
            tuple(sections.get(source, ())),
            max(*lines, *(section.last for section in sections.get(source, ())), 1),
        )
        for source, lines in sorted(facts.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    }
