"""What the sources say, as statements: each has its unit, its modality, its names and its evidence."""

from __future__ import annotations

from collections import Counter

import pytest
from dataset import BASE, Data
from pyoxigraph import NamedNode, Quad

from kg.rdf import iris
from kg.rdf.namespaces import KG, SKOS
from kg.rdf.terms import value

KINDS = {KG + k for k in ("Commitment", "Target", "Assessment", "Rationale", "Norm", "Question", "Definition")}


@pytest.fixture(scope="module")
def statements(data: Data) -> dict[str, str]:
    """Each statement with its kind."""
    found = {
        value(q.subject): value(q.object)
        for q in data.asserted
        if q.predicate.value == iris.RDF_TYPE and value(q.object) in KINDS
    }
    assert len(found) > 900
    return found


def values(quads: list[Quad], predicate: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for quad in quads:
        if quad.predicate.value == predicate:
            found.setdefault(value(quad.subject), set()).add(value(quad.object))
    return found


def test_every_kind_occurs(statements: dict[str, str]) -> None:
    assert set(Counter(statements.values())) == KINDS


def test_every_statement_has_one_modality(data: Data, statements: dict[str, str]) -> None:
    found = values(data.everything, KG + "modality")
    assert {s: found.get(s, set()) for s in statements if len(found.get(s, set())) != 1} == {}


def test_a_printed_modality_is_the_only_one(data: Data, statements: dict[str, str]) -> None:
    printed, all_of = values(data.asserted, KG + "modality"), values(data.everything, KG + "modality")
    assert len(printed) < len(all_of)
    assert {s for s in printed if printed[s] != all_of[s]} == set()


def test_every_statement_is_named_in_both_languages(data: Data, statements: dict[str, str]) -> None:
    labels: dict[str, list[str]] = {}
    for quad in data.everything:
        if quad.predicate.value == SKOS + "prefLabel" and value(quad.subject) in statements:
            labels.setdefault(value(quad.subject), []).append(getattr(quad.object, "language", ""))
    assert {s: labels.get(s) for s in statements if sorted(set(labels.get(s, []))) != ["en", "ja"]} == {}
    assert {s for s, found in labels.items() if len(set(found)) != len(found)} == set()


def test_names_of_statements_are_whole(data: Data, statements: dict[str, str]) -> None:
    """No place of a pattern is left open, and no mark of the rules is left over."""
    for quad in data.everything:
        if quad.predicate.value == SKOS + "prefLabel" and value(quad.subject) in statements:
            text = value(quad.object)
            assert not set("{}§$") & set(text), text
            assert "  " not in text, text
            assert text == text.strip(), text
            assert text[0] == text[0].upper(), text


def test_what_a_statement_is_about_is_mentioned_by_its_unit(data: Data) -> None:
    mentions = values(data.everything, KG + "mentions")
    stated, objects = values(data.everything, KG + "states"), values(data.everything, KG + "object")
    assert all(objects.get(s, set()) <= mentions.get(unit, set()) for unit, of in stated.items() for s in of)


def test_every_statement_is_said_by_a_document(data: Data, statements: dict[str, str]) -> None:
    said = values(data.everything, KG + "saidBy")
    assert {s for s in statements if not said.get(s)} == set()


def test_every_fact_of_a_statement_has_evidence(data: Data, statements: dict[str, str]) -> None:
    """It stands in the graph of a passage or of a curator's judgement, never in a graph without evidence."""
    unevidenced = {value(q.graph_name) for q in data.asserted if value(q.subject) in statements} & BASE.unevidenced
    assert unevidenced == set()


def test_no_unit_is_of_a_class_that_was_a_heading(data: Data) -> None:
    deprecated = {
        value(q.subject)
        for q in data.everything
        if q.predicate.value.endswith("owl#deprecated") and value(q.subject).startswith(KG)
    }
    assert KG + "Measure" in deprecated
    used = {value(q.object) for q in data.everything if q.predicate.value == iris.RDF_TYPE}
    assert used & deprecated == set()


def test_actors_by_context_are_apart_from_printed_ones(data: Data) -> None:
    printed, derived = values(data.everything, KG + "actor"), values(data.everything, KG + "actorByContext")
    assert derived
    assert not set(printed) & set(derived)


def test_the_duties_of_the_headquarters_follow_from_the_act(data: Data) -> None:
    headquarters = NamedNode(BASE.id + "organization/ai-strategy-headquarters").value
    powers = values(data.everything, KG + "hasPower")[headquarters]
    assert any("/article-25/" in norm for norm in powers)
