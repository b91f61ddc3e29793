"""Changes between releases and their feeds: RFC 4287, both languages, paging."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import httpx
import pytest
from conftest import Server
from dataset import BASE, ROOT
from pyoxigraph import NamedNode, QuerySolutions, RdfFormat, Store

from api.app import create_app
from api.catalogue.feed import ATOM
from api.settings import Settings
from kg.build import pipeline
from kg.errors import BrokenRelease
from kg.rdf import iris
from kg.release import changes, history, store
from kg.release.history import HistoryBounds, ReleaseChanges

LABEL = "<http://www.w3.org/2004/02/skos/core#prefLabel>"
TYPE = f"<{iris.RDF_TYPE}> <http://www.w3.org/2004/02/skos/core#Concept>"
GRAPH = f"<{BASE.graph}curator>"
HTML = {"accept": "text/html"}


def line(path: str, fact: str) -> str:
    return f"<{BASE.id}{path}> {fact} {GRAPH} .\n"


def named(path: str, ja: str, en: str) -> str:
    return line(path, TYPE) + line(path, f'{LABEL} "{ja}"@ja') + line(path, f'{LABEL} "{en}"@en')


KEPT = named("concept/kept", "残る", "kept")
FIRST = KEPT + named("concept/gone", "消える", "gone") + named("concept/old", "古い", "old")
SECOND = (
    KEPT
    + line("concept/kept", '<http://www.w3.org/2004/02/skos/core#note> "a\u2028b"@en')
    + line("concept/kept#part", TYPE)
    + named("concept/old", "古い", "old")
    + line(
        "concept/old", '<http://www.w3.org/2002/07/owl#deprecated> "true"^^<http://www.w3.org/2001/XMLSchema#boolean>'
    )
    + line("concept/old", f"<http://purl.org/dc/terms/isReplacedBy> <{BASE.id}concept/kept>")
    + named("concept/new/part", "新<しい>&", "new <b>\u0001")
    + named("law/act", "法", "act")
    # Statements of partners and inferences are not changes of a record.
    + f"<https://x.example/1> <http://www.w3.org/2004/02/skos/core#exactMatch> <{BASE.id}law/act> <{BASE.partner}x> .\n"
    + f"<{BASE.id}person/a> {TYPE} <{BASE.inferred}> .\n"
)


def release(folder: Path, text: str, base: str = BASE.iri) -> store.Release:
    """Publishes N-Quads as the next release in a folder."""
    file = folder / "data.nq"
    file.write_text(text, encoding="utf-8", newline="\n")
    return store.open_release(pipeline.release_from_files([file], folder / "releases", base, {}))


def steps(of: store.Release, **bounds: int) -> tuple[ReleaseChanges, ...]:
    return history.read(of.directory, of.manifest, HistoryBounds(**bounds))


@pytest.fixture
def two(tmp_path: Path) -> tuple[store.Release, store.Release]:
    return release(tmp_path, FIRST), release(tmp_path, SECOND)


# ---- history ----


def test_a_first_release_has_nothing_to_compare_with(tmp_path: Path) -> None:
    first = release(tmp_path, FIRST)
    assert steps(first) == (ReleaseChanges(first.manifest.id[:16], first.manifest.issued),)


def test_what_became_of_each_record(two: tuple[store.Release, store.Release]) -> None:
    newest, oldest = steps(two[1])
    assert (newest.previous, newest.total, oldest.total) == (two[0].manifest.id[:16], 5, None)
    told = {e.path: (e.kind, e.added, e.removed, dict(e.label), e.successor) for e in newest.entries}
    assert told == {
        "concept/gone": ("removed", 0, 3, {"ja": "消える", "en": "gone"}, ""),
        "concept/kept": ("changed", 2, 0, {"ja": "残る", "en": "kept"}, ""),
        "concept/new/part": ("added", 3, 0, {"ja": "新<しい>&", "en": "new <b>\u0001"}, ""),
        "concept/old": ("deprecated", 2, 0, {"ja": "古い", "en": "old"}, BASE.id + "concept/kept"),
        "law/act": ("added", 3, 0, {"ja": "法", "en": "act"}, ""),
    }


def test_history_goes_back_further_than_the_releases_that_are_kept(tmp_path: Path) -> None:
    made = [release(tmp_path, FIRST + named(f"law/a{n}", "法", f"act {n}")) for n in range(store.KEPT_RELEASES + 3)]
    told = steps(made[-1])
    assert [s.release for s in told] == [r.manifest.id[:16] for r in reversed(made)]
    assert not made[0].directory.exists()
    assert {e.path for s in told for e in s.entries} == {f"law/a{n}" for n in range(len(made))}


def of_an_earlier_version(release: store.Release, changed: dict[str, str]) -> None:
    """Takes the checksums out of a manifest, which earlier versions did not write."""
    path = release.directory / "manifest.json"
    fields = {name: text for name, text in json.loads(path.read_text()).items() if name not in ("files", "seal")}
    path.write_text(json.dumps({**fields, **changed}))


def test_a_release_without_the_file_compares_itself_with_the_one_before(
    two: tuple[store.Release, store.Release], tmp_path: Path
) -> None:
    (two[1].directory / history.FILE).unlink()
    of_an_earlier_version(two[1], {})
    of_an_earlier_version(two[0], {"issued": "2020-01-01T00:00:00+00:00"})
    (only,) = steps(two[1])
    assert only.total == 5


@pytest.mark.parametrize(
    ("bounds", "lengths", "totals"),
    [({"releases": 2}, [1, 1], [1, 1]), ({"records": 2}, [1, 1], [1, 1]), ({"quads": 0}, [0], [None])],
)
def test_every_bound(
    bounds: dict[str, int],
    lengths: list[int],
    totals: list[int | None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, bound in bounds.items():
        monkeypatch.setenv(f"KG_HISTORY_{name.upper()}", str(bound))
    text = FIRST
    for n in range(4):
        text += named(f"law/a{n}", "法", "act")
        made = release(tmp_path, text)
    told = steps(made)[: len(lengths)]
    assert [len(s.entries) for s in told] == lengths
    assert [s.total for s in told] == totals
    assert bounds.keys() == {"quads"} or len(steps(made)) == 2


def test_more_records_than_the_limit_are_counted_and_not_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KG_HISTORY_RECORDS", "4")
    release(tmp_path, FIRST)
    newest, *_ = steps(release(tmp_path, SECOND))
    assert (newest.total, newest.entries) == (5, ())


def test_a_release_under_another_base_is_not_compared(tmp_path: Path) -> None:
    release(tmp_path, FIRST)
    assert steps(release(tmp_path, SECOND, "https://kg.example.go.jp/"))[0].total is None


def test_a_history_that_cannot_be_read_begins_anew(tmp_path: Path) -> None:
    first = release(tmp_path, FIRST)
    (first.directory / history.FILE).write_text("{")
    with pytest.raises(BrokenRelease, match=r"changes\.json cannot be read"):
        steps(first)
    assert [s.total for s in steps(release(tmp_path, SECOND))] == [5]


def test_the_lines_of_a_difference_are_whole(two: tuple[store.Release, store.Release]) -> None:
    found = changes.between(two[0].directory, two[1].directory)
    assert all(text.endswith(" .") for text in (*found.added, *found.removed))
    assert any("a\u2028b" in text for text in found.added)


# ---- feeds ----


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("feed")
    release(folder, FIRST)
    with (
        Server(create_app(Settings(feed_entries=4), release(folder, SECOND))) as running,
        httpx.Client(base_url=running.url, trust_env=False, timeout=20, follow_redirects=True) as client,
    ):
        yield client


def parsed(client: httpx.Client, path: str = "/feed.atom", **parameters: object) -> Xml.Element:
    response = client.get(path, params={"lang": "en", **parameters})  # type: ignore[arg-type]
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/atom+xml"
    return Xml.fromstring(response.content)


def texts(element: Xml.Element, name: str) -> list[str]:
    return [e.text or "" for e in element.findall(f"{{{ATOM}}}{name}")]


def links(element: Xml.Element, relation: str) -> list[str]:
    return [e.attrib["href"] for e in element.findall(f"{{{ATOM}}}link") if e.attrib["rel"] == relation]


def entries(feed: Xml.Element) -> Sequence[Xml.Element]:
    return feed.findall(f"{{{ATOM}}}entry")


@pytest.mark.parametrize("path", ["/feed.atom", "/feed/concept.atom", "/feed/law.atom"])
@pytest.mark.parametrize("language", ["ja", "en"])
def test_what_the_specification_demands(path: str, language: str, served: httpx.Client) -> None:
    """RFC 4287, 4.1.1 and 4.1.2: required elements, authors and alternate links, date formats."""
    feed = parsed(served, path, lang=language)
    assert feed.tag == f"{{{ATOM}}}feed"
    assert feed.attrib["{http://www.w3.org/XML/1998/namespace}lang"] == language
    for element in (feed, *entries(feed)):
        for name in ("id", "title", "updated"):
            assert len(texts(element, name)) == 1
        assert datetime.datetime.fromisoformat(texts(element, "updated")[0]).tzinfo is not None
        assert texts(element, "id")[0].startswith(BASE.iri)
        kinds = [
            (e.attrib.get("type"), e.attrib.get("hreflang"))
            for e in element.findall(f"{{{ATOM}}}link")
            if e.attrib["rel"] == "alternate"
        ]
        assert kinds
        assert len(kinds) == len(set(kinds))
    assert all(texts(author, "name") for author in feed.findall(f"{{{ATOM}}}author"))
    assert len(feed.findall(f"{{{ATOM}}}author")) == 1
    assert links(feed, "self") == [str(served.get(path, params={"lang": language}).url)]
    ids = [texts(entry, "id")[0] for entry in entries(feed)]
    assert len(ids) == len(set(ids))


def test_the_whole_feed_in_pages(served: httpx.Client) -> None:
    first, second = parsed(served), parsed(served, page=2)
    titles = [texts(entry, "title")[0] for page in (first, second) for entry in entries(page)]
    assert titles[0].startswith("Release ")
    assert titles[1:6] == ["Removed: gone", "Changed: kept", "New: new <b>\ufffd", "Deprecated: old", "New: act"]
    assert titles[6].startswith("Release ")
    assert len(titles) == 7
    assert links(first, "next") == links(second, "self")
    assert links(second, "previous") == links(first, "self")
    assert links(first, "last") == links(second, "self")
    assert links(first, "previous") == links(second, "next") == []
    summaries = [texts(entry, "summary")[0] for page in (first, second) for entry in entries(page)]
    assert summaries[0] == "5 records changed."
    assert summaries[4] == f"Facts added: 2; removed: 0. Replaced by {BASE.id}concept/kept"
    assert summaries[6] == "There is no earlier release to compare with."


def test_japanese(served: httpx.Client) -> None:
    feed = parsed(served, "/feed/law.atom", lang="ja")
    assert texts(feed, "title") == ["AI・科学政策ナレッジグラフの更新：法律"]
    assert [texts(e, "title")[0] for e in entries(feed)] == ["追加：法"]
    assert [texts(e, "summary")[0] for e in entries(feed)] == ["事実の追加3件、削除0件。"]


def test_a_class_feed_has_the_entries_of_the_whole_one(served: httpx.Client) -> None:
    whole = {texts(e, "id")[0] for n in (1, 2) for e in entries(parsed(served, page=n))}
    classes = [texts(e, "id")[0] for name in ("concept", "law") for e in entries(parsed(served, f"/feed/{name}.atom"))]
    assert len(classes) == 5
    assert set(classes) < whole


def test_every_link_leads_somewhere(served: httpx.Client) -> None:
    for page in (parsed(served), parsed(served, page=2), parsed(served, "/feed/concept.atom")):
        for element in (page, *entries(page)):
            for relation in ("self", "alternate", "describedby", "next", "previous", "first", "last"):
                for address in links(element, relation):
                    assert served.get(address, headers=HTML).status_code in (200, 410), address
    described = [links(e, "describedby") for e in entries(parsed(served))]
    assert [len(found) for found in described] == [0, 0, 1, 1]


def test_the_language_is_in_the_address(served: httpx.Client) -> None:
    response = served.get("/feed.atom", headers={"accept-language": "en"}, follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (302, "/feed.atom?lang=en")


def test_who_has_it_already_gets_304(served: httpx.Client) -> None:
    first = served.get("/feed.atom", params={"lang": "en"})
    again = served.get("/feed.atom", params={"lang": "en"}, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert served.get("/feed.atom", params={"lang": "ja"}).headers["etag"] != first.headers["etag"]


def test_the_same_after_a_restart(tmp_path: Path) -> None:
    release(tmp_path, FIRST)
    of = release(tmp_path, SECOND)
    bodies = []
    for _ in range(2):
        with Server(create_app(Settings(), of)) as running:
            headers = {"host": "kg.example.go.jp"}
            address = f"{running.url}/feed.atom?lang=ja"
            bodies.append(httpx.get(address, headers=headers, trust_env=False).content)
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/feed/laws.atom", "there is no class of records 'laws'"),
        ("/feed.atom?lang=en&page=3", "pages 1 to 2"),
        ("/feed.atom?lang=en&page=0", "pages 1 to 2"),
        ("/feed.atom?lang=en&page=x", "pages 1 to 2"),
    ],
)
def test_what_is_not_there_is_404(path: str, told: str, served: httpx.Client) -> None:
    response = served.get(
        path, headers={"accept": "application/problem+json"}, params={"lang": "en"} if "?" not in path else None
    )
    assert response.status_code == 404
    assert told in response.json()["detail"]


def test_the_feed_of_a_class_whose_last_record_went(tmp_path: Path) -> None:
    release(tmp_path, FIRST + named("law/act", "法", "act"))
    with (
        Server(create_app(Settings(), release(tmp_path, FIRST))) as running,
        httpx.Client(base_url=running.url, trust_env=False, timeout=20) as client,
    ):
        (entry,) = entries(parsed(client, "/feed/law.atom"))
        assert links(entry, "alternate") == [f"{running.url}/dataset?lang=en"]


def test_a_broken_history_is_503(tmp_path: Path) -> None:
    of = release(tmp_path, FIRST)
    (of.directory / history.FILE).write_text("[{}]")
    of_an_earlier_version(of, {})
    with Server(create_app(Settings(), of)) as running:
        assert httpx.get(f"{running.url}/feed.atom?lang=en", trust_env=False).status_code == 503
        assert httpx.get(f"{running.url}/?lang=en", trust_env=False, headers=HTML).status_code == 200


@pytest.mark.parametrize(
    ("language", "told"), [("en", ("2 added, 0 removed", ">new<")), ("ja", ("追加2、削除0", "新しい項目"))]
)
def test_the_front_page_tells_the_latest_changes(served: httpx.Client, language: str, told: tuple[str, ...]) -> None:
    page = served.get("/", params={"lang": language}, headers=HTML).text
    latest = page[page.index('id="ui-changes"') :]
    # Removed records have no page; they are only counted.
    assert latest.count("<li>") == 5
    assert "/page/concept/kept" in latest
    assert "/page/concept/gone" not in latest
    assert all(text in latest for text in told)


def test_pages_and_the_catalogue_lead_to_it(served: httpx.Client) -> None:
    def heads(path: str) -> list[str]:
        page = served.get(path, params={"lang": "en"}, headers=HTML).text
        return re.findall(r'<link rel="alternate" type="application/atom\+xml" href="([^"]+)"', page)

    assert heads("/about") == ["/feed.atom?lang=en"]
    assert heads("/id/law") == ["/feed.atom?lang=en", "/feed/law.atom?lang=en"]
    assert heads("/page/concept/new/part") == ["/feed.atom?lang=en", "/feed/concept.atom?lang=en"]
    described = Store()
    described.load(served.get("/dataset?format=ttl").content, format=RdfFormat.TURTLE)
    rows = described.query(
        f"SELECT ?feed {{ ?s <http://www.w3.org/ns/dcat#servesDataset> <{BASE.dataset}> ; "
        "<http://www.w3.org/ns/dcat#endpointURL> ?feed FILTER(STRENDS(STR(?feed), '.atom')) }"
    )
    assert isinstance(rows, QuerySolutions)
    assert [row["feed"] for row in rows] == [NamedNode(BASE.iri + "feed.atom")]


def test_a_build_writes_the_history_of_its_release(tmp_path: Path) -> None:
    first = pipeline.release_from_ttl(ROOT, tmp_path)
    document: list[dict[str, Any]] = json.loads((first / history.FILE).read_text(encoding="utf-8"))
    assert [(s["release"], s["total"]) for s in document] == [(first.name, None)]
