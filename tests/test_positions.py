"""Line numbers of statements are right, or not reported."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from projects import ROOT
from pyoxigraph import RdfFormat, parse

from kg.submitted import positions
from kg.submitted.positions import Positions

TURTLE = RdfFormat.TURTLE
FILES = [
    *sorted((ROOT / "data" / "ttl").rglob("*.ttl")),
    *sorted((ROOT / "ontology").rglob("*.ttl")),
    *sorted((ROOT / "tests" / "fixtures").rglob("*.ttl")),
]


def find(text: str, syntax: RdfFormat = TURTLE) -> Positions:
    return positions.find(text, syntax, list(parse(text, format=syntax)))


def is_told(text: str, syntax: RdfFormat = TURTLE) -> bool:
    quads = list(parse(text, format=syntax))
    return not quads or positions.find(text, syntax, quads).mention(str(quads[0].predicate)) > 0


def test_every_file_of_the_project_is_read_alike() -> None:
    assert [p.name for p in FILES if not is_told(p.read_text(encoding="utf-8"))] == []
    assert len(FILES) > 100


def test_the_terms_of_a_statement_have_their_lines() -> None:
    text = """@prefix ex: <http://e/> .
# ex:a ex:p ex:o
ex:a
    ex:p "ex:a" ,
        [ ex:q ex:o ;
          ex:r ( 1
                 "two"
                 ex:three ) ] ;
    ex:s \"\"\"many
lines\"\"\"@ja ,
        ex:o .
_:b ex:p true .
"""
    found = find(text)
    assert found.subject("<http://e/a>") == 3
    assert found.subject("_:b") == 12
    assert found.mention("<http://e/s>") == 9
    assert found.mention("<http://e/o>") == 5
    assert found.mention("<http://e/three>") == 8
    assert found.statement("<http://e/a>", "<http://e/s>", '"many\\nlines"@ja') == 9
    assert found.statement("<http://e/a>", "<http://e/s>", "<http://e/o>") == 11
    assert found.statement("<http://e/a>", "<http://e/s>", "<http://e/none>") == 0


@pytest.mark.parametrize(
    ("syntax", "text", "line"),
    [
        (RdfFormat.N_TRIPLES, '<http://e/x> <http://e/p> "1" .\n\n_:b <http://e/p> <http://e/o> .', 3),
        (RdfFormat.N_QUADS, '<http://e/x> <http://e/p> "1" <http://e/g> .\n_:b <http://e/p> <http://e/o> .', 2),
        (RdfFormat.TRIG, "PREFIX e: <http://e/>\ne:g {\n e:x e:p 1 .\n _:b e:p e:o\n}\nGRAPH _:g { e:x e:p 1 . }\n", 4),
    ],
)
def test_lines_in_the_other_syntaxes(syntax: RdfFormat, text: str, line: int) -> None:
    assert find(text, syntax).subject("_:b") == line


def test_no_lines_where_the_readings_differ() -> None:
    # A number that begins with a dot is unknown to the second parser.
    assert not is_told("<http://e/a> <http://e/p> .5 .")
    quads = list(parse("<http://e/a> <http://e/p> 1 , 2 .", format=TURTLE))
    for other in ("<http://e/a> <http://e/p> 1 .", "<http://e/a> <http://e/p> 2 , 1 .", "<http://e/a> <http://e/p>"):
        assert positions.find(other, TURTLE, quads).subject("<http://e/a>") == 0
    assert positions.find("{}", RdfFormat.JSON_LD, []).mention("<http://e/a>") == 0


_TERMS = st.sampled_from(["ex:a", "<http://e/b>", "_:c", "ex:d\\-e", "<http://e/\\u3042>"])
_OBJECTS = st.recursive(
    st.one_of(
        _TERMS, st.sampled_from(["1", "-2.5", "true", '"x"', "'y'@ja", '"20x6"^^ex:t', '"""a\n"b"""', "[]", "()"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda many: f"( {' '.join(many)} )"),
        st.tuples(_TERMS.filter(lambda t: t != "_:c"), inner).map(lambda pair: f"[ {pair[0]} {pair[1]} ]"),
    ),
    max_leaves=6,
)
_PROPERTIES = st.lists(
    st.tuples(st.sampled_from(["ex:p", "a", "<http://e/q>"]), st.lists(_OBJECTS, min_size=1, max_size=2)),
    min_size=1,
    max_size=3,
)


@settings(max_examples=150, deadline=None, database=None)
@given(st.lists(st.tuples(_TERMS, _PROPERTIES), min_size=1, max_size=3))
def test_any_turtle_is_read_in_the_order_of_the_engine(records: list[tuple[str, list[tuple[str, list[str]]]]]) -> None:
    text = "@prefix ex: <http://e/> .\n"
    for subject, properties in records:
        text += f"{subject}\n " + " ;\n ".join(f"{p} {' , '.join(objects)}" for p, objects in properties) + " .\n"
    assert is_told(text), text


def test_positions_in_the_turtle_of_the_w3c_tests_are_right_or_missing(beside: Path) -> None:
    told = total = 0
    for path in sorted((beside / "conformance").rglob("*.ttl")):
        try:
            text = path.read_text(encoding="utf-8")
            quads = list(parse(text, format=TURTLE))
        except (SyntaxError, UnicodeDecodeError):
            continue
        if quads:
            total += 1
            told += is_told(text)
    assert told >= 0.98 * total
