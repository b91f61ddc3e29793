"""What each axiom infers or refuses; the closure equals the entailments of an OWL 2 DL reasoner."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from dataset import BASE, PROJECT
from hermit import entailments
from projects import copy_project, make_project
from pyoxigraph import NamedNode, Quad, RdfFormat, Store, parse

from kg.build import pipeline, reasoning
from kg.curation import builder
from kg.rdf import iris
from kg.rdf.terms import value
from kg.sparql import library

ROOT = Path(__file__).resolve().parents[1]
RULES = ROOT / "queries" / "rules"
PREFIXES = """
PREFIX : <https://w3id.org/aikg/id/test/>
PREFIX kg: <https://w3id.org/aikg/ontology#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX org: <http://www.w3.org/ns/org#>
PREFIX foaf: <http://xmlns.com/foaf/0.1/>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX eli: <http://data.europa.eu/eli/ontology#>
PREFIX cito: <http://purl.org/spar/cito/>
PREFIX dcterms: <http://purl.org/dc/terms/>
PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX bibo: <http://purl.org/ontology/bibo/>
PREFIX qb: <http://purl.org/linked-data/cube#>
PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
"""
TEST_GRAPH = NamedNode(BASE.graph_iri("test/1"))


def quads(turtle: str) -> list[Quad]:
    parsed = parse(PREFIXES.replace("PREFIX", "@prefix").replace(">\n", "> .\n") + turtle, format=RdfFormat.TURTLE)
    return [Quad(q.subject, q.predicate, q.object, TEST_GRAPH) for q in parsed]


@pytest.fixture(scope="module")
def ontology() -> list[Quad]:
    return builder.ontology_quads(PROJECT)


def holds(closed: reasoning.Closure, given: list[Quad], pattern: str) -> bool:
    store = Store()
    store.extend(Quad(q.subject, q.predicate, q.object) for q in given)
    store.extend(Quad(*t) for t in closed.triples)
    return bool(store.query(PREFIXES + "ASK { " + pattern + " }"))


INFERS = {
    "sub-class": (":p a kg:Plan .", ":p a kg:PolicyDocument, kg:Policy, bibo:Document"),
    "sub-property": (":a kg:basedOn :b .", ":a kg:cites :b ; cito:obtainsBackgroundFrom :b ; cito:cites :b"),
    "labels are labels": (':a skos:prefLabel "名"@ja .', ':a rdfs:label "名"@ja'),
    "inverse": (":a kg:hasElement :b .", ":b kg:elementOf :a ; kg:isPartOf :a ; dcterms:isPartOf :a"),
    "inverse the other way": (":b kg:citedBy :a .", ":a kg:cites :b"),
    "symmetric": (":a kg:complements :b .", ":b kg:complements :a ; skos:related :a"),
    "part-of is transitive": (
        ":lab kg:hasComponent :scheme . :scheme kg:hasComponent :area .",
        ":area kg:isPartOf :lab",
    ),
    "a paragraph is a provision of the law": (
        ":law kg:hasProvision :art3 . :art3 kg:hasProvision :para4 .",
        ":para4 kg:provisionOf :law ; eli:is_part_of :law",
    ),
    "units nest": (
        ":group org:unitOf :centre . :centre org:unitOf :riken .",
        ":group org:subOrganizationOf :riken . :riken org:hasSubOrganization :group",
    ),
    "broader is transitive through its super-property": (
        ":a skos:broader :b . :b skos:broader :c .",
        ":a skos:broaderTransitive :c . :c skos:narrowerTransitive :a",
    ),
    "domain": (":a kg:budget :b .", ":a a kg:Programme"),
    "range": (":a kg:budget :b .", ":b a kg:BudgetAllocation, qb:Observation"),
    "a membership is a post in the organisation": (
        ":who org:hasMembership :post . :post org:organization :centre .",
        ":who kg:holdsPostIn :centre ; org:memberOf :centre . :centre kg:hasPostHolder :who",
    ),
    "a post in a unit is a post in the body": (
        ":who org:hasMembership :post . :post org:organization :centre . :centre org:unitOf :riken .",
        ":who kg:holdsPostIn :riken",
    ),
    "a programme cites what its part cites": (
        ":aip kg:hasComponent :part . :part kg:quotes :art9 .",
        ":aip kg:cites :art9",
    ),
    "who cites an article cites the law": (
        ":aip kg:quotes :para4 . :law kg:hasProvision :art3 . :art3 kg:hasProvision :para4 .",
        ":aip kg:cites :law . :law kg:citedBy :aip",
    ),
    "an area involves its head's bodies, and so does the programme": (
        ":lab kg:hasComponent :area . :area kg:headedBy :who . :who org:hasMembership :post ."
        " :post org:organization :centre . :centre org:unitOf :riken .",
        ":area kg:involvesOrganization :centre, :riken . :lab kg:involvesOrganization :riken ."
        " :riken kg:involvedIn :lab",
    ),
    "a budget belongs to the data set of budgets": (
        ":b a kg:BudgetAllocation .",
        ":b qb:dataSet kg:budgetDataSet",
    ),
}
DOES_NOT_INFER = {
    "an arm is no part": (":aip kg:hasArm :lab . :lab kg:cites :x .", ":aip kg:cites :x"),
    "a quotation is not symmetric": (":a kg:quotes :b .", ":b kg:quotes :a"),
    "the whole citing says nothing of the part": (":a kg:hasElement :e . :a kg:cites :b .", ":e kg:cites :b"),
    "a post in the body is no post in its unit": (
        ":who org:hasMembership :post . :post org:organization :riken . :centre org:unitOf :riken .",
        ":who kg:holdsPostIn :centre",
    ),
    "identity outside copies nothing": (
        ":a <http://www.w3.org/2002/07/owl#sameAs> <http://www.wikidata.org/entity/Q1> ; kg:cites :b .",
        "<http://www.wikidata.org/entity/Q1> kg:cites :b",
    ),
    "a planned successor replaces nothing yet": (":two kg:intendedToReplace :one .", ":two dcterms:replaces :one"),
    "possibly the same is not the same": (
        ":a kg:possiblySameAs :b . :a kg:runs :p .",
        ":b kg:runs :p",
    ),
}


@pytest.mark.parametrize("name", INFERS)
def test_axiom_infers(name: str, ontology: list[Quad]) -> None:
    given, expected = INFERS[name]
    asserted = [*quads(given), *ontology]
    assert holds(reasoning.close(asserted, RULES), asserted, expected)


@pytest.mark.parametrize("name", DOES_NOT_INFER)
def test_axiom_does_not_infer(name: str, ontology: list[Quad]) -> None:
    given, unexpected = DOES_NOT_INFER[name]
    asserted = [*quads(given), *ontology]
    assert not holds(reasoning.close(asserted, RULES), asserted, unexpected)


REFUSES = {
    "a person is no organisation": ":x a foaf:Person, kg:University .",
    "a law is no plan": ":x a eli:LegalResource, kg:Plan .",
    "a programme is no document": ":x a kg:Programme, kg:Strategy .",
    "a budget is no programme": ":x a kg:BudgetAllocation, kg:Programme .",
    "a statement is no measure": ":x a kg:Claim, kg:Measure .",
    "an edition is not its work": ":x a kg:Edition, kg:Plan .",
    "what has a budget is a programme, and a person is none": ":x a foaf:Person ; kg:budget :b .",
    "who holds a post is a person, and a centre is none": ":c a kg:ResearchCentre ; kg:holdsPostIn :riken .",
    "a scheme is no area": ":x a kg:FundingScheme, kg:ResearchArea .",
}


@pytest.mark.parametrize("name", REFUSES)
def test_axiom_refuses(name: str, ontology: list[Quad]) -> None:
    asserted = [*quads(REFUSES[name]), *ontology]
    closed = [*asserted, *reasoning.inferred_quads(reasoning.close(asserted, RULES), BASE)]
    store = Store()
    store.extend(Quad(q.subject, q.predicate, q.object) for q in closed)
    check = library.read(ROOT / "queries" / "checks" / "disjoint-classes.rq")
    assert list(library.select(store, check.text)), "the check query names no conflict"
    assert not reasoning.is_consistent(asserted), "the reasoner finds no conflict"


def test_the_ontology_alone_is_consistent(ontology: list[Quad]) -> None:
    assert reasoning.is_consistent(ontology)


def test_the_reasoner_runs_wherever_the_command_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """HermiT makes an IRI of the working directory, and fails if that is the root folder."""
    monkeypatch.chdir("/")
    assert reasoning.is_consistent([])
    assert Path.cwd() == Path("/")


def test_rules_that_feed_themselves_are_stopped(tmp_path: Path) -> None:
    header = '#+ title: {en: "x", ja: "x"}\n#+ description: {en: "x", ja: "x"}\n#+ columns: [s]\n'
    text = 'CONSTRUCT { ?s ?p ?new } WHERE { ?s ?p ?o . BIND(CONCAT(STR(?o), "x") AS ?new) }'
    (tmp_path / "endless.rq").write_text(header + text)
    with pytest.raises(reasoning.KgError, match="feeds itself"):
        reasoning.close(quads(':a rdfs:label "x" .'), tmp_path)


def test_closure_agrees_with_the_reasoner(ontology: list[Quad]) -> None:
    """On all real data, for every declared class and object property, including chains."""
    curated = builder.read_all(PROJECT)
    asserted = [*builder.asserted_quads(curated), *ontology]
    closed = [*asserted, *reasoning.inferred_quads(reasoning.close(asserted, RULES), BASE)]
    # The rules beyond OWL (labels, datasets) are not known to the reasoner.
    ours = {
        (value(t.subject), t.predicate.value, value(t.object))
        for t in reasoning.projection(closed)
        if isinstance(t.object, NamedNode) and value(t.subject).startswith(BASE.id)
    }
    theirs = entailments(reasoning.projection(asserted))
    beyond_owl = {t for t in ours if t[1] == "http://purl.org/linked-data/cube#dataSet"}
    missing, extra = theirs - ours, ours - theirs - beyond_owl
    assert not missing, f"{len(missing)} entailments are not materialised, such as {sorted(missing)[:5]}"
    assert not extra, f"{len(extra)} materialised triples are not entailed, such as {sorted(extra)[:5]}"
    chained = [t for t in theirs if t[1] == iris.ONTOLOGY + "#involvesOrganization"]
    assert chained, "no chain was exercised"


def test_of_a_large_dataset_what_changed_is_proved(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = copy_project(small, tmp_path / "project")
    whole = pipeline.build(project, tmp_path / "releases")
    assert whole.warnings == []
    monkeypatch.setenv("KG_REASON_STATEMENTS", "100")
    path = project / "data" / "person" / "someone.yaml"
    path.write_text(path.read_text() + "  note: {en: A note, ja: 注}\n")
    (warning,) = pipeline.build(project, tmp_path / "releases").warnings
    assert re.match(r"proved consistent: the ontology and [1-9]\d of [1-9]\d\d statements", warning)
    (project / ".cache" / "records.sqlite").unlink()
    (warning,) = pipeline.build(project, tmp_path / "releases").warnings
    assert warning == "proved consistent: the ontology alone (KG_REASON_STATEMENTS=100)"


def test_what_was_proved_is_not_proved_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project(tmp_path / "project")
    asked: list[int] = []

    def counted(quads: list[Quad], bounds: reasoning.ReasoningBounds) -> bool:
        asked.append(len(quads))
        return True

    monkeypatch.setattr(reasoning, "is_consistent", counted)
    path = project / "data" / "person" / "someone.yaml"
    proofs = []
    for edit in ("", "  note: {en: A note, ja: 注}\n", "  possiblySameAs: law:act\n"):
        path.write_text(path.read_text() + edit)
        pipeline.build(project, tmp_path / "releases")
        proofs.append(len(asked))
    # Names and texts are irrelevant to the reasoner, links are not.
    assert proofs == [1, 1, 2]
    core = project / "ontology" / "core.ttl"
    core.write_text(core.read_text() + "\n# a comment\n")
    pipeline.build(project, tmp_path / "releases")
    assert len(asked) == 3
