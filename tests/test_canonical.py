"""Canonical documents: sorted in pieces, they are what the whole in memory would be."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import dataset
import pytest
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, RdfFormat, parse

from kg import canonical, store

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
    account = store.Account("http://example.org/", "2026-07-01T00:00:00+00:00", "tests")
    with store.build_lock(tmp_path):
        staged = store.stage(tmp_path, [*BLANK, *ODD], account, {})
        release = store.open_release(store.publish(tmp_path, staged), in_memory_up_to=0)
    written = list(parse(path=str(release.directory / "dataset.nq"), format=RdfFormat.N_QUADS))
    assert set(release.store) == set(store.merged(written))
    assert release.manifest.records == len({q.subject for q in written})
