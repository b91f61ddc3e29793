"""Matching: measured on labelled names; each form of a name; evidence against a match."""

from __future__ import annotations

import sys
from collections import Counter

import matching as bench
import pytest
from dataset import BASE, ROOT
from matching import Label, Quality, Verdict

from kg.linking import matching
from kg.linking.matching import Candidate, Matcher
from kg.names import forms, law_numbers, normalization, numerals, romanization
from kg.names.identifiers import Identifier
from kg.names.law_numbers import LawNumber
from kg.names.name_profile import NameProfile
from kg.project.reading import read_project
from kg.release import store


@pytest.fixture(scope="module")
def names() -> NameProfile:
    return read_project(ROOT).names


@pytest.fixture(scope="module")
def matcher(real: store.Release, names: NameProfile) -> Matcher:
    return matching.open_matcher(real, names)


@pytest.fixture(scope="module")
def verdicts(matcher: Matcher) -> list[Verdict]:
    return bench.judge(matcher, bench.labels())


def chosen(candidates: list[Candidate]) -> str:
    return next((c.iri.removeprefix(BASE.id) for c in candidates if c.match), "")


# ---- measured ----


def test_the_labelled_set_is_large_and_hard() -> None:
    known = bench.labels()
    assert len(known) >= 400
    assert len({(label.name, label.kind) for label in known}) == len(known)
    assert sum(not label.expected for label in known) >= 100
    assert min(Counter(label.half for label in known).values()) >= 200


def test_every_labelled_record_exists(matcher: Matcher) -> None:
    missing = {
        label.expected for label in bench.labels() if label.expected and not matcher.identify(label.expected).iris
    }
    assert missing == set()


@pytest.mark.parametrize("half", bench.HALVES)
def test_automatic_matches_are_right_and_most_are_found(verdicts: list[Verdict], half: str) -> None:
    measured: Quality = bench.quality([v for v in verdicts if v.label.half == half])
    print(f"\n{half}: {measured}", file=sys.__stderr__)
    wrong = [
        (v.label.name, v.label.kind, v.chosen) for v in verdicts if v.label.half == half and v.chosen and not v.is_right
    ]
    assert measured.precision >= 0.99, wrong
    assert measured.recall >= 0.95


@pytest.mark.parametrize("half", bench.HALVES)
def test_real_payees_and_hard_names_make_no_false_link(matcher: Matcher, half: str) -> None:
    known = [label for label in bench.widened() if label.half == half]
    assert len(known) >= 1_500
    assert sum(not label.expected for label in known) >= 1_000
    verdicts = bench.judge(matcher, known)
    measured = bench.quality(verdicts)
    print(f"\nwidened, {half}: {measured}", file=sys.__stderr__)
    assert measured.precision >= 0.995, [(v.label.name, v.label.number, v.chosen) for v in verdicts if not v.is_right]
    assert measured.recall >= 0.95


def test_scores_mean_what_they_say(verdicts: list[Verdict]) -> None:
    """Most first candidates with a high score are right, few of those with a low score."""
    shares = {band: share for band, _, share in bench.calibration(verdicts)}
    assert shares["90–100"] >= 0.98
    assert max(share for band, share in shares.items() if band != "90–100") <= 0.5


def test_measures_count_a_wrong_match_against_both() -> None:
    def verdict(expected: str, found: str) -> Verdict:
        candidate = Candidate(BASE.id + found, "x", 100.0, True, (), "")
        return Verdict(Label("n", "", expected, "", "tuning"), found, (candidate,) if found else ())

    measured = bench.quality([verdict("a/b", "a/b"), verdict("a/b", "a/c"), verdict("a/b", ""), verdict("", "a/b")])
    assert (measured.precision, measured.recall) == (1 / 3, 1 / 3)


def test_every_name_of_a_record_finds_it_by_its_kind(matcher: Matcher, real: store.Release) -> None:
    """A name of two records returns both as candidates and neither as a match."""
    from kg.release import search

    names = [e for e in search.open_index(real).entries if e.role not in ("description", "identifier")]
    lost = []
    for entry in names:
        found = matcher.match(entry.text, kinds=[entry.kind], limit=20)
        if entry.iri not in {c.iri for c in found} or (
            chosen(found) and not any(c.match and c.iri == entry.iri for c in found)
        ):
            lost.append((entry.iri, entry.text))
    assert lost == []


@pytest.mark.parametrize("kinds", [[], ["organization"], ["nonsense"]])
def test_candidates_are_sorted_limited_and_at_most_one_matches(matcher: Matcher, kinds: list[str]) -> None:
    for label in bench.labels()[::7]:
        found = matcher.match(label.name, kinds=kinds, limit=4)
        scores = [c.score for c in found]
        assert scores == sorted(scores, reverse=True), label.name
        assert len(found) <= 4
        assert sum(c.match for c in found) <= 1
        assert all(0 <= c.score <= 100 for c in found)
        of_others = [c for c in found if kinds and c.kind not in kinds]
        assert all(not c.match and ("kind", False) in {(f.id, f.value) for f in c.features} for c in of_others)
        assert len({c.iri for c in found}) == len(found)
        assert all({"form", "role"} <= {f.id for f in c.features} for c in found)


@pytest.mark.parametrize(
    "text", ["", " ", "・", "\x00", "a" * 5000, "理" * 3000, "😀", "(", "（", "第" * 400, "1" * 500, "(" * 300]
)
def test_any_text_may_be_asked(matcher: Matcher, text: str) -> None:
    assert chosen(matcher.match(text)) == ""
    assert matcher.identify(text).iris == ()


# ---- traps ----


def test_a_name_of_three_things_is_resolved_by_kind(matcher: Matcher) -> None:
    """AIP is the project; it is also a short name of the centre and the lab."""
    found = matcher.match("AIP")
    assert chosen(found) == ""
    assert {c.iri.removeprefix(BASE.id) for c in found} == {
        *("programme/aip", "organization/riken-aip", "organization/jst-aip-network-lab")
    }
    assert chosen(matcher.match("AIP", kinds=["programme"])) == "programme/aip"
    assert chosen(matcher.match("AIP", kinds=["organization"])) == ""
    assert chosen(matcher.match("理研AIP")) == "organization/riken-aip"


def test_an_owner_that_does_not_have_the_unit_is_no_match(matcher: Matcher) -> None:
    assert chosen(matcher.match("産総研 人工知能研究センター")) == "organization/airc"
    assert chosen(matcher.match("東京大学 人工知能研究センター")) == ""
    assert (
        chosen(matcher.match("情報・システム研究機構 国立情報学研究所 大規模言語モデル研究開発センター"))
        == "organization/nii-llmc"
    )


def test_brackets_must_agree(matcher: Matcher) -> None:
    assert chosen(matcher.match("国立情報学研究所（NII）")) == "organization/nii"
    assert chosen(matcher.match("理研AIP（革新知能統合研究センター）")) == "organization/riken-aip"
    assert (
        chosen(matcher.match("国立情報学研究所 大規模言語モデル研究開発センター（NII LLMC）"))
        == "organization/nii-llmc"
    )
    assert chosen(matcher.match("京都大学（京都橘大学）")) == ""
    assert chosen(matcher.match("東京大学（柏キャンパス）")) == ""


def test_a_part_of_a_name_is_not_the_name(matcher: Matcher) -> None:
    """Posts of a body, and texts that only look like a short name of an owner."""
    assert chosen(matcher.match("情報委員会委員長")) == ""
    assert chosen(matcher.match("産研 人工知能研究センター")) == ""
    assert chosen(matcher.match("AIS 人工知能研究センター")) == ""
    assert chosen(matcher.match("岡田康志教授")) == "person/yasushi-okada"


def test_a_common_word_is_no_part_of_a_document(matcher: Matcher) -> None:
    """Short names of parts match with their owner, or if their kind is given."""
    assert chosen(matcher.match("研究基盤")) == ""
    assert chosen(matcher.match("基盤研究")) == ""
    assert chosen(matcher.match("基盤研究", kinds=["scheme"])) == "scheme/cronos-basic"
    assert chosen(matcher.match("CRONOS 基盤研究")) == "scheme/cronos-basic"
    assert chosen(matcher.match("機械知能部門")) == "organization/utokyo-ai-center/machine-intelligence"


def test_the_owner_of_an_unknown_unit_is_offered(matcher: Matcher) -> None:
    for name in ("文部科学省 科学技術・学術政策局", "文科省科学技術・学術政策局"):
        found = matcher.match(name)
        assert (chosen(found), BASE.id + "organization/mext" in {c.iri for c in found}) == ("", True)
    assert matcher.match("文部科学省 科学技術・学術政策局", kinds=["law"]) == []
    assert chosen(matcher.match("文部科学省 科学技術・学術政策局", properties=[("jurisdiction", "日本")])) == ""


def test_a_known_unit_is_found_with_its_owner(matcher: Matcher) -> None:
    for name in ("文部科学省 研究振興局", "文科省研究振興局"):
        assert chosen(matcher.match(name)) == "organization/mext-research-promotion-bureau"


def test_a_bare_number_needs_a_kind(matcher: Matcher) -> None:
    assert chosen(matcher.match("1666")) == ""
    assert matcher.match("1666")[0].iri == BASE.id + "programme/aip"
    assert chosen(matcher.match("1666", kinds=["programme"])) == "programme/aip"
    assert chosen(matcher.match("予算事業ID 1666")) == "programme/aip"


# ---- properties ----


@pytest.mark.parametrize(
    ("name", "properties", "expected"),
    [
        # Properties distinguish two records with the same name.
        ("AIP", [("unitOf", "理研")], "organization/riken-aip"),
        ("AIP", [("unitOf", "organization/jst")], "organization/jst-aip-network-lab"),
        ("AIP", [("unitOf", "東京大学")], ""),
        ("AIP", [("reviewProjectId", "1666")], "programme/aip"),
        ("AIP", [("since", "2016")], "organization/riken-aip"),
        # One of several values is enough.
        ("AIP", [("unitOf", "東京大学"), ("unitOf", "理研")], "organization/riken-aip"),
        # An identifier alone, beside a name that is not known, and against the name.
        ("", [("corporateNumber", "T1030005007111")], "organization/riken"),
        ("理研（旧称）", [("corporateNumber", "1030005007111")], ""),
        # The number of the corporation beside the name of its unit.
        ("統計数理研究所", [("corporateNumber", "1012805001385")], "organization/ism"),
        ("京都大学", [("corporateNumber", "5010005007398")], ""),
        ("京都大学", [("corporateNumber", "3130005005532")], "organization/kyoto-university"),
        ("京都大学", [("sameAs", "https://ror.org/02kpeqv85")], "organization/kyoto-university"),
        ("京都大学", [("http://www.w3.org/2002/07/owl#sameAs", "https://ror.org/057zh3y96")], ""),
        # A missing property is neither for nor against a record.
        ("京都大学", [("unitOf", "理研")], "organization/kyoto-university"),
        ("京都大学", [("no-such-property", "x")], "organization/kyoto-university"),
        ("京都大学", [("foundingDate", "")], "organization/kyoto-university"),
        ("京都大学", [("foundingDate", "1949")], ""),
    ],
)
def test_properties_decide(matcher: Matcher, name: str, properties: list[tuple[str, str]], expected: str) -> None:
    assert chosen(matcher.match(name, properties=properties)) == expected


def test_properties_alone_list_who_has_them(matcher: Matcher) -> None:
    found = matcher.match("", kinds=["organization"], properties=[("unitOf", "理研")], limit=20)
    assert BASE.id + "organization/riken-aip" in {c.iri for c in found}
    assert matcher.match("", properties=[("unitOf", "nobody")]) == []


def test_agreements_are_among_the_features(matcher: Matcher) -> None:
    best = matcher.match("AIP", properties=[("unitOf", "理研")])[0]
    assert {f.id: f.value for f in best.features} == {
        "form": "short",
        "role": "other name",
        "unique": True,
        "property:unitOf": True,
    }
    (against,) = [
        c
        for c in matcher.match("京都大学", properties=[("foundingDate", "1949")])
        if c.iri.endswith("kyoto-university")
    ]
    assert against.score <= 50


# ---- identifiers ----


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("T1030005007111", ("corporate-number", "1030005007111")),
        ("法人番号：１０３０００５００７１１１", ("corporate-number", "1030005007111")),
        ("https://info.gbiz.go.jp/hojin/ichiran?hojinBango=1030005007111", ("corporate-number", "1030005007111")),
        ("HTTPS://www.ROR.org/01SJWVZ98/", ("ror", "01sjwvz98")),
        ("isni 0000 0001 0943 978x", ("isni", "000000010943978X")),
        ("https://orcid.org/0000-0001-9738-9216", ("isni", "0000000197389216")),
        ("http://m.wikidata.org/wiki/Q17#sitelinks", ("wikidata", "Q17")),
        ("doi:10.13039/501100004721", ("doi", "10.13039/501100004721")),
        ("<https://laws.e-gov.go.jp/law/507AC0000000053/20250901_000000000000000>", ("egov-law", "507AC0000000053")),
        ("507AC0000000053_20250901_000000000000000", ("egov-law", "507AC0000000053")),
        ("予算事業ID：００１６６６", ("review-project", "1666")),
        ("研究機関番号 12601", ("institution-number", "12601")),
    ],
)
def test_an_identifier_has_one_value_however_it_is_written(
    names: NameProfile, text: str, expected: tuple[str, str]
) -> None:
    found, faults = names.identifiers.read(text)
    assert found[0] == Identifier(*expected)
    assert faults == []


@pytest.mark.parametrize(
    ("text", "scheme", "detail"),
    [
        ("1030005007112", "corporate-number", "is 1 and would be 9"),
        ("ror.org/01sjwvz99", "ror", "are 99 and would be 98"),
        ("0000 0001 1018 5343", "isni", "is 3 and would be 2"),
    ],
)
def test_a_wrong_check_digit_is_reported(names: NameProfile, text: str, scheme: str, detail: str) -> None:
    found, (fault, *_) = names.identifiers.read(text)
    assert [identifier for identifier in found if identifier.scheme == scheme] == []
    assert (fault.scheme, detail in fault.detail) == (scheme, True)


def test_identifiers_of_a_release_are_read_in_their_own_form(real: store.Release, names: NameProfile) -> None:
    """The identifiers in the data are in normal form."""
    from pyoxigraph import NamedNode

    from kg.rdf.terms import value

    for predicate in names.identifiers.of_properties:
        for quad in real.store.quads_for_pattern(None, NamedNode(predicate), None, None):
            found = names.identifiers.of_property(predicate, value(quad.object))
            assert found is not None
            assert found.value == value(quad.object)


@pytest.mark.parametrize(
    "text",
    [
        "令和七年法律第五十三号",
        "令和7年法律第53号",
        "令和７年法律第５３号",
        "R7法53",
        "Ｒ７法５３",
        "令7法53",
        "（令和7年法律第53号）",
    ],
)
def test_a_law_number_is_one_number(text: str) -> None:
    assert law_numbers.read(text) == LawNumber(5, 7, "AC", 53) == law_numbers.of_law_id("507AC0000000053")
    assert str(LawNumber(5, 7, "AC", 53)) == "令和7年法律第53号"


@pytest.mark.parametrize(
    "text", ["令和7年", "法律第53号", "平成40年法律第1号", "令和7年省令第5号", "R7", "第53号", "", "法53"]
)
def test_what_is_no_law_number(text: str) -> None:
    assert law_numbers.read(text) is None


def test_law_numbers_of_cabinet_orders_and_first_years() -> None:
    assert law_numbers.read("平成元年政令第百二十号") == LawNumber(4, 1, "CO", 120)
    assert law_numbers.of_law_id("507CO0000000281") == LawNumber(5, 7, "CO", 281)
    assert law_numbers.of_law_id("507M60000080001") is None
    assert law_numbers.split("令和七年法律第五十三号 第九条") == (LawNumber(5, 7, "AC", 53), "第九条")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("五十三", 53),
        ("百二十", 120),
        ("千", 1000),
        ("二〇二六", 2026),
        ("元", 1),
        ("十", 10),
        ("53", 53),
        ("５３", 53),
    ],
)
def test_numbers_in_kanji(text: str, number: int) -> None:
    assert numerals.read(text) == number


@pytest.mark.parametrize("text", ["十百", "三四十", "x", "万", "一a"])
def test_what_is_no_number(text: str) -> None:
    assert numerals.read(text) is None


# ---- forms ----


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("第九条", "第9条"),
        ("第Ⅱ期計画", "第2期計画"),
        ("令和七年度", "令和7年度"),
        ("早稻田大學", "早稲田大学"),
        ("Research Centre", "research center"),
        ("AIPセンター（理研）", "AIPセンター 理研"),
        ("Science & Technology", "Science and Technology"),
    ],
)
def test_more_names_have_one_normal_form(one: str, other: str) -> None:
    assert normalization.name(one).key == normalization.name(other).key


@pytest.mark.parametrize("name", ["三菱", "九州大学", "一橋大学", "千葉大学", "第一生命", "十文字学園"])
def test_numerals_in_names_stay(name: str) -> None:
    assert normalization.name(name).key == name


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("国立研究開発法人理化学研究所", "理化学研究所"),
        ("（国研）理化学研究所", "理化学研究所"),
        ("㈱日立製作所", "日立製作所"),
        ("日立製作所株式会社", "日立製作所"),
        ("National Research and Development Agency RIKEN", "RIKEN"),
        ("学校法人", "学校法人"),
        ("株式会社", "株式会社"),
        ("独創的研究", "独創的研究"),
    ],
)
def test_legal_forms_are_left_out(names: NameProfile, text: str, bare: str) -> None:
    assert names.legal_forms.strip(text).bare == bare


@pytest.mark.parametrize(
    "names",
    [
        [
            "Shinji Shimojo",
            "SHIMOJO, Shinji",
            "Shimojō Shinji",
            "Shimojoh Shinji",
            "しもじょう しんじ",
            "Simozyou Sinzi",
        ],
        ["Zin Arai", "Jin Arai", "あらい じん"],
        ["Kyoichi Tanabe", "Tanabe Kyouichi", "たなべ きょういち"],
    ],
)
def test_a_person_has_one_key_however_romanised(names: list[str]) -> None:
    assert len({forms.person(name) for name in names} - {""}) == 1


def test_persons_that_differ_stay_apart() -> None:
    assert forms.person("Yasuo Okabe") != forms.person("Yasushi Okada")
    assert forms.person("岡田 康志") == ""
    assert romanization.of_katakana("ザッシ キョウト") == "zassi kyouto"


@pytest.mark.parametrize(
    ("short", "name", "is_short"),
    [
        ("産総研", "産業技術総合研究所", True),
        ("総研", "産業技術総合研究所", False),
        ("産研総", "産業技術総合研究所", False),
        ("産業技術総合研究", "産業技術総合研究所", False),
    ],
)
def test_short_names_pick_characters_in_order(short: str, name: str, *, is_short: bool) -> None:
    assert forms.is_short_for(short, name) is is_short


def test_acronyms_are_first_letters_in_a_row() -> None:
    name = "National Institute of Advanced Industrial Science and Technology"
    assert forms.is_acronym_of("AIST", name)
    assert not forms.is_acronym_of("NAIST", name)
    assert not forms.is_acronym_of("AI", name)
    assert not forms.is_acronym_of("AIS", name)
    assert not forms.is_acronym_of("IST", name)
    assert forms.is_acronym_of("JSAI", "The Japanese Society for Artificial Intelligence")


# ---- speed ----


def test_a_batch_is_fast_enough_for_tables(real: store.Release, names: NameProfile) -> None:
    """A quarter of the speed that `bench/matching.py` measures, for slow machines; every name is new."""
    written = list(dict.fromkeys(label.name for label in bench.labels()))
    assert bench.speed(lambda: matching.open_matcher(real, names), written) > 1_000
