"""A project of another country, English only, with budgets in euros by calendar year: built, served and asked."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import Server
from pyoxigraph import RdfFormat, parse

from api.app import create_app
from api.settings import Settings
from kg.build import pipeline
from kg.curation import answers, builder
from kg.release import store

ELSEWHERE = Path(__file__).parent / "projects" / "elsewhere"
BASE = "https://data.norland.example/research/"
HTML = {"accept": "text/html"}
JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(ELSEWHERE, tmp_path_factory.mktemp("elsewhere") / "project")


@pytest.fixture(scope="module")
def release(project: Path) -> store.Release:
    built = pipeline.build(project, project / ".releases")
    assert built.warnings == []
    assert built.release is not None
    return store.open_release(built.release)


@pytest.fixture(scope="module")
def http(project: Path, release: store.Release) -> Iterator[httpx.Client]:
    with (
        Server(create_app(Settings(project=project), release)) as running,
        httpx.Client(base_url=running.url, trust_env=False, timeout=30) as client,
    ):
        yield client


def test_it_keeps_its_names_to_itself(project: Path, release: store.Release) -> None:
    assert pipeline.check(project) == []
    assert list(answers.differences(release.store, project, builder.read_context(project))) == []
    assert release.manifest.base_iri == BASE
    assert release.manifest.ontology_version == "0.3.0"
    own = {graph for graph in release.manifest.graphs if not graph.startswith(BASE)}
    assert own == set()
    assert (project / "data" / "ttl" / "research-act" / "4-9.ttl").is_file()


PAGES = (
    *("/", "/about", "/search?q=fjord", "/charts", "/charts/money", "/explore?node=programme/fjord", "/queries"),
    *("/queries/budgets?format=html", "/sparql", "/sparql?query=ASK%7B%7D&format=html", "/ontology", "/dataset"),
    *(
        "/link",
        "/mentions",
        "/validate",
        "/publish",
        "/page/programme/fjord",
        "/page/organization/polar-institute",
        "/id/programme",
    ),
    *("/page/passage/research-act/12", "/graph/research-act/4-9", "/graph/inferred", "/conformance"),
    "/explain?subject=organization:polar-institute&predicate=a&object=org:Organization",
)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_in_its_one_language(http: httpx.Client, path: str) -> None:
    page = http.get(path, headers={**HTML, "accept-language": "ja"}, follow_redirects=True)
    assert page.status_code == 200
    assert page.headers["content-language"] == "en"
    assert '<html lang="en">' in page.text
    assert "Norland Research Policy" in page.text
    assert "CC0 1.0" in page.text or "public domain" in page.text
    assert not JAPANESE.search(page.text)
    assert 'class="language"' not in page.text


def test_another_language_is_none_of_it(http: httpx.Client) -> None:
    found = http.get("/page/programme/fjord?lang=ja", headers=HTML)
    assert found.status_code == 302
    assert "lang=en" in found.headers["location"]
    assert http.get("/ja/reconcile").status_code == 404
    assert http.get("/en/reconcile").json()["name"] == "Norland Research Policy"


def test_budgets_are_in_euros_by_calendar_year(http: httpx.Client) -> None:
    page = http.get("/page/programme/fjord?lang=en", headers=HTML).text
    assert "€12.5 million" in page
    assert "€850,000" in page
    assert "Budget year 2025" in page
    assert "L4–9" in page
    chart = http.get("/charts/money?lang=en", headers=HTML).text
    assert "€12.5 million" in chart
    assert "Calendar year" in chart


def test_it_is_asked_and_searched(http: httpx.Client) -> None:
    query = f"SELECT ?x {{ ?x a <http://www.w3.org/ns/org#Organization> ; <{BASE}ontology#registerCode> ?code }}"
    rows = http.get("/sparql", params={"query": query, "format": "json"}).json()["results"]["bindings"]
    assert [row["x"]["value"] for row in rows] == [f"{BASE}id/organization/polar-institute"]
    assert http.get("/queries/budgets", params={"from": "2026-01-01", "format": "csv"}).text.count("\n") == 2
    found = http.get(
        "/search", params={"q": "fjordprogrammet", "format": "json"}, headers={"accept": "application/json"}
    )
    assert f"{BASE}id/programme/fjord" in found.text
    asked = json.dumps({"q0": {"query": "Polar Institute"}})
    (best,) = http.get("/reconcile", params={"queries": asked}).json()["q0"]["result"]
    assert (best["id"], best["match"]) == ("organization/polar-institute", True)


def test_its_identifiers_lead_to_its_pages_and_terms(http: httpx.Client) -> None:
    data = http.get("/data/organization/polar-institute.ttl")
    triples = {(str(t.subject), str(t.predicate), str(t.object)) for t in parse(data.content, format=RdfFormat.TURTLE)}
    me = f"<{BASE}id/organization/polar-institute>"
    assert (me, f"<{BASE}ontology#registerCode>", '"0417"') in triples
    page = http.get("/page/organization/polar-institute?lang=en", headers=HTML).text
    assert 'href="/ontology?lang=en#Station"' in page
    assert 'id="Station"' in http.get("/ontology?lang=en", headers=HTML).text
    assert "w3id.org/aikg/id/" not in data.text + page


def test_its_documents_name_it(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    assert document["info"]["title"] == "Norland Research Policy"
    (language,) = [p for p in document["paths"]["/page/{path}"]["get"]["parameters"] if p["name"] == "lang"]
    assert language["schema"]["enum"] == ["en"]
    assert not [path for path in document["paths"] if path.startswith("/ja")]
    (node,) = [p for p in document["paths"]["/explore"]["get"]["parameters"] if p["name"] == "node"]
    assert node["example"] == ["programme/fjord"]
    feed = http.get("/feed.atom?lang=en").text
    assert "The Norland Data Office" in feed
    void = http.get("/.well-known/void?format=ttl").text
    assert "publicdomain/zero" in void
    assert "ENG" in void
    assert "JPN" not in void
    assert not JAPANESE.search(json.dumps(document, ensure_ascii=False) + feed + void)


def test_submitted_data_is_held_against_its_shapes(http: httpx.Client) -> None:
    body = f"<https://x.example/1> a <{BASE}ontology#Staton> ; a <http://www.w3.org/ns/org#Organization> ."
    report = http.post("/validate", content=body, headers={"content-type": "text/turtle", "accept": "application/json"})
    messages = json.dumps(report.json(), ensure_ascii=False)
    assert report.json()["conforms"] is False
    assert "needs one name in each language" in messages
    assert f"{BASE}ontology#Station" in messages


def test_its_own_check_finds_another_currency(project: Path, tmp_path: Path) -> None:
    other = shutil.copytree(project, tmp_path / "other", ignore=shutil.ignore_patterns(".*"))
    record = other / "data" / "programme" / "fjord.yaml"
    record.write_text(record.read_text(encoding="utf-8").replace("currency: EUR", "currency: USD", 1), encoding="utf-8")
    (found,) = pipeline.check(other)
    assert "Budget in another currency than the euro: 'USD'" in str(found)
    assert str(found).startswith("data/programme/fjord.yaml:7:")


def test_it_moves_to_another_base(project: Path, tmp_path: Path) -> None:
    moved = pipeline.build(project, tmp_path / "moved", base="https://mirror.example/")
    assert moved.release is not None
    manifest = store.read_manifest(moved.release)
    assert all(graph.startswith("https://mirror.example/graph/") for graph in manifest.graphs)
    assert manifest.ontology_version == "0.3.0"
