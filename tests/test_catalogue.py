"""The catalogue record: every figure recomputed from the store, and DCAT-AP's shapes."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from conftest import make_release
from dataset import ROOT, Data
from pyoxigraph import BlankNode, NamedNode, Quad, QuerySolutions, RdfFormat, Store, Triple, parse

from api.site import LICENCE
from kg import builder, catalogue, formats, iris
from kg.catalogue import DCAT, SD, SH, SPDX, VOID
from kg.store import Release

TEXTS = {"ja": "題", "en": "Title"}
PREFIXES = {"kg": iris.ONTOLOGY + "#", "skos": "http://www.w3.org/2004/02/skos/core#"}


def describe(release: Release) -> Store:
    made = Store()
    made.bulk_extend(quads(release))
    return made


def quads(release: Release) -> list[Quad]:
    return catalogue.describe(release, PREFIXES, licence=LICENCE, titles=TEXTS, descriptions=TEXTS, publisher=TEXTS)


def rows(store: Store, text: str) -> set[tuple[str, ...]]:
    found = store.query(f"PREFIX void: <{VOID}> PREFIX sd: <{SD}> PREFIX dcat: <{DCAT}> {text}")
    assert isinstance(found, QuerySolutions)
    return {tuple("" if v is None else v.value for v in row) for row in found}


@pytest.fixture(scope="module", params=["tiny", "real", "foreign", "empty"])
def release(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Release:
    if request.param == "tiny":
        found: Release = request.getfixturevalue("tiny")
        return found
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "real":
        data: Data = request.getfixturevalue("data")
        return make_release(folder, [q for q in data.store if isinstance(q.graph_name, NamedNode)])
    if request.param == "empty":
        return make_release(folder, [])
    graph, blank = NamedNode("urn:g"), BlankNode()
    return make_release(
        folder,
        [
            Quad(blank, NamedNode(iris.RDF_TYPE), BlankNode(), graph),
            Quad(blank, NamedNode(iris.RDF_TYPE), NamedNode("urn:Class"), graph),
            Quad(NamedNode("http://x/a"), NamedNode("http://x/p"), blank, graph),
        ],
    )


FIGURES = {
    "triples": "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }",
    "classes": "SELECT (COUNT(DISTINCT ?c) AS ?n) { ?s a ?c FILTER(isIRI(?c)) }",
    "properties": "SELECT (COUNT(DISTINCT ?p) AS ?n) { ?s ?p ?o }",
    "distinctSubjects": "SELECT (COUNT(DISTINCT ?s) AS ?n) { ?s ?p ?o }",
    "distinctObjects": "SELECT (COUNT(DISTINCT ?o) AS ?n) { ?s ?p ?o }",
    "entities": f"SELECT (COUNT(DISTINCT ?s) AS ?n) {{ ?s ?p ?o FILTER(STRSTARTS(STR(?s), '{iris.ID}')) }}",
    "documents": f"SELECT (COUNT(DISTINCT ?d) AS ?n) {{ ?s ?p ?o FILTER(STRSTARTS(STR(?s), '{iris.ID}')) "
    "BIND(REPLACE(STR(?s), '#.*', '') AS ?d) }",
}


@pytest.mark.parametrize("name", FIGURES)
def test_each_figure_is_that_of_the_store(release: Release, name: str) -> None:
    told = rows(describe(release), f"SELECT ?n {{ <{iris.DATASET}> void:{name} ?n }}")
    assert told == rows(release.store, FIGURES[name])


def test_each_partition_is_that_of_the_store(release: Release) -> None:
    made = describe(release)
    told = rows(
        made,
        f"SELECT ?p ?t ?s ?o {{ <{iris.DATASET}> void:propertyPartition [ void:property ?p ; void:triples ?t ; "
        "void:distinctSubjects ?s ; void:distinctObjects ?o ] }",
    )
    assert told == rows(
        release.store,
        "SELECT ?p (COUNT(*) AS ?t) (COUNT(DISTINCT ?s) AS ?ss) (COUNT(DISTINCT ?o) AS ?oo) { ?s ?p ?o } GROUP BY ?p",
    )
    told = rows(
        made, "SELECT ?c ?e ?t { [] void:classPartition [ void:class ?c ; void:entities ?e ; void:triples ?t ] }"
    )
    assert told == rows(
        release.store,
        "SELECT ?c (COUNT(DISTINCT ?s) AS ?e) (COUNT(*) AS ?t) { ?s a ?c ; ?p ?o FILTER(isIRI(?c)) } GROUP BY ?c",
    )
    told = rows(
        made,
        "SELECT ?c ?p ?t ?o { [] void:classPartition [ void:class ?c ; void:propertyPartition "
        "[ void:property ?p ; void:triples ?t ; void:distinctObjects ?o ] ] }",
    )
    assert told == rows(
        release.store,
        "SELECT ?c ?p (COUNT(*) AS ?t) (COUNT(DISTINCT ?o) AS ?oo) "
        "{ ?s a ?c ; ?p ?o FILTER(isIRI(?c)) } GROUP BY ?c ?p",
    )


def test_each_linkset_is_that_of_the_store(release: Release) -> None:
    told = rows(
        describe(release),
        "SELECT ?host ?p ?n { [] void:subset ?l . ?l a void:Linkset ; void:linkPredicate ?p ; void:triples ?n ; "
        "void:objectsTarget/<http://purl.org/dc/terms/title> ?host }",
    )
    assert told == rows(
        release.store,
        f"""SELECT ?host ?p (COUNT(*) AS ?n) {{
          VALUES ?p {{ <http://www.w3.org/2004/02/skos/core#exactMatch> <http://www.w3.org/2004/02/skos/core#closeMatch>
                      <http://www.w3.org/2002/07/owl#sameAs> <http://www.w3.org/2000/01/rdf-schema#seeAlso> }}
          ?s ?p ?o FILTER(STRSTARTS(STR(?s), '{iris.ID}') && isIRI(?o) && !STRSTARTS(STR(?o), '{iris.ID}'))
          BIND(REPLACE(STR(?o), '^[a-z]+://([^/]+).*$', '$1') AS ?host) FILTER(?host != STR(?o))
        }} GROUP BY ?host ?p""",
    )


def test_each_graph_is_that_of_the_store(release: Release) -> None:
    told = rows(describe(release), "SELECT ?g ?n { [] sd:namedGraph [ sd:name ?g ; sd:graph/void:triples ?n ] }")
    assert told == rows(release.store, "SELECT ?g (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } } GROUP BY ?g")


def test_examples_and_vocabularies_are_there(release: Release) -> None:
    made = describe(release)
    for (example,) in rows(made, "SELECT ?x { [] void:exampleResource ?x }"):
        assert next(release.store.quads_for_pattern(NamedNode(example), None, None), None)
    vocabularies = {v for (v,) in rows(made, "SELECT ?v { [] void:vocabulary ?v }")}
    for (property_,) in rows(release.store, "SELECT DISTINCT ?p { ?s ?p ?o }"):
        assert any(property_.startswith(v) for v in vocabularies)
    assert not any(isinstance(t, BlankNode) for q in made for t in (q.subject, q.object))


def test_two_descriptions_are_the_same(release: Release) -> None:
    assert set(describe(release)) == set(describe(release))


def test_prefixes_and_dumps_are_declared(tiny: Release) -> None:
    made = describe(tiny)
    declared = rows(made, f"SELECT ?p ?n {{ [] <{SH}declare> [ <{SH}prefix> ?p ; <{SH}namespace> ?n ] }}")
    assert declared == set(PREFIXES.items())
    told = rows(
        made,
        f"SELECT ?u ?b ?s {{ [] dcat:distribution [ dcat:downloadURL ?u ; dcat:byteSize ?b ; "
        f"<{SPDX}checksum>/<{SPDX}checksumValue> ?s ] }}",
    )
    url = f"{iris.BASE}dumps/{tiny.manifest.id[:16]}/"
    assert told == {(url + name, str(f["bytes"]), f["sha256"]) for name, f in tiny.manifest.dumps.items()}


def test_the_catalogue_is_served_in_every_syntax_and_at_the_well_known_place(http: httpx.Client) -> None:
    found: set[Triple] | None = None
    for syntax in formats.RDF_FORMATS:
        for path in ("/dataset", "/.well-known/void"):
            response = http.get(path, headers={"accept": syntax.media_type})
            triples = {q.triple for q in parse(response.content, format=syntax.syntax)}
            assert found in (None, triples)
            found = triples
    assert found


def test_prefixes_can_be_taken_from_the_catalogue(http: httpx.Client) -> None:
    store = Store()
    store.load(http.get("/dataset", headers={"accept": "text/turtle"}).content, format=RdfFormat.TURTLE)
    declared = dict(rows(store, f"SELECT ?p ?n {{ [] <{SH}declare> [ <{SH}prefix> ?p ; <{SH}namespace> ?n ] }}"))
    assert declared["kg"] == iris.ONTOLOGY + "#"
    for prefix, namespace in builder.read_context(ROOT).prefixes.items():
        assert declared[prefix] == namespace


SHAPES = ROOT.parent / "shared" / "conformance" / "shacl" / "dcat-ap-3.0.1"
# What the shapes look for in other files than ours: the record of the agent's kind and the authority tables.
ELSEWHERE = re.compile(r"authority/|adms|vcard|foaf/0.1/(?:Agent|name)|skos/core#(?:Concept|inScheme|prefLabel)")


def test_the_record_meets_dcat_ap(tiny: Release) -> None:
    if not SHAPES.is_dir():
        pytest.skip(f"DCAT-AP's shapes are not here: {SHAPES}")
    from pyshacl import validate
    from rdflib import Graph

    data = Graph()
    # Not from a store, which takes xsd:nonNegativeInteger for xsd:integer.
    ours = [q for q in quads(tiny) if "#prefix-" not in str(q.subject)]
    data.parse(data="\n".join(f"{q.triple} ." for q in ours), format="nt")
    shapes: Any = Graph()
    for path in sorted(SHAPES.rglob("*shapes*.ttl")):
        shapes.parse(path)
    assert len(shapes) > 500
    _, report, _ = validate(data, shacl_graph=shapes, advanced=False, allow_warnings=True)
    shacl = "http://www.w3.org/ns/shacl#"
    query = f"""SELECT ?focus ?path ?value ?message {{ ?r a <{shacl}ValidationResult> ; <{shacl}focusNode> ?focus ;
      <{shacl}resultSeverity> <{shacl}Violation> . OPTIONAL {{ ?r <{shacl}resultPath> ?path }}
      OPTIONAL {{ ?r <{shacl}value> ?value }} OPTIONAL {{ ?r <{shacl}resultMessage> ?message }} }}"""
    broken = {tuple(str(v) for v in row) for row in report.query(query)}
    assert {b for b in broken if not ELSEWHERE.search(" ".join(b))} == set()


def test_a_sitemap_names_every_page(http: httpx.Client, server: str) -> None:
    text = http.get("/sitemap.xml").text
    urls = re.findall(r"<loc>([^<]+)</loc>", text)
    assert f"{server}/page/law/ai-act" in urls
    assert len(urls) == len(set(urls))
    for url in urls:
        assert http.get(url, headers={"accept": "text/html"}, follow_redirects=True).status_code in (200, 410), url
    robots = http.get("/robots.txt").text
    assert f"Sitemap: {server}/sitemap.xml" in robots
