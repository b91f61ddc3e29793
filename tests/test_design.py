"""The design language: what every page says of its source, and marks of evidence that a finger can hit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

HTML = {"accept": "text/html"}


@pytest.mark.parametrize(
    "path", ["/", "/page/programme/aip", "/charts/budgets", "/sparql", "/search?q=AIP", "/nowhere"]
)
@pytest.mark.parametrize(("language", "badge"), [("ja", "非公式"), ("en", "Unofficial")])
def test_every_page_names_the_source(real_http: httpx.Client, path: str, language: str, badge: str) -> None:
    """The badge, the title of the paper, who made it and when stand above the menu."""
    text = real_http.get(f"{path}{'&' if '?' in path else '?'}lang={language}", headers=HTML).text
    band = text[text.index('class="origin"') : text.index('class="top"')]
    assert badge in band
    assert "Science for AI" in band
    assert ("2026年6月29日" if language == "ja" else "29 June 2026") in band
    assert "/page/source/mext-2026-06-29" in band


@pytest.mark.browser
def test_a_mark_is_wide_enough_for_a_finger(visit: Callable[..., Any]) -> None:
    """A mark shows glyph, border and word, and takes a tap 20 px above and below its middle."""
    page = visit("/page/programme/aip?lang=ja", "phone")
    mark = page.locator("main a.ev").first
    assert mark.evaluate("e => getComputedStyle(e, '::before').width") != "auto"
    assert mark.evaluate("e => getComputedStyle(e).borderTopStyle") in ("solid", "dashed", "double", "dotted")
    mark.scroll_into_view_if_needed()
    hit = """e => [-20, 20].every(d => { const r = e.getBoundingClientRect();
      return document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2 + d) === e; })"""
    assert mark.evaluate(hit)
