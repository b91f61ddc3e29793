"""Romanises kana, and maps the romanisations of a Japanese name to a single form."""

from __future__ import annotations

import re

_ROWS = {
    "": "アイウエオ", "k": "カキクケコ", "s": "サシスセソ", "t": "タチツテト", "n": "ナニヌネノ", "h": "ハヒフヘホ",
    "m": "マミムメモ", "r": "ラリルレロ", "g": "ガギグゲゴ", "z": "ザジズゼゾ", "d": "ダヂヅデド", "b": "バビブベボ",
    "p": "パピプペポ",
}  # fmt: skip
_KANA = {
    **{kana: consonant + vowel for consonant, row in _ROWS.items() for kana, vowel in zip(row, "aiueo", strict=True)},
    **dict(zip("ヤユヨワヲンヴーヂヅ", ("ya", "yu", "yo", "wa", "o", "n", "vu", "", "zi", "zu"), strict=True)),
}
_GLIDES = {"ャ": "ya", "ュ": "yu", "ョ": "yo"}
# Hepburn and its variants → Kunrei, where the difference does not distinguish names.
_FOLDS = (
    (re.compile(r"[ōôó]"), "o"),
    (re.compile(r"[ūûú]"), "u"),
    (re.compile(r"tch"), "tty"),
    (re.compile(r"sh(?=i)|s(?=hi)"), "s"),
    (re.compile(r"ch(?=i)"), "t"),
    (re.compile(r"ts(?=u)"), "t"),
    (re.compile(r"j(?=i)"), "z"),
    (re.compile(r"f(?=u)"), "h"),
    (re.compile(r"sh"), "sy"),
    (re.compile(r"ch"), "ty"),
    (re.compile(r"j"), "zy"),
    (re.compile(r"yy"), "y"),
    (re.compile(r"m(?=[bmp])"), "n"),
    (re.compile(r"o(?:[uo]|h(?![aiueoy]))"), "o"),
    (re.compile(r"uu"), "u"),
)


def of_katakana(text: str) -> str:
    """Romanises a reading by Kunrei: ヤマダ タロウ → yamada tarou."""
    written: list[str] = []
    doubled = False
    for character in text:
        if character == "ッ":
            doubled = True
            continue
        if character in _GLIDES and written and written[-1].endswith("i"):
            written[-1] = written[-1][:-1] + _GLIDES[character]
            continue
        latin = _KANA.get(character, character)
        written.append(latin[:1] + latin if doubled else latin)
        doubled = False
    return "".join(written)


def fold(text: str) -> str:
    """Maps romanisations of a name to one lower-case form, the same for shimojō, Shimojoh and simozyou."""
    text = text.casefold()
    for pattern, to in _FOLDS:
        text = pattern.sub(to, text)
    return text


_OF_LATIN = {latin: kana for kana, latin in _KANA.items() if latin and kana not in "ヲヂヅヴ"}
_MORA = re.compile(
    r"(?P<doubled>(?P<first>[^aiueon\W])(?=(?P=first)))|(?P<glide>[^aiueoyn\W]|n(?=y))y(?P<after>[auo])"
    r"|[^aiueo\W]?[aiueo]|n"
)


def katakana(latin: str) -> str:
    """Writes a Japanese name in Latin letters in kana, for the order of lists: Yuji Sugita → ユジ スギタ."""
    return _MORA.sub(_kana, fold(latin))


def _kana(mora: re.Match[str]) -> str:
    if mora["doubled"]:
        return "ッ"
    if mora["glide"]:
        small = {"a": "ャ", "u": "ュ", "o": "ョ"}[mora["after"]]
        return _OF_LATIN.get(mora["glide"] + "i", mora["glide"]) + small
    return _OF_LATIN.get(mora[0], mora[0])
