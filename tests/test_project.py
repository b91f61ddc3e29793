"""`site.yaml`: read whole, with every fault at its line and column."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset import ROOT

from kg.errors import Rejected
from kg.project.reading import read_project

LINES = {
    "base": "https://data.example.org/kg/",
    "languages": "[en]",
    "title": "{en: Forests}",
    "lead": "{en: What is known of forests.}",
    "notice": "{en: No official site.}",
    "publisher": "{en: The foresters}",
    "licence": "{iri: https://creativecommons.org/publicdomain/zero/1.0/, name: CC0, text: {en: Free.}}",
}


def write(folder: Path, **changes: str) -> Path:
    lines = {**LINES, **{key.replace("_", "-"): text for key, text in changes.items()}}
    (folder / "site.yaml").write_text("".join(f"{key}: {text}\n" for key, text in lines.items() if text))
    return folder


def faults(folder: Path) -> list[str]:
    with pytest.raises(Rejected) as caught:
        read_project(folder)
    return [str(problem) for problem in caught.value.problems]


def test_a_small_site_is_read(tmp_path: Path) -> None:
    project = read_project(write(tmp_path))
    assert (project.base.iri, project.languages) == ("https://data.example.org/kg/", ("en",))
    assert project.ontology == "https://data.example.org/kg/ontology"
    assert project.title == project.service == {"en": "Forests"}
    assert project.licence.name == "CC0"
    assert not project.charts
    assert not project.examples


def test_the_charts_of_the_real_site_show_queries_of_its_library() -> None:
    project = read_project(ROOT)
    for page in project.charts.values():
        for name in page.queries:
            assert (ROOT / "queries" / f"{name}.rq").is_file()
    assert (ROOT / "queries" / f"{project.worked_query}.rq").is_file()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"base": "https://data.example.org/kg"}, "site.yaml:1:7: 'https://data.example.org/kg' is no base; expected"),
        ({"languages": "[]"}, "site.yaml:2:12: 'languages' needs at least one language, such as [en]"),
        ({"languages": "[English]"}, "site.yaml:2:12: 'English' is no language"),
        ({"title": "Forests"}, "site.yaml:3:8: 'title' needs a text in each language: {en: …}"),
        ({"languages": "[en, fr]"}, "site.yaml:3:8: 'title' has no text in fr"),
        ({"title": "{en: Forests, de: Wald}"}, "site.yaml:3:22: unknown key 'de'"),
        ({"licens": "{en: x}"}, "site.yaml:8:1: unknown key 'licens'; did you mean 'licence'?"),
        ({"notice": ""}, "site.yaml:1:1: 'notice' is missing"),
        ({"licence": "{iri: https://x.example/, name: X}"}, "site.yaml:7:10: 'text' is missing under 'licence'"),
        ({"licence": "CC0"}, "site.yaml:7:10: 'licence' needs a map with iri, name, text"),
        ({"worked-query": "A Query"}, "site.yaml:8:15: 'A Query' under 'worked-query': expected lower-case letters"),
        ({"examples": "{nod: law/x}"}, "site.yaml:8:12: unknown key 'nod'; did you mean 'node'?"),
        ({"charts": "{pages: {money: {title: {en: Money}}}}"}, "'lead' is missing under 'money'"),
        ({"title": "{en: &a Forests}"}, "anchors are not used here"),
    ],
)
def test_a_fault_is_reported_where_it_stands(tmp_path: Path, changes: dict[str, str], expected: str) -> None:
    assert any(expected in line for line in faults(write(tmp_path, **changes))), faults(tmp_path)


def test_names_of_columns_are_checked_too(tmp_path: Path) -> None:
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries" / "columns.yaml").write_text("tree: {en: Tree}\nheight: Height\n")
    assert faults(write(tmp_path)) == [
        "queries/columns.yaml:2:9: 'height' needs a text in each language: {en: …} [wrong-type]"
    ]


def test_a_folder_without_one_is_no_project(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path)
    assert "has no site.yaml" in fault
    assert "'kg new DIR' writes one" in fault
