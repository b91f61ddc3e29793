"""`kg link`: a table becomes a linked table and a linkset; interrupted runs resume; errors have a position."""

from __future__ import annotations

import csv
import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import ministry
import pytest
import yaml
from conftest import make_release
from dataset import BASE, ROOT, Data
from projects import kg_command
from pyoxigraph import RdfFormat, parse
from servers import until

from kg.errors import KgError
from kg.linking import journal

BODIES = ROOT / "tests" / "fixtures" / "bodies.csv"
SUBJECT = "https://example.go.jp/id/{番号}"
# Runs a command and prints the most memory that it had, in kB; a process that begins large counts as large for ever.
PEAK = """import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)"""


@pytest.fixture(scope="module")
def releases(data: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("releases")
    make_release(folder, data.everything)
    return folder


def command(releases: Path, *arguments: str | Path) -> list[str]:
    return kg_command("link", "--releases", str(releases), *map(str, arguments))


def run(releases: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("KG_")}
    return subprocess.run(
        command(releases, *arguments), capture_output=True, text=True, timeout=120, check=False, env=environment
    )


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def links(path: Path) -> set[tuple[str, str, str]]:
    return {
        (q.subject.value, q.predicate.value.rpartition("#")[2], q.object.value)  # type: ignore[union-attr]
        for q in parse(path=str(path))
        if q.object.value.startswith(BASE.id)  # type: ignore[union-attr]
    }


def test_the_bodies_of_the_paper_come_back_right(releases: Path, tmp_path: Path) -> None:
    done = run(
        releases, BODIES, "--column", "機関名", "--kind", "organization", "--subject", SUBJECT, "--out", tmp_path
    )
    assert done.returncode == 0, done.stderr
    rows = table(tmp_path / "bodies.linked.csv")
    found = {r["機関名"]: r["kg_uri"].removeprefix(BASE.id) for r in rows}
    assert found == {r["機関名"]: r["期待"] for r in rows}
    assert len({r["期待"] for r in rows if r["期待"]}) == 44
    expected = {(f"https://example.go.jp/id/{r['番号']}", "sameAs", BASE.id + r["期待"]) for r in rows if r["期待"]}
    assert links(tmp_path / "bodies.links.ttl") == expected
    assert "57 rows: 52 linked, 0 to be reviewed, 5 no candidate" in done.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bodies.linked.csv", "bodies.links.ttl", "bodies.sssom.tsv"]
    mappings = (tmp_path / "bodies.sssom.tsv").read_text(encoding="utf-8").splitlines()
    metadata = yaml.safe_load("\n".join(line[1:] for line in mappings if line.startswith("#")))
    assert {"curie_map", "mapping_set_id", "license", "object_source_version"} <= metadata.keys()
    listed = list(csv.DictReader((line for line in mappings if not line.startswith("#")), delimiter="\t"))
    space = metadata["curie_map"]

    def expand(curie: str) -> str:
        prefix, _, local = curie.partition(":")
        return f"{space[prefix]}{local}"

    assert {(expand(m["subject_id"]), "sameAs", expand(m["object_id"])) for m in listed} == expected
    assert {m["predicate_id"] for m in listed} == {"owl:sameAs"}
    assert {m["mapping_justification"] for m in listed} == {"semapv:LexicalMatching"}
    assert all(0.9 <= float(m["confidence"]) <= 1 for m in listed)


def test_all_projects_of_all_ministries_in_bounded_memory(releases: Path, tmp_path: Path, beside: Path) -> None:
    """A long table that nobody here wrote: what is linked has the same project number, and the rest says why."""
    source = beside / "source" / "rs-projects-2025.tsv"
    arguments = ["--column", "name", "--property", "project_id=kg:reviewProjectId", "--out", tmp_path]
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *command(releases, source, *arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *report, peak = done.stdout.splitlines()
    assert int(peak) < 300_000
    rows = table(tmp_path / "rs-projects-2025.linked.csv")
    assert len(rows) == 5_794
    linked = [row for row in rows if row["kg_match"] == "exact"]
    assert len(linked) >= 6
    assert all("reviewProjectId=true" in row["kg_reason"] for row in linked)
    counts = Counter(row["kg_match"] for row in rows)
    assert f"{len(linked)} linked, {counts['review']} to be reviewed, {counts['none']:,} no candidate" in report[0]
    # Every row is counted in one of the lines that say why.
    why = [re.fullmatch(r"(?:linked|review|none) +([\d,]+) .+", line) for line in report]
    assert sum(int(found[1].replace(",", "")) for found in why if found) == len(rows)


def test_columns_stay_and_ours_are_added_once(releases: Path, tmp_path: Path) -> None:
    source = tmp_path / "表.csv"
    source.write_bytes('機関名,"備, 考"\r\n理研,"=HYPERLINK(""x"")"\r\nAIP,-5\r\n該当しない何か,\r\n'.encode("cp932"))
    assert run(releases, source, "--column", "1", "--kind", "organization").returncode == 0
    linked = tmp_path / "表.linked.csv"
    assert linked.read_bytes().startswith(b"\xef\xbb\xbf")
    first, second, third = table(linked)
    assert first["備, 考"] == '\'=HYPERLINK("x")'
    assert (first["kg_uri"], first["kg_label"]) == (BASE.id + "organization/riken", "理化学研究所")
    assert (first["kg_match"], first["kg_by"]) == ("exact", "machine")
    assert "理研" in first["kg_reason"]
    assert (second["備, 考"], second["kg_uri"], second["kg_match"]) == ("-5", "", "review")
    assert BASE.id + "organization/riken-aip" in second["kg_candidates"]
    assert (third["kg_uri"], third["kg_match"]) == ("", "none")
    again = run(releases, linked, "--column", "機関名", "--kind", "organization", "--out", tmp_path)
    assert again.returncode == 0
    assert table(linked) == [first, second, third]
    assert "linkset  none" in again.stdout


def test_a_column_tells_names_apart(releases: Path, tmp_path: Path) -> None:
    source = tmp_path / "t.csv"
    source.write_text("n,番号\n,5010005007398\n", encoding="utf-8")
    done = run(releases, source, "--column", "n", "--property", "番号=kg:corporateNumber")
    assert done.returncode == 0, done.stderr
    assert table(tmp_path / "t.linked.csv")[0]["kg_uri"] == BASE.id + "organization/university-of-tokyo"


@pytest.mark.parametrize(("name", "syntax"), [("nt", RdfFormat.N_TRIPLES), ("jsonld", RdfFormat.JSON_LD)])
def test_the_linkset_in_other_syntaxes(releases: Path, tmp_path: Path, name: str, syntax: RdfFormat) -> None:
    arguments = (BODIES, "--column", "機関名", "--subject", SUBJECT, "--out", tmp_path, "--format", name)
    assert run(releases, *arguments).returncode == 0
    assert list(parse(path=str(tmp_path / f"bodies.links.{name}"), format=syntax))


def test_what_a_person_left_in_the_table_becomes_the_linkset(releases: Path, tmp_path: Path) -> None:
    reviewed = tmp_path / "x.linked.csv"
    header = "番号,n,kg_uri,kg_match\n"
    riken, tokyo = BASE.id + "organization/riken", BASE.id + "organization/university-of-tokyo"
    reviewed.write_text(
        f"{header}1,a,{riken},exact\n2,b,{tokyo},close\n3,c,,none\n4,d,,review\n5,e,{tokyo},part\n", encoding="utf-8"
    )
    before = reviewed.read_bytes()
    arguments = (reviewed, "--column", "n", "--subject", SUBJECT, "--reviewed-by", "山田")
    done = run(releases, *arguments)
    assert done.returncode == 0, done.stderr
    assert links(tmp_path / "x.links.ttl") == {
        ("https://example.go.jp/id/1", "sameAs", riken),
        ("https://example.go.jp/id/2", "seeAlso", tokyo),
        ("https://example.go.jp/id/5", "unitOf", tokyo),
    }
    assert "山田" in (tmp_path / "x.links.ttl").read_text(encoding="utf-8")
    assert reviewed.read_bytes() == before
    for wrong, told in (
        (f"{tokyo}x,exact", "row 1, column 3: no record has the IRI"),
        (f"{tokyo},maybe", "row 1, column 4"),
    ):
        reviewed.write_text(f"{header}1,a,{wrong}\n", encoding="utf-8")
        done = run(releases, *arguments)
        assert done.returncode == 1
        assert told in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--column", "機関"], "no column '機関'; did you mean '機関名'?"),
        (["--column", "9"], "no column '9'"),
        (["--column", "機関名", "--kind", "organisation"], "did you mean 'organization'?"),
        (["--column", "機関名", "--property", "番号"], "expected NAME=VALUE"),
        (["--column", "機関名", "--property", "番号=kg:corporateNumbr"], "did you mean 'corporateNumber'?"),
        (["--column", "機関名", "--subject", "{番号}"], "the template '{番号}' does not give an IRI"),
        (["--column", "機関名", "--subject", "https://x.example/{期待}"], "row 53, column 4"),
        (["--column", "機関名", "--format", "rdf"], "none of ttl, nt, jsonld"),
        (["--column", "機関名", "--reviewed-by", "x"], "needs --subject"),
        (["--column", "機関名", "--encoding", "cp932"], "is not valid in cp932"),
        (["--column", "機関名", "--dataset", "x y"], "the dataset needs an absolute IRI"),
    ],
)
def test_mistakes_say_what_is_wrong_and_write_nothing(
    releases: Path, tmp_path: Path, arguments: list[str], told: str
) -> None:
    if "row 53" in told:
        # A row that is not linked needs no IRI.
        assert run(releases, BODIES, *arguments, "--out", tmp_path).returncode == 0
        return
    if "--dataset" in arguments:
        arguments = [*arguments, "--subject", SUBJECT]
    done = run(releases, BODIES, *arguments, "--out", tmp_path)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("*.links.*"))


def test_files_that_cannot_be_read_say_where(releases: Path, tmp_path: Path) -> None:
    missing = run(releases, tmp_path / "none.csv", "--column", "a")
    assert "No such file" in missing.stderr
    ragged = tmp_path / "r.csv"
    ragged.write_text("a,b\n1,2,3\n", encoding="utf-8")
    assert f"{ragged}: row 1, column 3 (line 2): the row has 3 cell(s)" in run(releases, ragged, "--column", "a").stderr


def test_the_commands_of_the_guide_run(releases: Path, tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "linking-tables.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\./kg (link .*)$", guide, re.MULTILINE)
    assert len(commands) == 2
    shutil.copy(BODIES, tmp_path)
    environment = {**{k: v for k, v in os.environ.items() if not k.startswith("KG_")}, "KG_RELEASES": str(releases)}
    for written in commands:
        done = subprocess.run(
            kg_command(*shlex.split(written)),
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert len(links(tmp_path / "bodies.links.ttl")) == 52
    assert "Your Name" in (tmp_path / "bodies.links.ttl").read_text(encoding="utf-8")


# ---- interruptions ----


@pytest.fixture
def long_table(tmp_path: Path) -> Path:
    """Distinct unknown names, so that every row takes time."""
    path = tmp_path / "long.csv"
    rows = (f"{n},第{n}人工知能研究推進センター理研{n}号" for n in range(6_000))
    path.write_text("番号,名\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def started(releases: Path, long_table: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    arguments = (long_table, "--column", "名", "--out", tmp_path / "out")
    process = subprocess.Popen(
        command(releases, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # If the tests run in the background, SIGINT may be ignored, which children inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_interrupted_work_goes_on_where_it_stopped(
    releases: Path, started: subprocess.Popen[str], long_table: Path, tmp_path: Path, how: signal.Signals
) -> None:
    kept = tmp_path / "out" / ".long.csv.journal"
    until(lambda: kept.is_file() and kept.read_bytes().count(b"\n") > 3, 60)
    os.kill(started.pid, how)
    started.wait(30)
    assert started.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
    if how == signal.SIGINT:
        assert started.stderr is not None
        assert "the same command goes on from there" in started.stderr.read()
    assert not list((tmp_path / "out").glob("long.*"))
    done_before = (kept.read_bytes().count(b"\n") - 1) * 100
    # An incomplete line, as after a full disk or a power cut.
    with kept.open("ab") as file:
        file.write(b'[["half')
    done = run(releases, long_table, "--column", "名", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert f"went on after {done_before:,} rows" in done.stdout
    whole = (tmp_path / "out" / "long.linked.csv").read_bytes()
    assert not kept.exists()
    fresh = run(releases, long_table, "--column", "名", "--out", tmp_path / "fresh")
    assert "went on" not in fresh.stdout
    assert (tmp_path / "fresh" / "long.linked.csv").read_bytes() == whole


def test_other_work_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with pytest.raises(KeyboardInterrupt), journal.Journal(path, "one") as first:
        first.append([1])
        raise KeyboardInterrupt
    with journal.Journal(path, "two") as second:
        assert second.entries == []
    with pytest.raises(KgError, match="cannot write"):
        journal.Journal(tmp_path / "no" / "folder", "x")


def test_a_journal_that_is_none_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "j"
    for content in (b"", b"\xff\xfe\n", b"{}\n[1]\n", b'{"key": "x"}'):
        path.write_bytes(content)
        with journal.Journal(path, "x") as opened:
            assert opened.entries == []
        assert not path.exists()


def test_without_a_column_the_columns_are_proposed_and_odd_numbers_are_told(releases: Path, tmp_path: Path) -> None:
    text = "一覧,\n法人番号,機関名\n1030005007111.0,理化学研究所\n5010005007399,東京大学\n"
    text += "1030005007111,放射光科学研究センター\n"
    (tmp_path / "t.csv").write_text(text, encoding="cp932")
    done = run(releases, tmp_path / "t.csv", "--kind", "organization")
    assert done.returncode == 0, done.stderr
    for told in (
        "columns  機関名 (names), 法人番号 (corporateNumber)",
        "1 line(s) above the header are left out: 一覧",
        "row 1, column 1: '1030005007111.0' is read as the number 1030005007111",
        "row 2, column 1: '5010005007399' is not used: the check digit",
        "the number 1030005007111 is in the rows 1, 3 beside different names",
    ):
        assert told in done.stdout
    found = {row["機関名"]: row["kg_match"] for row in table(tmp_path / "t.linked.csv")}
    assert found == {"理化学研究所": "exact", "東京大学": "exact", "放射光科学研究センター": "review"}


def test_a_table_of_a_ministry_gives_no_false_link(releases: Path, tmp_path: Path) -> None:
    file = tmp_path / ministry.NAME
    file.write_bytes(ministry.body())
    done = run(releases, file, "--subject", ministry.SUBJECT)
    assert done.returncode == 0, done.stderr
    assert "columns  機関名 (names), 法人番号 (corporateNumber), 所属機関 (unitOf)" in done.stdout
    for rows, told in (
        (ministry.WRONG, "is not used: the check digit"),
        (ministry.ROUNDED, "is not used: a spreadsheet has rounded"),
        (ministry.REPAIRED, "is read as the number"),
    ):
        for row in rows:
            assert re.search(rf"^note +row {row}, column 3: .*{told}", done.stdout, re.MULTILINE), (row, told)
    rows_ = table(tmp_path / "機関一覧.linked.csv")
    found = {row["整理番号"]: row["kg_uri"].removeprefix(BASE.id) for row in rows_ if row["kg_uri"]}
    assert found == ministry.EXPECTED
    assert all(row["kg_reason"] for row in rows_ if row["kg_match"] == "review")
    expected = {
        (ministry.SUBJECT.replace("{整理番号}", n), "sameAs", BASE.id + path) for n, path in ministry.EXPECTED.items()
    }
    assert links(tmp_path / "機関一覧.links.ttl") == expected
    mappings = (tmp_path / "機関一覧.sssom.tsv").read_text(encoding="utf-8").splitlines()
    metadata = yaml.safe_load("\n".join(line[1:] for line in mappings if line.startswith("#")))
    listed = list(csv.DictReader((line for line in mappings if not line.startswith("#")), delimiter="\t"))
    assert {m["predicate_id"] for m in listed} == {"owl:sameAs"}
    assert len(listed) == len(ministry.EXPECTED)
    checked = subprocess.run(
        kg_command(
            "validate", str(tmp_path / "機関一覧.links.ttl"), "--release", str(next(releases.glob("*[0-9a-f]")))
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
    assert f"{len(listed)} links, 0 dead" in checked.stderr
    assert all(m["object_id"].partition(":")[0] in metadata["curie_map"] for m in listed)
