"""Binding of parameters, sorted Turtle, and the table of media types."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyoxigraph import Literal, NamedNode, RdfFormat, Store, Triple, parse

from kg.errors import KgError
from kg.rdf import formats, serialization, turtle
from kg.rdf.datatypes import DATATYPES, XSD
from kg.sparql import library


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=50))
def test_a_parameter_is_a_term_and_never_syntax(text: str) -> None:
    filled = library.fill('SELECT ?s WHERE { ?s ?p ?o FILTER(?o = ?name) } # ?name "?name"', {"name": Literal(text)})
    store = Store()
    store.extend([])
    assert list(library.select(store, filled)) == []
    assert filled.endswith('# ?name "?name"')


def test_fill_reaches_sub_selects_and_spares_other_names() -> None:
    text = "SELECT ?names WHERE { { SELECT ?names WHERE { ?x ?names ?name } } ?y ?p $name }"
    filled = library.fill(text, {"name": NamedNode("http://x/")})
    assert filled == "SELECT ?names WHERE { { SELECT ?names WHERE { ?x ?names <http://x/> } } ?y ?p <http://x/> }"


LITERALS = st.builds(Literal, st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30))


@given(st.lists(LITERALS, max_size=8))
def test_turtle_reads_back_and_is_the_same_in_any_order(literals: list[Literal]) -> None:
    subject, predicate = NamedNode("https://example.org/a"), NamedNode("https://example.org/p")
    triples = [Triple(subject, predicate, literal) for literal in literals]
    text = turtle.write(triples, {"ex": "https://example.org/"})
    assert text == turtle.write(reversed(triples), {"ex": "https://example.org/"})
    assert {q.triple for q in parse(text, format=RdfFormat.TURTLE)} == set(triples)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("integer", ["0", "17", "-3"], ["01", "1.0", "+1", "-0", "", "１"]),
        ("decimal", ["0", "0.1", "800000000", "-2.5"], ["1.10", "1.", ".5", "1e3", "00.1"]),
        ("boolean", ["true", "false"], ["yes", "1", "True"]),
        ("date", ["2026-06-29"], ["2026-02-30", "2026-6-29", "20260629", "2026-06-29Z"]),
        ("gYear", ["2026"], ["20x6", "26", "02026"]),
        ("gYearMonth", ["2026-03"], ["2026-13", "2026-3"]),
        ("duration", ["P5Y6M", "P1Y", "P3D", "PT1H"], ["P66M", "5Y", "P", "P0Y", "P1YT"]),
    ],
)
def test_canonical_literals(name: str, good: list[str], bad: list[str]) -> None:
    datatype = DATATYPES[XSD + name]
    assert [t for t in good if not datatype.accepts(t)] == []
    assert [t for t in bad if datatype.accepts(t)] == []
    store = Store()
    for text in good:
        asked = f'SELECT (STR("{text}"^^<{XSD}{name}>) AS ?x) {{}}'
        assert next(iter(library.select(store, asked)))["x"] == Literal(text), text


OFFERS = [("text/turtle",), ("application/ld+json",), ("application/rdf+xml", "text/xml"), ("text/html",)]


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, 0),
        ("*/*", 0),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 3),
        ("application/ld+json;q=0.5, text/turtle;q=0.4", 1),
        ("text/turtle;q=0, */*", 1),
        ("application/*", 1),
        ("text/xml", 2),
        ("image/png", None),
        ("TEXT/TURTLE", 0),
        ("text/turtle;q=x", None),
    ],
)
def test_negotiation(accept: str | None, chosen: int | None) -> None:
    assert formats.negotiate(accept, OFFERS) == chosen


@given(st.text(max_size=100))
def test_negotiation_answers_any_header(accept: str) -> None:
    assert formats.negotiate(accept, OFFERS) in (None, 0, 1, 2, 3)


@pytest.mark.parametrize("known", formats.RDF_FORMATS, ids=lambda f: f.name)
def test_prefixes_come_in_order_and_change_nothing(known: formats.Rdf) -> None:
    triples = [Triple(NamedNode(f"http://x{n}/a"), NamedNode(f"http://x{n}/p"), Literal("日本")) for n in range(30)]
    prefixes = {f"p{n}": f"http://x{n}/" for n in range(30)}
    written = serialization.to_bytes(triples, known, prefixes)
    assert {q.triple for q in parse(written, format=known.syntax)} == set(triples)
    declared = re.findall(rb"(?:@prefix |xmlns:)(p\d+)", written)
    assert declared == sorted(declared)
    assert len(declared) in (0, 30)
    assert not list(parse(serialization.to_bytes([], known, prefixes), format=known.syntax))


def test_a_text_of_a_header_that_is_cut_off_by_a_comma_is_told(tmp_path: Path) -> None:
    path = tmp_path / "cut.rq"
    path.write_text("#+ title: {en: A}\n#+ description: {en: Euros, in all.}\n#+ columns: [x]\nSELECT ?x {}\n")
    with pytest.raises(KgError, match=r"'description' needs a text in each language, in quotes"):
        library.read(path)
