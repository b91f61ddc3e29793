"""Invalid input: each error has its file, line, column, rule and remedy, and all errors are reported at once."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from projects import ROOT, make_project, run_kg

from kg.build import pipeline
from kg.curation import builder
from kg.errors import FileProblem
from kg.project.reading import read_project

INVALID = ROOT / "tests" / "fixtures" / "invalid"
RECORDS = sorted((INVALID / "records").glob("*.yaml"))
EXPECTED: dict[str, list[str]] = json.loads((INVALID / "expected.json").read_text(encoding="utf-8"))
# Errors in bytes, in names or across files, which a single fixture file cannot have.
MADE_HERE = {"readable", "encoding", "file-name", "class-folder", "duplicate-id", "no-data", "lost-value"}
# Reported of site.yaml and of partners' descriptions, and tested there.
OF_OTHER_FILES = {"missing-key", "missing-language"}


def problems_of(folder: Path, files: dict[str, str | bytes]) -> list[str]:
    project = make_project(folder / "project")
    for name, text in files.items():
        path = project / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [str(p) for p in pipeline.check(project)]


@pytest.mark.parametrize("path", RECORDS, ids=lambda p: p.stem)
def test_fault(path: Path, tmp_path: Path) -> None:
    found = problems_of(tmp_path, {"programme/other.yaml": path.read_bytes()})
    assert found == [f"data/programme/other.yaml:{e}" for e in EXPECTED[path.stem]]


GOOD = (INVALID / "records" / "unknown-key.yaml").read_text(encoding="utf-8").replace("descripton", "description")


def test_the_fixture_without_its_fault_is_accepted(tmp_path: Path) -> None:
    assert problems_of(tmp_path, {"programme/other.yaml": GOOD}) == []


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"programme/other.yaml": GOOD.encode().replace("別の事業".encode(), "別の事業".encode("shift_jis"))},
            "data/programme/other.yaml:3:15: byte 0x95 is not UTF-8; save the file as UTF-8 [encoding]",
        ),
        (
            {"programme/other.yaml": b"\xef\xbb\xbf" + GOOD.encode()},
            "data/programme/other.yaml:1:1: starts with a byte-order mark; save the file as UTF-8 without one"
            " [encoding]",
        ),
        ({"programme/other.yml": GOOD}, "data/programme/other.yml: curated files end in .yaml [file-name]"),
        (
            {"programm/other.yaml": GOOD},
            "data/programm/other.yaml: no class of records is called 'programm'; did you mean 'programme'?"
            " [class-folder]",
        ),
        (
            {"programme/Other.yaml": GOOD},
            "data/programme/Other.yaml: a record is data/<class>/<slug>.yaml, of lower-case letters, digits and single "
            "hyphens [slug]",
        ),
        (
            {"law/act/article-9.yaml": GOOD.replace("Programme", "LegalResourceSubdivision")},
            "data/law/act.yaml:7:13: 'law:act/article-9' is declared in data/law/act/article-9.yaml:2 already"
            " [duplicate-id]",
        ),
    ],
    ids=["shift-jis", "bom", "ending", "folder", "slug", "duplicate"],
)
def test_faults_of_bytes_and_names(files: dict[str, str | bytes], expected: str, tmp_path: Path) -> None:
    assert expected in problems_of(tmp_path, files)


def test_an_unreadable_file(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    (project / "data" / "programme" / "folder.yaml").mkdir()
    assert "data/programme/folder.yaml: cannot be read: Is a directory [readable]" in map(str, pipeline.check(project))


def test_a_project_without_data(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    for path in builder.data_files(project):
        path.unlink()
    assert [p.rule for p in pipeline.check(project)] == ["no-data"]


def test_a_value_that_the_parser_drops_is_noticed(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    curated = builder.read_all(read_project(project))
    record = next(r for r in curated.records if r.path == "programme/example")
    record.blocks["curator"]["undeclared-key"] = None
    record.leaves += 1
    with pytest.raises(builder.Rejected, match="values were written and"):
        builder.asserted_quads(curated)


def test_all_faults_of_all_files_are_reported_at_once(tmp_path: Path) -> None:
    names = ("unknown-key", "wrong-type-date", "dangling", "syntax", "language")
    files: dict[str, str | bytes] = {
        f"programme/other-{n}.yaml": (INVALID / "records" / f"{n}.yaml").read_bytes() for n in names
    }
    found = problems_of(tmp_path, files)
    assert {re.sub(r".*\[([a-z-]+)\]$", r"\1", p) for p in found} == {
        "unknown-key", "wrong-type", "dangling", "syntax", "language",
    }  # fmt: skip


def test_the_command_prints_them_and_counts_them(tmp_path: Path) -> None:
    text = (INVALID / "records" / "unknown-key.yaml").read_text(encoding="utf-8")
    project = make_project(tmp_path / "project", {"programme/other.yaml": text, "programme/more.yaml": text})
    result = run_kg(project, "check")
    assert result.returncode == 1
    assert "unknown key 'descripton'; did you mean 'description'? [unknown-key]" in result.stderr
    assert "2 problem(s); nothing was published" in result.stderr
    one = run_kg(project, "check", str(project / "data" / "programme" / "more.yaml"))
    assert one.stderr.count("[unknown-key]") == 1


def test_every_rule_has_a_fixture() -> None:
    source = "".join(
        (ROOT / "src" / "kg" / f"{m}.py").read_text(encoding="utf-8")
        for m in ("documents", "curation/records", "curation/builder")
    )
    rules = set(re.findall(r'report\(\s*[\w.]+,\s*"([a-z-]+)"', source))
    rules |= set(re.findall(r'\.problem\(\s*"([a-z-]+)"', source))
    rules |= set(re.findall(r'Problem\((?:[^()]|\([^()]*\))*?, "([a-z-]+)",', source))
    covered = {e[e.rindex("[") + 1 : -1] for messages in EXPECTED.values() for e in messages}
    assert len(rules) > 25
    assert rules - covered - MADE_HERE - OF_OTHER_FILES == set()


def test_a_problem_reads_as_one_line() -> None:
    assert str(FileProblem("a.yaml", 1, 2, "rule", "what")) == "a.yaml:1:2: what [rule]"
    assert str(FileProblem("a.yaml", 0, 0, "rule", "what", is_warning=True)) == "a.yaml: warning: what [rule]"
