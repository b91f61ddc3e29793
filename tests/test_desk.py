"""The link desk in a real browser, with and without scripts and by keyboard; its endpoints and limits."""

from __future__ import annotations

import csv
import html
import io
import json
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import ministry
import pytest
from accessibility import violations
from conftest import Server
from dataset import BASE, ROOT
from pyoxigraph import Literal, RdfFormat, parse
from servers import descendants, descriptors, resident_mb, serve, until
from test_tables import workbook

from api.app import create_app
from api.i18n.texts import table as texts_of
from api.settings import Settings
from kg.release import store
from kg.tables import rows

BODIES = ROOT / "tests" / "fixtures" / "bodies.csv"
ORGANIZATION = BASE.id + "organization/"
SUBJECT = "https://example.go.jp/id/{番号}"
PASTED = "番号\t機関名\n1\t東大\n2\t京都橋大\n3\tAIP\n4\tどこにもない機関\n"
WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}
LONG = 10_000


@pytest.fixture
def visit(browser: Any, real_server: str) -> Iterator[Callable[..., Any]]:
    """Opens the desk; at the end there must be no script errors and no requests to other hosts."""
    contexts, complaints = [], []

    def open_page(language: str = "en", width: str = "desktop", **options: Any) -> Any:
        size = dict(zip(("width", "height"), WIDTHS[width], strict=True))
        context = browser.new_context(base_url=real_server, viewport=size, locale="en-GB", **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: complaints.append(str(e)))
        page.on("request", lambda r: None if r.url.startswith(real_server) else complaints.append(f"asks {r.url}"))
        page.goto(f"/link?lang={language}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    # A page that reports an error in a table has an error status.
    assert not [c for c in complaints if "status of 422" not in c]


def bring(page: Any, *, file: Any = None, text: str = "", kind: str = "organization") -> None:
    """Uploads a table and matches it."""
    if file is not None:
        page.set_input_files("#ui-desk-file", file)
    page.fill("#ui-desk-text", text)
    page.click("form.bring button")
    page.select_option("#ui-desk-kind", kind)
    page.click("button[name=match]")
    page.wait_for_selector(".rows table:visible", timeout=120_000)


def taken(page: Any, button: str) -> bytes:
    """The file that a button downloads."""
    with page.expect_download() as waiting:
        page.click(f"button[formaction*='{button}']")
    return Path(waiting.value.path()).read_bytes()


def linked(body: bytes) -> dict[str, dict[str, str]]:
    """The rows of a linked table by name."""
    found = csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline=""))
    return {row["機関名"]: row for row in found}


def links(body: bytes, syntax: RdfFormat = RdfFormat.TURTLE) -> set[tuple[str, str, str]]:
    return {
        (q.subject.value, q.predicate.value.rpartition("#")[2], q.object.value)  # type: ignore[union-attr]
        for q in parse(body, format=syntax)
        if q.object.value.startswith(BASE.id)  # type: ignore[union-attr]
    }


# ---- browser ----


@pytest.mark.browser
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_the_bodies_of_the_paper_come_back_right(visit: Callable[..., Any], scripts: bool) -> None:
    page = visit(java_script_enabled=scripts)
    bring(page, file=BODIES)
    expected = {row["機関名"]: row["期待"] for row in linked(BODIES.read_bytes()).values()}
    found = {name: row["kg_uri"].removeprefix(BASE.id) for name, row in linked(taken(page, "link/result")).items()}
    assert found == expected
    page.fill("#ui-desk-subject", SUBJECT)
    numbers = {row["機関名"]: row["番号"] for row in linked(BODIES.read_bytes()).values()}
    assert links(taken(page, "link/linkset")) == {
        (SUBJECT.replace("{番号}", numbers[name]), "sameAs", BASE.id + path) for name, path in expected.items() if path
    }


@pytest.mark.browser
def test_rows_are_decided_by_keyboard(visit: Callable[..., Any]) -> None:
    page = visit()
    bring(page, text=PASTED)
    assert page.evaluate("document.activeElement.id") == "ui-desk-review-title"
    page.check("#ui-desk-filters input[value=all]")
    page.locator("tr[data-row='0'] input:checked").focus()
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.closest('tr').dataset.row") == "1"
    page.keyboard.press("0")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.closest('tr').dataset.row") == "2"
    assert "None of these" in page.text_content("#ui-desk-said")
    page.keyboard.press("2")
    page.keyboard.press("c")
    page.keyboard.press("k")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    chosen = page.get_attribute("tr[data-row='2'] input[type=radio]:checked", "value")
    assert page.locator("tr[data-row='0'] .state").text_content() == "reviewed"
    page.select_option("#ui-desk-format", "nt")
    page.fill("#ui-desk-subject", SUBJECT)
    page.fill("#ui-desk-reviewer", "山田")
    rows_ = linked(taken(page, "link/result"))
    assert [rows_[n]["kg_match"] for n in ("東大", "京都橋大", "AIP", "どこにもない機関")] == [
        *("exact", "none", "close", "none")
    ]
    assert (rows_["東大"]["kg_by"], rows_["AIP"]["kg_by"], rows_["AIP"]["kg_uri"]) == ("person", "person", chosen)
    body = taken(page, "link/linkset")
    assert links(body, RdfFormat.N_TRIPLES) == {
        ("https://example.go.jp/id/1", "sameAs", ORGANIZATION + "university-of-tokyo"),
        ("https://example.go.jp/id/3", "seeAlso", chosen),
    }
    assert Literal("山田") in {q.object for q in parse(body, format=RdfFormat.N_TRIPLES)}


@pytest.mark.browser
def test_a_row_is_close_to_a_record_or_a_part_of_it(visit: Callable[..., Any]) -> None:
    page = visit()
    bring(page, text="番号\t機関名\n1\t東大\n")
    page.check("#ui-desk-filters input[value=all]")
    page.locator("tr[data-row='0'] input:checked").focus()
    page.keyboard.press("c")
    page.keyboard.press("p")
    assert not page.is_checked("tr[data-row='0'] .close")
    page.fill("#ui-desk-subject", SUBJECT)
    body = taken(page, "link/linkset")
    assert {link[1:] for link in links(body)} == {("unitOf", ORGANIZATION + "university-of-tokyo")}


@pytest.mark.browser
def test_a_table_of_a_ministry_goes_through_by_keyboard_without_a_false_link(visit: Callable[..., Any]) -> None:
    page = visit("ja")
    file = {"name": ministry.NAME, "mimeType": "text/csv", "buffer": ministry.body()}
    page.set_input_files("#ui-desk-file", file)
    page.focus("form.bring button")
    page.keyboard.press("Enter")
    page.wait_for_selector("button[name=match]")
    page.focus("button[name=match]")
    page.keyboard.press("Enter")
    page.wait_for_selector(".rows table:visible", timeout=120_000)
    told = page.text_content("main")
    for row in (*ministry.WRONG, *ministry.ROUNDED, *ministry.REPAIRED):
        assert f"{row}行3列" in told.replace("目", "").replace(" ", ""), row
    page.focus("#ui-desk-filters input[value=all]")
    page.keyboard.press("Space")
    page.locator("tr[data-row='0'] input:checked").focus()
    # The fifth row is an institute without a record, beside the number of its corporation: a part of that.
    for n in range(1, len(ministry.ROWS) + 1):
        assert page.evaluate("document.activeElement.closest('tr').dataset.row") == str(n - 1)
        if n == 5:
            page.keyboard.press("1")
            page.keyboard.press("p")
        elif str(n) not in ministry.EXPECTED:
            page.keyboard.press("0")
        if n < len(ministry.ROWS):
            page.keyboard.press("Enter")
    page.focus("#ui-desk-subject")
    page.keyboard.type(ministry.SUBJECT)
    with page.expect_download() as waiting:
        page.focus("button[formaction*='link/linkset']")
        page.keyboard.press("Enter")
    expected = {
        (ministry.SUBJECT.replace("{整理番号}", n), "sameAs", BASE.id + path) for n, path in ministry.EXPECTED.items()
    }
    part = (ministry.SUBJECT.replace("{整理番号}", "5"), "unitOf", ORGANIZATION + "riken")
    assert links(Path(waiting.value.path()).read_bytes()) == {*expected, part}
    page.select_option("#ui-desk-format", "sssom")
    mappings = taken(page, "link/linkset").decode().splitlines()
    listed = csv.DictReader((line for line in mappings if not line.startswith("#")), delimiter="\t")
    assert Counter(m["predicate_id"] for m in listed) == {"owl:sameAs": len(expected), "org:unitOf": 1}


@pytest.mark.browser
def test_another_record_is_looked_up_by_keyboard(visit: Callable[..., Any]) -> None:
    page = visit()
    bring(page, text="どこにもない機関\nほかの何か")
    page.check("#ui-desk-filters input[value=all]")
    page.locator("tr[data-row='0'] input[type=radio]").first.focus()
    page.keyboard.press("/")
    page.keyboard.type("理研")
    page.wait_for_selector("tr[data-row='0'] [role=option]")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("tr[data-row='0'] input[type=radio]:checked")
    assert page.get_attribute("tr[data-row='0'] input[type=radio]:checked", "value") == ORGANIZATION + "riken"
    assert page.evaluate("document.activeElement.closest('tr').dataset.row") == "0"


@pytest.mark.browser
@pytest.mark.parametrize("kind", ["shift_jis", "xlsx"])
def test_files_of_a_spreadsheet(visit: Callable[..., Any], kind: str) -> None:
    cells: list[list[object]] = [["番号", "機関名", "備考"], [1, "理研", "=1+1"], [2, "東京大学\n（本部）", "-3"]]
    name, body = "機関.xlsx", workbook(cells)
    if kind == "shift_jis":
        name = "機関.csv"
        body = '番号,機関名,備考\r\n1,理研,=1+1\r\n2,"東京大学\n（本部）",-3\r\n'.encode("cp932")
    page = visit("ja")
    bring(page, file={"name": name, "mimeType": "application/octet-stream", "buffer": body})
    with page.expect_download() as waiting:
        page.click("button[formaction*='link/result']")
    assert waiting.value.suggested_filename == "機関.linked.csv"
    made = Path(waiting.value.path()).read_bytes()
    assert made.startswith(b"\xef\xbb\xbf")
    row = linked(made)["理研"]
    assert row["kg_uri"] == ORGANIZATION + "riken"
    assert row["備考"] == ("'=1+1" if kind == "shift_jis" else "")
    assert "東京大学\n（本部）" in linked(made)


@pytest.mark.browser
def test_without_scripts_rows_are_decided_in_the_form(visit: Callable[..., Any]) -> None:
    page = visit("ja", java_script_enabled=False)
    bring(page, text=PASTED)
    page.check("tr[data-row='1'] input[value='']")
    page.locator("tr[data-row='2'] input[type=radio]").nth(1).check()
    page.check("tr[data-row='2'] input[type=checkbox]")
    page.fill("tr[data-row='3'] input[name=other-3]", ORGANIZATION + "riken")
    page.check("tr[data-row='3'] input[value='']")
    page.check(".shows input[value=matched]")
    page.click("form p > button:not([formaction])")
    assert page.locator("tr[data-row]").count() == 3
    found = linked(taken(page, "link/result"))
    assert [found[n]["kg_match"] for n in ("東大", "京都橋大", "AIP", "どこにもない機関")] == [
        *("exact", "none", "close", "exact")
    ]
    assert [found[n]["kg_by"] for n in ("東大", "京都橋大", "どこにもない機関")] == ["machine", "person", "person"]


@pytest.mark.browser
def test_errors_are_shown_on_the_page_and_the_text_is_kept(visit: Callable[..., Any]) -> None:
    page = visit("ja", java_script_enabled=False)
    page.fill("#ui-desk-text", "a,b\n1,2\n3,4,5")
    page.click("form.bring button")
    told = page.text_content("[role=alert]")
    assert "2行目3列目（ファイルの3行目）" in told
    assert page.input_value("#ui-desk-text") == "a,b\n1,2\n3,4,5"


@pytest.mark.browser
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
@pytest.mark.parametrize(
    ("subject", "told"),
    [
        ("", "IRI"),
        ("{番号", "IRIを作れません"),
        ("{なし}", "列「なし」はありません"),
        ("機関名", "絶対IRIではありません"),
        ("https://x.example/{空}", "1行目"),
    ],
)
def test_a_wrong_template_loses_no_decision(visit: Callable[..., Any], subject: str, told: str, scripts: bool) -> None:
    page = visit("ja", java_script_enabled=scripts)
    bring(page, text="番号\t機関名\t空\n1\t東大\t\n2\t理研\t\n")
    page.fill("#ui-desk-subject", subject)
    page.fill("#ui-desk-reviewer", "山田 花子")
    page.click("button[formaction*='link/linkset']")
    page.wait_for_selector("#ui-desk-problem:visible")
    assert told in page.inner_text("#ui-desk-problem")
    assert "内部エラー" not in page.inner_text("main")
    assert page.get_attribute("#ui-desk-subject", "aria-invalid") == "true"
    assert page.input_value("#ui-desk-subject") == subject
    assert page.input_value("#ui-desk-reviewer") == "山田 花子"
    page.fill("#ui-desk-subject", "https://x.example/{番号}")
    assert len(links(taken(page, "link/linkset"))) == 2


@pytest.mark.browser
def test_the_back_button_leads_to_the_step_before(visit: Callable[..., Any]) -> None:
    page = visit("ja", java_script_enabled=False)
    bring(page, text="番号\t機関名\n1\t東大\n")
    page.click("button[formaction*='link/linkset']")
    page.wait_for_selector("#ui-desk-problem")
    for expected in (".rows table", "#ui-desk-choose", "form.bring"):
        page.go_back()
        page.wait_for_selector(expected)


def long_text(n: int = LONG) -> str:
    names = ("東大", "理研", "京都橋大", "存在しない機関", "AIP", "産総研")
    return "番号,機関名\n" + "\n".join(f"{i},{names[i % len(names)]}{'' if i % 2 else i}" for i in range(n))


@pytest.mark.browser
def test_ten_thousand_rows_with_progress_and_cancel(visit: Callable[..., Any]) -> None:
    page = visit()
    before = resident_mb(os.getpid())
    page.set_input_files("#ui-desk-file", {"name": "long.csv", "mimeType": "text/csv", "buffer": long_text().encode()})
    page.click("form.bring button")
    page.click("button[name=match]")
    progress = page.locator("#ui-desk-progress")
    until(lambda: progress.evaluate("p => p.value") >= 400, 60)
    page.click("#ui-desk-cancel")
    page.wait_for_selector("#ui-desk-review:visible")
    stopped = re.match(r"Stopped after ([\d,]+) of 10000 rows", page.text_content("#ui-desk-said"))
    assert stopped
    assert 400 <= int(stopped[1]) < LONG
    page.click("button[name=match]")
    page.wait_for_selector("#ui-desk-review:visible", timeout=120_000)
    assert page.text_content("#ui-desk-filters [data-count=all]") == "10,000"
    assert page.locator("tr[data-row]").count() <= 100
    page.check("#ui-desk-filters input[value=all]")
    page.click("#ui-desk-pager [data-step='1']")
    assert page.get_attribute("tr[data-row] >> nth=0", "data-row") == "100"
    found = csv.DictReader(io.StringIO(taken(page, "link/result").decode("utf-8-sig"), newline=""))
    rows_ = list(found)
    assert len(rows_) == LONG
    assert {r["kg_uri"] for r in rows_ if r["機関名"] == "理研"} == {ORGANIZATION + "riken"}
    # The server runs in this process, and stores nothing.
    assert resident_mb(os.getpid()) - before < 300


@pytest.mark.browser
@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("width", list(WIDTHS))
def test_every_step_is_accessible_and_fits(visit: Callable[..., Any], language: str, width: str) -> None:
    page = visit(language, width, bypass_csp=True)

    def check() -> None:
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width][0]

    check()
    page.fill("#ui-desk-text", PASTED)
    page.click("form.bring button")
    page.wait_for_selector("#ui-desk-choose")
    check()
    page.click("button[name=match]")
    page.wait_for_selector("#ui-desk-review:visible")
    page.check("#ui-desk-filters input[value=all]")
    check()


# ---- endpoints ----


def post(http: httpx.Client, path: str, **options: Any) -> httpx.Response:
    return http.post(path, **{"headers": {"accept": "application/json"}, **options})


def test_a_table_is_read_as_json(real_http: httpx.Client) -> None:
    answer = post(real_http, "/link/table", files={"file": ("t.csv", "機関名\n東大\n".encode("cp932"))})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    document = answer.json()
    assert (document["columns"], document["rows"]) == (["機関名"], [["東大"]])
    pasted = post(real_http, "/link/table", data={"text": "a\r\nb", "header": "0"}).json()
    assert (pasted["columns"], pasted["rows"]) == (["1"], [["a"], ["b"]])


def test_names_are_matched_in_a_batch(real_http: httpx.Client) -> None:
    asked = {"names": ["東大", "", "zzz"], "kind": "organization", "properties": {"kg:corporateNumber": ["", "", ""]}}
    rows_ = post(real_http, "/link/match?lang=en", json=asked).json()["rows"]
    first = rows_[0]["candidates"][0]
    assert (first["iri"], first["match"], first["label"]) == (
        *(ORGANIZATION + "university-of-tokyo", True, "The University of Tokyo"),
    )
    assert rows_[0]["decision"][:3] == [first["iri"], "exact", "machine"]
    assert rows_[1] == {"candidates": [], "decision": ["", "", "", 0, "", ""]}


def work(**changes: Any) -> dict[str, Any]:
    base = {
        "file": "t.csv",
        "columns": ["機関名"],
        "rows": [["東大"]],
        "name": 0,
        "subject": "https://x.example/{機関名}",
    }
    return {**base, "decisions": [[ORGANIZATION + "university-of-tokyo", "exact", "person", 100, "", ""]], **changes}


def test_results_are_made_of_json_too(real_http: httpx.Client) -> None:
    made = post(real_http, "/link/result", json=work())
    assert linked(made.content)["東大"]["kg_label"] == "東京大学"
    assert made.headers["content-disposition"].startswith('attachment; filename="t.linked.csv"')
    for name, syntax in (("ttl", RdfFormat.TURTLE), ("nt", RdfFormat.N_TRIPLES), ("jsonld", RdfFormat.JSON_LD)):
        answer = post(real_http, f"/link/linkset?format={name}", json=work())
        assert links(answer.content, syntax) == {
            ("https://x.example/%E6%9D%B1%E5%A4%A7", "sameAs", ORGANIZATION + "university-of-tokyo")
        }


def test_a_linkset_names_its_rows(real_http: httpx.Client) -> None:
    made = post(real_http, "/link/linkset?format=nt", json=work()).text
    assert '<https://x.example/%E6%9D%B1%E5%A4%A7> <http://www.w3.org/2000/01/rdf-schema#label> "東大" .' in made


def test_links_are_a_table_of_mappings_too(real_http: httpx.Client) -> None:
    answer = post(real_http, "/link/linkset?format=sssom", json=work())
    assert answer.headers["content-type"] == "text/tab-separated-values; charset=utf-8"
    assert "sssom.tsv" in answer.headers["content-disposition"]
    head, row = [line for line in answer.text.splitlines() if not line.startswith("#")]
    mapping = dict(zip(head.split("\t"), row.split("\t"), strict=True))
    assert (mapping["object_id"], mapping["object_label"]) == ("ours:organization/university-of-tokyo", "東京大学")


@pytest.mark.parametrize(
    ("path", "options", "status", "kind"),
    [
        ("/link/table", {"content": b"x", "headers": {"content-type": "text/csv"}}, 415, "unsupported-media-type"),
        ("/link/table", {"data": {"text": " "}}, 422, "no-table"),
        ("/link/table", {"files": {"file": ("x.pdf", b"%PDF-1")}}, 415, "table-unsupported"),
        ("/link/table", {"files": {"file": ("x.csv", b"a,b\n1,2,3")}}, 422, "table-broken"),
        (
            "/link/table",
            {"content": b"--x\r\n", "headers": {"content-type": "multipart/form-data; boundary=y"}},
            *(400, "bad-form"),
        ),
        ("/link/match", {"data": {"names": "x"}}, 415, "unsupported-media-type"),
        ("/link/match", {"content": b"{", "headers": {"content-type": "application/json"}}, 400, "bad-json"),
        ("/link/match", {"json": ["x"]}, 422, "bad-batch"),
        ("/link/match", {"json": {"names": ["x", 1]}}, 422, "bad-batch"),
        ("/link/match", {"json": {"names": ["x"], "properties": {"a": []}}}, 422, "bad-batch"),
        ("/link/match", {"json": {"names": ["x"], "kind": "zzz"}}, 422, "bad-kind"),
        ("/link/match", {"json": {"names": ["x"], "kind": ["y"]}}, 422, "bad-kind"),
        ("/link/result", {"json": work(decisions=[])}, 422, "bad-work"),
        ("/link/result", {"json": work(name=7)}, 422, "bad-work"),
        ("/link/result", {"json": work(rows=[["a", "b"]])}, 422, "table-broken"),
        (
            "/link/result",
            {"json": work(decisions=[["https://x.example/", "exact", "person", 1, "", ""]])},
            422,
            "table-broken",
        ),
        ("/link/result", {"json": work(decisions=[["x", "same", "person", 1, "", ""]])}, 422, "bad-work"),
        ("/link/result", {"json": work(decisions=[["東大", "exact", "person", 1, "", ""]])}, 422, "bad-work"),
        ("/link/result", {"json": work(decisions=[["", "", "", "NaN", "", ""]])}, 422, "bad-work"),
        ("/link/result", {"json": work(release="<x>")}, 422, "bad-work"),
        ("/link/result", {"content": json.dumps(work(file="\ud800")).encode()}, 422, "bad-work"),
        ("/link/result", {"data": {"work": "[]"}}, 422, "bad-work"),
        ("/link/linkset?format=xml", {"json": work()}, 400, "bad-parameter"),
        ("/link/linkset", {"json": work(subject="")}, 422, "no-subject"),
        ("/link/linkset", {"json": work(subject="none")}, 422, "table-broken"),
        ("/link/linkset", {"json": work(dataset="no iri")}, 422, "bad-dataset"),
        ("/link", {"data": {"work": json.dumps(work(decisions=[]))}}, 422, "bad-work"),
        ("/link", {"data": {"work": json.dumps(work()), "match": "1", "name": "9"}}, 422, "bad-column"),
        ("/link", {"data": {"work": json.dumps(work()), "match": "1", "subject": "none"}}, 422, "table-broken"),
    ],
)
def test_what_is_wrong_has_its_status_and_kind(
    real_http: httpx.Client, path: str, options: dict[str, Any], status: int, kind: str
) -> None:
    if "content" in options and "headers" not in options:
        options = {**options, "headers": {"content-type": "application/json"}}
    headers = {"accept": "application/json", **options.get("headers", {})}
    answer = real_http.post(path, **{**options, "headers": headers})
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:aikg:problem:{kind}"), answer.text


def test_every_message_about_a_table_is_in_japanese_too() -> None:
    japanese = texts_of("tables")["ja"]
    assert set(japanese) == set(rows.MESSAGES)
    for code, text in japanese.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", rows.MESSAGES[code])), code
    for language in ("ja", "en"):
        notices = texts_of("notices")[language]
        assert set(notices) == set(rows.NOTICES)
        for code, text in notices.items():
            assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", rows.NOTICES[code])), code


def test_columns_are_proposed_and_odd_numbers_told_with_their_place(real_http: httpx.Client) -> None:
    text = (
        "施設一覧,,\n番号,機関名,法人番号\n1,理化学研究所,1030005007111.0\n2,東京大学,5.01001E+12\n"
        "3,京都大学,3130005005533\n4,計算科学研究センター,1030005007111\n"
    )
    answer = real_http.post("/link?lang=ja", files={"file": ("t.csv", text.encode("cp932"))})
    body = html.unescape(answer.text)
    assert '<option value="1" selected>機関名</option>' in body
    assert '<option value="kg:corporateNumber" selected>' in body
    for told in (
        "見出しより上の1行は表に含めませんでした：施設一覧",
        "1行目3列目：「1030005007111.0」を番号1030005007111と読みました。",
        "2行目3列目：「5.01001E+12」は表計算ソフトで丸められて",
        "3行目3列目：「3130005005533」はチェックディジットが合わないため",
        "番号1030005007111が、名称の異なる行（1、4行目）にあります",
    ):
        assert told in body


def test_without_scripts_a_long_table_is_reviewed_page_by_page(real_http: httpx.Client) -> None:
    text = "機関名\n" + "\n".join(f"{'理研' if n % 2 else 'AIP'}" for n in range(250))
    headers = {"accept": "text/html"}

    def step(**fields: str) -> tuple[dict[str, Any], list[int], httpx.Response]:
        answer = real_http.post("/link?lang=en", data=fields, headers=headers)
        assert answer.status_code == 200, answer.text
        state = re.search(r'name="work" value="([^"]*)"', answer.text)
        assert state
        return (
            json.loads(html.unescape(state[1])),
            [int(n) for n in re.findall(r'data-row="(\d+)"', answer.text)],
            answer,
        )

    state, shown, _ = step(text=text)
    assert (state["decisions"], shown) == ([], [])
    state, shown, _ = step(work=json.dumps(state), match="1", name="0", kind="organization")
    assert shown == list(range(100))
    aip = ORGANIZATION + "riken-aip"
    chosen = {"row-0": aip, "row-1": "", "row-2": aip, "close-2": "1"}
    state, shown, answer = step(work=json.dumps(state), page="3", show="all", **chosen)
    assert shown == list(range(200, 250))
    assert "page=" not in str(answer.url)
    assert [d[1:3] for d in state["decisions"][:4]] == [
        *(["exact", "person"], ["", "person"], ["close", "person"], ["exact", "machine"])
    ]
    _, shown, _ = step(work=json.dumps(state), show="none")
    assert shown == [1]
    _, shown, _ = step(work=json.dumps(state), show="review", page="99")
    assert shown == list(range(204, 250, 2))


def test_an_unusable_number_is_told_in_the_language_of_the_page(real_http: httpx.Client) -> None:
    body = {"names": ["理研"], "properties": {"corporateNumber": ["1.03000500711E+12"]}}
    told = real_http.post("/link/match?lang=ja", json=body).json()["rows"][0]["candidates"][0]["reason"]
    assert "下の桁が失われ" in told
    assert "spreadsheet" not in told


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"other-0": "理化学研究所", "row-0": ""}, 200, "organization/riken"),
        ({"other-0": "理化学研究所"}, 200, "organization/riken"),
        ({"other-0": "理化学研究"}, 422, 'aria-invalid="true"'),
        ({"row-0": "理化学研究所"}, 422, "項目はありません"),
        ({"row-0": ORGANIZATION + "university-of-tokyo", "close-0": "1", "part-0": "1"}, 422, "同時に選べません"),
    ],
)
def test_without_scripts_a_typed_name_is_looked_up(
    real_http: httpx.Client, fields: dict[str, str], status: int, said: str
) -> None:
    """What is typed is taken or refused with its place, never ignored."""
    told = {"work": json.dumps(work()), **fields}
    for path in ("/link?lang=ja", "/link/result?lang=ja"):
        answer = real_http.post(path, data=told, headers={"accept": "text/html"})
        assert answer.status_code == status, answer.text
        assert said in answer.text
        assert status == 200 or all(value in answer.text for value in fields.values())


def test_formulas_in_what_comes_back_are_defused(real_http: httpx.Client) -> None:
    told = work(columns=["機関名", "=x"], rows=[["東大", "@y"]])
    told["decisions"][0][4] = "=cmd"
    written = post(real_http, "/link/result", json=told).text
    assert not re.search(r'(^|,|")[=@+]', written, re.MULTILINE)


# ---- limits ----


@pytest.mark.serial
def test_strange_bodies_block_nobody_and_leave_nothing_behind(real: store.Release) -> None:
    with serve(real.directory) as server, server.client(headers={"accept": "application/json"}) as http:
        http.post("/link/table", data={"text": "a\nb"})
        before = (len(descendants(server.pid)), descriptors(server.pid))
        head = b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n'
        body = head + b"\r" * 5_000_000 + b"\r\n--x--\r\n"
        headers = {"content-type": "multipart/form-data; boundary=x"}
        answers: list[httpx.Response] = []
        thread = threading.Thread(
            target=lambda: answers.append(http.post("/link/table", content=body, headers=headers, timeout=60))
        )
        thread.start()
        slowest, begun = 0.0, time.monotonic()
        with server.client() as other:
            while thread.is_alive():
                slowest = max(slowest, other.get("/healthz").elapsed.total_seconds())
        assert answers[0].status_code in (413, 422)
        assert slowest < max(1.0, (time.monotonic() - begun) / 2)
        until(lambda: (len(descendants(server.pid)), descriptors(server.pid)) <= before)
        assert resident_mb(server.pid) < 400


@pytest.fixture
def limited(real: store.Release) -> Iterator[Callable[..., httpx.Client]]:
    """A client of a server with given limits."""
    opened: list[Any] = []

    def start(**settings: Any) -> httpx.Client:
        server = Server(create_app(Settings(**settings), real))
        opened.append(server.__enter__())
        client = httpx.Client(base_url=server.url, trust_env=False, timeout=30, headers={"accept": "application/json"})
        opened.append(client)
        return client

    yield start
    for thing in reversed(opened):
        thing.__exit__(None, None, None)


CSV = b"a,b\n1,222\n3,4444\n"


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"desk_file_bytes": 10}, "bytes"),
        ({"desk_rows": 1}, "rows"),
        ({"desk_columns": 1}, "columns"),
        ({"desk_cell_length": 3}, "cell"),
    ],
)
def test_limits_of_a_table(limited: Callable[..., httpx.Client], settings: dict[str, int], code: str) -> None:
    client = limited(**settings)
    answer = client.post("/link/table", files={"file": ("t.csv", CSV)})
    assert (answer.status_code, answer.json()["code"]) == (413, code)
    page = client.post("/link?lang=ja", files={"file": ("t.csv", CSV)}, headers={"accept": "text/html"})
    assert page.status_code == 413
    assert 'role="alert"' in page.text
    if code != "bytes":
        state = work(columns=["a", "b"], rows=[["1", "222"], ["3", "4444"]], decisions=[])
        answer = client.post("/link/result", json=state)
        assert (answer.status_code, answer.json()["code"]) == (413, code)


def test_limits_of_a_body_and_a_batch(limited: Callable[..., httpx.Client]) -> None:
    client = limited(desk_body_bytes=2_000, desk_batch=2)
    assert client.post("/link/match", json={"names": ["a", "b"]}).status_code == 200
    too_many = client.post("/link/match", json={"names": ["a", "b", "c"]})
    assert (too_many.status_code, too_many.json()["limit"]) == (413, 2)
    for options in (
        {"json": {"names": ["x" * 3_000]}, "url": "/link/match"},
        {"files": {"file": ("t.csv", b"x" * 3_000)}, "url": "/link/table"},
        {"data": {"text": "x" * 3_000}, "url": "/link/table"},
    ):
        answer = client.post(**options)
        assert (answer.status_code, answer.json()["type"]) == (413, "urn:aikg:problem:body-too-large")


def test_a_large_body_is_not_taken_for_a_large_head(limited: Callable[..., httpx.Client]) -> None:
    client = limited(max_head_bytes=2_000, desk_rows=100_000)
    for n in (1_000, 20_000, 100_000):
        answer = client.post("/link/table", files={"file": ("t.csv", b"name\n" + b"something\n" * n)})
        assert answer.status_code == 200, answer.text
    assert client.get("/link", headers={"x": "y" * 3_000}).status_code == 431


def test_a_workbook_that_unpacks_to_too_much(limited: Callable[..., httpx.Client]) -> None:
    client = limited(desk_unpacked_bytes=1_000)
    answer = client.post("/link/table", files={"file": ("t.xlsx", workbook([["a"], ["b"]]))})
    assert (answer.status_code, answer.json()["code"]) == (413, "unpacked")


def test_a_table_that_takes_too_much_memory(limited: Callable[..., httpx.Client]) -> None:
    client = limited(desk_memory_mb=64, desk_rows=10_000_000)
    answer = client.post("/link/table", files={"file": ("t.csv", b"a,b\n" + b"1,2\n" * 2_000_000)})
    assert (answer.status_code, answer.json().get("code")) == (413, "memory"), answer.text


def test_reading_and_matching_have_an_end(limited: Callable[..., httpx.Client]) -> None:
    client = limited(desk_seconds=0.001)
    answer = client.post("/link/table", files={"file": ("t.csv", CSV)})
    assert (answer.status_code, answer.json()["code"]) == (413, "memory")
    answer = client.post("/link/match", json={"names": ["理研の何か"] * 300})
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:aikg:problem:table-too-slow")


def test_tables_are_read_by_few_processes_and_one_too_many_is_sent_away(
    limited: Callable[..., httpx.Client],
) -> None:
    client = limited(desk_places=1, desk_queue=0)
    table = {"file": ("t.csv", b"a,b\n" + b"1,2\n" * 15_000)}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post("/link/table", files=table), range(8)))
    refused = [answer for answer in answers if answer.status_code != 200]
    assert 0 < len(refused) < 8
    assert all(answer.status_code in (429, 503) and int(answer.headers["retry-after"]) for answer in refused)
    assert client.post("/link/table", files=table).status_code == 200
