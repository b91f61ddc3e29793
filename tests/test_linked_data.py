"""Dereferencing: redirects by Accept, data in every syntax, class lists, graphs, the ontology, other bases."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import httpx
import pytest
from conftest import Server, make_release, tiny_quads
from dataset import BASE, LICENCE
from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, RdfFormat, Triple, parse
from starlette.applications import Starlette
from starlette.routing import Mount

from api.app import create_app
from api.settings import Settings
from kg.build.pipeline import release_from_files
from kg.curation.builder import rebase
from kg.errors import KgError
from kg.rdf import iris
from kg.rdf.formats import RDF_FORMATS
from kg.rdf.terms import value
from kg.release.store import Release, open_release

LAW = BASE.id + "law/ai-act"
PROGRAMME = BASE.id + "programme/genai"
QUOTES = NamedNode(iris.ONTOLOGY + "#quotes")
BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def triples(response: httpx.Response, syntax: RdfFormat) -> set[Triple]:
    assert response.status_code == 200, response.text
    return {Triple(q.subject, q.predicate, q.object) for q in parse(response.content, format=syntax)}


@pytest.mark.parametrize("known", RDF_FORMATS, ids=lambda f: f.name)
def test_303_to_the_requested_format(http: httpx.Client, known: object) -> None:
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


def test_json_is_json_ld_for_a_record_and_json_for_a_list(http: httpx.Client) -> None:
    record = http.get("/id/law/ai-act", headers={"accept": "application/json"})
    assert record.headers["location"] == "/data/law/ai-act.jsonld"
    classes = http.get("/id/law", headers={"accept": "application/json"})
    assert classes.json()["class"] == "law"
    assert http.get("/id/law").headers["content-type"].startswith("text/turtle")


@pytest.mark.parametrize(
    ("path", "accept", "media_type"),
    [
        ("/ontology", "", "application/rdf+xml"),
        ("/ontology", "application/owl+xml", "application/rdf+xml"),
        ("/ontology", "text/owl-functional, text/owl-manchester", "application/rdf+xml"),
        ("/ontology", "*/*", "text/turtle"),
        (
            "/ontology",
            "application/rdf+xml, application/xml; q=0.7, text/plain; q=0.1, */*; q=0.09",
            "application/rdf+xml",
        ),
        ("/ontology/2.0.0", "text/turtle", "text/turtle"),
        *((f"/ontology.{f.name}", "image/png", f.media_type) for f in RDF_FORMATS),
        ("/ontology.owl", "*/*", "application/rdf+xml"),
    ],
)
def test_the_ontology_is_for_owl_tools(http: httpx.Client, path: str, accept: str, media_type: str) -> None:
    answer = http.get(path, headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, media_type)


def test_other_versions_and_extensions_of_the_ontology_are_not_found(http: httpx.Client) -> None:
    assert "2.0.0" in http.get("/ontology/0.9.0").json()["detail"]
    assert "owl" in http.get("/ontology.docx").json()["detail"]


@pytest.mark.parametrize(
    "path", ["/ontology", "/dataset", "/queries", "/queries/budgets", "/sparql", "/search", "/page/law/ai-act"]
)
def test_a_trailing_slash_leads_to_the_address_without(http: httpx.Client, path: str) -> None:
    answer = http.get(f"{path}/?lang=en")
    assert (answer.status_code, answer.headers["location"]) == (301, f"{path}?lang=en")
    assert http.get("/nowhere/").status_code == 404
    assert http.get(f"{http.base_url}//example.org/").status_code == 404
    if path == "/sparql":
        assert http.post("/sparql/", data={"query": "ASK {}"}).status_code == 308


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
    for syntax in RDF_FORMATS[-2:]:
        quads = list(parse(http.get(f"/data/programme/genai.{syntax.name}").content, format=syntax.syntax))
        default = {q.triple for q in quads if q.graph_name == DefaultGraph()}
        assert default == plain["ttl"]
        assert {q for q in quads if q.graph_name != DefaultGraph()}


def test_data_has_the_subject_its_parts_and_the_links_in(http: httpx.Client) -> None:
    found = triples(http.get("/data/programme/genai.ttl"), RdfFormat.TURTLE)
    subjects = {t.subject.value for t in found if not isinstance(t.subject, Triple)}
    assert {PROGRAMME, PROGRAMME + "#budget-2026-initial"} <= subjects
    inward = triples(http.get("/data/law/ai-act/article-9.ttl"), RdfFormat.TURTLE)
    assert Triple(NamedNode(PROGRAMME), QUOTES, NamedNode(LAW + "/article-9")) in inward


def test_trig_keeps_the_graphs_and_their_evidence(http: httpx.Client) -> None:
    quads = set(parse(http.get("/data/programme/genai.trig").content, format=RdfFormat.TRIG))
    graphs = {value(q.graph_name) for q in quads if q.predicate == QUOTES} - {""}  # type: ignore[union-attr]
    assert graphs == {BASE.graph + "paper/20", BASE.graph + "paper/30"}
    link = (BASE.graph + "paper/20", iris.PRIMARY_SOURCE, BASE.id + "passage/paper/20", BASE.about)
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
    assert document["@context"]["law"]["@id"] == BASE.id + "law/"


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
    assert "L20" in page.text
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
    release = make_release(tmp_path, rebase(tiny_quads(), BASE, base), base)
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
            assert f'hreflang="en" href="{running.url}/kg/page/law/ai-act?lang=en"' in page.text


# ---- typed links ----


def links(response: httpx.Response) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for target, relation in re.findall(r'<([^>]*)>; rel="([^"]+)"', response.headers.get("link", "")):
        found.setdefault(relation, set()).add(target)
    return found


def test_a_page_is_signposted(http: httpx.Client, server: str) -> None:
    found = links(http.get("/page/law/ai-act?lang=en"))
    assert found["cite-as"] == {LAW}
    assert found["type"] == {"https://schema.org/AboutPage", "https://schema.org/Legislation"}
    assert found["license"] == {LICENCE}
    assert found["collection"] == {f"{server}/id/law"}
    assert found["linkset"] == {f"{server}/linkset/law/ai-act"}
    assert found["describedby"] == {f"{server}/data/law/ai-act.{f.name}" for f in RDF_FORMATS}
    for target in found["describedby"] | found["alternate"] | found["collection"] | found["linkset"]:
        assert http.get(target, headers=BROWSER, follow_redirects=True).status_code == 200, target


def test_data_leads_back_to_its_page(http: httpx.Client, server: str) -> None:
    for syntax in RDF_FORMATS:
        found = links(http.get(f"/data/law/ai-act.{syntax.name}"))
        assert found["describes"] == {LAW}
        assert found["collection"] == {f"{server}/page/law/ai-act"}
        assert found["license"] == {LICENCE}


def test_a_redirect_says_what_to_cite(http: httpx.Client) -> None:
    assert links(http.get("/id/law/ai-act"))["cite-as"] == {LAW}


def test_the_linkset_has_the_links_of_every_document(http: httpx.Client, server: str) -> None:
    response = http.get("/linkset/law/ai-act")
    assert response.headers["content-type"] == "application/linkset+json"
    contexts = {c["anchor"]: c for c in response.json()["linkset"]}
    for anchor, context in contexts.items():
        told = {name: {t["href"] for t in targets} for name, targets in context.items() if name != "anchor"}
        assert told == links(http.get(anchor, params={"lang": "en"})), anchor
    assert len(contexts) == 1 + len(RDF_FORMATS)


def test_a_class_names_its_members(http: httpx.Client, server: str) -> None:
    found = links(http.get("/id/law?format=json"))
    assert LAW in found["item"]
    (context,) = http.get("/linkset/law").json()["linkset"]
    assert context["anchor"] == f"{server}/id/law"
    assert {LAW, f"{LAW}/article-9"} <= {t["href"] for t in context["item"]}
    assert http.get("/linkset/nothing/x").status_code == 404


# ---- embedded data ----


@pytest.mark.parametrize("path", ["law/ai-act", "programme/genai", "organization/riken", "passage/paper/10-12"])
def test_a_page_holds_its_data(http: httpx.Client, path: str) -> None:
    text = http.get(f"/page/{path}?lang=en").text
    schema, ours = (json.loads(b) for b in re.findall(r'<script type="application/ld\+json">(.*?)</script>', text))
    assert schema["@context"] == "https://schema.org/"
    assert schema["@id"] == BASE.id + path
    assert schema["@type"]
    context = http.get(ours["@context"]).json()["@context"]
    embedded = json.dumps({**ours, "@context": context})
    found = {q.triple for q in parse(embedded, format=RdfFormat.JSON_LD)}
    assert found == triples(http.get(f"/data/{path}.ttl"), RdfFormat.TURTLE)


def test_embedded_data_cannot_end_its_element(tmp_path: Path, queries_project: Path) -> None:
    evil = "</script><script>alert(1)</script><!--"
    subject, graph = NamedNode(BASE.id + "law/evil"), NamedNode(BASE.graph + "paper/1")
    facts = [
        Quad(subject, NamedNode(iris.RDF_TYPE), NamedNode("http://data.europa.eu/eli/ontology#LegalResource"), graph),
        Quad(subject, NamedNode("http://www.w3.org/2004/02/skos/core#prefLabel"), Literal(evil, language="en"), graph),
        Quad(subject, NamedNode("http://purl.org/dc/terms/description"), Literal(evil, language="en"), graph),
    ]
    release = make_release(tmp_path, [*tiny_quads(), *facts])
    with Server(create_app(Settings(project=queries_project), release)) as running:
        text = httpx.get(f"{running.url}/page/law/evil?lang=en").text
    assert "alert(1)" in text
    assert "<script>alert" not in text
    # Two of data, and the one that the page loads.
    assert text.count("</script>") == text.count("<script") == 3
    for block in re.findall(r'<script type="application/ld\+json">(.*?)</script>', text):
        assert not set("<>&") & set(block)


# ---- canonical paths ----


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("/id/law/ai-act/", "/id/law/ai-act"),
        ("/id/law/ai-act//", "/id/law/ai-act"),
        ("/id/law/%61i-act", "/id/law/ai-act"),
        ("/page/law/ai%2Dact?lang=en", "/page/law/ai-act?lang=en"),
        ("/data/law/ai-act%2Ettl", "/data/law/ai-act.ttl"),
        ("/id/law/?parts=1", "/id/law?parts=1"),
    ],
)
def test_other_ways_of_writing_lead_to_the_canonical_one(
    http: httpx.Client, server: str, written: str, canonical: str
) -> None:
    # Not with the client that has a base URL, since it normalises some encodings.
    response = httpx.get(server + written)
    assert (response.status_code, response.headers["location"]) == (301, canonical)
    assert http.get(canonical, follow_redirects=True).status_code == 200


# ---- any RDF ----


def test_a_release_of_any_files_is_served_pages_and_all(tmp_path: Path, queries_project: Path) -> None:
    (tmp_path / "a.ttl").write_text(
        "@prefix : <http://example.org/id/thing/> . @prefix skos: <http://www.w3.org/2004/02/skos/core#> .\n"
        ":one a skos:Concept ; skos:prefLabel 'One'@en ; skos:related :two, [ skos:prefLabel 'nobody'@en ] .\n"
    )
    named = '<http://example.org/id/thing/two> <http://www.w3.org/2004/02/skos/core#prefLabel> "Two"@en <urn:g> .\n'
    named += "<http://example.org/id/thing/two> <http://x/1> _:b <urn:g> .\n"
    (tmp_path / "b.nq.gz").write_bytes(gzip.compress(named.encode()))
    files = [tmp_path / "a.ttl", tmp_path / "b.nq.gz"]
    directory = release_from_files(files, tmp_path / "out", "http://example.org/", {})
    release = open_release(directory)
    assert (release.manifest.quads, release.manifest.triples, len(release.store)) == (7, 5, 7)
    with Server(create_app(Settings(project=queries_project), release)) as running:
        ask = {"query": "ASK { ?s ?p 'Two'@en }"}
        assert httpx.get(f"{running.url}/sparql", params=ask).json()["boolean"] is False
        ask = {"query": "ASK { GRAPH <urn:g> { ?s ?p 'Two'@en } }"}
        assert httpx.get(f"{running.url}/sparql", params=ask).json()["boolean"] is True
        text = httpx.get(f"{running.url}/page/thing/one?lang=en").text
        assert "<h1>One</h1>" in text
        assert "One" in httpx.get(f"{running.url}/id/thing?lang=en&format=html").text
        for path in ("/?lang=en", "/dataset?lang=en", "/ontology?lang=en", "/about?lang=en"):
            assert httpx.get(running.url + path, headers=BROWSER).status_code == 200, path
        sd = httpx.get(f"{running.url}/sparql", headers={"accept": "text/turtle"}).text
        assert "UnionDefaultGraph" not in sd
        # A property whose name cannot be written in RDF/XML, so there is no such dump.
        dumps = httpx.get(f"{running.url}/dumps", headers={"accept": "application/json"}).json()["files"]
        assert set(dumps) == {f"dataset.{f.name}.gz" for f in RDF_FORMATS if f.name != "rdf"}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.ttl", "<urn:a> <urn:b>\n  .", "a.ttl:2:3: "),
        ("a.docx", "", "a.docx: no RDF syntax has that ending; known are .ttl,"),
        ("a.nq.gz", "not gzip", "cannot read"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(KgError, match=re.escape(said)):
        release_from_files([tmp_path / name], tmp_path / "out", BASE.iri, {})
    assert not (tmp_path / "out" / "current").exists()


@pytest.mark.parametrize("written", ["0", "a b", "<", "x:[", "law:x y", "%", "law:"])
def test_a_parameter_that_is_no_iri_is_reported_on_the_page(http: httpx.Client, written: str) -> None:
    found = http.get("/queries/quoting", params={"format": "html", "lang": "en", "provision": written})
    assert found.status_code in (200, 400)
    assert found.headers["content-type"].startswith("text/html")
    assert "ui-p-provision" in found.text or found.status_code == 400
