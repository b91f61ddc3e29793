"""A reader's own copy of a source opens the lines behind each mark, on the device alone; an operator's copy for all."""

from __future__ import annotations

import base64
import logging
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import ROOT, Server
from dataset import TEXTS
from visits import visits

from api.app import create_app
from api.settings import Settings
from kg.errors import KgError
from kg.release import store

PAPER = ROOT / "tests" / "fixtures" / "small" / "paper.txt"
LINES = PAPER.read_text(encoding="utf-8").split("\n")
DROP = """([name, data]) => {
  const transfer = new DataTransfer(), bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  transfer.items.add(new File([bytes], name));
  const options = {dataTransfer: transfer, bubbles: true, cancelable: true};
  const place = document.querySelector("h1");
  const taken = !place.dispatchEvent(new DragEvent("dragover", options));
  place.dispatchEvent(new DragEvent("drop", options));
  return taken;
}"""


def drop(page: Any, name: str, content: bytes) -> None:
    """Drops a file on the heading of a page, as the browser would."""
    assert page.evaluate(DROP, [name, base64.b64encode(content).decode()]), "the page does not take files"
    page.wait_for_selector(".said-now:not([hidden])")


@pytest.fixture(scope="module")
def release(small: Path) -> store.Release:
    return store.open_release(store.current_directory(small / ".releases"))


@pytest.fixture(scope="module")
def address(small: Path, release: store.Release) -> Iterator[str]:
    with Server(create_app(Settings(project=small), release)) as running:
        yield running.url


@pytest.fixture
def see(browser: Any, address: str) -> Iterator[Callable[..., Any]]:
    with visits(browser, address) as open_page:
        yield open_page


@pytest.mark.browser
@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_dropped_copy_opens_the_lines_beside_the_fact_until_it_is_forgotten(
    see: Callable[..., Any], language: str
) -> None:
    page = see(f"/page/programme/example?lang={language}", "phone")
    sent: list[str] = []
    page.on("request", lambda r: sent.append(r.post_data) if r.post_data else None)
    page.locator("details.all > summary").click()
    mark = page.locator("a.ev[data-at='source/paper#3-3']").first
    mark.click()
    panel = page.locator(".pop.lines")
    panel.locator("button").first.wait_for()
    assert LINES[2] not in page.inner_text("main")
    drop(page, "copy.txt", PAPER.read_bytes())
    panel.locator("li.hit").wait_for()
    # The line itself, highlighted, between two lines of context on each side.
    assert panel.locator("li.hit").inner_text().split() == ["3", LINES[2]]
    assert panel.locator("li").all_inner_texts()[0].split() == ["1", LINES[0]]
    assert panel.locator("li").count() == 5
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # It is still there on the next page and after a reload, without a request for it.
    page.goto(f"/page/law/act/article-9?lang={language}")
    page.reload()
    page.locator("a.ev[data-at]").first.click()
    page.locator(".pop.lines li.hit").first.wait_for()
    page.keyboard.press("Escape")
    assert page.locator(".pop.lines").count() == 0
    # Forgotten with one click.
    page.locator("a.ev[data-at]").first.click()
    page.locator(".pop.lines li.hit").first.wait_for()
    page.locator(".pop.lines button").first.click()
    page.locator(".pop.lines li.hit").first.wait_for(state="detached")
    page.reload()
    page.locator("a.ev[data-at]").first.click()
    page.locator(".pop.lines button").first.wait_for()
    assert page.locator(".pop.lines li.hit").count() == 0
    assert sent == []


@pytest.mark.browser
def test_a_copy_with_other_line_breaks_is_the_same_text(see: Callable[..., Any]) -> None:
    page = see("/page/programme/example?lang=en")
    drop(page, "windows.txt", b"\xef\xbb\xbf" + PAPER.read_bytes().replace(b"\n", b"\r\n"))
    page.locator("details.all > summary").click()
    page.locator("a.ev[data-at='source/paper#1-2']").first.click()
    page.locator(".pop.lines li.hit").first.wait_for()
    assert page.locator(".pop.lines li.hit").all_inner_texts()[1].split() == ["2", LINES[1]]


@pytest.mark.browser
@pytest.mark.parametrize(("language", "said"), [("ja", "一致しない"), ("en", "is not the text of a source")])
def test_a_wrong_file_is_said_to_be_wrong_and_not_kept(see: Callable[..., Any], language: str, said: str) -> None:
    page = see(f"/page/programme/example?lang={language}")
    drop(page, "minutes.txt", PAPER.read_bytes() + b"x")
    told = page.inner_text(".said-now")
    assert said in told
    assert "minutes.txt" in told
    assert ("資料" if language == "ja" else "Paper") in told
    assert page.evaluate("indexedDB.databases().then((found) => found.length)") == 0
    page.locator("details.all > summary").click()
    page.locator("a.ev[data-at]").first.click()
    page.locator(".pop.lines button").first.wait_for()
    assert page.locator(".pop.lines li").count() == 0


@pytest.mark.browser
def test_the_file_can_be_chosen_by_keyboard_and_the_mark_opened_by_it(see: Callable[..., Any]) -> None:
    page = see("/page/programme/example?lang=en")
    chooser = page.locator("[data-open-copy]").first
    chooser.focus()
    with page.expect_file_chooser() as chosen:
        page.keyboard.press("Enter")
    chosen.value.set_files(PAPER)
    page.wait_for_selector(".said-now:not([hidden])")
    page.locator("details.all > summary").click()
    mark = page.locator("a.ev[data-at]").first
    mark.focus()
    page.keyboard.press("Enter")
    page.locator(".pop.lines li.hit").first.wait_for()
    assert mark.get_attribute("aria-expanded") == "true"


@pytest.mark.browser
def test_the_operators_text_is_there_for_every_reader(
    browser: Any, small: Path, release: store.Release, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(PAPER, tmp_path / "any-name.txt")
    (tmp_path / "notes.txt").write_text("no source")
    with caplog.at_level(logging.WARNING):
        app = create_app(Settings(project=small, source_texts=tmp_path), release)
    assert [r.getMessage() for r in caplog.records if "notes.txt" in r.getMessage()]
    assert "any-name.txt" not in caplog.text
    with Server(app) as running, visits(browser, running.url) as open_page:
        (listed,) = httpx.get(f"{running.url}/source-texts").json()["sources"]
        assert httpx.get(running.url + listed["text"]).text == PAPER.read_text(encoding="utf-8")
        page = open_page("/page/programme/example?lang=en")
        page.locator("details.all > summary").click()
        page.locator("a.ev[data-at='source/paper#3-3']").first.click()
        page.locator(".pop.lines li.hit").first.wait_for()
        assert LINES[2] in page.inner_text(".pop.lines li.hit")
        # Without scripts, the page of the lines has them.
        assert f"<mark>{LINES[2]}</mark>" in httpx.get(f"{running.url}/graph/paper/3?lang=en&format=html").text


def test_no_text_is_shown_unless_the_operator_says_so(address: str) -> None:
    (listed,) = httpx.get(f"{address}/source-texts").json()["sources"]
    assert listed["text"] is None
    assert httpx.get(f"{address}/source-texts/paper").status_code == 404


def test_a_folder_of_texts_that_is_not_there_stops_the_server(small: Path, release: store.Release) -> None:
    with pytest.raises(KgError, match="KG_SOURCE_TEXTS"):
        create_app(Settings(project=small, source_texts=small / "nowhere"), release)


def test_a_passage_in_a_result_opens_its_lines_too(real_http: httpx.Client) -> None:
    page = real_http.get("/queries/which-passage-says-so?lang=en&format=html", headers={"accept": "text/html"}).text
    assert re.search(r'<a data-at="source/[^"#]+#[0-9]+-[0-9]+" href="[^"]*/page/passage/', page)


@pytest.mark.browser
def test_each_real_source_opens_its_lines(visit: Callable[..., Any], texts: dict[str, str]) -> None:
    page = visit("/page/programme/aip?lang=ja")
    for path in TEXTS.values():
        drop(page, path.name, path.read_bytes())
        page.locator(".said-now .acts .btn").last.click()
    for record, source in (("programme/aip", "mext-2026-06-29"), ("law/ai-act/article-9", "egov-ai-act")):
        page.goto(f"/page/{record}?lang=ja")
        mark = page.locator(f"a.ev[data-at^='source/{source}#']:visible").first
        first, last = map(int, mark.get_attribute("data-at").partition("#")[2].split("-"))
        mark.click()
        page.locator(".pop.lines li.hit").first.wait_for()
        shown = page.locator(".pop.lines li.hit mark").all_inner_texts()
        assert [s.strip() for s in shown] == [s.strip() for s in texts[source].split("\n")[first - 1 : last]]
