"""Untrusted RDF: what is read, what is refused, and the position of errors."""

from __future__ import annotations

import json
import re

import pytest
from dataset import BASE
from projects import ROOT

from kg.errors import RdfFault, RdfMalformed, RdfRefused, RdfTooComplex, RdfTooLarge, UnknownSyntax
from kg.rdf import formats, iris
from kg.rdf.context import Context
from kg.submitted import intake
from kg.submitted.intake import RdfLimits

SMALL = RdfLimits(size=20_000, quads=5, depth=8)
PREFIX = "@prefix ex: <http://e/> .\n"
XML = '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e/">{}</rdf:RDF>'
NODE = '<rdf:Description rdf:about="http://e/a"><e:p>{}</e:p></rdf:Description>'


def read(text: str | bytes, name: str = "ttl", limits: RdfLimits = SMALL, **contexts: object) -> int:
    syntax = formats.rdf_format(name)
    assert syntax is not None
    body = text.encode() if isinstance(text, str) else text
    return len(intake.read(body, syntax, limits, contexts)[1])


@pytest.mark.parametrize(
    ("named", "file_name", "media_type", "expected"),
    [
        ("turtle", "x.nt", "application/rdf+xml", "ttl"),
        ("", "data.TTL", "application/octet-stream", "ttl"),
        ("", "data.owl", "", "rdf"),
        ("", "data.json", "application/json", "jsonld"),
        ("", "", "application/json; charset=utf-8", "jsonld"),
        ("", "", "text/turtle;charset=utf-8", "ttl"),
        ("", "no-ending", "application/n-quads", "nq"),
    ],
)
def test_the_syntax_is_found_by_name_then_extension_then_media_type(
    named: str, file_name: str, media_type: str, expected: str
) -> None:
    assert intake.syntax_of(named, file_name, media_type).name == expected


@pytest.mark.parametrize("told", [("docx", "x.ttl", "text/turtle"), ("", "x.csv", "text/csv"), ("", "", "")])
def test_an_unknown_syntax_is_not_guessed(told: tuple[str, str, str]) -> None:
    with pytest.raises(UnknownSyntax, match=r"expected one of ttl \(text/turtle\), jsonld"):
        intake.syntax_of(*told)


def test_every_syntax_is_read() -> None:
    assert read(PREFIX + "ex:a ex:p 1 .") == 1
    assert read('<http://e/a> <http://e/p> "1" .', "nt") == 1
    assert read('<http://e/a> <http://e/p> "1" <http://e/g> .', "nq") == 1
    assert read(PREFIX + "ex:g { ex:a ex:p 1 }", "trig") == 1
    assert read(XML.format(NODE.format("1")), "rdf") == 1
    assert read('{"@id": "http://e/a", "http://e/p": 1}', "jsonld") == 1
    assert read(b"\xef\xbb\xbf" + (PREFIX + "ex:a ex:p 1 .").encode()) == 1


def nested(name: str, depth: int) -> str:
    return {
        "ttl": f"{PREFIX}ex:a ex:p {'[ ex:p ' * depth}1{' ]' * depth} .",
        "trig": f"{PREFIX}ex:a ex:p {'( ' * depth}1{' )' * depth} .",
        "jsonld": '{"http://e/p": ' * depth + "1" + "}" * depth,
        "rdf": XML.format("<e:C><e:p>" * (depth // 2) + "</e:p></e:C>" * (depth // 2)),
    }[name]


@pytest.mark.parametrize("name", ["ttl", "trig", "jsonld", "rdf"])
@pytest.mark.parametrize("depth", [10, 100_000])
def test_deep_nesting_is_refused_before_any_parser_sees_it(name: str, depth: int) -> None:
    text = nested(name, depth)
    with pytest.raises(RdfTooComplex, match="nest deeper than 8 levels") as caught:
        read(text, name, RdfLimits(size=len(text), depth=8))
    assert (caught.value.limit, caught.value.line > 0, caught.value.column > 0) == (8, True, True)
    assert read(nested(name, 6), name, RdfLimits(depth=8)) >= 1


def test_brackets_in_strings_comments_and_iris_do_not_nest() -> None:
    assert read(f'{PREFIX}# {"[" * 50}\nex:a ex:p "{"[" * 50}" , <http://e/{"(" * 50}> .') == 2
    assert read(json.dumps({"http://e/p": "{" * 50}), "jsonld") == 1


def test_size_and_number_of_statements_are_limited() -> None:
    with pytest.raises(RdfTooLarge, match="has 20,001 bytes; at most 20,000") as caught:
        read("#" * 20_001)
    assert caught.value.limit == 20_000
    with pytest.raises(RdfTooLarge, match="more than 5 statements") as caught:
        read(PREFIX + "ex:a ex:p 1, 2, 3, 4, 5, 6 .")
    assert caught.value.limit == 5
    assert read(PREFIX + "ex:a ex:p 1, 2, 3, 4, 5 .") == 5


@pytest.mark.parametrize(
    ("text", "name", "line", "column", "message"),
    [
        (PREFIX + "ex:a ex:p ex:b ;\n  ex:q fo:o .", "ttl", 3, 8, "The prefix fo: has not been declared"),
        ("<http://e/a> <b> 1 .", "ttl", 1, 14, "No scheme found in an absolute IRI"),
        ('<http://e/a> <http://e/p> "1" .\n<http://e/a> <http://e/p> .', "nt", 2, 27, "The object of a triple must be"),
        ('{"a": 1,\n "b" 2}', "jsonld", 2, 6, "Expecting ':' delimiter"),
        (XML.format(NODE.format("<b>")), "rdf", 1, 136, "mismatched tag"),
        (b"# \n# \x93\xfa\x96\x7b\n", "ttl", 2, 0, "line 2 is not UTF-8 but seems to be Shift_JIS; save the file"),
        (b"# \xe9t\xe9\n", "ttl", 1, 0, "line 1 is not UTF-8; save the file as UTF-8"),
        ("# x".encode("utf-16"), "ttl", 1, 0, "line 1 is not UTF-8 but UTF-16; save the file as UTF-8"),
    ],
)
def test_a_syntax_error_has_its_place(text: str | bytes, name: str, line: int, column: int, message: str) -> None:
    with pytest.raises(RdfMalformed, match=re.escape(message)) as caught:
        read(text, name)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert "Parser error" not in str(caught.value)


@pytest.mark.parametrize("text", ["[]", '{"name": "x"}', "", '{"@context": {}, "name": "x"}'])
def test_a_document_without_statements_does_not_pass(text: str) -> None:
    with pytest.raises(RdfMalformed, match="the document has no statements" if text else "Expecting value"):
        read(text, "jsonld")
    with pytest.raises(RdfMalformed, match="no statement"):
        read("# nothing\n", "ttl")


@pytest.mark.parametrize("text", ['{"http://e/p": NaN}', '{"http://e/p": ' + "1" * 5000 + "}"])
def test_json_that_is_none(text: str) -> None:
    with pytest.raises(RdfMalformed, match="cannot be read"):
        read(text, "jsonld")


# ---- nothing is fetched ----


@pytest.mark.parametrize(
    "context",
    [
        '"https://schema.org/"',
        '[{"a": "http://e/a"}, "https://schema.org/"]',
        '{"a": {"@id": "http://e/a", "@context": "https://schema.org/"}}',
        '{"@import": "https://schema.org/"}',
        '"file:///etc/passwd"',
        '"context.jsonld"',
    ],
)
def test_a_context_that_lies_elsewhere_is_not_fetched(context: str) -> None:
    with pytest.raises(RdfRefused, match="is remote and is not fetched"):
        read(f'{{"@context": {context}, "@id": "http://e/x", "a": 1}}', "jsonld")
    with pytest.raises(RdfRefused):
        read(f'{{"http://e/p": [{{"@context": {context}, "a": 1}}]}}', "jsonld")


def test_our_own_context_is_known_without_fetching() -> None:
    own = Context.read(ROOT / "ontology" / "context.jsonld").document
    known = intake.own_contexts(own, BASE.iri, "https://ministry.example/")
    for name in (BASE.iri + "context.jsonld", "https://ministry.example/context.jsonld"):
        text = json.dumps({"@context": [name], "id": "http://e/x", "type": "Programme", "quotes": "law:ai-act"})
        _, quads = intake.read(text.encode(), formats.RDF_FORMATS[1], SMALL, known)
        assert {q.predicate.value for q in quads} == {iris.RDF_TYPE, iris.ONTOLOGY + "#quotes"}
        assert BASE.id + "law/ai-act" in {str(q.object.value) for q in quads}  # type: ignore[union-attr]
    with pytest.raises(
        RdfRefused, match=r"or use https://w3id\.org/aikg/context\.jsonld or https://ministry\.example/"
    ):
        intake.read(b'{"@context": "https://schema.org/", "a": 1}', formats.RDF_FORMATS[1], SMALL, known)


# ---- entities ----

BOMB = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "declared",
    [
        f'<!ENTITY l0 "lol">{BOMB}',
        '<!ENTITY x SYSTEM "file:///etc/passwd">',
        '<!ENTITY x PUBLIC "p" "http://127.0.0.1:9/">',
        '<!ENTITY % x "y">',
        f'<!ENTITY x "{"y" * 600}">',
    ],
)
def test_entities_that_expand_or_lead_outside_are_refused(declared: str) -> None:
    document = f"<!DOCTYPE r [{declared}]>" + XML.format(NODE.format("1"))
    with pytest.raises(RdfRefused, match="may only be a short text such as a namespace") as caught:
        read(document, "rdf")
    assert caught.value.line == 1


def test_many_uses_of_a_short_entity_are_counted() -> None:
    document = f'<!DOCTYPE r [<!ENTITY x "{"y" * 400}">]>' + XML.format(NODE.format("&x;" * 5_000))
    with pytest.raises(RdfTooLarge, match="too large once its entities are expanded"):
        read(document, "rdf")


def test_an_entity_for_a_namespace_is_read_as_such() -> None:
    document = '<!DOCTYPE r [<!ENTITY ex "http://e/">]>' + XML.format(
        '<rdf:Description rdf:about="&ex;a"><e:p/></rdf:Description>'
    )
    _, quads = intake.read(document.encode(), formats.RDF_FORMATS[3], SMALL)
    assert quads[0].subject.value == "http://e/a"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text",
    [
        "<http://e/a> <http://e/p> <<( <http://e/a> <http://e/p> 1 )>> .",
        "<http://e/a> <http://e/p> 1 {| <http://e/q> 2 |} .",
        "<< <http://e/a> <http://e/p> 1 >> <http://e/q> 2 .",
        "<http://e/a> <http://e/p> " + "<<( <http://e/a> <http://e/p> " * 100_000,
    ],
    ids=["term", "annotation", "reifier", "deep"],
)
def test_triples_about_triples_are_refused(text: str) -> None:
    with pytest.raises(RdfFault, match="triple terms"):
        read(text, limits=RdfLimits(depth=8))
