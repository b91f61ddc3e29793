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
PREFIX time: <http://www.w3.org/2006/time#>
PREFIX acts: <https://w3id.org/aikg/id/vocabulary/acts/>
PREFIX actors: <https://w3id.org/aikg/id/vocabulary/actor-kinds/>
PREFIX directions: <https://w3id.org/aikg/id/vocabulary/directions/>
PREFIX headings: <https://w3id.org/aikg/id/vocabulary/heading-roles/>
PREFIX modalities: <https://w3id.org/aikg/id/vocabulary/modalities/>
PREFIX relations: <https://w3id.org/aikg/id/vocabulary/relations/>
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
INFERS["a policy has one date, the most precise"] = (
    ':p a kg:Plan ; dcterms:issued "2025"^^xsd:gYear , "2025-07-23"^^xsd:date .'
    ' :q a kg:Plan ; kg:hasEdition :q1, :q2 . :q1 dcterms:issued "2017"^^xsd:gYear .'
    ' :q2 dcterms:issued "2022"^^xsd:gYear .'
    ' :r a kg:Plan ; dcterms:temporal :t . :t time:hasBeginning :i . :i time:inXSDgYear "2026"^^xsd:gYear .',
    ':p kg:dated "2025-07-23"^^xsd:date . :q kg:dated "2017"^^xsd:gYear . :r kg:dated "2026"^^xsd:gYear'
    ' FILTER NOT EXISTS { :p kg:dated "2025"^^xsd:gYear } FILTER NOT EXISTS { :q kg:dated "2022"^^xsd:gYear }',
)
INFERS["what happened is an activity of those who did it"] = (
    ":e a kg:CabinetDecision ; kg:by :cabinet .",
    ":e a prov:Activity ; prov:wasAssociatedWith :cabinet",
)
STATEMENTS_INFER = {
    "a unit mentions the things in its statements": (
        ":unit kg:states :s . :s kg:object :o ; kg:sector :field ; dcterms:subject :about ; dcterms:spatial :place .",
        ":unit kg:mentions :o, :field, :about, :place . :o kg:mentionedIn :unit",
    ),
    "a document says what its units state, and treats the objects": (
        ":plan kg:hasElement :unit . :unit kg:states :unit\\/statement-1 . :unit\\/statement-1 kg:object :o .",
        ":plan kg:says :unit\\/statement-1 ; kg:treats :o",
    ),
    "a law says what its paragraphs state": (
        ":law kg:hasProvision :art3 . :art3 kg:hasProvision :para4 . :para4 kg:states :para4\\/statement-1 .",
        ":law kg:says :para4\\/statement-1",
    ),
    "a rationale gives its statement a purpose": (
        ":r a kg:Rationale ; kg:relation relations:purpose ; kg:object :o ; kg:supports :s .",
        ":s kg:hasPurpose :o ; kg:supportedBy :r",
    ),
    "means are named or done": (
        ":s kg:means :tool . :r kg:relation relations:means ; kg:object :deed ; kg:supports :s .",
        ":s kg:hasMeans :tool, :deed",
    ),
    "a stated fact is a fact": (
        ":s a kg:Assessment . modalities:fact a skos:Concept .",
        ":s kg:modality modalities:fact",
    ),
    "what a plan sets out is planned": (
        ":unit kg:states :s ; kg:headingRole headings:measures . :s a kg:Commitment ."
        " modalities:planned a skos:Concept .",
        ":s kg:modality modalities:planned",
    ),
    "what a page describes is under way": (
        ":unit kg:states :unit\\/statement-1 ; kg:headingRole headings:content . modalities:ongoing a skos:Concept ."
        " :unit\\/statement-1 a kg:Commitment .",
        ":unit\\/statement-1 kg:modality modalities:ongoing",
    ),
    "the programme is the actor by context": (
        ":p a kg:Programme ; kg:hasElement :unit . :unit kg:states :s . :s a kg:Commitment .",
        ":s kg:actorByContext :p",
    ),
    "the issuer of a plan is the actor by context": (
        ":p a kg:Plan ; dcterms:publisher :cabinet ; kg:hasElement :unit . :unit kg:states :s . :s a kg:Commitment .",
        ":s kg:actorByContext :cabinet",
    ),
    "a unit addresses the risk that its statement responds to": (
        ":unit kg:states :s . :s kg:act acts:respond ; kg:object :r . :r a kg:Risk .",
        ":unit kg:addresses :r",
    ),
    "a body works on what it does, and on what is above it": (
        ":s a kg:Commitment ; kg:actor :b ; kg:act acts:develop ; kg:object :t ; kg:modality modalities:ongoing ."
        " :b a org:Organization . :t a skos:Concept ; skos:broader :above . :c org:hasSubOrganization :b .",
        ":b kg:worksOn :t, :above . :c kg:worksOn :t . :t kg:workedOnBy :b",
    ),
    "who runs or heads an area works on its subject": (
        ":area a kg:ResearchArea ; dcterms:subject :t ; kg:headedBy :who ; kg:runBy :body . :t a skos:Concept .",
        ":area kg:contributesTo :t . :who kg:worksOn :t . :body kg:worksOn :t",
    ),
    "a body is the actor of what its programme carries out": (
        ":p kg:implementsMeasure :s ; kg:runBy :body .",
        ":body kg:actorOf :s . :s kg:fundedBy :p",
    ),
    "must is a duty": (
        ":n a kg:Norm ; kg:bearer :b ; kg:modality modalities:must . :b a org:Organization .",
        ":b kg:hasDuty :n ; kg:bearerOf :n . :n kg:actor :b",
    ),
    "a norm on universities is one on each of them": (
        ":n a kg:Norm ; kg:bearer actors:rd-institutions . :art kg:states :n ; kg:provisionOf :law ."
        " :law kg:jurisdiction :here . :u a kg:University ; kg:jurisdiction :here ."
        " actors:universities a skos:Concept ; skos:broader actors:rd-institutions .",
        ":u kg:actorKind actors:universities ; kg:subjectToNorm :n",
    ),
    "what is given as an answer leads from its ground": (":b kg:because :a .", ":a kg:leadsTo :b"),
    "what restates is restated": (":a kg:restates :b .", ":b kg:restates :a"),
    "what a society proposes is not decided": (
        ":unit\\/statement-1 a kg:Commitment . :unit kg:states :unit\\/statement-1 ; kg:elementOf :proposal ."
        " :proposal a kg:Proposal . modalities:planned a skos:Concept . modalities:proposed a skos:Concept .",
        ":unit\\/statement-1 kg:modality modalities:proposed",
    ),
    "what is quoted is said by its source": (
        ":s a kg:Statement ; prov:wasQuotedFrom :source .",
        ":source kg:says :s . :s kg:saidBy :source",
    ),
    "an assessment is named in both languages": (
        ":s a kg:Assessment ; kg:relation relations:cause ; dcterms:subject :a ; kg:object :o . :a a kg:Risk ;"
        ' skos:prefLabel "ロックイン"@ja , "Lock-in"@en . :o a kg:Risk ; skos:prefLabel "費用"@ja , "Cost"@en .',
        ':s skos:prefLabel "ロックインが費用をもたらす"@ja , "Lock-in brings about cost"@en',
    ),
    "a commitment is named after its actors, acts and object": (
        ":s a kg:Commitment ; kg:actor :a, :b ; kg:act acts:build, acts:strengthen ; kg:object :o ."
        ' acts:build skos:prefLabel "整備する"@ja , "build"@en . acts:strengthen skos:prefLabel "強化する"@ja ,'
        ' "strengthen"@en . :a skos:prefLabel "甲"@ja , "A"@en . :b skos:prefLabel "乙"@ja , "B"@en .'
        ' :o a skos:Concept ; skos:prefLabel "人材"@ja , "Talent"@en .',
        ':s skos:prefLabel "甲及び乙が人材を整備し、強化する"@ja , "A and B: build and strengthen talent"@en',
    ),
    "a norm is named with its modality": (
        ":s a kg:Norm ; kg:bearer :a ; kg:act acts:train ; kg:object :o ; kg:modality modalities:shall-endeavour ."
        ' acts:train skos:prefLabel "育成する"@ja , "train"@en . :a skos:prefLabel "国"@ja , "the State"@en .'
        ' modalities:shall-endeavour skos:prefLabel "努めるものとする"@ja , "shall endeavour"@en .'
        ' :o a skos:Concept ; skos:prefLabel "AI人材"@ja , "AI talent"@en .',
        ':s skos:prefLabel "国はAI人材を育成するよう努めるものとする"@ja ,'
        ' "The State shall endeavour to train AI talent"@en',
    ),
}
INFERS |= STATEMENTS_INFER
DOES_NOT_INFER = {
    "what is hoped for is not worked on": (
        ":s a kg:Commitment ; kg:actor :b ; kg:object :t ; kg:modality modalities:expected ."
        " :b a org:Organization . :t a skos:Concept .",
        ":b kg:worksOn :t",
    ),
    "what is planned is no activity yet": (":e a kg:PlannedEvent ; kg:by :host .", ":e prov:wasAssociatedWith :host"),
    "what is denied is not worked on": (
        ":s a kg:Commitment ; kg:actor :b ; kg:object :t ; kg:modality modalities:planned ; kg:negated true ."
        " :b a org:Organization . :t a skos:Concept .",
        ":b kg:worksOn :t",
    ),
    "a printed modality stands alone": (
        ":s a kg:Assessment ; kg:modality modalities:potential .",
        ":s kg:modality modalities:fact",
    ),
    "a printed actor leaves no other by context": (
        ":p a kg:Programme ; kg:hasElement :unit . :unit kg:states :s . :s a kg:Commitment ; kg:actor :b .",
        ":s kg:actorByContext :p",
    ),
    "a norm here does not bind a university elsewhere": (
        ":n a kg:Norm ; kg:bearer actors:universities . :art kg:states :n ; kg:provisionOf :law ."
        " :law kg:jurisdiction :here . :u a kg:University ; kg:jurisdiction :there .",
        ":u kg:subjectToNorm :n",
    ),
    "an answer to a problem is no risk": (":unit kg:states :s . :s kg:mitigates :problem .", ":problem a kg:Risk"),
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
    "a law is no programme": ":x a eli:LegalResource, kg:Programme .",
    "what is planned has not happened": ":x a kg:PlannedEvent, kg:Meeting .",
    "a commitment is no target": ":x a kg:Commitment, kg:Target .",
    "who bears a duty does so by a norm, and a programme is none": ":x a kg:Programme ; kg:bearer :b .",
    "a programme is no document": ":x a kg:Programme, kg:Strategy .",
    "a budget is no programme": ":x a kg:BudgetAllocation, kg:Programme .",
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


# The rules of OWL 2 RL; what the others infer, the reasoner is given.
OWL_RULES = {"chain", "domain", "inverse", "range", "subclass", "subproperty", "symmetric", "transitive"}


def beyond_owl(closed: list[Quad]) -> list[Quad]:
    """What the rules beyond OWL infer from a closed dataset: labels, defaults, shortcuts."""
    store = Store()
    store.extend(Quad(q.subject, q.predicate, q.object) for q in closed)
    others = [library.read(path) for path in sorted(RULES.glob("*.rq")) if path.stem not in OWL_RULES]
    return [Quad(*t) for query in others for t in library.construct(store, query.text)]


def test_closure_agrees_with_the_reasoner(ontology: list[Quad]) -> None:
    """On all real data, for every declared class and object property, including chains."""
    curated = builder.read_all(PROJECT)
    asserted = [*builder.asserted_quads(curated), *ontology]
    closed = [*asserted, *reasoning.inferred_quads(reasoning.close(asserted, RULES), BASE)]
    ours = {
        (value(t.subject), t.predicate.value, value(t.object))
        for t in reasoning.projection(closed)
        if isinstance(t.object, NamedNode) and value(t.subject).startswith(BASE.id)
    }
    theirs = entailments(reasoning.projection([*asserted, *beyond_owl(closed)]))
    missing, extra = theirs - ours, ours - theirs
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

    def counted(quads: list[Quad]) -> tuple[bytes, int]:
        asked.append(len(quads))
        return b"", 0

    # What the reasoner is asked, in a process of its own.
    monkeypatch.setattr(reasoning, "document_of", counted)
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
