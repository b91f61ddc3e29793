"""The validation page in a real browser: by keyboard, for screen readers, in both languages and widths."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from accessibility import violations
from projects import ROOT
from test_site import SCREENSHOTS, WIDTHS

PARTNER = ROOT / "tests" / "fixtures" / "partner"


MISTAKE = "the server responded with a status of 400"


@pytest.fixture
def open_form(browser: Any, real_server: str) -> Iterator[Callable[..., Any]]:
    """Opens the form; at the end there must be no errors except the 400 for an unreadable document."""
    contexts, complaints = [], []

    def open_page(language: str, width: str = "desktop", **options: Any) -> Any:
        size = dict(zip(("width", "height"), WIDTHS[width], strict=True))
        context = browser.new_context(base_url=real_server, viewport=size, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: complaints.append(str(e)))
        page.goto(f"/validate?lang={language}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [c for c in complaints if MISTAKE not in c] == []


@pytest.mark.browser
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("outcome", ["wrong", "good", "broken"])
def test_each_outcome_is_a_whole_page(open_form: Callable[..., Any], outcome: str, language: str, width: str) -> None:
    """No errors, no overflow, one h1, no axe findings (WCAG 2.2 A and AA)."""
    page = open_form(language, width, color_scheme="dark" if width == "phone" else "light")
    if outcome == "broken":
        page.fill("#ui-text", "@prefix ex: <http://e/> .\nex:a fo:p 1 .\n")
    else:
        page.set_input_files("#ui-file", str(PARTNER / f"{outcome}.ttl"))
    page.locator("form.validate button").click()
    page.wait_for_selector(".verdict, .problem")
    told = page.inner_text(".verdict h2, .problem")
    assert OUTCOMES[outcome][language == "en"] in told
    assert page.locator(".findings li").count() == (12 if outcome == "wrong" else 0)
    _check(page, f"validate-{outcome}-{language}-{width}", language, width)


OUTCOMES = {
    "wrong": ("適合していません", "The data does not conform"),
    "good": ("適合しています", "The data conforms"),
    "broken": ("文法の誤りがあります", "The prefix fo: has not been declared"),
}


@pytest.mark.browser
def test_mending_by_keyboard_and_without_scripts(open_form: Callable[..., Any]) -> None:
    """Fixes the mistakes of the example one by one until it conforms, without mouse or scripts."""
    page = open_form("en", java_script_enabled=False)
    page.locator("a", has_text="Try an example with mistakes").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**example=1*")
    for wrong, right in (
        ("", ""),
        ("budjet", "budget"),
        ("artcle-9", "article-9"),
        ('整備"@ja ;', '整備"@ja , "Language resources"@en ; kg:runBy ex:us ;'),
    ):
        text = page.input_value("#ui-text")
        assert wrong in text
        page.locator("#ui-text").fill(text.replace(wrong, right) if wrong else text)
        page.locator("#ui-text").focus()
        page.keyboard.press("Tab")
        for _ in range(6):
            if page.evaluate("document.activeElement.type") == "submit":
                break
            page.keyboard.press("Tab")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert page.locator(".verdict").count() == 1
        found = page.locator(".findings li .what").all_inner_texts()
        assert not any(wrong and wrong in message for message in found)
    assert "The data conforms" in page.inner_text(".verdict h2")


def _check(page: Any, name: str, language: str, width: str) -> None:
    assert page.locator("html").get_attribute("lang") == language
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width][0]
    assert violations(page, "best-practice") == []
    if SCREENSHOTS:
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", full_page=True)
