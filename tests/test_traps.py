"""Mistakes that are easily made when this paper is modelled, with a test for each.

The letters group them: A text, B time and law, C money, D agents, E concepts and citations, F working rules. Sums and
printed strings are in `test_data`.
"""

from __future__ import annotations

import re

import dataset
import pytest
from dataset import Data, literals, short

from kg.rdf.terms import value

CURATOR = "<../graph/curator>"
LAYOUT = "<../graph/curator/layout>"
IDENTITY = "<../graph/curator/identity>"
CORRECTION = "<../graph/curator/correction>"
PAPER = "<policy/science-for-ai-science-of-ai>"
IN_PAPER = "?graph prov:hadPrimarySource/kg:passageOf <source/mext-2026-06-29> ."


def _in_passages(data: Data, *words: str) -> set[str]:
    """Those of some words that occur in literals in graphs of the source."""
    texts = [text.value for quad, text in literals(data.asserted) if dataset.lines_of(quad.graph_name)]
    return {word for word in words for text in texts if word in text}


# ---- A: text quality ----


def test_a1_labels_carry_no_spaced_letters(data: Data) -> None:
    spaced = re.compile(r"\bA I\b|\bA X\b|A S E A N|Beyond 5 G")
    names = literals(data.everything, "http://www.w3.org/2004/02/skos/core#prefLabel")
    assert [text.value for _, text in names if spaced.search(text.value)] == []
    hidden = data.one("?s skos:hiddenLabel ?text FILTER(CONTAINS(?text, 'A I ') || CONTAINS(?text, 'A X'))", "text")
    assert len(hidden) >= 4


@pytest.mark.parametrize(
    ("printed", "corrected"),
    [
        ("AIIエージェント", "ai-for-science-strategy"),
        ("スケールリング", "emergence-and-scaling"),
        ("バンダーロックイン", "vendor-lock-in"),
        ("リスクリング", "jsai-proposal"),
        ("アカウントビリティ", "ai-basic-plan-2"),
        ("三区分別々", "ai-for-science"),
        ("可能なものとするを通じた", "science-of-ai"),
        ("回答していないかななど", "genai-transparency"),
        ("公正性の確保するため", "ai-basic-plan-2"),
    ],
)
def test_a2_a_slip_is_noted_and_not_carried_on(data: Data, printed: str, corrected: str) -> None:
    notes = data.one(f"GRAPH {CORRECTION} {{ ?s skos:editorialNote ?note }} FILTER(CONTAINS(?note, '{printed}'))", "s")
    assert [s for s in notes if corrected in s]
    shown = (
        f"VALUES ?p {{ skos:prefLabel skos:altLabel dcterms:description }} ?s ?p ?t FILTER(CONTAINS(?t, '{printed}'))"
    )
    assert data.one(shown, "s") == set()


def test_a3_kyoto_tachibana_is_not_kyoto(data: Data) -> None:
    assert data.one("?body skos:hiddenLabel '京都橋大'@ja", "body") == {"organization/kyoto-tachibana-university"}
    assert data.one("?body skos:altLabel '京大'@ja", "body") == {"organization/kyoto-university"}
    assert data.holds(
        f"GRAPH {CORRECTION} {{ <organization/kyoto-tachibana-university> skos:prefLabel '京都橘大学'@ja }}"
    )
    assert data.one("<person/teruo-higashino> kg:holdsPostIn ?body", "body") == {
        "organization/kyoto-tachibana-university"
    }
    tachibana, kyoto = "<organization/kyoto-tachibana-university>", "<organization/kyoto-university>"
    assert not data.holds(f"{tachibana} owl:sameAs ?outside . {kyoto} owl:sameAs ?outside")


def test_a4_a_lost_x_is_noted_and_not_asserted(data: Data) -> None:
    for number in (9, 25, 30):
        measure = f"<policy/ai-basic-plan-2/reinforced-{number}>"
        assert not data.holds(f"{measure} kg:mentions <concept/ax>")
        assert data.holds(f"GRAPH {CORRECTION} {{ {measure} skos:editorialNote ?note }} FILTER(CONTAINS(?note, 'AX'))")


def test_a5_a_torn_amount_rests_on_label_and_value(data: Data) -> None:
    for programme, first, last in (("aip", 523, 526), ("aip", 524, 527), ("aip-network-lab", 629, 633)):
        graphs = data.one(
            f"GRAPH ?g {{ <programme/{programme}> kg:budget ?budget }} FILTER(CONTAINS(STR(?g), '/mext'))", "g"
        )
        assert graphs
        for graph in graphs:
            start, end = map(int, graph.partition("/")[2].split("-"))
            assert start <= first
            assert end >= last


def test_a6_a_count_inside_an_affiliation_belongs_to_the_area(data: Data) -> None:
    area = "<area/research-process-innovation>"
    assert data.one(f"{area} kg:projectCount/kg:count ?n", "n") == {"21"}
    posts = data.rows("<person/ichiro-takeuchi> org:hasMembership ?p . ?p org:organization ?o ; org:role ?r", "o", "r")
    assert posts == {
        ("organization/nagoya-university", "vocabulary/roles/professor"),
        ("organization/riken", "vocabulary/roles/team-leader"),
    }


def test_a7_the_page_that_lost_its_heading_is_the_cronos_page(data: Data) -> None:
    assert data.holds(f"GRAPH {LAYOUT} {{ <programme/cronos> skos:editorialNote ?note }}")
    at_720 = "?section a kg:Section ; kg:firstLine ?first ; kg:lastLine ?last FILTER(?first <= 720 && 720 <= ?last)"
    assert data.rows(at_720, "first", "last") == {("720", "768")}
    assert data.holds("GRAPH <../graph/mext-2026-06-29/770-773> { <programme/cronos> a kg:Programme }")


def test_a8_the_societys_proposal_is_no_part_of_the_plan(data: Data) -> None:
    assert data.holds("<policy/jsai-proposal> a kg:Proposal ; dcterms:creator <organization/jsai>")
    assert not data.holds("<policy/jsai-proposal> dcterms:isPartOf ?whole")
    assert not data.holds("?whole dcterms:hasPart <policy/jsai-proposal>")


@pytest.mark.parametrize(
    ("subject", "word"),
    [
        ("programme/riken-aip-new-structure", "矢印"),
        ("programme/aip-network-lab", "ラボ長"),
        ("programme/cronos", "事業スキーム"),
        ("programme/cronos", "グランドチャレンジの対象"),
        ("programme/genai-transparency/table-research-needed-transparency", "入力欄"),
    ],
)
def test_a9_what_the_text_lost_is_said_to_be_missing(data: Data, subject: str, word: str) -> None:
    assert data.holds(f"<{subject}> kg:notInSource ?note FILTER(CONTAINS(?note, '{word}'))")


def test_a9_nobody_heads_the_lab(data: Data) -> None:
    heads = "VALUES ?lab { <programme/aip-network-lab> <organization/jst-aip-network-lab> } ?lab kg:headedBy ?person"
    assert data.one(heads, "person") == set()


def test_a10_repeated_headings_are_distinguished(data: Data) -> None:
    sections = "?section a kg:Section ; dcterms:isPartOf <source/mext-2026-06-29> ; kg:order ?order"
    orders = data.rows(sections, "section", "order")
    assert len(orders) == 17
    assert {int(order) for _, order in orders} == set(range(1, 18))
    summary_and_excerpt = "?s a kg:Section ; kg:firstLine ?first FILTER(?first IN (172, 256))"
    assert len(data.one(summary_and_excerpt, "s")) == 2


# ---- B: time, status, law ----


def test_b1_what_the_paper_says_of_the_law_and_what_others_add(data: Data) -> None:
    """The paper has the month of the passing and the day of the partial entry into force, no promulgation."""
    law = "<law/ai-act>"
    promulgated = f"GRAPH ?graph {{ {law} eli:date_publication ?date }}"
    assert data.rows(promulgated, "graph", "date") == {("register/egov", "2025-06-04")}
    assert data.rows("?e a kg:Enactment ; kg:concerns <law/ai-act> ; dcterms:date ?d", "e", "d") == {
        ("event/ai-act-enactment", "2025-05")
    }
    in_force = f"GRAPH ?graph {{ {law} eli:first_date_entry_in_force ?date }}"
    assert data.rows(in_force, "graph", "date") == {
        ("mext-2026-06-29/506", "2025-06-04"),
        ("mext-2026-06-29/551", "2025-06-04"),
        ("register/egov", "2025-06-04"),
    }
    assert data.holds(f"{law} kg:notInSource ?note FILTER(CONTAINS(?note, '公布'))")


def test_b1_force_has_a_date(data: Data) -> None:
    """That the law is partly in force holds for a time only: each article has its day, and nothing says it undated."""
    assert not data.holds("?law eli:in_force ?state")
    articles = "?p kg:provisionOf <law/ai-act> ; eli:first_date_entry_in_force ?date ; eli:number ?n"
    later = {
        int(n) for n, date in data.rows(articles + " FILTER(REGEX(?n, '^[0-9]+$'))", "n", "date") if date > "2025-06-04"
    }
    assert {n for n in later if n > 4} == set(range(18, 29))
    assert data.rows("?e a kg:EntryIntoForce ; kg:concerns <law/ai-act> ; dcterms:date ?d", "e", "d") == {
        ("event/ai-act-entry-into-force", "2025-06-04"),
        ("event/ai-act-full-entry-into-force", "2025-09-01"),
    }


def test_b2_one_law_whose_names_a_curator_equates(data: Data) -> None:
    laws = "?law a eli:LegalResource FILTER NOT EXISTS { ?law a eli:LegalResourceSubdivision }"
    assert data.one("GRAPH ?graph { ?law a ?kind } " + laws + IN_PAPER, "law") == set()
    assert data.one("GRAPH ?graph { ?law skos:prefLabel ?name } " + laws + " . " + IN_PAPER, "law") == {"law/ai-act"}
    names = "GRAPH <../graph/curator/identity> { <law/ai-act> skos:altLabel ?name } FILTER(LANG(?name) = 'ja')"
    assert data.one(names, "name") == {"AI基本法", "AI法"}
    assert data.holds("<law/ai-act> skos:hiddenLabel 'A I 法'@ja")


def test_b3_provisions_are_numbered_alike(data: Data) -> None:
    provisions = "?p a eli:LegalResourceSubdivision ; eli:number ?number ; kg:asPrinted ?printed"
    assert data.rows(provisions, "number", "printed") == {
        ("3(4)", "第三条第4項"),
        ("9", "第九条"),
        ("14", "第十四条"),
        ("16", "第16条"),
    }
    assert data.one("<law/ai-act/article-3/paragraph-4> eli:is_part_of ?whole", "whole") == {
        "law/ai-act",
        "law/ai-act/chapter-1",
        "law/ai-act/article-3",
    }
    quoted = data.one("?any kg:quotes ?p . ?p a eli:LegalResourceSubdivision", "p")
    assert quoted == {"law/ai-act/article-3/paragraph-4", "law/ai-act/article-9", "law/ai-act/article-14"}


def test_b4_the_second_plan_is_intended_to_replace_the_first(data: Data) -> None:
    assert data.holds(f"GRAPH {IDENTITY} {{ <policy/ai-basic-plan-2> kg:intendedToReplace <policy/ai-basic-plan> }}")
    # A deprecated record is replaced by another record; no document replaces another.
    replaced = "?any dcterms:replaces|dcterms:isReplacedBy ?other . ?any a kg:PolicyDocument "
    assert not data.holds(replaced + "FILTER NOT EXISTS { ?any owl:deprecated true }")
    names = literals(data.asserted)
    assert [text.value for _, text in names if "第Ⅰ期" in text.value or "第一期" in text.value] == []


def test_b5_drafts_are_drafts_and_a_summary_is_not_the_plan(data: Data) -> None:
    status = dict(data.rows("?d a kg:PolicyDocument ; bibo:status ?s", "d", "s"))
    kinds = {name.rpartition("/")[2]: kind.rpartition("/")[2] for name, kind in status.items()}
    assert kinds == kinds | {
        "science-for-ai-science-of-ai": "draft-for-discussion",
        "ai-basic-plan-2": "draft",
        "ai-basic-plan": "adopted",
        "sti-basic-plan-7": "adopted",
        "ai-for-science-strategy": "adopted",
        "school-genai-guideline": "under-revision",
        "vertical-ai-strategies": "planned",
    }
    summary = "<policy/ai-basic-plan-2/summary>"
    assert data.holds(f"{summary} a kg:Summary ; prov:wasDerivedFrom <policy/ai-basic-plan-2>")
    assert data.one(f"{PAPER} kg:reproduces ?what", "what") == {
        "policy/ai-basic-plan-2/summary",
        "policy/jsai-proposal",
    }
    assert not data.holds(f"{summary} a kg:PolicyDocument")


def test_b6_yearly_revision_makes_no_future_edition(data: Data) -> None:
    assert data.one("<policy/ai-basic-plan-2> kg:revisionInterval ?interval", "interval") == {"P1Y"}
    assert not data.holds("<policy/ai-basic-plan-2> kg:hasEdition ?edition")
    years = (
        "GRAPH ?graph { ?s ?when ?date } VALUES ?when { dcterms:issued dcterms:date } FILTER(STR(?date) > '2026-06-30')"
    )
    assert data.one(years + IN_PAPER, "s") == set()


def test_b7_relative_times_are_not_computed(data: Data) -> None:
    targets = "?t kg:elementOf <policy/ai-for-science-strategy> ; kg:states/kg:within ?within"
    within = {t.rpartition("-")[2]: d for t, d in data.rows(targets, "t", "within")}
    assert within == {"2": "P5Y", "3": "P3Y", "4": "P3Y", "5": "P3Y", "6": "P5Y"}
    dated = "VALUES ?p { dcterms:date dcterms:issued time:inXSDgYear kg:asOf } ?t a kg:Element ; ?p ?date"
    assert data.one(dated, "t") == set()
    assert not data.holds("<event/jsai-40th-anniversary> dcterms:date ?date")
    assert not data.holds("GRAPH ?graph { <organization/jsai> kg:since ?year } " + IN_PAPER)
    trend = "<event/ai-for-science-national-strategies> dcterms:date ?y ; kg:approximate true"
    assert data.one(trend, "y") == {"2025"}
    assert not data.holds("<policy/kr-ai-action-plan> dcterms:temporal/time:hasEnd ?end")
    assert data.one("<policy/kr-ai-action-plan> dcterms:temporal/time:hasBeginning/time:inXSDgYear ?y", "y") == {"2025"}


def test_b8_fiscal_years_run_from_april_and_keep_their_era(data: Data) -> None:
    years = (
        "?y a kg:FiscalYear ; skos:altLabel ?era ; time:hasBeginning/time:inXSDDate ?from ; "
        "time:hasEnd/time:inXSDDate ?to FILTER(STRSTARTS(?era, '令和'))"
    )
    assert data.rows(years, "y", "era", "from", "to") == {
        ("fiscal-year/2024", "令和6年度", "2024-04-01", "2025-03-31"),
        ("fiscal-year/2025", "令和7年度", "2025-04-01", "2026-03-31"),
        ("fiscal-year/2026", "令和8年度", "2026-04-01", "2027-03-31"),
    }


def test_b9_durations_keep_half_years_and_limits(data: Data) -> None:
    terms = "?scheme kg:fundingTerm ?term OPTIONAL { ?term kg:duration ?d } OPTIONAL { ?term kg:maxDuration ?most }"
    assert {(s.rpartition("/")[2], d, most) for s, d, most in data.rows(terms, "scheme", "d", "most")} == {
        ("nl-team", "P5Y6M", ""),
        ("nl-individual", "P3Y6M", ""),
        ("nl-young", "P2Y6M", ""),
        ("nl-young", "P1Y", ""),
        ("cronos-basic", "P6Y", ""),
        ("cronos-transition", "", "P3Y"),
    }


def test_b10_counts_have_a_time_and_starts_are_no_founding_dates(data: Data) -> None:
    counts = "?area a kg:ResearchArea ; kg:projectCount ?c . ?c kg:asOf ?month"
    assert data.one(counts, "month") == {"2026-04"}
    assert data.total("COUNT(DISTINCT ?c)", counts) == 17
    assert not data.holds("?area a kg:ResearchArea ; kg:count ?n")
    assert not data.holds("GRAPH ?graph { ?body schema:foundingDate ?date } " + IN_PAPER)
    since = "GRAPH ?graph { ?body kg:since ?year } " + IN_PAPER + " ?body kg:asPrinted ?printed"
    years = data.rows(since, "body", "year")
    assert {("organization/llm-jp", "2023"), ("organization/nii-llmc", "2024")} <= years
    assert "organization/nii" not in {body for body, _ in years}


def test_b11_events_states_and_plans_are_kept_apart(data: Data) -> None:
    assert data.holds("<event/aisi-establishment> a kg:Establishment ; kg:concerns <organization/aisi>")
    assert data.one("<agreement/aisi-nii> kg:party ?party", "party") == {"organization/aisi", "organization/nii"}
    assert data.holds("<event/ai-summit-japan> a kg:PlannedEvent")
    undated = (
        "VALUES ?s { <event/aisi-establishment> <agreement/aisi-nii> <event/ai-summit-japan> } "
        "GRAPH ?graph { ?s dcterms:date ?date } "
    )
    assert data.one(undated + IN_PAPER, "s") == set()


def test_b12_the_reorganisation_results_in_three_groups_from_nothing_invented(data: Data) -> None:
    change = "<event/riken-aip-reorganization-2026>"
    assert len(data.one(f"{change} org:resultingOrganization ?group", "group")) == 3
    assert data.one(f"{change} dcterms:date ?month", "month") == {"2026-04"}
    assert not data.holds(f"{change} org:originalOrganization ?unit")


def test_b13_a_body_that_has_ended_is_bound_by_no_later_act(data: Data) -> None:
    ended = "?body org:changedBy/org:resultingOrganization <organization/science-tokyo>"
    assert len(data.one(ended, "body")) == 2
    assert not data.holds(f"{ended} ; kg:subjectToNorm ?norm")


# ---- C: money ----


def test_c1_amounts_are_yen_and_keep_their_printed_unit(data: Data) -> None:
    budgets = "GRAPH ?graph { ?b kg:amount ?amount ; kg:asPrinted ?printed ; schema:currency 'JPY' } ?p kg:budget ?b . "
    assert data.rows(budgets + IN_PAPER, "b", "amount", "printed") == {
        ("programme/genai-transparency#budget-2026-initial", "800000000", "8億円"),
        ("programme/genai-transparency#budget-2025-initial", "800000000", "8億円"),
        ("programme/genai-transparency#budget-2025-supplementary", "4700000000", "47億円"),
        ("programme/aip#budget-2026-initial", "12200000000", "122億円"),
        ("programme/aip#budget-2025-initial", "11200000000", "112億円)"),
        ("programme/aip-network-lab#budget-2026-initial", "9442000000", "9,442百万円"),
        ("programme/aip-network-lab#budget-2025-initial", "8440000000", "8,440百万円"),
    }


def test_c2_only_one_programme_has_a_supplementary_budget(data: Data) -> None:
    kind = "kg:budgetType <vocabulary/budget-type/supplementary>"
    supplementary = f"GRAPH ?graph {{ ?b {kind} ; kg:fiscalYear ?y }} ?b kg:budgetOf ?p . "
    assert data.rows(supplementary + IN_PAPER, "p", "y") == {("programme/genai-transparency", "fiscal-year/2025")}


def test_c3_an_amount_with_an_estimate_is_not_an_estimate(data: Data) -> None:
    printed = "GRAPH ?graph { ?b kg:amount ?amount } " + IN_PAPER
    status = data.rows(printed + " ?b kg:budgetOf ?p ; kg:estimateStatus ?s", "p", "s")
    assert {(p.rpartition("/")[2], s.rpartition("/")[2]) for p, s in status} == {
        ("genai-transparency", "exact"),
        ("aip", "includes-estimate"),
        ("aip-network-lab", "is-estimate"),
    }


def test_c4_no_budget_is_part_of_another(data: Data) -> None:
    assert data.holds("<programme/aip> kg:hasArm <programme/aip-network-lab> , <organization/riken-aip>")
    assert not data.holds("?budget a kg:BudgetAllocation ; dcterms:isPartOf|^dcterms:hasPart ?other")
    assert not data.holds("<programme/aip-network-lab> dcterms:isPartOf <programme/aip>")
    computed = "?any kg:amount|schema:value ?amount FILTER(?amount IN (2758000000, 5500000000, 1000000000, 1002000000))"
    assert data.one(computed, "any") == set()


def test_c5_ranges_and_vague_amounts(data: Data) -> None:
    terms = (
        "?scheme kg:fundingTerm ?t . ?t kg:basis ?basis OPTIONAL { ?t schema:minValue ?min } "
        "OPTIONAL { ?t schema:maxValue ?max } OPTIONAL { ?t schema:value ?value } OPTIONAL { ?t kg:approximate ?about }"
    )
    found = {
        (t.rpartition("/")[2], least, most, exact, about, basis.rpartition("/")[2])
        for t, least, most, exact, about, basis in data.rows(terms, "t", "min", "max", "value", "about", "basis")
    }
    assert found == {
        ("nl-team#funding-term", "150000000", "500000000", "", "true", "project-total"),
        ("nl-individual#funding-term", "", "", "40000000", "true", "project-total"),
        ("nl-young#funding-term", "", "", "", "true", "not-stated"),
        ("nl-young#funding-term-acceleration", "", "10000000", "", "", "not-stated"),
        ("cronos-basic#funding-term", "", "", "40000000", "true", "project-per-year"),
        ("cronos-transition#funding-term", "", "", "25000000", "true", "project-per-year"),
    }


def test_c6_the_acceleration_phase_supplements_the_young_scheme(data: Data) -> None:
    assert data.rows("?extra kg:supplements ?base", "extra", "base") == {
        ("scheme/nl-young#funding-term-acceleration", "scheme/nl-young#funding-term")
    }


def test_c7_cronos_has_counts_and_no_budget(data: Data) -> None:
    assert not data.holds("GRAPH ?graph { <programme/cronos> kg:budget ?budget } " + IN_PAPER)
    counts = "<programme/cronos> kg:projectCount ?c . ?c kg:count ?n ; kg:projectStatus ?s"
    assert data.rows(counts, "n", "s") == {
        ("26", "vocabulary/project-status/continuing"),
        ("14", "vocabulary/project-status/new"),
    }


# ---- D: agents and structure ----


def test_d1_three_heads_hold_two_posts_each(data: Data) -> None:
    posts = data.rows("?person org:hasMembership ?post . ?post org:organization ?o ; org:role ?r", "person", "post")
    held = [person for person, _ in posts]
    assert {p for p in held if held.count(p) > 1} == {
        "person/yasushi-okada",
        "person/ichiro-takeuchi",
        "person/yuji-sugita",
    }
    assert len(posts) == 20
    assert not data.holds("?person foaf:title ?title")


def test_d2_a_post_in_the_centre_is_a_post_in_riken(data: Data) -> None:
    ueda = "<person/naonori-ueda>"
    assert data.one(f"{ueda} org:hasMembership/org:organization ?o", "o") == {"organization/riken-aip"}
    assert {"organization/riken-aip", "organization/riken"} <= data.one(f"{ueda} kg:holdsPostIn ?o", "o")


def test_d3_sums_over_organisations_count_two_areas_twice(data: Data) -> None:
    pattern = "?area a kg:ResearchArea ; kg:headedBy/kg:holdsPostIn <organization/{}> ; kg:projectCount/kg:count ?n"
    riken = data.rows(pattern.format("riken"), "area", "n")
    tokyo = data.rows(pattern.format("university-of-tokyo"), "area", "n")
    assert (len(riken), sum(int(n) for _, n in riken)) == (5, 92)
    assert (len(tokyo), sum(int(n) for _, n in tokyo)) == (5, 106)
    assert {area for area, _ in riken & tokyo} == {"area/bio-dx", "area/life-and-information"}


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("東大", "university-of-tokyo"),
        ("理研", "riken"),
        ("慶大", "keio-university"),
        ("NII", "nii"),
        ("NICT", "nict"),
        ("AIRC", "airc"),
        ("AISNeC", "aisnec"),
        ("LLMC", "nii-llmc"),
        ("名大", "nagoya-university"),
        ("阪大", "osaka-university"),
        ("JST", "jst"),
    ],
)
def test_d4_short_and_long_names_mean_one_body(data: Data, name: str, body: str) -> None:
    named = (
        f"?body a org:Organization ; skos:prefLabel|skos:altLabel|skos:hiddenLabel ?name FILTER(STR(?name) = '{name}')"
    )
    assert data.one(named, "body") == {f"organization/{body}"}


def test_d5_aip_is_three_things(data: Data) -> None:
    three = ("programme/aip", "organization/riken-aip", "organization/jst-aip-network-lab", "programme/aip-network-lab")
    for language in ("ja", "en"):
        labels = [data.one(f"<{s}> skos:prefLabel ?l FILTER(LANG(?l) = '{language}')", "l") for s in three]
        assert len(set.union(*labels)) == len(three)
    assert data.one("?any skos:altLabel 'AIP'@ja", "any") == {"programme/aip"}


def test_d6_aisi_the_safety_body_and_the_network_are_not_merged(data: Data) -> None:
    three = "VALUES ?a { <organization/aisi> <organization/ai-safety-body> <organization/ais-international-network> }"
    assert len(data.one(three + " ?a a org:Organization", "a")) == 3
    assert not data.holds("<organization/ai-safety-body> owl:sameAs|skos:exactMatch|^owl:sameAs ?other")
    possible = "GRAPH ?graph { <organization/ai-safety-body> kg:possiblySameAs <organization/aisi> }"
    assert data.one(possible, "graph") == {"curator/identity", "inferred"} & data.one(possible, "graph")
    assert "curator/identity" in data.one(possible, "graph")
    assert not data.holds("<organization/ais-international-network> kg:possiblySameAs ?other")


def test_d7_two_schemes_are_of_the_individual_type(data: Data) -> None:
    pattern = (
        "?scheme a kg:FundingScheme ; skos:prefLabel ?name . "
        "FILTER(CONTAINS(?name, '個人型')) "
        "?area a kg:ResearchArea ; kg:componentOf ?scheme ; kg:projectCount/kg:count ?n"
    )
    counts = data.rows(pattern, "scheme", "area", "n")
    assert sum(int(n) for scheme, _, n in counts if scheme == "scheme/nl-individual") == 134
    assert sum(int(n) for _, _, n in counts) == 275


def test_d8_names_that_the_text_lacks_are_not_ascribed_to_it(data: Data) -> None:
    outside = ("CREST", "さきがけ", "ACT-X", "科学技術振興機構", "Japan Science and Technology", "PRESTO")
    assert _in_passages(data, *outside) == set()
    roles = data.one("GRAPH ?graph { ?post org:role ?role } " + IN_PAPER, "role")
    assert "vocabulary/roles/head" not in roles
    assert data.one("?post org:role <vocabulary/roles/area-director> . ?p org:hasMembership ?post", "p") == {
        "person/motoko-kotani"
    }


def test_d9_bracket_numbers_count_nothing_stated(data: Data) -> None:
    groups = "?group a kg:ResearchGroup ; kg:printedNumber ?n ; skos:note ?note FILTER(LANG(?note) = 'ja')"
    assert {n for _, n in data.rows(groups, "group", "n")} == {"17", "7", "14"}
    assert not data.holds("?group a kg:ResearchGroup ; kg:count|kg:projectCount|kg:statedCount ?n")


def test_d10_groups_are_numbered_by_their_own_list(data: Data) -> None:
    numbered = "?group a kg:ResearchGroup ; skos:notation ?number"
    assert {(g.rpartition("/")[2], n) for g, n in data.rows(numbered, "group", "number")} == {
        ("mathematical-intelligence", "①"),
        ("physical-intelligence", "②"),
        ("domain-intelligence", "③"),
    }


# ---- E: concepts, lists, citations ----


def test_e1_one_name_two_concepts_in_two_schemes(data: Data) -> None:
    ours, strategy = "<concept/science-for-ai>", "<concept/strategy-science-for-ai>"
    assert data.one(f"{ours} skos:inScheme ?s", "s") == {"vocabulary/discussion-paper-concepts", "vocabulary/topics"}
    assert data.one(f"{strategy} skos:inScheme ?s", "s") == {"vocabulary/strategy-concepts"}
    assert data.holds(f"{ours} skos:closeMatch {strategy}")
    own = "'https://w3id.org/aikg/id/concept/'"
    between = f"?a skos:exactMatch|owl:sameAs ?b FILTER(STRSTARTS(STR(?a), {own}) && STRSTARTS(STR(?b), {own}))"
    assert data.rows(between, "a", "b") == set()


def test_e2_columns_are_read_by_the_curator_alone(data: Data) -> None:
    broader = (
        "GRAPH ?graph { ?theme skos:broader ?concept } ?theme a kg:ResearchTheme FILTER(?graph != <../graph/inferred>)"
    )
    assert data.one(broader, "graph") == {"curator/layout"}
    by_concept = [concept for _, concept in data.rows(broader, "theme", "concept")]
    assert by_concept.count("concept/science-for-ai") == 7
    assert by_concept.count("concept/science-of-ai") == 6
    assert data.holds("<vocabulary/research-themes> skos:scopeNote ?note FILTER(CONTAINS(?note, 'など'))")
    assert not data.holds("<concept/science-for-ai> owl:disjointWith|owl:differentFrom ?other")


def test_e3_an_unsettled_definition_is_said_to_be_so(data: Data) -> None:
    unsettled = "kg:defines <concept/science-of-ai> ; kg:modality <vocabulary/modalities/provisional>"
    assert data.holds(f"GRAPH <../graph/mext-2026-06-29/43> {{ ?definition {unsettled} }}")


def test_e4_a_circled_number_means_something_in_its_list_only(data: Data) -> None:
    first = data.one("?any skos:notation '①'", "any")
    assert {name.rpartition("/")[2] for name in first} >= {
        "next-generation-ai-architectures",
        "effort-1",
        "field-1",
        "mathematical-intelligence",
        "feature-1",
    }
    assert not [name for name in first if "①" in name]


def test_e5_twenty_actions_are_stated_and_one_is_printed(data: Data) -> None:
    assert data.one("<policy/ai-for-science-strategy/actions> kg:statedCount ?n", "n") == {"20"}
    printed = "?action kg:headingRole <vocabulary/heading-roles/action-items> ; skos:notation ?number"
    assert data.rows(printed, "action", "number") == {("policy/ai-for-science-strategy/action-5", "⑤")}


def test_e6_blocks_belong_to_policies_by_order_only(data: Data) -> None:
    under = (
        "GRAPH ?graph { ?m kg:under ?direction } "
        "?m kg:headingRole <vocabulary/heading-roles/reinforced-measures> FILTER(?graph != <../graph/inferred>)"
    )
    assert data.one(under, "graph") == {"curator/layout"}
    directions = [direction[-1] for _, direction in data.rows(under, "m", "direction")]
    assert [directions.count(number) for number in "1234"] == [9, 7, 8, 8]


def test_e7_questions_are_no_claims_and_others_words_are_not_the_papers(data: Data) -> None:
    paper = "?unit kg:elementOf <policy/science-for-ai-science-of-ai> ; kg:states ?statement . "
    asked = "?statement a kg:Question . ?unit kg:headingRole ?heading"
    assert data.one(paper + asked, "heading") == {"vocabulary/heading-roles/points-for-discussion"}
    others = "?statement prov:wasQuotedFrom|prov:wasAttributedTo ?speaker"
    assert data.one(paper + others, "speaker") == {
        "organization/royal-society",
        "policy/ai-for-science-strategy",
        "policy/cn-five-year-plan-15",
        "policy/sti-basic-plan-7",
        "policy/us-ai-action-plan",
    }


@pytest.mark.parametrize(
    ("citing", "relation", "cited"),
    [
        ("policy/ai-for-science-strategy", "basedOn", "policy/ai-basic-plan"),
        ("policy/ai-for-science-strategy", "makesConcrete", "policy/sti-basic-plan-7"),
        ("policy/science-for-ai-science-of-ai", "excerpts", "policy/ai-for-science-strategy"),
        ("policy/science-for-ai-science-of-ai", "summarizes", "policy/ai-for-science-strategy"),
        ("policy/ai-basic-plan-2/reinforced-20", "basedOn", "initiative/project-yata-shield"),
        ("policy/ai-basic-plan-2", "plansRevisionOf", "policy/school-genai-guideline"),
        ("programme/riken-aip-new-structure", "basedOn", "policy/aip-centre-future"),
    ],
)
def test_e8_kinds_of_citation_are_kept_and_are_all_citations(
    data: Data, citing: str, relation: str, cited: str
) -> None:
    assert data.holds(f"<{citing}> kg:{relation} <{cited}> ; <http://purl.org/spar/cito/cites> <{cited}>")


def test_e9_one_sentence_cited_by_two_heading_paths(data: Data) -> None:
    citations = "?programme kg:citation ?c . ?c kg:citedDocument <policy/new-capitalism-2025> ; kg:headingPath ?path"
    paths: dict[str, set[str]] = {}
    for programme, path in data.rows(citations, "programme", "path"):
        paths.setdefault(programme, set()).add(path)
    assert set(paths) == {"programme/genai-transparency", "programme/aip"}
    assert len(paths["programme/genai-transparency"]) == 3
    assert paths["programme/genai-transparency"] & paths["programme/aip"] == set()


def test_e10_the_finer_date_is_kept_with_its_own_evidence(data: Data) -> None:
    us = data.rows("GRAPH ?graph { <policy/us-ai-action-plan> dcterms:issued ?date }", "graph", "date")
    assert us == {
        ("mext-2026-06-29/163", "2025"),
        ("mext-2026-06-29/43", "2025-07"),
        ("register/us-white-house", "2025-07-23"),
    }
    new_capitalism = data.rows("GRAPH ?graph { <policy/new-capitalism-2025> dcterms:issued ?date }", "graph", "date")
    assert new_capitalism == {("mext-2026-06-29/543", "2025-06-13")}


def test_e11_editions_periods_and_titles_of_foreign_policies(data: Data) -> None:
    editions = data.rows(
        "?work kg:hasEdition ?e . GRAPH ?graph { ?e dcterms:issued ?year } "
        "FILTER(!CONTAINS(STR(?graph), '/register/'))",
        "work",
        "year",
    )
    assert {(work.rpartition("/")[2], year) for work, year in editions} == {
        ("us-ai-rd-strategic-plan", "2023"),
        ("sg-ai-rd-plan", "2026"),
        ("sg-nais", "2023"),
        ("sg-nais", "2026"),
        ("de-ai-strategy", "2018"),
        ("de-ai-strategy", "2020"),
        ("ca-pan-canadian-ai-strategy", "2017"),
        ("ca-pan-canadian-ai-strategy", "2022"),
    }
    assert not data.holds("<policy/cn-five-year-plan-15> dcterms:issued ?year")
    period = "<policy/cn-five-year-plan-15> dcterms:temporal ?p . ?p time:hasBeginning/time:inXSDgYear ?a"
    assert data.rows(period + " ; time:hasEnd/time:inXSDgYear ?b", "a", "b") == {("2026", "2030")}
    assert data.holds("<policy/us-fasst> a kg:Initiative ; kg:runBy <organization/doe>")
    chinese = "?plan a kg:Policy . GRAPH <../graph/mext-2026-06-29/164> { ?plan skos:prefLabel ?name }"
    assert data.total("COUNT(?plan)", chinese + " FILTER(LANG(?name) = 'ja')") == 3
    assert not data.holds(chinese + " FILTER(LANG(?name) != 'ja')")


def test_e12_a_translation_of_ours_is_the_curators(data: Data) -> None:
    english = "GRAPH ?graph { <programme/genai-transparency> skos:prefLabel ?name } FILTER(LANG(?name) = 'en')"
    assert data.one(english, "graph") == {"curator"}
    assert data.one(english.replace("genai-transparency", "aip"), "graph") == {"mext-2026-06-29/519"}


def test_e13_the_tables_qualities_stand_in_a_scheme_of_their_own(data: Data) -> None:
    own = "?q a kg:QualityDimension ; skos:inScheme ?scheme ; skos:definition ?d FILTER(?scheme != <vocabulary/topics>)"
    qualities = data.rows(own, "q", "scheme")
    assert qualities == {
        ("concept/transparency", "vocabulary/qualities"),
        ("concept/reliability", "vocabulary/qualities"),
    }
    assert not data.holds("?theme a kg:ResearchTheme ; skos:broader|skos:exactMatch ?q . ?q a kg:QualityDimension")


def test_e14_a_cell_is_a_quality_under_an_aspect(data: Data) -> None:
    cells = data.rows("?cell a kg:Element ; kg:quality ?q ; kg:aspect ?a", "cell", "q", "a")
    assert len(cells) == len({(q, a) for _, q, a in cells}) == 10


# ---- F: working rules ----


def test_f2_amounts_posts_and_counts_are_nodes(data: Data) -> None:
    plain_values = (
        "VALUES ?p { kg:amount kg:count schema:value org:role kg:asOf } ?s ?p ?o . "
        "FILTER NOT EXISTS { ?s a ?kind "
        "VALUES ?kind { kg:BudgetAllocation kg:FundingTerm kg:ProjectCount org:Membership } }"
    )
    assert data.one(plain_values, "s") == set()


def test_f3_inference_and_judgement_can_be_left_out(data: Data) -> None:
    graphs = {short(value(q.graph_name)).partition("/")[0] for q in data.everything}
    assert graphs == {*dataset.TEXTS, "curator", "register", "about", "ontology", "inferred", "partner", "catalogue"}


def test_f4_what_every_record_of_a_kind_must_have(data: Data) -> None:
    assert (
        data.one("?b a kg:BudgetAllocation FILTER NOT EXISTS { ?b kg:fiscalYear ?y ; kg:budgetType ?t }", "b") == set()
    )
    for needed in ("schema:currency", "kg:fiscalYear", "kg:budgetType", "kg:estimateStatus", "kg:budgetOf"):
        assert data.rows(f"?b a kg:BudgetAllocation ; {needed} ?one , ?two FILTER(?one != ?two)", "b") == set()
    assert data.one("?t schema:minValue ?min ; schema:maxValue ?max FILTER(?min > ?max)", "t") == set()
    assert data.one("?a a kg:ResearchArea FILTER NOT EXISTS { ?a kg:headedBy ?head }", "a") == set()
    assert data.rows("?a a kg:ResearchArea ; kg:projectCount ?c , ?d FILTER(?c != ?d)", "a") == set()
    assert data.one("?p a eli:LegalResourceSubdivision FILTER NOT EXISTS { ?p kg:provisionOf ?law }", "p") == set()
