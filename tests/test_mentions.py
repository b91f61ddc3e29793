"""Names of records in running text: which are found, which are sure, and the page that marks them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from accessibility import violations
from dataset import BASE, PROJECT
from pyoxigraph import NamedNode, RdfFormat, parse
from visits import WIDTHS

from kg.linking.matching import open_matcher
from kg.linking.mentions import Mentions
from kg.names.folding import fold
from kg.release import search, store

REFUSED = "the server responded with a status of 422"
HTML = {"accept": "text/html"}
TEXT = (
    "科学技術振興機構（JST）は、理化学研究所、東京大学附属病院と協定を結んだ。\n"
    "人工知能関連技術の研究開発及び活用の推進に関する法律第9条による。\n"
    "国立情報学研究所が、富岳とDOEの計算機を使う。<script>alert(1)</script>\n"
)


@pytest.fixture(scope="module")
def mentions(real: store.Release) -> Mentions:
    names = PROJECT.names
    index = search.open_index(real, frozenset(names.identifiers.of_properties))
    return Mentions(real, index.entries, open_matcher(real, names))


def found(mentions: Mentions, text: str) -> dict[str, str]:
    """What is written → the record, with a question mark for one that is not sure."""
    return {text[m.start : m.end]: ("?" if m.doubt else "") + m.iri.removeprefix(BASE.id) for m in mentions.find(text)}


TOKYO, RIKEN = "organization/university-of-tokyo", "organization/riken"
UNIT = "国立情報学研究所 大規模言語モデル研究開発センター"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("東京大学は、理化学研究所と連携した。", {"東京大学": TOKYO, "理化学研究所": RIKEN}),
        # In any width, with spaces and line breaks between its characters.
        ("東 京 大\n学と理化学研究所", {"東 京 大\n学": TOKYO, "理化学研究所": RIKEN}),
        ("ＲＩＫＥＮの施設", {"ＲＩＫＥＮ": RIKEN}),
        ("国立研究開発法人理化学研究所が主催", {"国立研究開発法人理化学研究所": RIKEN}),
        ("東京大学教授、東京大学等、東京大学令和7年度", {"東京大学": TOKYO}),
        # The longest name, and the article with its law.
        (
            "人工知能関連技術の研究開発及び活用の推進に関する法律第9条",
            {"人工知能関連技術の研究開発及び活用の推進に関する法律第9条": "law/ai-act/article-9"},
        ),
        ("文部科学省研究振興局が担う", {"文部科学省研究振興局": "organization/mext-research-promotion-bureau"}),
        (
            "東京大学 次世代知能科学研究センターは",
            {"東京大学 次世代知能科学研究センター": "organization/utokyo-ai-center"},
        ),
        ("岡田康志教授", {"岡田康志教授": "person/yasushi-okada"}),
        ("The University of Tokyo and RIKEN agreed.", {"The University of Tokyo": TOKYO, "RIKEN": RIKEN}),
        ("at the University of Tokyo.", {"the University of Tokyo": TOKYO}),
        ("RIKEN’s work", {"RIKEN": RIKEN}),
        # An abbreviation beside its name, and afterwards.
        ("科学技術振興機構（JST）は…JSTが", {"科学技術振興機構": "organization/jst", "JST": "organization/jst"}),
    ],
)
def test_what_is_sure(mentions: Mentions, text: str, expected: dict[str, str]) -> None:
    assert found(mentions, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        # Units, hospitals, presses, companies of like name, and words that contain a short name.
        *("東京大学附属病院", "東京大学出版会", "株式会社東京大学", "（株）東京大学", "北東京大学", "旧文部科学省"),
        *("東京大会", "有名大学", "東大阪市", "理研ビタミン", "中国電力", "中国地方", "日本銀行", "富岳三十六景"),
        *("人工知能戦略本部長", "京都大学大学院情報学研究科", "富岳NEXT2"),
        *("㈱東京大学", "東京大学 医学部", "NII 人工知能研究センター", "日本たばこ産業", "日本さくらの会"),
        *("株式会社AAIC Japan", "Royal Society of Edinburgh", "理研-富士通連携センター"),
        *("University of Tokyo Hospital", "The Bank of Japan", "RIKEN Center for Something", "Kyoto RIKEN"),
        # Abbreviations alone may mean something else.
        *("9:00 JST", "A DOE study of three factors", "IPAを飲む", "EUのAI法", "戦略方針を定める"),
        # Common words, captions of articles, parts that are named with their owner only.
        *(
            "計算資源と人材",
            "目的、定義、国際協力",
            "基盤研究と移行研究",
            "生命と情報",
            "信頼性と透明性",
            "Use AI to control",
        ),
        *("岸田さん", "act on the paper", "the riken", "SINETS", "sinet"),
    ],
)
def test_what_is_never_sure(mentions: Mentions, text: str) -> None:
    sure = [text[m.start : m.end] for m in mentions.find(text) if not m.doubt]
    # Two names in one text may be right; the doubtful one is not among them.
    assert set(sure) <= {"EU"}


def test_a_text_without_end_is_read_in_time(mentions: Mentions) -> None:
    for text in (
        "東京大学X" * 10_000,
        "東" * 50_000,
        "AI " * 16_000,
        "".join(f"東京大学第{n}部" for n in range(6_000)),
    ):
        begun = time.process_time()
        mentions.find(text)
        assert time.process_time() - begun < 5


def test_each_character_is_traced_to_its_place() -> None:
    text = "ｶﾞ　Ａ  b\n東 京か\u3099㈱"
    folded = fold(text)
    assert folded.text == "ガa b東京が(株)"
    assert [text[a:b] for a, b in zip(folded.starts, folded.ends, strict=True)][:3] == ["ｶﾞ", "Ａ", " "]


# ---- the page ----


def marked(page: Any) -> list[str]:
    return page.locator(".named:not(.off)").all_inner_texts()


@pytest.mark.browser
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_a_text_becomes_a_linkset_and_json_ld(visit: Callable[..., Any], scripts: bool) -> None:
    """Mark, uncheck one, keep a doubtful one; an address that is missing loses nothing."""
    page = visit("/link?lang=en", expected=REFUSED, java_script_enabled=scripts)
    page.click("main a[href*='/mentions']")
    page.fill("#ui-mentions-text", TEXT)
    page.click(".go button")
    assert "富岳" in marked(page)
    assert "東京大学" not in marked(page)
    page.uncheck("input[name='record:infrastructure/fugaku']")
    page.check("input[name='record:organization/doe']")
    if scripts:
        assert "富岳" not in marked(page)
        assert "DOE" in marked(page)
    page.click("button[value=ttl]")
    page.wait_for_selector(".problem[role=alert]")
    assert page.get_attribute("#ui-mentions-page", "aria-invalid") == "true"
    assert page.evaluate("document.activeElement.id") == "ui-mentions-page"
    assert "富岳" not in marked(page)
    page.fill("#ui-mentions-page", "https://ministry.example/news/1")
    links = {
        (q.subject.value, q.object.value.removeprefix(BASE.id))
        for q in parse(taken(page, "ttl"), format=RdfFormat.TURTLE)
        if q.predicate.value == "https://schema.org/mentions"
    }
    expected = {*("organization/jst", RIKEN, "law/ai-act/article-9", "organization/nii", "organization/doe")}
    assert links == {("https://ministry.example/news/1", path) for path in expected}
    document = taken(page, "page")
    assert {m["@id"].removeprefix(BASE.id) for m in json.loads(document)["mentions"]} == expected
    # The same statements, without a context to fetch.
    read = list(parse(document, format=RdfFormat.JSON_LD))
    assert {q.object.value.removeprefix(BASE.id) for q in read if q.predicate.value.endswith("/mentions")} == expected


def taken(page: Any, name: str) -> bytes:
    with page.expect_download() as waiting:
        page.click(f"button[value={name}]")
    return Path(waiting.value.path()).read_bytes()


@pytest.mark.browser
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_marked_text_is_a_whole_page(visit: Callable[..., Any], language: str, width: str) -> None:
    page = visit(f"/mentions?lang={language}", width, color_scheme="dark" if width == "phone" else "light")
    page.fill("#ui-mentions-text", TEXT + "長い行" * 400)
    page.focus(".go button")
    page.keyboard.press("Enter")
    page.wait_for_selector(".marked-text")
    # A mark leads to the box of its record, which the keyboard then changes.
    page.focus(".named >> nth=0")
    page.keyboard.press("Enter")
    page.wait_for_selector("input[name='record:organization/jst']:focus")
    page.keyboard.press("Space")
    assert not {"科学技術振興機構", "JST"} & set(marked(page))
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width][0]
    assert violations(page, "best-practice") == []


@pytest.mark.browser
def test_the_source_of_a_page_is_pasted_as_its_text(visit: Callable[..., Any]) -> None:
    # The browser says that it ignores the styles of the pasted source.
    page = visit("/mentions?lang=en", expected="Content Security Policy")
    source = "<!doctype html><style>p {}</style><p>理化<b>学研</b>究所</p><img src=x onerror='alert(1)'><p>富岳</p>"
    page.evaluate(
        """source => { const data = new DataTransfer(); data.setData('text/plain', source);
        document.querySelector('#ui-mentions-text').dispatchEvent(
          new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true})); }""",
        source,
    )
    assert page.input_value("#ui-mentions-text") == "理化学研究所\n富岳"


# ---- requests ----


def test_positions_as_json(real_http: httpx.Client) -> None:
    answer = real_http.post("/mentions", data={"text": TEXT}, headers={"accept": "application/json"})
    found = {TEXT[m["start"] : m["end"]]: m for m in answer.json()["mentions"]}
    assert found["理化学研究所"]["path"] == RIKEN
    assert found["理化学研究所"]["sure"]
    assert found["東京大学"]["doubt"] == "part"
    assert found["DOE"]["doubt"] == "short"


@pytest.mark.parametrize(
    ("form", "status", "kind"),
    [
        ({"text": " \n"}, 422, "no-text"),
        ({"text": "あ" * 50_001}, 413, "text-too-long"),
    ],
)
def test_a_text_that_cannot_be_taken_says_why(
    real_http: httpx.Client, form: dict[str, str], status: int, kind: str
) -> None:
    answer = real_http.post("/mentions?lang=en", data=form, headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (status, kind)
    shown = real_http.post("/mentions?lang=en", data=form, headers=HTML)
    assert shown.status_code == status
    assert 'aria-invalid="true"' in shown.text
    assert form["text"].strip()[:20] in shown.text


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ({"page": "https://a.example/"}, "no-records"),
        ({"page": "https://a.example/", "record:law/none": "1"}, "no-records"),
        ({"page": "not an address", "record:law/ai-act": "1"}, "bad-page"),
        ({"record:law/ai-act": "1"}, "no-page"),
        ({"format": "xls", "record:law/ai-act": "1"}, "bad-parameter"),
    ],
)
def test_links_that_cannot_be_made_say_why(real_http: httpx.Client, form: dict[str, str], kind: str) -> None:
    answer = real_http.post("/mentions/links", data=form, headers={"accept": "*/*"})
    assert answer.json()["type"].rpartition(":")[2] == kind


def test_pasted_markup_stays_text(real_http: httpx.Client) -> None:
    evil = '</textarea></div><script>alert(1)</script>"><img src=x> 理化学研究所'
    form = {"text": evil, "page": '"><script>alert(2)</script>', "record:organization/riken": "1"}
    for path in ("/mentions", "/mentions/links"):
        text = real_http.post(path, data=form, headers=HTML).text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "&lt;script&gt;alert(1)" in text


def test_a_person_stands_behind_what_was_not_sure(real_http: httpx.Client) -> None:
    form = {
        "page": "https://a.example/",
        "record:organization/doe": "1",
        "offered:organization/doe": "unsure",
        "record:organization/riken": "1",
        "offered:organization/riken": "sure",
    }
    read = list(parse(real_http.post("/mentions/links", data=form).content, format=RdfFormat.TURTLE))
    activity = NamedNode("http://www.w3.org/ns/prov#Activity")
    assert sum(q.object == activity for q in read) == 2
