"""Every query of the library, with expected results that were worked out by hand from the source."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from dataset import PROJECT, ROOT, load
from pyoxigraph import QuerySolutions, Store

from api.i18n import texts
from kg.curation import answers, builder
from kg.sparql import library

EXPECTED = ROOT / "tests" / "expected"
LIBRARY = library.library(ROOT)
CONTEXT = builder.read_context(ROOT)
_PREFIX = re.compile(r"^PREFIX (\w+): <([^>]+)>$", re.MULTILINE)


@pytest.fixture(scope="module")
def store() -> Store:
    return load().store


def answer(store: Store, name: str, given: dict[str, str]) -> answers.Rows:
    return answers.rows(store, LIBRARY[name], given, CONTEXT)


def test_every_answer_is_the_expected_one(store: Store) -> None:
    assert list(answers.differences(store, ROOT, CONTEXT)) == []


@pytest.mark.parametrize("name", LIBRARY)
def test_columns_are_those_of_the_header(store: Store, name: str) -> None:
    query = LIBRARY[name]
    result = store.query(library.fill(query.text, library.bind(query, {}, CONTEXT)))
    if isinstance(result, QuerySolutions):
        assert [v.value for v in result.variables] == list(query.columns)


def test_there_are_at_least_fifty_questions() -> None:
    assert len(LIBRARY) >= 50


def test_every_question_has_an_answer_and_every_answer_a_question() -> None:
    assert {p.stem for p in EXPECTED.glob("*.json")} == set(LIBRARY)


@pytest.mark.parametrize("name", LIBRARY)
def test_header(name: str) -> None:
    query = LIBRARY[name]
    for text in (query.title, query.description, *(p.label for p in query.parameters)):
        assert set(text) == {"ja", "en"}
        assert all(text.values())
    assert query.tags
    declared = dict(_PREFIX.findall(query.text))
    assert declared == {prefix: CONTEXT.prefixes[prefix] for prefix in declared}
    assert all(re.search(rf"[?$]{p.name}\b", query.text) for p in query.parameters)


@pytest.mark.parametrize("name", LIBRARY)
def test_every_answer_says_how_it_was_found(name: str) -> None:
    assert json.loads((EXPECTED / f"{name}.json").read_text(encoding="utf-8"))["source"]


def test_a_parameter_changes_the_answer(store: Store) -> None:
    assert answer(store, "who-quotes-an-article", {"article": "law:ai-act/article-14"}) == [
        ["programme:aip", "passage:mext-2026-06-29/557-559"]
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"artcle": "law:ai-act"}, "did you mean 'article'?"),
        ({"article": "not an iri"}, "neither an IRI nor class:slug"),
    ],
)
def test_a_bad_parameter_is_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(library.BadParameter, match=re.escape(message)):
        library.bind(LIBRARY["who-quotes-an-article"], given, CONTEXT)


def test_a_header_with_a_fault_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.rq"
    path.write_text("#+ titel: {en: x, ja: x}\nSELECT * {}")
    with pytest.raises(library.KgError, match=r"x\.rq.*titel"):
        library.read(path)


CARDS = library.library(ROOT, "cards")


@pytest.mark.parametrize("name", CARDS)
def test_card(store: Store, name: str) -> None:
    """A card has rows for its default record, and its columns have headings."""
    query = CARDS[name]
    assert name.partition(".")[0] in CONTEXT.prefixes
    assert [p.name for p in query.parameters] == ["this"]
    result = store.query(library.fill(query.text, library.bind(query, {}, CONTEXT)))
    assert isinstance(result, QuerySolutions)
    assert [v.value for v in result.variables] == list(query.columns)
    assert next(iter(result), None) is not None


@pytest.mark.parametrize("query", [*LIBRARY.values(), *CARDS.values()], ids=lambda q: q.name)
def test_columns_and_tags_have_names_in_both_languages(query: library.StoredQuery) -> None:
    for language in texts.LANGUAGES:
        assert set(query.columns) <= {name for name, named in PROJECT.columns.items() if language in named}
        assert set(query.tags) <= {name for name, named in PROJECT.tags.items() if language in named}
    charted = [query.chart[key] for key in ("x", "y", "source", "target", "branch", "leaf") if key in query.chart]
    assert set(charted) <= set(query.columns)
    assert set(query.units) <= set(query.columns)


# They tell quotations from what quotes them.
_ABOUT_QUOTATIONS = {"quoted-more-than-once", "units-that-print-a-term", "whose-words"}


@pytest.mark.parametrize(
    "name", sorted(n for n, q in LIBRARY.items() if "unit" in q.columns and n not in _ABOUT_QUOTATIONS)
)
def test_a_quotation_is_not_what_the_quoting_document_says(store: Store, name: str) -> None:
    role = CONTEXT.prefixes["headings"] + "quotation"
    quoting = store.query(f"SELECT ?unit {{ ?unit <{CONTEXT.prefixes['kg']}headingRole> <{role}> }}")
    assert isinstance(quoting, QuerySolutions)
    quotations = {CONTEXT.compact(unit["unit"].value) for unit in quoting}  # type: ignore[union-attr]
    assert quotations
    assert not quotations & {cell for row in answer(store, name, {}) for cell in row}


def test_each_query_on_the_page_about_the_ontology_has_an_answer(store: Store) -> None:
    page = (ROOT / "docs" / "ontology.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```sparql\n(.*?)```", page, re.MULTILINE | re.DOTALL)
    assert examples
    for example in examples:
        result = store.query(example, prefixes=CONTEXT.prefixes)
        assert isinstance(result, QuerySolutions)
        assert next(iter(result), None) is not None, example
