"""One choice of the kinds of evidence: the same facts on pages, in counts, charts, results, FROM and receipts."""

from __future__ import annotations

import re

import httpx
import pytest
from conftest import tiny_quads
from dataset import PROJECT
from pyoxigraph import NamedNode, Quad

from kg.curation import builder
from kg.engines.embedded import EmbeddedStore
from kg.engines.evaluation import Query, ResultFormats, evaluate
from kg.errors import QueryMalformed, QueryRefused
from kg.release import evidence_sets, store
from kg.release.evidence_sets import EvidenceSets
from kg.release.facts import kind_of
from kg.sparql import library

BASE = "https://w3id.org/aikg/"
HTML = {"accept": "text/html"}
COUNT = "SELECT (COUNT(*) AS ?n) %s WHERE { ?s ?p ?o }"
PRIMARY = "http://www.w3.org/ns/prov#hadPrimarySource"


def asked(sets: EvidenceSets, text: str) -> list[str]:
    found, query = sets.resolved(Query(text))
    answer = evaluate(found, query, ResultFormats("csv"), base=BASE, prefixes={}, most_bytes=100_000)
    return answer.body.decode().split()[1:]


def expected(quads: list[Quad], level: str) -> set[tuple[object, ...]]:
    """The triples of a level, from the quads and the table of levels alone."""
    sources = {q.subject.value: q.object.value for q in quads if q.predicate.value == PRIMARY}  # type: ignore[union-attr]
    kinds = evidence_sets.kinds_of(level)
    return {
        (q.subject, q.predicate, q.object)
        for q in quads
        if isinstance(q.graph_name, NamedNode)
        and kind_of(q.graph_name.value.removeprefix(BASE + "graph/"), sources.get(q.graph_name.value, "")) in kinds
    }


@pytest.mark.parametrize("level", evidence_sets.LEVELS)
def test_from_a_set_asks_each_of_its_triples_once(tiny: store.Release, level: str) -> None:
    sets = EvidenceSets(tiny.store, BASE)
    (count,) = asked(sets, COUNT % f"FROM <{BASE}evidence/{level}>")
    assert int(count) == len(expected(tiny_quads(), level))


def test_the_levels_grow_and_graphs_come_along(tiny: store.Release) -> None:
    sets = EvidenceSets(tiny.store, BASE)
    counts = [
        int(asked(sets, COUNT % f"FROM <{evidence_sets.iri_of(level, BASE)}>")[0]) for level in evidence_sets.LEVELS
    ]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1] == int(asked(sets, COUNT % "")[0])
    graphs = asked(sets, f"SELECT DISTINCT ?g FROM <{BASE}evidence/paper> WHERE {{ GRAPH ?g {{ ?s ?p ?o }} }}")
    assert graphs
    assert not [g for g in graphs if "/curator" in g or g.endswith("/inferred")]


def test_a_set_stands_alone_and_a_comment_names_none(tiny: store.Release) -> None:
    sets = EvidenceSets(tiny.store, BASE)
    with pytest.raises(QueryMalformed, match="stands alone"):
        sets.resolved(Query(COUNT % f"FROM <{BASE}evidence/paper> FROM <{BASE}graph/curator>"))
    commented = f"# FROM <{BASE}evidence/paper>\n" + COUNT % ""
    assert asked(sets, commented) == asked(sets, COUNT % "")


def test_a_set_is_refused_where_it_would_be_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_sets, "_LARGEST", 1)
    sets = EvidenceSets(EmbeddedStore.in_memory(tiny_quads()), BASE)
    with pytest.raises(QueryRefused, match="too large"):
        asked(sets, COUNT % f"FROM <{BASE}evidence/paper>")


def test_the_endpoint_and_stored_queries_know_the_same_sets(real_http: httpx.Client) -> None:
    """`FROM` in the workbench and `evidence=` of a stored query give the same rows; more evidence, more rows."""
    rows = {}
    for level in ("paper", "curator", "inferred"):
        answer = real_http.get(f"/queries/who-cites-the-law?format=csv&evidence={level}")
        rows[level] = answer.text.splitlines()
    assert len(rows["paper"]) < len(rows["inferred"])
    assert rows["inferred"] == real_http.get("/queries/who-cites-the-law?format=csv").text.splitlines()
    count = "SELECT (COUNT(*) AS ?n) FROM <https://w3id.org/aikg/evidence/paper> WHERE { ?s ?p ?o }"
    whole = "SELECT (COUNT(*) AS ?n) WHERE { ?s ?p ?o }"
    few, all_ = (
        int(real_http.get("/sparql", params={"query": q, "format": "csv"}).text.split()[1]) for q in (count, whole)
    )
    assert 0 < few < all_
    assert real_http.get("/queries/budgets?format=csv&evidence=hearsay").status_code == 400


@pytest.mark.parametrize("level", ["paper", "register", "curator"])
def test_a_page_shows_and_counts_only_facts_of_the_choice_and_keeps_it(real_http: httpx.Client, level: str) -> None:
    page = real_http.get(f"/page/programme/aip?lang=en&evidence={level}", headers=HTML).text
    main = page[page.index("<main") : page.index("</main>")]
    left_out = {"paper": "rci", "register": "ci", "curator": "i"}[level]
    assert re.search(r'class="ev k-p"', main)
    assert not re.search(rf'class="ev k-[{left_out}]"', main)
    whole = real_http.get("/page/programme/aip?lang=en", headers=HTML).text
    if level == "paper":
        count = re.compile(r'<summary>[^<]*<span class="count">([\d,]+) ')
        assert int(count.search(main)[1]) < int(count.search(whole)[1])  # type: ignore[index]
    # Every link to another page has the choice.
    inside = re.findall(r'href="(/page/[^"]+)"', main)
    assert inside
    # But for the one that ends it.
    assert [href for href in inside if f"evidence={level}" not in href and "evidence=inferred" not in href] == []
    assert f'value="{level}" checked' in page
    # The address of the page for search engines has no choice.
    assert "evidence=" not in re.search(r'rel="canonical" href="([^"]+)"', page)[1]  # type: ignore[index]


def test_charts_and_receipts_follow_the_choice(real_http: httpx.Client) -> None:
    page = real_http.get("/charts/citations?lang=en&evidence=paper", headers=HTML).text
    receipt = next(h for h in re.findall(r'href="([^"]*/receipt[^"]*)"', page) if "row=" in h).replace("&amp;", "&")
    assert "evidence=paper" in receipt
    found = real_http.get(receipt, headers={"accept": "application/ld+json"}).json()
    assert found["schema:creativeWorkStatus"] == "current"
    assert "FROM <https://w3id.org/aikg/evidence/paper>" in found["prov:wasGeneratedBy"]["prov:hadPlan"]["rdf:value"]


def test_every_stored_query_can_be_limited(real: store.Release) -> None:
    context, sets = builder.read_context(PROJECT.root), EvidenceSets(real.store, BASE)
    for stored in library.library(PROJECT.root).values():
        text = library.fill(stored.text, library.bind(stored, {}, context))
        limited = evidence_sets.with_from(text, "paper", BASE, context.prefixes)
        found, query = sets.resolved(Query(limited))
        evaluate(found, query, ResultFormats("json", "nt"), base=BASE, prefixes=context.prefixes, most_bytes=10**7)
