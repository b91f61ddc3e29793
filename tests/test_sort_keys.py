"""ORDER BY over terms of several kinds: one total order, in every nesting, whatever the engine compares by itself."""

from __future__ import annotations

import math
import random
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, Store

from kg.engines.embedded import EmbeddedStore
from kg.engines.evaluation import Query, ResultFormats, evaluate
from kg.rdf.datatypes import XSD
from kg.sparql.sort_keys import with_total_order

# The engine orders these wrongly or aborts the process.
MIXED = 'VALUES ?x { "29" 6 24 "11" "24" "28" 19 11 12 20 16 "4" "9" "12" 21 "14" 15 18 "19" 1 28 "16" 2 "21" 7 14 25 }'

Term = NamedNode | Literal


def typed(value: str, name: str) -> Literal:
    return Literal(value, datatype=NamedNode(XSD + name))


TERMS = st.one_of(
    st.integers(-(10**6), 10**6).map(Literal),
    st.floats(allow_infinity=False, width=32).map(Literal),
    st.decimals(-1000, 1000, places=2).map(lambda d: typed(format(d, "f"), "decimal")),
    st.sampled_from([9007199254740992, 9007199254740993, 9007199254740992.0]).map(Literal),
    st.text("aÄ1239 ", max_size=3).map(Literal),
    st.tuples(st.text("ab1", max_size=2), st.sampled_from(["en", "ja"])).map(lambda p: Literal(p[0], language=p[1])),
    st.booleans().map(Literal),
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)).map(
        lambda d: typed(d.replace(microsecond=0).isoformat(), "dateTime")
    ),
    st.dates().filter(lambda d: d.year > 999).map(lambda d: typed(d.isoformat(), "date")),
    st.integers(1000, 2999).map(lambda y: typed(str(y), "gYear")),
    st.sampled_from(
        [typed("x", "integer"), typed("x", "dateTime"), typed("2020-02-31", "date"), typed("P1Y", "duration")]
    ),
    st.text("abc", min_size=1, max_size=3).map(lambda t: NamedNode(f"urn:{t}")),
)


def kind_and_value(term: Term | None) -> tuple[int, float]:
    """The order that is promised between kinds, and between numbers."""
    if term is None:
        return 0, 0
    if isinstance(term, NamedNode):
        return 2, 0
    name = term.datatype.value.removeprefix(XSD)
    if name in ("integer", "decimal", "double", "float") and term.value != "x":
        number = float(term.value)
        return (4, 0) if math.isnan(number) else (3, number)
    return 5, 0


def ordered(store: Store, query: str) -> list[Term | None]:
    return [row[0] for row in store.query(with_total_order(query))]  # type: ignore[misc, union-attr]


@settings(max_examples=300, deadline=None)
@given(st.lists(TERMS, max_size=60), st.randoms(use_true_random=False))
def test_any_terms_have_one_order(terms: list[Term], random_: random.Random) -> None:
    def of(terms: list[Term]) -> list[Term | None]:
        rows = " ".join(f"({i} {term})" for i, term in enumerate(terms)) + " (-1 UNDEF)"
        query = f"SELECT ?x {{ VALUES (?n ?x) {{ {rows} }} }} ORDER BY ?x"
        upward = ordered(Store(), query)
        assert ordered(Store(), query.replace("ORDER BY ?x", "ORDER BY DESC(?x)")) == upward[::-1]
        return upward

    first = of(terms)
    assert [kind_and_value(t) for t in first] == sorted(kind_and_value(t) for t in first)
    random_.shuffle(terms)
    assert of(terms) == first


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT ?x {{ {MIXED} }} ORDER BY ?x",
        f"SELECT ?x {{ {MIXED} }} order #by\n BY ASC(?x)",
        f"SELECT ?x {{ {{ SELECT ?x {{ {MIXED} }} ORDER BY ?x }} }}",
        f"SELECT ?x {{ {MIXED} }} GROUP BY ?x HAVING (COUNT(*) > 0) ORDER BY (?x) LIMIT 100",
        f"SELECT (SAMPLE(?x) AS ?y) {{ {MIXED} }} GROUP BY ?x ORDER BY SAMPLE(?x)",
        f"SELECT DISTINCT ?x {{ {MIXED} }} ORDER BY COALESCE(?none, ?x) OFFSET 0",
        f"SELECT ?x {{ {MIXED} }} ORDER BY (?none < ?x) ?x",
        f"SELECT ?x {{ {MIXED} }} ORDER BY <{XSD}date>(?x) ?x",
    ],
)
def test_every_nesting_is_ordered(query: str) -> None:
    found = ordered(Store(), query)
    assert [t.value for t in found[:4]] == ["1", "2", "6", "7"]  # type: ignore[union-attr]
    assert [t.value for t in found[-3:]] == ["29", "4", "9"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT ?x { ?x ?p ?o }",
        "SELECT ?x { ?x ?p ?o } ORDER BY STRLEN(STR(?x)) DESC(COUNT(?o)) LIMIT 1",
        'SELECT ?order { ?order <urn:by> "ORDER BY ?x" } # ORDER BY ?x',
        "SELECT ?x { ?x ?p ?o } ORDER BY EXISTS { ?x a ?o }",
        "SELECT ?x { ?x ?p ?o } ORDER BY (?x",
    ],
)
def test_what_needs_no_rewriting_or_cannot_be_read_stays(query: str) -> None:
    assert with_total_order(query) == query


def test_a_query_answers_in_that_order() -> None:
    values = [*range(30), *map(str, range(30)), *(f"{n}.5" for n in range(9))]
    quads = (Quad(NamedNode("urn:s"), NamedNode("urn:p"), Literal(v), DefaultGraph()) for v in values)
    store = EmbeddedStore.in_memory(quads)
    query = Query("SELECT ?o { ?s ?p ?o } ORDER BY DESC(?o)")
    answer = evaluate(store, query, ResultFormats("tsv"), base="urn:", prefixes={}, most_bytes=10_000)
    assert answer.body.decode().split()[1:3] == ['"9"', '"8.5"']
    assert answer.body.decode().split()[-30:] == [str(n) for n in reversed(range(30))]
