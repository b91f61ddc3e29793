"""What the pages claim of evidence is a query: each claim is compared with the graph."""

from __future__ import annotations

import re

import httpx
import pytest
from dataset import LAW, SOURCE
from pyoxigraph import NamedNode

from kg.rdf.namespaces import KG
from kg.rdf.terms import value
from kg.release import store
from kg.release.entities import Entities

HTML = {"accept": "text/html"}


@pytest.fixture(scope="module")
def entities(real: store.Release) -> Entities:
    return Entities(real.store, real.manifest.base_iri, {})


def test_what_a_document_states_shows_its_lines_and_all_else_is_marked(entities: Entities, real: store.Release) -> None:
    """The lead of the front page: documents with lines; judgement, registers and inferences marked as such."""
    graphs = {graph: entities.evidence(graph) for graph in real.manifest.graphs}
    assert [graph for graph, e in graphs.items() if e.kind == "passage" and not e.first] == []
    rest = {graph.rpartition("/")[2] for graph, e in graphs.items() if e.kind == "description"}
    assert rest <= {"about", "ontology", "catalogue"}


def test_each_fact_is_counted_once_under_its_most_direct_kind(
    entities: Entities, real: store.Release, real_http: httpx.Client
) -> None:
    """The bar of the front page, counted here without SPARQL."""
    best: dict[tuple[object, ...], str] = {}
    names = {"passage": "source", "register": "register", "partner": "register", "curator": "curator"}
    order = ["source", "register", "curator", "inferred"]
    for graph in real.manifest.graphs:
        kind = entities.evidence(graph).kind
        if kind == "description":
            continue
        name = names.get(kind, kind)
        for quad in real.store.quads_for_pattern(None, None, None, NamedNode(graph)):
            fact = (quad.subject, quad.predicate, quad.object)
            best[fact] = min(best.get(fact, "inferred"), name, key=order.index)
    rows = real_http.get("/queries/statements-by-evidence?format=csv").text.split()[1:]
    counted = {kind: int(n) for kind, n in (row.split(",") for row in rows)}
    assert counted == {name: n for name in order if (n := sum(kind == name for kind in best.values()))}
    stated = sum(n for kind, n in counted.items() if kind != "inferred")
    assert f"What the {stated:,} facts rest on" in real_http.get("/?lang=en", headers=HTML).text


def test_each_statement_shows_its_lines_or_the_document_it_is_from(
    entities: Entities, real: store.Release, real_http: httpx.Client
) -> None:
    """The lead of `/statements`."""
    statements = {value(row[0]) for row in real.store.query(f"SELECT ?s {{ ?s a <{KG}Statement> }}")}  # type: ignore[union-attr, index]
    assert f"{len(statements):,} statements" in real_http.get("/statements?lang=en", headers=HTML).text
    evidence = {s: {e for fact in entities.facts(s) for e in fact.evidence} for s in statements}
    assert [s for s, found in evidence.items() if not any(e.first or e.kind == "register" for e in found)] == []


@pytest.mark.parametrize(("source", "record"), [(SOURCE, "source/mext-2026-06-29"), (LAW, "source/egov-ai-act")])
def test_the_number_of_lines_is_that_of_the_text(
    texts: dict[str, str], entities: Entities, source: str, record: str
) -> None:
    """What is said of the length of a source: up to its last line that is not empty."""
    parts = [entities.root + path for path in entities.below(record)]
    last = max(int(value(v)) for part in parts for v in entities.values(part, KG + "lastLine"))
    assert last == len(texts[source].rstrip("\n").split("\n"))


def test_the_page_about_the_site_names_the_hash_of_each_text(real_http: httpx.Client, entities: Entities) -> None:
    page = real_http.get("/about?lang=en", headers=HTML).text
    told = set(re.findall(r"<code>([0-9a-f]{64})</code>", page))
    assert told == {
        value(v) for path in entities.members("source") for v in entities.values(entities.root + path, KG + "sha256")
    }
