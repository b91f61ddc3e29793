"""The recipes: in the documents and on the page of the ontology, and linked from the terms that they use.

That each answers as worked out is tested with all stored queries.
"""

from __future__ import annotations

import re

import httpx
import pytest
from dataset import ROOT

from api.ontology import recipes
from kg.sparql import library

LIBRARY = {name: query for name, query in library.library(ROOT).items() if "recipe" in query.tags}
KG = "https://w3id.org/aikg/ontology#"


def test_there_is_a_recipe_for_what_is_easily_asked_wrong() -> None:
    assert LIBRARY.keys() >= {
        *("dates-of-policies", "evidence-either-way", "on-one-source-alone", "budget-totals"),
        *("statements-by-facet", "transparency-and-reliability", "not-in-the-source"),
    }


def test_the_cookbook_has_each_recipe_as_it_is_stored() -> None:
    text = (ROOT / "docs" / "cookbook.md").read_text(encoding="utf-8")
    printed = re.findall(r"^`([\w-]+)`([^\n]*):\n\n```sparql\n(.*?)```", text, re.MULTILINE | re.DOTALL)
    assert {name: query.strip() for name, _, query in printed} == {n: q.text.strip() for n, q in LIBRARY.items()}
    for name, told, _ in printed:
        given = dict(re.findall(r"`(\w+)=([^`]+)`", told))
        assert given == {p.name: p.default for p in LIBRARY[name].parameters}, name


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_page_of_the_ontology_has_them_and_terms_lead_to_them(real_http: httpx.Client, language: str) -> None:
    page = real_http.get(f"/ontology?lang={language}", headers={"accept": "text/html"}).text
    section = page[page.index('id="recipes"') :]
    for name, query in LIBRARY.items():
        assert f'id="recipe-{name}"' in section
        assert query.title[language] in section
        own = [iri.removeprefix(KG) for iri in recipes.terms(query.text) if iri.startswith(KG)]
        assert own or name == "evidence-either-way"
        for term in own:
            start = page.index(f'<article class="term" id="{term}">')
            assert f'href="#recipe-{name}"' in page[start : page.index("</article>", start)], (name, term)


def test_only_names_of_a_query_are_its_terms() -> None:
    text = (
        'PREFIX ex: <urn:ex:>\nSELECT ?x { ?x a ex:Thing ; ex:says "ex:word" . # ex:comment\n FILTER(?x != <ex:iri>) }'
    )
    assert recipes.terms(text) == {"urn:ex:Thing", "urn:ex:says"}
