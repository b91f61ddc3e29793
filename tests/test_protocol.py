"""SPARQL 1.1 Protocol (query side) and Service Description, by the specification, over a real server."""

from __future__ import annotations

import csv
import gzip
import io
import json
import time
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote, urlencode

import httpx
import pytest
from conftest import Server
from dataset import BASE
from pyoxigraph import DefaultGraph, NamedNode, RdfFormat, Store, parse
from SPARQLWrapper import JSON, SPARQLWrapper

from api.app import create_app
from api.settings import Settings
from kg.rdf.formats import RDF_FORMATS, RESULT_FORMATS, Rdf
from kg.release.store import Release

SELECT = "SELECT ?s WHERE { ?s a <http://data.europa.eu/eli/ontology#LegalResource> }"
SLOW = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }"
CONSTRUCT = "CONSTRUCT WHERE { <https://w3id.org/aikg/id/law/ai-act> ?p ?o }"
QUOTES = "<https://w3id.org/aikg/ontology#quotes>"
FORM = {"content-type": "application/x-www-form-urlencoded"}
DIRECT = {"content-type": "application/sparql-query"}


def rows(response: httpx.Response) -> list[dict[str, str]]:
    assert response.status_code == 200, response.text
    return [{k: v["value"] for k, v in b.items()} for b in response.json()["results"]["bindings"]]


def problem(response: httpx.Response, status: int) -> dict[str, object]:
    assert response.status_code == status
    assert response.headers["content-type"].startswith("application/problem+json")
    document = json.loads(response.text)
    assert document["status"] == status
    assert document["detail"]
    return dict(document)


# ---- query operations ----


def test_the_three_operations_agree(http: httpx.Client) -> None:
    by_get = http.get("/sparql", params={"query": SELECT})
    by_form = http.post("/sparql", content=urlencode({"query": SELECT}), headers=FORM)
    by_body = http.post("/sparql", content=SELECT, headers=DIRECT)
    assert by_get.content == by_form.content == by_body.content
    assert rows(by_get) == [{"s": "https://w3id.org/aikg/id/law/ai-act"}]


def test_content_type_may_have_parameters(http: httpx.Client) -> None:
    headers = {"content-type": "application/sparql-query; charset=UTF-8"}
    assert rows(http.post("/sparql", content=SELECT, headers=headers))


def test_an_ordinary_client_works(server: str) -> None:
    for method in ("GET", "POST"):
        client = SPARQLWrapper(server + "/sparql")
        client.setQuery(SELECT)
        client.setMethod(method)
        client.setReturnFormat(JSON)
        assert len(client.query().convert()["results"]["bindings"]) == 1


def test_head_is_get_without_a_body(http: httpx.Client) -> None:
    head, get = (http.request(m, "/sparql", params={"query": SELECT}) for m in ("HEAD", "GET"))
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-type"] == get.headers["content-type"]


# ---- formats ----


@pytest.mark.parametrize("known", RESULT_FORMATS[:4], ids=lambda f: f.name)
def test_results_by_accept_and_by_parameter(http: httpx.Client, known: object) -> None:
    media_type, name = known.media_type, known.name  # type: ignore[attr-defined]
    by_accept = http.get("/sparql", params={"query": SELECT}, headers={"accept": media_type})
    by_name = http.get("/sparql", params={"query": SELECT, "format": name}, headers={"accept": "image/png"})
    assert by_accept.headers["content-type"].startswith(media_type)
    assert by_accept.content == by_name.content
    assert "Accept" in by_accept.headers["vary"]


def test_each_result_syntax_says_the_same(http: httpx.Client) -> None:
    answers = {f.name: http.get("/sparql", params={"query": SELECT, "format": f.name}).text for f in RESULT_FORMATS}
    iri = "https://w3id.org/aikg/id/law/ai-act"
    assert list(csv.DictReader(io.StringIO(answers["csv"]))) == [{"s": iri}]
    assert answers["tsv"].split() == ["?s", f"<{iri}>"]
    uris = ET.fromstring(answers["xml"]).iter("{http://www.w3.org/2005/sparql-results#}uri")
    assert [u.text for u in uris] == [iri]


@pytest.mark.parametrize("known", RDF_FORMATS, ids=lambda f: f.name)
def test_graphs_by_accept(http: httpx.Client, known: object) -> None:
    media_type, syntax = known.media_type, known.syntax  # type: ignore[attr-defined]
    response = http.get("/sparql", params={"query": CONSTRUCT}, headers={"accept": media_type})
    assert response.headers["content-type"].startswith(media_type)
    assert len(list(parse(response.content, format=syntax))) == 7


def test_quality_values_decide(http: httpx.Client) -> None:
    accept = "text/csv;q=0.4, application/sparql-results+xml;q=0.9, application/sparql-results+json;q=0.5"
    response = http.get("/sparql", params={"query": SELECT}, headers={"accept": accept})
    assert response.headers["content-type"].startswith("application/sparql-results+xml")
    refused = http.get("/sparql", params={"query": SELECT}, headers={"accept": "text/csv;q=0, */*;q=0.1"})
    assert refused.headers["content-type"].startswith("application/sparql-results+json")


def test_ask(http: httpx.Client) -> None:
    assert http.get("/sparql", params={"query": "ASK {}"}).json()["boolean"] is True
    assert http.get("/sparql", params={"query": "ASK {}", "format": "csv"}).text.strip() == "true"


def test_not_acceptable_lists_the_formats(http: httpx.Client) -> None:
    document = problem(http.get("/sparql", params={"query": SELECT}, headers={"accept": "image/png"}), 406)
    assert "text/csv" in document["formats"].values()  # type: ignore[attr-defined]
    for query, name in ((SELECT, "ttl"), (CONSTRUCT, "csv"), (SELECT, "docx")):
        asked = {"query": query, "format": name}
        problem(http.get("/sparql", params=asked, headers={"accept": "image/png"}), 406)


@pytest.mark.parametrize(
    ("query", "name", "accept", "media_type"),
    [
        (SELECT, "ttl", "*/*", "application/sparql-results+json"),
        (SELECT, "docx", "text/csv", "text/csv"),
        (CONSTRUCT, "csv", "application/n-triples", "application/n-triples"),
        (CONSTRUCT, "xml", "*/*", "application/rdf+xml"),
        (CONSTRUCT, "n3", "*/*", "text/turtle"),
        (CONSTRUCT, "json", "*/*", "application/ld+json"),
        (CONSTRUCT, "application/rdf xml", "*/*", "application/rdf+xml"),
        (CONSTRUCT, "", "text/rdf+n3", "text/turtle"),
        (SELECT, "docx", "text/html", "text/html"),
    ],
)
def test_accept_decides_where_format_names_nothing_usable(
    http: httpx.Client, query: str, name: str, accept: str, media_type: str
) -> None:
    asked = {"query": query, "format": name, "lang": "en"}
    answer = http.get("/sparql", params=asked, headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, media_type)


@pytest.mark.parametrize("spelling", ["format", "output", "results", "query.format"])
def test_other_spellings_of_format_are_read(http: httpx.Client, spelling: str) -> None:
    answer = http.get("/sparql", params={"query": SELECT, spelling: "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    posted = http.post("/sparql", data={"query": SELECT, spelling: "text/csv"})
    assert posted.text == answer.text


# ---- the dataset ----


def test_the_default_graph_holds_each_triple_once(http: httpx.Client) -> None:
    plain = rows(http.get("/sparql", params={"query": f"SELECT * {{ ?s {QUOTES} ?o }}"}))
    by_graph = rows(http.get("/sparql", params={"query": f"SELECT * {{ GRAPH ?g {{ ?s {QUOTES} ?o }} }}"}))
    assert len(plain) == 1
    assert {r["g"] for r in by_graph} == {BASE.graph + "paper/20", BASE.graph + "paper/30"}


def test_default_graph_uri_hides_the_rest(http: httpx.Client) -> None:
    both = f"SELECT ?s WHERE {{ {{ ?s {QUOTES} ?o }} UNION {{ GRAPH ?g {{ ?s {QUOTES} ?o }} }} }}"
    parameters = {"query": both, "default-graph-uri": BASE.graph + "paper/30"}
    assert len(rows(http.get("/sparql", params=parameters))) == 1
    assert len(rows(http.post("/sparql", content=urlencode(parameters), headers=FORM))) == 1
    in_url = {"default-graph-uri": BASE.graph + "paper/30"}
    assert len(rows(http.post("/sparql", params=in_url, content=both, headers=DIRECT))) == 1


def test_named_graph_uri_leaves_the_default_graph_empty(http: httpx.Client) -> None:
    both = f"SELECT ?g WHERE {{ {{ ?s {QUOTES} ?o }} UNION {{ GRAPH ?g {{ ?s {QUOTES} ?o }} }} }}"
    found = rows(http.get("/sparql", params={"query": both, "named-graph-uri": BASE.graph + "paper/20"}))
    assert found == [{"g": BASE.graph + "paper/20"}]


def test_several_default_graphs_are_merged(http: httpx.Client) -> None:
    graphs = [("default-graph-uri", BASE.graph + p) for p in ("paper/10-12", "paper/20")]
    query = "SELECT ?s WHERE { ?s a ?t }"
    assert len(rows(http.get("/sparql", params=[("query", query), *graphs]))) == 5


def test_the_protocol_prevails_over_from(http: httpx.Client) -> None:
    query = f"SELECT ?s FROM <{BASE.graph}paper/20> WHERE {{ ?s a <https://w3id.org/aikg/ontology#Programme> }}"
    assert len(rows(http.get("/sparql", params={"query": query}))) == 1
    assert rows(http.get("/sparql", params={"query": query, "default-graph-uri": BASE.graph + "paper/10-12"})) == []


def test_a_graph_name_must_be_an_iri(http: httpx.Client) -> None:
    problem(http.get("/sparql", params={"query": SELECT, "default-graph-uri": "not an iri"}), 400)


# ---- errors ----


def test_malformed_says_line_and_column(http: httpx.Client) -> None:
    document = problem(http.get("/sparql", params={"query": "SELECT ?s WHERE {\n  ?s ?p\n}"}), 400)
    assert document["line"] == 3
    assert isinstance(document["column"], int)


@pytest.mark.parametrize(
    ("query", "status", "kind"),
    [
        ("SELECT * { SERVICE <http://127.0.0.1:1/> { ?s ?p ?o } }", 403, "query-refused"),
        ("SELECT * { S\\u0045RVICE <http://127.0.0.1:1/> { ?s ?p ?o } }", 403, "query-refused"),
        # The parser needs no space after the keyword: the guard misses these, and they fail to parse.
        ("PREFIX ex: <http://127.0.0.1:1/> SELECT * { SERVICEex:a { ?s ?p ?o } }", 500, "query-failed"),
        ("PREFIX : <http://127.0.0.1:1/> ASK{BIND(1 AS ?a)FILTER(?a<?b)SERVICE:x#>\n{?s ?p ?o}}", 500, "query-failed"),
        ("INSERT DATA { <urn:a> <urn:b> <urn:c> }", 400, "update-refused"),
        ("SELECT * " + "{" * 500 + "}" * 500, 400, "query-too-complex"),
        ("ASK { FILTER(" + "!" * 5_000 + "true) }", 400, "query-too-complex"),
        ("ASK {} ASK {}", 400, "malformed-query"),
        ("", 400, "malformed-query"),
    ],
)
def test_refused(http: httpx.Client, query: str, status: int, kind: str) -> None:
    document = problem(http.post("/sparql", content=query, headers=DIRECT), status)
    assert document["type"] == f"urn:aikg:problem:{kind}"


def test_updates_are_not_taken(http: httpx.Client) -> None:
    problem(http.post("/sparql", content=urlencode({"update": "CLEAR ALL"}), headers=FORM), 400)
    problem(http.get("/sparql", params={"update": "CLEAR ALL"}), 400)
    update = {"content-type": "application/sparql-update"}
    problem(http.post("/sparql", content="CLEAR ALL", headers=update), 415)


def test_methods_and_media_types(http: httpx.Client) -> None:
    response = http.put("/sparql", content="x")
    problem(response, 405)
    assert {"GET", "HEAD", "OPTIONS"} <= {m.strip() for m in response.headers["allow"].split(",")}
    for method in ("PUT", "POST", "DELETE", "PATCH"):
        refused = http.request(method, "/graph?default", content="x")
        problem(refused, 405)
        assert refused.headers["allow"] == "GET, HEAD, OPTIONS"
    assert http.options("/sparql").headers["allow"] == "GET, HEAD, POST, OPTIONS"
    assert http.options("/graph").headers["allow"] == "GET, HEAD, OPTIONS"
    problem(http.post("/sparql", content=SELECT, headers={"content-type": "text/plain"}), 415)
    problem(http.post("/sparql", content=SELECT), 415)


def test_one_query_only(http: httpx.Client) -> None:
    problem(http.get("/sparql", params=[("query", SELECT), ("query", SELECT)]), 400)
    problem(http.post("/sparql", params={"query": SELECT}, content=SELECT, headers=DIRECT), 400)
    problem(http.post("/sparql", content="", headers=FORM), 400)


def test_text_must_be_utf8(http: httpx.Client) -> None:
    problem(http.post("/sparql", content=b"SELECT * { ?s ?p '\xff' }", headers=DIRECT), 400)
    problem(http.get("/sparql?query=%FF"), 400)


def test_limits_answer_with_an_error_and_never_cut(http: httpx.Client) -> None:
    document = problem(http.get("/sparql", params={"query": "SELECT * { ?a ?b ?c . ?d ?e ?f } LIMIT 100000"}), 413)
    assert document["limit"] == 100_000
    problem(http.get("/sparql", params={"query": "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }"}), 413)
    problem(http.post("/sparql", content="#" * 20_000, headers=DIRECT), 413)


def test_a_query_longer_than_what_is_read_is_413(tiny: Release, queries_project: Path) -> None:
    with Server(create_app(Settings(project=queries_project, max_query_length=100), tiny)) as running:
        document = problem(httpx.post(f"{running.url}/sparql", content=f"ASK {{}} #{'x' * 100}", headers=DIRECT), 413)
    assert document["limit"] == 100


def test_a_client_with_too_many_queries_is_refused_and_others_are_served(tiny: Release, queries_project: Path) -> None:
    app = create_app(Settings(project=queries_project, client_queries=1), tiny)
    with Server(app) as running, ThreadPoolExecutor(1) as others:
        url = running.url + "/sparql"
        first = others.submit(httpx.get, url, params={"query": SLOW, "timeout": "2"}, timeout=60)
        while not app.state.serving.site.pool.alive:
            time.sleep(0.01)
        refused = httpx.get(url, params={"query": "ASK {}"})
        with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2")) as stranger:
            assert stranger.get(url, params={"query": "ASK {}"}).status_code == 200
        assert first.result().status_code == 504
        assert httpx.get(url, params={"query": "ASK {}"}).status_code == 200
    assert problem(refused, 429)["limit"] == 1
    assert refused.headers["retry-after"] == "1"


def test_a_full_queue_says_so(tiny: Release, queries_project: Path) -> None:
    settings = Settings(project=queries_project, query_workers=1, query_queue=0, client_queries=100)
    with Server(create_app(settings, tiny)) as running, ThreadPoolExecutor(8) as others:
        url = running.url + "/sparql"
        # Identical texts would be evaluated only once.
        texts = [f"{SLOW} # {n}" for n in range(8)]
        slow = [others.submit(httpx.get, url, params={"query": q, "timeout": "1"}, timeout=60) for q in texts]
        answers = [f.result() for f in slow]
    assert {a.status_code for a in answers} == {503, 504}
    refused = next(a for a in answers if a.status_code == 503)
    problem(refused, 503)
    assert refused.headers["retry-after"]


@pytest.mark.parametrize("written", ["0", "-1", "soon", "nan", "inf"])
def test_a_timeout_is_a_number_of_seconds(http: httpx.Client, written: str) -> None:
    problem(http.get("/sparql", params={"query": "ASK {}", "timeout": written}), 400)


def test_a_query_is_stopped_at_its_deadline(http: httpx.Client) -> None:
    started = time.monotonic()
    document = problem(http.get("/sparql", params={"query": SLOW, "timeout": "0.3"}), 504)
    assert document["limit"] == 0.3
    assert time.monotonic() - started < Settings().query_seconds


def test_a_terminal_gets_text_with_a_mark_under_the_place(http: httpx.Client) -> None:
    for headers in ({"user-agent": "curl/8.0", "accept": "*/*"}, {"accept": "text/plain"}):
        response = http.get("/sparql", params={"query": "SELECT *\nWHERE { ?s ?p }", "lang": "en"}, headers=headers)
        assert response.status_code == 400
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
        lines = response.text.splitlines()
        assert lines[0].startswith("400 Bad request: line 2, column ")
        assert lines[2] == "  WHERE { ?s ?p }"
        assert lines[3].index("^") == lines[2].index("}")


def test_volatile_answers_are_not_kept(http: httpx.Client) -> None:
    fresh = http.get("/sparql", params={"query": "SELECT (UUID() AS ?u) {}"})
    again = http.get("/sparql", params={"query": "SELECT (UUID() AS ?u) {}"})
    assert fresh.headers["cache-control"] == "no-store"
    assert "etag" not in fresh.headers
    assert fresh.content != again.content


def test_csv_for_spreadsheets_runs_nothing(http: httpx.Client) -> None:
    query = (
        """SELECT ?x { VALUES ?x { "=1+1" "@cmd" "+1" "-2" -2 "＝1" "＋1" "－1" "＠x" "日本" "a,\\"b" <http://x/> } }"""
    )
    plain = http.get("/sparql", params={"query": query, "format": "csv"})
    assert plain.text.splitlines()[1] == "=1+1"
    excel = http.get("/sparql", params={"query": query, "format": "excel"})
    assert excel.headers["content-type"] == "text/csv; charset=utf-8"
    assert excel.content.startswith(b"\xef\xbb\xbfx\r\n")
    read = [row[0] for row in csv.reader(io.StringIO(excel.content.decode("utf-8-sig")))]
    assert read == [
        "x",
        "'=1+1",
        "'@cmd",
        "'+1",
        "'-2",
        "-2",
        "'＝1",
        "'＋1",
        "'－1",
        "'＠x",
        "日本",
        'a,"b',
        "http://x/",
    ]


@pytest.mark.parametrize(
    ("format_", "query"),
    [
        ("xml", "SELECT ?x { BIND('\\u0001' AS ?x) }"),
        ("rdf", "CONSTRUCT { <urn:a> <http://x/1> 'x' } {}"),
        ("rdf", "CONSTRUCT { <urn:a> <http://x/p> '\\u0001' } {}"),
    ],
)
def test_what_xml_cannot_hold_is_not_acceptable_and_no_broken_document(
    http: httpx.Client, format_: str, query: str
) -> None:
    told = problem(http.get("/sparql", params={"query": query, "format": format_}), 406)
    assert "ask for another format" in str(told["detail"])
    assert http.get("/sparql", params={"query": query, "format": "json,ttl"}).status_code == 200


@pytest.mark.parametrize(
    "query",
    ["SELECT (<urn:f>(1) AS ?x) {}", "ASK { FILTER(<urn:f>(1)) }", "SELECT (SUM(<urn:f>(?s)) AS ?n) { ?s ?p ?o }"],
)
def test_a_function_that_nobody_knows_is_an_error_of_the_query(http: httpx.Client, query: str) -> None:
    assert "<urn:f>" in str(problem(http.get("/sparql", params={"query": query}), 400)["detail"])
    posted = http.post("/sparql", content=query, headers=DIRECT)
    assert problem(posted, 400)["type"] == "urn:aikg:problem:unknown-function"


def test_other_origins_may_ask(http: httpx.Client) -> None:
    response = http.get("/sparql", params={"query": SELECT}, headers={"origin": "https://example.org"})
    assert response.headers["access-control-allow-origin"] == "*"
    preflight = http.options(
        "/sparql", headers={"origin": "https://example.org", "access-control-request-method": "POST"}
    )
    assert "POST" in preflight.headers["access-control-allow-methods"]
    named = preflight.headers["access-control-allow-headers"].lower().split(", ")
    assert {"content-type", "accept", "authorization", "x-requested-with", "cache-control", "prefer"} <= set(named)


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/sparql", "GET, HEAD, POST, OPTIONS"),
        ("/link/table", "POST, OPTIONS"),
        ("/queries/budgets", "GET, HEAD, OPTIONS"),
        ("/id/law/ai-act", "GET, HEAD, OPTIONS"),
        ("/ja/reconcile", "GET, HEAD, POST, OPTIONS"),
    ],
)
def test_allow_names_every_method_of_an_address(http: httpx.Client, path: str, methods: str) -> None:
    assert http.options(path).headers["allow"] == methods
    refused = http.put(path)
    assert (refused.status_code, refused.headers["allow"]) == (405, methods)


def test_an_empty_graph_name_is_no_name(http: httpx.Client) -> None:
    parameters = {"query": SELECT, "default-graph-uri": "", "named-graph-uri": ""}
    assert rows(http.get("/sparql", params=parameters)) == rows(http.get("/sparql", params={"query": SELECT}))


# ---- compressed bodies ----


@pytest.mark.parametrize(("coding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_body_is_read(http: httpx.Client, coding: str, compress: Callable[[bytes], bytes]) -> None:
    headers = {**DIRECT, "content-encoding": coding}
    assert rows(http.post("/sparql", content=compress(SELECT.encode()), headers=headers))
    form = {"content-type": "application/x-www-form-urlencoded", "content-encoding": coding.upper()}
    body = compress(b"query=" + quote(SELECT).encode())
    assert rows(http.post("/sparql", content=body, headers=form))


def test_a_compressed_body_has_the_limits_of_any_body(http: httpx.Client) -> None:
    bomb = gzip.compress(b" " * 200_000_000, 9)
    headers = {**DIRECT, "content-encoding": "gzip"}
    problem(http.post("/sparql", content=bomb, headers=headers), 413)
    problem(http.post("/sparql", content=b"SELECT", headers=headers), 400)
    problem(http.post("/sparql", content=gzip.compress(b"ASK {}")[:-4], headers=headers), 400)
    refused = http.post("/sparql", content=b"x", headers={**DIRECT, "content-encoding": "br"})
    problem(refused, 415)
    assert "gzip" in refused.headers["accept-encoding"]


# ---- without a query ----


def test_the_service_description_is_true(http: httpx.Client, server: str) -> None:
    response = http.get("/sparql", headers={"accept": "text/turtle"})
    store = Store()
    store.load(response.content, format=RdfFormat.TURTLE)
    sd = "http://www.w3.org/ns/sparql-service-description#"

    def objects(predicate: str) -> list[str]:
        return [q.object.value for q in store.quads_for_pattern(None, NamedNode(predicate), None)]  # type: ignore[union-attr]

    assert objects(sd + "endpoint") == [server + "/sparql"]
    offered = {o.removeprefix("http://www.w3.org/ns/formats/") for o in objects(sd + "resultFormat")}
    assert offered == {*SELECT_FORMATS, *GRAPH_FORMATS}
    assert objects(sd + "feature") == [sd + "UnionDefaultGraph"]
    count = rows(http.get("/sparql", params={"query": "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }"}))
    assert count[0]["n"] in objects("http://rdfs.org/ns/void#triples")
    union = "SELECT (COUNT(*) AS ?n) { SELECT DISTINCT ?s ?p ?o { GRAPH ?g { ?s ?p ?o } } }"
    assert rows(http.get("/sparql", params={"query": union})) == count
    names = {row["g"] for row in rows(http.get("/sparql", params={"query": "SELECT DISTINCT ?g { GRAPH ?g {} }"}))}
    assert set(objects(sd + "name")) == names


def test_the_service_description_names_only_formats_that_are_written(http: httpx.Client) -> None:
    for name in SELECT_FORMATS.values():
        assert http.get("/sparql", params={"query": SELECT}, headers={"accept": name}).status_code == 200
    for name in GRAPH_FORMATS.values():
        assert http.get("/sparql", params={"query": CONSTRUCT}, headers={"accept": name}).status_code == 200


SELECT_FORMATS = {
    "SPARQL_Results_JSON": "application/sparql-results+json",
    "SPARQL_Results_XML": "application/sparql-results+xml",
    "SPARQL_Results_CSV": "text/csv",
    "SPARQL_Results_TSV": "text/tab-separated-values",
}
GRAPH_FORMATS = {
    "Turtle": "text/turtle",
    "JSON-LD": "application/ld+json",
    "N-Triples": "application/n-triples",
    "RDF_XML": "application/rdf+xml",
    "TriG": "application/trig",
    "N-Quads": "application/n-quads",
}


def test_a_browser_gets_the_form(http: httpx.Client) -> None:
    accept = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    response = http.get("/sparql", headers=accept, follow_redirects=True)
    assert response.headers["content-type"].startswith("text/html")
    assert "<textarea" in response.text
    # The Service Description as a page.
    for said in ("SPARQL 1.1 Query", "SERVICE", "/sparql?format=ttl", "N-Quads"):
        assert said in response.text
    assert "quoting" in response.text


# ---- Graph Store HTTP Protocol ----


@pytest.mark.parametrize("known", RDF_FORMATS, ids=lambda f: f.name)
def test_a_graph_is_read_by_its_name(tiny: Release, queries_project: Path, known: Rdf) -> None:
    with Server(create_app(Settings(project=queries_project), tiny)) as running:
        name = BASE.graph + "paper/20"
        named = httpx.get(f"{running.url}/graph", params={"graph": name}, headers={"accept": known.media_type})
        default = httpx.get(f"{running.url}/graph?default", headers={"accept": known.media_type})
    assert named.headers["content-type"].startswith(known.media_type)
    held = {q.triple for q in tiny.store.quads_for_pattern(None, None, None, NamedNode(name))}
    assert {q.triple for q in parse(named.content, format=known.syntax)} == held
    held = {q.triple for q in tiny.store.quads_for_pattern(None, None, None, DefaultGraph())}
    assert {q.triple for q in parse(default.content, format=known.syntax)} == held


def test_a_graph_is_identified_once(http: httpx.Client) -> None:
    for path in ("/graph", "/graph?default&graph=urn:a", "/graph?graph=urn:a&graph=urn:b"):
        problem(http.get(path), 400)
    near = problem(http.get("/graph", params={"graph": BASE.graph + "paper/2O"}), 404)["nearest"]
    assert BASE.graph + "paper/20" in near
    head = http.head("/graph", params={"graph": BASE.graph + "paper/20"})
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 0
    problem(http.get("/graph?default", headers={"accept": "image/png"}), 406)
