"""Checks of a query before it is parsed: length, nesting, updates, and the endpoints of SERVICE."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from dataset import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.errors import KgError, QueryRefused, QueryTooComplex, QueryTooLong, UpdateRefused
from kg.sparql import guard, lexer

ALLOWED = [
    "SELECT * WHERE { ?s ?p 'SERVICE' }",
    'SELECT * WHERE { ?s ?p """a SERVICE b""" }',
    "SELECT * WHERE { ?s ?p ?o } # SERVICE <http://x/> {}",
    "SELECT * WHERE { <http://example.org/SERVICE> ?p ?service }",
    "PREFIX ex: <http://x/> SELECT * WHERE { ?s ex:service ?o }",
    "PREFIX service: <http://x/> SELECT * WHERE { ?s service:a ?o }",
    "SELECT ?insert WHERE { ?insert ?p 'DROP ALL' }",
    "SELECT * { VALUES ?x { " + "-1 " * 5_000 + "} }",
    "ASK {}",
]
REFUSED = {
    "SELECT * WHERE { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }": QueryRefused,
    "SELECT * WHERE { service silent ?x { ?s ?p ?o } }": QueryRefused,
    "SELECT * WHERE { \\u0053ERVICE <http://127.0.0.1:9/> {} }": QueryRefused,
    "SELECT * WHERE { ?s ?p '\\'' . SERVICE <http://x/> {} }": QueryRefused,
    "INSERT DATA { <a:b> <a:b> <a:b> }": UpdateRefused,
    "PREFIX a: <http://x/> DELETE WHERE { ?s ?p ?o }": UpdateRefused,
    "DROP ALL": UpdateRefused,
    "SELECT * WHERE " + "{" * 500 + "}" * 500: QueryTooComplex,
    "ASK { FILTER(" + "!" * 20_000 + "true) }": QueryTooComplex,
    "ASK { FILTER(" + "- " * 20_000 + "1) }": QueryTooComplex,
    "PREFIX e: <http://x/> ASK { ?s " + "/".join(["e:p"] * 5_000) + " ?o }": QueryTooComplex,
    "ASK { ?s " + "^" * 5_000 + "<http://x/> ?o }": QueryTooComplex,
    "ASK { " + " UNION ".join(["{}"] * 5_000) + " }": QueryTooComplex,
    "ASK { " + "OPTIONAL { ?s ?p ?o } " * 5_000 + " }": QueryTooComplex,
    "ASK { FILTER(" + "||".join(["true"] * 5_000) + ") }": QueryTooComplex,
    "SELECT * WHERE { " + " " * 300_000 + "}": QueryTooLong,
}
EXAMPLE = "https://example.org/sparql"


@pytest.mark.parametrize("text", ALLOWED, ids=lambda t: t[:40])
def test_what_only_looks_dangerous_passes(text: str) -> None:
    assert guard.read(text).services == ()


@pytest.mark.parametrize("text", REFUSED, ids=lambda t: t[:40])
def test_what_is_dangerous_is_refused(text: str) -> None:
    with pytest.raises(REFUSED[text]):
        guard.read(text)


def test_our_own_queries_pass() -> None:
    for path in (ROOT / "queries").rglob("*.rq"):
        guard.read(path.read_text(encoding="utf-8"))


def test_an_allowed_endpoint_is_found_where_it_stands() -> None:
    text = f"SELECT * {{ SERVICE SILENT <{EXAMPLE}> {{ ?s ?p ?o }} }}"
    (service,) = guard.read(text, allowed=[EXAMPLE]).services
    assert text[service.start : service.end] == f"<{EXAMPLE}>"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * { SERVICE <https://example.org/other> {} }",
        "SELECT * { SERVICE ?endpoint {} }",
        f"PREFIX e: <{EXAMPLE}> SELECT * {{ SERVICE e: {{}} }}",
        # The text after a `<` is an IRI to the lexer and a comparison to the parser.
        f"PREFIX : <http://evil/> SELECT * {{ SERVICE <{EXAMPLE}> {{}} FILTER(?a<?b)SERVICE:x#>\n{{}} }}",
        f"SELECT * {{ SERVICE <{EXAMPLE}> {{ ?s ?p 'SERVICE' }} }}",
        f"SELECT * {{ SERVICE <{EXAMPLE}> {{}} \\u0053ERVICE <http://evil/> {{}} }}",
    ],
)
def test_no_other_endpoint_hides_beside_an_allowed_one(text: str) -> None:
    with pytest.raises(QueryRefused):
        guard.read(text, allowed=[EXAMPLE])


@pytest.mark.parametrize(
    ("text", "expected"), [("SELECT (NOW() AS ?n) {}", True), ("SELECT ?now { ?now ?p 'RAND()' }", False)]
)
def test_what_may_change_from_run_to_run_is_known(text: str, expected: bool) -> None:
    assert guard.read(text).is_volatile is expected


@given(st.text(max_size=200))
def test_reading_ends_on_any_text_and_loses_no_character(text: str) -> None:
    with contextlib.suppress(KgError):
        guard.read(text)
    assert "".join(m[0] for m in lexer.tokens(text)) == text


@settings(deadline=None, max_examples=30)
@given(st.text(alphabet="\"'\\<>#a:\n{", min_size=1, max_size=6))
def test_reading_takes_no_longer_than_its_length_allows(seed: str) -> None:
    start = time.process_time()
    with contextlib.suppress(KgError):
        guard.read((seed * 200_000)[:200_000], guard.QueryLimits(depth=10**9, operators=10**9))
    assert time.process_time() - start < 3


def test_the_w3c_queries_pass(beside: Path) -> None:
    paths = [p for p in (beside / "conformance/rdf-tests/sparql").rglob("*.rq") if "service" not in p.parts]
    assert len(paths) > 400
    for path in paths:
        text = path.read_text(encoding="utf-8", errors="replace")
        with contextlib.suppress(QueryRefused):  # syntax tests of SERVICE
            guard.read(text)
