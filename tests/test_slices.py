"""Documents that conformed are validated again only if something that affects them has changed."""

from __future__ import annotations

from pathlib import Path

import pytest
import rdflib
from projects import ROOT, make_project

from kg.build import checks, pipeline, slices
from kg.curation import builder, parses
from kg.errors import FileProblem
from kg.rdf import iris

SHAPES = ROOT / "ontology" / "shapes.ttl"
PREFIXES = "@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix ex: <http://example.org/> . "
SHAPE = "ex:s a sh:NodeShape ; sh:targetClass ex:C ; sh:property [ sh:path {path} ; {words} ] ."


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def check(project: Path, *, is_kept: bool = True) -> tuple[list[FileProblem], int]:
    """The sorted violations, and the number of documents that were validated."""
    with parses.opened(project, builder.read_context(project)) as kept:
        curated = builder.read_all(project, parses=kept if is_kept else None)
        quads = [*builder.asserted_quads(curated), *builder.ontology_quads(project)]
        found = checks.shacl(quads, project / "ontology" / "shapes.ttl", curated)
        return sorted(found), kept.validated


def change(project: Path, name: str, before: str, after: str) -> None:
    path = project / "data" / name
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def test_what_conformed_is_not_validated_again(project: Path) -> None:
    found, validated = check(project)
    assert found == []
    assert validated > len(builder.data_files(project))
    assert check(project) == ([], 0)
    change(project, "person/someone.yaml", "{en: Someone}", "{en: Somebody}")
    assert check(project) == ([], 1)
    # A change that no shape depends on.
    change(project, "person/someone.yaml", "curator:\n", "curator:\n  note: {en: A note, ja: 注}\n")
    assert check(project) == ([], 0)


@pytest.mark.parametrize(
    ("name", "before", "after", "told"),
    [
        # The class of a linked record in another file.
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
def test_a_change_is_noticed_where_it_matters(project: Path, name: str, before: str, after: str, told: str) -> None:
    check(project)
    change(project, name, before, after)
    found, validated = check(project)
    whole, _ = check(project, is_kept=False)
    assert found == whole
    assert told in {problem.file for problem in found}
    assert 0 < validated < 10
    # Violations are reported each time.
    assert check(project)[0] == whole
    make_good(project, name)
    assert check(project)[0] == []


def make_good(project: Path, name: str) -> None:
    original = ROOT / "tests" / "fixtures" / "small" / "data" / name
    (project / "data" / name).write_bytes(original.read_bytes())


def test_other_shapes_validate_everything_again(project: Path) -> None:
    _, validated = check(project)
    change(project, "../ontology/shapes.ttl", "needs a name in Japanese", "wants a name in Japanese")
    assert check(project) == ([], validated)


def test_a_build_validates_what_changed(project: Path, tmp_path: Path) -> None:
    first = pipeline.build(project, tmp_path / "releases")
    again = pipeline.build(project, tmp_path / "releases")
    assert first.validated > 0
    assert (again.parsed, again.validated) == (0, 0)
    assert again.release == first.release


def test_the_scope_of_our_shapes() -> None:
    looked_at = slices.scope(rdflib.Graph().parse(SHAPES))
    assert looked_at is not None
    assert iris.ONTOLOGY + "#budget" in looked_at.backwards
    assert iris.ONTOLOGY + "#budgetOf" in looked_at.forwards
    assert iris.ONTOLOGY + "#lastLine" in looked_at.forwards


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("( ex:p ex:q )", "sh:minCount 1"),
        ("[ sh:zeroOrMorePath ex:p ]", "sh:minCount 1"),
        ("[ sh:alternativePath ( ex:p ( ex:q ex:r ) ) ]", "sh:minCount 1"),
        ("[ sh:inversePath ( ex:p ex:q ) ]", "sh:minCount 1"),
        ("ex:p", "sh:node ex:other"),
        ("ex:p", "sh:qualifiedValueShape [ sh:class ex:D ] ; sh:qualifiedMinCount 1"),
        ("ex:p", "sh:qualifiedValueShape ex:s ; sh:qualifiedMinCount 1"),
        ("ex:p", 'sh:sparql [ sh:select "" ]'),
    ],
)
def test_shapes_that_look_further_are_known(path: str, words: str) -> None:
    near = PREFIXES + SHAPE.format(
        path="[ sh:alternativePath ( ex:p [ sh:inversePath ex:q ] ) ]", words="sh:class ex:D"
    )
    assert slices.scope(rdflib.Graph().parse(data=near)) == slices.Scope(
        frozenset({"http://example.org/p"}), frozenset({"http://example.org/q"})
    )
    assert slices.scope(rdflib.Graph().parse(data=PREFIXES + SHAPE.format(path=path, words=words))) is None
