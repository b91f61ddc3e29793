"""Normalises names for comparison: width, case, kana, old kanji, spaced letters and punctuation."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from kg.names import numerals

# Old form → new form, only if they are interchangeable (常用漢字表, 2010, in parentheses there).
_OLD_KANJI = str.maketrans(
    "國學廣澤邊邉齋齊圖會體發鐵縣應當與豫濟經驗醫藥藝術戰爭寫實讀變數團圓臺灣關條榮營嚴覺觀歸舊區號雜參慘絲眞壽收從縱處敍獎將燒證乘剩淨狀疊讓釀觸囑辭屬續墮對帶滯擇擔膽擴髙﨑濵德稻藏澁惠",
    "国学広沢辺辺斎斉図会体発鉄県応当与予済経験医薬芸術戦争写実読変数団円台湾関条栄営厳覚観帰旧区号雑参惨糸真寿収従縦処叙奨将焼証乗剰浄状畳譲醸触嘱辞属続堕対帯滞択担胆拡高崎浜徳稲蔵渋恵",
)
# Hiragana is converted to katakana, since readings use either.
_KATAKANA = {code: code + 0x60 for code in range(0x3041, 0x3097)}
_CJK = r"\u30a1-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff々〆"
_LONG_VOWEL = re.compile(rf"(?<=[{_CJK}])[ー―‐−-](?=[{_CJK}]|\W|$)")
_APART = re.compile(r"[\W_]+")
_SPREAD = re.compile(r" +")
_SPACED = re.compile(r"(?<![a-z0-9])[a-z](?: [a-z])+(?![a-z0-9])")
_TOKEN = re.compile(rf"[{_CJK}]+|[^\s{_CJK}]+")
_BESIDE_CJK = re.compile(rf"(?<=[{_CJK}]) | (?=[{_CJK}])")
_IS_CJK = re.compile(rf"[{_CJK}]")
# Spellings of English that differ by country; both become the American one.
_AMERICAN = {
    "centre": "center",
    "centres": "centers",
    "centred": "centered",
    "programme": "program",
    "programmes": "programs",
    "modelling": "modeling",
    "behaviour": "behavior",
    "defence": "defense",
    " & ": " and ",
}
_BRITISH = re.compile(rf"\b(?:{'|'.join(word for word in _AMERICAN if word.isalpha())})\b| & ")
_BRITISH_ENDING = re.compile(r"(?<=[a-z]{3}i)s(?=ations?\b)")
# Small kana are printed large in old texts and by mistake, and 箇 is written ヶ, ヵ or か before a counter.
_LARGE_KANA = str.maketrans("ァィゥェォッャュョヮ", "アイウエオツヤユヨワ")
_COUNTED = re.compile(r"(?<=[0-9一二三四五六七八九十百数])[ヶヵケ箇ヵ](?=[年月国所条村町])")


@dataclass(frozen=True, slots=True)
class Name:
    """A normalised name: `key` for comparison, `tokens` for lookup (words, and pairs of Japanese characters)."""

    key: str
    tokens: tuple[str, ...]


def normal(text: str) -> str:
    """The text in one width, case and script, with words separated by single spaces."""
    text = unicodedata.normalize("NFKC", text)
    if text[1:2] == " " and all(len(word) == 1 for word in text.split()):
        # A space after each character, which sets a name wider.
        text = _SPREAD.sub(lambda m: " " if len(m[0]) > 1 else "", text.strip())
    text = text.casefold().translate(_KATAKANA).translate(_OLD_KANJI)
    if not text.isascii():
        text = "".join(map(_without_accent, text))
    text = _BRITISH_ENDING.sub("z", _BRITISH.sub(lambda m: _AMERICAN[m[0]], text))
    text = numerals.with_digits(_APART.sub(" ", _LONG_VOWEL.sub("", text)).strip())
    return _SPACED.sub(lambda m: m[0].replace(" ", ""), text)


def same_width(text: str) -> str:
    """The text in one width, with new forms of kanji, in its own case and script."""
    return unicodedata.normalize("NFKC", text).translate(_OLD_KANJI)


def _without_accent(character: str) -> str:
    """A Latin letter without accents; other characters, including voiced kana, are unchanged."""
    if character < "\u00c0" or character > "\u024f":
        return character
    return "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))


@lru_cache(maxsize=20_000)
def name(text: str) -> Name:
    """Normalises a name; in `key`, spaces next to Japanese characters are ignored."""
    text = _COUNTED.sub("カ", normal(text)).translate(_LARGE_KANA)
    tokens = [t for run in _TOKEN.findall(text) for t in _parts(run)]
    return Name(_BESIDE_CJK.sub("", text), tuple(dict.fromkeys(tokens)))


def _parts(run: str) -> list[str]:
    if not _IS_CJK.match(run) or len(run) == 1:
        return [run]
    return [run[i : i + 2] for i in range(len(run) - 1)]


def is_japanese(token: str) -> bool:
    """Whether a token consists of characters that are compared in pairs."""
    return bool(_IS_CJK.match(token))
