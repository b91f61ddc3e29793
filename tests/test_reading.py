"""What a reader of pages meets: lists in an order that one can follow, and names instead of codes."""

from __future__ import annotations

import re

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
