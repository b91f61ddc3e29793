"""Derives the forms in which Japanese documents write the name of an organisation, law or person."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from typing import Literal as OneOf

from kg.names import normalization, romanization
from kg.names.normalization import name

Form = OneOf["exact", "legal-form", "abbreviation", "honorific"]

_KANJI = re.compile(r"[\u3400-\u9fff々]+")
_BRACKETS = re.compile(r"^(?P<outer>[^()]+?)\s*[(]\s*(?P<inner>[^()]+?)\s*[)]$")
_HONORIFIC = re.compile(r"(?<=\S)\s*(?:氏|様|殿|先生|博士|(?:特任|特別|客員|名誉|准)?教授|研究員|総括|委員|委員長)$")
_ENGLISH_HONORIFIC = re.compile(r"^(?:prof(?:essor)?|dr|mr|ms|mrs)\.?\s+", re.IGNORECASE)
# Suffixes of units, which may be left out after the owner's name; the shorter ones only then.
_UNIT_ENDS = tuple(name(end).key for end in ("センター", " center"))
_STEM_ENDS = tuple(
    name(end).key
    for end in ("ネットワークラボ", "ラボ", "センター", "プロジェクト", "network lab", "lab", "center", "project")
)
_LONGEST_PLACE = 60
_NUMBER_WITHOUT_MARK = re.compile(r"(?<![第\d])(\d+)(?=[条項号])")
_SHORT_ARTICLE = re.compile(r"\barts? (?=\d)")
_OF = re.compile(r"^(?:of )?(?:the )?")
_QUOTED = re.compile(r"^(?P<outer>[^「『“\"]+)[「『“\"](?P<inner>[^「」『』“”\"]+)[」』”\"]$")
_WRAPPED = re.compile(r"^[(「『【\[]\s*(?P<inner>[^()「」『』【】\[\]]+?)\s*[)」』】\]]$")
# Words for an edition of a document, at the end of its name.
_EDITION = re.compile(
    r"(?:の|\s|[(\[「【:：,、_\-])*(?:概要版?|要旨|要約|骨子案?|素案|原案|案|ポイント|本文|全文|summary|outline|overview|draft)"
    r"\s*[)\]」】]?$",
    re.IGNORECASE,
)


def lookup_keys(text: str, bare: str) -> Iterator[tuple[str, Form]]:
    """The keys to look up for a given name, the most reliable first, with the form of each.

    `bare` is the name without its legal form.
    """
    key = name(text).key
    yield key, "exact"
    if key.startswith("the "):
        yield key[4:], "exact"
    short = name(bare).key
    if short != key:
        yield short, "legal-form"
    if short.endswith("大") and len(short) > 2:
        yield short + "学", "abbreviation"
    person = _ENGLISH_HONORIFIC.sub("", _HONORIFIC.sub("", bare))
    if person != bare:
        yield name(person).key, "honorific"


def index_keys(key: str) -> Iterator[str]:
    """The keys under which a known name is indexed."""
    yield key
    if key.startswith("the "):
        yield key[4:]


def brackets(text: str) -> tuple[str, str] | None:
    """The text before brackets at the end of a name, and the text inside."""
    match = _BRACKETS.match(unicodedata.normalize("NFKC", text).strip())
    return (match["outer"], match["inner"]) if match else None


def person(text: str) -> str:
    """A key for personal names in Latin letters or kana, independent of order and romanisation; '' for other names."""
    words = name(text).key if text.isascii() else romanization.of_katakana(normalization.normal(text))
    if not words.isascii() or not 2 <= len(parts := words.split()) <= 3:
        return ""
    return " ".join(sorted(romanization.fold(part) for part in parts))


def joined(text: str) -> Iterator[str]:
    """The keys of a personal name that is written without a space, the family name first or last."""
    if len(parts := person(text).split()) == 2:
        yield from (first + last for first, last in (parts, parts[::-1]))


def romanised(text: str) -> str:
    """A key for any name in Latin letters or kana, independent of romanisation and spaces; '' for other names."""
    latin = romanization.fold(romanization.of_katakana(normalization.normal(text)))
    found = re.sub(r"[\s'’\-]+", "", latin)
    return found if found.isascii() and found.isalpha() and len(found) > 3 else ""


def unit_keys(key: str, owners: Iterable[str]) -> Iterator[str]:
    """The keys of a unit used together with its owner's name: without that name, and with or without its suffix."""
    found = {key}
    for owner in owners:
        shorter = {key.removeprefix(owner).strip(), key.removesuffix(owner).strip()}
        found |= {local for local in shorter if local}
    yield from found
    for local in found:
        for end in _UNIT_ENDS:
            short = local.removesuffix(end).strip()
            if short != local and len(short) > 1:
                yield short
                if short.isascii():
                    yield f"{short} center"


def stems(key: str) -> Iterator[str]:
    """What a unit may be called for short, and other things too: XY for XYラボ."""
    for end in _STEM_ENDS:
        if len(shorter := key.removesuffix(end).strip()) > 1 and shorter != key:
            yield shorter


def unqualified(text: str, places: Collection[str]) -> Iterator[str]:
    """The keys of a name without a leading country name or without its brackets."""
    key = name(text).key
    for end in range(2, min(len(key) - 2, _LONGEST_PLACE)):
        if key[:end] in places and len(rest := key[end:].strip()) > 2:
            yield rest
    if parts := brackets(text):
        yield name(parts[0]).key


def article(key: str) -> str:
    """The key of a part of a law as laws write it: 9条2項 becomes 第9条第2項, and art 9 becomes article 9."""
    return _SHORT_ARTICLE.sub("article ", _NUMBER_WITHOUT_MARK.sub(r"第\1", key))


def owner(key: str) -> str:
    """The key of an owner without what joins it to its unit: of the X, Xの."""
    return _OF.sub("", key).removesuffix("ノ")


def unwrapped(text: str) -> str:
    """A text without brackets or quotation marks around all of it."""
    text = unicodedata.normalize("NFKC", text).strip()
    return match["inner"] if (match := _WRAPPED.match(text)) else text


def quoted(text: str) -> tuple[str, str] | None:
    """The text before quotation marks at the end of a name, and the text inside."""
    match = _QUOTED.match(unicodedata.normalize("NFKC", text).strip())
    return (match["outer"].strip(), match["inner"].strip()) if match else None


def with_place(text: str) -> tuple[str, str] | None:
    """The text before brackets or the last comma, and the text after it, which may name a place."""
    name_, comma, place = unicodedata.normalize("NFKC", text).strip().rpartition(",")
    return brackets(text) or ((name_.strip(), place.strip()) if comma and name_.strip() and place.strip() else None)


def without_edition(text: str) -> str:
    """The name of a document without the word for a summary, draft or other edition of it."""
    return _EDITION.sub("", unicodedata.normalize("NFKC", text).strip()).strip()


def splits(key: str) -> Iterator[tuple[str, str]]:
    """Splits a key at each position where an owner may end and its unit begin, or vice versa."""
    for place in range(2, len(key) - 1):
        if key[place - 1] != " " and not (key[place - 1].isascii() and key[place].isascii() and key[place] != " "):
            yield key[:place], key[place:].strip()


def is_short_for(short: str, key: str) -> bool:
    """Whether a short name of kanji picks its characters from a long one in order, the first first: 産総研."""
    if not _KANJI.fullmatch(short) or not 3 <= len(short) <= max(3, len(key) // 2) or short[0] != key[0]:
        return False
    rest = iter(key)
    return all(character in rest for character in short)


def is_acronym_of(short: str, english: str) -> bool:
    """Whether letters are the initials of the words of an English name, possibly without the first one or two."""
    words = [w for w in re.findall(r"[A-Za-z]+", english) if w.lower() not in ("of", "and", "for", "the", "in", "on")]
    letters = "".join(w[0].upper() for w in words)
    is_end = letters.endswith(short.upper()) and len(short) >= max(4, len(letters) - 2)
    return len(short) > 2 and (letters == short.upper() or is_end)
