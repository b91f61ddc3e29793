"""Canonical documents: sorting in pieces gives the same result as sorting in memory."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import dataset
import pytest
from projects import ROOT, run_kg
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, RdfFormat, parse, serialize

from kg.build import pipeline
from kg.errors import BrokenRelease, KgError
from kg.rdf import canonical
from kg.rdf.terms import value
from kg.release import store

BLANK = [
    Quad(BlankNode(f"b{n}"), NamedNode("urn:next"), BlankNode(f"b{(n + 1) % 12}"), BlankNode(f"g{n % 3}"))
    for n in range(12)
]
ODD = [
    Quad(NamedNode("urn:s"), NamedNode("urn:p"), Literal(text), *graph)
    for text in ("line\nbreak", "\u2028", "tab\t", "\U0001f600", "\ue000", 'quote" <urn:g> .', "")
    for graph in ((), (NamedNode("urn:g"),), (NamedNode("urn:g1"),))
]


@pytest.fixture(scope="module")
def quads() -> list[Quad]:
    return [*dataset.load().everything, *BLANK, *ODD]


@pytest.mark.parametrize("run", [100, 7_000, 500_000])
def test_pieces_give_what_the_whole_gives(
    quads: list[Quad], run: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canonical, "_RUN", run)
    shuffled = [*quads, *quads[:500]]
    random.Random(run).shuffle(shuffled)
    ordered, digest = canonical.ordered(quads)
    assert canonical.write(iter(shuffled), tmp_path / "dataset.nq") == digest
    text = (tmp_path / "dataset.nq").read_bytes()
    assert hashlib.sha256(text).hexdigest() == digest
    assert list(canonical.read(tmp_path / "dataset.nq")) == ordered
    assert [p.name for p in tmp_path.iterdir()] == ["dataset.nq"]


def test_nothing(tmp_path: Path) -> None:
    assert canonical.write([], tmp_path / "dataset.nq") == hashlib.sha256().hexdigest()


def test_merging_in_order_gives_each_triple_once(quads: list[Quad]) -> None:
    ordered, _ = canonical.ordered(quads)
    merged = list(canonical.merged(ordered))
    assert set(merged) == set(store.merged(ordered))
    assert len(merged) - len(ordered) == len({q.triple for q in ordered})


def test_figures_are_those_of_the_quads(quads: list[Quad]) -> None:
    ordered, _ = canonical.ordered(quads)
    figures = canonical.Figures()
    assert list(canonical.counted(ordered, figures)) == ordered
    assert figures.quads == len(ordered)
    assert figures.triples == len({q.triple for q in ordered})
    assert figures.subjects == len({q.subject for q in ordered})
    assert figures.predicates == {q.predicate.value for q in ordered}
    assert sum(figures.graphs.values()) == len(ordered)
    assert figures.ontology_version


def test_the_store_and_its_file_agree(tmp_path: Path) -> None:
    account = store.BuildInfo("http://example.org/", "2026-07-01T00:00:00+00:00", "tests")
    with store.build_lock(tmp_path):
        staged = store.stage(tmp_path, [*BLANK, *ODD], account, {})
        release = store.open_release(store.publish(tmp_path, staged), in_memory_up_to=0)
    written = list(parse(path=str(release.directory / "dataset.nq"), format=RdfFormat.N_QUADS))
    assert set(release.store) == set(store.merged(written))
    assert release.manifest.records == len({q.subject for q in written})


def test_a_large_dataset_is_dumped_line_by_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_MOST_IN_EVERY_SYNTAX", len(ODD) - 1)
    account = store.BuildInfo("http://example.org/", "2026-07-01T00:00:00+00:00", "tests")
    with store.build_lock(tmp_path):
        large = store.read_manifest(store.stage(tmp_path, ODD, account, {}))
        small = store.read_manifest(store.stage(tmp_path, ODD[1:], account, {}))
    assert set(large.dumps) == {"dataset.nq.gz", "dataset.nt.gz"}
    assert set(large.dumps) < set(small.dumps)


def test_files_are_merged_on_request(tmp_path: Path) -> None:
    file = tmp_path / "data.nq"
    file.write_bytes(serialize(ODD, format=RdfFormat.N_QUADS) or b"")
    sizes = {}
    for option in ("--merged", "--base-iri=http://example.org/"):
        folder = tmp_path / option.strip("-:/.=").replace("/", "")
        result = run_kg(ROOT, "release", str(file), option, "--out", str(folder))
        assert result.returncode == 0, result.stderr
        release = store.open_release(store.current_directory(folder))
        sizes[option] = len(release.store), release.manifest.triples
    each, default = len({q.triple for q in ODD}), len([q for q in ODD if not value(q.graph_name)])
    assert sizes["--merged"] == (len(ODD) - default + each, each)
    assert sizes["--base-iri=http://example.org/"] == (len(ODD), default)


def test_a_file_that_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    file = tmp_path / "broken.nq"
    file.write_text("<urn:s> <urn:p> <urn:o> .\n<urn:s> <urn:p> ")
    with pytest.raises(KgError, match=r"broken\.nq:2"):
        pipeline.release_from_files([file], tmp_path / "releases", "http://example.org/", {})
    assert [p.name for p in (tmp_path / "releases").iterdir()] == [".lock"]


@pytest.mark.parametrize("size", [0, 1, 2, 40])
def test_the_ends_of_a_document(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canonical, "_BLOCK", 50)
    document = tmp_path / "dataset.nq"
    canonical.write([*ODD, *BLANK][:size], document)
    ordered = list(canonical.read(document))
    assert set(canonical.ends(document)) == {*ordered[:1], *ordered[-1:]}


def test_a_store_of_another_document_is_refused(tmp_path: Path) -> None:
    account = store.BuildInfo("http://example.org/", "2026-07-01T00:00:00+00:00", "tests")
    with store.build_lock(tmp_path):
        directory = store.publish(tmp_path, store.stage(tmp_path, ODD, account, {}))
    document = directory / "dataset.nq"
    document.write_bytes(document.read_bytes() + b"<urn:x> <urn:p> <urn:o> .\n")
    for limit in (0, 1_000):
        with pytest.raises(BrokenRelease):
            store.open_release(directory, in_memory_up_to=limit)
