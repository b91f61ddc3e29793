"""The concordance: which lines have the printed forms of a concept, counted from the texts."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from dataset import BASE, ROOT, TEXTS, Data
from pyoxigraph import Store

from kg.build import pipeline
from kg.curation import builder, concordance
from kg.errors import KgError
from kg.project.reading import read_project
from kg.rdf.terms import value
from kg.sparql import library

# Concepts that no text names: they head others, or stand for what is not said.
NEVER_PRINTED = {"topics/ai-kinds", "topics/properties", "actor-kinds/unspecified", "actor-kinds/private-investors"}


@pytest.mark.parametrize(
    ("text", "forms", "occurrences", "lines", "found"),
    [
        ("AIはAI。\n\nAI", ["AI"], 3, (1, 3), ("AI",)),
        ("④AIと15G、5G", ["AI", "5G"], 2, (1,), ("5G", "AI")),
        ("フィジカル A I とAISI、ＡＩ", ["AI"], 2, (1,), ("AI",)),
        ("生成AIのモデル、生成 AI モデル", ["生成AI", "生成AIモデル"], 2, (1,), ("生成AI", "生成AIモデル")),
        ("**基盤**モデル<br>基盤モ<b>デル</b>", ["基盤モデル"], 2, (1,), ("基盤モデル",)),
        ("A I 主権", ["A I 主権", "AI主権"], 1, (1,), ("AI主権",)),
        ("AI for Science", ["AI for Science", "Science"], 1, (1,), ("AI for Science",)),
        ("何もない", ["データ"], 0, (), ()),
        ("何もない", [], 0, (), ()),
    ],
)
def test_forms_are_counted_as_a_reader_would(
    text: str, forms: list[str], occurrences: int, lines: tuple[int, ...], found: tuple[str, ...]
) -> None:
    counted = concordance.count(text, "concept", forms)
    assert (counted.occurrences, counted.lines, counted.forms) == (occurrences, lines, found)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a text and a scheme of concepts that are counted in it."""
    root = tmp_path / "project"
    for name in ("ontology", "queries", "site.yaml"):
        (root / "data").mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(ROOT / name)
    text = "国際的なデータ\nデータ と計算資源\n"
    (tmp_path / "report.txt").write_text(text, encoding="utf-8")
    for path, content in {
        "source/curator": "about:\n  type: Source\n  label: {ja: 編者, en: Curators}\n"
        "  description: {ja: 編者。, en: The curators.}\n",
        "source/report": "about:\n  type: Source\n  label: {ja: 報告, en: report}\n"
        "  description: {ja: 本文。, en: A text.}\n  language: ja\n"
        f"  sha256: {hashlib.sha256(text.encode()).hexdigest()}\n",
        "vocabulary/things": "curator:\n  type: ConceptScheme\n  label: {ja: もの, en: Things}\n"
        "  description: {ja: もの。, en: Things.}\n  countedIn: source:report\n  also:\n"
        + "".join(
            f"    - {{id: things/{slug}, type: Concept, inScheme: vocabulary:things, label: {{ja: {ja}, en: {slug}}}"
            f"{more}}}\n"
            for slug, ja, more in (
                ("data", "データ", ""),
                ("computers", "計算機", ", hiddenLabel: {ja: 計算資源}"),
                ("power", "電力", ""),
                ("state", "国", ""),
                ("old", "資源", ', deprecated: "true", isReplacedBy: vocabulary:things/power'),
            )
        ),
    }.items():
        file = root / "data" / f"{path}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(content, encoding="utf-8")
    return root


def test_every_concept_with_a_countable_name_has_an_entry(project: Path) -> None:
    path = concordance.record(project, project.parent / "report.txt")
    assert path == project / "data" / "concordance" / "report.yaml"
    assert pipeline.check(project) == []
    store = Store()
    store.extend(builder.asserted_quads(builder.read_all(read_project(project))))
    rows = library.select(
        store,
        "PREFIX kg: <https://w3id.org/aikg/ontology#> "
        "SELECT ?term ?n ?line WHERE { GRAPH ?g { "
        "?entry kg:term ?term ; kg:occurrences ?n . OPTIONAL { ?entry kg:onLine ?line } } }",
    )
    found = {tuple(value(term).rpartition("/")[2] if term else "" for term in row) for row in rows}
    assert found == {("data", "2", "1"), ("data", "2", "2"), ("computers", "1", "2"), ("power", "0", "")}


def test_a_concept_that_is_gone_does_not_stop_the_next_count(project: Path) -> None:
    text = project.parent / "report.txt"
    path = concordance.record(project, text)
    things = project / "data" / "vocabulary" / "things.yaml"
    renamed = things.read_text(encoding="utf-8").replace("things/power", "things/electricity")
    things.write_text(renamed, encoding="utf-8")
    assert {p.rule for p in pipeline.check(project)} == {"dangling"}
    concordance.record(project, text)
    assert pipeline.check(project) == []
    assert "electricity" in path.read_text(encoding="utf-8")


def test_a_source_in_which_nothing_is_counted(project: Path) -> None:
    things = project / "data" / "vocabulary" / "things.yaml"
    things.write_text(things.read_text(encoding="utf-8").replace("  countedIn: source:report\n", ""), encoding="utf-8")
    with pytest.raises(KgError, match="no concept scheme says 'countedIn: source:report'"):
        concordance.record(project, project.parent / "report.txt")


def test_the_concordances_are_those_of_the_texts(data: Data, texts: dict[str, str]) -> None:
    for source, text in texts.items():
        stored = {
            (BASE.id + term, int(n), tuple(sorted(map(int, lines.split()))))
            for term, n, lines in _entries(data, source)
        }
        counted = {(e.concept, e.occurrences, e.lines) for e in concordance.of_text(data.curated, source, text)}
        assert stored == counted, f"run 'kg concordance {TEXTS[source]}'"


def test_each_counted_concept_is_printed_somewhere(data: Data) -> None:
    """So that "nowhere" is an answer, and not a missing form."""
    totals: dict[str, int] = {}
    for source in TEXTS:
        for term, n, _ in _entries(data, source):
            totals[term] = totals.get(term, 0) + int(n)
    assert totals
    missing = {term.removeprefix("vocabulary/") for term, n in totals.items() if not n} - NEVER_PRINTED
    assert missing == set(), "add the printed forms as hiddenLabel"


def test_a_concordance_publishes_no_more_than_names(data: Data) -> None:
    printed = data.rows("?entry a kg:ConcordanceEntry ; kg:term ?term ; kg:asPrinted ?form", "term", "form")
    names = data.rows(
        "?term a skos:Concept . ?term skos:prefLabel|skos:altLabel|skos:hiddenLabel ?form", "term", "form"
    )
    assert printed <= names


def _entries(data: Data, source: str) -> set[tuple[str, ...]]:
    rows = data.rows(
        f"?c kg:concordanceOf <source/{source}> ; kg:entry ?entry . ?entry kg:term ?term ; kg:occurrences ?n . "
        "OPTIONAL { ?entry kg:onLine ?line }",
        "term",
        "n",
        "line",
    )
    lines: dict[tuple[str, str], list[str]] = {}
    for term, n, line in rows:
        lines.setdefault((term, n), []).append(line)
    return {(term, n, " ".join(found)) for (term, n), found in lines.items()}
