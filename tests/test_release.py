"""Releases under faults: killed at every stage, concurrent builds, a full disk, a read-only folder."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from dataset import BASE
from projects import copy_project, environment, kg_command, make_project, run_kg
from pyoxigraph import Quad

from kg.build import pipeline, reasoning
from kg.errors import BrokenRelease, KgError
from kg.project import location
from kg.rdf import canonical, iris
from kg.release import search, store

# A build that kills itself when a stage begins.
KILLED = """
import os, signal, sys
from pathlib import Path
from kg.build import pipeline, reasoning
root = Path(sys.argv[1])
die = lambda stage: os.kill(os.getpid(), signal.SIGKILL) if stage == sys.argv[2] else None
pipeline.build(root, root / ".releases", report=die)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


@pytest.fixture
def built(small: Path, tmp_path: Path) -> Path:
    return copy_project(small, tmp_path / "project")


def change_a_fact(project: Path) -> Path:
    """Edits a label, so that the next build makes a new release; returns the file."""
    path = next(p for p in sorted((project / "data").rglob("*.yaml")) if "curator:\n" in p.read_text())
    path.write_text(path.read_text().replace("curator:\n", "curator:\n  note: {en: changed, ja: 変更}\n", 1))
    return path


def current(project: Path) -> store.Release:
    return store.open_release(store.current_directory(project / ".releases"))


def left_over(project: Path) -> list[str]:
    return [p.name for p in (project / ".releases").iterdir() if p.name.startswith(".staged")]


def test_summary_and_progress(built: Path) -> None:
    result = run_kg(built, "build")
    assert [line.split()[0] for line in result.stderr.splitlines()][:2] == ["read", "map"]
    for word in ("records", "triples asserted", "triples inferred", "warnings", "time", "peak memory"):
        assert word in result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("stage", pipeline.STAGES)
def test_kill_at_any_stage_leaves_the_last_release(built: Path, stage: str) -> None:
    before = current(built).manifest.id
    change_a_fact(built)
    killed = subprocess.run([sys.executable, "-c", KILLED, built, stage], env=environment(built), check=False)
    assert killed.returncode == -signal.SIGKILL
    assert current(built).manifest.id == before
    pipeline.build(built, built / ".releases")
    assert current(built).manifest.id != before
    assert left_over(built) == []


def test_what_the_reasoner_refuses_leaves_the_release_and_the_files_as_they_were(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an inconsistency that no check finds; the reasoner runs beside the other stages."""
    before, files = current(built).manifest.id, {p: p.read_bytes() for p in (built / "data" / "ttl").rglob("*.ttl")}
    change_a_fact(built)
    # What was proved before is not proved again.
    shutil.rmtree(built / ".cache")
    document_of = reasoning.document_of

    def with_a_conflict(quads: list[Quad]) -> tuple[bytes, int]:
        document, size = document_of(quads)
        return document + f"<urn:x> <{iris.RDF_TYPE}> <http://www.w3.org/2002/07/owl#Nothing> .\n".encode(), size

    monkeypatch.setattr(reasoning, "document_of", with_a_conflict)
    with pytest.raises(KgError, match="inconsistent in OWL 2 DL"):
        pipeline.build(built, built / ".releases")
    assert current(built).manifest.id == before
    assert {p: p.read_bytes() for p in (built / "data" / "ttl").rglob("*.ttl")} == files
    assert left_over(built) == []


def test_rejected_input_leaves_the_release_and_the_files_as_they_were(built: Path) -> None:
    before = current(built).manifest.id
    ttl = {p: p.read_bytes() for p in (built / "data" / "ttl").rglob("*.ttl")}
    path = next(p for p in sorted((built / "data").rglob("*.yaml")) if "description:" in p.read_text())
    path.write_text(path.read_text().replace("description:", "descripton:", 1))
    result = run_kg(built, "build")
    assert result.returncode == 1
    line = next(i for i, text in enumerate(path.read_text().splitlines(), 1) if "descripton" in text)
    assert f"{path.relative_to(built)}:{line}:3: unknown key 'descripton'; did you mean 'description'?" in result.stderr
    assert current(built).manifest.id == before
    assert {p: p.read_bytes() for p in (built / "data" / "ttl").rglob("*.ttl")} == ttl


def test_second_build_at_the_same_time(built: Path) -> None:
    with store.build_lock(built / ".releases"):
        result = run_kg(built, "build")
    assert result.returncode == 1
    assert "another build is at work" in result.stderr


def test_same_input_is_the_same_release_and_the_same_bytes(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        project = make_project(tmp_path / name)
        assert run_kg(project, "build").returncode == 0
        files = {p.relative_to(project): p.read_bytes() for p in sorted((project / "data" / "ttl").rglob("*.ttl"))}
        made.append((current(project).manifest.id, files))
    assert made[0] == made[1]


def test_the_last_three_releases_are_kept(built: Path) -> None:
    for _ in range(4):
        change = change_a_fact(built)
        change.write_text(change.read_text().replace("  note: {en: changed, ja: 変更}\n", "", 1).rstrip("\n") + "\n#\n")
        path = next(p for p in sorted((built / "data").rglob("*.yaml")) if "description:" in p.read_text())
        path.write_text(path.read_text().replace("en: ", "en: x", 1))
        pipeline.build(built, built / ".releases")
    kept = [p for p in (built / ".releases").iterdir() if p.is_dir() and not p.is_symlink()]
    assert len(kept) == store.KEPT_RELEASES
    assert (built / ".releases" / "current").resolve() in [p.resolve() for p in kept]


def test_manifest_says_what_is_there(built: Path) -> None:
    release = current(built)
    counted: dict[str, int] = {}
    for quad in release.store:
        name = getattr(quad.graph_name, "value", "")
        counted[name] = counted.get(name, 0) + 1
    assert counted.pop("") == release.manifest.triples
    assert counted == release.manifest.graphs
    assert sum(counted.values()) == release.manifest.quads
    quads = [q for q in release.store if getattr(q.graph_name, "value", "")]
    assert canonical.ordered(quads)[1] == release.manifest.id


def test_the_store_on_disk_answers_like_the_one_in_memory(built: Path) -> None:
    directory = store.current_directory(built / ".releases")
    memory, disk = store.open_release(directory), store.open_release(directory, in_memory_up_to=0)
    assert set(memory.store) == set(disk.store)


def test_a_damaged_release_is_refused(built: Path) -> None:
    directory = store.current_directory(built / ".releases")
    data = directory / "dataset.nq"
    lines = data.read_bytes().splitlines(keepends=True)
    data.write_bytes(b"".join(lines[:-1]))
    with pytest.raises(BrokenRelease, match="its manifest says"):
        store.open_release(directory)
    assert run_kg(built, "build").returncode == 0, "a build puts a damaged release right"
    store.open_release(directory)
    (directory / "manifest.json").write_text("{")
    with pytest.raises(BrokenRelease, match=r"manifest\.json"):
        store.open_release(directory)
    assert run_kg(built, "build").returncode == 0
    store.open_release(directory)


def _files(directory: Path) -> list[Path]:
    """One file of each folder and kind."""
    chosen = {(path.parent, path.suffix): path for path in sorted(directory.rglob("*")) if path.is_file()}
    return [path for path in chosen.values() if path.stat().st_size]


@pytest.mark.parametrize("in_memory_up_to", [2_000_000, 0], ids=["memory", "disk"])
def test_a_change_in_any_file_is_noticed_when_the_release_is_opened(built: Path, in_memory_up_to: int) -> None:
    directory = store.current_directory(built / ".releases")
    files = _files(directory)
    assert {path.parent.name for path in files} == {directory.name, "store", "search", "dumps"}
    for path in files:
        content = path.read_bytes()
        at = len(content) // 2
        path.chmod(0o644)
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(BrokenRelease, match=path.name):
            store.open_release(directory, in_memory_up_to)
        assert run_kg(built, "release", "--verify").returncode == 1
        path.unlink()
        with pytest.raises(BrokenRelease, match=path.name):
            store.open_release(directory, in_memory_up_to)
        path.write_bytes(content)
    store.open_release(directory, in_memory_up_to)


def test_a_release_can_be_verified(built: Path) -> None:
    result = run_kg(built, "release", "--verify")
    assert result.returncode == 0
    assert "are as they were written" in result.stdout
    directory = store.current_directory(built / ".releases")
    assert run_kg(built, "release", "--verify", str(directory)).returncode == 0
    assert run_kg(built, "release").returncode == 1


def test_a_release_of_an_earlier_version_is_opened_by_its_dataset(built: Path) -> None:
    directory = store.current_directory(built / ".releases")
    manifest = json.loads((directory / "manifest.json").read_text())
    del manifest["files"], manifest["seal"]
    (directory / "manifest.json").write_text(json.dumps(manifest))
    store.open_release(directory)
    assert "an earlier version" in run_kg(built, "release", "--verify").stdout
    # The next build gives it checksums.
    assert run_kg(built, "build").returncode == 0
    assert store.verify(directory)


def test_names_are_found_where_nothing_can_be_written(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = current(built)
    expected = search.read(release.directory).find("法律").hits
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    found = search.read(release.directory)
    assert [hit.iri for hit in found.find("法律").hits] == [hit.iri for hit in expected]
    assert found.find(found.entries[0].text).hits


def test_serving_without_a_release_needs_only_the_built_files(built: Path) -> None:
    shutil.rmtree(built / ".releases")
    release = store.open_release(pipeline.release_from_ttl(built, built / ".releases"))
    rebuilt = run_kg(built, "build")
    assert rebuilt.returncode == 0
    assert current(built).manifest.id == release.manifest.id


def test_base_iri_moves_our_identifiers_and_not_the_ontology(built: Path) -> None:
    elsewhere = built / "elsewhere"
    base = "https://data.example.go.jp/kg/"
    result = run_kg(built, "build", "--base-iri", base, "--out", str(elsewhere))
    assert result.returncode == 0, result.stderr
    release = store.open_release(store.current_directory(elsewhere))
    subjects = {q.subject.value for q in release.store if q.subject.value.startswith("http")}
    assert any(s.startswith(base + "id/") for s in subjects)
    assert not any(s.startswith(BASE.id) for s in subjects)
    assert any(s.startswith(iris.ONTOLOGY + "#") for s in subjects)
    assert release.manifest.asserted == current(built).manifest.asserted


@pytest.mark.parametrize("base", ["ftp://x/", "https://x.example/no-slash", "https://x y/"])
def test_a_bad_base_iri_is_refused(project: Path, base: str) -> None:
    result = run_kg(project, "build", "--base-iri", base)
    assert result.returncode == 1
    assert "is no base" in result.stderr


def test_an_unreadable_file_is_named(built: Path) -> None:
    (built / "data" / "programme" / "folder.yaml").mkdir()
    result = run_kg(built, "build")
    assert result.returncode == 1
    assert "data/programme/folder.yaml: cannot be read: Is a directory [readable]" in result.stderr


def in_namespace(script: str, project: Path) -> subprocess.CompletedProcess[str]:
    """Runs a shell script that may mount file systems; skips the test if the kernel does not allow it."""
    probe = subprocess.run(
        ["unshare", "-rm", "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True, text=True, check=False
    )
    if probe.returncode != 0:
        pytest.skip(f"no mount namespace here: {probe.stderr.strip()}")
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", script],
        env=environment(project), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_a_full_disk_is_said_and_loses_nothing(built: Path) -> None:
    before = current(built).manifest.id
    change_a_fact(built)
    command = " ".join(kg_command("build", "--out", "/mnt"))
    result = in_namespace(f"mount -t tmpfs -o size=256k none /mnt && {command}", built)
    assert result.returncode == 1, result.stderr
    assert "no space left" in result.stderr
    assert "KG_RELEASES" in result.stderr
    assert current(built).manifest.id == before


def test_a_read_only_folder_is_said(built: Path) -> None:
    command = " ".join(kg_command("build"))
    releases = built / ".releases"
    result = in_namespace(
        f"mount --bind {releases} {releases} && mount -o remount,ro,bind {releases} && {command}", built
    )
    assert result.returncode == 1, result.stderr
    assert "cannot write" in result.stderr
    assert "KG_RELEASES" in result.stderr


def test_a_read_only_installation_keeps_releases_in_the_users_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KG_RELEASES", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    installed = tmp_path / "site-packages" / "kg" / "project"
    installed.mkdir(parents=True)
    monkeypatch.setattr(location, "_INSTALLED", installed.resolve())
    assert store.default_releases(installed) == tmp_path / "share" / "aikg" / "releases"


def test_no_release_yet_is_said(tmp_path: Path) -> None:
    with pytest.raises(KgError, match="make one with 'kg build'"):
        store.current_directory(tmp_path)


def test_manifest_is_json_for_others(built: Path) -> None:
    directory = store.current_directory(built / ".releases")
    fields = json.loads((directory / "manifest.json").read_text())
    assert directory.name == fields["id"][:16]
    assert len(fields["id"]) == 64
