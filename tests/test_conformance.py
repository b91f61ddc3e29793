"""Conformance: our requirements on a real server, the W3C SPARQL tests, and fuzzing by OpenAPI."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import loops
import pytest
from conftest import Server
from dataset import ROOT
from projects import run_kg
from pyoxigraph import (
    BlankNode,
    CanonicalizationAlgorithm,
    Dataset,
    Literal,
    NamedNode,
    Quad,
    QueryBoolean,
    QueryResultsFormat,
    QuerySolutions,
    RdfFormat,
    Store,
    parse,
    parse_query_results,
)

from api.app import create_app
from api.conformance import requirements
from api.conformance import run as conformance
from api.conformance.run import Requirement
from api.settings import Settings
from kg.build import pipeline
from kg.engines import evaluation
from kg.engines.evaluation import Query, ResultFormats
from kg.errors import KgError, QueryFailed, UnknownFunction
from kg.release import store
from kg.release.store import Release
from kg.sparql import guard

CHECKS = requirements.table("https://w3id.org/aikg/", "law/ai-act")


@pytest.fixture(scope="module")
def whole(tiny: Release, queries_project: Path) -> Iterator[str]:
    """A server with the default limits."""
    with Server(create_app(Settings(project=queries_project), tiny)) as running:
        yield running.url


async def verdicts_of(url: str, *table: Requirement) -> list[conformance.Verdict]:
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        return await conformance.run(table, conformance.over(client))


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.name)
def test_what_a_specification_demands_holds(whole: str, check: Requirement) -> None:
    (verdict,) = loops.run(verdicts_of(whole, check))
    assert verdict.passed, verdict.detail


def test_a_check_that_should_fail_fails(whole: str) -> None:
    wrong = Requirement(
        "wrong", "VoID", "1", {"en": "x"}, conformance.Request("GET", "/healthz"), 200, lambda r: r.json()["x"] == 1
    )
    other = Requirement("other", "VoID", "1", {"en": "y"}, conformance.Request("GET", "/healthz"), 404)
    findings = loops.run(verdicts_of(whole, wrong, other))
    assert [f.passed for f in findings] == [False, False]
    assert findings[1].detail == "200 instead of 404"
    assert "**fails**: 200 instead of 404" in conformance.report(findings, "x")


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_page_shows_the_checks_of_the_running_server(whole: str, language: str) -> None:
    page = httpx.get(f"{whole}/conformance", params={"lang": language}, headers={"accept": "text/html"}, timeout=30)
    assert page.status_code == 200
    assert all(c.title[language].replace("'", "&#39;") in page.text for c in CHECKS)
    assert page.text.count("<tr>") == 1 + len(CHECKS)
    document = httpx.get(f"{whole}/conformance", headers={"accept": "application/json"}, timeout=30).json()
    assert [c for c in document["checks"] if not c["passed"]] == []


def test_the_command_writes_the_table_that_is_committed(whole: str, tmp_path: Path) -> None:
    result = run_kg(ROOT, "conformance", whole, "--file", str(tmp_path / "table.md"))
    assert result.returncode == 0, result.stderr
    written = (tmp_path / "table.md").read_text(encoding="utf-8").splitlines()
    committed = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in written if line.startswith("| ")]
    assert rows == [line for line in committed if line.startswith("| ")]
    assert run_kg(ROOT, "conformance", "nowhere").returncode == 1
    assert run_kg(ROOT, "conformance", "http://127.0.0.1:1/").returncode == 1


# ---- the W3C's tests ----

SUITE = ROOT.parent / "shared" / "conformance" / "rdf-tests" / "sparql"
MF = "http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#"
QT = "http://www.w3.org/2001/sw/DataAccess/tests/test-query#"
RS = "http://www.w3.org/2001/sw/DataAccess/tests/result-set#"
# Known failures of the engine (strict: an improved engine makes the test fail, so that it is noticed).
KNOWN = {
    "the store keeps the value of a literal, not its way of writing": {
        "distinct/All: Distinct",
        "distinct/Numbers: Distinct",
        "expr-builtin/sameTerm-eq",
        "expr-builtin/sameTerm-not-eq",
        "expr-builtin/sameTerm-simple",
        "expr-builtin/str-1",
        "expr-builtin/str-2",
        "expr-equals/Equality 1-1 -- graph",
        "expr-equals/Equality 1-2 -- graph",
        "open-world/date-2",
        "open-world/open-eq-01",
    },
    "REDUCED leaves out as many duplicates as it likes": {
        "reduced/SELECT REDUCED *",
        "reduced/SELECT REDUCED ?x with strings",
    },
    "the engine finds no path of length zero at a term that the dataset does not hold": {
        "property-path/* with end being a constant on the empty dataset",
        "property-path/* with start being a constant on the empty dataset",
        "property-path/? with end being a constant on the empty dataset",
        "property-path/? with start being a constant on the empty dataset",
    },
    "the engine keeps a language that all parts of GROUP_CONCAT have": {
        "aggregates/GROUP_CONCAT with one element",
        "aggregates/GROUP_CONCAT with same language tag",
    },
    "the engine evaluates what stands inside GRAPH ?g with ?g bound already": {
        "aggregates/COUNT: no GROUP BY inside of GRAPH",
        "bindings/VALUES inside GRAPH binding the same variable as the graph name",
        "graph/graph-optional",
        "graph/graph-variable-scope",
        "negation/outer GRAPH operator does not affect MINUS disjointness",
    },
    "the engine gives the same BNODE(str) in different solutions": {"functions/BNODE(str)"},
    "the engine reads true and false in lower case only": {"expr-builtin/case-insensitive booleans"},
    "a reading that SPARQL 1.1 gave up, and the manifest does not list": {
        "optional-filter/dawg-optional-filter-005-simplified"
    },
    "the engine reads `<` as a comparison where the tokens make it the beginning of an IRI": {
        "syntax-sparql3/syn-bad-26.rq"
    },
}


@dataclass(frozen=True)
class Case:
    name: str
    kind: str
    query: Path
    data: tuple[Path, ...]
    graphs: tuple[Path, ...]
    result: Path | None

    def __str__(self) -> str:
        return f"{self.query.parent.name}/{self.name}"


def path_of(term: Any) -> Path:
    return Path(unquote(urlsplit(term.value).path))


def cases(kinds: set[str]) -> list[Any]:
    if not SUITE.is_dir():
        return [None]
    found: dict[str, Case] = {}
    for manifest in sorted(SUITE.rglob("manifest*.ttl")):
        graph = Store()
        graph.bulk_extend(parse(path=str(manifest), format=RdfFormat.TURTLE, base_iri=manifest.resolve().as_uri()))

        def values(subject: Any, name: str, graph: Store = graph) -> list[Any]:
            return [q.object for q in graph.quads_for_pattern(subject, NamedNode(name), None)]

        for quad in graph.quads_for_pattern(None, NamedNode(MF + "action"), None):
            kind = next((v.value.removeprefix(MF) for v in values(quad.subject, RDF_TYPE)), "")
            if kind not in kinds:
                continue
            action = quad.object
            queries = values(action, QT + "query") or [action]
            name = values(quad.subject, MF + "name")[0].value
            result = values(quad.subject, MF + "result")
            graphs = [g for g in values(action, QT + "graphData") if isinstance(g, NamedNode)]
            case = Case(
                name,
                kind,
                path_of(queries[0]),
                tuple(map(path_of, values(action, QT + "data"))),
                tuple(map(path_of, graphs)),
                path_of(result[0]) if result else None,
            )
            found[str(case)] = case
    return [pytest.param(case, id=name, marks=_marks(name)) for name, case in sorted(found.items())]


def _marks(name: str) -> list[Any]:
    return [pytest.mark.xfail(strict=True, reason=reason) for reason, names in KNOWN.items() if name in names]


RDF_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
EVALUATION = cases({"QueryEvaluationTest"})
POSITIVE = cases({"PositiveSyntaxTest", "PositiveSyntaxTest11"})
NEGATIVE = cases({"NegativeSyntaxTest", "NegativeSyntaxTest11"})


def text_of(case: Case) -> str:
    return case.query.read_bytes().decode("utf-8")


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize("case", POSITIVE)
def test_what_the_w3c_calls_a_query_is_one(case: Case) -> None:
    text = text_of(case)
    guard.read(text, allowed=[s for s in ("http://example.org/sparql",) if s in text] or ())
    with contextlib.suppress(QueryFailed, UnknownFunction):
        answer(Store(), text, case)


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize("case", NEGATIVE)
def test_what_the_w3c_calls_no_query_is_none(case: Case) -> None:
    with pytest.raises(KgError):
        answer(Store(), text_of(case), case)


def answer(data: Store, text: str, case: Case) -> evaluation.Answer:
    base = case.query.resolve().as_uri()
    return evaluation.evaluate(
        data, Query(text), ResultFormats("json", "nt"), base=base, prefixes={}, most_bytes=10_000_000
    )


@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize("case", EVALUATION)
def test_the_w3c_queries_are_answered_as_expected(case: Case) -> None:
    data = Store()
    for path in case.data:
        data.bulk_extend(read(path, path.resolve().as_uri()))
    for path in case.graphs:
        name = NamedNode(path.resolve().as_uri())
        for quad in read(path, name.value):
            data.add(Quad(quad.subject, quad.predicate, quad.object, name))
    text = text_of(case)
    for name in re.findall(r"\bFROM\s+(?:NAMED\s+)?<([^>]+)>", text):
        path = case.query.parent / name
        graph = NamedNode(path.resolve().as_uri())
        data.extend(Quad(q.subject, q.predicate, q.object, graph) for q in read(path, graph.value))
    guard.read(text)
    found = answer(data, text, case)
    assert case.result is not None
    if found.kind == "graph":
        got = Dataset(parse(found.body, format=RdfFormat.N_TRIPLES))
        wanted = Dataset(parse(path=str(case.result), format=syntax_of(case.result), base_iri=case.result.as_uri()))
        for side in (got, wanted):
            side.canonicalize(CanonicalizationAlgorithm.UNSTABLE)
        assert got == wanted
    elif found.kind == "boolean":
        assert bool(parse_query_results(found.body, format=QueryResultsFormat.JSON)) == bool(expected(case.result))
    else:
        got_rows = read_rows(parse_query_results(found.body, format=QueryResultsFormat.JSON))
        wanted_rows = read_rows(expected(case.result))
        assert isomorphic(got_rows, wanted_rows), (got_rows, wanted_rows)


def read(path: Path, base: str) -> Iterator[Quad]:
    # Blank nodes of different files are distinct, even with the same label.
    return iter(parse(path=str(path), format=syntax_of(path), base_iri=base, rename_blank_nodes=True))


def syntax_of(path: Path) -> RdfFormat:
    syntax = RdfFormat.from_extension(path.suffix.lstrip("."))
    assert syntax is not None, path
    return syntax


def expected(path: Path) -> Any:
    by_suffix = {".srx": QueryResultsFormat.XML, ".srj": QueryResultsFormat.JSON, ".tsv": QueryResultsFormat.TSV}
    if path.suffix in by_suffix:
        return parse_query_results(path.read_bytes(), format=by_suffix[path.suffix])
    if path.suffix not in (".ttl", ".rdf"):
        pytest.skip(f"results in {path.suffix} have lost their types")
    quads = list(parse(path=str(path), format=syntax_of(path), base_iri=path.as_uri()))
    truth = [q.object for q in quads if q.predicate.value == RS + "boolean"]
    return truth[0].value == "true" if truth else quads


Row = frozenset[tuple[str, Any]]


def read_rows(result: Any) -> list[Row]:
    if isinstance(result, QueryBoolean):
        raise AssertionError("a truth value instead of solutions")
    if isinstance(result, QuerySolutions):
        names = [v.value for v in result.variables]
        return [frozenset((n, t) for n, t in zip(names, row, strict=True) if t is not None) for row in result]
    return read_result_set(result)


def read_result_set(quads: list[Quad]) -> list[Row]:
    """Solutions in the W3C result set vocabulary."""
    by_subject: dict[Any, list[Quad]] = {}
    for quad in quads:
        by_subject.setdefault(quad.subject, []).append(quad)

    def of(subject: Any, name: str) -> list[Any]:
        return [q.object for q in by_subject.get(subject, ()) if q.predicate.value == RS + name]

    found = []
    for quad in quads:
        if quad.predicate.value == RS + "solution":
            bindings = of(quad.object, "binding")
            found.append(frozenset((of(b, "variable")[0].value, of(b, "value")[0]) for b in bindings))
    return found


def isomorphic(one: list[Row], other: list[Row]) -> bool:
    """Equal up to blank node labels, with the same multiplicity of solutions."""

    def as_dataset(rows: list[Row]) -> Dataset:
        made = Dataset()
        for row in rows:
            node = BlankNode()
            made.add(Quad(node, NamedNode("urn:row"), Literal(str(len(row)))))
            for name, term in row:
                made.add(Quad(node, NamedNode(f"urn:var:{name}"), canonical(term)))
        made.canonicalize(CanonicalizationAlgorithm.UNSTABLE)
        return made

    return len(one) == len(other) and as_dataset(one) == as_dataset(other)


def canonical(term: Any) -> Any:
    """A literal in the store's form, where `01` becomes `1`."""
    if not isinstance(term, Literal):
        return term
    made = Store()
    made.add(Quad(NamedNode("urn:s"), NamedNode("urn:p"), term))
    return next(iter(made)).object


@pytest.mark.usefixtures("beside")
def test_the_w3c_suite_is_there_in_force() -> None:
    assert len(EVALUATION) > 400
    assert len(POSITIVE) > 100
    assert len(NEGATIVE) > 40


@pytest.mark.usefixtures("beside")
def test_a_suite_runs_over_http_on_a_release_of_its_files(tmp_path: Path, queries_project: Path) -> None:
    """`kg release` keeps the default graph of the file, so that the endpoint gives the expected results."""
    chosen = [p.values[0] for p in EVALUATION if p.values[0].data and not p.values[0].graphs and not p.marks]
    by_data: dict[tuple[Path, ...], list[Case]] = {}
    for case in chosen:
        if case.result and case.result.suffix == ".srx" and "FROM" not in text_of(case):
            by_data.setdefault(case.data, []).append(case)
    for number, (files, members) in enumerate(sorted(by_data.items(), key=lambda i: -len(i[1]))[:5]):
        directory = pipeline.release_from_files(list(files), tmp_path / str(number), "http://example.org/", {})
        with Server(create_app(Settings(project=queries_project), store.open_release(directory))) as running:
            for case in members:
                response = httpx.post(f"{running.url}/sparql", data={"query": text_of(case)}, timeout=30)
                assert response.status_code == 200, (case, response.text)
                result = parse_query_results(response.content, format=QueryResultsFormat.JSON)
                if isinstance(result, QueryBoolean):
                    assert bool(result) == bool(expected(case.result)), case  # type: ignore[arg-type]
                else:
                    assert isomorphic(read_rows(result), read_rows(expected(case.result))), case  # type: ignore[arg-type]
