"""Folds running text for comparison, one width, case and form of kanji, and keeps where each character stood."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from kg.names import normalization

_MARKS = "\u3099\u309a"
_LIKE = str.maketrans("‐‑‒–—―−’‘“”", "-------''\"\"")


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text; the character at n came from `starts[n]` to `ends[n]` of the original."""

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]


def fold(text: str) -> Folded:
    """Fold a text; white space becomes one space, and none beside a Japanese character."""
    found: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for at, character in enumerate(text):
        if character in _MARKS and found:
            # A mark of sound joins the kana before it.
            found[-1], ends[-1] = unicodedata.normalize("NFC", found[-1] + character)[:1], at + 1
            continue
        for folded in _folded(character):
            if folded == " " and (not found or found[-1] == " " or is_wide(found[-1])):
                continue
            if found and found[-1] == " " and is_wide(folded):
                found.pop(), starts.pop(), ends.pop()
            if folded in _MARKS and found:
                found[-1], ends[-1] = unicodedata.normalize("NFC", found[-1] + folded)[:1], at + 1
                continue
            found.append(folded)
            starts.append(at)
            ends.append(at + 1)
    return Folded("".join(found), tuple(starts), tuple(ends))


@lru_cache(maxsize=20_000)
def _folded(character: str) -> str:
    """One character in its common form; a space for white space, nothing for invisible ones."""
    if character.isspace():
        return " "
    if unicodedata.category(character) in ("Cc", "Cf", "Cs"):
        return ""
    return normalization.same_width(character).translate(_LIKE).casefold().replace("\u0020", "")


@lru_cache(maxsize=20_000)
def is_wide(character: str) -> bool:
    """Whether a character is a kana or kanji, beside which white space means nothing."""
    return normalization.is_japanese(character) or is_hiragana(character)


def is_hiragana(character: str) -> bool:
    return "\u3041" <= character <= "\u309f"
