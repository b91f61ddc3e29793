"""Queries that are answered in place have the engine's answers; whatever is unusual or large is left to the engine."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from typing import Any

import pytest
from conftest import tiny_quads
from dataset import BASE
from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Quad, Store, Triple

from kg.engines.embedded import EmbeddedStore
from kg.engines.evaluation import Query, ResultFormats, evaluate
from kg.sparql import bounded

PREFIXES = {
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "id": BASE.id,
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "ex": "http://example.org/",
}
XSD = "http://www.w3.org/2001/XMLSchema#"
EX = "http://example.org/"
# Values that a writer of JSON, an index or a filter could treat differently.
ODD = (
    *(Literal("5", datatype=NamedNode(XSD + "integer")), Literal("05", datatype=NamedNode(XSD + "integer"))),
    *(Literal("1.50", datatype=NamedNode(XSD + "decimal")), Literal("2026", datatype=NamedNode(XSD + "gYear"))),
    *(Literal("true", datatype=NamedNode(XSD + "boolean")), Literal("x", datatype=NamedNode(EX + "type"))),
    *(Literal('a"b\\c/d\n\r\tе\u0301'), Literal("\x01\x7f"), Literal("\u2028"), Literal("😀"), Literal("")),
    *(Literal("colour", language="en-gb"), Literal("色", language="ja"), Literal("色"), BlankNode("b1")),
    *(NamedNode("urn:isbn:1"), NamedNode(EX + "a/b.c"), Triple(NamedNode(EX + "s"), NamedNode(EX + "p"), Literal("o"))),
)


FILTERS = (
    'FILTER(LANG(?{}) = "{}")',
    'filter ( langMatches(lang(?{}), "{}") )',
    'FILTER LANGMATCHES(LANG(?{}),"{}")',
)
DAMAGE = ("", " ", ".", ";", ",", "}", "{", "?", "a", "\\", '"', "@en", "#", "\n", "5", ":", "<", "*", "\u3000")


@pytest.fixture(scope="module")
def store() -> EmbeddedStore:
    quads = [q if q.graph_name == DefaultGraph() else Quad(q.subject, q.predicate, q.object) for q in tiny_quads()]
    odd = [Quad(NamedNode(f"{EX}s{n % 5}"), NamedNode(f"{EX}p{n % 3}"), value) for n, value in enumerate(ODD)]
    linked = [
        Quad(NamedNode(f"{EX}s{n % 5}"), NamedNode(EX + "next"), NamedNode(f"{EX}s{n * 3 % 5}")) for n in range(9)
    ]
    many = [Quad(NamedNode(f"{EX}m{n}"), NamedNode(EX + "of"), NamedNode(EX + "many")) for n in range(500)]
    elsewhere = [Quad(NamedNode(EX + "s0"), NamedNode(EX + "p0"), Literal("no"), NamedNode(EX + "graph"))]
    return EmbeddedStore.in_memory([*quads, *odd, *linked, *many, *elsewhere])


def by_engine(store: EmbeddedStore, text: str) -> bytes:
    want = ResultFormats("json", "ttl")
    return evaluate(store, Query(text), want, base=BASE.id, prefixes=PREFIXES, most_bytes=10**7).body


def in_place(store: EmbeddedStore, text: str) -> bytes | None:
    found = bounded.answer(store, text, PREFIXES, 10**6)
    return found[1] if found else None


def solutions(body: bytes) -> tuple[Any, Counter[str]]:
    document = json.loads(body)
    rows = Counter(json.dumps(row, sort_keys=True) for row in document.get("results", {}).get("bindings", []))
    return (document["head"], document.get("boolean")), rows


def assert_same(store: EmbeddedStore, text: str) -> bool:
    """Whether it was answered in place, and then as by the engine."""
    body = in_place(store, text)
    if body is None:
        return False
    query = bounded.read(text, PREFIXES)
    assert query is not None
    expected = by_engine(store, text)
    if len(query.patterns) == 1:
        assert body == expected, text
    assert solutions(body) == solutions(expected), text
    return True


def written(chance: random.Random, term: object) -> str:
    if isinstance(term, NamedNode):
        for prefix, namespace in PREFIXES.items():
            local = term.value.removeprefix(namespace)
            if local != term.value and local.replace("/", "").replace("-", "").isalnum() and chance.random() < 0.7:
                return f"{prefix}:{local.replace('/', chr(92) + '/')}"
    return str(term)


def generated(chance: random.Random, quads: list[Quad]) -> str:
    """A query whose terms are those of the store, so that it often has rows."""
    names = ["a", "b", "c", "d_1"]
    lines: list[str] = []
    quad = chance.choice(quads)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4))):
        quad = chance.choice([q for q in quads if q.subject in (quad.subject, quad.object)] or quads)
        parts = [written(chance, t) for t in (quad.subject, quad.predicate, quad.object)]
        for place in range(3):
            if chance.random() < (0.3, 0.3, 0.6)[place] or parts[place].startswith(("_:", "<<", "(")):
                parts[place] = chance.choice("?$") + chance.choice(names)
        lines.append(" ".join(parts))
    body = chance.choice((" . ", ".\n", " ;\n ")).join(lines) if chance.random() < 0.2 else " . ".join(lines)
    if chance.random() < 0.3:
        tag = chance.choice(("ja", "en", "xx"))
        form = (
            'FILTER(LANG(?{}) = "{}")',
            'filter ( langMatches(lang(?{}), "{}") )',
            'FILTER LANGMATCHES(LANG(?{}),"{}")',
        )
        body += " " + chance.choice(form).format(chance.choice(names), tag)
    used = [f"?{name[1:]}" for name in re.findall(r"[?$]\w+", body) if chance.random() < 0.7]
    columns = " ".join(dict.fromkeys(chance.sample(used, len(used))))
    head = chance.choice(("SELECT *", f"select {columns}", f"SELECT {columns} WHERE", "ASK", "ASK WHERE"))
    tail = chance.choice(("", "", " LIMIT 1", " LIMIT 5", " limit 0", " # more"))
    return f"{head} {{ {body} }}{tail}"


def damaged(chance: random.Random, text: str) -> str:
    for _ in range(chance.choice((1, 1, 2, 3))):
        at = chance.randrange(len(text) + 1)
        piece = chance.choice(
            ("", " ", ".", ";", ",", "}", "{", "?", "a", "\\", '"', "@en", "#", "\n", "5", ":", "<", "*", "\u3000")
        )
        text = text[:at] + piece + text[at + chance.randrange(2) :]
    return text


def test_answers_are_those_of_the_engine(store: EmbeddedStore) -> None:
    seed = random.SystemRandom().randrange(10**9)
    chance, quads = random.Random(seed), list(store.quads_for_pattern(None, None, None, DefaultGraph()))
    answered = 0
    for _ in range(2_500):
        text = generated(chance, quads)
        try:
            answered += assert_same(store, text)
            text = damaged(chance, text)
            # What the engine would refuse is not answered: `by_engine` would raise.
            assert_same(store, text)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {text}") from error
    assert answered > 600


@pytest.mark.parametrize(
    "text",
    [
        "SELECT ?a { ?a ?b ?a }",
        "SELECT ?a { ?a ?b 5 }",
        'SELECT ?a { ?a ?b "5"^^<http://www.w3.org/2001/XMLSchema#integer> }',
        "SELECT ?a { GRAPH ?g { ?a ?b ?c } }",
        "SELECT DISTINCT ?a { ?a ?b ?c }",
        "SELECT ?a { ?a ?b ?c } ORDER BY ?a",
        "SELECT ?a { ?a skos:broader+ ?c }",
        "SELECT ?a { [] skos:broader ?a }",
        "SELECT ?a { <http://example.org/../s> ?b ?a }",
        "SELECT ?a { <relative> ?b ?a }",
        "SELECT ?z { ?a ?b ?c }",
        "CONSTRUCT { ?a ?b ?c } WHERE { ?a ?b ?c }",
        "DESCRIBE <http://example.org/s1>",
        "SELECT ?a { unknown:x ?b ?a }",
        "ASK { ?a ?b ?c } LIMIT 1",
        "SELECT ?a { SERVICE <http://example.org/s> { ?a ?b ?c } }",
        "",
    ],
)
def test_the_grammar_has_nothing_else(text: str) -> None:
    assert bounded.read(text, PREFIXES) is None


def test_what_is_not_small_is_left_to_the_engine(store: EmbeddedStore) -> None:
    assert in_place(store, f"SELECT ?a {{ ?a <{EX}of> <{EX}many> }}") is None
    assert in_place(store, f"SELECT ?a {{ ?a <{EX}of> <{EX}many> }} LIMIT 10") is not None
    assert in_place(store, f"SELECT ?a ?b {{ ?a <{EX}of> <{EX}many> . ?b <{EX}of> <{EX}many> }} LIMIT 3") is None
    assert in_place(store, f"ASK {{ ?a <{EX}of> <{EX}many> }}") is not None
    text = f"SELECT ?a {{ <{EX}s1> ?b ?a }}"
    assert bounded.answer(store, text, PREFIXES, 10) is None


def test_the_default_graph_only_is_read() -> None:
    store = EmbeddedStore(Store())
    store._store.add(Quad(NamedNode(EX + "s"), NamedNode(EX + "p"), Literal("x"), NamedNode(EX + "g")))
    assert in_place(store, "ASK { ?s ?p ?o }") == b'{"head":{},"boolean":false}'


def test_the_columns_of_a_star_are_in_written_order_beside_any_words(store: EmbeddedStore) -> None:
    """The name of a keyword in a string, a comment or a name is no keyword."""
    for more in ('?z skos:prefLabel "A service"@en', "?z skos:prefLabel ?a # SERVICE", "?z ex:service ?a"):
        head = json.loads(by_engine(store, f"SELECT * {{ ?z ?b ?a . {more}\n}}"))["head"]
        assert head["vars"] == ["z", "b", "a"], more
    assert json.loads(by_engine(store, "SELECT*{ ?z ?b ?a }"))["head"]["vars"] == ["z", "b", "a"]


def test_a_term_that_cannot_be_a_subject_has_no_rows(store: EmbeddedStore) -> None:
    for target in (f"<{EX}s1>", f"<{EX}s0>", f"<{EX}s2>"):
        text = f"SELECT ?a ?c {{ {target} ?p ?c . ?c <{EX}p1> ?a }}"
        assert assert_same(store, text), text
