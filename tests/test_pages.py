"""Pages in a real browser (language, headings, links, forms, anchors, narrow screens) and without one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from dataset import PROJECT
from pyoxigraph import Literal, NamedNode

from api.i18n.texts import table, texts
from api.i18n.values import shown

PAGES = [
    "/",
    "/page/law/ai-act",
    "/page/programme/genai",
    "/page/organization/riken",
    "/page/passage/paper/10-12",
    "/graph/paper/20",
    "/id/law",
    "/ontology",
    "/sparql",
    "/link",
    "/queries",
    "/queries/quoting",
    "/dataset",
    "/about",
]
HTML = {"accept": "text/html"}


def test_both_languages_have_the_same_texts() -> None:
    assert set(texts()["ja"]) == set(texts()["en"])
    assert set(table("classes")["ja"]) == set(table("classes")["en"])
    for key, text in texts()["ja"].items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", texts()["en"][key])), key


@pytest.mark.parametrize(
    ("text", "datatype", "ja", "en"),
    [
        ("2026-06-29", "date", "2026年6月29日", "29 June 2026"),
        ("2026-03", "gYearMonth", "2026年3月", "March 2026"),
        ("2026", "gYear", "2026年", "2026"),
        ("P5Y6M", "duration", "5年6か月", "5 years 6 months"),
        ("P1Y", "duration", "1年", "1 year"),
        ("800000000", "decimal", "800,000,000", "800,000,000"),
        ("0.1", "decimal", "0.1", "0.1"),
        ("2026", "integer", "2026", "2026"),
        ("true", "boolean", "はい", "yes"),
        ("PT1H", "duration", "PT1H", "PT1H"),
    ],
)
def test_values_are_written_as_people_write_them(text: str, datatype: str, ja: str, en: str) -> None:
    literal = Literal(text, datatype=NamedNode("http://www.w3.org/2001/XMLSchema#" + datatype))
    assert (shown(literal, "ja"), shown(literal, "en")) == (ja, en)


def test_the_language_is_negotiated_into_the_url(http: httpx.Client) -> None:
    plain = http.get("/page/law/ai-act", headers={**HTML, "accept-language": "fr, en-GB;q=0.8, ja;q=0.5"})
    assert (plain.status_code, plain.headers["location"]) == (302, "/page/law/ai-act?lang=en")
    assert {"Accept-Language", "Cookie"} <= {v.strip() for v in plain.headers["vary"].split(",")}
    cookie = http.get("/page/law/ai-act", headers={**HTML, "accept-language": "en", "cookie": "lang=ja"})
    assert cookie.headers["location"].endswith("lang=ja")
    assert http.get("/", headers=HTML).headers["location"] == "/?lang=ja"
    kept = http.get("/id/law?page=1&lang=xx", headers={**HTML, "accept-language": "en"})
    assert kept.headers["location"] == "/id/law?lang=en&page=1"


def assert_no_inline_script(text: str) -> None:
    """Scripts are our own files, or data blocks, which are not executed (HTML, 4.12.1)."""
    scripts = re.findall(r"<script[^>]*>", text)
    file = r'<script type="module"(?: blocking="render")? src="/static/[\w/.-]+">'
    ours = rf'{file}|<script type="application/(ld\+)?json"[^>]*>'
    assert all(re.fullmatch(ours, script) for script in scripts)


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_page_has_its_headers_and_one_language(http: httpx.Client, path: str, language: str) -> None:
    response = http.get(path, params={"lang": language}, headers=HTML)
    assert response.status_code == 200
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"]
    assert f'<html lang="{language}">' in response.text
    assert_no_inline_script(response.text)
    assert " style=" not in response.text
    assert PROJECT.notice[language] in response.text
    ids = re.findall(r'\sid="([^"]+)"', response.text)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("path", PAGES)
def test_links_on_pages_answer(http: httpx.Client, path: str) -> None:
    text = http.get(path, params={"lang": "en"}, headers=HTML).text
    links = {m.replace("&amp;", "&") for m in re.findall(r'href="(/[^"#]*)', text)}
    for link in sorted(links):
        assert http.get(link, headers=HTML, follow_redirects=True).status_code == 200, link


def test_facts_say_where_they_come_from(http: httpx.Client) -> None:
    text = http.get("/page/programme/genai?lang=en", headers=HTML).text
    assert 'href="/graph/paper/20?lang=en"' in text
    assert 'href="/graph/paper/30?lang=en"' in text
    assert 'id="budget-2026-initial"' in text
    assert "800,000,000" in text
    law = http.get("/page/law/ai-act?lang=en", headers=HTML).text
    assert "L10–12" in law
    assert "Section on the law" in law
    assert "1 September 2025" in law


def test_a_missing_name_is_marked(http: httpx.Client) -> None:
    text = http.get("/page/programme/genai?lang=en", headers=HTML).text
    assert '<span lang="ja">生成AIモデルの透明性・信頼性の確保</span>' in text
    assert texts()["en"]["fallback"] in text


def test_text_is_escaped(http: httpx.Client) -> None:
    response = http.get("/sparql", params={"lang": "en", "format": "html", "query": "<script>alert(1)</script>"})
    assert response.status_code == 400
    assert_no_inline_script(response.text)
    missing = http.get("/id/law/%3Cscript%3E", headers=HTML)
    assert missing.status_code == 404
    assert_no_inline_script(missing.text)


@pytest.fixture
def tab(browser: Any, server: str) -> Iterator[Any]:
    context = browser.new_context(base_url=server, locale="ja-JP", viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.complaints = []
    page.on("console", lambda m: page.complaints.append(m.text) if m.type in ("error", "warning") else None)
    yield page
    assert page.complaints == []
    context.close()


@pytest.mark.browser
def test_a_reader_changes_the_language_and_it_stays(tab: Any) -> None:
    tab.goto("/page/law/ai-act")
    assert tab.url.endswith("?lang=ja")
    assert tab.inner_text("h1") == "AI法"
    tab.click("text=English")
    assert tab.url.endswith("?lang=en")
    assert tab.inner_text("h1") == "AI Act"
    tab.goto("/about")
    assert tab.url.endswith("/about?lang=en")


@pytest.mark.browser
def test_a_fragment_lands_on_its_part(tab: Any) -> None:
    tab.goto("/id/programme/genai#budget-2026-initial")
    assert tab.locator("#budget-2026-initial:target").count() == 1
    tab.goto("/ontology?lang=en#Programme")
    term = tab.locator("#Programme:target")
    assert term.locator("h3").text_content().startswith("programme")
    top = "document.querySelector(':target').getBoundingClientRect().top"
    tab.wait_for_function(f"0 <= {top} && {top} < innerHeight")


def write(tab: Any, text: str) -> None:
    tab.evaluate("text => document.querySelector('.CodeMirror').CodeMirror.setValue(text)", text)


@pytest.mark.browser
def test_a_query_is_run_from_the_form(tab: Any) -> None:
    tab.goto("/sparql?lang=en")
    tab.wait_for_selector("html[data-ready]")
    write(tab, "SELECT ?law WHERE { ?law a <http://data.europa.eu/eli/ontology#LegalResource> }")
    tab.click("button:has-text('Run')")
    tab.wait_for_selector("table.grid td")
    assert tab.inner_text("table.grid td").split("\n") == ["AI Act"]
    write(tab, "SELECT nonsense")
    tab.click("button:has-text('Run')")
    tab.wait_for_selector(".problem")
    assert "line 1" in tab.inner_text(".problem")
    assert tab.evaluate("document.querySelector('.CodeMirror').CodeMirror.getValue()") == "SELECT nonsense"
    assert len(tab.complaints) == 1  # the browser reports the 400 itself
    tab.complaints.clear()


@pytest.mark.browser
@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_no_page_is_wider_than_a_phone(tab: Any, path: str, language: str) -> None:
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto(f"{path}?lang={language}")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert tab.locator("h1").count() == 1


@pytest.mark.browser
def test_the_keyboard_reaches_the_content(tab: Any) -> None:
    tab.goto("/?lang=en")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "ui-main"
