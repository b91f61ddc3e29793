"""Common clients on a real server: each gets the data of the release."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import owlready2
import pandas
import pytest
from dataset import BASE
from pyoxigraph import NamedNode, QuerySolutions, RdfFormat, Store, parse
from rdflib import OWL, RDF, Graph, URIRef
from rdflib.plugins.stores.sparqlstore import SPARQLStore
from SPARQLWrapper import CSV, JSON, JSONLD, N3, POST, RDFXML, TURTLE, XML, SPARQLWrapper
from SPARQLWrapper.SPARQLExceptions import QueryBadFormed

from kg.rdf import iris
from kg.release.store import Release

LAW = BASE.id + "law/ai-act"
LEGAL = "http://data.europa.eu/eli/ontology#LegalResource"
SELECT = f"SELECT ?s WHERE {{ ?s a <{LEGAL}> }} ORDER BY ?s"
CONSTRUCT = f"CONSTRUCT WHERE {{ <{LAW}> ?p ?o }}"
COMUNICA = Path(__file__).parent / "clients"


def program(name: str, package: str) -> str:
    """The path of a program; if missing, the test is skipped, or fails on CI."""
    if found := shutil.which(name):
        return found
    return missing(f"no {name} on this machine; apt-get install {package}")


def missing(message: str) -> str:
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.fixture(scope="module")
def laws(tiny: Release) -> list[str]:
    found = tiny.store.query(SELECT)
    assert isinstance(found, QuerySolutions)
    return [row[0].value for row in found]


@pytest.fixture(scope="module")
def statements(tiny: Release) -> int:
    return len({q.triple for q in tiny.store.quads_for_pattern(NamedNode(LAW), None, None)})


# ---- rdflib ----


def test_rdflib_asks_selects_and_constructs(server: str, laws: list[str], statements: int) -> None:
    remote = Graph(SPARQLStore(f"{server}/sparql"))
    assert [str(row[0]) for row in remote.query(SELECT)] == laws  # type: ignore[index]
    assert bool(remote.query(f"ASK {{ <{LAW}> ?p ?o }}"))
    assert len(remote.query(CONSTRUCT).graph or ()) == statements
    assert len(list(remote.predicate_objects(URIRef(LAW)))) == statements


@pytest.mark.filterwarnings("ignore:Dataset.default_context", "ignore:ConjunctiveGraph")
@pytest.mark.parametrize("syntax", ["turtle", "xml", "nt", "json-ld", "trig", "nquads"])
def test_rdflib_dereferences(server: str, syntax: str) -> None:
    names = {"turtle": "ttl", "xml": "rdf", "nt": "nt", "json-ld": "jsonld", "trig": "trig", "nquads": "nq"}
    from rdflib import Dataset

    found = Dataset(default_union=True)
    found.parse(f"{server}/data/law/ai-act.{names[syntax]}", format=syntax)
    assert (URIRef(LAW), None, URIRef(LEGAL)) in found


@pytest.mark.parametrize("path", ["/ontology", "/ontology.ttl", "/ontology.rdf", "/ontology.owl", "/ontology.nt"])
def test_rdflib_loads_the_ontology(server: str, path: str) -> None:
    assert (URIRef(iris.ONTOLOGY), RDF.type, OWL.Ontology) in Graph().parse(server + path)


# ---- owlready2 ----


@pytest.mark.parametrize("path", ["/ontology", "/ontology/", "/ontology.owl", "/ontology.nt", "/ontology/2.0.0"])
def test_owlready2_loads_the_ontology(server: str, path: str) -> None:
    world = owlready2.World()
    world.get_ontology(server + path).load()
    assert world[iris.ONTOLOGY + "#Passage"] in set(world.classes())


# ---- SPARQLWrapper ----


@pytest.mark.parametrize("method", ["GET", POST])
@pytest.mark.parametrize("form", [JSON, XML, CSV])
def test_sparqlwrapper_selects(server: str, laws: list[str], method: str, form: str) -> None:
    client = SPARQLWrapper(f"{server}/sparql")
    client.setMethod(method)
    client.setQuery(SELECT)
    client.setReturnFormat(form)
    answer: Any = client.query().convert()
    if form == JSON:
        assert [row["s"]["value"] for row in answer["results"]["bindings"]] == laws
    else:
        text = answer.toxml() if form == XML else answer.decode()
        assert all(law in text for law in laws)


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph", "ignore:Dataset.default_context")
@pytest.mark.parametrize("form", [TURTLE, JSONLD])
def test_sparqlwrapper_constructs(server: str, statements: int, form: str) -> None:
    client = SPARQLWrapper(f"{server}/sparql")
    client.setQuery(CONSTRUCT)
    client.setReturnFormat(form)
    answer: Any = client.query().convert()
    if form == TURTLE:
        assert len(set(parse(answer, format=RdfFormat.TURTLE))) == statements
    else:
        assert len(answer) == statements


@pytest.mark.filterwarnings("ignore:.*unexpected returned format", "ignore:Format requested was")
@pytest.mark.filterwarnings("ignore:ConjunctiveGraph", "ignore:Dataset.default_context")
@pytest.mark.parametrize("method", ["GET", POST])
@pytest.mark.parametrize("form", [None, XML, JSON, RDFXML, N3, TURTLE, JSONLD, CSV])
def test_sparqlwrapper_asks_anything_in_any_format(server: str, statements: int, method: str, form: str | None) -> None:
    client = SPARQLWrapper(f"{server}/sparql")
    client.setMethod(method)
    if form:
        client.setReturnFormat(form)
    for query in (CONSTRUCT, f"DESCRIBE <{LAW}>"):
        client.setQuery(query)
        answer: Any = client.query().convert()
        found = Graph().parse(data=answer, format="turtle") if isinstance(answer, bytes) else answer
        assert len(found) >= statements
    for query in (SELECT, "ASK {}"):
        client.setQuery(query)
        assert client.query().convert()


def test_sparqlwrapper_knows_a_malformed_query(server: str) -> None:
    client = SPARQLWrapper(f"{server}/sparql")
    client.setQuery("SELECT * {")
    with pytest.raises(QueryBadFormed):
        client.query()


# ---- pandas ----


def test_pandas_reads_results_by_their_address(server: str, laws: list[str]) -> None:
    asked = urlencode({"query": SELECT})
    assert list(pandas.read_csv(f"{server}/sparql?{asked}&format=csv")["s"]) == laws
    assert list(pandas.read_json(f"{server}/sparql?{asked}&format=jsonl", lines=True)["s"]) == laws


# ---- Redland ----


def test_roqet_selects(server: str, laws: list[str]) -> None:
    text = run(program("roqet", "rasqal-utils"), "-q", "-r", "csv", "-p", f"{server}/sparql", "-e", SELECT)
    assert text.split()[1:] == laws


@pytest.mark.parametrize("syntax", ["turtle", "ntriples", "rdfxml", "guess"])
def test_rapper_follows_an_identifier(server: str, tiny: Release, syntax: str) -> None:
    text = run(program("rapper", "raptor2-utils"), "-q", "-i", syntax, "-o", "ntriples", f"{server}/id/law/ai-act")
    about = {line for line in text.splitlines() if line.startswith(f"<{LAW}> ")}
    assert len(about) == len({q.triple for q in tiny.store.quads_for_pattern(NamedNode(LAW), None, None)})


# ---- curl ----


@pytest.mark.parametrize(
    "options",
    [
        ("-G", "--data-urlencode", f"query={SELECT}"),
        ("--data-urlencode", f"query={SELECT}"),
        ("-H", "Content-Type: application/sparql-query", "--data-binary", SELECT),
        ("--compressed", "-G", "--data-urlencode", f"query={SELECT}"),
        ("--http1.0", "-G", "--data-urlencode", f"query={SELECT}"),
        ("-H", "Expect: 100-continue", "--data-urlencode", f"query={SELECT}"),
        ("-H", "Transfer-Encoding: chunked", "--data-urlencode", f"query={SELECT}"),
    ],
    ids=["get", "form", "direct", "compressed", "http/1.0", "expect", "chunked"],
)
def test_curl_asks(server: str, laws: list[str], options: tuple[str, ...]) -> None:
    text = run(program("curl", "curl"), "-sf", "-H", "Accept: text/csv", *options, f"{server}/sparql")
    assert text.split()[1:] == laws


def test_curl_sends_a_compressed_query(server: str, laws: list[str], tmp_path: Path) -> None:
    (tmp_path / "query.gz").write_bytes(gzip.compress(SELECT.encode()))
    headers = ("-H", "Accept: text/csv", "-H", "Content-Encoding: gzip", "-H", "Content-Type: application/sparql-query")
    text = run(program("curl", "curl"), "-sf", *headers, "--data-binary", f"@{tmp_path}/query.gz", f"{server}/sparql")
    assert text.split()[1:] == laws


@pytest.mark.parametrize("odd", ["\ufeffSELECT ?s", "SELECT\u00a0?s", "SELECT ?s\u3000", "SELECT\u200b ?s"])
def test_curl_asks_with_odd_spaces(server: str, laws: list[str], odd: str, tmp_path: Path) -> None:
    (tmp_path / "query.rq").write_text(SELECT.replace("SELECT ?s", odd), encoding="utf-8")
    curl, name = program("curl", "curl"), str(tmp_path / "query.rq")
    form = run(curl, "-sf", "-H", "Accept: text/csv", "--data-urlencode", f"query@{name}", f"{server}/sparql")
    direct = ("-H", "Content-Type: application/sparql-query", "--data-binary", f"@{name}")
    assert form.split()[1:] == laws
    assert run(curl, "-sf", "-H", "Accept: text/csv", *direct, f"{server}/sparql") == form


def test_curl_follows_an_identifier(server: str) -> None:
    curl = program("curl", "curl")
    assert "eli:LegalResource" in run(curl, "-sfL", f"{server}/id/law/ai-act")
    assert "<h1>" in run(curl, "-sfL", "-H", "Accept: text/html", f"{server}/id/law/ai-act?lang=en")
    head = run(curl, "-sI", f"{server}/data/law/ai-act.ttl").lower()
    assert head.startswith("http/1.1 200")
    assert "etag:" in head


# ---- Comunica ----


def comunica(query: str, source: str) -> list[Any]:
    node = program("node", "nodejs")
    if not (COMUNICA / "node_modules").is_dir():
        missing("Comunica is not installed; npm ci --prefix tests/clients")
    return [json.loads(line) for line in run(node, str(COMUNICA / "comunica.mjs"), query, source).splitlines()]


def test_comunica_asks_selects_and_constructs(server: str, laws: list[str], statements: int) -> None:
    endpoint = f"{server}/sparql"
    assert [row["s"]["value"] for row in comunica(SELECT, endpoint)] == laws
    assert comunica(f"ASK {{ <{LAW}> ?p ?o }}", endpoint) == [True]
    assert len(comunica(CONSTRUCT, endpoint)) == statements


def test_comunica_dereferences(server: str, statements: int) -> None:
    rows = comunica(f"SELECT ?p ?o {{ <{LAW}> ?p ?o }}", f"{server}/id/law/ai-act")
    assert len(rows) == statements


# ---- another Oxigraph ----


def test_another_endpoint_federates_to_ours(server: str, laws: list[str]) -> None:
    found = Store().query(f"SELECT ?s {{ SERVICE <{server}/sparql> {{ ?s a <{LEGAL}> }} }} ORDER BY ?s")
    assert isinstance(found, QuerySolutions)
    assert [row[0].value for row in found] == laws
