"""The real graph in a real browser: every page in both languages and widths, by keyboard and for screen readers."""

from __future__ import annotations

import csv
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from accessibility import violations
from dataset import BASE
from visits import WIDTHS

from kg.release import store

HTML = {"accept": "text/html"}
# Folder for screenshots of key pages, if set.
SCREENSHOTS = os.environ.get("KG_SCREENSHOTS")
EMPTY = "SELECT * WHERE { ?s a kg:Programe ; kg:budjet ?b }"
PAGES = {
    "front": "/",
    "law": "/page/law/ai-act",
    "article": "/page/law/ai-act/article-9",
    "programme": "/page/programme/aip",
    "organization": "/page/organization/university-of-tokyo",
    "person": "/page/person/yasushi-okada",
    "policy": "/page/policy/science-for-ai-science-of-ai",
    "theme": "/page/theme/ai-and-real-world-systems",
    "scheme": "/page/scheme/nl-team",
    "passage": "/page/passage/mext-2026-06-29/551-555",
    "graph-of-a-passage": "/graph/mext-2026-06-29/551-555",
    "partner": "/page/source/partner/government-registers",
    "graph-of-a-partner": "/graph/partner/government-registers",
    "list": "/id/policy",
    "list-narrowed": "/id/organization?kg:jurisdiction=place:japan",
    "search": "/search?q=AIP",
    "search-empty": "/search?q=zzzzzz",
    "charts": "/charts",
    "chart-budgets": "/charts/budgets",
    "chart-timeline": "/charts/timeline",
    "chart-network-lab": "/charts/network-lab",
    "chart-strategies": "/charts/strategies",
    "chart-citations": "/charts/citations",
    "explanation": "/explain?subject=programme:genai-transparency&predicate=cito:cites&object=law:ai-act",
    "receipt": "/receipt?query=budgets",
    "receipt-of-a-fact": "/receipt?subject=programme:genai-transparency&predicate=cito:cites&object=law:ai-act",
    "programme-of-sources-only": "/page/programme/aip?evidence=paper",
    "explorer": "/explore?node=law/ai-act",
    "explorer-path": "/explore?from=organization/university-of-tokyo&to=law/ai-act",
    "sparql": "/sparql",
    "sparql-no-rows": f"/sparql?format=html&query={EMPTY}",
    "link-desk": "/link",
    "queries": "/queries",
    "query": "/queries/budgets?format=html",
    "query-with-parameters": "/queries/who-quotes-an-article?format=html",
    "ontology": "/ontology",
    "validate": "/validate?example=1",
    "publish": "/publish",
    "mentions": "/mentions",
    "dataset": "/dataset",
    "agents": "/agents",
    "about": "/about",
}


def address(path: str, language: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}lang={language}"


@pytest.mark.browser
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole(visit: Callable[..., Any], name: str, language: str, width: str) -> None:
    """No errors, external requests, overflow or layout shift; one h1; no axe findings (WCAG 2.2 A and AA)."""
    # One width is tested in dark mode.
    page = visit(address(PAGES[name], language), width, color_scheme="dark" if width == "phone" else "light")
    assert page.locator("html").get_attribute("lang") == language
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width][0]
    assert violations(page, "best-practice") == []
    assert page.evaluate("shifts") < 0.01
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}-{language}-{width}.png", full_page=True)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_pages_are_light(real_http: httpx.Client, real: store.Release, language: str) -> None:
    """No page exceeds 30 kB as transferred."""
    headers = {**HTML, "accept-encoding": "br"}
    classes = real_http.get("/?format=json").json()["classes"]
    paths = [p for p in PAGES.values() if p != "/ontology"] + ["/ontology"]
    for name in classes:
        listed = real_http.get(f"/id/{name}?format=json&parts=1").json()
        paths += [m["id"].replace("https://w3id.org/aikg/id/", "/page/") for m in listed["members"]]
    heavy = {}
    for path in dict.fromkeys(paths):
        with real_http.stream("GET", address(path, language), headers=headers) as answer:
            size = sum(len(chunk) for chunk in answer.iter_raw())
        # A deprecated record says so and names its successor.
        assert answer.status_code in (200, 410), path
        # The page of the ontology has every term.
        if size > (45_000 if path == "/ontology" else 30_000):
            heavy[path] = size
    assert heavy == {}


def test_texts_of_one_page_are_in_one_language(real_http: httpx.Client) -> None:
    """Japanese text on an English page is marked with its language; the interface has none."""
    for path in ("/", "/queries", "/charts", "/charts/budgets", "/search?q=AIP", "/id/programme", "/explore"):
        text = real_http.get(address(path, "en"), headers=HTML).text
        body = text[text.index("<body") :]
        marked = re.sub(r'<(\w+)[^>]*\blang="ja[^"]*"[^>]*>.*?</\1>', "", body, flags=re.DOTALL)
        outside = re.sub(r"<script.*?</script>|<[^>]+>", "", marked, flags=re.DOTALL)
        assert not re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", outside), path


# ---- without scripts ----


@pytest.mark.browser
def test_a_newcomer_needs_no_script(visit: Callable[..., Any]) -> None:
    """Which programmes quote Article 9, and their budgets for 2026: on pages, as CSV and as a query."""
    page = visit("/?lang=en", java_script_enabled=False)
    page.fill("#ui-q2", "Article 9")
    page.click(".big-search button")
    page.click("ol.hits a >> nth=0")
    assert page.inner_text("h1") == "AI Promotion Act, Article 9"
    row = page.locator("tr", has_text="Fiscal year 2026").first
    assert "AIP: Advanced Integrated Intelligence Platform Project" in row.inner_text()
    assert "¥12,200 million" in row.inner_text()
    card = page.locator("section.card", has_text="budgets").first
    card.locator("details.api > summary").click()
    data = page.request.get(card.locator("a", has_text="CSV").first.get_attribute("href")).text()
    amounts = {(r["year"].rpartition("/")[2], r["amount"]) for r in csv.DictReader(io.StringIO(data))}
    assert ("2026", "12200000000") in amounts
    card.locator("a", has_text="SPARQL").click()
    assert "kg:quotes" in page.input_value("textarea")
    assert "12,200,000,000" in page.inner_text("table.grid")


# ---- by keyboard ----


def tab_to(page: Any, wanted: str, most: int = 80, key: str = "Tab") -> None:
    """Presses Tab until the selected element has focus."""
    for _ in range(most):
        if page.evaluate("s => document.activeElement.matches(s)", wanted):
            return
        page.keyboard.press(key)
    raise AssertionError(f"Tab does not reach {wanted}")


@pytest.mark.browser
def test_keyboard_finds_article_9_and_who_cites_it(visit: Callable[..., Any]) -> None:
    page = visit("/?lang=en")
    tab_to(page, "#ui-q2")
    page.keyboard.type("article 9")
    page.wait_for_selector("[role=listbox]:not([hidden]) [role=option]")
    page.keyboard.press("ArrowDown")
    assert page.get_attribute("#ui-q2", "aria-activedescendant")
    page.keyboard.press("Enter")
    page.wait_for_url("**/page/law/ai-act/article-9?lang=en")
    tab_to(page, 'section.card a[href*="/page/programme/aip"]')
    page.keyboard.press("Enter")
    page.wait_for_url("**/page/programme/aip?lang=en")


@pytest.mark.browser
def test_keyboard_charts_budgets_and_gets_the_csv(visit: Callable[..., Any]) -> None:
    page = visit("/?lang=ja")
    tab_to(page, 'header a[href*="/charts"]')
    page.keyboard.press("Enter")
    page.wait_for_url("**/charts?lang=ja")
    tab_to(page, 'main a[href*="/charts/budgets"]')
    page.keyboard.press("Enter")
    page.wait_for_selector("figure svg text:has-text('122億円')")
    tab_to(page, 'main figure a[href*="format=csv"]')
    data = page.request.get(page.evaluate("document.activeElement.href")).text()
    rows = list(csv.DictReader(io.StringIO(data)))
    assert {"9442000000", "12200000000", "4700000000"} <= {row["amount"] for row in rows}


@pytest.mark.browser
def test_keyboard_writes_a_query_with_completion_and_shares_it(visit: Callable[..., Any]) -> None:
    page = visit("/sparql?lang=ja")
    page.wait_for_selector("html[data-ready]")
    tab_to(page, ".CodeMirror textarea")
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    page.keyboard.type("SELECT ?p ?amount WHERE { ?p a ")
    page.keyboard.insert_text("事業")
    choose(page, "kg:Programme")
    page.keyboard.type(" ; ")
    page.keyboard.insert_text("予算")
    choose(page, "kg:budget")
    page.keyboard.type(" ?b . ?b kg:amo")
    choose(page, "kg:amount")
    page.keyboard.type(" ?amount }")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#ui-answer table.grid tbody tr")
    assert page.locator("#ui-answer table.grid tbody tr").count() == 15
    # The URL can be shared: a reader in the other language sees the same query and rows.
    other = visit(page.url.replace("lang=ja", "lang=en"))
    assert other.locator("#ui-answer table.grid tbody tr").count() == 15
    assert "PREFIX kg:" in parse_qs(urlsplit(page.url).query)["query"][0]
    # Tab leaves the editor, so it is not a keyboard trap.
    page.keyboard.press("Tab")
    assert not page.evaluate("document.activeElement.closest('.CodeMirror')")
    page.reload()
    page.wait_for_selector("html[data-ready]")
    tab_to(page, ".history summary")
    page.keyboard.press("Enter")
    page.wait_for_selector(".history button.past")


def choose(page: Any, compact: str) -> None:
    """Opens the suggestions and accepts one with the arrow keys."""
    page.keyboard.press("Control+Space")
    wanted = re.compile(rf"^{re.escape(compact)}(?![A-Za-z0-9_-])")
    page.locator(".CodeMirror-hint", has_text=wanted).first.wait_for()
    for _ in range(30):
        if wanted.match(page.inner_text("li.CodeMirror-hint-active")):
            break
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(".CodeMirror-hints", state="detached")


@pytest.mark.browser
def test_keyboard_finds_what_links_a_university_to_the_law(visit: Callable[..., Any]) -> None:
    page = visit("/explore?lang=en&node=organization/university-of-tokyo")
    # The other end is the record of the previous page.
    assert page.input_value("input[name=from]") == "The University of Tokyo"
    tab_to(page, "input[name=to]", most=200)
    page.keyboard.type("AI Act")
    page.wait_for_selector("[role=listbox]:not([hidden]) [role=option]")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.wait_for_url("**to=law**ai-act**")
    page.wait_for_selector("ol.chain")
    steps = page.inner_text("ol.chain >> nth=0")
    assert "University of Tokyo" in steps
    assert "Promotion of Research" in steps


@pytest.mark.browser
def test_terms_are_explained_on_focus(visit: Callable[..., Any]) -> None:
    page = visit("/page/programme/aip?lang=en")
    page.click("details.all > summary")
    tab_to(page, "table.facts th a[href*='#responsibleOffice']", most=200)
    bubble = page.locator("#ui-help")
    assert bubble.is_visible()
    assert "office" in bubble.inner_text()
    assert page.evaluate("document.activeElement.getAttribute('aria-describedby')") == "ui-help"
    page.keyboard.press("Escape")
    assert not bubble.is_visible()


# ---- the editor ----


@pytest.mark.browser
def test_errors_are_underlined_where_they_are(visit: Callable[..., Any]) -> None:
    page = visit("/sparql?lang=en", expected="the server responded with a status of 400")
    page.wait_for_selector("html[data-ready]")
    page.evaluate(
        "document.querySelector('.CodeMirror').CodeMirror.setValue('SELECT * WHERE {\\n ?s ?p ?o .\\n FILTR(1)\\n}')"
    )
    with page.expect_response("**/sparql**") as answer:
        page.click("form.query button[type=submit]")
    assert answer.value.status == 400
    page.wait_for_selector(".at-fault")
    assert page.inner_text(".at-fault") == "FILTR"
    assert "line 3, column 2" in page.inner_text(".problem")


@pytest.mark.browser
def test_an_empty_answer_says_why(visit: Callable[..., Any]) -> None:
    page = visit(f"/sparql?lang=ja&format=html&query={EMPTY}")
    page.wait_for_selector("html[data-ready]")
    reason = page.inner_text(".reason")
    assert "kg:Programe" in reason
    assert "kg:Programme" in reason
    assert "kg:budget" in reason
    assert page.locator(".at-fault").count() == 2


@pytest.mark.parametrize(
    ("query", "kind", "part"),
    [
        (EMPTY, "term", "kg:Programe"),
        ("SELECT * WHERE { ?s kg:budget ?b . ?b kg:amount 5 }", "pattern", "?b kg:amount 5"),
        ("SELECT * WHERE { ?s kg:budget ?b FILTER(?b = 3) }", "filter", "FILTER(?b = 3)"),
        ("SELECT * WHERE { <https://w3id.org/aikg/id/law/ai-akt> ?p ?o }", "term", "law/ai-act"),
    ],
)
def test_why_is_an_api(real_http: httpx.Client, query: str, kind: str, part: str) -> None:
    told = real_http.get("/why", params={"query": query, "lang": "en"}).json()
    assert told["kind"] == kind
    assert part in str(told)
    assert told["line"] == 1
    assert "message" in real_http.get("/why", params={"query": "ASK {}"}).json()
    assert real_http.get("/why").status_code == 400


@pytest.mark.browser
def test_results_are_seen_as_chart_and_as_links(visit: Callable[..., Any]) -> None:
    page = visit("/sparql?lang=en&format=html&query=SELECT ?who ?law ?n WHERE { ?who kg:quotes ?law . BIND(1 AS ?n) }")
    page.wait_for_selector("html[data-ready]")
    page.click(".views button:has-text('Chart')")
    page.wait_for_selector("figure[data-drawn] svg")
    page.click(".views button:has-text('Links')")
    page.wait_for_selector("figure[data-drawn] canvas")
    page.click(".views button:has-text('Table')")
    assert page.locator("figure").count() == 0


# ---- tables as APIs ----


def snippets(text: str) -> dict[str, str]:
    """The code examples for the first table of a page, by language."""
    found = re.findall(r"<summary>(\w+)</summary><pre[^>]*><code[^>]*>(.*?)</code>", text, re.DOTALL)
    import html

    return {language: html.unescape(code) for language, code in reversed(found) if language != "BibTeX"}


@pytest.mark.parametrize(
    "path", ["/queries/budgets?format=html", "/page/law/ai-act/article-9", "/charts/network-lab", "/id/place"]
)
def test_the_code_beside_a_table_gets_the_table(real_http: httpx.Client, path: str, tmp_path: Path) -> None:
    text = real_http.get(address(path, "en"), headers=HTML).text
    code = snippets(text)
    assert set(code) == {"curl", "Python", "R", "JavaScript"}
    answer = subprocess.run(["bash", "-c", code["curl"]], capture_output=True, text=True, check=True, cwd=tmp_path)
    rows = list(csv.reader(io.StringIO(answer.stdout)))
    assert len(rows) > 1
    script = tmp_path / "snippet.py"
    script.write_text(f"{code['Python']}\nprint(len(table), *table.columns)\n", encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.stdout.split() == [str(len(rows) - 1), *rows[0]], done.stderr


def test_json_lines_have_typed_values(real_http: httpx.Client) -> None:
    import json

    answer = real_http.get("/queries/budgets?format=jsonl")
    assert answer.headers["content-type"] == "application/x-ndjson"
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert len(rows) == 15
    assert {9_442_000_000, 12_200_000_000, 4_700_000_000} <= {row["amount"] for row in rows}
    empty = real_http.get("/sparql", params={"format": "jsonl", "query": "SELECT (1.5 AS ?n) (true AS ?t) ?none {}"})
    assert json.loads(empty.text) == {"n": 1.5, "t": True, "none": None}
    truth = real_http.get("/sparql", params={"format": "jsonl", "query": "ASK {}"})
    assert json.loads(truth.text) == {"boolean": True}


# ---- lists and records ----


def test_facets_narrow_a_list_and_say_how_many(real_http: httpx.Client) -> None:
    text = real_http.get("/id/policy?lang=en", headers=HTML).text
    count = re.search(r'href="(/id/policy\?[^"]*place%3Akorea[^"]*)">.*?<span class="count">(\d+)</span>', text)
    assert count is not None
    narrowed = real_http.get("/id/policy", params={"format": "json", "kg:jurisdiction": "place:korea"}).json()
    assert narrowed["total"] == int(count[2]) == 2
    assert real_http.get(count[1].replace("&amp;", "&"), headers=HTML).text.count('aria-current="true"') == 1
    none = real_http.get("/id/policy?lang=en&kg:jurisdiction=place:atlantis", headers=HTML)
    assert none.status_code == 200
    assert "No records match" in none.text
    bad = real_http.get("/id/policy", params={"format": "json", "kg:jurisdiction": "<not an iri>"}).json()
    assert bad["total"] == 0


@pytest.mark.parametrize(
    ("path", "href"),
    [
        (
            "organization/riken",
            "https://www.houjin-bangou.nta.go.jp/henkorireki-johoto.html?selHouzinNo=1030005007111",
        ),
        ("organization/riken", "https://ror.org/01sjwvz98"),
        ("law/ai-act", "https://laws.e-gov.go.jp/law/507AC0000000053"),
    ],
)
def test_outside_identifiers_are_links(real_http: httpx.Client, path: str, href: str) -> None:
    assert f'<a href="{href}" rel="external">' in real_http.get(f"/page/{path}?lang=en", headers=HTML).text


def test_links_to_a_record_are_paged(real: store.Release, real_http: httpx.Client) -> None:
    """The country of most records has more links than one page shows."""
    first = real_http.get("/page/place/japan?lang=en", headers=HTML).text
    more = re.search(r'<a rel="next" href="([^"]*in=kg%3Ajurisdiction&amp;at=2)#ui-in-\d+"', first)
    assert more is not None
    second = real_http.get(more[1].replace("&amp;", "&"), headers=HTML)
    assert second.status_code == 200
    assert second.text != first
    assert real_http.get("/page/place/japan?lang=en&in=kg:jurisdiction&at=999", headers=HTML).status_code == 404


@pytest.mark.parametrize("path", ["/page/law/ai-akt", "/id/organization/tokyo-university", "/nowhere"])
@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_missing_page_offers_what_is_near(real_http: httpx.Client, path: str, language: str) -> None:
    answer = real_http.get(address(path, language), headers=HTML)
    assert answer.status_code == 404
    assert f'<html lang="{language}">' in answer.text
    if path != "/nowhere":
        near = "/page/law/ai-act" if "law" in path else "/page/organization/university-of-tokyo"
        assert near in answer.text


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [("/data/law/ai-act", "text/html, image/png;q=0.9", 406), ("/page/law/ai-akt", "text/html", 404)],
)
def test_errors_are_pages_for_readers(
    real_http: httpx.Client, path: str, accept: str, status: int, language: str
) -> None:
    answer = real_http.get(address(path, language), headers={"accept": accept, "accept-language": language})
    assert answer.status_code == status
    assert f'<html lang="{language}">' in answer.text
    assert 'id="ui-main"' in answer.text


@pytest.mark.parametrize("name", PAGES)
def test_scripts_stand_in_no_page(real_http: httpx.Client, name: str) -> None:
    """Scripts are files, and so are styles unless a library sets them; data blocks are not executed."""
    answer = real_http.get(address(PAGES[name], "en"), headers=HTML)
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    has_library = name.startswith(("chart-", "explorer", "sparql")) or name == "query"
    assert ("'unsafe-inline'" in policy) == has_library, policy
    for attributes, content in re.findall(r"<script([^>]*)>(.*?)</script>", answer.text, re.DOTALL):
        assert "src=" in attributes or 'type="application/' in attributes, content[:80]
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", answer.text)


@pytest.mark.browser
def test_print_is_the_page_without_its_furniture(visit: Callable[..., Any]) -> None:
    page = visit("/page/programme/aip?lang=en")
    page.emulate_media(media="print")
    assert not page.is_visible("header nav")
    assert not page.is_visible("form.find")
    assert page.is_visible("h1")
    assert page.is_visible("table.facts >> nth=0")


@pytest.mark.parametrize("language", ["ja", "en"])
def test_an_unexpected_error_is_a_page_for_a_reader(
    real_http: httpx.Client, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    from api.search import router as broken

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(broken, "_as_json", fail)
    monkeypatch.setattr(broken, "page", fail)
    page = real_http.get(f"/search?q=AI&lang={language}&nothing={language}", headers=HTML)
    assert page.status_code == 500
    assert f'<html lang="{language}">' in page.text
    assert page.headers["x-request-id"] in page.text
    data = real_http.get(f"/search?q=AI&format=json&nothing={language}")
    assert data.headers["content-type"] == "application/problem+json"


# ---- stored queries ----


@pytest.mark.parametrize(("language", "told"), [("ja", "という項目はありません"), ("en", "There is no record")])
def test_a_misspelt_record_is_told_with_the_nearest(real_http: httpx.Client, language: str, told: str) -> None:
    asked = {"document": "policy:ai-for-science-strateg", "lang": language}
    problem = real_http.get("/queries/citations-of-a-document", params={**asked, "format": "csv"})
    assert (problem.status_code, problem.json()["type"]) == (400, "urn:aikg:problem:no-such-record")
    assert problem.json()["nearest"][0] == BASE.id + "policy/ai-for-science-strategy"
    assert "did you mean 'policy:ai-for-science-strategy'" in problem.json()["detail"]
    page = real_http.get("/queries/citations-of-a-document", params={**asked, "format": "html"})
    assert told in page.text
    assert "policy:ai-for-science-strategy" in page.text
    right = real_http.get("/queries/citations-of-a-document", params={"document": "policy:ai-basic-plan"})
    assert right.status_code == 200


def test_a_table_for_a_spreadsheet_has_labels_units_totals_and_the_date(real_http: httpx.Client) -> None:
    def rows(name: str, language: str) -> list[list[str]]:
        answer = real_http.get(f"/queries/{name}", params={"format": "excel", "lang": language})
        assert answer.content.startswith(b"\xef\xbb\xbf")
        return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))

    head, first, *_, date, release, source = rows("budgets", "ja")
    assert head[:2] == ["事業", "事業のURI"]
    assert any(title.endswith("（JPY）") for title in head)
    assert first[1].startswith(BASE.id + "programme/")
    assert first[0] not in ("", first[1])
    assert date[0] == "データの日付"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", date[1])
    assert release[1]
    assert "/queries/budgets?" in source[1]
    assert not any(row[:1] == ["合計"] for row in rows("budgets", "ja"))
    head, *found = rows("projects-per-scheme", "en")
    total = next(row for row in found if row[:1] == ["Total"])
    at = head.index("Projects")
    assert int(total[at]) == sum(int(row[at]) for row in found[: found.index(total)])
