"""`/receipt` and `kg verify`: rows, numbers and facts on pages have receipts, which say when they no longer hold."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
import typer
from conftest import Server, make_release, tiny_quads
from pyoxigraph import Literal, NamedNode

from api.app import create_app
from api.settings import Settings
from kg.cli.verifying import verify
from kg.receipts import claims
from kg.release import store

HTML = {"accept": "text/html"}
LINK = re.compile(r'href="([^"]*/receipt\?[^"]*)"')
ARTICLE = "https://w3id.org/aikg/id/law/ai-act/article-9"
QUOTES = "https://w3id.org/aikg/ontology#quotes"


def links(page: str) -> list[str]:
    return [html.unescape(href) for href in LINK.findall(page)]


def test_a_row_of_a_query_has_a_receipt_with_its_lines_and_citation(http: httpx.Client, tiny: store.Release) -> None:
    page = http.get("/queries/quoting?lang=en&format=html", headers=HTML).text
    row = next(href for href in links(page) if "row=" in href)
    assert f"release={tiny.manifest.id[:16]}" in row
    found = http.get(row, headers={"accept": "application/ld+json"}).json()
    assert found["schema:creativeWorkStatus"] == "current"
    lines = [(p["@id"], p["kg:firstLine"]) for p in found["prov:wasDerivedFrom"]]
    assert lines
    assert all(iri.startswith("https://w3id.org/aikg/id/passage/") for iri, _ in lines)
    assert "quotes" in found["prov:wasGeneratedBy"]["prov:hadPlan"]["rdf:value"]
    assert http.get(row + "&format=bibtex").text.startswith("@misc{receipt-")
    assert found["@id"] in http.get(row + "&format=text").text
    for language, word in (("ja", "控え"), ("en", "Receipt")):
        shown = http.get(re.sub("lang=..", f"lang={language}", row), headers=HTML).text
        assert f"<h1>{word}" in shown
        assert 'class="ev k-p"' in shown


def test_a_receipt_can_stand_in_a_frame_and_pages_cannot(http: httpx.Client) -> None:
    row = next(h for h in links(http.get("/queries/quoting?lang=en&format=html", headers=HTML).text) if "row=" in h)
    assert "frame-ancestors *" in http.get(row + "&embed=1", headers=HTML).headers["content-security-policy"]
    assert "frame-ancestors 'none'" in http.get(row, headers=HTML).headers["content-security-policy"]


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 400), ("query=nothing", 404), ("sparql=CONSTRUCT WHERE { ?s <x:p> ?o }", 400), ("sparql=SELECT", 400)],
)
def test_what_is_no_receipt_is_an_error_that_says_so(http: httpx.Client, query: str, status: int) -> None:
    assert http.get(f"/receipt?{query}", headers={"accept": "application/json"}).status_code == status


def test_an_altered_digest_is_told(http: httpx.Client) -> None:
    row = next(h for h in links(http.get("/queries/quoting?lang=en&format=html", headers=HTML).text) if "row=" in h)
    altered = re.sub("row=[0-9a-f]{4}", "row=0000", row)
    assert http.get(altered + "&format=jsonld").json()["schema:creativeWorkStatus"] == "wrong"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, store.Release, store.Release]:
    """A folder with two releases; the second lacks what the first says about quoting Article 9."""
    folder, quads = tmp_path_factory.mktemp("two"), tiny_quads()
    first = make_release(folder, quads)
    gone = (NamedNode(QUOTES), NamedNode(ARTICLE))
    left = [q for q in quads if (q.predicate, q.object) != gone]
    return folder, first, make_release(folder, left, issued="2026-08-01T00:00:00+00:00")


@pytest.fixture(scope="module")
def later(two: tuple[Path, store.Release, store.Release], queries_project: Path) -> Iterator[httpx.Client]:
    app = create_app(Settings(project=queries_project), two[2])
    with Server(app) as running, httpx.Client(base_url=running.url, trust_env=False) as client:
        yield client


def test_a_receipt_says_which_later_release_changed_it(
    later: httpx.Client, two: tuple[Path, store.Release, store.Release], http: httpx.Client
) -> None:
    _, first, second = two
    subject = next(q.subject for q in first.store.quads_for_pattern(None, NamedNode(QUOTES), NamedNode(ARTICLE), None))
    assert isinstance(subject, NamedNode)
    address = claims.of_fact(subject.value, QUOTES, NamedNode(ARTICLE), first.manifest.id[:16]).address
    assert later.get(f"/{address}&format=jsonld").json()["schema:creativeWorkStatus"] == "changed"
    page = later.get(f"/{address}&lang=en", headers=HTML).text
    assert "no longer so" in page
    assert second.manifest.id[:16] in page[page.index("The record was changed") :][:200]
    row = next(h for h in links(http.get("/queries/quoting?lang=en&format=html", headers=HTML).text) if "row=" in h)
    old = re.sub("release=[0-9a-f]+", f"release={first.manifest.id[:16]}", row)
    assert later.get(old + "&format=jsonld").json()["schema:creativeWorkStatus"] == "changed"
    # What did not change holds still.
    label = next(iter(second.store.quads_for_pattern(NamedNode(ARTICLE), None, None, None)))
    kept = claims.of_fact(ARTICLE, label.predicate.value, label.object, first.manifest.id[:16])  # type: ignore[arg-type]
    assert later.get(f"/{kept.address}&format=jsonld").json()["schema:creativeWorkStatus"] == "holds"


def test_kg_verify_checks_a_receipt_against_a_release_or_a_dump(
    two: tuple[Path, store.Release, store.Release],
    queries_project: Path,
    http: httpx.Client,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    folder, first, second = two
    monkeypatch.setenv("KG_PROJECT", str(queries_project))
    row = next(h for h in links(http.get("/queries/quoting?lang=en&format=html", headers=HTML).text) if "row=" in h)
    receipt = re.sub("release=[0-9a-f]+", f"release={first.manifest.id[:16]}", row)
    # Its own release is kept, and has it.
    verify(receipt, None, folder)
    assert f"holds in release {first.manifest.id[:16]}" in capsys.readouterr().out
    verify(receipt, first.directory / "dumps" / "dataset.nq.gz", folder)
    with pytest.raises(typer.Exit) as ended:
        verify(receipt, second.directory, folder)
    assert ended.value.exit_code == 3
    assert "does not hold" in capsys.readouterr().out
    # The JSON-LD of a receipt is as good as its address.
    (tmp_path / "receipt.jsonld").write_bytes(http.get(row + "&format=jsonld").content)
    verify(str(tmp_path / "receipt.jsonld"), first.directory, folder)
    with pytest.raises(claims.NoReceipt):
        verify("https://example.org/", None, folder)


def test_numbers_rows_and_answers_of_the_real_pages_have_receipts_that_hold(real_http: httpx.Client) -> None:
    """Front page, chart, entity, query and workbench: the first receipts on each."""
    asked = quote("SELECT (COUNT(*) AS ?n) WHERE { ?s a <https://w3id.org/aikg/ontology#Programme> }")
    for path in (
        "/",
        "/charts/budgets",
        "/page/programme/aip",
        "/queries/budgets?format=html",
        f"/sparql?format=html&query={asked}",
        "/explain?subject=programme:genai-transparency&predicate=cito:cites&object=law:ai-act",
    ):
        page = real_http.get(f"{path}{'&' if '?' in path else '?'}lang=ja", headers=HTML).text
        found = links(page)
        assert found, path
        for href in found[:2]:
            receipt = real_http.get(href, headers={"accept": "application/ld+json"}).json()
            assert receipt["schema:creativeWorkStatus"] == "current", href
            assert receipt["prov:wasDerivedFrom"] or receipt["schema:evidenceOrigin"], href


def test_the_mark_of_a_fact_has_the_receipt_of_the_fact(real_http: httpx.Client) -> None:
    page = real_http.get("/page/programme/aip?lang=ja", headers=HTML).text
    (receipt, *_) = re.findall(r'data-receipt="([^"]+)"', page)
    found = real_http.get(html.unescape(receipt), headers={"accept": "application/ld+json"}).json()
    assert found["schema:creativeWorkStatus"] == "current"
    assert found["rdf:subject"]["@id"].startswith("https://w3id.org/aikg/id/programme/aip")


def test_a_literal_in_a_receipt_of_a_fact_keeps_its_language(http: httpx.Client, tiny: store.Release) -> None:
    quad = next(
        q
        for q in tiny.store.quads_for_pattern(NamedNode(ARTICLE), None, None, None)
        if isinstance(q.object, Literal) and q.object.language == "ja"
    )
    address = claims.of_fact(ARTICLE, quad.predicate.value, quad.object, "").address  # type: ignore[arg-type]
    assert http.get(f"/{address}&format=jsonld").json()["rdf:object"]["@language"] == "ja"


def test_each_key_fact_of_a_record_has_a_receipt(real_http: httpx.Client) -> None:
    page = real_http.get("/page/programme/aip?lang=ja", headers=HTML).text
    found = links(page[page.index('class="key"') :].partition("</dl>")[0])
    assert len(found) >= 3
    for href in found:
        receipt = real_http.get(href, headers={"accept": "application/ld+json"}).json()
        assert receipt["schema:creativeWorkStatus"] == "current"
        assert receipt["prov:wasDerivedFrom"]
