"""What documents say: the browser over statements, by form and as data."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from accessibility import violations

HTML, JSON = {"accept": "text/html"}, {"accept": "application/json"}


def test_choices_narrow_statements(real_http: httpx.Client) -> None:
    """All choices count together; a topic includes what is narrower, and every statement has evidence."""
    everything = real_http.get("/statements", headers=JSON).json()
    norms = real_http.get("/statements?document=law:ai-act&kind=kg:Norm", headers=JSON).json()
    shall = real_http.get("/statements?document=law:ai-act&kind=kg:Norm&modality=modalities:shall", headers=JSON).json()
    assert everything["total"] > norms["total"] > shall["total"] > 0
    assert {s["document"].rpartition("/")[2] for s in norms["statements"]} == {"ai-act"}
    assert all(s["evidence"] for s in norms["statements"])
    wide = real_http.get("/statements?topic=topics:infrastructure", headers=JSON).json()
    narrow = real_http.get("/statements?topic=topics:computing-resources", headers=JSON).json()
    assert wide["total"] > narrow["total"] > 0


def test_norms_come_in_the_order_of_the_law(real_http: httpx.Client) -> None:
    found = real_http.get("/statements?document=law:ai-act&kind=kg:Norm", headers=JSON).json()["statements"]
    lines = [s["evidence"][0]["first_line"] for s in found if s["evidence"][0]["source"].find("egov-ai-act") > 0]
    assert lines == sorted(lines)


def test_statements_are_a_table(real_http: httpx.Client) -> None:
    path = "/statements?actor=organization:riken-aip&lang=ja"
    answer = real_http.get(path + "&format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == real_http.get(path + "&format=json").json()["total"]
    assert all(row["statement"] and row["evidence"] for row in rows)


@pytest.mark.parametrize(("language", "told"), [("ja", "見当たりません"), ("en", "Fewer choices may find some")])
def test_nothing_found_is_said(real_http: httpx.Client, language: str, told: str) -> None:
    path = f"/statements?actor=organization:jst&kind=kg:Norm&lang={language}"
    assert told in real_http.get(path, headers=HTML).text


def test_a_mistaken_choice_is_told(real_http: httpx.Client) -> None:
    answer = real_http.get("/statements?topic=computing", headers=JSON)
    assert answer.status_code == 400
    assert "topic" in answer.json()["detail"]


@pytest.mark.browser
@pytest.mark.parametrize("width", ["desktop", "phone"])
def test_a_reader_narrows_the_list_by_names(visit: Callable[..., Any], width: str) -> None:
    """Choosing the law and its duties in the form shows them with the strength of each; no code is seen."""
    page = visit("/statements?lang=ja", width)
    page.select_option("#ui-document", "law:ai-act")
    page.select_option("#ui-kind", "kg:Norm")
    page.click("form.choices button")
    page.wait_for_load_state("networkidle")
    assert "document=law%3Aai-act" in page.url
    assert "law:ai-act" not in page.inner_text("main")
    assert page.locator(".st > li").count() == 50
    assert "ものとする" in page.locator(".mod").all_inner_texts()
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    assert violations(page, "best-practice") == []


@pytest.mark.parametrize(("path", "other"), [("aip", "aip-network-lab"), ("aip-network-lab", "aip")])
def test_part_and_whole_are_not_to_be_added(real_http: httpx.Client, path: str, other: str) -> None:
    """Beside the money of a programme stands that its part, or its whole, has money of its own."""
    text = real_http.get(f"/page/programme/{path}?lang=ja", headers=HTML).text
    note = text[text.index('class="note"') :].partition("</div>")[0]
    assert "足さないでください" in note
    assert f"/page/programme/{other}?lang=ja" in note
    assert text.index('class="note"') < text.index('id="ui-said"')
    assert "足さないでください" not in real_http.get("/page/programme/genai-transparency?lang=ja", headers=HTML).text


def test_a_law_says_who_must_do_what(real_http: httpx.Client) -> None:
    """The page of the law begins with its norms, article by article; all facts are folded below."""
    text = real_http.get("/page/law/ai-act?lang=ja", headers=HTML).text
    said = text[text.index('id="ui-said"') : text.index('id="ui-incoming"')]
    assert "ものとする" in said
    assert "/page/law/ai-act/article-1?lang=ja" in said
    assert text.index('id="ui-said"') < text.index('id="ui-all"')


def test_a_topic_shows_document_by_kind(real_http: httpx.Client) -> None:
    text = real_http.get("/page/vocabulary/topics/computing-resources?lang=ja", headers=HTML).text
    table = text[text.index('<table class="mx') :].partition("</table>")[0]
    for document in ("policy/ai-for-science-strategy", "policy/ai-basic-plan-2", "policy/jsai-proposal", "law/ai-act"):
        assert f"/page/{document}?lang=ja" in table
    assert "資料に見当たらない" in table


@pytest.mark.browser
@pytest.mark.parametrize("width", ["desktop", "phone"])
@pytest.mark.parametrize("path", ["programme/aip", "law/ai-act", "vocabulary/topics/computing-resources"])
def test_a_record_reads_from_answer_to_data(visit: Callable[..., Any], path: str, width: str) -> None:
    """No sideways scroll and no axe finding; the first mark is on the first screens; the data opens by a click."""
    page = visit(f"/page/{path}?lang=ja", width)
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    assert page.locator("main a.ev").first.bounding_box()["y"] < 1_400
    assert not page.is_visible("#ui-facts")
    page.click("details.all > summary")
    assert page.is_visible("#ui-facts")
    assert violations(page, "best-practice") == []
