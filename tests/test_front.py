"""The front page: what the site is, answers as sentences with their evidence, and numbers that are queries."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from api.i18n.collation import natural

HTML = {"accept": "text/html"}


def _front(real_http: httpx.Client, language: str) -> str:
    return real_http.get(f"/?lang={language}", headers=HTML).text


def _plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))


def test_the_paper_is_named_with_its_date_and_that_this_is_unofficial(real_http: httpx.Client) -> None:
    for path in ("/", "/about"):
        text = _plain(real_http.get(f"{path}?lang=ja", headers=HTML).text)
        for said in ("Science for AI", "2026年6月29日", "文部科学省", "773行", "非公式", "aikgプロジェクト"):
            assert said in text, (path, said)


@pytest.mark.parametrize(
    ("language", "amounts"), [("ja", ("122億円", "8億円")), ("en", ("¥12,200 million", "¥800 million"))]
)
def test_a_programme_is_counted_once_and_its_part_not_at_all(
    real_http: httpx.Client, language: str, amounts: tuple[str, str]
) -> None:
    sentence = re.findall(r'class="sentence">(.*?)</p>', _front(real_http, language), re.DOTALL)[0]
    said = _plain(sentence)
    assert all(said.count(amount) == 1 for amount in amounts)
    assert "94.42" not in said
    assert "9,442" not in said
    assert sentence.count("/page/programme/aip?") == 1


def test_articles_are_in_the_order_of_their_numbers(real_http: httpx.Client) -> None:
    assert "AI法 第9条・第14条" in _plain(_front(real_http, "ja"))


def test_every_answer_has_its_lines_and_its_table(real_http: httpx.Client) -> None:
    answers = re.findall(r"<h3>.*?</li>", _front(real_http, "ja"), re.DOTALL)
    assert len(answers) == 3
    for answer in answers:
        marks = re.findall(r'class="[^"]*\bev\b[^"]*" href="([^"]+)"', answer)
        assert marks
        (table,) = re.findall(r'href="(/queries/[^"]+)"', answer)
        for href in (*marks, table.replace("&amp;", "&")):
            assert real_http.get(href.replace("&amp;", "&"), headers=HTML, follow_redirects=True).status_code == 200


def test_what_facts_rest_on_is_counted_by_the_query_that_it_links(real_http: httpx.Client) -> None:
    rows = real_http.get("/queries/statements-by-evidence?format=csv").text.split()[1:]
    counts = {kind: int(n) for kind, n in (row.split(",") for row in rows)}
    text = _plain(_front(real_http, "en"))
    total = sum(n for kind, n in counts.items() if kind != "inferred")
    for n in (total, *counts.values()):
        assert f"{n:,}" in text
    assert "Every single fact" not in text


@pytest.mark.browser
@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_first_screen_says_what_from_which_paper_and_has_one_search_box(
    visit: Callable[..., Any], language: str
) -> None:
    page = visit(f"/?lang={language}")
    for selector in ("h1", ".badge", ".paper-of time", "#ui-q2"):
        box = page.locator(selector).first.bounding_box()
        assert box["y"] + box["height"] < 900, selector
    assert page.locator("input[type=search]").count() == 1
    page.locator("#ui-q2").fill("AIP")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?*")
    assert page.locator(".hits li").count() > 0


def test_numbers_are_ordered_by_their_value() -> None:
    assert sorted(["行 100", "行 11", "行 9", "行 10-12"], key=natural) == ["行 9", "行 10-12", "行 11", "行 100"]


@pytest.mark.parametrize(
    ("asked", "hrefs"),
    [
        ("予算", ("/charts/budgets?", "/queries/budgets?")),
        ("法律", ("/id/law?",)),
        ("person", ("/id/person?",)),
        ("timeline", ("/charts/timeline?",)),
    ],
)
def test_lists_charts_and_queries_come_before_terms(
    real_http: httpx.Client, asked: str, hrefs: tuple[str, ...]
) -> None:
    page = real_http.get("/search", params={"q": asked, "lang": "ja"}, headers=HTML).text
    at_once = page[page.index("<main") :].partition('<ol class="hits"')[0]
    for href in hrefs:
        assert f'href="{href}' in at_once
