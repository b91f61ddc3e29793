"""The benchmark: its questions, comparisons and calculations, and that it refuses peers with other answers."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import answers
import comparison
import corpus
import curves
import figures
import load
import peers
import pytest
import report
import targets
import trial
import workloads
from answers import Answer, Differs
from conftest import make_release, tiny_quads
from peers import Peer, Setup
from pyoxigraph import Literal, Quad, Store
from trial import Check, Plan, Rounds, Trial
from workloads import FRESH, Case, Question

from kg.release.store import Release

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def setup(tiny: Release, tmp_path_factory: pytest.TempPathFactory) -> Setup:
    folder = tmp_path_factory.mktemp("bench")
    data = corpus.of_release("tiny", tiny.directory, folder, 0.0)
    return Setup(data, folder, None, Path(sys.executable))


@pytest.fixture(scope="module")
def ours(setup: Setup) -> Iterator[Peer]:
    with peers.kg(setup) as running:
        yield running


@pytest.fixture(scope="module")
def cases(ours: Peer, setup: Setup) -> list[Case]:
    return workloads.cases(trial.sample(ours, setup.corpus), ROOT)


@pytest.fixture
def wrk() -> None:
    if not shutil.which("wrk"):
        if os.environ.get("CI") == "true":
            pytest.fail("no wrk; apt-get install wrk")
        pytest.skip("no wrk; apt-get install wrk")


# ---- workload ----


def test_the_corpus_says_what_the_release_says(setup: Setup, tiny: Release) -> None:
    lines = setup.corpus.merged.read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(set(lines)) == tiny.manifest.triples
    assert setup.corpus.named.read_bytes() == (tiny.directory / "dataset.nq").read_bytes()


def test_every_question_is_sparql_and_every_case_can_be_asked(cases: list[Case], ours: Peer) -> None:
    nothing = Store()
    for case in cases:
        assert case.questions, case.name
        assert all(ours.target(question) for question in case.questions), case.name
        for question in case.questions:
            if question.query:
                nothing.query(question.query.replace(FRESH, "1"))
    assert len({case.name for case in cases}) == len(cases)
    library = {path.stem for path in (ROOT / "queries").glob("*.rq")}
    assert {case.name.partition("/")[2] for case in cases if "/" in case.name} == library


def test_targets_name_cases_and_peers_that_exist(cases: list[Case]) -> None:
    names = {case.name for case in cases}
    for target in targets.TARGETS:
        assert set(target.cases) <= names
        assert target.peer in peers.NAMES
        assert target.corpus in corpus.SCALES


def test_no_two_heads_are_the_same() -> None:
    heads = workloads.heads("text/turtle")
    accepts = {line for head in heads for line in head.split("\r\n") if line.startswith("Accept:")}
    assert len(set(heads)) == len(accepts) == workloads.HEADS


def test_no_fresh_request_is_sent_twice(cases: list[Case], ours: Peer) -> None:
    case = next(c for c in cases if c.name == "label")
    targets_of = {q: ours.target(q) for q in case.questions}
    requests = workloads.prepared(case, targets_of, "localhost", {}, "text/turtle")
    lines = [f"{r[0]}{n}{r[1]}".split("\r\n")[0] for n, r in enumerate(requests)]
    assert all(isinstance(r, tuple) for r in requests)
    assert len(set(lines)) == len(requests) >= workloads.HEADS


# ---- comparison ----


def test_our_own_answers_pass(cases: list[Case], ours: Peer) -> None:
    check = Check([ours], Plan(quick=False))
    for case in cases:
        check.case(case)
    check.heads(next(c for c in cases if c.name == "label"))
    assert check.wrong == []
    assert check.unanswered == []


def test_a_peer_that_says_something_else_is_refused(
    setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = [_renamed(quad) for quad in tiny_quads()]
    other = make_release(tmp_path / "other", changed)
    lying = replace(setup.corpus, release=other.directory)

    @contextlib.contextmanager
    def liar(given: Setup) -> Iterator[Peer]:
        with peers.kg(replace(given, corpus=lying)) as running:
            yield replace(running, name="oxigraph", own=())

    monkeypatch.setattr(peers, "STARTS", {"kg": peers.kg, "oxigraph": liar})
    plan = Plan(cases="^(ask|label)$", peers=("kg", "oxigraph"))
    with pytest.raises(trial.Refused, match="label: oxigraph: 1 missing") as refusal:
        trial.run(setup.corpus, tmp_path / "run", Path(sys.executable), plan, lambda _: None)
    assert "ask:" not in str(refusal.value)


def _renamed(quad: Quad) -> Quad:
    """The quad with a different English name of the law."""
    if isinstance(quad.object, Literal) and quad.object.value == "AI Act":
        return Quad(quad.subject, quad.predicate, Literal("Another Act", language="en"), quad.graph_name)
    return quad


def test_solutions_are_compared_as_multisets() -> None:
    def body(*values: str, datatype: str = "") -> bytes:
        terms = [{"type": "literal", "value": v} | ({"datatype": datatype} if datatype else {}) for v in values]
        return json.dumps({"head": {"vars": ["a"]}, "results": {"bindings": [{"a": t} for t in terms]}}).encode()

    read = answers.solutions
    answers.compare(read(body("x", "y", "x")), read(body("y", "x", "x")))
    with pytest.raises(Differs, match="1 missing"):
        answers.compare(read(body("x", "x")), read(body("x")))
    decimal = "http://www.w3.org/2001/XMLSchema#decimal"
    one, another = body("800", datatype=decimal), body("800.0", datatype=decimal)
    with pytest.raises(Differs):
        answers.compare(read(one), read(another))
    answers.compare(read(one, by_value=True), read(another, by_value=True))
    with pytest.raises(Differs):
        answers.compare(read(one, by_value=True), read(body("801", datatype=decimal), by_value=True))


def test_an_error_is_no_answer_and_a_part_of_a_record_is_one() -> None:
    def turtle(text: str) -> Any:
        return answers.content(Answer(200, "text/turtle", text.encode()), "graph")

    whole, part = turtle("<urn:a> <urn:b> 1, 2 ."), turtle("<urn:a> <urn:b> 1 .")
    answers.compare(whole, part, is_part=True)
    with pytest.raises(Differs, match="1 missing"):
        answers.compare(whole, part)
    with pytest.raises(Differs, match="1 more"):
        answers.compare(part, whole, is_part=True)
    with pytest.raises(Differs, match="nothing is said"):
        answers.compare(whole, turtle(""), is_part=True)
    with pytest.raises(Differs, match="status 500"):
        answers.content(Answer(500, "text/turtle", b""), "graph")
    with pytest.raises(Differs, match="no graph"):
        answers.content(Answer(200, "text/html", b"<p>"), "graph")


# ---- measurement ----


def test_a_misspelt_peer_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert comparison.parsed(["--peers", "oxigraph,nginx"]).peers == ("oxigraph", "nginx")
    with pytest.raises(SystemExit):
        comparison.parsed(["--peers", "oxigraf"])
    assert "unknown peer oxigraf; expected kg," in capsys.readouterr().err


@pytest.mark.serial
@pytest.mark.usefixtures("wrk")
def test_a_run_is_measured_and_reported(setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "STARTS", {"kg": peers.kg})
    plan = Plan(cases="^(ask|turtle-cached|not-modified|reconcile)$", peers=("kg",), clients=(8,), rounds=1)
    found = trial.run(setup.corpus, tmp_path, Path(sys.executable), plan, lambda _: None)
    assert {s["case"] for s in found.samples} == {"ask", "turtle-cached", "not-modified", "reconcile"}
    assert found.failed == []
    assert all(s["requests"] > 10 and s["cpu"] > 0 and 0 < s["p50"] <= s["p99"] for s in found.samples)
    told_of = {"run": comparison.revision(0.0) | {"seconds": 1}, "machine": comparison.machine([0, 1])}
    results = {"trials": [json.loads(json.dumps(trial.asdict(found))) | told_of]}
    report.write(results, tmp_path)
    told = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "| record as Turtle, 304 | 8 |" in told
    assert "| ASK | 8 |" in told
    assert "KG_CLIENT_QUERIES=1000" in told


@pytest.mark.usefixtures("wrk")
def test_what_was_to_be_new_and_comes_from_the_cache_is_refused(ours: Peer, tmp_path: Path) -> None:
    case = Case("old", "", "tiny", "solutions", (Question("ASK {}"),), (1,))
    _assert_fails(case, ours, tmp_path, "from the cache")


@pytest.mark.usefixtures("wrk")
def test_errors_are_no_measurement(ours: Peer, tmp_path: Path) -> None:
    case = Case("none", "", "pages", "page", (Question("", "/id/law/none"),), (1,))
    _assert_fails(case, ours, tmp_path, "status")


def test_a_run_ends_when_its_time_is_over(ours: Peer, cases: list[Case], tmp_path: Path) -> None:
    check, found = Check([ours], Plan()), Trial("tiny", 0, 0, "")
    check.took["ask", "kg"] = 0.0
    asked = [case for case in cases if case.name == "ask"]
    Rounds([ours], asked, check, Plan(deadline=0.0), tmp_path, found, lambda _: None).run()
    assert (found.rounds, found.samples) == (0, [])
    assert found.left_out == {"the rest": "time was over in round 1"}


def _assert_fails(case: Case, peer: Peer, folder: Path, reason: str) -> None:
    check = Check([peer], Plan())
    check.took[case.name, peer.name] = 0.0
    found = Trial("tiny", 0, 0, "")
    Rounds([peer], [case], check, Plan(rounds=1), folder, found, lambda _: None).run()
    assert found.samples == []
    assert [(f["case"], reason in f["reason"]) for f in found.failed] == [(case.name, True)]


def test_one_after_the_other(ours: Peer, cases: list[Case]) -> None:
    case = next(c for c in cases if c.name == "reconcile")
    targets_of = {q: ours.target(q) for q in case.questions}
    requests = workloads.prepared(case, targets_of, "localhost", {}, "application/json")
    found = load.in_turn(ours.url, ours.pid, requests, 0.2, 1)
    assert found.requests >= 1
    assert found.p50 <= found.p99
    with pytest.raises(load.Failed, match="404"):
        load.in_turn(ours.url, ours.pid, ["GET /id/law/none HTTP/1.1\r\nAccept: text/html\r\n\r\n"], 0.1, 1)


# ---- report ----


def test_percentiles_ratios_and_digits() -> None:
    assert figures.percentile([4, 1, 3, 2], 50) == 2
    assert figures.percentile(range(1, 101), 99) == 99
    assert figures.percentile([7.5], 99) == 7.5
    with pytest.raises(ValueError, match="no numbers"):
        figures.percentile([], 50)
    # Rounds that ran side by side are compared with each other, since a slow round is slow for both.
    assert figures.ratio({0: 100.0, 1: 10.0, 2: 90.0}, {0: 50.0, 1: 5.0, 2: 30.0}) == 2.0
    assert figures.ratio({0: 1.0}, {1: 1.0}) is None
    shown = [figures.rounded(n) for n in (0, 0.01234, 4.567, 78.94, 123.4, 12345.6)]
    assert shown == ["0", "0.0123", "4.57", "78.9", "123", "12,300"]


def _sized(triples: int, factor: float) -> dict[str, Any]:
    """The results of a corpus in which ours is faster than Oxigraph by a factor."""
    costs = {"kg": 100.0, "oxigraph": 100.0 * factor}
    sample = {"clients": 8, "round": 0, "in_turn": False, "busy": 0.5, "p50": 1.0, "p99": 2.0}
    return {
        "corpus": "real" if triples < 1_000_000 else "1m",
        "triples": triples,
        "quads": triples,
        "rounds": 1,
        "cases": [{"name": "join", "title": "a join", "group": "joins"}],
        "samples": [{**sample, "case": "join", "peer": p, "cpu": c, "per_second": 1e6 / c} for p, c in costs.items()],
        "peers": [
            {
                "name": p,
                "title": p,
                "version": "1",
                "settings": "",
                "load_seconds": 1.0,
                "store_bytes": 1,
                "memory_loaded": 1.0,
            }
            for p in costs
        ],
        "left_out": {"nginx": "it is not here"},
        "differences": [],
        "unanswered": [],
        "failed": [{"case": "join", "peer": "kg", "clients": 8, "round": 1, "reason": "no answer"}],
        "cold": {},
        "run": {"command": "bench/run --quick", "date": "today", "commit": "abc", "seconds": 1},
        "machine": comparison.machine([0, 1]),
    }


def test_targets_are_met_or_not() -> None:
    met, missed = (targets.outcomes([_sized(1_000, factor)]) for factor in (4.0, 2.0))
    wanted = next(n for n, t in enumerate(targets.TARGETS) if t.peer == "oxigraph" and "join" in t.cases)
    assert met[wanted].verdict == "met"
    assert missed[wanted].verdict == "not met"
    assert Counter(o.verdict for o in met)["not measured"] > 5


def test_tables_and_graphs() -> None:
    results = {"trials": [_sized(1_000, 4.0), _sized(1_000_000, 5.0)]}
    told = report.render(results)
    assert "- real: `bench/run --quick`, today, commit abc, 1 s" in told
    assert "2,500 (4.00×)" in told
    assert "- **Failed**: kg, `join`, 8 clients, round 2: no answer" in told
    assert "- nginx was left out: it is not here" in told
    drawn = curves.draw(results)
    assert set(drawn) == {"cost-joins", "cost-load"}
    assert drawn["cost-joins"].count("<polyline") == 2
    assert curves.draw({"trials": [_sized(1_000, 4.0)]}) == {}


def test_the_page_keeps_what_is_written_by_hand() -> None:
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    begun, ended = page.partition(report.BEGIN)[0], page.partition(report.END)[2]
    changed = report.between(page, "| new |")
    assert changed == f"{begun}{report.BEGIN}\n\n| new |\n\n{report.END}{ended}"
    with pytest.raises(ValueError, match="has no"):
        report.between("a page", "")
