"""Parses numbers in Japanese documents: kanji, full-width and Roman numerals."""

from __future__ import annotations

import re
import unicodedata

_DIGITS = {character: value for value, character in enumerate("〇一二三四五六七八九")} | {"零": 0, "元": 1}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
KANJI = "〇零一二三四五六七八九十百千元"
_WRITTEN = rf"[0-9]+|[{KANJI}]+"
NUMBER = rf"(?:{_WRITTEN})"
# Counters in titles and laws; elsewhere a kanji numeral may be part of a name.
_ORDINAL = re.compile(
    rf"(?:(?<=第)|(?<=令和)|(?<=平成)|(?<=昭和)|(?<=大正)|(?<=明治))({_WRITTEN})"
    r"(?=条|項|号|期|次|回|章|節|年|版|部|編)"
)
_ROMAN_ORDINAL = re.compile(rf"(?<=第)({'|'.join(sorted(_ROMAN, key=len, reverse=True))})(?=期|次|回|章|節|部|編)")


def read(text: str) -> int | None:
    """Parses digits or kanji numerals (五十三, 五三, 元) below ten thousand; None otherwise."""
    text = unicodedata.normalize("NFKC", text)
    if text.isascii():
        return int(text) if text.isdigit() else None
    if all(c in _DIGITS for c in text):
        return int("".join(str(_DIGITS[c]) for c in text))
    total, digit, last = 0, 0, 10_000
    for character in text:
        if character in _DIGITS:
            if digit:
                return None
            digit = _DIGITS[character]
        elif (unit := _UNITS.get(character, last)) < last:
            total, digit, last = total + (digit or 1) * unit, 0, unit
        else:
            return None
    return total + digit


def with_digits(text: str) -> str:
    """Writes ordinals and years in a normalised text in digits: 第九条 → 第9条, 第ii期 → 第2期, 令和七年 → 令和7年."""
    text = _ORDINAL.sub(lambda m: m[0] if (n := read(m[1])) is None else str(n), text)
    return _ROMAN_ORDINAL.sub(lambda m: str(_ROMAN.index(m[1]) + 1), text)
