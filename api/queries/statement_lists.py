"""What documents say: statements with their kind, facets and evidence, in the order of the texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from pyoxigraph import NamedNode, QuerySolutions

from api.site.site import Site
from kg.rdf import iris
from kg.rdf.namespaces import DCTERMS, KG, SKOS
from kg.rdf.terms import value
from kg.release.entities import LABELS
from kg.release.facts import Evidence, Fact, by_predicate

# The kinds of statements, in the order of columns.
KINDS = tuple(
    KG + name for name in ("Commitment", "Norm", "Target", "Assessment", "Rationale", "Question", "Definition")
)
_PROV = "http://www.w3.org/ns/prov#"
_MODALITY = KG + "modality"
# What the sentence of a statement says already, or what leads to other statements.
_UNSHOWN = frozenset(
    {
        *LABELS,
        *(KG + name for name in ("act", "relation", "modality", "supports", "because", "contrastsWith", "restates")),
        *(KG + name for name in ("exampleOf", "leadsTo", "statedIn", "saidBy", "facet")),
        iris.RDF_TYPE,
    }
)
# How a choice of a reader narrows the statements; a topic includes all narrower ones.
CONDITIONS: Mapping[str, str] = {
    "topic": "?narrower skos:broader* {} . ?s kg:facet|dcterms:subject|kg:defines ?narrower .",
    "actor": "?s kg:actor|kg:bearer {} .",
    "kind": "?s a {} .",
    "act": "?s kg:act {} .",
    "modality": "?s kg:modality {} .",
    "document": "?s kg:saidBy|kg:statedIn {} .",
}
_QUERY = """PREFIX kg: <{kg}> PREFIX skos: <{skos}> PREFIX dcterms: <{dcterms}> PREFIX prov: <{prov}>
SELECT ?s ?unit ?source (MIN(?first) AS ?line) WHERE {{
  {{ SELECT DISTINCT ?s WHERE {{ ?s a kg:Statement . {conditions} }} }}
  ?unit kg:states ?s .
  OPTIONAL {{
    GRAPH ?graph {{ ?s kg:object|kg:defines ?any }}
    ?graph prov:hadPrimarySource ?passage . ?passage kg:firstLine ?first ; kg:passageOf ?source .
  }}
}} GROUP BY ?s ?unit ?source"""


@dataclass(frozen=True, slots=True)
class ListedStatement:
    """One thing that a unit of a text says; `facets` are its links and values by property."""

    iri: str
    unit: str
    kind: str
    modality: str
    acts: tuple[str, ...]
    facets: tuple[tuple[str, tuple[Fact, ...]], ...]
    evidence: tuple[Evidence, ...]


def query(choices: Iterable[tuple[str, str]]) -> str:
    """The query for the statements that meet all choices: names of `CONDITIONS` with IRIs."""
    conditions = " ".join(CONDITIONS[name].format(str(NamedNode(iri))) for name, iri in choices)
    return _QUERY.format(kg=KG, skos=SKOS, dcterms=DCTERMS, prov=_PROV, conditions=conditions)


def found(site: Site, choices: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The statements that meet all choices, each with the unit that it belongs to, in the order of the texts."""
    rows = site.release.store.query(query(choices))
    assert isinstance(rows, QuerySolutions)
    places: dict[str, tuple[tuple[str, int, str, int], str]] = {}
    for statement, unit, source, line in ([value(term) if term else "" for term in row] for row in rows):
        stem, _, number = statement.rpartition("/statement-")
        # A statement that two units print belongs to the one in its address.
        if statement in places and stem != unit:
            continue
        # What no line of a text states comes last.
        place = (source or "~", int(line or 0), stem, int(number) if number.isdigit() else 0)
        places[statement] = (place, unit)
    ordered = sorted(places.items(), key=lambda entry: entry[1][0])
    return [(statement, unit) for statement, (_, unit) in ordered]


def read(site: Site, statements: Iterable[tuple[str, str]]) -> list[ListedStatement]:
    """Statements with everything that a page shows of them."""
    listed = list(statements)
    site.entities.expect(iri for iri, _ in listed)
    return [_read(site, iri, unit) for iri, unit in listed]


def _read(site: Site, iri: str, unit: str) -> ListedStatement:
    facts = site.entities.facts(iri)
    stated = [fact for fact in facts if not fact.is_inferred]
    kinds = {value(fact.object) for fact in facts if fact.predicate == iris.RDF_TYPE}
    evidence = dict.fromkeys(e for fact in stated if fact.predicate not in _UNSHOWN for e in fact.evidence)
    return ListedStatement(
        iri,
        unit,
        next((kind for kind in KINDS if kind in kinds), KG + "Statement"),
        next((value(fact.object) for fact in facts if fact.predicate == _MODALITY), ""),
        tuple(value(fact.object) for fact in stated if fact.predicate == KG + "act"),
        tuple((p, tuple(group)) for p, group in by_predicate(f for f in stated if f.predicate not in _UNSHOWN)),
        tuple(sorted(evidence, key=lambda e: e.rank)),
    )


def by_unit(statements: Iterable[ListedStatement]) -> list[tuple[str, list[ListedStatement]]]:
    """Consecutive statements of one unit together."""
    return [(unit, list(group)) for unit, group in groupby(statements, key=lambda s: s.unit)]


def document_of(site: Site, unit: str) -> str:
    """The record that a unit of a text is part of, such as a law or a plan: what stands first in its path."""
    path = unit.removeprefix(site.entities.root).partition("#")[0]
    return site.entities.root + "/".join(path.split("/")[:2])


@dataclass(frozen=True, slots=True)
class StatementMatrix:
    """Documents by kinds of statements; `rows` are documents, each with a cell for every kind of `kinds`."""

    kinds: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[ListedStatement, ...], ...]], ...]


def matrix(site: Site, statements: Iterable[ListedStatement]) -> StatementMatrix:
    """Who says what: the documents in the order of their first statement, and the kinds that occur."""
    documents: dict[str, list[ListedStatement]] = {}
    for statement in statements:
        documents.setdefault(document_of(site, statement.unit), []).append(statement)
    used = {s.kind for group in documents.values() for s in group}
    kinds = tuple(kind for kind in KINDS if kind in used)
    rows = ((d, tuple(tuple(s for s in group if s.kind == kind) for kind in kinds)) for d, group in documents.items())
    return StatementMatrix(kinds, tuple(rows))


def counts(site: Site, choices: Iterable[tuple[str, str]], name: str, most: int) -> list[tuple[str, int]]:
    """The values that a further choice has among the statements, those of most statements first."""
    path = {"kind": "a", "document": "kg:saidBy", "topic": "kg:object", "actor": "kg:actor|kg:bearer"}
    conditions = " ".join(CONDITIONS[key].format(str(NamedNode(iri))) for key, iri in choices)
    rows = site.release.store.query(
        f"PREFIX kg: <{KG}> PREFIX skos: <{SKOS}> PREFIX dcterms: <{DCTERMS}> "
        "SELECT ?value (COUNT(DISTINCT ?s) AS ?n) WHERE { ?s a kg:Statement . ?unit kg:states ?s . "
        f"{conditions} ?s {path.get(name, 'kg:' + name)} ?value }} GROUP BY ?value ORDER BY DESC(?n) ?value"
    )
    assert isinstance(rows, QuerySolutions)
    pairs = [(value(row[0]), int(value(row[1]))) for row in rows]
    if name == "kind":
        pairs = [pair for pair in pairs if pair[0] in KINDS]
    if name == "document":
        pairs = [(iri, n) for iri, n in pairs if document_of(site, iri) == iri]
    return pairs[:most]
