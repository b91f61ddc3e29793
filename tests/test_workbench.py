"""The workbench as a hand uses it: question and answer in one view, columns as asked, mistakes repaired by a click."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest

HTML = {"accept": "text/html"}
DESK = {"width": 1440, "height": 900}
WRONG = "SELECT ?p WHERE { ?p a kg:Programe }"


def _columns(html: str) -> list[str]:
    return [part.partition('"')[0] for part in html.split('data-column="')[1:]]


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        ("SELECT * WHERE { ?z a kg:Programme ; kg:budget ?a . ?a kg:amount ?m } LIMIT 3", ["z", "a", "m"]),
        ("SELECT DISTINCT * WHERE { $b a ?a } LIMIT 3", ["b", "a"]),
        ("SELECT (COUNT(?b) AS ?n) ?b WHERE { ?b a kg:Programme } GROUP BY ?b LIMIT 3", ["n", "b"]),
        ("# SELECT ?x\nSELECT ?b ?a WHERE { ?a a ?b { SELECT * { ?a a kg:Programme } } } LIMIT 3", ["b", "a"]),
    ],
)
def test_columns_are_in_the_order_of_the_query(real_http: httpx.Client, query: str, columns: list[str]) -> None:
    page = real_http.get("/sparql", params={"query": query, "format": "html", "lang": "ja"}, headers=HTML).text
    assert _columns(page) == columns


def test_a_mistake_is_said_in_the_language_of_the_page(real_http: httpx.Client) -> None:
    page = real_http.get("/sparql", params={"query": "SELECT ?s WHERE {", "format": "html", "lang": "ja"}, headers=HTML)
    before, folded, _ = page.text.partition("<details><summary>詳細（英語）")
    assert "文法の誤り" in before
    assert folded
    assert 'lang="en">' not in before[before.index('id="ui-answer"') :]


def test_a_name_that_is_not_there_is_repaired_without_scripts(real_http: httpx.Client) -> None:
    page = real_http.get("/sparql", params={"query": WRONG, "format": "html", "lang": "en"}, headers=HTML).text
    repaired = quote("SELECT ?p WHERE { ?p a kg:Programme }").replace("%20", "+")
    assert repaired in page


@pytest.mark.browser
def test_question_and_answer_are_in_one_view(visit: Callable[..., Any]) -> None:
    page = visit()
    page.set_viewport_size(DESK)
    page.goto("/sparql?lang=ja")
    page.wait_for_selector("html[data-ready]")
    page.locator(".CodeMirror").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("SELECT * WHERE { ?programme a kg:Programme ; kg:budget ?budget } LIMIT 20")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#ui-answer table.grid")
    editor, rows = page.locator(".CodeMirror").bounding_box(), page.locator("#ui-answer tbody tr")
    shown = [box for i in range(rows.count()) if (box := rows.nth(i).bounding_box())["y"] + box["height"] <= 900]
    assert len(shown) >= 5
    assert editor["y"] + editor["height"] <= 900
    assert shown[0]["x"] >= editor["x"] + editor["width"], "side by side"


@pytest.mark.browser
def test_did_you_mean_is_a_click(visit: Callable[..., Any]) -> None:
    page = visit(f"/sparql?lang=ja&format=html&query={quote(WRONG)}")
    page.wait_for_selector("html[data-ready]")
    page.locator("a.repair").first.click()
    page.wait_for_selector("#ui-answer table.grid tbody tr")
    assert "kg:Programme }" in page.locator(".CodeMirror").inner_text()
