"""The position of syntax errors in SPARQL."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyoxigraph import NamedNode, Quad, QuerySolutions, Store

from kg.engines.embedded import EmbeddedStore
from kg.sparql.diagnosis import diagnose
from kg.sparql.lexer import with_plain_spaces


def place(text: str) -> tuple[int, int, str]:
    with pytest.raises(SyntaxError) as caught:
        Store().query(text)
    found = diagnose(text, caught.value)
    return found.line, found.column, str(found)


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("SELECT *\nWHERE { ?s ?p }", 2, 15, "'}' cannot stand here"),
        ("SELECT * { ?s foo ?o }", 1, 15, "'foo' cannot stand here"),
        ("SELECT ?日本 { ?日本 foo }", 1, 18, "'foo' cannot stand here"),
        ("ASK {} ASK {}", 1, 8, "'ASK' cannot stand here"),
        ("SELEC * {}", 1, 1, "'SELEC' cannot stand here"),
        ("SELECT * { ?s ?p ?o . FILTER ?o > 3 }", 1, 30, 'expected "(", ":", "<"'),
        ("SELECT * {\r\n ?s ex:p ?o }", 2, 5, "'ex:p': prefix not found"),
        ("SELECT ?s (COUNT(*) AS n) {?s ?p ?o}", 1, 24, 'expected "$", "?"'),
        ("SELECT * { ?s ?p ?o } LIMIT x", 1, 29, "expected a number"),
        ("SELECT * { ?s ?p ?o ", 1, 21, "the query ends too early"),
        ("", 1, 1, "the query ends too early"),
    ],
)
def test_the_place_is_the_first_word_that_cannot_stand(text: str, line: int, column: int, said: str) -> None:
    found = place(text)
    assert found[:2] == (line, column)
    assert said in found[2]


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("SELECT * { ?s ?p ?o }　LIMIT（1）", 28, "U+FF08 FULLWIDTH LEFT PARENTHESIS"),
        ("ASK { ?s ?p “o” }", 13, "U+201C LEFT DOUBLE QUOTATION MARK"),
        ("ASK { ?s ?p \x07 }", 13, "U+0007 control character"),
    ],
)
def test_an_odd_character_is_named_by_its_code(text: str, column: int, said: str) -> None:
    found = place(with_plain_spaces(text))
    assert found[1] == column
    assert said in found[2]


@pytest.mark.parametrize("space", ["\u00a0", "\u3000", "\u2003", "\u200b", "\ufeff", "\u2028"])
def test_odd_spaces_are_spaces_between_tokens_only(space: str) -> None:
    kept = f'\'a{space}b\' """{space}""" <urn:a{space}b> #{space}'
    text = with_plain_spaces(f"{space}SELECT{space}*{space}{{ ?s{space}?p {kept}")
    assert text == f" SELECT * {{ ?s ?p {kept}"


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        (
            "PREFIX id: <urn:x/> ASK { ?s ?p id:law/ai-act/article-9 }",
            39,
            r"write id:law\/ai-act\/article-9 or <urn:x/law/",
        ),
        ("PREFIX id: <urn:x/> ASK { id:law/ai-act ?p ?o }", 33, "or <urn:x/law/ai-act>"),
        ("SELECT ?a (COUNT(?b) AS ?n) { ?a ?p ?b }", 8, "add GROUP BY ?a"),
        ("SELECT (COUNT(?b) AS ?n) ?a (?n + 1 AS ?m) { ?a ?p ?b }", 26, "SAMPLE(?a)"),
        ("SELECT ?a ?c (COUNT(?b) AS ?n) { ?a ?p ?b ; ?q ?c } GROUP BY ?a", 11, "?c is selected"),
        ("SELECT (STR(?a) AS ?t) (COUNT(*) AS ?n) { ?a ?p ?b }", 13, "add GROUP BY ?a"),
    ],
)
def test_common_mistakes_are_explained(text: str, column: int, said: str) -> None:
    found = place(text)
    assert found[1] == column
    assert said in found[2]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("SELECT * { ?z ?m ?a }", "zma"),
        ("SELECT DISTINCT * WHERE { ?z ?m ?a FILTER(?a != ?z) OPTIONAL { ?a ?x ?y } } ORDER BY ?a", "zmaxy"),
        ("# SELECT *\nSELECT ?a ?z { { SELECT * { ?z ?m ?a } } }", "az"),
        ("select * { ?z ?m ?a . { SELECT ?q (COUNT(?h) AS ?n) { ?q ?g ?h } GROUP BY ?q } }", "zmaqn"),
        ("SELECT * { BIND('SELECT *' AS ?z) VALUES (?b ?a) { (1 2) } }", "zba"),
        ("SELECT * { ?a ?b ?c }", "abc"),
    ],
)
def test_select_all_keeps_the_order_of_the_text(text: str, columns: str) -> None:
    quads = [Quad(NamedNode(f"urn:{s}"), NamedNode("urn:p"), NamedNode(f"urn:{o}")) for s in "12" for o in "34"]
    result, plain = EmbeddedStore.in_memory(quads).query(text), Store()
    plain.extend(quads)
    assert isinstance(result, QuerySolutions)
    assert "".join(v.value for v in result.variables) == columns
    expected = plain.query(text)
    assert isinstance(expected, QuerySolutions)
    rows = sorted(tuple(str(row[c]) for c in columns) for row in result)
    assert rows == sorted(tuple(str(row[c]) for c in columns) for row in expected)


def test_a_long_text_keeps_the_place_of_the_engine() -> None:
    line, column, _ = place("SELECT * {\n" + "?s ?p ?o .\n" * 5_000 + "?s ?p }")
    assert line == 5_002
    assert column > 1


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="SELCTAK{}?spo<>:'\"\\#.;,()1 \n日", max_size=40))
def test_any_text_has_a_place_in_it(text: str) -> None:
    try:
        Store().query(text)
    except SyntaxError as error:
        found = diagnose(text, error)
        lines = text.split("\n")
        assert 1 <= found.line <= len(lines)
        assert 1 <= found.column <= len(lines[found.line - 1]) + 1
