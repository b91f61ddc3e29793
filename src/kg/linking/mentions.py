"""Finds the names of records in running text, the longest first, and says which of them are sure.

A name in a text is less than a name in a cell: it may be part of a longer one (a university in the name of its
hospital), a common word, or an abbreviation of something else. Precision comes before recall: what is doubtful is
found, but not sure, and a person decides.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal as OneOf

from pyoxigraph import NamedNode

from kg.linking.gazetteer import ON_REQUEST
from kg.linking.matching import Matcher
from kg.names import folding, normalization
from kg.names.folding import is_hiragana, is_wide
from kg.rdf import iris
from kg.rdf.namespaces import SKOS
from kg.rdf.terms import value
from kg.release.paths import AUXILIARY
from kg.release.search import IndexEntry
from kg.release.store import Release

Doubt = OneOf["", "part", "short", "ambiguous"]
# What the matcher is sure of, by the name and the kinds that it was asked for.
_Meanings = dict[tuple[str, ...], tuple[str, str] | None]
_BODY, _PERSON, _PLACE = "organization", "person", "place"
_SUBJECT, _ORG = SKOS + "Concept", "http://www.w3.org/ns/org#"
_ROLES = frozenset({"name", "other name"})
# A name begins with these many characters of its folded form in the table that is looked into at each place of a text.
_HEAD = 2
_SHORT_LATIN, _SHORT_OTHER = 4, 4
# What may directly follow a Japanese name and is no part of it: particles in kanji, dates, what bodies and persons do.
_MAY_FOLLOW = re.compile(
    r"等|及び|並びに|又は|若しくは|或いは|内(?![閣容部])|側|発(?![展達電])|主催|共催|後援|所管|所属|職員|名誉教授|准教授|教授|学長"
    r"|総長|理事長|総裁|出身|在籍|提供|作成|公表|発表|資料|関係|令和|平成|昭和|第[0-9０-９一二三四五六七八九十百]+[条章節項号]"
)
_MAY_FOLLOW_PERSON = re.compile(r"氏|様|殿|先生|博士|委員|所長|部長|室長|座長|研究員|特任|特別|客員")
_ARTICLE = re.compile(r"第[0-9０-９一二三四五六七八九十百]+条")
# What a run of characters that could all be one name consists of.
_RUN = re.compile(r"[\u30a1-\u30ff\u3400-\u4dbf\u4e00-\u9fff々〆A-Za-z0-9Ａ-Ｚａ-ｚ０-９]")
# A legal form in brackets, or what looks like one.
_FORM_BEFORE = re.compile(r"(?:[(（][\u3400-\u9fff]{1,4}[)）]|[\u3220-\u32ff])$")
_LONGEST_RUN = 30
# What the matcher is asked about one text; each question takes up to a millisecond.
_MOST_QUESTIONS = 1_000
# Words with a capital that may stand before an English name without being part of it.
_BEFORE = frozenset(
    {
        *(
            "the",
            "a",
            "an",
            "in",
            "at",
            "on",
            "of",
            "by",
            "and",
            "or",
            "for",
            "with",
            "from",
            "to",
            "as",
            "since",
            "after",
        ),
        *("before", "under", "between", "both", "when", "while", "where", "that", "this", "these", "those", "however"),
        *("but", "if", "not", "also", "according", "about", "its", "our", "their", "his", "her"),
        *("professor", "prof", "dr", "mr", "ms", "mrs"),
    }
)
_WORD_BEFORE = re.compile(r"([A-Za-z][A-Za-z0-9’'&.-]*) $")
_OF_BEFORE = re.compile(r"\b([A-Z][\w’'-]*) (?:of|for) (?:the )?$")
_WORD_AFTER = re.compile(r" (?:(?:of|for) (?:the )?)?[A-Z]|-[0-9A-Z\u3400-\u9fff]")
# What an owner and its unit may be written with between them.
_GAPS = " \u3000"
# Beside a hiragana that is no particle, a name of two or three kanji may be the beginning of a word.
_FEW, _PARTICLES = 3, "はがをにのとでもやへかよなだしま"


@dataclass(frozen=True, slots=True)
class Mention:
    """A name in a text, from `start` to `end`, and the record that it means; `doubt` says why it is not sure, if so."""

    start: int
    end: int
    iri: str
    kind: str
    doubt: Doubt = ""


@dataclass(frozen=True, slots=True)
class _Name:
    """A name that a text may contain."""

    entry: IndexEntry
    needs_support: bool


class Mentions:
    """Finds the records of one release in texts; immutable and thread-safe."""

    def __init__(self, release: Release, entries: Iterable[IndexEntry], matcher: Matcher) -> None:
        self._matcher = matcher
        known: dict[str, list[_Name]] = defaultdict(list)
        lengths: dict[str, set[int]] = defaultdict(set)
        classes, root = _classes_of(release), release.manifest.base_iri + "id/"
        for entry in entries:
            folded = folding.fold(entry.text).text
            if len(folded) < _HEAD or not _is_name(entry, root, classes.get(entry.iri, frozenset())):
                continue
            is_part = entry.kind != _BODY and bool(matcher.owners(entry.iri))
            known[folded].append(_Name(entry, is_part or _is_short(entry, folded)))
            lengths[folded[:_HEAD]].add(len(folded))
        self._names = dict(known)
        self._lengths: Mapping[str, Sequence[int]] = {h: sorted(found, reverse=True) for h, found in lengths.items()}

    def find(self, text: str) -> list[Mention]:
        """Return the mentions in a text, in its order; none overlaps another."""
        found: list[tuple[Mention, bool]] = []
        meanings: _Meanings = {}
        for start, end, names in self._places(text):
            if mention := self._mention(text, start, end, names, meanings):
                found.append((mention, all(name.needs_support for name in names)))
        # A short name, or that of a part, counts if the text also has a longer one of the record, or one of its owner.
        named = {mention.iri for mention, is_weak in found if not mention.doubt and not is_weak}
        checked = (
            replace(m, doubt="short")
            if is_weak and not m.doubt and named.isdisjoint((m.iri, *self._matcher.owners(m.iri)))
            else m
            for m, is_weak in found
        )
        return sorted(checked, key=lambda mention: mention.start)

    def _places(self, text: str) -> Iterator[tuple[int, int, list[_Name]]]:
        """The names in a text with their places, the longest first, without those within another."""
        folded = folding.fold(text)
        hits: list[tuple[int, int]] = []
        for at in range(len(folded.text) - 1):
            for length in self._lengths.get(folded.text[at : at + _HEAD], ()):
                end = at + length
                if folded.text[at:end] in self._names and end <= len(folded.text) and _is_apart(folded.text, at, end):
                    hits.append((at, end))
        hits.sort(key=lambda hit: (hit[0] - hit[1], hit[0]))
        taken = bytearray(len(folded.text))
        for at, end in hits:
            if any(taken[at:end]):
                continue
            taken[at:end] = b"\x01" * (end - at)
            yield folded.starts[at], folded.ends[end - 1], self._names[folded.text[at:end]]

    def _mention(self, text: str, start: int, end: int, names: list[_Name], meanings: _Meanings) -> Mention | None:
        """What a name at this place means; None if it is written otherwise, or never stands for a record on its own."""
        written = text[start:end]
        fitting = [name.entry for name in names if _is_written_so(written, name.entry.text)]
        if not fitting:
            return None
        first = fitting[0]
        if (longer := self._longer(text, start, end, meanings)) and _is_of(longer, first):
            return longer
        doubt: Doubt = "part" if _is_part(text, start, end, first.kind) else ""
        # What has a name only within its owner, such as an article, is not meant by the name alone.
        meant = self._meant(written, meanings, {entry.kind for entry in fitting})
        if meant is None or meant[0] not in {entry.iri for entry in fitting}:
            # The matcher knows of other records with this name.
            doubt = "ambiguous"
            meant = first.iri, first.kind
        return Mention(start, end, *meant, doubt)

    def _longer(self, text: str, start: int, end: int, meanings: _Meanings) -> Mention | None:
        """The mention of an article after the name of its law, or of what a legal form or a unit makes of a name."""
        first, last = start, end
        if article := _ARTICLE.match(text, end):
            last = article.end()
        else:
            while start - first < _LONGEST_RUN and (step := _step(text[max(0, first - 2) : first][::-1])):
                first -= step
            while last - end < _LONGEST_RUN and (step := _step(text[last : last + 2])):
                last += step
        if form := _FORM_BEFORE.search(text[max(0, first - 6) : first]):
            first -= len(form[0])
        if (first, last) == (start, end) or not is_wide(text[start]):
            return None
        meant = self._meant(text[first:last], meanings)
        return Mention(first, last, *meant) if meant else None

    def _meant(self, name: str, meanings: _Meanings, kinds: Iterable[str] = ()) -> tuple[str, str] | None:
        """The record and kind that the matcher is sure of for a name."""
        key = name, *sorted(kinds)
        if key not in meanings:
            if len(meanings) >= _MOST_QUESTIONS:
                return None
            best = next(iter(self._matcher.match(name, kinds=key[1:], limit=1, similar=False)), None)
            meanings[key] = (best.iri, best.kind) if best and best.match else None
        return meanings[key]


def _is_of(longer: Mention, entry: IndexEntry) -> bool:
    """Whether a longer mention is of the record of a name, of a part of it, or of another body."""
    return longer.kind == _BODY or longer.iri == entry.iri or longer.iri.startswith(entry.iri + "/")


def _classes_of(release: Release) -> dict[str, frozenset[str]]:
    """The classes of each record."""
    found: dict[str, set[str]] = defaultdict(set)
    for quad in release.store.quads_for_pattern(None, NamedNode(iris.RDF_TYPE), None):
        found[value(quad.subject)].add(value(quad.object))
    return {iri: frozenset(classes) for iri, classes in found.items()}


def _is_name(entry: IndexEntry, root: str, classes: frozenset[str]) -> bool:
    """Whether a text names a record by an entry: proper names of records with a page of their own, and of units.

    Subjects have none: texts write about them in common words.
    """
    if entry.role not in _ROLES or entry.kind in ON_REQUEST | AUXILIARY or _SUBJECT in classes:
        return False
    is_below = "/" in entry.iri.removeprefix(f"{root}{entry.kind}/")
    if is_below and not any(kind.startswith(_ORG) for kind in classes):
        return False
    # A surname alone is no name of a person.
    return entry.kind != _PERSON or len(entry.text.split()) > 1 or "・" in entry.text


def _is_short(entry: IndexEntry, folded: str) -> bool:
    """Whether a name is so short that it may well stand for something else."""
    if entry.kind == _PLACE:
        return False
    if folded.isascii():
        return len(folded) <= _SHORT_LATIN and (entry.text.isupper() or entry.role == "other name")
    is_other = entry.role == "other name" and (entry.kind != _BODY or any(c.isascii() for c in folded))
    return is_other and len(folded) <= _SHORT_OTHER


def _is_written_so(written: str, name: str) -> bool:
    """Whether capitals stand where the name has them: all in a single word, the first in several."""
    same = normalization.same_width(name)
    if not any("A" <= c <= "z" for c in same):
        return True
    ours, theirs = " ".join(same.split()), " ".join(normalization.same_width(written).split())
    if ours.lower().startswith("the "):
        ours, theirs = ours[4:], theirs[4:]
    if len(ours.split()) < 3:
        return ours == theirs or ours.replace(" ", "") == theirs.replace(" ", "") != ours.lower()
    return not ours[:1].isupper() or theirs[:1].isupper()


# ---- what stands around a name ----


def _step(beyond: str) -> int:
    """How many of the next two characters continue a run: one, or two with a gap before it; 0 at its end."""
    if _RUN.match(beyond):
        return 1
    return 2 if beyond[:1] and beyond[0] in _GAPS and _RUN.match(beyond[1:]) else 0


def _is_apart(folded: str, start: int, end: int) -> bool:
    """Whether a name does not begin or end within a word of letters and digits."""
    before, after = folded[start - 1 : start], folded[end : end + 1]
    return not (_is_letter(before) and _is_letter(folded[start])) and not (
        _is_letter(after) and _is_letter(folded[end - 1])
    )


def _is_letter(character: str) -> bool:
    return character.isalnum() and not is_wide(character)


def _is_part(text: str, start: int, end: int, kind: str) -> bool:
    """Whether a name seems to be part of a longer one."""
    if text[start].isascii() and text[end - 1].isascii():
        return _is_part_of_english(text, start, end) or _touches(text, start, end, kind)
    return _touches(text, start, end, kind)


def _touches(text: str, start: int, end: int, kind: str) -> bool:
    """Whether characters that names consist of stand directly before or after a name."""
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    if before and (_continues(before) or (is_hiragana(before) and is_hiragana(text[start]))):
        return True
    if _FORM_BEFORE.search(text[max(0, start - 6) : start]) or _is_beyond_gap(text[max(0, start - 2) : start][::-1]):
        return True
    if after and is_hiragana(after):
        is_few = end - start <= _FEW and is_wide(text[end - 1])
        return is_hiragana(text[end - 1]) or (is_few and after not in _PARTICLES)
    if not after or not _continues(after):
        return _is_beyond_gap(text[end : end + 2])
    may_follow = _MAY_FOLLOW.match(text, end) or (kind == _PERSON and _MAY_FOLLOW_PERSON.match(text, end))
    return not may_follow


def _is_beyond_gap(beyond: str) -> bool:
    """Whether a name may go on beyond a gap: with kanji, katakana or a capital."""
    if len(beyond) < 2 or beyond[0] not in _GAPS:
        return False
    return beyond[1].isupper() or (is_wide(beyond[1]) and not is_hiragana(beyond[1]))


def _continues(character: str) -> bool:
    return _is_letter(character) or (is_wide(character) and not is_hiragana(character)) or character in "ー・･-‐"


def _is_part_of_english(text: str, start: int, end: int) -> bool:
    line = text[text.rfind("\n", 0, start) + 1 : start][-80:]
    if (word := _WORD_BEFORE.search(line)) and word[1][0].isupper():
        is_possessive = word[1].endswith(("'s", "’s"))
        if word[1].lower().strip(".") not in _BEFORE and not is_possessive and not word[1].endswith("."):
            return True
    return bool(_OF_BEFORE.search(line) or _WORD_AFTER.match(text, end))
