"""What a reader of pages meets: lists in an order that one can follow, and names instead of codes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.i18n.collation import syllabic

HTML = {"accept": "text/html"}


def listed(http: httpx.Client, name: str, language: str) -> list[str]:
    """The entries of a list of records, as text."""
    text = http.get(f"/id/{name}?lang={language}", headers=HTML).text
    (members,) = re.findall(r'<ul class="members">(.*?)</ul>', text, re.DOTALL)
    return [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", entry)).strip() for entry in members.split("<li")[1:]]


def order(entries: list[str], *wanted: str) -> list[int]:
    return [next(i for i, entry in enumerate(entries) if name in entry) for name in wanted]


@pytest.mark.parametrize(
    ("name", "language", "wanted"),
    [
        # By family name, whether its reading is stated in kana or only in Latin letters, each with its bodies.
        ("person", "ja", ("相澤 彰子 組織 国立情報学研究所", "荒井 迅", "岡田 康志", "杉田 有治", "東野 輝夫")),
        ("person", "en", ("Akiko Aizawa", "Zin Arai", "Takahiro Hara Organisation The University of Osaka")),
        ("organization", "ja", ("AISI", "JST AIP", "青森大学", "英国政府", "京都大学", "内閣官房", "早稲田")),
        ("organization", "en", ("Cabinet", "Digital Agency", "RIKEN", "Royal Society")),
        ("event", "ja", ("ChatGPTの公開 公表 日付 2022年", "AISIの設立の表明", "AI法の成立", "AI法の全面施行")),
        ("event", "en", ("Release of ChatGPT", "Announcement of AISI", "Passing of the AI Promotion Act")),
        ("passage", "ja", (" 1–2行", " 10行", " 13行", " 20–21行")),
        ("programme", "ja", ("122億円", "94.42億円", "13億円", "8億円")),
    ],
)
def test_lists_are_in_the_order_of_the_reader(
    real_http: httpx.Client, name: str, language: str, wanted: tuple[str, ...]
) -> None:
    """Names by the kana syllabary or the alphabet, events by date, programmes by amount, passages by number."""
    places = order(listed(real_http, name, language), *wanted)
    assert places == sorted(places)


def test_lists_as_data_have_one_order(real_http: httpx.Client) -> None:
    lists = [
        [m["id"] for m in real_http.get(f"/id/person?lang={language}&format=json").json()["members"]]
        for language in ("ja", "en")
    ]
    assert lists[0] == lists[1] == sorted(lists[0])


def test_kana_latin_readings_and_kanji_are_one_order() -> None:
    """A name without a reading stands where its first kanji is in JIS X 0208."""
    names = {"漢字": "かんじ", "岡田": "Okada", "哀川": "", "岡部": "おかべ", "秋山": "Akiyama", "AI": ""}
    ordered = sorted(names, key=lambda name: syllabic(name, names[name]))
    assert ordered == ["AI", "秋山", "哀川", "岡田", "岡部", "漢字"]


def section(text: str, start: str, end: str) -> str:
    """What a page says between two marks, as text."""
    found = text[text.index(start) : text.index(end, text.index(start))]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found))


@pytest.mark.parametrize(
    ("language", "wanted"),
    [
        (
            "ja",
            (
                "第1章 総則",
                "第9条 連携の強化 ものとする 原文を読む",
                "国は産学官連携を",
                "条文 L29",
                "引用する事業",
                "第2章",
                "附則",
            ),
        ),
        (
            "en",
            ("Chapter 1", "Article 9 Strengthening of Coordination shall", "The State shall", "Quoted by", "Chapter 4"),
        ),
    ],
)
def test_a_law_is_read_by_chapter_and_article(real_http: httpx.Client, language: str, wanted: tuple[str, ...]) -> None:
    """Each article with who must do what, how firmly, where its text is, and who quotes it, in the order of the law."""
    text = real_http.get(f"/page/law/ai-act?lang={language}", headers=HTML).text
    said = section(text, 'class="toc"', "</section>")
    place = 0
    for words in wanted:
        place = said.index(words, place)
    assert 'href="https://laws.e-gov.go.jp/law/507AC0000000053#Mp-Ch_1-At_9"' in text


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("programme/aip", "2026年度 当初予算 122億円 検討案 L523–529 控え 所管 文部科学省 検討案 L533"),
        ("law/ai-act", "法令番号 令和七年法律第五十三号 条文 L1–2"),
        ("person/yasushi-okada", "教授 東大"),
        ("organization/riken-aip", "上位の組織 理研 検討案 L123"),
        ("policy/ai-basic-plan-2", "発行・公表 2026年7月14日"),
        ("event/ai-act-promulgation", "日付 2025年6月4日"),
    ],
)
def test_a_record_begins_with_its_key_facts(real_http: httpx.Client, path: str, wanted: str) -> None:
    """Before all else, each with the lines or the register that says so, the money first."""
    text = real_http.get(f"/page/{path}?lang=ja", headers=HTML).text
    assert section(text, 'class="key"', "</dl>").partition("> ")[2].strip().startswith(wanted)
    assert text.index('class="key"') < text.index('id="ui-incoming"')


def test_budgets_say_what_changed_and_hang_the_part_from_its_whole(real_http: httpx.Client) -> None:
    """The heading is computed; the part is named as one and no sum is given; each amount has its lines."""
    text = real_http.get("/charts/budgets?lang=ja", headers=HTML).text
    heading = section(text, 'id="ui-budgets-by-programme"', "</h2>").replace(" ", "")
    assert "は10億円増の122億円、" in heading
    assert "8億円（前年度も8億円）" in heading
    figure = section(text, "<figure", "</figure>")
    assert figure.index("122億円") < figure.index("上の一部。足さない") < figure.index("94.42億円")
    for words in ("推計を含む", "検討案 L523–529", "足さないでください", "資料に金額の記載がないもの"):
        assert words in figure
    for sum_ in ("216.42億円", "196.4億円"):
        assert sum_ not in text
    programme = section(real_http.get("/page/programme/aip?lang=ja", headers=HTML).text, "<figure", "</figure>")
    assert programme.index("122億円") < programme.index("上の一部。足さない") < programme.index("94.42億円")


@pytest.mark.browser
@pytest.mark.parametrize(
    ("path", "section_of", "kind", "begins"),
    [
        ("/charts/budgets", "figure", "svg", b"<svg"),
        ("/charts/budgets", "figure", "png", b"\x89PNG"),
        ("/charts/strategies", "section:has(#ui-foreign-strategies)", "svg", b"<svg"),
    ],
)
def test_a_chart_is_saved_as_it_is_seen(
    visit: Callable[..., Any], path: str, section_of: str, kind: str, begins: bytes
) -> None:
    page = visit(f"{path}?lang=ja")
    with page.expect_download() as saving:
        page.locator(f"{section_of} [data-save={kind}]").first.click()
    saved = Path(saving.value.path()).read_bytes()
    assert saved.startswith(begins)
    assert len(saved) > 2_000


@pytest.mark.browser
def test_strategies_stand_in_lanes_by_country(visit: Callable[..., Any]) -> None:
    page = visit("/charts/strategies?lang=ja")
    words = page.locator("section:has(#ui-foreign-strategies) .chart svg text").all_text_contents()
    lanes = [
        word for word in words if word in ("カナダ", "中国", "EU", "ドイツ", "韓国", "シンガポール", "英国", "米国")
    ]
    assert len(lanes) == 8
    assert words.index("中国") < next(i for i, word in enumerate(words) if "次世代人工知能" in word)


def ticks(text: str, kind: str) -> int:
    """How many lines the paths of the strips of a page draw."""
    return sum(path.count("m") for path in re.findall(rf'class="{kind}" d="([^"]*)"', text))


def test_the_strip_has_every_line_and_marks_those_of_the_record(real_http: httpx.Client) -> None:
    """Front page: all lines of both sources; records, passages and topics: their own lines; sections as a list."""
    front = real_http.get("/?lang=ja", headers=HTML).text
    assert ticks(front, "tick") == 773 + 91
    assert ticks(front, "hit") == 0
    hrefs = re.findall(r'href="([^"]+)"', front[front.index('class="strip-list"') :].partition("</ol>")[0])
    assert len(hrefs) == 17
    assert real_http.get(hrefs[-1].replace("&amp;", "&"), headers=HTML).status_code == 200
    passage = real_http.get("/page/passage/mext-2026-06-29/551-555?lang=en", headers=HTML).text
    assert ticks(passage, "hit") == 5
    assert "the red ticks are the 5 lines of this record, of 773" in passage
    for path in ("programme/aip", "vocabulary/topics/computing-resources", "law/ai-act"):
        assert ticks(real_http.get(f"/page/{path}?lang=ja", headers=HTML).text, "hit") > 3


@pytest.mark.parametrize(
    ("query", "kind", "instead"),
    [
        ("SELECT * { ?s a kg:Law }", "term", "eli:LegalResource"),
        ("SELECT * { ?s kg:country ?c }", "term", "kg:jurisdiction"),
        ("ASK { ?s a kg:Programe ; kg:budjet ?b }", "term", "kg:Programme, kg:budget"),
        ('SELECT * { ?s skos:altLabel "理研" }', "language", '"理研"@ja'),
        ('SELECT * { ?s skos:altLabel "理研"@en }', "language", '"理研"@ja'),
        ('SELECT * { ?s kg:since "2016" }', "datatype", '"2016"^^<http://www.w3.org/2001/XMLSchema#gYear>'),
        ("CONSTRUCT WHERE { ?s kg:since 2016 }", "datatype", '"2016"^^<http://www.w3.org/2001/XMLSchema#gYear>'),
        ("PREFIX schema: <http://schema.org/> SELECT * { ?s schema:currency ?c }", "scheme", "<https://schema.org/>"),
        ("SELECT * { GRAPH ?g { ?o kg:hasArm programme:aip } }", "direction", "^kg:hasArm"),
    ],
)
def test_an_empty_answer_is_repaired(real_http: httpx.Client, query: str, kind: str, instead: str) -> None:
    """The first repair is the one that is meant, and its query has rows."""
    repair = real_http.get("/why", params={"query": query, "lang": "ja"}).json()["repairs"][0]
    assert (repair["kind"], repair["instead"]) == (kind, instead)
    answer = real_http.get("/sparql", params={"query": repair["query"]})
    assert answer.status_code == 200
    assert '"bindings":[]' not in answer.text.replace(" ", "")
    assert '"boolean":false' not in answer.text.replace(" ", "")


def test_what_the_sources_do_not_say_is_said(real_http: httpx.Client) -> None:
    query = "SELECT * { law:ai-act kg:quotes ?what }"
    assert "罰則" in str(real_http.get("/why", params={"query": query}).json()["not_in_source"])
    page = real_http.get("/sparql", params={"query": query, "format": "html", "lang": "en"}, headers=HTML).text
    assert "What the sources do not say of" in page
    assert "Any penalty" in page


def test_links_from_elsewhere_are_named_from_this_end(real_http: httpx.Client) -> None:
    """By the inverse property, or in words; what has no name of its own is shown by its term, not by a code."""
    law = real_http.get("/page/law/ai-act?lang=en", headers=HTML).text
    links = section(law, 'id="ui-incoming"', 'class="all"')
    assert "is cited by" in links
    assert "is mentioned in" in links
    topic = real_http.get("/page/vocabulary/topics/computing-resources?lang=ja", headers=HTML).text
    assert "これを「主題」とするもの" in section(topic, 'id="ui-incoming"', 'class="all"')
    for text in (topic, real_http.get("/page/concordance/mext-2026-06-29?lang=ja", headers=HTML).text):
        shown = re.sub(r"<script.*?</script>|<[^>]+>", " ", text, flags=re.DOTALL)
        assert not re.search(r"concordance/mext-2026-06-29#[a-z]", shown)


@pytest.mark.browser
@pytest.mark.parametrize("path", ["/id/person", "/page/law/ai-act", "/charts/strategies", "/explore?node=law/ai-act"])
def test_fingers_reach_what_is_listed(browser: Any, real_server: str, path: str) -> None:
    """Links in lists and tables, and buttons, are 44 px high where a finger points."""
    context = browser.new_context(base_url=real_server, viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(f"{path}{'&' if '?' in path else '?'}lang=ja")
    page.wait_for_load_state("networkidle")
    small = page.evaluate(
        """selector => [...document.querySelectorAll(selector)]
             .filter((e) => e.checkVisibility() && e.offsetHeight < 44 && !e.matches(".ev, .kind a, .via a"))
             .map((e) => e.outerHTML.slice(0, 90))""",
        "main :is(.members, .toc .art, .says, .grid td, .inward .value, .record h4) a, main button",
    )
    context.close()
    assert small == []


def test_forms_have_names_and_take_them(real_http: httpx.Client) -> None:
    """No field of a form shows a code where a name means the same record alone."""
    name = {"article": "AI法 第14条"}
    assert "programme/aip" in real_http.get("/queries/who-quotes-an-article", params={**name, "format": "csv"}).text
    query = real_http.get("/queries/who-quotes-an-article?lang=ja&format=html", headers=HTML).text
    assert 'name="article" value="AI法 第9条"' in query
    path = "/explore?from=organization/university-of-tokyo&to=law/ai-act&lang=en"
    ends = re.findall(
        r'<input id="ui-explore-(?:from|to)"[^>]* value="([^"]*)"', real_http.get(path, headers=HTML).text
    )
    assert ends[0] == "The University of Tokyo"
    assert "/" not in ends[1]
    suggested = real_http.get("/suggest?q=Article+14&lang=en").json()["suggestions"][0]
    assert suggested["field"] == "AI Promotion Act, Article 14"


def test_an_error_is_reported_in_words(real_http: httpx.Client) -> None:
    """Without an address for reports there is a text to copy, which names record and release."""
    page = real_http.get("/about?record=law/ai-act&lang=en", headers=HTML).text
    told = section(page, 'id="ui-report"', "<h2>")
    assert "What is wrong" in told
    assert "https://w3id.org/aikg/id/law/ai-act" in told
    assert told.index("What is right") < told.index(".yaml")


@pytest.mark.browser
def test_labels_of_citations_do_not_cover_each_other(visit: Callable[..., Any]) -> None:
    page = visit("/charts/citations?lang=ja")
    boxes = [label.bounding_box() for label in page.locator(".chart svg text").all()]
    assert len(boxes) > 20
    for i, one in enumerate(boxes):
        for other in boxes[i + 1 :]:
            apart = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
            assert apart or abs(one["y"] - other["y"]) >= one["height"] * 0.9
    assert page.evaluate("shifts") < 0.01
