"""Explanations of facts: they lead to stated facts without cycles, as a page and as JSON."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from dataset import BASE, ROOT
from pyoxigraph import NamedNode, Quad, Store, Triple

from kg.errors import KgError
from kg.rdf.namespaces import KG
from kg.release import store
from kg.release.explanation import Explanations, ProofStep, Rule
from kg.sparql import library

HTML = {"accept": "text/html"}
JSON = {"format": "json"}
RULES = list(library.library(ROOT, "rules").values())
ROOT_IRI = BASE.iri + "id/"


def leaves(step: ProofStep) -> list[ProofStep]:
    return [step] if not step.premises else [leaf for premise in step.premises for leaf in leaves(premise)]


def inner(step: ProofStep) -> list[Triple]:
    """The inferred triples along each branch of a proof."""
    return [step.triple, *(t for premise in step.premises for t in inner(premise))] if step.rule else []


def test_every_inferred_triple_rests_on_stated_ones(real: store.Release) -> None:
    explanations = Explanations(real.store, RULES, BASE.iri)
    inferred = list(real.store.quads_for_pattern(None, None, None, NamedNode(BASE.inferred)))
    # Every fiftieth, since all of them take minutes.
    for quad in inferred[::50]:
        step = explanations.explain(quad.triple)
        assert step is not None
        assert step.rule is not None
        assert all(leaf.graphs for leaf in leaves(step)), quad
        assert quad.triple not in [t for premise in step.premises for t in inner(premise)]


def test_a_circle_proves_nothing() -> None:
    """Two inferred triples that only follow from each other prove neither."""
    one, other = NamedNode(ROOT_IRI + "law/one"), NamedNode(ROOT_IRI + "law/other")
    there, back = Triple(one, NamedNode(KG + "quotes"), other), Triple(other, NamedNode(KG + "quotedBy"), one)
    inferred = NamedNode(BASE.inferred)
    found = Store()
    found.extend(Quad(*t, inferred) for t in (there, back))
    inverse = Triple(NamedNode(KG + "quotes"), NamedNode("http://www.w3.org/2002/07/owl#inverseOf"), back.predicate)
    found.add(Quad(*inverse, NamedNode(BASE.ontology_graph)))
    found.extend(Quad(*t) for t in (there, back, inverse))
    step = Explanations(found, RULES, BASE.iri).explain(there)
    assert step == ProofStep(there)
    # Once one of them is stated, the other follows.
    found.add(Quad(*back, NamedNode(BASE.iri + "graph/curator")))
    step = Explanations(found, RULES, BASE.iri).explain(there)
    assert step is not None
    assert step.rule is not None
    assert step.rule.name == "inverse"
    assert [premise.graphs for premise in step.premises] == [(BASE.iri + "graph/curator",)]


def test_what_does_not_hold_is_not_explained(real: store.Release) -> None:
    law = NamedNode(ROOT_IRI + "law/ai-act")
    assert Explanations(real.store, RULES, BASE.iri).explain(Triple(law, NamedNode(KG + "quotes"), law)) is None


def test_a_rule_is_one_construct_of_one_triple() -> None:
    bad = library.StoredQuery("bad", {}, {}, (), (), {}, {}, (), "SELECT * WHERE { ?s ?p ?o }")
    with pytest.raises(KgError, match="rule 'bad' is not CONSTRUCT"):
        Rule(bad)


def test_the_programme_cites_what_its_part_cites(real_http: httpx.Client) -> None:
    asked = {"subject": "programme:genai-transparency", "predicate": "cito:cites", "object": "law:ai-act"}
    told = real_http.get("/explain", params={**asked, **JSON}).json()
    assert told["kind"] == "inferred"
    assert told["rule"]["name"] in {"chain", "subproperty"}, told
    assert "kg:" not in told["subject"]
    for language, word in (("en", "rule"), ("ja", "規則")):
        page = real_http.get("/explain", params={**asked, "lang": language}, headers=HTML)
        assert page.status_code == 200
        assert f'<html lang="{language}">' in page.text
        assert f'<span class="ev k-i">{word}</span>' in page.text
        assert told["rule"]["title"][language] in page.text
        assert 'class="ev k-p"' in page.text


def test_a_stated_fact_names_its_passage(real_http: httpx.Client) -> None:
    asked = {"subject": "programme:aip", "predicate": "kg:quotes", "object": "law:ai-act/article-9", **JSON}
    told = real_http.get("/explain", params=asked).json()
    assert told["kind"] == "stated"
    assert [(e["first_line"], e["last_line"]) for e in told["evidence"]] == [(551, 555)]
    literal = {"subject": "law:ai-act", "predicate": "skos:altLabel", "object": '"AI法"@ja', **JSON}
    assert real_http.get("/explain", params=literal).json()["kind"] == "stated"


@pytest.mark.parametrize(
    ("asked", "status", "told"),
    [
        ({}, 400, "subject: missing"),
        ({"subject": "law:ai-act", "predicate": "kg:quotes"}, 400, "object: missing"),
        ({"subject": "law:ai-act", "predicate": "kg:quotes", "object": '"open'}, 400, "a literal in N-Triples syntax"),
        ({"subject": "what", "predicate": "kg:quotes", "object": "law:ai-act"}, 400, "an IRI or class:slug"),
        ({"subject": "law:ai-act", "predicate": "kg:quotes", "object": "law:ai-act"}, 404, "does not have the triple"),
    ],
)
def test_bad_questions_are_refused(real_http: httpx.Client, asked: dict[str, str], status: int, told: str) -> None:
    answer = real_http.get("/explain", params={**asked, **JSON})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert told in answer.json()["detail"]


def test_an_inferred_fact_leads_to_its_reason(real_http: httpx.Client) -> None:
    text = real_http.get("/page/organization/riken?lang=en", headers=HTML).text
    start = text.index('class="ev k-i" href="') + len('class="ev k-i" href="')
    href = text[start : text.index('"', start)].replace("&amp;", "&")
    assert href.startswith("/explain?lang=en&subject=")
    assert real_http.get(href, headers=HTML).status_code == 200


@pytest.mark.browser
def test_the_reason_is_one_click_away(browser: Any, real_server: str) -> None:
    page: Any = browser.new_page(base_url=real_server)
    page.goto("/page/organization/riken?lang=en")
    page.click("details.inferred > summary")
    page.click("details.inferred .ev.k-i >> nth=0")
    assert page.inner_text("h1") == "Evidence for this fact"
    assert page.locator(".proof .rule").count() >= 1
    page.close()
