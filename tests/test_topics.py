"""Topics and lists: one hierarchy that everything meets in, and lists that are complete or say that they are not."""

from __future__ import annotations

import pytest
from dataset import Data

LISTS = (
    *("acts", "relations", "modalities", "degrees", "timeframes", "directions", "units", "heading-roles"),
    *("text-only-reasons", "without-instrument", "actor-kinds", "topics"),
)
# The number of entries of each table of the STIP survey of 2021, without their groups.
STIP = {"stip-instruments": 28, "stip-target-groups": 31, "stip-themes": 59}
IN_TOPICS = "skos:inScheme <vocabulary/topics>"


@pytest.mark.parametrize("name", LISTS)
def test_members_of_our_lists_are_defined_in_both_languages(data: Data, name: str) -> None:
    """Concepts with records of their own, which join the topics, have descriptions instead."""
    members = data.one(
        f"?x skos:inScheme <vocabulary/{name}> FILTER(STRSTARTS(STR(?x), STR(<vocabulary/{name}/>)))", "x"
    )
    assert members
    for language in ("ja", "en"):
        having = f"?x skos:inScheme <vocabulary/{name}> ; skos:definition ?d FILTER(LANG(?d) = '{language}')"
        assert members - data.one(having, "x") == set(), language


def test_every_topic_hangs_in_the_one_hierarchy(data: Data) -> None:
    topics = data.one(f"?x {IN_TOPICS} FILTER NOT EXISTS {{ ?x owl:deprecated true }}", "x")
    tops = data.one("?x skos:topConceptOf <vocabulary/topics>", "x")
    assert len(tops) == 14
    assert data.one("<vocabulary/topics> skos:hasTopConcept ?x", "x") == tops
    below = data.one(f"?x {IN_TOPICS} ; skos:broader+ ?top . ?top skos:topConceptOf <vocabulary/topics>", "x")
    assert topics - tops - below == set()
    assert tops & below == set()
    # A parent of the same scheme each; a second parent would count a topic twice.
    parents = data.rows(f"?x {IN_TOPICS} ; skos:broader ?y . ?y {IN_TOPICS}", "x", "y")
    assert len(parents) == len({x for x, _ in parents})


def test_themes_concepts_and_risks_are_topics(data: Data) -> None:
    for kind in ("kg:ResearchTheme", "kg:Risk", "kg:QualityDimension"):
        left = data.one(
            f"?x a {kind} FILTER NOT EXISTS {{ ?x {IN_TOPICS} }} FILTER NOT EXISTS {{ ?x owl:deprecated true }}", "x"
        )
        assert left == set(), kind


@pytest.mark.parametrize(
    "kind",
    [
        *("kg:ResearchArea", "kg:Programme", "kg:FundingScheme", "kg:WorkPackage", "kg:TargetField"),
        *("kg:Infrastructure", "kg:Initiative", "kg:PolicyDocument", "kg:ResearchCentre", "kg:ResearchGroup"),
        "kg:Division",
    ],
)
def test_everything_that_is_about_something_has_its_subject(data: Data, kind: str) -> None:
    found = data.rows(
        f"?x a {kind} FILTER NOT EXISTS {{ ?x owl:deprecated true }} OPTIONAL {{ ?x dcterms:subject ?s }}", "x", "s"
    )
    subjects: dict[str, set[str]] = {}
    for record, subject in found:
        subjects.setdefault(record, set()).add(subject)
    assert {record for record, named in subjects.items() if "" in named} == set()
    assert {record: named for record, named in subjects.items() if len(named) > 3} == {}


def test_the_act_has_its_subject(data: Data) -> None:
    assert "vocabulary/topics/ai-rd-and-use" in data.one("<law/ai-act> dcterms:subject ?s", "s")


def test_subjects_are_topics(data: Data) -> None:
    concepts = data.one("?c a skos:Concept", "c")
    # Of records; a partner's pages are about records, and a statement is about anything.
    subjects = data.one("?x a ?kind ; dcterms:subject ?c FILTER NOT EXISTS { ?x a kg:Statement }", "c")
    assert subjects - concepts == set()


TYPE_OR_REASON = "{ ?x kg:states?/kg:instrument ?i } UNION { ?x kg:withoutInstrument ?i }"


@pytest.mark.parametrize("kind", ["kg:Programme", "kg:FundingScheme", "kg:Plan", "kg:Strategy", "kg:Guideline"])
def test_programmes_and_plans_have_a_type_of_instrument(data: Data, kind: str) -> None:
    assert data.one(f"?x a {kind} FILTER NOT EXISTS {{ ?x kg:instrument ?i }}", "x") == set()


ROLES = " ".join(
    f"<vocabulary/heading-roles/{role}>" for role in ("measures", "measures-in-detail", "reinforced-measures")
)
MEASURES = f"VALUES ?r {{ {ROLES} }} ?x kg:headingRole ?r"


@pytest.mark.parametrize(("which", "least"), [("?x a kg:Policy", 40), (MEASURES, 62)])
def test_policies_and_measures_have_a_type_of_instrument_or_the_reason_why_not(
    data: Data, which: str, least: int
) -> None:
    live = f"{which} FILTER NOT EXISTS {{ ?x owl:deprecated true }}"
    assert len(data.one(live, "x")) >= least
    assert data.one(f"{live} FILTER NOT EXISTS {{ {TYPE_OR_REASON} }}", "x") == set()
    assert data.one(f"{live} ?x kg:withoutInstrument ?r . ?x kg:states?/kg:instrument ?i", "x") == set()


@pytest.mark.parametrize("name", STIP)
def test_the_stip_lists_are_whole(data: Data, name: str) -> None:
    entries = data.rows(
        f"?x skos:inScheme <vocabulary/{name}> ; skos:notation ?code ; skos:broader ?group", "x", "code"
    )
    assert len(entries) == STIP[name] == len({code for _, code in entries})
    assert all(iri.endswith("/" + code.lower()) for iri, code in entries)
    assert data.one(f"<vocabulary/{name}> kg:openEnded ?o", "o") == {"false"}


def test_a_closed_list_says_so(data: Data) -> None:
    """So that what is not in it is known not to be, and the others warn that they may grow."""
    said = {name: data.one(f"<vocabulary/{name}> kg:openEnded ?o", "o") for name in LISTS}
    assert {name for name, value in said.items() if value == {"true"}} == {"topics", "actor-kinds"}
    assert {name for name, value in said.items() if value == {"false"}} == set(LISTS) - {"topics", "actor-kinds"}


def test_tasks_are_no_risks(data: Data) -> None:
    for slug in ("interpretability", "safety-reliability", "data-quality"):
        assert data.one(f"<risk/{slug}> owl:deprecated ?d", "d") == {"true"}
        assert data.one(f"<risk/{slug}> dcterms:isReplacedBy ?s . ?s {IN_TOPICS}", "s")
