"""Parses numbers of laws that count years by eras (令和7年法律第53号), and ids of laws that are made of them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from kg.names import numerals

# In the order of the first digit of ids of laws.
_ERAS = ("明治", "大正", "昭和", "平成", "令和")
_SHORT_ERAS = {**dict(zip("mtshr", range(1, 6), strict=True)), **dict(zip("明大昭平令", range(1, 6), strict=True))}
# The types of law in ids.
_TYPES = {"法律": "AC", "法": "AC", "政令": "CO", "政": "CO"}
_LAST_YEARS = {1: 45, 2: 15, 3: 64, 4: 31}
_WRITTEN = re.compile(
    rf"(?P<era>{'|'.join(_ERAS)}|[mtshr明大昭平令])\s*\.?\s*(?P<year>{numerals.NUMBER})\s*年?\s*[-・.]?\s*"
    rf"(?P<type>法律|政令|法|政)\s*第?\s*(?P<number>{numerals.NUMBER})\s*号?"
)
_LAW_ID = re.compile(r"(?P<era>[1-5])(?P<year>\d{2})(?P<type>AC|CO)\d(?P<number>\d{9})(?:_\d{8}_\w{15})?")


@dataclass(frozen=True, slots=True, order=True)
class LawNumber:
    """Era (Meiji 1 to Reiwa 5), year of the era, type as in ids (AC a law, CO a cabinet order), number."""

    era: int
    year: int
    type: str
    number: int

    def __str__(self) -> str:
        kind = "法律" if self.type == "AC" else "政令"
        return f"{_ERAS[self.era - 1]}{self.year}年{kind}第{self.number}号"


def read(text: str) -> LawNumber | None:
    """Parses a text that is a law number (令和七年法律第五十三号, 令和7年法律第53号, R7法53); None if it is not."""
    text = unicodedata.normalize("NFKC", text).strip(" ()")
    found = split(text)
    return found[0] if found and not found[1] else None


def split(text: str) -> tuple[LawNumber, str] | None:
    """The law number at the beginning of a text, and the rest: an article or nothing."""
    text = unicodedata.normalize("NFKC", text).strip()
    match = _WRITTEN.match(text.casefold())
    if match is None:
        return None
    era = _SHORT_ERAS.get(match["era"]) or _ERAS.index(match["era"]) + 1
    year, number = numerals.read(match["year"]), numerals.read(match["number"])
    if not year or not number or year > _LAST_YEARS.get(era, 99):
        return None
    return LawNumber(era, year, _TYPES[match["type"]], number), text[match.end() :].strip()


def of_law_id(law_id: str) -> LawNumber | None:
    """The law number in the id of a law: 507AC0000000053 is 令和7年法律第53号."""
    match = _LAW_ID.fullmatch(law_id)
    if match is None:
        return None
    return LawNumber(int(match["era"]), int(match["year"]), match["type"], int(match["number"]))
