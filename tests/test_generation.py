"""Generated data: the quads equal those of a build of the same records, in the shape of the real graph."""

from __future__ import annotations

import gzip
import os
import re
from collections import Counter
from pathlib import Path

import pytest
from dataset import BASE
from projects import ROOT, run_kg
from pyoxigraph import Literal, NamedNode, Quad, RdfFormat, parse

from kg.build import pipeline, reasoning
from kg.curation import builder
from kg.errors import KgError
from kg.partners import datasets
from kg.partners.fetch import FetchLimits
from kg.project.reading import read_project
from kg.rdf import canonical
from kg.rdf.terms import value
from tools.synthetic import generation
from tools.synthetic.generation import Plan

COPIES = 4
PREF_LABEL = "http://www.w3.org/2004/02/skos/core#prefLabel"
PERSON = "http://xmlns.com/foaf/0.1/Person"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return generation.plan(ROOT)


@pytest.fixture(scope="module")
def written(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plan.write(COPIES, tmp_path_factory.mktemp("quads"), "nq")


@pytest.fixture(scope="module")
def quads(written: Path) -> list[Quad]:
    return read(written)


@pytest.fixture(scope="module")
def project(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plan.write(COPIES, tmp_path_factory.mktemp("project"), "yaml")


def read(path: Path) -> list[Quad]:
    return list(parse(path=str(path), format=RdfFormat.N_QUADS))


def stated(root: Path) -> list[Quad]:
    return [*builder.asserted_quads(builder.read_all(read_project(root))), *builder.ontology_quads(read_project(root))]


def test_quads_are_those_of_a_build(project: Path, quads: list[Quad]) -> None:
    asserted = stated(project)
    inferred = reasoning.inferred_quads(reasoning.close(asserted, project / "queries" / "rules"), BASE)
    ours = [*asserted, *inferred]
    joined = datasets.load(read_project(project), ours, FetchLimits(), offline=True)
    assert joined.joined
    built, written = canonical.ordered([*ours, *joined.quads]), canonical.ordered(quads)
    assert set(map(str, built[0])) ^ set(map(str, written[0])) == set()
    assert built[1] == written[1]


@pytest.mark.slow
def test_every_copy_passes_all_shapes_and_checks(project: Path, quads: list[Quad]) -> None:
    curated = builder.read_all(read_project(project))
    assert curated.problems == []
    # Statements about shared topics alone are the same in every copy.
    assert [p for p in pipeline._check(quads, project, curated) if "[statement-repeated]" not in str(p)] == []


def real(quads: list[Quad]) -> list[Quad]:
    """The quads that mention no copy."""
    return [q for q in quads if not copy_of(q)]


def test_the_records_as_they_are_come_first(quads: list[Quad]) -> None:
    records = {q for q in stated(ROOT) if not value(q.graph_name).endswith("/ontology")}
    assert records < set(quads)


def test_the_size_is_that_of_the_merged_graph(plan: Plan, quads: list[Quad]) -> None:
    assert plan.size(COPIES) == len({q.triple for q in quads})
    assert plan.copies(plan.size(COPIES)) == COPIES
    assert plan.copies(1) == 0


def test_the_same_seed_gives_the_same_bytes(plan: Plan, written: Path, tmp_path: Path) -> None:
    again = generation.plan(ROOT).write(COPIES, tmp_path / "again", "nq.gz")
    assert gzip.decompress(again.read_bytes()) == written.read_bytes()
    other = plan.write(COPIES, tmp_path / "other", "nq", seed=2)
    assert other.read_bytes() != written.read_bytes()
    assert len({q.triple for q in read(other)}) == plan.size(COPIES)


def per_thousand(counts: Counter[str], total: int) -> dict[str, float]:
    return {key: 1000 * n / total for key, n in counts.items()}


def shape(quads: list[Quad]) -> dict[str, float]:
    """The share in per mille of each predicate, language and datatype, without the vocabulary."""
    triples = {q.triple for q in quads if not value(q.graph_name).endswith("/ontology")}
    counts = Counter(t.predicate.value for t in triples)
    literals = [t.object for t in triples if isinstance(t.object, Literal)]
    counts.update(f"@{x.language}" if x.language else x.datatype.value for x in literals)
    return per_thousand(counts, len(triples))


def degrees(quads: list[Quad], *, incoming: bool) -> list[int]:
    """The outgoing or incoming links of records, sorted."""
    triples = {q.triple for q in quads if isinstance(q.object, NamedNode)}
    ends = (t.object if incoming else t.subject for t in triples)
    return sorted(Counter(e for e in ends if value(e).startswith(BASE.id)).values())


def originals(quads: list[Quad]) -> list[Quad]:
    """The statements about what was copied, in the graph as it is."""
    copied = {value(q.subject).replace("-w1", "", 1) for q in quads if copy_of(q.subject) == "1"}
    return [q for q in real(quads) if value(q.subject) in copied]


def test_the_shape_is_that_of_the_real_graph(quads: list[Quad]) -> None:
    before, after = shape(originals(quads)), shape([q for q in quads if copy_of(q.subject)])
    for key in before.keys() | after.keys():
        # Few statements about a copied record follow from a shared one, such as a match of a topic.
        assert after.get(key, 0) == pytest.approx(before.get(key, 0), rel=0.3, abs=1), key


@pytest.mark.parametrize("incoming", [False, True])
def test_degrees_are_those_of_the_real_graph(quads: list[Quad], incoming: bool) -> None:
    copied = {q.subject for q in originals(quads)}
    before = degrees([q for q in real(quads) if (q.object if incoming else q.subject) in copied], incoming=incoming)
    after = degrees([q for q in quads if copy_of(q.object if incoming else q.subject)], incoming=incoming)
    for part in (0.1, 0.25, 0.5, 0.75, 0.9, 0.99):
        first, then = before[int(part * len(before))], after[int(part * len(after))]
        assert then == pytest.approx(first, rel=0.2, abs=1), part


def test_what_is_not_copied_is_linked_to_by_every_copy(quads: list[Quad]) -> None:
    japan = NamedNode(BASE.record_iri("place/japan"))
    before, after = (len({q.triple for q in some if q.object == japan}) for some in (real(quads), quads))
    assert after > COPIES * before * 0.8


def test_copies_link_to_others(quads: list[Quad]) -> None:
    links = {(copy_of(q.subject), copy_of(q.object)) for q in quads if isinstance(q.object, NamedNode)}
    assert any(a and b and a != b for a, b in links)


def copy_of(term: object) -> str:
    """The number of the copy that a name belongs to; '' for uncopied records."""
    found = re.search(r"-w(\d+)(?=[/#>])", str(term))
    return found[1] if found else ""


def test_names_and_outside_identities_are_given_once(quads: list[Quad]) -> None:
    persons = {q.subject for q in quads if value(q.object) == PERSON}
    names = Counter(q.object for q in quads if q.subject in persons and q.predicate.value == PREF_LABEL)
    assert len(names) >= 2 * len(persons)
    assert set(names.values()) == {1}
    same = Counter(q.object for q in quads if q.predicate.value.endswith("#sameAs"))
    assert set(same.values()) == {1}


def test_no_marker_is_left(written: Path, project: Path) -> None:
    texts = [written.read_text(), *(p.read_text() for p in (project / "data").rglob("*.yaml"))]
    for text in texts:
        assert "x0w0x" not in text
        assert "x1w1x" not in text
        assert not any("\ue000" <= character <= "\uf8ff" for character in text)
        assert "99900000" not in text


def test_more_than_there_are_names_for(plan: Plan) -> None:
    with pytest.raises(KgError, match="there are distinct names for at most"):
        plan.copies(10**12)


def test_the_command(plan: Plan, tmp_path: Path) -> None:
    result = run_kg(ROOT, "generate", "--scale", "30000", "--out", str(tmp_path))
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{plan.size(plan.copies(30_000)):,} triples: {tmp_path}{os.sep}dataset.nq\n"


def test_a_folder_that_cannot_be_written(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KgError, match="cannot write"):
        plan.write(1, tmp_path / "file" / "below", "nq")
