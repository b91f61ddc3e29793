"""Matching by joint evidence: a number never replaces a name, and a legal form is compared before it is left out."""

from __future__ import annotations

import pytest
from dataset import BASE, ROOT

from kg.linking import matching
from kg.linking.matching import Candidate, Matcher
from kg.project.reading import read_project
from kg.release import store

RIKEN, TOKYO, ROIS = "1030005007111", "5010005007398", "1012805001385"


@pytest.fixture(scope="module")
def matcher(real: store.Release) -> Matcher:
    return matching.open_matcher(real, read_project(ROOT).names)


def chosen(found: list[Candidate]) -> str:
    return next((c.iri.removeprefix(BASE.id) for c in found if c.match), "")


def features(found: list[Candidate], record: str) -> dict[str, object]:
    return {f.id: f.value for c in found if c.iri == BASE.id + record for f in c.features}


@pytest.mark.parametrize(
    ("name", "number", "record"),
    [
        ("株式会社日立製作所", RIKEN, "organization/riken"),
        ("理化学研究所 計算科学研究センター", RIKEN, "organization/riken"),
        ("東京大学地震研究所", TOKYO, "organization/university-of-tokyo"),
        ("東京大学医学部附属病院", TOKYO, "organization/university-of-tokyo"),
        ("国立遺伝学研究所", ROIS, "organization/rois"),
        ("東京工業大学", "9013205001282", "organization/science-tokyo"),
    ],
)
def test_a_number_beside_an_unknown_name_is_for_review(matcher: Matcher, name: str, number: str, record: str) -> None:
    found = matcher.match(name, kinds=["organization"], properties=[("kg:corporateNumber", number)])
    assert chosen(found) == ""
    assert features(found, record)["form"] == "identifier-only"


@pytest.mark.parametrize(
    "name", ["理化学研究所", "国立研究開発法人理化学研究所", "理研", "RIKEN", "（研）理化学研究所"]
)
@pytest.mark.parametrize("number", [RIKEN, "1030005007111.0", "'1030005007111", "1,030,005,007,111", "T1030005007111"])
def test_a_number_that_agrees_with_the_name_supports_it(matcher: Matcher, name: str, number: str) -> None:
    found = matcher.match(name, properties=[("corporateNumber", number)])
    assert chosen(found) == "organization/riken"
    assert features(found, "organization/riken")["property:corporateNumber"] is True


@pytest.mark.parametrize(
    "name",
    [
        *("株式会社東京大学", "(株)東大", "合同会社DOE", "学校法人理化学研究所", "ＪＳＴ株式会社", "㈱理化学研究所"),
        *(
            "学校法人東京大学",
            "理研（株）",
            "Tokyo University Co., Ltd.",
            "株式会社 産業技術総合研究所 人工知能研究センター",
        ),
    ],
)
def test_another_legal_form_is_another_corporation(matcher: Matcher, name: str) -> None:
    assert chosen(matcher.match(name)) == ""
    assert chosen(matcher.match(name, kinds=["organization"])) == ""
    assert chosen(matcher.match(name, properties=[("corporateNumber", RIKEN)])) == ""


@pytest.mark.parametrize(
    ("name", "record"),
    [
        *((f"（{form}）東京大学", "university-of-tokyo") for form in ("国", "大", "国大")),
        *(
            (f"{form}理化学研究所", "riken")
            for form in ("(独)", "（国研）", "独立行政法人", "国立研究開発法人　", "(研)")
        ),
        ("国立大学法人東京大学", "university-of-tokyo"),
        ("東京大学（国立大学法人）", "university-of-tokyo"),
        ("学校法人早稲田大学", "waseda-university"),
        ("(一社)人工知能学会", "jsai"),
        ("国立研究開発法人 産業技術総合研究所 人工知能研究センター", "airc"),
    ],
)
def test_the_bodys_own_legal_form_is_left_out(matcher: Matcher, name: str, record: str) -> None:
    assert chosen(matcher.match(name, kinds=["organization"])) == f"organization/{record}"


@pytest.mark.parametrize("number", ["1.03001E+12", "1030005007112", "-", "不明", "103000500711"])
def test_a_number_that_cannot_be_read_is_no_evidence_and_is_told(matcher: Matcher, number: str) -> None:
    found = matcher.match("理化学研究所", properties=[("corporateNumber", number)])
    assert chosen(found) == "organization/riken"
    told = features(found, "organization/riken")
    assert "property:corporateNumber" not in told
    assert told["unusable:corporateNumber"]


def test_a_number_of_another_corporation_contradicts_the_name(matcher: Matcher) -> None:
    found = matcher.match("理化学研究所", properties=[("corporateNumber", TOKYO)])
    assert chosen(found) == ""
    assert {c.iri.removeprefix(BASE.id) for c in found} >= {"organization/riken", "organization/university-of-tokyo"}


@pytest.mark.parametrize(
    ("pid", "written", "agrees"),
    [
        ("unitOf", "国立情報学研究所", True),
        ("unitOf", "情報・システム研究機構", True),
        ("hasMembership", "NII 教授", True),
        ("hasMembership", "国立情報学研究所", True),
        ("hasMembership", "学長", None),
        ("unitOf", "京都大学", None),
    ],
)
def test_the_body_and_the_post_of_a_person_are_evidence_for_it(
    matcher: Matcher, pid: str, written: str, agrees: bool | None
) -> None:
    found = matcher.match("相澤彰子", kinds=["person"], properties=[(pid, written)])
    assert chosen(found) == "person/akiko-aizawa"
    assert features(found, "person/akiko-aizawa").get(f"property:{pid}") is agrees


@pytest.mark.parametrize(
    ("name", "kind", "record"),
    [
        ("AI推進法", "", "law/ai-act"),
        ("イギリス", "", "place/united-kingdom"),
        ("アメリカ合衆国", "", "place/united-states"),
        ("UK", "", "place/united-kingdom"),
        ("欧州連合（EU）", "", "place/eu"),
        ("りかがくけんきゅうしょ", "", "organization/riken"),
        ("Rikagaku Kenkyujo", "", "organization/riken"),
        ("Tōkyō Daigaku", "", "organization/university-of-tokyo"),
        ("学校法人慶應義塾慶應義塾大学", "organization", "organization/keio-university"),
        ("国立大学法人東京大学東京大学", "organization", "organization/university-of-tokyo"),
        ("大学共同利用機関法人情報・システム研究機構", "organization", "organization/rois"),
        ("たけうちいちろう", "", "person/ichiro-takeuchi"),
        ("ICHIRO TAKEUCHI", "", "person/ichiro-takeuchi"),
        ("Ministry of Education, Culture, Sports, Science and Technology, Japan", "", "organization/mext"),
        ("MEXT (Japan)", "", "organization/mext"),
        ("MEXT, China", "", ""),
        ("University of Tokyo (UTokyo)", "", "organization/university-of-tokyo"),
        ("AI法第3条2項", "", "law/ai-act/article-3/paragraph-2"),
        ("AI Promotion Act, Art. 9", "", "law/ai-act/article-9"),
        ("Article 9 of the AI Promotion Act", "", "law/ai-act/article-9"),
        ("（令和7年法律第53号）", "", "law/ai-act"),
        ("第7期基本計画", "", "policy/sti-basic-plan-7"),
        ("AI for Science戦略方針", "", "policy/ai-for-science-strategy"),
        ("AI for Science strategy policy", "", "policy/ai-for-science-strategy"),
        ("人工知能基本計画", "", "policy/ai-basic-plan"),
        ("研究領域「信頼されるAIシステム」", "", "area/trusted-ai-systems"),
        ("雑誌「信頼されるAIシステム」", "", ""),
        ("Chat GPT", "", "product/chatgpt"),
        ("Society5.0", "", "concept/society-5-0"),
        ("株式会社慶應義塾慶應義塾大学", "organization", ""),
        ("Todai Kenkyujo", "organization", ""),
    ],
)
def test_readings_long_forms_and_writings_of_laws_and_plans_are_known(
    matcher: Matcher, name: str, kind: str, record: str
) -> None:
    assert chosen(matcher.match(name, kinds=[kind] if kind else [])) == record


@pytest.mark.parametrize(
    ("name", "kind", "record"),
    [
        ("信頼されるAIシステム", "theme", "area/trusted-ai-systems"),
        ("信頼されるAIシステム", "programme", "area/trusted-ai-systems"),
        ("信頼されるAIシステム", "concept", "area/trusted-ai-systems"),
        ("JST AIPネットワークラボ", "infrastructure", "organization/jst-aip-network-lab"),
        ("AI推進法", "policy", "law/ai-act"),
    ],
)
def test_a_kind_widens_to_related_kinds_at_a_lower_score(matcher: Matcher, name: str, kind: str, record: str) -> None:
    found = matcher.match(name, kinds=[kind])
    assert found[0].iri == BASE.id + record
    assert not found[0].match
    assert found[0].score < matcher.match(name)[0].score
    assert features(found, record)["kind"] is False


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("AI for Scienceの推進に向けた基本的な戦略方針（概要）", "policy/ai-for-science-strategy"),
        ("第7期科学技術・イノベーション基本計画 概要", "policy/sti-basic-plan-7"),
        ("人工知能基本計画の概要", "policy/ai-basic-plan"),
        ("人工知能基本計画（概要）", "policy/ai-basic-plan"),
    ],
)
def test_a_summary_of_a_plan_is_for_review_with_the_plan_first(matcher: Matcher, name: str, record: str) -> None:
    found = matcher.match(name)
    assert chosen(found) == ""
    assert found[0].iri == BASE.id + record
    assert features(found, record)["form"] == "edition"
