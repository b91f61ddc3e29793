"""The contract of Backend, tested with the embedded engine and with real remote engines."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import engines
import httpx
import pytest
import remotes
from conftest import Server
from dataset import BASE, ROOT
from pyoxigraph import DefaultGraph, Literal, NamedNode, QuerySolutions
from test_competency import CONTEXT, EXPECTED, LIBRARY, answer

from api.app import create_app
from api.settings import Settings
from kg.engines import evaluation
from kg.engines.endpoint import Endpoint, Options
from kg.engines.evaluation import Query, ResultFormats
from kg.engines.remote import RemoteStore
from kg.errors import EngineAway, EngineFailed, EngineTimeout, QueryFailed, QueryMalformed, QueryRefused
from kg.rdf import formats, iris
from kg.release.store import Release
from kg.sparql import library
from kg.sparql.translation import isolate_paths

AIP = NamedNode(BASE.iri + "id/programme/aip")
LAW = NamedNode(BASE.iri + "id/law/ai-act")
LABEL = NamedNode("http://www.w3.org/2004/02/skos/core#prefLabel")
TYPE = NamedNode(iris.RDF_TYPE)
CURATOR = NamedNode(BASE.iri + "graph/curator")
CARDS = library.library(ROOT, "cards")


def rows(store: Any, text: str, **options: Any) -> list[list[str | None]]:
    found = store.query(text, prefixes=dict(CONTEXT.prefixes), base_iri=BASE.iri, **options)
    assert isinstance(found, QuerySolutions)
    return [[None if term is None else str(term) for term in row] for row in found]


def evaluated(store: Any, text: str, results: str = "json", graph: str = "nt") -> evaluation.Answer:
    return evaluation.evaluate(
        store,
        Query(text),
        ResultFormats(results, graph),
        base=BASE.iri,
        prefixes=CONTEXT.prefixes,
        most_bytes=50_000_000,
    )


# ---- patterns ----


def patterns() -> Iterator[tuple[Any, ...]]:
    """Every form of pattern, with existing terms and a missing one."""
    article = NamedNode(BASE.iri + "id/law/ai-act/article-9")
    name = Literal("RIKEN", language="en")
    for subject, predicate, target in [
        (AIP, None, None),
        (None, LABEL, None),
        (None, None, LAW),
        (AIP, LABEL, None),
        (None, LABEL, name),
        (AIP, None, LAW),
        (AIP, TYPE, NamedNode(iris.ONTOLOGY + "#Programme")),
        (None, None, name),
        (None, NamedNode(iris.ONTOLOGY + "#revisionInterval"), None),
        (NamedNode("urn:nothing"), None, None),
        (None, None, article),
    ]:
        for graph in (None, DefaultGraph(), CURATOR, NamedNode("urn:nothing")):
            yield subject, predicate, target, graph
    yield None, None, None, CURATOR
    yield None, None, None, DefaultGraph()
    yield None, None, None, None


@pytest.mark.parametrize(
    "pattern", list(patterns()), ids=lambda p: " ".join("?" if t is None else str(t)[-20:] for t in p)
)
def test_patterns(real: Release, remote: Release, pattern: tuple[Any, ...]) -> None:
    for _ in range(2):  # the second time from memory
        found = list(remote.store.quads_for_pattern(*pattern))
        assert len(found) == len(set(found))
        assert set(found) == set(real.store.quads_for_pattern(*pattern))


def test_patterns_of_blank_nodes(real: Release, remote: Release) -> None:
    chain = NamedNode("http://www.w3.org/2002/07/owl#propertyChainAxiom")
    lists = [q.object for q in real.store.quads_for_pattern(None, chain, None, DefaultGraph())]
    assert lists
    for node in lists:
        assert set(remote.store.quads_for_pattern(node, None, None)) == set(
            real.store.quads_for_pattern(node, None, None)
        )


def test_as_many_quads(real: Release, remote: Release) -> None:
    assert len(remote.store) == len(real.store) == real.manifest.size


def test_what_is_kept_is_bounded(engine: engines.Engine, tmp_path: Path, real: Release) -> None:
    small = remotes.opened(tmp_path, engine, memo_quads=50).store
    for path in ("programme/aip", "law/ai-act", "organization/riken"):
        node = NamedNode(BASE.iri + "id/" + path)
        assert set(small.quads_for_pattern(node, None, None)) == set(real.store.quads_for_pattern(node, None, None))
        assert small._memo.quads <= 50


def test_records_come_in_few_round_trips(engine: engines.Engine, tmp_path: Path, monkeypatch: Any) -> None:
    asked: list[str] = []
    real_ask = Endpoint.ask
    monkeypatch.setattr(Endpoint, "ask", lambda *a: asked.append(a[1]["query"]) or real_ask(*a))
    store = remotes.opened(tmp_path, engine).store
    asked.clear()
    store.expect([AIP, LAW, CURATOR])
    for node in (AIP, LAW, CURATOR, AIP):
        assert len(list(store.quads_for_pattern(node, None, None))) == len(
            list(store.quads_for_pattern(node, None, None))
        )
    assert len(asked) == 1


# ---- datasets ----


@pytest.fixture(params=["embedded", "remote"])
def either(request: pytest.FixtureRequest, real: Release, remote: Release) -> Any:
    return real.store if request.param == "embedded" else remote.store


def test_a_triple_stated_twice_counts_once(either: Any, real: Release) -> None:
    twice = rows(
        real.store, "SELECT ?s ?p ?o { GRAPH ?g { ?s ?p ?o } } GROUP BY ?s ?p ?o HAVING (COUNT(?g) > 1) LIMIT 1"
    )[0]
    text = f"SELECT (COUNT(*) AS ?n) {{ VALUES (?s ?p ?o) {{ ({' '.join(map(str, twice))}) }} ?s ?p ?o }}"
    assert rows(either, text) == [['"1"^^<http://www.w3.org/2001/XMLSchema#integer>']]
    assert int(rows(either, "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }")[0][0].split('"')[1]) == real.manifest.triples


def test_one_query_mixes_the_default_graph_with_named_ones(either: Any, real: Release) -> None:
    text = "SELECT ?s ?g ?l { ?s a kg:Programme . GRAPH ?g { ?s skos:prefLabel ?l } } ORDER BY ?s ?g ?l"
    assert rows(either, text) == rows(real.store, text) != []


def test_the_merged_graph_has_no_name(either: Any, real: Release) -> None:
    seen = {row[0] for row in rows(either, "SELECT DISTINCT ?g { GRAPH ?g { ?s ?p ?o } }")}
    assert seen == {f"<{graph}>" for graph in real.manifest.graphs}
    for hidden in ("urn:aikg:release", f"urn:aikg:merged:{real.manifest.id[:16]}"):
        assert rows(either, f"SELECT * {{ GRAPH <{hidden}> {{ ?s ?p ?o }} }}") == []


@pytest.mark.parametrize(
    "text",
    [
        "SELECT (COUNT(*) AS ?n) FROM <graph/curator> { ?s ?p ?o }",
        "SELECT ?g FROM <graph/curator> { GRAPH ?g { ?s ?p ?o } }",
        "SELECT DISTINCT ?g FROM NAMED <graph/curator> { GRAPH ?g { ?s ?p ?o } }",
        "SELECT ?s FROM NAMED <graph/curator> { ?s ?p ?o }",
        "PREFIX g: <https://w3id.org/aikg/graph/> SELECT (COUNT(*) AS ?n) FROM g:about FROM NAMED g:curator"
        " { ?s ?p ?o . GRAPH ?g { ?s ?q ?x } }",
        "ASK FROM <graph/nowhere> { ?s ?p ?o }",
    ],
)
def test_dataset_clauses(real: Release, remote: Release, text: str) -> None:
    assert evaluated(remote.store, text).body == evaluated(real.store, text).body


@pytest.mark.parametrize(
    ("default", "named"),
    [([CURATOR], []), ([CURATOR], [CURATOR]), ([], [CURATOR]), ([NamedNode("urn:nothing")], [])],
    ids=str,
)
def test_dataset_of_the_protocol(real: Release, remote: Release, default: list[Any], named: list[Any]) -> None:
    for text in ("SELECT (COUNT(*) AS ?n) { ?s ?p ?o }", "SELECT (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } }"):
        options = {"default_graph": default, "named_graphs": named}
        assert rows(remote.store, text, **options) == rows(real.store, text, **options)


def test_several_default_graphs(real: Release, remote: Release, engine: engines.Engine) -> None:
    """A triple in two graphs: once in Fuseki, as it should be, but once per graph in Virtuoso and our engine."""
    counted = "SELECT ?s ?p ?o (COUNT(?g) AS ?n) { GRAPH ?g { ?s ?p ?o } } GROUP BY ?s ?p ?o HAVING (COUNT(?g) = 2)"
    twice = rows(real.store, f"{counted} LIMIT 1")[0][:3]
    pattern = " ".join(map(str, twice))
    graphs = [NamedNode(str(row[0])[1:-1]) for row in rows(real.store, f"SELECT ?g {{ GRAPH ?g {{ {pattern} }} }}")]
    text = f"SELECT ?s {{ VALUES (?s ?p ?o) {{ ({pattern}) }} ?s ?p ?o }}"
    assert len(graphs) == 2
    options: dict[str, Any] = {"default_graph": graphs, "named_graphs": []}
    assert len(rows(real.store, text, **options)) == 2
    assert len(rows(remote.store, text, **options)) == (1 if engine.name == "fuseki" else 2)


def test_too_many_graphs_are_refused(remote: Release) -> None:
    store = remote.store
    assert isinstance(store, RemoteStore)
    names = [f"urn:g:{n}" for n in range(store.dialect.most_named + 1)]
    large = RemoteStore(store.endpoint, store.dialect, store.release, names)
    with pytest.raises(QueryFailed, match="name a graph after GRAPH"):
        large.query("SELECT * { GRAPH ?g { ?s ?p ?o } }")
    assert bool(large.query("ASK { ?s ?p ?o }"))
    assert not bool(large.query(f"ASK {{ GRAPH <{names[0]}> {{ ?s ?p ?o }} }}"))


@pytest.mark.parametrize("clause", ["FROM <urn:aikg:release>", "FROM NAMED <urn:aikg:release>"])
def test_our_own_graphs_cannot_be_queried(remote: Release, clause: str) -> None:
    with pytest.raises(QueryRefused, match="no graph of the dataset"):
        remote.store.query(f"SELECT * {clause} {{ ?s ?p ?o }}")


# ---- queries ----


@pytest.mark.parametrize("name", LIBRARY)
def test_library(remote: Release, name: str) -> None:
    expected: dict[str, Any] = json.loads((EXPECTED / f"{name}.json").read_text(encoding="utf-8"))
    found = answer(remote.store, name, expected.get("parameters", {}))
    if "rows" in expected:
        assert found == expected["rows"]
    else:
        assert len(found) == expected["count"]
        assert all(row in found for row in expected["contains"])


@pytest.mark.parametrize("name", CARDS)
def test_cards(real: Release, remote: Release, name: str) -> None:
    kind = name.partition(".")[0]
    records = {q.subject for q in real.store.quads_for_pattern(None, TYPE, None, DefaultGraph())}
    these = sorted((n for n in records if re.fullmatch(rf"{BASE.iri}id/{kind}/[^/#]+", n.value)), key=str)
    for node in these[:5]:
        text = library.fill(CARDS[name].text, {"this": node})
        assert rows(remote.store, text) == rows(real.store, text)


@pytest.mark.parametrize("syntax", [f.name for f in formats.RESULT_FORMATS])
def test_result_formats(real: Release, remote: Release, syntax: str) -> None:
    text = "SELECT ?s ?l ?o { ?s skos:prefLabel ?l OPTIONAL { ?s kg:order ?o } } ORDER BY ?s STR(?l) LANG(?l) LIMIT 300"
    assert evaluated(remote.store, text, syntax) == evaluated(real.store, text, syntax)
    for ask in ("ASK { ?s a kg:Programme }", "ASK { ?s a <urn:nothing> }"):
        if formats.result_format(syntax).name in ("json", "xml", "jsonl"):
            assert evaluated(remote.store, ask, syntax) == evaluated(real.store, ask, syntax)


@pytest.mark.parametrize("syntax", [f.name for f in formats.RDF_FORMATS])
@pytest.mark.parametrize(
    "text",
    [
        "DESCRIBE <id/programme/aip>",
        "DESCRIBE ?s { ?s a kg:Programme } ORDER BY ?s LIMIT 3",
        "CONSTRUCT { ?s ?p ?o } { VALUES ?s { <id/law/ai-act> } ?s ?p ?o }",
        "CONSTRUCT WHERE { ?s kg:revisionInterval ?o }",
    ],
)
def test_graph_formats(real: Release, remote: Release, text: str, syntax: str) -> None:
    assert evaluated(remote.store, text, "json", syntax) == evaluated(real.store, text, "json", syntax)


@pytest.mark.parametrize(
    "text",
    [
        'SELECT ?l { <id/law/ai-act> skos:prefLabel ?l FILTER(LANG(?l) = "ja") }',
        'SELECT ?l { ?s skos:altLabel ?l FILTER(LANGMATCHES(LANG(?l), "en")) } ORDER BY ?l LIMIT 20',
        'SELECT ?s { ?s skos:prefLabel "RIKEN"@en } ORDER BY ?s',
        "SELECT DISTINCT (LCASE(LANG(?l)) AS ?t) { ?s skos:hiddenLabel|skos:altLabel|skos:prefLabel ?l } ORDER BY ?t",
        "SELECT ?s ?v { ?s kg:revisionInterval|kg:within ?v } ORDER BY ?s ?v",
        "SELECT DISTINCT (DATATYPE(?o) AS ?d) { ?s ?p ?o FILTER(DATATYPE(?o) IN (xsd:gYear, xsd:date)) } ORDER BY ?d",
        "SELECT ?s (COUNT(?o) AS ?n) { ?s kg:cites ?o } GROUP BY ?s ORDER BY DESC(?n) ?s LIMIT 10",
        "SELECT DISTINCT ?b { <id/law/ai-act/article-9> dcterms:isPartOf+ ?b } ORDER BY ?b LIMIT 50",
        "SELECT * { VALUES (?a ?b) { (1 UNDEF) (2 <urn:x>) } }",
    ],
)
def test_literals_and_operators(real: Release, remote: Release, text: str) -> None:
    assert rows(remote.store, text) == rows(real.store, text)


def test_a_path_between_unknown_ends(engine: engines.Engine, real: Release, remote: Release) -> None:
    """Virtuoso evaluates a path only with a bound end: an error, as in docs/remote.md, and not an empty result."""
    text = "SELECT ?a ?b { ?a dcterms:isPartOf+ ?b } ORDER BY ?a ?b LIMIT 50"
    if engine.name == "virtuoso":
        with pytest.raises(QueryFailed, match="transitive start not given"):
            rows(remote.store, text)
    else:
        assert rows(remote.store, text) == rows(real.store, text)


@pytest.mark.parametrize(
    ("text", "isolated"),
    [
        (
            "SELECT * { ?r rdfs:subPropertyOf* kg:cites . ?a ?r ?b }",
            "SELECT * { { SELECT DISTINCT ?r WHERE { ?r rdfs:subPropertyOf* kg:cites } } . ?a ?r ?b }",
        ),
        (
            "SELECT * { ?a ?r ?b . <urn:x> kg:p* ?r }",
            "SELECT * { ?a ?r ?b . { SELECT DISTINCT ?r WHERE { <urn:x> kg:p* ?r } } }",
        ),
        *(
            (same, same)
            for same in ("SELECT * { ?a kg:p* ?b }", "SELECT (?x * 2 AS ?y) { ?a kg:p ?x FILTER(?x * 2 > 1) }")
        ),
    ],
)
def test_paths_are_walked_by_themselves_where_an_engine_joins_them_wrongly(text: str, isolated: str) -> None:
    assert isolate_paths(text) == isolated


def test_columns_keep_their_order(real: Release, remote: Release) -> None:
    text = "SELECT * { ?b kg:cites ?a . ?a skos:prefLabel ?c } ORDER BY ?a ?b ?c LIMIT 5"
    assert evaluated(remote.store, text, "csv") == evaluated(real.store, text, "csv")


# ---- errors ----


@pytest.mark.parametrize("text", ["SELECT * {", "SELECT ?s { ?s nothing:x ?o }", "DESCRIBE", "SELECT ?x { ?x ?p }"])
def test_syntax_errors_are_reported_alike(real: Release, remote: Release, text: str) -> None:
    with pytest.raises(QueryMalformed) as ours:
        evaluated(real.store, text)
    with pytest.raises(QueryMalformed) as theirs:
        evaluated(remote.store, text)
    assert (str(theirs.value), theirs.value.line, theirs.value.column) == (
        str(ours.value),
        ours.value.line,
        ours.value.column,
    )


@pytest.mark.parametrize(
    "text",
    [
        "PREFIX b: <bif:> SELECT (b:now() AS ?x) {}",
        "SELECT (<sql:x>() AS ?x) {}",
        "SELECT (<java:java.lang.System.exit>(0) AS ?x) {}",
        "PREFIX js: <http://jena.apache.org/ARQ/js#> SELECT (js:x() AS ?x) {}",
        "SELECT * { ?s <bif:contains> 'x' }",
    ],
)
def test_functions_that_run_code_in_the_engine_are_refused(remote: Release, text: str) -> None:
    with pytest.raises(QueryRefused, match="are not run here"):
        remote.store.query(text)


def test_parsing_a_query_sends_no_request(engine: engines.Engine, remote: Release) -> None:
    store = remote.store
    assert isinstance(store, RemoteStore)
    sealed = RemoteStore(store.endpoint, store.dialect, store.release, store.graphs, is_sealed=True)
    with pytest.raises(QueryRefused, match="uses SERVICE"):
        sealed.query(f"ASK {{ SERVICE <{engine.query_url}> {{ ?s ?p ?o }} }}")
    assert bool(sealed.query("ASK { ?s ?p ?o }"))


def test_an_engine_that_asks_others_is_not_needed(engine: engines.Engine) -> None:
    """Queries that bypass our checks are refused by the engines as configured in these tests."""
    text = f"SELECT * {{ SERVICE <{engine.query_url}> {{ SELECT * {{ ?s ?p ?o }} LIMIT 1 }} }}"
    found = httpx.post(engine.query_url, data={"query": text}, headers={"Accept": "application/json"}, trust_env=False)
    assert found.status_code >= 400


# ---- a server ----

SAME = [
    *("/", "/about", "/sparql", "/queries", "/charts", "/charts/money", "/explore", "/ontology", "/graph/curator"),
    *("/id/programme", "/id/law", "/id/organization", "/id/theme", "/id/person", "/id/nothing", "/page/programme/nope"),
    *("/page/programme/aip", "/page/law/ai-act", "/page/law/ai-act/article-9", "/page/organization/riken"),
    *("/data/programme/aip.ttl", "/data/programme/aip.jsonld", "/data/law/ai-act.trig", "/data/law/ai-act.nq"),
    *("/data/law/ai-act.rdf", "/data/organization/riken.nt", "/search?q=AI", "/search?q=理研", "/suggest?q=AI"),
    *("/reconcile", '/reconcile?queries={"q":{"query":"理研"}}', "/reconcile/properties?type=programme"),
    *("/resolve?iri=https://ror.org/01sjwvz98", "/context.jsonld", "/sitemap.xml", "/openapi.json", "/feed.atom"),
    *("/graph?default", f"/graph?graph={CURATOR.value}", "/queries/budgets", "/queries/budgets?format=csv"),
    *("/sparql?query=ASK {}", "/sparql?query=SELECT * {", "/why?query=SELECT * { ?s a kg:Programmme }"),
    *("/explore?from=programme/aip", "/linkset/programme/aip", "/resolve?iri=https://example.org/x"),
]


@pytest.fixture(scope="module")
def both(
    engine: engines.Engine, real: Release, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[httpx.Client]]:
    """A client of a server with the embedded store, and one of a server with the engine."""
    folder = tmp_path_factory.mktemp("served")
    settings = Settings(cache_mb=0, reload_seconds=0.2)
    remote = remotes.opened(folder, engine)
    with (
        Server(create_app(settings, real)) as ours,
        Server(create_app(settings, remote, folder)) as theirs,
        httpx.Client(base_url=ours.url, trust_env=False, timeout=60) as one,
        httpx.Client(base_url=theirs.url, trust_env=False, timeout=60) as other,
    ):
        yield [one, other]


@pytest.mark.parametrize("target", SAME)
def test_the_same_bytes(both: list[httpx.Client], target: str) -> None:
    for language, accept in itertools.product(("ja", "en"), ("text/html", "application/json", "text/turtle")):
        fields = {"Accept": accept, "Cookie": f"lang={language}", "Accept-Language": language, "Host": "kg.example"}
        ours, theirs = (client.get(target, headers=fields, follow_redirects=False) for client in both)
        assert (theirs.status_code, theirs.content) == (ours.status_code, ours.content)
        assert theirs.headers.get("etag") == ours.headers.get("etag")
        assert theirs.headers.get("location") == ours.headers.get("location")


def test_the_catalogue_has_all_but_the_dumps(both: list[httpx.Client]) -> None:
    """Dump files stay where the release was built: the only resource that a remote-backed server lacks."""
    ours, theirs = (
        set(client.get("/dataset", headers={"Accept": "application/n-triples"}).text.splitlines()) for client in both
    )
    assert theirs < ours
    assert all("dump" in line or "spdx" in line for line in ours - theirs)
    assert both[1].get("/dumps", headers={"Accept": "application/json"}).json()["files"] == {}


def test_validation_knows_the_release(both: list[httpx.Client]) -> None:
    document = (
        b"<https://example.org/x> a <https://w3id.org/aikg/ontology#Programme> ;"
        b" <https://w3id.org/aikg/ontology#cites> <https://w3id.org/aikg/id/law/ai-actt> ."
    )
    fields = {"Content-Type": "text/turtle", "Accept": "application/json"}
    ours, theirs = (client.post("/validate", content=document, headers=fields) for client in both)
    assert theirs.status_code == ours.status_code == 200
    assert theirs.json() == ours.json()


def test_a_query_that_takes_too_long(both: list[httpx.Client]) -> None:
    slow = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"
    answered = both[1].get("/sparql", params={"query": slow, "timeout": "0.5"}, headers={"Accept": "application/json"})
    assert (answered.status_code, answered.headers["content-type"]) == (504, "application/problem+json")


# ---- engines in trouble ----


def test_an_engine_that_cuts_its_answers_short_is_found_out(real: Release, tmp_path: Path) -> None:
    try:
        with engines.virtuoso(tmp_path / "v", max_rows=10) as engine:
            fields = {"query": "SELECT * { GRAPH ?g { ?s ?p ?o } }"}
            with pytest.raises(EngineFailed, match="at most 10 rows"):
                Endpoint(Options(engine.query_url)).ask(fields, "application/sparql-results+json")
    except engines.Missing as error:
        remotes.missing(error)


@pytest.mark.parametrize("name", ["fuseki", "virtuoso"])
def test_the_engines_own_limit_of_time(name: str, tmp_path: Path, tiny: Release) -> None:
    try:
        with remotes.START[name](tmp_path / "e", timeout_seconds=1) as engine:
            remotes.publish(tiny.directory, engine)
            store = remotes.opened(tmp_path / "m", engine).store
            product = " . ".join(f"?a{n} ?b{n} ?c{n}" for n in range(5))
            for text in (f"SELECT (COUNT(*) AS ?n) {{ {product} }}", f"SELECT * {{ {product} }} ORDER BY ?a0"):
                with pytest.raises(EngineTimeout):
                    store.query(text)
    except engines.Missing as error:
        remotes.missing(error)


@pytest.mark.parametrize("name", ["fuseki", "virtuoso"])
def test_an_engine_that_is_killed_and_comes_back(name: str, tmp_path: Path, tiny: Release) -> None:
    options: dict[str, Any] = {"kind": "tdb2"} if name == "fuseki" else {}
    port = engines.free_port()
    label = "SELECT ?l { ?s skos:prefLabel ?l } ORDER BY ?l"
    try:
        with remotes.START[name](tmp_path / "e", port=port, **options) as engine:
            remotes.publish(tiny.directory, engine)
            remote = remotes.opened(tmp_path / "m", engine, attempts=1)
            with Server(create_app(Settings(cache_mb=0), remote, tmp_path / "m")) as server:
                asked = {"query": label, "format": "csv"}
                before = httpx.get(f"{server.url}/sparql", params=asked, trust_env=False)
                assert before.status_code == 200
                engine.kill()
                gone = httpx.get(f"{server.url}/sparql", params=asked, trust_env=False)
                assert (gone.status_code, gone.headers["retry-after"]) == (503, "1")
                page = httpx.get(f"{server.url}/data/programme/aip.ttl", trust_env=False)
                assert page.status_code == 503
                with pytest.raises(EngineAway):
                    remote.store.query("ASK { ?s ?p ?o }")
                with remotes.START[name](tmp_path / "e", port=port, **options):
                    back = httpx.get(f"{server.url}/sparql", params=asked, trust_env=False)
                    assert (back.status_code, back.content) == (200, before.content)
    except engines.Missing as error:
        remotes.missing(error)


def test_wrong_credentials_are_reported(engine: engines.Engine, tiny: Release, monkeypatch: Any) -> None:
    if engine.name == "fuseki":  # as these tests set it up, it asks for none
        assert not engine.user
        return
    monkeypatch.setenv("KG_REMOTE_USER", engine.user)
    monkeypatch.setenv("KG_REMOTE_PASSWORD", "wrong")
    from kg.publishing import publication

    with pytest.raises(EngineFailed, match="KG_REMOTE_PASSWORD"):
        publication.publish(tiny.directory, publication.Target(Options(engine.query_url)))
