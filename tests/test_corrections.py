"""Mistakes that were found in the data and put right: what the paper says, and no more."""

from __future__ import annotations

import hashlib
import unicodedata
from typing import TYPE_CHECKING

import pytest
from dataset import ONTOLOGY_NAMESPACE as KG
from dataset import Data, literals, passage, place_of, plain, short

from kg.rdf.terms import value

if TYPE_CHECKING:
    from collections.abc import Mapping

STRATEGY = "policy/ai-for-science-strategy"


def test_the_headings_of_a_quotation_stand_in_its_lines(data: Data, texts: Mapping[str, str]) -> None:
    wrong = {
        (short(value(quad.subject)), heading)
        for quad, path in literals(data.asserted, KG + "headingPath")
        if path.language == "ja" and place_of(quad.graph_name)
        for heading in path.value.split(" > ")
        if plain(heading) not in plain(passage(texts, quad.graph_name))
    }
    assert wrong == set()


def test_ten_times_the_speed_is_a_potential_of_a_system_that_is_to_be_developed(data: Data) -> None:
    unit = f"<{STRATEGY}/target-3> kg:states ?statement . ?statement"
    tenfold = f"{unit} kg:factor ?factor ; kg:modality ?modality"
    assert data.rows(tenfold, "factor", "modality") == {("10", "vocabulary/modalities/potential")}
    developed = f"{unit} kg:act <vocabulary/acts/develop> ; kg:object ?system ; kg:within ?within"
    assert data.rows(developed, "system", "within") == {("vocabulary/topics/ai-driven-labs", "P3Y")}
    assert not data.holds(f"<{STRATEGY}/target-3> kg:factor|kg:within ?value")


def test_what_the_strategy_sets_out_is_planned_and_not_under_way(data: Data) -> None:
    commitments = f"?unit kg:elementOf <{STRATEGY}> ; kg:states ?s . ?s a kg:Commitment ; kg:modality ?modality"
    assert "vocabulary/modalities/ongoing" not in data.one(commitments, "modality")


def test_a_budget_project_number_belongs_to_a_programme(data: Data) -> None:
    assert data.one("?s kg:reviewProjectId ?id FILTER NOT EXISTS { ?s a kg:Programme }", "s") == set()
    assert data.one("?s kg:reviewProjectId '1658'", "s") == {"programme/hpci"}


@pytest.mark.parametrize(
    ("former", "successor"),
    [
        ("event/information-committee-2024-03-22", "policy/aip-centre-future"),
        ("policy/open-and-closed-strategy", "concept/open-and-closed-strategy"),
    ],
)
def test_what_the_paper_does_not_say_is_deprecated_with_a_successor(data: Data, former: str, successor: str) -> None:
    assert data.one(f"<{former}> owl:deprecated true ; dcterms:isReplacedBy ?successor", "successor") == {successor}


def test_a_document_with_a_date_is_not_said_to_be_adopted(data: Data) -> None:
    future = "<policy/aip-centre-future>"
    assert data.one(f"{future} dcterms:issued ?date", "date") == {"2024-03-22"}
    assert not data.holds(f"{future} bibo:status ?status")
    assert not data.holds(f"?adoption a kg:Adoption ; kg:concerns {future}")


def test_an_approach_in_quotation_marks_is_a_term_and_has_no_definition(data: Data) -> None:
    approach = "<concept/open-and-closed-strategy>"
    assert data.holds(f"{approach} a kg:PolicyTerm")
    assert not data.holds(f"{approach} skos:definition ?definition")


def test_a_citation_says_which_sentence_it_quotes_without_its_words(data: Data, texts: Mapping[str, str]) -> None:
    """The digest is that of the last line of the citation's passage: what stands above it are headings."""
    found = [(quad, digest.value) for quad, digest in literals(data.asserted, KG + "quotedTextSha256")]
    for quad, digest in found:
        sentence = passage(texts, quad.graph_name).rsplit("\n", 1)[-1].removeprefix("- ")
        words = "".join(unicodedata.normalize("NFKC", sentence).split())
        assert hashlib.sha256(words.encode()).hexdigest() == digest, short(value(quad.subject))
    excerpts = data.one("?c a kg:Citation ; kg:headingPath ?path", "c")
    assert {short(value(quad.subject)) for quad, _ in found} == excerpts
    twice = "?one kg:quotedTextSha256 ?digest . ?other kg:quotedTextSha256 ?digest FILTER(STR(?one) < STR(?other))"
    assert data.rows(twice, "one", "other") == {
        ("programme/aip#citation-new-capitalism", "programme/genai-transparency#citation-new-capitalism-3")
    }


def test_what_is_quoted_is_said_by_its_source_alone(data: Data) -> None:
    """No programme says what it quotes, and no document what it takes from another."""
    said = "<policy/new-capitalism-2025/excerpt-3/statement-1> kg:saidBy ?document"
    assert data.one(said, "document") == {"policy/new-capitalism-2025"}
    quoted = "?s a kg:Statement ; prov:wasQuotedFrom ?source ; kg:saidBy ?document FILTER(?document != ?source)"
    assert data.one(quoted, "document") == set()


def test_no_statement_restates_itself(data: Data) -> None:
    assert data.one("?s kg:restates ?s", "s") == set()


def test_what_a_newspaper_tells_of_a_draft_is_not_said_by_the_strategy(data: Data) -> None:
    reported = f"<{STRATEGY}/reported-targets-1> kg:states ?s . ?s kg:saidBy ?document"
    assert data.one(reported, "document") == {"policy/ai-for-science-strategy-draft"}


@pytest.mark.parametrize(
    ("statement", "modality"),
    [
        *((f"jsai-proposal/pillar-{n}/statement-1", "proposed") for n in range(1, 5)),
        ("jsai-proposal/conclusion-1/statement-5", "planned"),
        ("science-for-ai-science-of-ai/question-7/statement-3", "question-important"),
        ("science-for-ai-science-of-ai/question-9/statement-1", "question-necessary"),
        ("science-for-ai-science-of-ai/claim-10/statement-3", "fact"),
    ],
)
def test_how_firmly_it_is_said_is_as_in_print(data: Data, statement: str, modality: str) -> None:
    assert data.one(f"<policy/{statement}> kg:modality ?modality", "modality") == {f"vocabulary/modalities/{modality}"}


def test_a_particular_need_is_not_any_need(data: Data) -> None:
    conditions = [
        data.one(f"<law/ai-act/article-25/paragraph-{n}/statement-1> kg:condition ?condition", "condition")
        for n in (1, 2)
    ]
    assert conditions[0] != conditions[1]
