"""Every shape and check has a record that violates it, every rule adds a triple, and valid data passes."""

from __future__ import annotations

from pathlib import Path

import pyshacl
import pytest
import rdflib
from dataset import BASE, PROJECT, load
from projects import ROOT, make_project
from pyoxigraph import NamedNode, Quad, RdfFormat, parse
from rdflib.namespace import RDF, SH

from kg.build import checks, pipeline, reasoning
from kg.build.shapes import Shapes, Violation
from kg.curation import builder
from kg.errors import KgError
from kg.project import profiles

INVALID = ROOT / "tests" / "fixtures" / "invalid"
SHAPES = profiles.all_files(ROOT)
CHECKS = ROOT / "queries" / "checks"
BREAKING = sorted((INVALID / "checks").glob("*.ttl"))
GRAPH = NamedNode(BASE.graph_iri("test/1"))


@pytest.fixture(scope="module")
def shapes() -> rdflib.Graph:
    parsed = rdflib.Graph()
    for path in SHAPES:
        parsed.parse(path, format="turtle")
    return parsed


def messages(graph: rdflib.Graph, predicate: rdflib.URIRef) -> set[str]:
    return {str(o) for o in graph.objects(None, predicate) if isinstance(o, rdflib.Literal) and o.language == "en"}


def test_every_constraint_is_broken_by_some_fixture(shapes: rdflib.Graph) -> None:
    data = rdflib.Graph().parse(INVALID / "shapes.ttl", format="turtle")
    for quad in builder.ontology_quads(PROJECT):
        if quad.predicate.value.endswith("#subClassOf"):
            data.add((rdflib.URIRef(quad.subject.value), rdflib.RDFS.subClassOf, rdflib.URIRef(quad.object.value)))
    _, report, _ = pyshacl.validate(data, shacl_graph=shapes, inference="none")
    assert isinstance(report, rdflib.Graph)
    assert messages(shapes, SH.message) - messages(report, SH.resultMessage) == set()


def test_the_shapes_are_shapes(shapes: rdflib.Graph) -> None:
    _, report, text = pyshacl.validate(rdflib.Graph(), shacl_graph=shapes, meta_shacl=True, inference="none")
    assert "Conforms: True" in text, report


def test_every_class_with_records_has_a_shape(shapes: rdflib.Graph) -> None:
    targets = {str(t) for t in shapes.objects(None, SH.targetClass)}
    ontology = rdflib.Graph()
    for name in ("core.ttl", "imports/external.ttl"):
        ontology.parse(ROOT / "ontology" / name, format="turtle")
    used = {q.object.value for q in load().asserted if q.predicate.value == str(RDF.type)}
    parts_of_others = {"Instant", "Interval", "TextPositionSelector", "DocumentStatus"}
    for name in used:
        above = {str(c) for c in ontology.transitive_objects(rdflib.URIRef(name), rdflib.RDFS.subClassOf)}
        assert above & targets or name.rpartition("#")[2].rpartition("/")[2] in parts_of_others, name


def test_a_violation_is_placed_in_its_file(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    path = project / "data" / "programme" / "example.yaml"
    text = path.read_text().replace('amount: "800000000"', 'amount: "0"').replace("      asPrinted: 8億円\n", "")
    path.write_text(text)
    budget = "programme:example#budget-2026-initial"
    assert [str(p) for p in pipeline.check(project)] == [
        f"data/programme/example.yaml:7:11: {budget} kg:asPrinted: a budget needs the amount as printed"
        " / 予算額には原表記が必要です [shape]",
        f"data/programme/example.yaml:11:15: {budget} kg:amount: a budget must have exactly one amount above zero, "
        "in units of its currency"
        " / 予算額には正の金額が一つ必要です。通貨の単位で記します (is: 0) [shape]",
    ]


@pytest.mark.parametrize("path", BREAKING, ids=lambda p: p.stem)
def test_check(path: Path) -> None:
    quads = [Quad(q.subject, q.predicate, q.object, GRAPH) for q in parse(path=str(path))]
    curated = builder.Curated(PROJECT, builder.read_context(ROOT))
    problems = checks.checks([*quads, *builder.ontology_quads(PROJECT)], CHECKS, curated)
    named = [p for p in problems if p.rule == path.stem]
    assert named, problems
    if path.stem != "graph-without-evidence":
        assert all("test/this" in p.message or "test/b" in p.message for p in named)


def test_what_only_looks_wrong_is_a_warning() -> None:
    curated = builder.Curated(PROJECT, builder.read_context(ROOT))
    for name, is_warning in (("topic-unused", True), ("statement-cycle", False)):
        quads = [Quad(q.subject, q.predicate, q.object, GRAPH) for q in parse(path=INVALID / "checks" / f"{name}.ttl")]
        found = checks.checks([*quads, *builder.ontology_quads(PROJECT)], CHECKS, curated)
        assert {p.is_warning for p in found if p.rule == name} == {is_warning}


def test_every_check_has_a_fixture() -> None:
    assert {p.stem for p in BREAKING} == {p.stem for p in CHECKS.glob("*.rq")}


def test_every_rule_adds_something_to_the_real_data() -> None:
    data = load()
    closure = reasoning.close([*data.asserted, *builder.ontology_quads(PROJECT)], ROOT / "queries" / "rules")
    assert [name for name, count in closure.by_rule.items() if not count] == []


@pytest.mark.parametrize(
    ("name", "before", "after", "told"),
    [
        # The class of a neighbour, which is another file's.
        ("vocabulary/kinds.yaml", "type: Role", "type: Concept", "data/person/someone.yaml"),
        ("person/someone.yaml", "type: Membership", "type: Citation", "data/person/someone.yaml"),
        (
            "organization/institute.yaml",
            "      unitOf: organization:institute\n",
            "",
            "data/organization/institute.yaml",
        ),
        ("fiscal-year/2026.yaml", "type: FiscalYear", "type: Event", "data/programme/example.yaml"),
    ],
)
def test_a_change_is_noticed_where_it_matters(tmp_path: Path, name: str, before: str, after: str, told: str) -> None:
    project = make_project(tmp_path / "project")
    assert pipeline.check(project) == []
    path = project / "data" / name
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")
    found = pipeline.check(project)
    assert told in {problem.file for problem in found if problem.rule == "shape"}
    assert pipeline.check(project) == found
    path.write_text(text, encoding="utf-8")
    assert pipeline.check(project) == []


def test_warnings_do_not_stop_a_build(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    path = project / "ontology" / "shapes" / "core.ttl"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text
        + "\nshapes:Hint a sh:NodeShape ; sh:targetClass kg:Programme ; sh:property [ sh:path skos:altLabel ;"
        + " sh:minCount 1 ; sh:severity sh:Warning ;"
        + ' sh:message "a short name would help"@en , "略称があるとよい"@ja ] .\n',
        encoding="utf-8",
    )
    problems = pipeline.check(project)
    assert [p.is_warning for p in problems] == [True]
    assert "warning: programme:example skos:altLabel: a short name would help" in str(problems[0])
    summary = pipeline.build(project, project / ".releases")
    assert len(summary.warnings) == 1


# ---- the engine ----

PREFIXES = """@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix ex: <http://example.org/> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> . """
OF_C = PREFIXES + "ex:S a sh:NodeShape ; sh:targetClass ex:C ; {} ."


def found_by(tmp_path: Path, constraint: str, data: str) -> list[Violation]:
    path = tmp_path / "shapes.ttl"
    path.write_text(OF_C.format(constraint), encoding="utf-8")
    return Shapes(path).violations(parse(PREFIXES + data, format=RdfFormat.TURTLE))


def test_blank_nodes_keep_their_names(tmp_path: Path) -> None:
    """Also those in the message of a query; the engine has names of its own."""
    query = (
        'sh:sparql [ sh:select "SELECT $this ?value { $this <http://example.org/p> ?value }" ;'
        ' sh:message "{$this} and {?value}"@en ]'
    )
    (found,) = found_by(tmp_path, query, "_:this a ex:C ; ex:p _:that .")
    assert (found.focus, found.value) == ("_:this", "_:that")
    assert found.messages == {"en": "_:this and _:that"}


def test_a_message_has_its_languages(tmp_path: Path) -> None:
    own = 'sh:message "same"@en , "same"@fr , "他"@ja , "bare" , "_:b0 {$this}"@de'
    (found,) = found_by(tmp_path, f"sh:property [ sh:path ex:p ; sh:minCount 1 ; {own} ]", "ex:x a ex:C .")
    assert found.messages == {"": "bare", "de": "_:b0 {$this}", "en": "same", "fr": "same", "ja": "他"}


def test_a_shape_without_a_message_is_named_by_its_constraint(tmp_path: Path) -> None:
    (found,) = found_by(tmp_path, "sh:property [ sh:path ex:p ; sh:minCount 1 ]", "ex:x a ex:C .")
    assert found.messages == {"en": "violates sh:minCount", "ja": "sh:minCountに違反しています"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("ex:p", ("http://example.org/p",)),
        ("[ sh:inversePath ex:p ]", ("^http://example.org/p",)),
        (
            "[ sh:alternativePath ( ex:p [ sh:inversePath ex:q ] ) ]",
            ("http://example.org/p", "^http://example.org/q"),
        ),
        ("( ex:p ex:q )", ()),
        ("[ sh:zeroOrMorePath ex:p ]", ()),
        ("[ sh:inversePath [ sh:alternativePath ( ex:p ex:q ) ] ]", ()),
    ],
)
def test_a_path_is_its_alternatives(tmp_path: Path, path: str, expected: tuple[str, ...]) -> None:
    (found,) = found_by(tmp_path, f"sh:property [ sh:path {path} ; sh:minCount 5 ]", "ex:x a ex:C .")
    assert found.path == expected


def test_values_are_as_written(tmp_path: Path) -> None:
    texts = ['"01"^^xsd:integer', '"x"^^xsd:integer', '"a\\n\\"b\\"\\t"', '"A"@en-gb', '"x"^^xsd:string', "ex:日本"]
    found = found_by(tmp_path, "sh:property [ sh:path ex:p ; sh:in () ]", f"ex:x a ex:C ; ex:p {','.join(texts)} .")
    data = f"{PREFIXES} ex:x ex:p {','.join(texts)} ."
    assert {v.value for v in found} == {str(q.object) for q in parse(data, format=RdfFormat.TURTLE)}


@pytest.mark.parametrize(
    "constraint",
    [
        "sh:property [",
        'sh:property [ sh:path ex:p ; sh:minCount "x" ]',
        'sh:property [ sh:path ex:p ; sh:pattern "([" ]',
    ],
)
def test_malformed_shapes_are_an_error(tmp_path: Path, constraint: str) -> None:
    with pytest.raises(KgError, match=r"shapes\.ttl: "):
        found_by(tmp_path, constraint, "ex:x a ex:C .")
