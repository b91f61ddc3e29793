"""SHACL validation held against pyshacl: on every RDF fixture, on mutations of the real data, on the W3C's tests."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import rdflib
import referee
from dataset import PROJECT, load
from projects import ROOT, make_project
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, RdfFormat, parse
from rdflib.namespace import RDF, SH

from kg.build.shapes import Shapes, Violation
from kg.curation import builder
from kg.project import profiles
from kg.project.reading import read_project
from kg.rdf.datatypes import XSD

SHAPES = profiles.all_files(ROOT)
FIXTURES = sorted(p for p in (ROOT / "tests" / "fixtures").rglob("*.t*") if p.suffix in (".ttl", ".trig"))
SUITE = ROOT.parent / "shared" / "conformance" / "shacl-tests"
SHT = rdflib.Namespace("http://www.w3.org/ns/shacl-test#")
TEST = NamedNode(SHT.Validate)
MF = rdflib.Namespace("http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#")


@functools.cache
def ontology() -> list[Quad]:
    return builder.ontology_quads(PROJECT)


@functools.cache
def shapes() -> Shapes:
    return Shapes(*SHAPES)


def compare(quads: list[Quad]) -> int:
    """How many violations both find; fails where they differ."""
    found, expected = (
        referee.sorted_by_content(v) for v in (shapes().violations(quads), referee.violations(quads, *SHAPES))
    )
    assert found == expected
    return len(found)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda p: p.stem)
def test_a_fixture_is_reported_as_by_the_referee(path: Path) -> None:
    found = compare([*parse(path=str(path)), *ontology()])
    assert found or path.parent.name == "checks"


def test_valid_records_have_no_violation(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    assert compare([*builder.asserted_quads(builder.read_all(read_project(project))), *ontology()]) == 0


def test_the_real_data_has_no_violation() -> None:
    assert compare(load().everything) == 0


# Values of these are compared with others; the referee gives up where they cannot be, see below.
COMPARED = ("firstLine", "lastLine", "minValue", "maxValue", "amount", "count", "factor", "occurrences")
TEXTS = ("", "x", "1", "-1", "01", "1.0", "1e3", "2026", "20x6", "2026-13-01", "JPY", "日本", 'a\n"b', " 5")
TYPES = ("integer", "decimal", "date", "gYear", "gYearMonth", "string", "boolean", "double", "unheardOf")
BLANK = [*(BlankNode(f"b{n}") for n in range(9)), BlankNode()]


@pytest.mark.parametrize("seed", range(2))
def test_mutated_data_is_reported_as_by_the_referee(seed: int) -> None:
    chance = random.Random(seed)
    assert compare([quad for original in load().everything for quad in mutated(original, chance)]) > 300


def mutated(quad: Quad, chance: random.Random) -> list[Quad]:
    """The quad, left out, with another object, twice with two, or about another subject."""
    drawn = chance.random()
    if drawn < 0.05:
        return []
    if drawn > 0.2 or quad.predicate.value.endswith(COMPARED):
        return [quad]
    other = Quad(quad.subject, quad.predicate, value(quad.object, chance))
    if drawn < 0.15:
        return [other]
    return [quad, other] if drawn < 0.19 else [Quad(chance.choice(BLANK), quad.predicate, quad.object)]


def value(term: Any, chance: random.Random) -> Any:
    text = getattr(term, "value", "")
    everything = load().everything
    return chance.choice(
        (
            lambda: chance.choice(BLANK),
            lambda: Literal(chance.choice(TEXTS), datatype=NamedNode(XSD + chance.choice(TYPES))),
            lambda: Literal(text, language=chance.choice(("en", "ja", "en-GB", "ja-Hrkt", "zh"))),
            lambda: Literal(text + chance.choice((" ", ""))),
            lambda: NamedNode("http://nowhere.example/"),
            lambda: chance.choice(everything).object,
            lambda: chance.choice(everything).subject,
        )
    )()


def test_what_cannot_be_compared_is_not_less() -> None:
    """SHACL, section 4.5.3. pyshacl passes over such values, and raises an error when one is a blank node."""
    written = [
        Quad(NamedNode("urn:s"), NamedNode(f"https://w3id.org/aikg/ontology#{name}"), term)
        for name, term in (("firstLine", BlankNode("b")), ("firstLine", Literal("b")), ("lastLine", Literal(3)))
    ]
    kind = Quad(NamedNode("urn:s"), NamedNode(str(RDF.type)), NamedNode("https://w3id.org/aikg/ontology#Passage"))
    found = shapes().violations([kind, *written])
    assert {v.value for v in found if v.component == str(SH.LessThanOrEqualsConstraintComponent)} == {"_:b", '"b"'}


# ---- the W3C's tests ----

# What the engine, or the referee, does otherwise than a test expects.
KNOWN = {
    "unsupported-sparql-004": "a subquery that does not hand on $this is an error; the engine evaluates it",
}
KNOWN_OF_REFEREE = {
    "uniqueLang-002": "only true switches sh:uniqueLang on; pyshacl takes 1 for true",
    "prefixes-001": "prefixes of imported ontologies count; pyshacl does not look there",
    "shapesGraph-001": "pyshacl has no $shapesGraph",
}


def w3c() -> list[Any]:
    if not SUITE.is_dir():
        return [(None, None)]
    found = [(path, q) for path in sorted(SUITE.rglob("*.ttl")) for q in read(path) if q.object == TEST]
    return [pytest.param(path, q.subject.value, id=q.subject.value.rpartition("/")[2]) for path, q in found]


def read(path: Path) -> list[Quad]:
    return list(parse(path=str(path), format=RdfFormat.TURTLE, base_iri=path.resolve().as_uri()))


def path_of(iri: Any) -> Path:
    return Path(unquote(urlsplit(str(iri)).path))


def determined(found: list[Violation]) -> Any:
    """What a test determines: all but messages and the names of blank nodes."""
    bare = (replace(v, messages={}, focus=unnamed(v.focus), value=unnamed(v.value)) for v in found)
    return referee.sorted_by_content(bare)


def unnamed(term: str) -> str:
    return "_:" if term.startswith("_:") else term


def outcome(validate: Callable[[list[Quad], Path], list[Violation]], manifest: Path, name: str) -> str:
    """'' when the outcome is the expected one."""
    graph, test = referee.to_rdflib(read(manifest)), rdflib.URIRef(name)
    action, expected = graph.value(test, MF.action), graph.value(test, MF.result)
    data, shapes = (path_of(graph.value(action, name)) for name in (SHT.dataGraph, SHT.shapesGraph))
    try:
        found = validate(read(data), shapes)
    except Exception as error:  # noqa: BLE001 whatever the referee raises
        return "" if expected == SHT.Failure else str(error)
    if expected == SHT.Failure:
        return "no failure"
    named = determined(referee.read(graph, referee.to_rdflib(read(shapes))))
    return "" if determined(found) == named else f"{determined(found)}\n{named}"


W3C = w3c()


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize(("manifest", "test"), W3C)
def test_the_w3c_tests_are_met(manifest: Path, test: str) -> None:
    told = outcome(lambda quads, shapes: Shapes(shapes).violations(quads), manifest, test)
    assert bool(told) == (test.rpartition("/")[2] in KNOWN), told


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize(("manifest", "test"), W3C)
def test_the_referee_meets_the_same_tests(manifest: Path, test: str) -> None:
    told = outcome(referee.violations, manifest, test)
    assert bool(told) == (test.rpartition("/")[2] in KNOWN_OF_REFEREE), told


@pytest.mark.usefixtures("beside")
def test_the_w3c_tests_are_all_there() -> None:
    assert len(W3C) == 121
