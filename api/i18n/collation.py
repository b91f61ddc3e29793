"""The order in which readers expect names: numbers by their value, Japanese ones by the kana syllabary."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right

from kg.names import normalization, romanization

Key = tuple[tuple[int, int, str], ...]

_NUMBER = re.compile(r"(\d+)")
_KANA = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲン"
_SMALL = str.maketrans("ァィゥェォッャュョヮ", "アイウエオツヤユヨワ")
# The first kanji of each kana from ア to ワ in JIS X 0208 level 1, which is arranged by reading, so that a name without
# a stated reading stands near where it belongs.
_KANJI = "亜以右荏於下企九卦乎些仕笥世噌他値津亭兎奈二濡禰乃巴匪不丙保摩未務冥摸也愉予羅利瑠令呂倭"
_FIRST = [kanji.encode("euc_jp") for kanji in _KANJI]
_IS_KANJI = re.compile(r"[\u3400-\u9fff々]")


def natural(text: str) -> Key:
    """A sort key by which "line 9" comes before "line 10"."""
    parts = _NUMBER.split(unicodedata.normalize("NFKC", text).casefold())
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part)


def syllabic(name: str, reading: str = "") -> Key:
    """A sort key by the kana of a reading, in kana or Latin letters, else by those of a name; other letters first."""
    written = normalization.normal(reading or name)
    if reading and written.isascii():
        written = normalization.normal(romanization.katakana(written))
    found: list[tuple[int, int, str]] = []
    for part in _NUMBER.split(written):
        found += [(0, int(part), "")] if part.isdecimal() else map(_of_character, part.translate(_SMALL))
    return tuple(entry for entry in found if entry[2] != "ー")


def _of_character(character: str) -> tuple[int, int, str]:
    base = unicodedata.normalize("NFD", character)[0]
    if base in _KANA:
        return 2, _KANA.index(base), character
    if _IS_KANJI.match(character):
        try:
            return 2, bisect_right(_FIRST, character.encode("euc_jp")) - 1, "ン" + character
        except UnicodeEncodeError:
            return 3, 0, character
    return 1, 0, character
