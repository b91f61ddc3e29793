"""The vocabulary is labelled, declared and in OWL 2 DL, and borrowed terms exist in their vocabularies."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import rdflib
from dataset import BASE, PROJECT, load
from pyoxigraph import NamedNode
from rdflib.namespace import DCAT, DCTERMS, FOAF, ORG, OWL, PROF, PROV, QB, RDF, RDFS, SDO, SH, SKOS, TIME, VANN, XSD

from kg.curation import builder
from kg.rdf import iris
from kg.rdf.terms import value

ROOT = Path(__file__).resolve().parents[1]
VOCABULARIES = ROOT.parent / "shared" / "vocabularies"
KG = rdflib.Namespace(iris.ONTOLOGY + "#")
# Vocabularies that rdflib packages as closed namespaces.
CLOSED: dict[str, Any] = {
    str(n): n for n in (DCAT, DCTERMS, FOAF, ORG, OWL, PROF, PROV, QB, RDF, RDFS, SDO, SH, SKOS, TIME, VANN, XSD)
}
COPIES = {
    "http://data.europa.eu/eli/ontology#": ("eli-1.5.rdf", "xml"),
    "http://purl.org/spar/cito/": ("cito.ttl", "turtle"),
    "http://purl.org/cerif/frapo/": ("frapo.ttl", "turtle"),
    "http://purl.org/ontology/bibo/": ("bibo.owl", "xml"),
    "http://www.w3.org/ns/oa#": ("oa.ttl", "turtle"),
}
# The roles of the Profiles vocabulary, which rdflib leaves out.
CLOSED["http://www.w3.org/ns/dx/prof/role/"] = {"validation"}
CONCEPT = (NamedNode(str(RDF.type)), NamedNode(str(SKOS.Concept)))
KINDS = (OWL.Class, OWL.ObjectProperty, OWL.DatatypeProperty, OWL.AnnotationProperty)
DATA_CUBE_NODES = (QB.ComponentSpecification,)


def graph(*names: str) -> rdflib.Graph:
    result = rdflib.Graph()
    for name in names:
        result.parse(ROOT / "ontology" / name, format="turtle")
    return result


@pytest.fixture(scope="module")
def core() -> rdflib.Graph:
    return graph("core.ttl")


@pytest.fixture(scope="module")
def both() -> rdflib.Graph:
    return graph("core.ttl", "imports/external.ttl")


def terms(g: rdflib.Graph) -> set[rdflib.URIRef]:
    return {s for kind in KINDS for s in g.subjects(RDF.type, kind) if isinstance(s, rdflib.URIRef)}


def languages(g: rdflib.Graph, subject: rdflib.URIRef, predicate: rdflib.URIRef) -> list[str]:
    return sorted(getattr(o, "language", "") or "" for o in g.objects(subject, predicate))


def test_every_term_is_labelled_defined_and_at_home(core: rdflib.Graph) -> None:
    for term in terms(core):
        assert str(term).startswith(str(KG)), term
        assert languages(core, term, RDFS.label) == ["en", "ja"], term
        assert languages(core, term, SKOS.definition) == ["en", "ja"], term
        assert core.value(term, RDFS.isDefinedBy) == rdflib.URIRef(iris.ONTOLOGY), term


def test_every_borrowed_term_keeps_its_label_beside_ours_and_names_its_home() -> None:
    external = graph("imports/external.ttl")
    for term in terms(external):
        assert len(list(external.objects(term, RDFS.label))) == 1, term
        assert languages(external, term, SKOS.altLabel) == ["en", "ja"], term
        home = str(external.value(term, RDFS.isDefinedBy))
        assert str(term).startswith(home), term


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize("namespace", COPIES)
def test_the_label_of_a_borrowed_term_is_that_of_its_vocabulary(namespace: str) -> None:
    external = graph("imports/external.ttl")
    name, syntax = COPIES[namespace]
    copy = rdflib.Graph().parse(VOCABULARIES / name, format=syntax)
    borrowed = [term for term in terms(external) if term.startswith(namespace)]
    assert borrowed
    for term in borrowed:
        own = {(str(label).strip(), label.language) for label in copy.objects(term, RDFS.label)}
        label = external.value(term, RDFS.label)
        assert (str(label), label.language) in own, term


def test_readers_see_our_name_of_a_borrowed_term(real_http: httpx.Client) -> None:
    """In their language, and not the one of the vocabulary that few speak."""
    for language, name in (("ja", "組織"), ("en", "organisation")):
        page = real_http.get(f"/ontology?lang={language}", headers={"accept": "text/html"}).text
        shown = re.search(r'<li id="ui-org-Organization"><a [^>]*>(.*?)</a>', page)
        assert shown is not None
        assert re.sub("<[^>]*>", "", shown[1]) == name


def test_every_link_of_ours_reads_from_the_other_end(both: rdflib.Graph) -> None:
    """By its inverse, as the same if it is symmetric, else by an inverse label in both languages."""
    paired = {p for pair in both.subject_objects(OWL.inverseOf) for p in pair}
    alike = set(both.subjects(RDF.type, OWL.SymmetricProperty))
    own = [t for t in both.subjects(RDF.type, OWL.ObjectProperty) if str(t).startswith(str(KG))]
    assert len(own) > 100
    for term in own:
        labelled = languages(both, term, KG.inverseLabel)
        assert labelled == ([] if term in paired | alike else ["en", "ja"]), term


def test_no_two_terms_share_a_label(both: rdflib.Graph) -> None:
    own = [t for t in terms(both) if str(t).startswith(str(KG))]
    for language in ("en", "ja"):
        seen: dict[tuple[str, bool], rdflib.URIRef] = {}
        for term in own:
            label = next(str(o) for o in both.objects(term, RDFS.label) if o.language == language)
            key = (label, (term, RDF.type, OWL.Class) in both)
            assert key not in seen, (label, term, seen.get(key))
            seen[key] = term


def test_version_and_licence(core: rdflib.Graph) -> None:
    ontology = rdflib.URIRef(iris.ONTOLOGY)
    version = str(core.value(ontology, OWL.versionInfo))
    assert str(core.value(ontology, OWL.versionIRI)) == f"{iris.ONTOLOGY}/{version}"
    assert core.value(ontology, OWL.priorVersion) == rdflib.URIRef(f"{iris.ONTOLOGY}/1.0.0")
    assert str(core.value(ontology, VANN.preferredNamespaceUri)) == str(KG)
    assert str(core.value(ontology, VANN.preferredNamespacePrefix)) == "kg"
    for told in ("license", "creator", "publisher", "created", "modified", "bibliographicCitation"):
        assert core.value(ontology, DCTERMS[told]), told
    assert version in str(core.value(ontology, DCTERMS.bibliographicCitation))
    assert languages(core, ontology, SKOS.changeNote) == ["en", "ja"]


def test_there_is_one_header(both: rdflib.Graph) -> None:
    """The OWL API takes any of several, and loses what the others say."""
    assert list(both.subjects(RDF.type, OWL.Ontology)) == [rdflib.URIRef(iris.ONTOLOGY)]


def test_definitions_are_comments_too() -> None:
    texts: dict[str, set[tuple[str, Any]]] = {"definition": set(), "comment": set()}
    for quad in builder.ontology_quads(PROJECT):
        if (name := quad.predicate.value.rpartition("#")[2]) in texts and value(quad.subject).startswith(str(KG)):
            texts[name].add((value(quad.subject), quad.object))
    assert texts["definition"] == texts["comment"] != set()


def test_a_deprecated_term_has_a_successor(core: rdflib.Graph) -> None:
    """A class that was a printed heading is followed by heading roles."""
    roles = {iri for record in builder.read_all(PROJECT).records for iri in record.declared if "/heading-roles/" in iri}
    deprecated = {t for t in terms(core) if core.value(t, OWL.deprecated)}
    assert {t.removeprefix(str(KG)) for t in deprecated} >= {"Claim", "Measure", "Vision", "QualityAspect"}
    for term in deprecated:
        successors = set(core.objects(term, DCTERMS.isReplacedBy))
        assert successors, term
        assert successors == {KG.Element} or {str(s) for s in successors} <= roles, term


def test_mappings_are_links_between_things(both: rdflib.Graph) -> None:
    """As annotations they would be hidden from every reasoner."""
    matches = [SKOS[f"{kind}Match"] for kind in ("exact", "close", "broad", "narrow", "related")]
    for term in (*matches, SDO.sameAs):
        assert (term, RDF.type, OWL.ObjectProperty) in both, term
    assert (OWL.sameAs, RDF.type, OWL.AnnotationProperty) not in both


def test_only_concepts_are_matched() -> None:
    """skos:exactMatch and its like hold between concepts: a body in a register is `schema:sameAs`."""
    asserted = load().everything
    concepts = {value(q.subject) for q in asserted if q.predicate == CONCEPT[0] and q.object == CONCEPT[1]}
    matched = {
        value(q.subject) for q in asserted if q.predicate.value.endswith("Match") and "skos" in q.predicate.value
    }
    assert not {iri for iri in matched - concepts if iri.startswith(BASE.id)}


def test_components_of_data_sets_are_typed(core: rdflib.Graph) -> None:
    """RDF Data Cube, section 6: tools find dimensions, measures and attributes by their class."""
    for link, kind in (
        (QB.dimension, QB.DimensionProperty),
        (QB.measure, QB.MeasureProperty),
        (QB.attribute, QB.AttributeProperty),
    ):
        used = set(core.objects(None, link))
        assert used
        assert all((term, RDF.type, kind) in core for term in used), link


def test_ranges_are_datatypes_of_owl(both: rdflib.Graph) -> None:
    """OWL 2, section 4: dates and durations are not in its datatype map."""
    allowed = {XSD[name] for name in ("string", "integer", "decimal", "boolean", "dateTime", "anyURI")}
    ranges = {str(o) for o in both.objects(None, RDFS.range) if str(o).startswith(str(XSD))}
    assert ranges <= {str(a) for a in allowed}


def test_a_term_is_one_kind_of_thing(both: rdflib.Graph) -> None:
    for term in terms(both):
        kinds = [k for k in both.objects(term, RDF.type) if k in KINDS]
        assert len(kinds) == 1, (term, kinds)


def used_terms() -> set[str]:
    """Every vocabulary IRI in the ontology, shapes, context and queries."""
    found = {
        str(node)
        for g in (graph("core.ttl", "imports/external.ttl"), graph("shapes/core.ttl", "shapes/japan.ttl"))
        for triple in g
        for node in triple
        if isinstance(node, rdflib.URIRef)
    }
    context = builder.read_context(ROOT)
    found |= {t.iri for t in context.terms.values() if not t.iri.startswith("@")} | set(context.classes.values())
    found |= {t.datatype for t in context.terms.values() if t.datatype}
    for path in (ROOT / "queries").rglob("*.rq"):
        text = path.read_text(encoding="utf-8")
        prefixes = dict(re.findall(r"PREFIX (\w*): <([^>]+)>", text))
        body = re.sub(r'"[^"]*"|<[^>]*>|#.*', " ", text)
        for prefix, local in re.findall(r"\b(\w+):([A-Za-z][\w-]*)", body):
            if prefix in prefixes:
                found.add(prefixes[prefix] + local)
    return found


def test_every_term_of_ours_that_is_used_exists(core: rdflib.Graph) -> None:
    declared = {str(s) for s in core.subjects() if isinstance(s, rdflib.URIRef)}
    ours = {t for t in used_terms() if t.startswith(str(KG))}
    assert not ours - declared


def missing_from(namespace: str, used: set[str]) -> set[str]:
    inner = tuple(n for n in CLOSED if n.startswith(namespace) and n != namespace)
    wanted = {t for t in used if t.startswith(namespace) and t != namespace and not t.startswith(inner or "\0")}
    if namespace in CLOSED:
        known = CLOSED[namespace]
        return {t for t in wanted if t.removeprefix(namespace) not in known}
    name, syntax = COPIES[namespace]
    copy = rdflib.Graph().parse(VOCABULARIES / name, format=syntax)
    return wanted - {str(s) for s in copy.subjects()}


@pytest.mark.parametrize("namespace", CLOSED)
def test_every_borrowed_term_of_a_closed_vocabulary_exists(namespace: str) -> None:
    assert not missing_from(namespace, used_terms())


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize("namespace", COPIES)
def test_every_borrowed_term_exists(namespace: str) -> None:
    assert not missing_from(namespace, used_terms())


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize("invented", [str(ORG) + "inventedTerm", "http://purl.org/spar/cito/inventsTerm"])
def test_an_invented_term_is_caught(invented: str) -> None:
    namespace = next(n for n in [*CLOSED, *COPIES] if invented.startswith(n))
    assert missing_from(namespace, used_terms() | {invented}) == {invented}


def test_no_vocabulary_is_used_that_is_not_checked() -> None:
    homes = (*CLOSED, *COPIES, str(KG), BASE.iri, "https://creativecommons.org/")
    assert not {t for t in used_terms() if not t.startswith(homes) and t + "#" not in homes and t + "/" not in homes}


@pytest.mark.usefixtures("beside")
def test_restated_axioms_stand_in_the_copies() -> None:
    """The axioms on borrowed properties in external.ttl are those of their vocabularies."""
    external = graph("imports/external.ttl")
    copies = rdflib.Graph()
    for name, syntax in COPIES.values():
        copies.parse(VOCABULARIES / name, format=syntax)
    for subject, _, above in external.triples((None, RDFS.subPropertyOf, None)):
        if str(subject).startswith(tuple(COPIES)):
            assert (subject, RDFS.subPropertyOf, above) in copies, (subject, above)


def test_chained_and_transitive_properties_are_simple_nowhere(both: rdflib.Graph) -> None:
    """OWL 2, section 11.2: such axioms are not allowed on non-simple properties."""
    composite = {*both.subjects(OWL.propertyChainAxiom), *both.subjects(RDF.type, OWL.TransitiveProperty)}
    forbidden = (
        OWL.FunctionalProperty,
        OWL.InverseFunctionalProperty,
        OWL.AsymmetricProperty,
        OWL.IrreflexiveProperty,
    )
    for term in composite:
        assert not [k for k in both.objects(term, RDF.type) if k in forbidden], term
        assert both.value(term, OWL.propertyDisjointWith) is None
    assert both.value(predicate=RDF.type, object=OWL.Restriction) is None


def test_chains_are_of_two(both: rdflib.Graph) -> None:
    for head in both.objects(None, OWL.propertyChainAxiom):
        assert len(list(both.items(head))) == 2


def test_disjoint_classes_are_declared(both: rdflib.Graph) -> None:
    declared = set(both.subjects(RDF.type, OWL.Class))
    for head in both.objects(None, OWL.members):
        assert set(both.items(head)) <= declared
    for pair in both.subject_objects(OWL.disjointWith):
        assert set(pair) <= declared


def test_the_context_has_a_key_for_every_property_of_ours(core: rdflib.Graph) -> None:
    keys = {t.iri for t in builder.read_context(ROOT).terms.values()}
    properties = {str(t) for kind in KINDS[1:] for t in core.subjects(RDF.type, kind)}
    assert not properties - keys


def test_shapes_speak_both_languages() -> None:
    shapes = graph("shapes/core.ttl", "shapes/japan.ttl")
    for constraint in shapes.objects(None, SH.property):
        assert languages(shapes, constraint, SH.message) == ["en", "ja"], list(shapes.predicate_objects(constraint))


def test_the_version_iri_answers(real_http: httpx.Client) -> None:
    current = str(graph("core.ttl").value(rdflib.URIRef(iris.ONTOLOGY), OWL.versionInfo))
    whole = real_http.get("/ontology", headers={"accept": "text/turtle"})
    assert real_http.get(f"/ontology/{current}", headers={"accept": "text/turtle"}).content == whole.content
    assert real_http.get("/ontology/0.0.1", headers={"accept": "text/turtle"}).status_code == 404
