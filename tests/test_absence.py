"""Why a query has no solutions, against a real store: the term or pattern that is to blame."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyoxigraph import QueryBoolean, QuerySolutions, RdfFormat, Store

from kg.sparql import lexer, library
from kg.sparql.emptiness import EmptinessCause, diagnose

DATA = """
@prefix kg: <https://example.org/o#> . @prefix id: <https://example.org/id/> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> . @prefix prov: <http://www.w3.org/ns/prov#> .

id:aip a kg:Programme ; kg:cites id:act ; skos:prefLabel "AIP"@en , "AIP事業"@ja ; kg:amount 5 ; kg:budget id:b1 .
id:plan a kg:Policy ; kg:cites id:act ; skos:prefLabel "AI plan. First"@en .
id:act a kg:Law ; kg:hasPart id:art1 ; skos:prefLabel "AI法"@ja .
id:art1 skos:broader id:act ; skos:notation "1.a" .
id:b1 kg:year 2026 ; kg:basis [ kg:of id:aip ] .
id:g1 prov:source id:page .
id:empty prov:source id:page .
GRAPH id:g1 { id:aip kg:cites id:act . id:act a kg:Law }
GRAPH id:g2 { id:plan kg:inferred id:act }
"""
PREFIXES = {
    "kg": "https://example.org/o#",
    "id": "https://example.org/id/",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "prov": "http://www.w3.org/ns/prov#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
STORE = Store()
STORE.load(DATA.encode(), format=RdfFormat.TRIG)
ROOT = Path(__file__).parents[1]


def drive(query: str, store: Store = STORE, most: int = 200) -> tuple[EmptinessCause | None, list[str]]:
    """The finding, and the queries that were sent to the store."""
    asked: list[str] = []
    steps = diagnose(query, PREFIXES)
    try:
        ask = next(steps)
        while True:
            asked.append(ask)
            assert len(asked) <= most
            result = store.query(ask, prefixes=PREFIXES)
            assert isinstance(result, QueryBoolean)
            ask = steps.send(bool(result))
    except StopIteration as stop:
        return stop.value, asked


def found(query: str) -> EmptinessCause:
    """The finding for a query that has no solutions."""
    result = STORE.query(query, prefixes=PREFIXES)
    if isinstance(result, QuerySolutions):
        assert not list(result)
    finding, asked = drive(query)
    assert finding is not None
    assert len(set(asked)) == len(asked)
    if finding.before:
        assert bool(STORE.query(f"ASK {{ {finding.before} }}", prefixes=PREFIXES))
    return finding


def absent(query: str) -> list[tuple[str, str]]:
    finding = found(query)
    assert finding.kind == "term"
    return [(term.written, term.place) for term in finding.terms]


@pytest.mark.parametrize(
    ("where", "terms"),
    [
        ("?s kg:citez ?o", [("kg:citez", "predicate")]),
        ("?s a kg:Programm ; kg:cites ?o", [("kg:Programm", "class")]),
        ("?s a kg:Programme ; kg:cites id:art9 .", [("id:art9", "node")]),
        ("id:aipp kg:cites ?o.", [("id:aipp", "node")]),
        ("?s a kg:Nope; kg:no id:none, ?x .", [("kg:Nope", "class"), ("kg:no", "predicate"), ("id:none", "node")]),
        ("?s <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> kg:Gone", [("kg:Gone", "class")]),
        ("?s kg:cites/kg:haspart/skos:broader* ?o", [("kg:haspart", "predicate")]),
        ("?s kg:no|^kg:none/skos:broader* ?o", [("kg:no", "predicate"), ("kg:none", "predicate")]),
        ("GRAPH id:g9 { ?s kg:cites ?o }", [("id:g9", "graph")]),
        ("GRAPH ?g { ?s ?p ?o . { ?s a kg:Gone } }", [("kg:Gone", "class")]),
        ("?s kg:basis [ kg:off ?x ; kg:of [] ]", [("kg:off", "predicate")]),
        ("?s kg:cites (id:act id:gone)", [("id:gone", "node")]),
        ("{ ?s a kg:A } UNION { ?s a kg:B }", [("kg:A", "class"), ("kg:B", "class")]),
        ("{ SELECT ?s { ?s a kg:A } LIMIT 3 }", [("kg:A", "class")]),
        ("?s ?p ?o OPTIONAL { ?s kg:opt ?x } ?s a kg:Gone", [("kg:opt", "predicate"), ("kg:Gone", "class")]),
        ("?s kg:amount 5.?s kg:of\\,fice 'kg:x'@en.", [("kg:of\\,fice", "predicate")]),
    ],
)
def test_a_name_that_does_not_exist_is_the_reason(where: str, terms: list[tuple[str, str]]) -> None:
    assert absent(f"SELECT * WHERE {{ {where} }}") == terms


def test_a_term_has_its_place_and_its_full_iri() -> None:
    finding = found("BASE <https://example.org/id/>\nPREFIX k: <../o#>\nSELECT * {\n  <aip> k:citez <act.>\n}")
    assert finding.kind == "term"
    assert (finding.text, finding.line, finding.column) == ("k:citez", 4, 9)
    assert [(term.iri, term.line, term.column) for term in finding.terms] == [
        ("https://example.org/o#citez", 4, 9),
        ("https://example.org/id/act.", 4, 17),
    ]


@pytest.mark.parametrize(
    ("query", "kind", "text", "line", "column", "before", "alone"),
    [
        (
            "SELECT * WHERE {\n  ?s a kg:Programme ;\n     kg:cites ?o ;\n     skos:broader ?b .\n}",
            "pattern",
            "?s skos:broader ?b",
            4,
            6,
            "?s a kg:Programme .\n?s kg:cites ?o .",
            False,
        ),
        (
            'SELECT * { ?s kg:cites ?o ; skos:prefLabel ?l , "AIP"@ja }',
            "pattern",
            '?s skos:prefLabel "AIP"@ja',
            1,
            49,
            "",
            True,
        ),
        (
            "SELECT ?l { FILTER(LANG(?l) = 'fr') # } not the end {\n ?s skos:prefLabel ?l }",
            "filter",
            "FILTER(LANG(?l) = 'fr')",
            1,
            13,
            "?s skos:prefLabel ?l .",
            False,
        ),
        (
            "SELECT * { ?s a kg:Programme FILTER NOT EXISTS { ?s kg:cites id:act . ?s kg:unknown* ?x } }",
            "filter",
            "FILTER NOT EXISTS { ?s kg:cites id:act . ?s kg:unknown* ?x }",
            1,
            30,
            "?s a kg:Programme .",
            False,
        ),
        (
            "SELECT * { ?s a kg:Law MINUS { ?s kg:hasPart ?x } ?s skos:prefLabel ?l }",
            "pattern",
            "MINUS { ?s kg:hasPart ?x }",
            1,
            24,
            "?s a kg:Law .",
            False,
        ),
        (
            "SELECT * { ?s a kg:Law { ?s skos:prefLabel ?l . { ?s kg:cites ?x } ?x ?y ?z } }",
            "pattern",
            "?s kg:cites ?x",
            1,
            51,
            "?s a kg:Law .\n{ ?s skos:prefLabel ?l .\n}",
            False,
        ),
        (
            "SELECT * { ?s a kg:Law VALUES (?s) { (id:aip) (UNDEF) } VALUES ?s { id:aip id:plan } }",
            "pattern",
            "VALUES ?s { id:aip id:plan }",
            1,
            57,
            "?s a kg:Law .\nVALUES (?s) { (id:aip) (UNDEF) } .",
            False,
        ),
        (
            "SELECT * { ?s a kg:Law . { ?s a kg:Policy } UNION { ?s a kg:Programme } }",
            "pattern",
            "{ ?s a kg:Policy } UNION { ?s a kg:Programme }",
            1,
            26,
            "?s a kg:Law .",
            False,
        ),
        (
            "SELECT * { ?s a kg:Law { SELECT ?s (COUNT(*) AS ?n) { ?s kg:cites ?o } GROUP BY ?s } }",
            "pattern",
            "{ SELECT ?s (COUNT(*) AS ?n) { ?s kg:cites ?o } GROUP BY ?s }",
            1,
            24,
            "?s a kg:Law .",
            False,
        ),
        (
            "SELECT * { ?s kg:amount ?n BIND(?n + 1 AS ?m) FILTER(?m > 5) FILTER(?m > 6) }",
            "filter",
            "FILTER(?m > 6)",
            1,
            62,
            "?s kg:amount ?n .\nBIND(?n + 1 AS ?m) .\nFILTER(?m > 5) .",
            False,
        ),
        (
            "SELECT * { ?s kg:amount ?n { BIND(7 AS ?n) } }",
            "pattern",
            "BIND(7 AS ?n)",
            1,
            30,
            "?s kg:amount ?n .",
            False,
        ),
        (
            "SELECT * { [] kg:amount 5 ; kg:year ?x . }",
            "pattern",
            "[] kg:amount 5 ; kg:year ?x",
            1,
            12,
            "",
            True,
        ),
        (
            'SELECT * { ?s skos:prefLabel "AI plan. First"@en ; skos:notation """1."a { """ }',
            "pattern",
            '?s skos:notation """1."a { """',
            1,
            52,
            "",
            True,
        ),
        (
            "ASK { id:b1 kg:basis [ kg:of id:act ] }",
            "pattern",
            "id:b1 kg:basis [ kg:of id:act ]",
            1,
            7,
            "",
            True,
        ),
        (
            "CONSTRUCT { ?s a ?o } WHERE { ?s kg:year ?y . ?y kg:year ?o }",
            "pattern",
            "?y kg:year ?o",
            1,
            47,
            "?s kg:year ?y .",
            False,
        ),
    ],
)
def test_the_first_piece_with_which_nothing_is_left(
    query: str, kind: str, text: str, line: int, column: int, before: str, alone: bool
) -> None:
    finding = found(query)
    assert (finding.kind, finding.text, finding.line, finding.column) == (kind, text, line, column)
    assert (finding.before, finding.alone, finding.terms) == (before, alone, ())


def test_what_is_said_elsewhere_is_missing_in_the_graph() -> None:
    finding = found("SELECT * { ?g prov:source ?p GRAPH ?g { ?s a kg:Policy ; kg:cites ?o } }")
    assert (finding.kind, finding.text) == ("graph", "GRAPH ?g { ?s a kg:Policy ; kg:cites ?o }")
    assert (finding.before, finding.alone) == ("", True)


def test_inside_a_graph_the_clause_is_kept_as_context() -> None:
    finding = found("SELECT * { ?g prov:source ?p . GRAPH ?g { ?s kg:cites ?o . ?o kg:cites ?s } }")
    assert (finding.kind, finding.text, finding.column) == ("pattern", "?o kg:cites ?s", 60)
    assert finding.before == "?g prov:source ?p .\nGRAPH ?g { ?s kg:cites ?o .\n}"
    finding = found("SELECT * { ?g prov:source ?p GRAPH ?g { ?s kg:cites ?o FILTER(?s = id:plan && isBlank(?o)) } }")
    assert (finding.kind, finding.before) == ("filter", "?g prov:source ?p .\nGRAPH ?g { ?s kg:cites ?o .\n}")


def test_a_name_of_another_graph_exists_where_a_graph_is_meant() -> None:
    finding = found("SELECT * { GRAPH id:g1 { ?s kg:inferred ?o } }")
    assert (finding.kind, finding.terms) == ("pattern", ())
    assert absent("SELECT * { ?s kg:inferred ?o }") == [("kg:inferred", "predicate")]


@pytest.mark.parametrize(
    ("query", "kind", "text"),
    [
        (
            "SELECT ?s (COUNT(?o) AS ?n) { ?s kg:cites ?o } GROUP BY ?s HAVING (?n > 1) ORDER BY ?s",
            "alias",
            "(?n > 1)",
        ),
        ("SELECT ?s { ?s kg:cites ?o } GROUP BY ?s HAVING (COUNT(?o) > 99)", "having", "(COUNT(?o) > 99)"),
        ("SELECT ?s { ?s kg:cites ?o } ORDER BY ?s LIMIT 0", "modifier", "LIMIT 0"),
        ("SELECT ?s { ?s kg:cites ?o } LIMIT 10 OFFSET 20", "modifier", "OFFSET 20"),
        ("SELECT ?s FROM id:g1 { ?s kg:cites ?o } OFFSET 1", "modifier", "OFFSET 1"),
        ("SELECT ?s { ?s kg:cites ?o } VALUES ?s { id:act }", "pattern", "VALUES ?s { id:act }"),
        ("CONSTRUCT WHERE { ?s kg:cites ?o } OFFSET 9", "modifier", "OFFSET 9"),
    ],
)
def test_what_follows_the_where_is_at_fault_last(query: str, kind: str, text: str) -> None:
    finding = found(query)
    assert (finding.kind, finding.text.removeprefix("HAVING ")) == (kind, text)
    assert finding.before == "?s kg:cites ?o ."


def test_the_dataset_of_the_query_is_that_of_every_question() -> None:
    query = "SELECT * FROM id:g1 # { \n FROM NAMED id:g2 { ?s a kg:Programme }"
    finding, asked = drive(query)
    assert finding is not None
    assert [term.written for term in finding.terms] == ["kg:Programme"]
    assert "ASK FROM id:g1 # { \n FROM NAMED id:g2 { ?s a kg:Programme }" in asked
    assert absent("SELECT * FROM id:g9 { ?s kg:cites ?o }") == [("id:g9", "graph")]


@pytest.mark.parametrize(
    "where",
    [
        "?s kg:cites ?o OPTIONAL { ?s kg:gone ?x } FILTER(?x > 3)",
        "?s kg:cites|kg:gone ?o . ?o kg:cites ?x",
        "?s kg:gone* ?o . ?o kg:year ?x . ?x kg:year ?s",
        "{ ?s a kg:Law } UNION { ?s kg:gone 1 } ?s kg:cites ?o",
        "{ ?s a kg:Law OPTIONAL { ?s kg:gone ?x } } ?s kg:cites ?o",
        "{ SELECT (COUNT(*) AS ?n) { ?s kg:gone ?x } } ?s kg:year ?n",
    ],
)
def test_a_name_that_solutions_do_not_depend_on_is_named_but_not_blamed(where: str) -> None:
    finding = found(f"SELECT * {{ {where} }}")
    assert finding.kind in ("pattern", "filter")
    assert [term.written for term in finding.terms] == ["kg:gone"]


def test_names_in_values_are_looked_for_and_those_in_filters_are_not() -> None:
    finding = found("SELECT * { VALUES ?k { kg:Gone kg:Gone2 } ?s a ?k FILTER(?s != kg:Other) MINUS { ?s kg:no 1 } }")
    assert (finding.kind, finding.text) == ("pattern", "?s a ?k")
    assert [term.written for term in finding.terms] == ["kg:Gone", "kg:Gone2"]
    finding = found("SELECT * { VALUES ?g { id:g2 } GRAPH ?g { ?s a kg:Law } }")
    assert (finding.kind, finding.terms) == ("graph", ())
    finding = found('SELECT * { ?s kg:amount 5 ; !(kg:no|^kg:none) "x"^^xsd:string . BIND(?s = kg:gone AS ?x) }')
    assert (finding.kind, finding.terms) == ("pattern", ())


def test_few_questions_are_asked() -> None:
    triples = " . ".join(["?s kg:cites id:act"] * 40)
    finding, asked = drive(f"SELECT * {{ {triples} . ?s kg:year ?y . {triples} }}")
    assert finding is not None
    assert finding.text == "?s kg:year ?y"
    assert len(asked) <= 11
    finding, asked = drive("SELECT * { ?s kg:cites kg:x0 , " + " , ".join(f"kg:x{n}" for n in range(500)) + " }")
    assert finding is not None
    assert len(asked) <= 40


def test_a_query_with_solutions_has_no_fault() -> None:
    finding, _ = drive("SELECT * { ?s kg:cites ?o ; a kg:Policy . { } GRAPH ?g { } }")
    assert finding is not None
    assert (finding.kind, finding.text) == ("unknown", "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT",
        "PREFIX",
        "BASE <http://[> SELECT * { <a> <b> <c> }",
        "DESCRIBE id:aip",
        "INSERT DATA { id:a id:b id:c }",
        "SELECT * { ?s ?p ?o ",
        "SELECT * { ?s ?p ) }",
        "SELECT * { ?s unknown:p ?o }",
        "SELECT * { SERVICE <http://x/> { ?s ?p ?o } }",
        "SELECT * { ?s ?p ?o } garbage",
        "SELECT * { ?s \\u003Chttp://x/> ?o }",
        "SELECT * { ?s ?p 'x'@en.OPTIONAL { ?s ?q ?r } }",
        "SELECT * { ?s ?p 5.OPTIONAL { ?s ?q ?r } }",
        "SELECT * { << ?s ?p ?o >> ?q ?r }",
        "SELECT * { ?s kg:cites ?o . LATERAL { ?o ?p ?x } }",
        "SELECT * " + "{" * 5_000 + "}" * 5_000,
        "SELECT * " + "{SELECT} " * 5_000,
        "SELECT * { " + "[] ?p " + "[ ?p " * 5_000,
    ],
)
def test_what_it_cannot_read_it_leaves(text: str) -> None:
    assert drive(text) == (None, [])


def test_an_escape_in_a_string_is_no_syntax() -> None:
    assert found('SELECT * { ?s skos:prefLabel "\\u65e5"@ja }').alone


def answer_at_random(query: str, seed: int, is_query: bool = True) -> None:
    """Whatever the store answers, the result is a finding or None, and only valid queries are sent."""
    answers, steps, finding = random.Random(seed), diagnose(query, PREFIXES), None
    try:
        ask = next(steps)
        while True:
            if is_query:
                assert isinstance(STORE.query(ask, prefixes=PREFIXES), QueryBoolean)
            ask = steps.send(answers.random() < 0.8)
    except StopIteration as stop:
        finding = stop.value
    assert finding is None or isinstance(finding, EmptinessCause)


LIBRARY = library.library(ROOT)


@pytest.mark.parametrize("name", sorted(LIBRARY))
def test_all_is_read_that_the_library_asks(name: str) -> None:
    finding, asked = drive(LIBRARY[name].text)
    assert finding is not None
    assert asked
    for seed in range(20):
        answer_at_random(LIBRARY[name].text, seed)


SAMPLES = [
    "SELECT ?s { ?s a kg:Law ; kg:cites|^kg:quotes/skos:broader* ?o, id:act . FILTER(?o > 3) }",
    "SELECT * { GRAPH ?g { ?s kg:cites [ kg:of (1 2.5 'x.'@en) ] } ?g prov:source ?p } LIMIT 0",
    'SELECT * { { ?s ?p "a . b" } UNION { ?s !kg:x id:y } OPTIONAL { ?s ?q 1 . } # { \n MINUS { ?s a kg:Law } }',
    "PREFIX x: <http://x/> CONSTRUCT { ?s x:p ?o } FROM id:g1 { ?s x:p ?o BIND(1 AS ?z) VALUES (?s ?o) { (1 UNDEF) } }",
    "SELECT (COUNT(*) AS ?n) { { SELECT ?s { ?s ?p ?o } } FILTER NOT EXISTS { ?s a ?c } } GROUP BY ?s HAVING (?n > 1)",
    "ASK { _:b kg:cites true ; kg:of -5 ; . [] a kg:Law . [ kg:of ?x ] . { { } } }",
]


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A query with some words removed, duplicated or moved."""
    words = [match[0] for match in lexer.tokens(draw(st.sampled_from(SAMPLES)))]
    for _ in range(draw(st.integers(0, 4))):
        at, to = draw(st.integers(0, len(words) - 1)), draw(st.integers(0, len(words) - 1))
        words[at:at] = draw(st.sampled_from([[], [], [words[to]], ["."], [";"], ["{"], ["}"], ["\\"], ["?"]]))
        if draw(st.booleans()):
            del words[to]
    return "".join(words)


def rows(text: str) -> int | None:
    """The number of solutions of a query, 0 or 1 for ASK; None for an invalid query."""
    try:
        result = STORE.query(text, prefixes=PREFIXES)
    except (SyntaxError, RuntimeError):
        return None
    return int(bool(result)) if isinstance(result, QueryBoolean) else len(list(result))


@settings(deadline=None, max_examples=600)
@given(mutated(), st.integers(0, 1 << 16))
def test_nothing_breaks_it_and_what_it_asks_of_a_query_is_a_query(text: str, seed: int) -> None:
    count = rows(text)
    answer_at_random(text, seed, count is not None)
    # COUNT has a row even without solutions, and a template may drop solutions.
    if count is not None and "COUNT" not in text and "CONSTRUCT" not in text:
        finding, _ = drive(text)
        assert finding is None or (finding.kind == "unknown") == (count > 0)


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet="SELCTAK{}?spo<>:'\"\\#.;,()[]a1|*/^! \n日", max_size=60), st.booleans())
def test_any_text_is_read_or_left(text: str, is_inside: bool) -> None:
    whole = f"SELECT * {{ {text} }}" if is_inside else text
    answer_at_random(whole, 1, rows(whole) is not None)
