"""The catalogue record: every figure is recomputed from the store, and DCAT-AP's shapes are checked."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import httpx
import pytest
from conftest import make_release
from dataset import BASE, PROJECT, ROOT, Data
from pyoxigraph import BlankNode, NamedNode, Quad, QuerySolutions, RdfFormat, Store, Triple, parse

from kg.curation import builder
from kg.partners import datasets
from kg.partners.fetch import FetchLimits
from kg.rdf import formats, iris
from kg.rdf.namespaces import DCTERMS, OWL
from kg.rdf.ordering import sort_quads
from kg.release import catalogue
from kg.release.catalogue import SD, SPDX
from kg.release.dataset_record import DCAT, FOAF, SH, VOID
from kg.release.store import Release

PREFIXES = {"kg": iris.ONTOLOGY + "#", "skos": "http://www.w3.org/2004/02/skos/core#"}


def describe(release: Release) -> Store:
    made = Store()
    made.bulk_extend(quads(release))
    return made


def quads(release: Release) -> list[Quad]:
    return catalogue.describe(release, PREFIXES, PROJECT)


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
    "entities": f"SELECT (COUNT(DISTINCT ?s) AS ?n) {{ ?s ?p ?o FILTER(STRSTARTS(STR(?s), '{BASE.id}')) }}",
    "documents": f"SELECT (COUNT(DISTINCT ?d) AS ?n) {{ ?s ?p ?o FILTER(STRSTARTS(STR(?s), '{BASE.id}')) "
    "BIND(REPLACE(STR(?s), '#.*', '') AS ?d) }",
}


@pytest.mark.parametrize("name", FIGURES)
def test_each_figure_is_that_of_the_store(release: Release, name: str) -> None:
    told = rows(describe(release), f"SELECT ?n {{ <{BASE.dataset}> void:{name} ?n }}")
    assert told == rows(release.store, FIGURES[name])


def test_each_partition_is_that_of_the_store(release: Release) -> None:
    made = describe(release)
    told = rows(
        made,
        f"SELECT ?p ?t ?s ?o {{ <{BASE.dataset}> void:propertyPartition [ void:property ?p ; void:triples ?t ; "
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
        "SELECT ?c ?p ?t ?s ?o { [] void:classPartition [ void:class ?c ; void:propertyPartition "
        "[ void:property ?p ; void:triples ?t ; void:distinctSubjects ?s ; void:distinctObjects ?o ] ] }",
    )
    assert told == rows(
        release.store,
        "SELECT ?c ?p (COUNT(*) AS ?t) (COUNT(DISTINCT ?s) AS ?ss) (COUNT(DISTINCT ?o) AS ?oo) "
        "{ ?s a ?c ; ?p ?o FILTER(isIRI(?c)) } GROUP BY ?c ?p",
    )


def test_each_linkset_is_that_of_the_store(release: Release) -> None:
    told = rows(
        describe(release),
        "SELECT ?host ?p ?n { [] void:subset ?l . ?l a void:Linkset ; void:linkPredicate ?p ; void:triples ?n ; "
        f"void:subjectsTarget <{BASE.dataset}> ; void:objectsTarget/<http://purl.org/dc/terms/title> ?host }}",
    )
    assert told == rows(
        release.store,
        f"""SELECT ?host ?p (COUNT(*) AS ?n) {{
          VALUES ?p {{ <http://www.w3.org/2004/02/skos/core#exactMatch> <http://www.w3.org/2004/02/skos/core#closeMatch>
                      <http://www.w3.org/2002/07/owl#sameAs> <https://schema.org/sameAs>
                      <http://www.w3.org/2000/01/rdf-schema#seeAlso> }}
          ?s ?p ?o FILTER(STRSTARTS(STR(?s), '{BASE.id}') && isIRI(?o) && !STRSTARTS(STR(?o), '{BASE.id}'))
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


def test_the_order_does_not_depend_on_that_of_the_store(tiny: Release) -> None:
    assert quads(tiny) == quads(tiny) == sort_quads(reversed(quads(tiny)))


def test_the_sources_are_those_of_the_manifest(tiny: Release) -> None:
    sources = {BASE.id + "source/a": {"sha256": "0" * 64}, BASE.id + "source/b": {"sha256": "1" * 64}}
    made = describe(replace(tiny, manifest=replace(tiny.manifest, sources=sources)))
    assert rows(made, f"SELECT ?s {{ <{BASE.dataset}> <{DCTERMS}source> ?s }}") == {(s,) for s in sources}


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("http://[::1]:80/x", "[::1]:80"),
        ("https://ex\u2100mple.com/x", "ex\u2100mple.com"),
        ("https://user:secret@example.com/x?y#z", "example.com"),
        ("https://example.com", "example.com"),
    ],
)
def test_any_host_that_an_iri_may_have_can_be_linked_to(
    tmp_path_factory: pytest.TempPathFactory, address: str, host: str
) -> None:
    quad = Quad(NamedNode(BASE.id + "a/b"), NamedNode(OWL + "sameAs"), NamedNode(address), NamedNode("urn:g"))
    made = describe(make_release(tmp_path_factory.mktemp("hosts"), [quad]))
    told = rows(made, f"SELECT ?t ?s {{ [] void:objectsTarget [ <{DCTERMS}title> ?t ; void:uriSpace ?s ] }}")
    assert told == {(host, f"{address.partition(':')[0]}://{host}/")}


def test_the_pattern_is_one_of_xpath(tmp_path_factory: pytest.TempPathFactory) -> None:
    base = "http://localhost/~a-b/c.d/"
    made = describe(make_release(tmp_path_factory.mktemp("base"), [], base))
    assert rows(made, "SELECT ?r { [] void:uriRegexPattern ?r }") == {(r"^http://localhost/~a-b/c\.d/id/",)}


def test_prefixes_and_dumps_are_declared(tiny: Release) -> None:
    made = describe(tiny)
    declared = rows(made, f"SELECT ?p ?n {{ [] <{SH}declare> [ <{SH}prefix> ?p ; <{SH}namespace> ?n ] }}")
    assert declared == set(PREFIXES.items())
    told = rows(
        made,
        f"SELECT ?u ?b ?s {{ [] dcat:distribution [ dcat:downloadURL ?u ; dcat:byteSize ?b ; "
        f"<{SPDX}checksum>/<{SPDX}checksumValue> ?s ] }}",
    )
    url = f"{BASE.iri}dumps/{tiny.manifest.id[:16]}/"
    assert told == {(url + name, str(f["bytes"]), f["sha256"]) for name, f in tiny.manifest.dumps.items()}


def test_the_catalogue_is_served_in_every_syntax_and_at_the_well_known_place(http: httpx.Client) -> None:
    found: set[Triple] | None = None
    for syntax in formats.RDF_FORMATS:
        for path in ("/dataset", "/dataset/statistics"):
            response = http.get(path, headers={"accept": syntax.media_type})
            triples = {q.triple for q in parse(response.content, format=syntax.syntax)}
            assert found in (None, triples)
            found = triples
    assert found


def test_the_well_known_place_has_a_summary_that_links_to_the_statistics(http: httpx.Client) -> None:
    for syntax in formats.RDF_FORMATS:
        answers = (http.get(p, headers={"accept": syntax.media_type}) for p in ("/.well-known/void", "/dataset"))
        summary, whole = ({q.triple for q in parse(a.content, format=syntax.syntax)} for a in answers)
        (link,) = summary - whole
        dataset = BASE.iri + "dataset"
        assert (link.subject, link.object) == (NamedNode(dataset), NamedNode(dataset + "/statistics"))
        assert len(summary) < len(whole) * 2 / 3
    predicates = {t.predicate.value for t in summary}
    assert {VOID + "classPartition", VOID + "propertyPartition", VOID + "class", DCAT + "distribution"} <= predicates


def test_prefixes_can_be_taken_from_the_catalogue(http: httpx.Client) -> None:
    store = Store()
    store.load(http.get("/dataset", headers={"accept": "text/turtle"}).content, format=RdfFormat.TURTLE)
    declared = dict(rows(store, f"SELECT ?p ?n {{ [] <{SH}declare> [ <{SH}prefix> ?p ; <{SH}namespace> ?n ] }}"))
    assert declared["kg"] == iris.ONTOLOGY + "#"
    for prefix, namespace in builder.read_context(ROOT).prefixes.items():
        assert declared[prefix] == namespace


SHAPES = ROOT.parent / "shared" / "conformance" / "shacl" / "dcat-ap-3.0.1"
# Types that the shapes expect of resources that are described elsewhere, by their publishers or in the ontology
# document; the record does not repeat them.
DESCRIBED_ELSEWHERE = {
    "http://purl.org/dc/terms/accessRights": "dct:RightsStatement",
    "http://purl.org/dc/terms/accrualPeriodicity": "dct:Frequency",
    "http://purl.org/dc/terms/conformsTo": "dct:Standard",
    "http://purl.org/dc/terms/spatial": "dct:Location",
    "http://www.w3.org/ns/dcat#theme": "skos:Concept",
    "http://data.europa.eu/r5r/availability": "skos:Concept",
    "http://purl.org/dc/terms/format": "dct:MediaTypeOrExtent",
    "http://www.w3.org/ns/dcat#themeTaxonomy": "skos:ConceptScheme",
    "http://purl.org/dc/terms/language": "dct:LinguisticSystem",
    "http://purl.org/dc/terms/license": "dct:LicenseDocument",
    "http://www.w3.org/ns/dcat#compressFormat": "dct:MediaType",
    "http://www.w3.org/ns/dcat#landingPage": "foaf:Document",
    "http://www.w3.org/ns/dcat#mediaType": "dct:MediaType",
    "http://xmlns.com/foaf/0.1/homepage": "foaf:Document",
}


def violations(release: Release, *names: str, without: str = "", severity: str = "Violation") -> set[tuple[str, ...]]:
    """Focus, path, value and message of the violations after a property is removed from the record."""
    from pyshacl import validate
    from rdflib import Graph

    data, shapes = Graph(), Graph()
    # Not from a store, which changes xsd:nonNegativeInteger to xsd:integer.
    ours = [q for q in quads(release) if q.predicate.value != without]
    data.parse(data="\n".join(f"{q.triple} ." for q in ours), format="nt")
    for name in names:
        shapes.parse(SHAPES / name)
    _, report, _ = validate(data, shacl_graph=shapes, advanced=False, allow_warnings=True)
    query = f"""SELECT ?focus ?path ?value ?message {{ ?r a <{SH}ValidationResult> ; <{SH}focusNode> ?focus ;
      <{SH}resultSeverity> <{SH}{severity}> . OPTIONAL {{ ?r <{SH}resultPath> ?path }}
      OPTIONAL {{ ?r <{SH}value> ?value }} OPTIONAL {{ ?r <{SH}resultMessage> ?message }} }}"""
    assert isinstance(report, Graph)
    return {tuple(str(v) for v in row) for row in report.query(query) if isinstance(row, tuple)}


@pytest.fixture(scope="module")
def joined(tiny: Release, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The small release with the partner dataset of this checkout."""
    ours = [*builder.asserted_quads(builder.read_all(PROJECT)), *builder.ontology_quads(PROJECT)]
    found = datasets.load(PROJECT, ours, FetchLimits(), offline=True)
    named = [q for q in tiny.store if isinstance(q.graph_name, NamedNode)]
    return make_release(tmp_path_factory.mktemp("joined"), [*named, *found.quads])


@pytest.mark.usefixtures("beside")
def test_the_record_meets_dcat_ap(joined: Release) -> None:
    assert violations(joined, "shapes.ttl", "shapes_recommended.ttl", "deprecateduris.ttl") == set()


@pytest.mark.usefixtures("beside")
def test_the_record_has_what_dcat_ap_recommends(joined: Release) -> None:
    """All of it but the type of the publisher, which nobody has stated; partners say what they want."""
    missing = violations(joined, "shapes_recommended.ttl", severity="Warning")
    ours = {(focus, path) for focus, path, *_ in missing if focus.startswith(BASE.dataset)}
    assert ours == {(BASE.dataset + "#publisher", DCTERMS + "type")}


@pytest.mark.usefixtures("beside")
def test_the_ranges_are_those_of_dcat_ap(joined: Release) -> None:
    for focus, path, value, message in violations(joined, "range.ttl"):
        assert message == f"Value does not have class {DESCRIBED_ELSEWHERE.get(path)}", (focus, path, value, message)
        assert not value.startswith(BASE.dataset + "#")


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize(
    "property_", [DCAT + "accessURL", DCAT + "endpointURL", SPDX + "checksumValue", DCTERMS + "title", FOAF + "name"]
)
def test_the_shapes_see_what_is_missing(tiny: Release, property_: str) -> None:
    assert violations(tiny, "shapes.ttl", without=property_)


def test_a_sitemap_names_every_page(http: httpx.Client, server: str) -> None:
    text = http.get("/sitemap.xml").text
    urls = re.findall(r"<loc>([^<]+)</loc>", text)
    assert f"{server}/page/law/ai-act" in urls
    assert len(urls) == len(set(urls))
    for url in urls:
        assert http.get(url, headers={"accept": "text/html"}, follow_redirects=True).status_code in (200, 410), url
    robots = http.get("/robots.txt").text
    assert f"Sitemap: {server}/sitemap.xml" in robots


ASKED = (
    *("dcterms:title", "dcterms:creator", "dcterms:publisher", "dcterms:license", "dcterms:rights", "dcterms:issued"),
    *("dcterms:accrualPeriodicity", "void:vocabulary", "void:exampleResource", "dcat:contactPoint", "dcterms:spatial"),
    *("dcterms:temporal", "dcat:keyword", "dcat:theme", "dcterms:accessRights", "void:sparqlEndpoint", "sh:declare"),
)


def test_a_query_finds_the_dataset_with_all_that_catalogues_ask(real_http: httpx.Client) -> None:
    patterns = " ".join(f"OPTIONAL {{ ?d {name} ?v{n} }}" for n, name in enumerate(ASKED))
    query = f"SELECT * WHERE {{ ?d a void:Dataset ; dcterms:identifier ?id {patterns} }} LIMIT 1"
    answer = real_http.post("/sparql", data={"query": query}, headers={"accept": "application/sparql-results+json"})
    (row,) = answer.json()["results"]["bindings"]
    assert row["d"]["value"] == row["id"]["value"] == BASE.dataset
    assert [name for n, name in enumerate(ASKED) if f"v{n}" not in row] == []


def test_what_the_store_says_of_the_dataset_stands_in_its_record(real: Release) -> None:
    told = {q.triple for q in real.store.quads_for_pattern(None, None, None, NamedNode(BASE.catalogue))}
    prefixes = builder.read_context(ROOT).prefixes
    served = {q.triple for q in catalogue.describe(real, prefixes, PROJECT)}
    assert {t for t in told - served if not t.subject.value.startswith(BASE.iri + "queries/")} == set()


def test_identifier_and_first_date_stay_across_releases(real: Release) -> None:
    later = replace(real, manifest=replace(real.manifest, id="f" * 64, issued="2030-01-01T00:00:00+00:00"))
    kept = {DCTERMS + "identifier", DCTERMS + "issued"}
    one, other = (
        {str(q.triple) for q in quads(r) if q.subject == NamedNode(BASE.dataset) and q.predicate.value in kept}
        for r in (real, later)
    )
    assert one == other
    assert len(one) == 2


def test_every_stored_query_is_in_the_store_and_runs_as_it_is(real: Release, real_http: httpx.Client) -> None:
    found = rows(
        real.store,
        f"""SELECT ?query ?text ?label WHERE {{ ?query a <{SH}SPARQLExecutable> ; <{SH}prefixes>/<{SH}declare> ?p ;
          <https://schema.org/target> ?endpoint ; <http://www.w3.org/2000/01/rdf-schema#label> ?label ;
          <{SH}select>|<{SH}ask>|<{SH}construct> ?text FILTER(LANG(?label) = "en") }}""",
    )
    names = {query["name"] for query in real_http.get("/queries?format=json").json()}
    assert {query.removeprefix(BASE.iri + "queries/") for query, _, _ in found} == names
    for query, text, _ in sorted(found)[::8]:
        assert real_http.post("/sparql", data={"query": text}).status_code == 200, query


def test_search_engines_find_the_dataset_in_the_pages(real_http: httpx.Client) -> None:
    for path in ("/", "/dataset"):
        page = real_http.get(f"{path}?lang=en", headers={"accept": "text/html"}).text
        (block,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)
        document = json.loads(block)
        assert document["@type"] == "Dataset"
        assert document["temporalCoverage"] == "2024-04-01/2027-03-31"
        for name in ("name", "description", "license", "creator", "identifier", "keywords", "datePublished"):
            assert document[name], name
        for link in (document["url"], *(part["contentUrl"] for part in document["distribution"])):
            assert link.startswith(str(real_http.base_url)), link
            assert real_http.head(link).status_code == 200, link
