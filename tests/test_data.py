"""The real data: its coverage and evidence, and that it states no more than its sources."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import dataset
import pytest
from dataset import (
    BASE,
    LAW,
    PROJECT,
    ROOT,
    SHARED,
    SOURCE,
    TEXTS,
    Data,
    lines_of,
    literals,
    passage,
    place_of,
    plain,
    short,
)
from dataset import ONTOLOGY_NAMESPACE as KG
from pyoxigraph import BlankNode, Literal, Quad, Store

from kg.build import checks, pipeline
from kg.curation import coverage, line_coverage, passages
from kg.project import profiles
from kg.rdf import canonical, iris
from kg.rdf.terms import value
from kg.release import store
from kg.sparql import library

SKOS = "http://www.w3.org/2004/02/skos/core#"
SCHEMA = "https://schema.org/"
DCTERMS = "http://purl.org/dc/terms/"
COVERAGE = sorted((ROOT / "queries" / "coverage").glob("*.rq"))
# Kinds with more or fewer records in the graph than in the inventory; the query description has the reason.
BEYOND_THE_INVENTORY = {"18-programme-statements": 11, "38-citations": 1}


# ---- checks and coverage ----


def test_no_problem_in_the_files(data: Data) -> None:
    assert [str(p) for p in pipeline.check(ROOT) if not p.is_warning] == []


def test_no_problem_after_inference(data: Data) -> None:
    # The catalogue describes the dataset, in vocabularies of its own.
    checked = [q for q in data.everything if value(q.graph_name) != BASE.catalogue]
    found = [
        *checks.shacl(checked, profiles.all_files(ROOT), data.curated),
        *checks.checks(checked, ROOT / "queries" / "checks", data.curated),
    ]
    assert [str(p) for p in found if not p.is_warning] == []


def test_coverage_has_a_query_for_every_kind() -> None:
    assert [int(path.stem.partition("-")[0]) for path in COVERAGE] == list(range(1, len(COVERAGE) + 1))
    stated: Counter[str] = Counter()
    for query in map(library.read, COVERAGE):
        stated[query.source] += query.expected or 0
    assert stated == {"": 437 + 14 + 4, LAW: 4 + 28 + 43 + 5 + 4 + 9 + 49 + 7}


@pytest.mark.parametrize("path", COVERAGE, ids=lambda path: path.stem)
def test_coverage(data: Data, path: Path) -> None:
    query = library.read(path)
    found = {tuple(map(str, solution)) for solution in library.select(data.store, query.text)}
    stated = (query.expected or 0) + BEYOND_THE_INVENTORY.get(path.stem, 0)
    assert len(found) == stated, "\n".join(sorted(map(str, found)))
    assert set(query.columns) == {v.value for v in library.select(data.store, query.text).variables}


@pytest.mark.parametrize("path", COVERAGE, ids=lambda path: path.stem)
def test_coverage_names_no_record_to_find_it(path: Path) -> None:
    """A query that lists IRIs would return them even if the records did not exist."""
    body = re.sub(r"^PREFIX.*$", "", library.read(path).text, flags=re.MULTILINE)
    listed = [name for values in re.findall(r"VALUES[^{]*\{([^}]*)\}", body) for name in values.split()]
    assert "/id/" not in body
    assert [name for name in listed if not name.startswith(("kg:", "skos:"))] == []


@pytest.mark.parametrize("path", COVERAGE, ids=lambda path: path.stem)
def test_coverage_falls_short_without_a_record(data: Data, path: Path) -> None:
    """When the subject of a row is removed from the store, the query returns fewer rows."""
    query = library.read(path)
    before = sorted({tuple(map(str, s)) for s in library.select(data.store, query.text)})
    iri = next(term for row in before for term in row if term.startswith((f"<{BASE.id}", f"<{KG}")))
    gone = iri.strip("<>")
    if gone.startswith(KG):  # Rows that represent several parts, with the class or property that these share.
        gone = next(value(q.subject) for q in data.asserted if gone in (q.predicate.value, value(q.object)))
    kept = [q for q in data.everything if gone not in (value(q.subject), value(q.object))]
    smaller = Store()
    smaller.bulk_extend(store.merged(kept))
    after = {tuple(map(str, s)) for s in library.select(smaller, query.text)}
    assert len(after) < len(before), gone


def test_coverage_report_is_up_to_date(data: Data) -> None:
    generated = coverage.report(coverage.measure(data.store, ROOT), PROJECT.languages)
    assert (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8") == generated


def test_coverage_by_line_is_up_to_date(data: Data) -> None:
    generated = line_coverage.report(line_coverage.measure(data.store, ROOT))
    assert (ROOT / "docs" / "coverage-lines.md").read_text(encoding="utf-8") == generated


def test_sums_of_the_inventory(data: Data) -> None:
    """Trap F5: 17 areas, 339 projects, 21 strategies, 7 budget amounts."""
    areas = (
        "?area a kg:ResearchArea ; kg:componentOf ?scheme ; kg:projectCount/kg:count ?n . ?scheme a kg:FundingScheme"
    )
    assert data.total("COUNT(DISTINCT ?area)", areas) == 17
    assert data.total("SUM(?n)", f"{{ SELECT DISTINCT ?area ?n WHERE {{ {areas} }} }}") == 339
    by_scheme = dict.fromkeys(data.one(areas, "scheme"), 0)
    for scheme, _, n in data.rows(areas, "scheme", "area", "n"):
        by_scheme[scheme] += int(n)
    assert by_scheme == {"scheme/nl-team": 64, "scheme/nl-individual": 134, "scheme/nl-young": 141}
    foreign = "?p a kg:Policy ; kg:jurisdiction ?c FILTER(?c != <place/japan>) MINUS { ?p a kg:PublicStatement }"
    assert data.total("COUNT(DISTINCT ?p)", foreign) == 21
    budgets = f"GRAPH ?g {{ ?b kg:amount ?amount }} ?g prov:hadPrimarySource/kg:passageOf <source/{SOURCE}>"
    assert data.total("COUNT(DISTINCT ?b)", "?b a kg:BudgetAllocation . " + budgets) == 7


# ---- evidence ----

# The lines of the paper before it are the title, date and author, which are in no section.
FIRST_HEADING = 8


def test_every_asserted_fact_has_evidence(data: Data) -> None:
    evidence = {value(q.subject): value(q.object) for q in data.asserted if q.predicate.value == iris.PRIMARY_SOURCE}
    typed = {value(q.subject): value(q.object) for q in data.asserted if q.predicate.value == iris.RDF_TYPE}
    kinds = {KG + "Passage", KG + "Source", KG + "Register"}
    facts = [q for q in data.asserted if value(q.graph_name) not in BASE.unevidenced]
    without = [q for q in facts if typed.get(evidence.get(value(q.graph_name), "")) not in kinds]
    assert without == []
    assert len(facts) > 3500


@pytest.mark.parametrize("source", TEXTS)
def test_every_passage_is_where_it_says(data: Data, texts: dict[str, str], source: str) -> None:
    text = texts[source]
    digest = hashlib.sha256(TEXTS[source].read_bytes()).hexdigest()
    assert data.one(f"<source/{source}> kg:sha256 ?digest", "digest") == {digest}
    pattern = (
        f"?passage a kg:Passage ; kg:passageOf <source/{source}> ; kg:firstLine ?first ; kg:lastLine ?last ; "
        "kg:sha256 ?digest ; oa:hasSelector ?at . ?at oa:start ?start ; oa:end ?end . "
        "OPTIONAL { ?passage kg:inSection ?section . ?section kg:firstLine ?from ; kg:lastLine ?to }"
    )
    names = ("passage", "first", "last", "digest", "start", "end", "from", "to")
    rows = data.rows(pattern, *names)
    for iri, first, last, stored, start, end, section_first, section_last in sorted(rows):
        found = passages.locate(text, int(first), int(last))
        assert (found.sha256, found.start, found.end) == (stored, int(start), int(end)), iri
        assert hashlib.sha256(text[int(start) : int(end)].encode()).hexdigest() == stored, iri
        if source != SOURCE or int(first) >= FIRST_HEADING:
            assert int(section_first) <= int(first) <= int(section_last), iri
        assert iri.removeprefix(f"passage/{source}/") in (first, f"{first}-{last}")
    graphs = {q.graph_name for q in data.asserted if lines_of(q.graph_name, source)}
    assert {row[0] for row in rows} == {f"passage/{short(value(g))}" for g in graphs}


@pytest.mark.usefixtures("beside")
def test_every_line_of_the_inventory_is_evidence(data: Data) -> None:
    inventory = SHARED / "inventory.md"
    spans = {span for span in (lines_of(q.graph_name) for q in data.asserted) if span and span[1] - span[0] < 30}
    rows = [row for row in inventory.read_text(encoding="utf-8").split("\n") if row.startswith("| ")]
    unused = []
    for named in re.findall(r"(?<!\w)L(\d+(?:-\d+)?(?:, \d+(?:-\d+)?)*)", "\n".join(rows)):
        for span in named.split(", "):
            first, _, last = span.partition("-")
            if not any(start <= int(last or first) and int(first) <= end for start, end in spans):
                unused.append(span)
    assert unused == []


# ---- what is printed ----

# Printed texts of a passage graph that differ from its lines: (graph, text) → reason.
PRINTED_OTHERWISE = {
    ("mext-2026-06-29/683-684", "理研 チームリーダー"): "the count of projects stands between the two words (trap A6)",
}

NAMES = (SKOS + "prefLabel", SKOS + "altLabel", SKOS + "hiddenLabel", DCTERMS + "title", KG + "headingPath")
PRINTED = (
    *(KG + name for name in ("asPrinted", "headingPath", "phrase")),
    *(SKOS + name for name in ("hiddenLabel", "altLabel", "notation")),
)


def _in_passages(data: Data, *predicates: str) -> Iterator[tuple[Quad, Literal]]:
    return ((q, text) for q, text in literals(data.asserted, *predicates) if place_of(q.graph_name))


def test_printed_strings_stand_in_their_lines(data: Data, texts: dict[str, str]) -> None:
    missing = set()
    for quad, text in _in_passages(data, *PRINTED):
        *above, last = text.value.split(" > ") if quad.predicate.value == KG + "headingPath" else [text.value]
        # Only the last of the headings above a passage must be in it.
        if plain(last) not in plain(passage(texts, quad.graph_name)) or any(
            plain(h) not in plain(texts[SOURCE]) for h in above
        ):
            missing.add((short(value(quad.graph_name)), text.value))
    assert missing == set(PRINTED_OTHERWISE)


def test_names_in_passages_stand_in_their_lines(data: Data, texts: dict[str, str]) -> None:
    """Our translations must not look like texts of the source (trap E12)."""
    missing = {
        (short(value(q.graph_name)), text.value)
        for q, text in _in_passages(data, SKOS + "prefLabel", DCTERMS + "title")
        if plain(text.value) not in plain(passage(texts, q.graph_name))
    }
    assert missing == set()


def test_numbers_stand_in_their_lines(data: Data, texts: dict[str, str]) -> None:
    missing = []
    for quad, number in _in_passages(data, KG + "count", KG + "printedNumber", KG + "statedCount"):
        if not re.search(rf"(?<!\d){number.value}(?!\d)", plain(passage(texts, quad.graph_name))):
            missing.append((short(value(quad.graph_name)), number.value))
    assert missing == []


_UNITS = {"億": 100_000_000, "千万": 10_000_000, "百万": 1_000_000}


def _printed_amounts(text: str) -> set[Decimal]:
    """All printed amounts in yen, with both ends of a range."""
    found = set()
    for low, high, unit in re.findall(r"([\d.,]+)(?:~([\d.,]+))?(億|千万|百万)円", plain(text)):
        found |= {Decimal(number.replace(",", "")) * _UNITS[unit] for number in (low, high) if number}
    return found


def test_amounts_stand_in_their_lines(data: Data, texts: dict[str, str]) -> None:
    """Printed in hundred millions, ten millions or millions of yen (trap C1)."""
    amounts = list(_in_passages(data, KG + "amount", *(SCHEMA + name for name in ("value", "minValue", "maxValue"))))
    stray = [
        (short(value(q.subject)), amount.value)
        for q, amount in amounts
        if Decimal(amount.value) not in _printed_amounts(passage(texts, q.graph_name))
    ]
    assert stray == []
    assert len(amounts) == 7 + 6


def test_durations_stand_in_their_lines(data: Data, texts: dict[str, str]) -> None:
    names = ("duration", "maxDuration", "within", "revisionInterval")
    durations = list(_in_passages(data, *(KG + name for name in names)))
    stray = []
    for quad, duration in durations:
        text = plain(passage(texts, quad.graph_name))
        if duration.value == "P3M" and "三月を超えない" in text:
            continue
        match = re.fullmatch(r"P(\d+)Y(6M)?", duration.value)
        assert match is not None, duration.value
        printed = f"{match[1]}年半" if match[2] else rf"(?<!\d){match[1]}(か年度|年(?!半))"
        if not re.search(printed, text) and not (duration.value == "P1Y" and "毎年" in text):
            stray.append((short(value(quad.subject)), duration.value))
    assert stray == []
    assert len(durations) >= 12


def test_dates_stand_in_their_lines(data: Data, texts: dict[str, str]) -> None:
    missing = set()
    for quad, date in _in_passages(data):
        if not date.datatype.value.endswith(("#date", "#gYear", "#gYearMonth")):
            continue
        text = plain(passage(texts, quad.graph_name))
        year, month, day = (*date.value.split("-"), "", "")[:3]
        in_year = year in text or f"令和{int(year) - 2018}年" in text
        in_month = not month or f"{int(month)}月" in text
        in_day = not day or f"月{int(day)}日" in text
        if not (in_year and in_month and in_day):
            missing.add((short(value(quad.graph_name)), date.value))
    assert missing == set()


# Records that a passage mentions without their name: (graph, record) → how.
NAMED_IN_OTHER_WORDS = {
    ("mext-2026-06-29/35", "concept/science-for-ai"): "a note on the whole figure",
    ("mext-2026-06-29/35", "concept/science-of-ai"): "a note on the whole figure",
    ("mext-2026-06-29/43", "policy/royal-society-statement-2024"): "the paper does not name the document",
    ("mext-2026-06-29/541", "programme/aip-network-lab"): "AIPネットワークラボ",
    ("egov-ai-act/10", "law/sti-basic-act/article-3"): "the name of the law, then 第三条",
    ("egov-ai-act/10", "law/digital-society-basic-act/chapter-2"): "the name of the law, then 第二章",
    ("egov-ai-act/21", "law/sti-revitalisation-act/article-2/paragraph-9"): "the name of the law, then 第二条第九項",
    ("egov-ai-act/37", "law/sti-revitalisation-act/article-24-4"): "the name of the law, then 第二十四条の四",
    ("egov-ai-act/78", "law/iaa-general-act/article-2/paragraph-1"): "the name of the law, then 第二条第一項",
    ("egov-ai-act/78", "law/local-iaa-act/article-2/paragraph-1"): "the name of the law, then 第二条第一項",
    ("egov-ai-act/78", "law/mic-establishment-act/article-4/paragraph-1/item-8"): "the law, then 第四条第一項第八号",
}
# Links that classify a record instead of mentioning it.
CLASSIFYING = {
    *(KG + name for name in ("under", "hasElement", "hasComponent", "hasProvision", "jurisdiction", "fiscalYear")),
    *(KG + name for name in ("budgetType", "estimateStatus", "projectStatus", "basis", "aspect")),
    *(KG + name for name in ("headingRole", "textOnly", "instrument", "actorKind", "elementOf", "states")),
    SKOS + "inScheme",
    DCTERMS + "subject",
    "http://purl.org/ontology/bibo/status",
    DCTERMS + "type",
    "http://data.europa.eu/eli/ontology#type_subdivision",
}


def _record(iri: str) -> str:
    """The record of which this IRI is a part: its class and slug."""
    return "/".join(iri.removeprefix(BASE.id).split("/")[:2])


def test_what_is_linked_is_named_in_the_lines(data: Data, texts: dict[str, str]) -> None:
    """The lines of a link's passage name its target, except for the source itself."""
    itself = BASE.id + "policy/science-for-ai-science-of-ai"
    names: dict[str, set[str]] = {itself: {""}}
    for quad, text in literals(data.asserted, *NAMES, KG + "asPrinted"):
        names.setdefault(value(quad.subject), set()).add(plain(text.value))
    unnamed = set()
    for quad in data.asserted:
        target = value(quad.object)
        # What a statement says is in the words of its lists and topics; its unit is what a reader compares.
        own = "#" in target or _record(target) == _record(value(quad.subject)) or "/statement-" in value(quad.subject)
        if (
            own
            or not place_of(quad.graph_name)
            or not target.startswith(BASE.id)
            or quad.predicate.value in CLASSIFYING
        ):
            continue
        text = plain(passage(texts, quad.graph_name))
        if not any(name in text for name in names.get(target, ())):
            unnamed.add((short(value(quad.graph_name)), short(target)))
    assert unnamed == set(NAMED_IN_OTHER_WORDS)


# ---- wording ----

OWN_WORDS = (
    DCTERMS + "description",
    *(SKOS + name for name in ("definition", "scopeNote", "note", "editorialNote")),
    KG + "outlook",
    KG + "notInSource",
)


def _copied(text: str, runs: set[str], length: int) -> str:
    """The first common substring of a text and the source that is longer than `length`."""
    return next((text[i : i + length + 1] for i in range(len(text) - length) if text[i : i + length + 1] in runs), "")


def _runs(texts: dict[str, str], length: int) -> set[str]:
    return {whole[i : i + length + 1] for whole in map(plain, texts.values()) for i in range(len(whole) - length)}


def test_no_sentence_is_copied_into_descriptions(data: Data, texts: dict[str, str]) -> None:
    runs = _runs(texts, 30)
    names = {plain(text.value) for _, text in literals(data.asserted, *NAMES) if len(plain(text.value)) > 8}
    pattern = re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True))))
    copied = {}
    for quad, text in literals(data.asserted, *OWN_WORDS):
        if run := _copied(pattern.sub("\0", plain(text.value)), runs, 30):
            copied[short(value(quad.subject)), quad.predicate.value.rpartition("/")[2]] = run
    assert copied == {}


def test_no_sentence_is_copied_into_anything_else(data: Data, texts: dict[str, str]) -> None:
    """Names of documents, bodies and schemes may be long; labels of statements are in our own words."""
    runs = _runs(texts, 40)
    elements = data.one("?element a kg:Element", "element")
    copied = {}
    for quad, text in literals(data.asserted):
        subject, words = short(value(quad.subject)), plain(text.value)
        is_name = quad.predicate.value in NAMES and subject not in elements and len(words) <= 70
        if not is_name and (run := _copied(words, runs, 40)):
            copied[subject, text.value] = run
    assert copied == {}


def test_every_name_has_japanese_and_english(data: Data) -> None:
    """Every record with a page has both languages, and so has every named `#` part."""
    typed = {value(q.subject) for q in data.asserted if q.predicate.value == iris.RDF_TYPE}
    named: dict[str, set[str]] = {subject: set() for subject in typed if "#" not in subject}
    for quad, text in literals(data.everything, SKOS + "prefLabel"):
        named.setdefault(value(quad.subject), set()).add(text.language or "")
    assert {short(s) for s, languages in named.items() if not {"ja", "en"} <= languages} == set()


def test_one_name_in_each_language(data: Data) -> None:
    """SKOS, integrity condition S14."""
    names = {(value(q.subject), t.language, t.value) for q, t in literals(data.everything, SKOS + "prefLabel")}
    counted = Counter((subject, language) for subject, language, _ in names if subject.startswith(BASE.id))
    assert [key for key, n in counted.items() if n > 1] == []


def test_every_record_is_described_in_japanese_and_english(data: Data) -> None:
    described: dict[str, set[str]] = {}
    for quad, text in literals(data.asserted, DCTERMS + "description"):
        described.setdefault(value(quad.subject), set()).add(text.language or "")
    records = [r.iri for r in data.curated.records if not r.path.startswith("passage/")]
    assert [short(r) for r in records if not {"ja", "en"} <= described.get(r, set())] == []


# ---- build output ----


def test_every_observation_is_in_a_data_set_and_dated_and_there_once(data: Data) -> None:
    """RDF Data Cube: what is counted or budgeted, when, and of which kind, tell one observation from another."""
    known = data.one("?x a qb:Observation", "x")
    assert len(known) > 30
    found = data.rows(
        "?x a qb:Observation ; qb:dataSet ?set ; kg:budgetOf|kg:projectCountOf ?of ; kg:fiscalYear|kg:asOf ?when"
        " OPTIONAL { ?x kg:budgetType|kg:projectStatus ?kind }",
        *("x", "set", "of", "when", "kind"),
    )
    assert {row[0] for row in found} == known
    assert len({row[1:] for row in found}) == len(found)


def test_every_observation_has_the_dimensions_of_its_data_set_and_differs_in_them(data: Data) -> None:
    """RDF Data Cube, IC-11 and IC-12: a dimension is never optional, and no two observations agree in all."""
    dimension = "?x qb:dataSet ?set . ?set qb:structure/qb:component/qb:dimension ?dimension"
    assert data.one(f"{dimension} FILTER NOT EXISTS {{ ?x ?dimension ?value }}", "x") == set()
    place: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for x, data_set, which, that in data.rows(f"{dimension} . ?x ?dimension ?value", "x", "set", "dimension", "value"):
        place.setdefault((x, data_set), set()).add((which, that))
    assert len({x for x, _ in place}) == len(place) > 30
    assert len({(data_set, frozenset(values)) for (_, data_set), values in place.items()}) == len(place)


def test_two_builds_are_the_same(data: Data) -> None:
    _, _, again = dataset.build()
    assert canonical.ordered(data.everything)[1] == canonical.ordered(again)[1]


def test_the_built_files_equal_a_rebuild(data: Data, tmp_path: Path) -> None:
    quads, _ = canonical.ordered(data.everything)
    pipeline.write_ttl(dataclasses.replace(PROJECT, root=tmp_path), quads, data.curated.context)
    built, fresh = ROOT / "data" / "ttl", tmp_path / "data" / "ttl"
    names = {p.relative_to(built).as_posix() for p in built.rglob("*") if p.is_file()}
    assert names == {p.relative_to(fresh).as_posix() for p in fresh.rglob("*.ttl")}
    assert [n for n in sorted(names) if (built / n).read_bytes() != (fresh / n).read_bytes()] == []


def test_no_blank_node_outside_the_ontology(data: Data) -> None:
    blank = [
        q
        for q in data.everything
        if isinstance(q.subject, BlankNode) or isinstance(q.object, BlankNode)
        if value(q.graph_name) not in (BASE.ontology_graph, BASE.inferred)
    ]
    assert blank == []
    files = (ROOT / "data" / "ttl").rglob("*.ttl")
    assert [path.name for path in files if re.search(r"_:|\[", _terms(path))] == ["ontology.ttl"]


def _terms(path: Path) -> str:
    """A Turtle file without strings and IRIs, whose brackets are irrelevant."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r'"(?:[^"\\\n]|\\.)*"|<[^>\n]*>|\\\[', "", text)
