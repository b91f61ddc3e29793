"""Receipts: a claim is its address, an answer is known by its digest, and a row is traced to the facts it rests on."""

from __future__ import annotations

import pytest
from dataset import PROJECT, Data
from hypothesis import given
from hypothesis import strategies as st
from pyoxigraph import Literal, NamedNode, QuerySolutions, Store

from kg.curation import builder
from kg.rdf.context import Context
from kg.receipts import claims, digests
from kg.sparql import library
from kg.sparql.tracing import tracing_query

EX = "https://example.org/"
PREFIXES = {"ex": EX}
NOTHING = Context({"@context": {}})
ROW = (NamedNode(EX + "a"), Literal("8", datatype=NamedNode("http://www.w3.org/2001/XMLSchema#integer")), None)


@pytest.mark.parametrize(
    "claim",
    [
        claims.of_fact(EX + "a", EX + "b", Literal('say "8"', language="ja"), "0123456789abcdef"),
        claims.of_query("budgets", {"lang": "ja", "year": "2026"}, "r", row="0" * 16),
        claims.of_sparql("SELECT * { ?s ?p '&=?' }", "r", result="f" * 16),
    ],
)
def test_an_address_is_its_claim(claim: claims.Claim) -> None:
    assert claims.read("https://example.org/kg/" + claim.address, NOTHING) == claim
    # Language and format of the page are no part of what is vouched for.
    assert claims.read("/" + claim.address + "&lang=en&format=bibtex&embed=1", NOTHING) == claim


@pytest.mark.parametrize(
    "address", ["receipt?", "receipt?subject=x:a", "receipt?query=q&row=12", "receipt?subject=a b"]
)
def test_an_address_that_is_no_receipt_says_why(address: str) -> None:
    with pytest.raises(claims.NoReceipt):
        claims.read(address, NOTHING)


@given(st.permutations([("a", ROW[0]), ("b", ROW[1]), ("c", ROW[2])]))
def test_the_digest_of_a_row_does_not_depend_on_the_order_of_columns(cells: list[tuple[str, object]]) -> None:
    names, row = zip(*cells, strict=True)
    assert digests.of_row(names, row) == digests.of_row(("a", "b", "c"), ROW)


def test_digests_tell_answers_apart() -> None:
    other = (ROW[0], Literal("9"), None)
    assert digests.of_row("abc", ROW) != digests.of_row("abc", other)
    assert digests.of_row("abc", ROW) != digests.of_row("acb", ROW)
    assert digests.of_result("abc", [ROW, other]) == digests.of_result("abc", [other, ROW])
    assert digests.of_result("abc", [ROW, ROW]) != digests.of_result("abc", [ROW])
    assert digests.of_truth(True) != digests.of_truth(False)


def _store() -> Store:
    store = Store()
    store.update("""PREFIX ex: <https://example.org/> INSERT DATA {
        ex:a ex:in ex:one ; ex:costs 8 . ex:one ex:of ex:law . ex:b ex:in ex:two ; ex:costs 8 . ex:two ex:of ex:law .
        ex:a ex:near ex:b . ex:one ex:name "One" . ex:c ex:costs 5 }""")
    return store


def _traced(query: str, row: dict[str, object] | None = None) -> set[str]:
    store, text = _store(), tracing_query(query, PREFIXES, row)  # type: ignore[arg-type]
    found = list(store.query(text, prefixes=PREFIXES)) if text else []  # type: ignore[arg-type]
    stated = [triple for triple in found if next(store.quads_for_pattern(*triple, None), None)]  # type: ignore[misc]
    return {" ".join(term.value.removeprefix(EX) for term in triple) for triple in stated}  # type: ignore[union-attr]


A = NamedNode(EX + "a")


@pytest.mark.parametrize(
    ("query", "row", "facts"),
    [
        ("SELECT ?x { ?x ex:in/ex:of ex:law }", {"x": A}, {"a in one", "one of law"}),
        ("SELECT ?x { ex:law ^ex:of/^ex:in ?x ; ^ex:of ?y }", {"x": A}, {"one of law", "two of law", "a in one"}),
        ("SELECT ?x ?n { ?x ex:costs ?n OPTIONAL { ?x ex:near ?y } }", {"x": A}, {"a costs 8", "a near b"}),
        ("SELECT ?x { { ?x ex:near ?y } UNION { ?x ex:costs 5 } }", {"x": A}, {"a near b"}),
        ("SELECT ?x { ?x ex:costs ?n FILTER NOT EXISTS { ?x ex:in ?y } }", None, {"c costs 5"}),
        ("SELECT ?n (COUNT(?x) AS ?m) { ?x ex:costs ?n } GROUP BY ?n", {"n": ROW[1]}, {"a costs 8", "b costs 8"}),
        ("SELECT ?x ?y { ?x ex:costs 8 OPTIONAL { ?x ex:near ?y } }", {"y": None}, {"b costs 8"}),
        (
            "SELECT ?x { ?x ex:in ?y , ?z ; ex:costs ?n . ?y ex:name ?l }",
            {"x": A},
            {"a in one", "a costs 8", "one name One"},
        ),
        ("ASK { ex:a ex:near ex:b }", None, {"a near b"}),
        ("SELECT ?x { ?x ex:near+ ?y }", {"x": A}, set()),
    ],
)
def test_a_row_is_traced_to_the_facts_it_rests_on(query: str, row: dict[str, object] | None, facts: set[str]) -> None:
    assert _traced(query, row) == facts


def test_rows_of_the_stored_queries_rest_on_facts_of_the_graph(data: Data) -> None:
    """A row that no pattern can be shown for is the exception, and what is shown is in the graph."""
    context = builder.read_context(PROJECT.root)
    shown = asked = 0
    for stored in library.library(PROJECT.root).values():
        text = library.fill(stored.text, library.bind(stored, {}, context))
        answer = data.store.query(text, prefixes=context.prefixes)
        if not isinstance(answer, QuerySolutions) or (first := next(answer, None)) is None:
            continue
        names = [v.value for v in answer.variables]
        traced = tracing_query(text, context.prefixes, {name: first[name] for name in names})
        facts = list(data.store.query(traced, prefixes=context.prefixes)) if traced else []  # type: ignore[arg-type]
        asked += 1
        shown += any(next(data.store.quads_for_pattern(*fact, None), None) for fact in facts)  # type: ignore[misc]
    assert shown >= asked * 0.95
