"""The ontology and the whole graph keep to the profiles that the documents name, and ROBOT has nothing to report."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import maven
import pytest
from dataset import PROJECT, ROOT, load
from pyoxigraph import BlankNode, Literal, NamedNode, RdfFormat, Triple, serialize

from kg.curation import builder
from kg.rdf import iris

RULES = ROOT / "tests" / "robot"
OWL = "http://www.w3.org/2002/07/owl#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
TYPE = NamedNode(iris.RDF_TYPE)


@pytest.fixture(scope="module")
def robot() -> list[str]:
    """ROBOT's command line."""
    try:
        jars = maven.classpath(maven.locked(ROOT / "tests" / "clients" / "robot.lock"))
        return [maven.java(), "-Xmx2g", "-cp", jars, "org.obolibrary.robot.CommandLineInterface"]
    except maven.Missing as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


def ontology() -> list[Triple]:
    return [quad.triple for quad in builder.ontology_quads(PROJECT)]


def graph() -> list[Triple]:
    """The ontology and every stated fact."""
    return [*ontology(), *{quad.triple for quad in load().asserted}]


def told(robot: list[str], folder: Path, triples: list[Triple], *command: str) -> tuple[int, str]:
    """The exit code of a command on the triples, and what it wrote."""
    given, written = folder / "given.nt", folder / "written.txt"
    given.write_bytes(serialize(triples, format=RdfFormat.N_TRIPLES) or b"")
    done = subprocess.run(
        [*robot, *command, "--input", given, "--output", written],
        cwd=RULES,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert written.is_file(), done.stdout + done.stderr
    return done.returncode, written.read_text(encoding="utf-8")


@pytest.mark.parametrize("profile", ["DL", "RL"])
def test_the_whole_graph_is_in_the_profile(robot: list[str], tmp_path: Path, profile: str) -> None:
    code, report = told(robot, tmp_path, graph(), "validate-profile", "--profile", profile)
    assert code == 0, report[:3000]


OUTSIDE = {
    # A date is no value of OWL 2's datatypes.
    "DL": [
        Triple(NamedNode("urn:p"), TYPE, NamedNode(OWL + "DatatypeProperty")),
        Triple(
            NamedNode("urn:s"),
            NamedNode("urn:p"),
            Literal("2026", datatype=NamedNode("http://www.w3.org/2001/XMLSchema#gYear")),
        ),
    ],
    # To have something is no superclass in OWL 2 RL.
    "RL": [
        Triple(NamedNode(iris.ONTOLOGY + "#Plan"), NamedNode(RDFS + "subClassOf"), some := BlankNode()),
        Triple(some, TYPE, NamedNode(OWL + "Restriction")),
        Triple(some, NamedNode(OWL + "onProperty"), NamedNode(iris.ONTOLOGY + "#says")),
        Triple(some, NamedNode(OWL + "someValuesFrom"), NamedNode(iris.ONTOLOGY + "#Statement")),
    ],
}


@pytest.mark.parametrize("profile", OUTSIDE)
def test_what_is_outside_a_profile_is_found(robot: list[str], tmp_path: Path, profile: str) -> None:
    code, report = told(robot, tmp_path, [*ontology(), *OUTSIDE[profile]], "validate-profile", "--profile", profile)
    assert code == 1
    assert "NOT in profile" in report


REPORT = ("report", "--profile", "report.txt", "--fail-on", "WARN")


def test_robot_has_nothing_to_report(robot: list[str], tmp_path: Path) -> None:
    assert told(robot, tmp_path, ontology(), *REPORT) == (0, "Level\tRule Name\tSubject\tProperty\tValue\n")


def test_faults_are_reported(robot: list[str], tmp_path: Path) -> None:
    """Our own rules, each with a fault."""
    plan, measure = (NamedNode(f"{iris.ONTOLOGY}#{name}") for name in ("Plan", "Measure"))
    label, definition = NamedNode(RDFS + "label"), NamedNode("http://www.w3.org/2004/02/skos/core#definition")
    sound = [t for t in ontology() if (t.subject, t.predicate) != (NamedNode(iris.ONTOLOGY + "#Guideline"), definition)]
    faults = [
        Triple(plan, label, Literal("strategy", language="en")),
        Triple(plan, NamedNode(RDFS + "subClassOf"), measure),
    ]
    code, report = told(robot, tmp_path, sound + faults, *REPORT)
    assert code == 1
    rules = {line.split("\t")[1] for line in report.splitlines()[1:]}
    assert rules >= {
        f"file:{name}" for name in ("deprecated_reference", "duplicate_label", "missing_definition", "multiple_labels")
    }
