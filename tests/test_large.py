"""A release that is too large to be read as a whole: features that need that say so, and all others work."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from conftest import Server
from pyoxigraph import RdfFormat, parse

from api.app import create_app
from api.i18n import texts
from api.settings import Settings
from kg.release.store import Release

VOID = "http://rdfs.org/ns/void#"


@pytest.fixture(scope="module")
def http(tiny: Release) -> Iterator[httpx.Client]:
    app = create_app(Settings(survey_quads=tiny.manifest.quads - 1), tiny)
    with Server(app) as server, httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
        yield client


@pytest.mark.parametrize(
    "target", ["/reconcile", '/reconcile?queries={"q":{"query":"x"}}', "/resolve?iri=Q17", "/suggest?type=class&q=x"]
)
def test_programs_get_an_error(http: httpx.Client, tiny: Release, target: str) -> None:
    answer = http.get(target, headers={"accept": "application/json"})
    assert answer.status_code == 501
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert told["type"] == "urn:aikg:problem:release-too-large"
    assert f"{tiny.manifest.quads:,} quads" in told["detail"]
    assert "KG_SURVEY_QUADS" in told["detail"]
    described = http.get("/openapi.json").json()["paths"][target.partition("?")[0]]["get"]
    assert "501" in described["responses"]


@pytest.mark.parametrize("language", texts.LANGUAGES)
@pytest.mark.parametrize("path", ["/ontology", "/reconcile"])
def test_readers_get_an_error(http: httpx.Client, path: str, language: str) -> None:
    answer = http.get(path, params={"lang": language}, headers={"accept": "text/html"})
    assert answer.status_code == 501
    assert texts.text(language, "error_501") in answer.text


@pytest.mark.parametrize("path", ["/", "/explore", "/search?q=a", "/dataset", "/sparql", "/about", "/link"])
def test_other_pages_are_there(http: httpx.Client, path: str) -> None:
    joint = "&" if "?" in path else "?"
    answer = http.get(f"{path}{joint}lang=en", headers={"accept": "text/html"})
    assert answer.status_code == 200, answer.text[:500]


def test_the_dataset_is_described_without_statistics(http: httpx.Client, tiny: Release) -> None:
    answer = http.get("/dataset", headers={"accept": "text/turtle"})
    triples = list(parse(answer.content, format=RdfFormat.TURTLE))
    found = {
        t.predicate.value.removeprefix(VOID): t.object.value for t in triples if t.predicate.value.startswith(VOID)
    }
    assert found["triples"] == str(tiny.manifest.triples)
    assert "classPartition" not in found
    for path in ("/ontology", "/sparql"):
        assert http.get(path, headers={"accept": "text/turtle"}).status_code == 200


def test_a_query_without_an_answer_has_its_note(http: httpx.Client) -> None:
    query = "SELECT * { ?s <http://www.w3.org/2004/02/skos/core#prefLabels> ?o }"
    answer = http.get("/sparql", params={"query": query, "lang": "en"}, headers={"accept": "text/html"})
    assert answer.status_code == 200
    assert "prefLabels" in answer.text


@pytest.mark.parametrize("name", ["0", "\x7f", "urn:x:none", "skos:prefLabel"])
def test_links_by_what_is_no_link_are_refused(http: httpx.Client, name: str) -> None:
    record = http.get("/?format=json").json()["example"]
    answer = http.get("/explore/links", params={"node": record, "property": name})
    assert answer.status_code == 400
    assert "no edge has the property" in answer.json()["detail"]
