"""The mappings to other vocabularies: what they name exists there, both forms say the same, and nothing follows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import httpx
import pytest
import rdflib
from dataset import BASE, PROJECT, ROOT, load
from pyoxigraph import NamedNode, Quad, RdfFormat, parse
from rdflib.namespace import SDO

from kg.build import reasoning
from kg.curation import builder, mappings
from kg.errors import KgError
from kg.rdf import iris
from kg.rdf.terms import value

FOLDER = ROOT / "ontology" / "mappings"
TYPE = iris.RDF_TYPE
OWL = "http://www.w3.org/2002/07/owl#"
SKOS = "http://www.w3.org/2004/02/skos/core#"
MATCHES = {SKOS + f"{kind}Match" for kind in ("exact", "close", "broad", "narrow", "related")}
# The vocabularies that the table has, by the source that a row names.
NEIGHBOURS = {
    *("https://github.com/STIPlab/hackathon", "http://data.europa.eu/s66", "http://data.europa.eu/m8g"),
    *("http://data.europa.eu/m8g/cpsvap/3.2.0", "https://github.com/popolo-project/popolo-spec"),
    *("https://github.com/schemaorg/schemaorg", "http://www.wikidata.org/entity/Q2013"),
    *("http://imi.go.jp/ns/core/rdf", "http://hojin-info.go.jp/ns/domain/biz/1"),
}
COPIES = {
    "http://data.europa.eu/s66": ("eurio.ttl",),
    "http://data.europa.eu/m8g": ("cpov-2.00.ttl", "cpov-2.1.2-ap.ttl"),
    "http://data.europa.eu/m8g/cpsvap/3.2.0": ("cpsv-ap-3.2.0.ttl",),
    "http://imi.go.jp/ns/core/rdf": ("imicore-2.4.2.ttl",),
}


@pytest.fixture(scope="module")
def known() -> mappings.MappingSet:
    found = mappings.read(ROOT)
    assert found is not None
    return found


def test_the_turtle_follows_from_the_table(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "ontology" / "mappings", ignore=shutil.ignore_patterns("*.ttl"))
    path = mappings.write(tmp_path)
    assert path is not None
    assert path.read_text(encoding="utf-8") == (FOLDER / "mappings.ttl").read_text(encoding="utf-8"), "run kg schema"


KINDS = {
    "owl class": "Class",
    "owl object property": "ObjectProperty",
    "owl data property": "DatatypeProperty",
    "owl annotation property": "AnnotationProperty",
}


def test_every_mapping_is_of_a_term_of_ours_with_kind_and_reason(known: mappings.MappingSet) -> None:
    terms = {(value(q.subject), value(q.object)) for q in builder.ontology_quads(PROJECT) if q.predicate.value == TYPE}
    seen = set()
    for row in known.rows:
        subject = known.iri(row["subject_id"]).value
        assert (subject, OWL + KINDS[row["subject_type"]]) in terms, row
        assert known.iri(row["predicate_id"]).value in MATCHES, row
        assert row["comment"], row
        seen.add((subject, row["object_id"] or row["object_label"]))
    assert len(seen) == len(known.rows)
    assert {known.iri(row["object_source"]).value for row in known.rows} == NEIGHBOURS


def test_the_version_is_that_of_the_ontology(known: mappings.MappingSet) -> None:
    stated = {value(q.object) for q in builder.ontology_quads(PROJECT) if q.predicate.value == OWL + "versionInfo"}
    assert stated == {known.metadata["mapping_set_version"]}


def test_an_unknown_prefix_is_an_error(known: mappings.MappingSet) -> None:
    with pytest.raises(KgError, match="'nowhere:Term' is not in curie_map"):
        known.iri("nowhere:Term")


def targets(known: mappings.MappingSet, source: str) -> set[str]:
    return {
        known.iri(row["object_id"]).value
        for row in known.rows
        if row["object_id"] and known.iri(row["object_source"]).value == source
    }


@pytest.mark.parametrize("source", COPIES)
def test_targets_exist_in_their_vocabulary(known: mappings.MappingSet, beside: Path, source: str) -> None:
    copies = rdflib.Graph()
    for name in COPIES[source]:
        copies.parse(beside / "vocabularies" / name, format="turtle")
    found = targets(known, source)
    assert found
    assert found - {str(s) for s in copies.subjects()} == set()


def test_labels_are_those_of_the_vocabulary(known: mappings.MappingSet, beside: Path) -> None:
    copies = rdflib.Graph()
    for name in ("eurio.ttl", "imicore-2.4.2.ttl"):
        copies.parse(beside / "vocabularies" / name, format="turtle")
    ours = [row for row in known.rows if row["object_id"].startswith(("eurio:", "ic:"))]
    assert len(ours) > 30
    for row in ours:
        target = rdflib.URIRef(known.iri(row["object_id"]).value)
        assert row["object_label"] in map(str, copies.objects(target, rdflib.RDFS.label)), row


def test_popolo_and_schema_org_have_their_terms(known: mappings.MappingSet, beside: Path) -> None:
    contexts = [json.loads(path.read_text("utf-8")) for path in (beside / "vocabularies" / "popolo").glob("*.jsonld")]
    entries = [entry for context in contexts for entry in context["@context"].values()]
    told = {entry.get("@id") if isinstance(entry, dict) else entry for entry in entries}
    popolo = targets(known, "https://github.com/popolo-project/popolo-spec")
    assert popolo
    assert popolo - told == set()
    schema = targets(known, "https://github.com/schemaorg/schemaorg")
    assert schema
    assert {iri for iri in schema if iri.removeprefix(str(SDO)) not in SDO} == set()


def test_gbizinfo_and_stip_are_named_as_seen(known: mappings.MappingSet, beside: Path) -> None:
    seen = (beside / "vocabularies" / "hj-terms-seen.tsv").read_text(encoding="utf-8")
    found = targets(known, "http://hojin-info.go.jp/ns/domain/biz/1")
    assert found
    assert {iri for iri in found if f"{iri}\t" not in seen} == set()
    lists = {line.split("\t")[0] for line in (beside / "source" / "stip.tsv").read_text(encoding="utf-8").splitlines()}
    stip = {row["object_label"] for row in known.rows if row["object_source"] == "github:STIPlab/hackathon"}
    assert len(stip) == 3
    assert stip <= lists


def test_nothing_follows_from_the_mappings() -> None:
    """The closure is the same with them: they state no link between terms."""
    stated = [q.triple for q in parse(path=FOLDER / "mappings.ttl", format=RdfFormat.TURTLE)]
    assert not {t.predicate.value for t in stated} & MATCHES
    data = load()
    graph = NamedNode("urn:test:mappings")
    added = [Quad(*triple, graph) for triple in stated]
    quads = [*data.asserted, *builder.ontology_quads(PROJECT), *added]
    found = set(reasoning.close(quads, ROOT / "queries" / "rules").triples)
    assert found == {q.triple for q in data.everything if q.graph_name == NamedNode(BASE.inferred)}


def test_they_are_served_as_rdf_and_as_a_table(real_http: httpx.Client, known: mappings.MappingSet) -> None:
    turtle = real_http.get("/ontology/mappings", headers={"accept": "text/turtle"})
    assert turtle.headers["content-type"].startswith("text/turtle")
    stated = list(parse(turtle.content, format=RdfFormat.TURTLE))
    assert sum(q.predicate.value.endswith("annotatedSource") for q in stated) == len(known.rows)
    table = real_http.get("/ontology/mappings", headers={"accept": "text/tab-separated-values"})
    assert table.content == (FOLDER / "mappings.sssom.tsv").read_bytes()
    for address, kind in (("/ontology/mappings.ttl", "text/turtle"), ("/ontology/mappings.sssom.tsv", "text/tab-sep")):
        assert real_http.get(address).headers["content-type"].startswith(kind)
    page = real_http.get("/ontology?lang=en", headers={"accept": "text/html"}).text
    assert 'href="/ontology/mappings.sssom.tsv"' in page
    assert real_http.get("/ontology/mappings.docx").status_code == 404
    assert real_http.get("/ontology/mappings", headers={"accept": "image/png"}).status_code == 406
