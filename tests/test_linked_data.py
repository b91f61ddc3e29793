"""Dereferencing: redirects by Accept, data in every syntax, class lists, graphs, the ontology, other bases."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from conftest import Server, make_release, tiny_quads
from pyoxigraph import NamedNode, Quad, RdfFormat, Triple, parse
from starlette.applications import Starlette
from starlette.routing import Mount

from api.app import create_app
from api.settings import Settings
from kg import iris
from kg.builder import rebase
from kg.formats import RDF_FORMATS
from kg.store import Release

LAW = iris.ID + "law/ai-act"
PROGRAMME = iris.ID + "programme/genai"
QUOTES = NamedNode(iris.ONTOLOGY + "#quotes")
BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def triples(response: httpx.Response, syntax: RdfFormat) -> set[Triple]:
    assert response.status_code == 200, response.text
    return {Triple(q.subject, q.predicate, q.object) for q in parse(response.content, format=syntax)}


@pytest.mark.parametrize("known", RDF_FORMATS, ids=lambda f: f.name)
def test_303_to_the_format_asked_for(http: httpx.Client, known: object) -> None:
    response = http.get("/id/law/ai-act", headers={"accept": known.media_type})  # type: ignore[attr-defined]
    assert response.status_code == 303
    assert response.headers["location"] == f"/data/law/ai-act.{known.name}"  # type: ignore[attr-defined]
    assert response.headers["vary"] == "Accept"


def test_303_to_the_page_for_a_browser(http: httpx.Client) -> None:
    response = http.get("/id/law/ai-act/article-9", headers=BROWSER)
    assert (response.status_code, response.headers["location"]) == (303, "/page/law/ai-act/article-9")
    final = http.get("/id/law/ai-act/article-9", headers={**BROWSER, "accept-language": "en"}, follow_redirects=True)
    assert final.url.params["lang"] == "en"
    assert "Article 9 of the AI Act" in final.text


def test_curl_without_accept_gets_turtle(http: httpx.Client) -> None:
    assert http.get("/id/law/ai-act").headers["location"] == "/data/law/ai-act.ttl"


def test_406_lists_what_there_is(http: httpx.Client) -> None:
    response = http.get("/id/law/ai-act", headers={"accept": "image/png"})
    assert response.status_code == 406
    assert response.json()["formats"]["ttl"] == "text/turtle"


def test_unknown_ids_name_the_nearest(http: httpx.Client) -> None:
    response = http.get("/id/law/ai-acts")
    assert response.status_code == 404
    assert LAW in response.json()["nearest"]
    page = http.get("/id/programme/genia", headers={**BROWSER, "accept-language": "ja"})
    assert page.status_code == 404
    assert "近い名前の項目" in page.text
    assert "programme/genai" in page.text


@pytest.mark.parametrize(
    "path", ["/id/law/AI-Act", "/id/law/ai.act", "/id/", "/id/nothing", "/data/law/x.ttl", "/page/x"]
)
def test_what_is_no_id_is_404(http: httpx.Client, path: str) -> None:
    assert http.get(path).status_code == 404


def test_deprecated_ids_go_on_answering(http: httpx.Client) -> None:
    moved = http.get("/id/concept/old-notion")
    assert (moved.status_code, moved.headers["location"]) == (301, "/id/concept/new-notion")
    assert http.get("/id/concept/lost-notion", headers=BROWSER).status_code == 410
    assert http.get("/page/concept/lost-notion?lang=en").status_code == 410
    assert http.get("/data/concept/lost-notion.ttl").status_code == 200


def test_every_syntax_holds_the_same_triples(http: httpx.Client) -> None:
    plain = {f.name: triples(http.get(f"/data/programme/genai.{f.name}"), f.syntax) for f in RDF_FORMATS}
    assert plain["ttl"] == plain["nt"] == plain["rdf"] == plain["jsonld"]
    quads = {f.name: triples(http.get(f"/data/programme/genai.{f.name}"), f.syntax) for f in RDF_FORMATS[-2:]}
    assert quads["trig"] == quads["nq"]


def test_data_has_the_subject_its_parts_and_the_links_in(http: httpx.Client) -> None:
    found = triples(http.get("/data/programme/genai.ttl"), RdfFormat.TURTLE)
    subjects = {t.subject.value for t in found if not isinstance(t.subject, Triple)}
    assert {PROGRAMME, PROGRAMME + "#budget-2026-initial"} <= subjects
    inward = triples(http.get("/data/law/ai-act/article-9.ttl"), RdfFormat.TURTLE)
    assert Triple(NamedNode(PROGRAMME), QUOTES, NamedNode(LAW + "/article-9")) in inward


def test_trig_keeps_the_graphs_and_their_evidence(http: httpx.Client) -> None:
    quads = set(parse(http.get("/data/programme/genai.trig").content, format=RdfFormat.TRIG))
    graphs = {q.graph_name.value for q in quads if q.predicate == QUOTES}  # type: ignore[union-attr]
    assert graphs == {iris.GRAPH + "paper/20", iris.GRAPH + "paper/30"}
    link = (iris.GRAPH + "paper/20", iris.PRIMARY_SOURCE, iris.ID + "passage/paper/20", iris.ABOUT)
    assert Quad(*(NamedNode(i) for i in link)) in quads


def test_turtle_has_prefixes(http: httpx.Client) -> None:
    text = http.get("/data/law/ai-act.ttl").text
    assert "@prefix eli:" in text
    assert "@prefix qb:" not in text


def test_json_ld_is_compact_and_carries_its_context(http: httpx.Client) -> None:
    document = json.loads(http.get("/data/law/ai-act.jsonld").text)
    law = next(node for node in document["@graph"] if node["id"] == "law:ai-act")
    assert law["type"] == "LegalResource"
    assert law["label"] == {"ja": "AI法", "en": "AI Act"}
    assert document["@context"]["law"]["@id"] == iris.ID + "law/"


def test_validators(http: httpx.Client) -> None:
    first = http.get("/data/law/ai-act.ttl")
    again = http.get("/data/law/ai-act.ttl", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_class_lists_are_paged_in_every_form(http: httpx.Client) -> None:
    first = http.get("/id/concept", headers={"accept": "application/json"})
    assert first.json()["total"] == 3
    assert len(first.json()["members"]) == 2
    assert 'rel="next"' in first.headers["link"]
    second = http.get("/id/concept", params={"page": 2, "format": "json"}).json()
    assert [m["label"]["en"] for m in second["members"]] == ["old notion"]
    assert triples(http.get("/id/concept", headers={"accept": "text/turtle"}), RdfFormat.TURTLE)
    laws = [http.get("/id/law", params={"format": "json", "parts": parts}).json()["total"] for parts in ("0", "1")]
    assert laws == [1, 2]
    for page in ("0", "3", "x", "-1", "9" * 50):
        assert http.get("/id/concept", params={"page": page}).status_code == 404


def test_graphs_answer(http: httpx.Client) -> None:
    found = triples(http.get("/graph/paper/20", headers={"accept": "text/turtle"}), RdfFormat.TURTLE)
    assert Triple(NamedNode(PROGRAMME), QUOTES, NamedNode(LAW + "/article-9")) in found
    page = http.get("/graph/paper/20?lang=en", headers=BROWSER)
    assert "line 20" in page.text
    assert http.get("/graph/paper/999").status_code == 404


def test_the_ontology_is_negotiated(http: httpx.Client) -> None:
    sizes = {
        f.name: len(triples(http.get("/ontology", headers={"accept": f.media_type}), f.syntax)) for f in RDF_FORMATS
    }
    assert sizes["rdf"] == sizes["ttl"] == sizes["jsonld"] > 1000
    page = http.get("/ontology?lang=ja", headers=BROWSER).text
    assert 'id="Programme"' in page
    assert http.get("/context.jsonld").json()["@context"]["kg"] == iris.ONTOLOGY + "#"


def test_operations(http: httpx.Client) -> None:
    assert http.get("/healthz").text == "ok\n"
    assert http.get("/readyz").json()["release"]
    assert "Disallow: /sparql" in http.get("/robots.txt").text
    assert http.get("/openapi.json").status_code == 200


def test_stored_queries_run_and_check_their_parameters(http: httpx.Client) -> None:
    listed = http.get("/queries", headers={"accept": "application/json"}).json()
    assert [q["name"] for q in listed] == ["quoting"]
    assert http.get("/queries/quoting", params={"format": "csv"}).text.split() == ["record", PROGRAMME]
    page = http.get(
        "/queries/quoting", params={"lang": "en", "provision": "law:ai-act"}, headers={"accept": "text/html"}
    )
    assert "&lt;https://w3id.org/aikg/id/law/ai-act&gt;" in page.text, "the query is shown with its values in it"
    other = http.get("/queries/quoting", params={"format": "csv", "provision": "law:ai-act"})
    assert other.text.split() == ["record"]
    assert http.get("/queries/quoting", params={"provison": "x"}).status_code == 400
    assert http.get("/queries/quotin").status_code == 404


def test_another_base_and_a_mount_path(tiny: Release, queries_project: Path, tmp_path: Path) -> None:
    base = "https://data.example.go.jp/policy/"
    release = make_release(tmp_path, rebase(tiny_quads(), base), base)
    inner = create_app(Settings(project=queries_project), release)
    with Server(Starlette(routes=[Mount("/kg", inner)])) as running, httpx.Client(base_url=running.url) as client:
        response = client.get("/kg/id/law/ai-act", headers=BROWSER, follow_redirects=True)
        assert response.status_code == 200
        assert 'href="/kg/static/site.css"' in response.text
        assert base + "id/law/ai-act" in response.text
        assert "https://w3id.org/aikg/id/" not in response.text
        data = client.get("/kg/data/law/ai-act.ttl").text
        assert f"@prefix law: <{base}id/law/>" in data
        assert client.get("/kg/static/site.css").status_code == 200


def test_a_proxy_may_strip_the_mount_path_or_not(tiny: Release, queries_project: Path) -> None:
    app = create_app(Settings(project=queries_project, root_path="/kg"), tiny)
    with Server(app) as running, httpx.Client(base_url=running.url) as client:
        for prefix in ("", "/kg"):
            for path, target in (("/id/law/ai-act", "/kg/page/law/ai-act"), ("/id/law", "/kg/id/law?lang=ja")):
                assert client.get(prefix + path, headers=BROWSER).headers["location"] == target
            page = client.get(prefix + "/page/law/ai-act?lang=ja")
            assert 'hreflang="en" href="/kg/page/law/ai-act?lang=en"' in page.text
