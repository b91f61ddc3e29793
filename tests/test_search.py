"""Search: normalisation of names, results by name, and the index of a release."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from dataset import BASE, Data

from kg.build import pipeline
from kg.names import normalization
from kg.release import search, store
from kg.release.search import Search


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ＡＩ法", "A I 法"),
        ("AI法", "ai法"),
        ("コンピューター", "コンピュータ"),
        ("りけん", "リケン"),
        ("ﾘｹﾝ", "リケン"),
        ("國立大學", "国立大学"),
        ("理研 AIP", "理研AIP"),
        ("GX・DXの着実な推進", "GX DXの着実な推進"),
        ("Zürich", "zurich"),
        ("第９条", "第9条"),
    ],
)
def test_names_that_are_the_same_have_one_normal_form(one: str, other: str) -> None:
    assert normalization.name(one).key == normalization.name(other).key


@pytest.mark.parametrize(("one", "other"), [("はん", "ばん"), ("AI", "IA"), ("京大", "京都橘大"), ("第9条", "第19条")])
def test_names_that_differ_stay_apart(one: str, other: str) -> None:
    assert normalization.name(one).key != normalization.name(other).key


@pytest.fixture(scope="module")
def index(real: store.Release) -> Search:
    return search.open_index(real)


@pytest.mark.parametrize(
    ("text", "first", "how"),
    [
        ("AI法", "law/ai-act", "exact"),
        ("Ａ Ｉ 法", "law/ai-act", "exact"),
        ("人工知能関連技術の研究開発及び活用の推進に関する法律", "law/ai-act", "exact"),
        ("AI法 第9条", "law/ai-act/article-9", "exact"),
        ("第9条", "law/ai-act/article-9", "contains"),
        ("Article 9", "law/ai-act/article-9", "contains"),
        ("東大", "organization/university-of-tokyo", "exact"),
        ("tokyo universty", "organization/university-of-tokyo", "similar"),
        ("理研", "organization/riken", "exact"),
        ("RIKEN", "organization/riken", "exact"),
        ("AIPセンター", "organization/riken-aip", "exact"),
        ("riken aip", "organization/riken-aip", "exact"),
        ("理研AIP", "organization/riken-aip", "begins"),
        ("りけん", "organization/riken", "exact"),
        ("center 革新知能統合", "organization/riken-aip", "words"),
        ("Science for AI", "concept/science-for-ai", "exact"),
        ("おかだ やすし", "person/yasushi-okada", "exact"),
        ("Yasushi Okada", "person/yasushi-okada", "exact"),
        ("ロボットメーカ", "vocabulary/actor-kinds/robot-makers", "exact"),
        ("情報通信研究機", "organization/nict", "begins"),
        ("予算額", "kg:BudgetAllocation", "exact"),
    ],
)
def test_what_a_name_finds_first(index: Search, text: str, first: str, how: str) -> None:
    found = index.find(text)
    hit = found.hits[0]
    assert hit.iri.replace("https://w3id.org/aikg/id/", "").replace("https://w3id.org/aikg/ontology#", "kg:") == first
    assert hit.how == how


def test_every_record_is_found_by_each_of_its_names(index: Search, data: Data) -> None:
    """A shared name may return another record first, but never nothing, and mostly the right one."""
    names = [e for e in search.entries(data.everything, "https://w3id.org/aikg/") if e.role != "description"]
    found = {e: index.find(e.text, limit=30) for e in names}
    missing = [e for e, hits in found.items() if all(hit.iri != e.iri for hit in hits.hits)]
    assert missing == []
    exact = [e for e, hits in found.items() if hits.hits[0].how == "exact"]
    assert len(exact) == len(names)


def test_misprints_are_found_by_what_is_nearly_so(index: Search) -> None:
    words = {"artificial inteligence": "rtificial", "人口知能学会": "人工知能", "governence": "overnance"}
    for text, part in words.items():
        assert part in index.find(text).hits[0].entry.text
        assert index.find(text).hits[0].how == "similar"


def test_hits_tell_of_kinds_and_kinds_narrow_them(index: Search) -> None:
    everything = index.find("AIP", limit=100)
    assert everything.kinds["area"] >= 10
    assert sum(everything.kinds.values()) == everything.total
    people = index.find("AIP", kinds=["person"], limit=100)
    assert {hit.kind for hit in people.hits} == {"person"}
    assert people.kinds == everything.kinds
    assert index.find("AIP", limit=5, offset=5).hits == everything.hits[5:10]


@pytest.mark.parametrize("text", ["", " ", "・・・", "\x00", "a" * 5000, "😀", "AND OR (", '"', "*", "%", "第" * 300])
def test_any_text_may_be_asked(index: Search, text: str) -> None:
    assert index.find(text).total >= 0


def test_a_release_carries_its_index(tmp_path: Path) -> None:
    """The index from a build equals one made from the same facts."""
    source = tmp_path / "facts.ttl"
    source.write_text(
        "@prefix skos: <http://www.w3.org/2004/02/skos/core#> .\n"
        '<https://w3id.org/aikg/id/law/x> a skos:Concept ; skos:prefLabel "甲法"@ja, "Act A"@en .\n',
        encoding="utf-8",
    )
    release = store.open_release(
        pipeline.release_from_files([source], tmp_path / "releases", "https://w3id.org/aikg/", {})
    )
    assert (release.directory / "search" / "names.json").is_file()
    written = search.open_index(release)
    for path in sorted((release.directory / "search").iterdir(), reverse=True):
        path.unlink()
    anew = search.open_index(release)
    assert written.find("甲法") == anew.find("甲法")
    assert written.find("甲法").hits[0].iri == "https://w3id.org/aikg/id/law/x"


def test_the_search_page_and_its_data_agree(real_http: httpx.Client) -> None:
    page = real_http.get("/search", params={"q": "東大", "lang": "en"}, headers={"accept": "text/html"})
    assert page.status_code == 200
    assert "The University of Tokyo" in page.text
    assert '<q lang="ja">東大</q>' in page.text
    found = real_http.get("/search", params={"q": "東大", "format": "json", "lang": "en"}).json()
    assert found["hits"][0]["iri"].endswith("/organization/university-of-tokyo")
    assert found["hits"][0]["matched"] == {"text": "東大", "lang": "ja", "role": "other name"}
    assert (found["total"], found["pages"]) == (1, 1)
    suggested = real_http.get("/suggest", params={"q": "東", "lang": "ja"}).json()["suggestions"]
    assert {"label", "kind_label", "href", "how"} <= suggested[0].keys()


@pytest.mark.parametrize("query", ["page=0", "page=x", "page=999"])
def test_a_page_that_cannot_be_is_an_error(real_http: httpx.Client, query: str) -> None:
    answer = real_http.get(f"/search?q=AI&format=json&{query}")
    assert answer.status_code == 400
    assert "page" in answer.json()["detail"]


def test_classes_and_properties_are_suggested_by_label_in_either_language(real_http: httpx.Client) -> None:
    def suggested(**parameters: str) -> list[str]:
        answer = real_http.get("/suggest", params={"lang": "en", **parameters})
        return [s["compact"] for s in answer.json()["suggestions"]]

    assert "kg:Programme" in suggested(type="class", q="事業")
    assert "kg:Programme" in suggested(type="class", q="progr")
    assert "kg:budget" in suggested(type="property", q="予算", **{"class": "kg:Programme"})
    # Persons have no budget: properties that no member of a class has are not suggested.
    assert "kg:budget" not in suggested(type="property", q="予算", **{"class": "foaf:Person"})
    assert real_http.get("/suggest", params={"type": "nonsense", "q": "x"}).status_code == 400


def test_another_user_can_read_an_index(tmp_path: Path) -> None:
    """A release is often built by one user and served by another."""
    search.write(tmp_path, [])
    modes = {file.name: file.stat().st_mode for file in (tmp_path / "search").iterdir()}
    assert len(modes) > 2
    assert set(modes.values()) == {modes["names.json"]}


def test_nothing_is_written_to_an_index_that_is_read(data: Data, tmp_path: Path) -> None:
    """A release may be on a read-only file system, where tantivy's lock file cannot be made."""
    search.write(tmp_path, search.entries(data.everything, BASE.iri))
    folder = tmp_path / "search"
    for lock in folder.glob("*.lock"):
        lock.unlink()
    before = {file.name for file in folder.iterdir()}
    found = search.read(tmp_path).find("AIP")
    assert found.hits
    assert {file.name for file in folder.iterdir()} == before
