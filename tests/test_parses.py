"""The cache of parsed records: unchanged records are not parsed again, and the result is the same."""

from __future__ import annotations

import datetime
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from projects import make_project

from kg.build import pipeline
from kg.curation import builder, parses, records
from kg.errors import Rejected
from kg.project.reading import read_project
from kg.release import store

THEN = datetime.datetime(2026, 7, 1, tzinfo=datetime.UTC)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of parsed files, in order."""
    paths: list[str] = []
    parse = records.read

    def counted(path: Path, *others: object) -> object:
        paths.append(path.stem)
        return parse(path, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(records, "read", counted)
    return paths


def mapped(project: Path) -> tuple[builder.Curated, list[str]]:
    with parses.opened(read_project(project), builder.read_context(project)) as kept:
        curated = builder.read_all(read_project(project), parses=kept)
        return curated, [str(q) for q in builder.asserted_quads(curated)]


def kept_file(project: Path) -> Path:
    return project / ".cache" / "records.sqlite"


def edit(project: Path) -> Path:
    path = next(p for p in builder.data_files(project) if "curator:\n" in p.read_text())
    path.write_text(path.read_text().replace("curator:\n", "curator:\n  note: {en: changed, ja: 変更}\n", 1))
    return path


def test_an_unchanged_record_is_not_parsed_again(project: Path, read: list[str]) -> None:
    first = mapped(project)
    assert len(read) == len(first[0].records)
    read.clear()
    second = mapped(project)
    assert read == []
    assert second[1] == first[1]
    path = edit(project)
    mapped(project)
    assert read == [path.stem]


def content(release: Path) -> dict[str, Any]:
    """The manifest without the checksums of files that no two builds write alike."""
    fields: dict[str, Any] = json.loads((release / "manifest.json").read_text())
    files = {name: known for name, known in fields.pop("files").items() if not name.startswith(("store", "search"))}
    fields.pop("seal")
    return {**fields, "files": files}


def test_a_warm_build_is_a_cold_build(project: Path, tmp_path: Path) -> None:
    """After an edit, one file is parsed, and the release equals that of a clean build byte by byte."""
    pipeline.build(project, tmp_path / "before", issued=THEN)
    edit(project)
    warm = pipeline.build(project, tmp_path / "warm", issued=THEN)
    kept_file(project).unlink()
    cold = pipeline.build(project, tmp_path / "cold", issued=THEN)
    assert (warm.parsed, cold.parsed) == (1, cold.records)
    assert warm.release is not None
    assert cold.release is not None
    names = sorted(p.relative_to(cold.release) for p in cold.release.rglob("*") if p.is_file())
    # The engine and the search index write their own names and times, of which the manifest has checksums.
    compared = [n for n in names if n.parts[0] not in ("store", "search", "manifest.json")]
    assert len(compared) > 5
    assert content(warm.release) == content(cold.release)
    for name in compared:
        assert (warm.release / name).read_bytes() == (cold.release / name).read_bytes(), name
    assert set(store.open_release(warm.release).store) == set(store.open_release(cold.release).store)


def test_a_build_of_the_same_files_parses_nothing(project: Path, tmp_path: Path) -> None:
    first = pipeline.build(project, tmp_path / "releases")
    again = pipeline.build(project, tmp_path / "releases")
    assert (first.parsed, again.parsed) == (first.records, 0)
    assert again.release == first.release


def test_what_is_known_of_a_record_is_the_same(project: Path) -> None:
    cold, _ = mapped(project)
    warm, _ = mapped(project)
    for before, after in zip(cold.records, warm.records, strict=True):
        before.blocks = {}
        assert after == before


def test_a_moved_file_is_another_record(project: Path, read: list[str]) -> None:
    mapped(project)
    read.clear()
    path = edit(project)
    path.rename(path.with_stem("moved"))
    with parses.opened(read_project(project), builder.read_context(project)) as kept:
        builder.read_all(read_project(project), parses=kept)
    assert read == ["moved"]


def test_another_context_reads_everything_again(project: Path, read: list[str]) -> None:
    mapped(project)
    read.clear()
    path = project / "ontology" / "context.jsonld"
    path.write_text(path.read_text().replace('"note":', '"remark": {"@id": "skos:note"}, "note":', 1))
    curated, _ = mapped(project)
    assert len(read) == len(curated.records)


@pytest.mark.parametrize("damaged", ["CAST(replace(CAST(body AS TEXT), 'en', 'de') AS BLOB)", "'text'", "NULL"])
def test_a_damaged_entry_is_noticed(project: Path, read: list[str], damaged: str) -> None:
    before = mapped(project)[1]
    with sqlite3.connect(kept_file(project)) as connection:
        connection.execute(f"UPDATE parse SET body = {damaged}")
    connection.close()
    read.clear()
    curated, after = mapped(project)
    assert len(read) == len(curated.records)
    assert after == before
    read.clear()
    mapped(project)
    assert read == []


def test_a_file_that_is_no_database_is_made_anew(project: Path, read: list[str]) -> None:
    before = mapped(project)[1]
    kept_file(project).write_bytes(b"not a database" * 100)
    assert mapped(project)[1] == before
    read.clear()
    assert mapped(project)[1] == before
    assert read == []


def test_a_file_with_a_problem_is_read_each_time(project: Path, read: list[str]) -> None:
    mapped(project)
    path = edit(project)
    path.write_text(path.read_text().replace("  note:", "  notte:", 1))
    told = []
    for _ in range(2):
        read.clear()
        with pytest.raises(Rejected) as rejected:
            mapped(project)
        assert read == [path.stem]
        told.append([str(p) for p in rejected.value.problems])
    assert told[0] == told[1]
    assert any(":note" in t or "notte" in t for t in told[0])


def test_old_parses_are_dropped(project: Path) -> None:
    for number in range(12):
        for path in builder.data_files(project):
            path.write_text(path.read_text() + f"# {number}\n")
        curated, _ = mapped(project)
    with sqlite3.connect(kept_file(project)) as connection:
        (count,) = connection.execute("SELECT COUNT(*) FROM parse").fetchone()
    connection.close()
    assert count <= 2 * len(curated.records)


def test_a_place_that_cannot_be_written_keeps_nothing(project: Path, read: list[str]) -> None:
    (project / ".cache").write_text("a file where a folder should be")
    first = mapped(project)[1]
    assert mapped(project)[1] == first
    assert not kept_file(project).exists()
