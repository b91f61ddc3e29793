"""The explorer as a hand uses it and an eye sees it: what is clicked is drawn, and the drawing changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.browser
DRAWN = "document.getElementById('ui-explore-stage').picture?.()?.nodes().map((n) => n.id()) ?? []"


def until(page: Any, condition: str) -> None:
    """Wait until an expression of JavaScript is true; the policy of the pages forbids Playwright's own way."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"not within 10 s: {condition}")


def drawn(page: Any, least: int = 1) -> set[str]:
    """The records in the drawing, once it has settled with at least so many."""
    until(page, f"Number(document.getElementById('ui-explore-stage').dataset.settled ?? 0) >= {least}")
    return set(page.evaluate(DRAWN))


def ink(page: Any) -> int:
    """How many pixels of the drawing are not of the commonest colour."""
    counted: int = page.evaluate(
        """() => {
          const count = {};
          let all = 0;
          for (const layer of document.querySelectorAll("#ui-explore-canvas canvas")) {
            if (!layer.width) continue;
            const { data } = layer.getContext("2d").getImageData(0, 0, layer.width, layer.height);
            for (let i = 0; i < data.length; i += 4) {
              const key = data[i] << 24 | data[i + 1] << 16 | data[i + 2] << 8 | data[i + 3];
              count[key] = (count[key] ?? 0) + 1;
              all += 1;
            }
          }
          return all - Math.max(0, ...Object.values(count));
        }"""
    )
    return counted


@pytest.mark.parametrize("width", ["desktop", "phone"])
def test_a_start_tile_draws_its_record(visit: Callable[..., Any], width: str) -> None:
    page = visit("/explore?lang=en", width)
    page.locator("ul.starts a").first.click()
    assert len(drawn(page, 2)) >= 2
    assert page.locator("#ui-explore-canvas").is_visible()
    assert ink(page) > 500
    assert "failed" not in page.inner_text("#ui-explore-summary").lower()


def test_a_record_is_expanded_collapsed_and_removed(visit: Callable[..., Any]) -> None:
    page = visit("/explore?lang=ja&node=programme/aip")
    before = drawn(page, 2)
    other = next(path for path in sorted(before) if path.startswith("organization/"))
    acts = f"#ui-explore-text .record[data-record='{other}'] .acts"
    page.locator(f"{acts} [name=expand]").click()
    until(page, f"({DRAWN}).length > {len(before)}")
    page.locator(f"{acts} [name=collapse]").click()
    until(page, f"({DRAWN}).length === {len(before)}")
    page.locator(f"{acts} [name=remove]").click()
    until(page, f"!({DRAWN}).includes('{other}')")


def test_a_record_is_added_to_those_that_are_drawn(visit: Callable[..., Any]) -> None:
    page = visit("/explore?lang=en&node=law/ai-act")
    before = drawn(page, 2)
    page.fill("#ui-explore-q", "organization/riken")
    page.locator("form:has(#ui-explore-q) button[type=submit]").click()
    until(page, f"({DRAWN}).includes('organization/riken')")
    assert before <= set(page.evaluate(DRAWN))


def test_a_path_is_found_and_drawn(visit: Callable[..., Any]) -> None:
    page = visit("/explore?lang=en")
    page.fill("#ui-explore-from", "organization/university-of-tokyo")
    page.fill("#ui-explore-to", "law/ai-act")
    page.locator("form:has(#ui-explore-from) button[type=submit]").click()
    until(page, f"({DRAWN}).includes('law/ai-act')")
    assert {"organization/university-of-tokyo", "law/ai-act"} <= drawn(page, 2)
    assert page.locator("ol.chain").count() >= 1


def settled(page: Any, record: str) -> list[float]:
    """Where a record is drawn, when the drawing has come to rest."""
    spots: list[list[float]] = []
    while len(spots) < 2 or spots[-1] != spots[-2]:
        assert len(spots) < 60, spots[-2:]
        page.wait_for_timeout(250)
        place = """(record) => {
          const picture = document.getElementById("ui-explore-stage").picture();
          const box = document.getElementById("ui-explore-canvas").getBoundingClientRect();
          const { x, y } = picture.getElementById(record).renderedPosition();
          return [box.x + x, box.y + y];
        }"""
        spots.append(page.evaluate(place, record))
    return spots[-1]


def test_a_click_in_the_drawing_opens_the_panel_and_a_double_click_expands(visit: Callable[..., Any]) -> None:
    page = visit("/explore?lang=en&node=law/ai-act")
    before = drawn(page, 2)
    other = next(path for path in sorted(before) if path != "law/ai-act")
    # A mouse reaches what is in view only, and where it will stay.
    page.evaluate("document.getElementById('ui-explore-stage').scrollIntoView()")
    spot = settled(page, other)
    page.mouse.click(*spot)
    page.wait_for_selector(f"#ui-explore-panel [data-record='{other}']")
    page.mouse.dblclick(*spot)
    until(page, "new URL(location).searchParams.getAll('node').length === 2")
    assert before <= set(page.evaluate(DRAWN))


def test_the_address_is_the_state(visit: Callable[..., Any]) -> None:
    page = visit("/explore?lang=en&node=programme/aip")
    before = drawn(page, 2)
    other = next(path for path in sorted(before) if path.startswith("organization/"))
    page.locator(f"#ui-explore-text .record[data-record='{other}'] .acts [name=expand]").click()
    until(page, f"({DRAWN}).length > {len(before)}")
    shown = set(page.evaluate(DRAWN))
    page.reload()
    assert drawn(page) == shown
