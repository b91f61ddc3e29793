"""Turns curated files into templates, in which values that vary between copies are slots.

A slot is a marker in the text that is a valid value for the build. So the template itself can be built, and the triples
inferred from it are the template of those inferred from its copies.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

import yaml

from kg.curation.records import Record
from kg.rdf.context import Context
from kg.rdf.iris import Base
from tools.synthetic import wording

Kind = Literal[
    "own", "other", "before", "after", "person", "amount", "count", "printed", "year", "hash", "corporate", "digits"
]

# Suffix of the slugs of a copy, and of those of the other copy that it links to.
OWN, OTHER = "-x0w0x", "-x1w1x"
_OUTSIDE = frozenset({"sameAs", "registerEntry", "exactMatch", "closeMatch", "relatedMatch", "homepage", "seeAlso"})
_NAMES = frozenset({"label", "altLabel", "title"})
_TEXTS = frozenset({"description", "definition"})
_YEARS = frozenset(
    {"issuedYear", "issuedMonth", "issuedDate", "year", "month", "date", "sinceYear", "sinceMonth", "sinceDate"}
)
# Of kinds from which no rule composes a label: a template has the names of one copy only.
_ACROSS = frozenset({"cites"})
# One in this many links of these kinds leads to the other copy.
_EVERY = 4
_AMOUNT = re.compile(r"([\d,]+)(億円|百万円)")
_UNITS = {"億円": 100_000_000, "百万円": 1_000_000}
_COUNT = re.compile(r"(\d+)(?=\D*\Z)")
_PRIVATE = range(0xE000, 0xF900)
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MARKS = rf'{OWN}|{OTHER}|[\ue000-\uf8ff]|9990\d{{14}}|(?<=")[0-9a-f]{{64}}(?=")'
_YEAR = r'(?<=")1[01]\d\d(?:-\d\d(?:-\d\d)?)?(?="'
_IN_SCALAR = re.compile(rf"{_MARKS}|{_YEAR}\Z)")
_IN_QUADS = re.compile(rf"{_MARKS}|{_YEAR}\^\^<http://www\.w3\.org/2001/XMLSchema#(?:gYear|gYearMonth|date)>)")


@dataclass(frozen=True, slots=True)
class Slot:
    """A varying value: the original text, the number that seeds it, and its language."""

    kind: Kind
    written: str = ""
    number: int = 0
    language: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A scalar in a file, with its subject as written ('' for the record), key and language."""

    subject: str
    key: str
    language: str
    node: yaml.ScalarNode


@dataclass(frozen=True, slots=True)
class Text:
    """A template: pieces of text with a marker between each two."""

    pieces: tuple[str, ...]
    markers: tuple[str, ...]

    @classmethod
    def of_quads(cls, lines: str) -> Text:
        """Splits lines of N-Quads at their markers."""
        return cls(tuple(_IN_QUADS.split(lines)), tuple(_IN_QUADS.findall(lines)))

    def filled(self, values: Mapping[str, str]) -> str:
        parts = [""] * (len(self.pieces) + len(self.markers))
        parts[::2], parts[1::2] = self.pieces, [values[marker] for marker in self.markers]
        return "".join(parts)

    @property
    def marked(self) -> str:
        """The text with its markers."""
        return self.filled({marker: marker for marker in self.markers})


@dataclass(slots=True)
class Slots:
    """The slots of all templates by marker; equal values of a subject share a slot."""

    by_marker: dict[str, Slot] = field(default_factory=lambda: {OWN: Slot("own"), OTHER: Slot("other")})
    known: dict[tuple[object, ...], str] = field(default_factory=dict)
    people: list[str] = field(default_factory=list)
    links: int = 0

    def marker(self, key: tuple[object, ...], slot: Slot) -> str:
        """The marker for a key, with a new slot if needed."""
        if key not in self.known:
            marker = self.known[key] = self._fresh(slot)
            self.by_marker[marker] = slot
        return self.known[key]

    def _fresh(self, slot: Slot) -> str:
        number = len(self.by_marker)
        if slot.kind in ("amount", "count"):
            return f"9990{number:014}"
        if slot.kind == "hash":
            return slot.written
        if slot.kind == "year":
            taken = sum(s.kind == "year" for s in self.by_marker.values())
            if taken == 200:
                raise ValueError("more dates than there are markers for")
            return f"{1000 + taken}{slot.written[4:]}"
        return chr(_PRIVATE[number])

    def values(self, world: int, other: int, seed: int) -> dict[str, str]:
        """The value of each marker in a copy; `other` is the copy that it links to, 0 for the original records."""
        ends: Mapping[str, str] = {"own": suffix(world), "other": suffix(other)}
        return {
            marker: ends[slot.kind] if slot.kind in ends else _value(slot, world, seed, len(self.people))
            for marker, slot in self.by_marker.items()
        }


def suffix(world: int) -> str:
    """The suffix of the slugs of a copy."""
    return f"-w{world}" if world else ""


def _value(slot: Slot, world: int, seed: int, persons: int) -> str:
    chance = zlib.crc32(f"{seed}/{world}/{slot.number}".encode())
    match slot.kind:
        case "person":
            name = wording.person(seed + world * persons + slot.number)
            return {"ja": name.ja, "ja-hrkt": name.kana}.get(slot.language, name.en)
        case "before" | "after":
            return _phrase(slot, seed + world)
        case "amount" | "count" | "printed":
            return _number(slot, chance)
        case "year":
            return f"{int(slot.written[:4]) - chance % 9}{slot.written[4:]}"
        case "hash":
            return sha256(f"{seed}/{world}/{slot.written}".encode()).hexdigest()
        case "corporate":
            return _corporate_number(world * 1000 + slot.number)
        case _:
            return f"{world * 1000 + slot.number:0{len(slot.written)}}"[-len(slot.written) :]


def _number(slot: Slot, chance: int) -> str:
    """An amount or count near the original one; in printed amounts such as 122億円 only the number varies."""
    if slot.kind == "amount":
        return str(_near(slot.written, chance) * _UNITS[slot.language])
    if slot.kind == "count":
        return str(_near(slot.written, chance))
    pattern = _AMOUNT if _AMOUNT.search(slot.written) else _COUNT
    return pattern.sub(lambda m: f"{_near(m[1], chance)}{m[2] if pattern is _AMOUNT else ''}", slot.written)


def _near(written: str, chance: int) -> int:
    return max(1, int(written.replace(",", "")) * (60 + chance % 81) // 100)


def _corporate_number(number: int) -> str:
    """A corporate number with a valid check digit, from a range that is not assigned."""
    digits = f"9{number:011}"
    weighed = sum(int(d) * (2 if place % 2 == 0 else 1) for place, d in enumerate(reversed(digits), 1))
    return f"{9 - weighed % 9}{digits}"


# Text around a name that makes it unique, in Japanese and English. {c} is a city, {f} a field of research. English
# names begin as the originals do, because labels of statements have their first letter in lower case.
_STYLES = (
    (("", "（{c}・{f}）"), ("", " ({C}, {F})")),
    (("{f}に関する", "（{c}）"), ("", " on {F} ({C})")),
    (("{c}・{f}の", ""), ("", " for {F} in {C}")),
)
_CHANGES = str.maketrans({"C": "c", "F": "f"})


def _phrase(slot: Slot, number: int) -> str:
    city, subject = wording.place_and_field(number * 7 + slot.number % 7)
    before_after = _STYLES[slot.number % len(_STYLES)][slot.language != "ja"]
    return before_after[slot.kind == "after"].format(c=city.ja, f=subject.ja, C=city.en, F=subject.en)


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes templates of records; `owners` has the record that declares an IRI, `shared` the records not copied."""

    context: Context
    base: Base
    owners: Mapping[str, str]
    shared: Collection[str]
    slots: Slots

    def text(self, record: Record, source: str) -> Text:
        """The template of a record's file."""
        root = yaml.compose(source, Loader=_LOADER)
        assert isinstance(root, yaml.MappingNode)
        places = list(self._places(root))
        facts: dict[str, dict[str, str]] = defaultdict(dict)
        for place in places:
            facts[place.subject][place.key] = place.node.value
        changes = [(p.node, t) for p in places if (t := self._changed(record, p, facts[p.subject])) is not None]
        return _spliced(source, changes)

    def _places(self, root: yaml.MappingNode) -> Iterator[Place]:
        for graph, facts in root.value:
            yield Place("", "", "", graph)
            yield from self._facts(facts, "")

    def _facts(self, node: yaml.MappingNode, subject: str) -> Iterator[Place]:
        for key, value in node.value:
            is_text = self.context.terms[key.value].kind == "language"
            for member in _members(value):
                if isinstance(member, yaml.ScalarNode):
                    yield Place(subject, key.value, "", member)
                elif is_text:
                    for language, texts in member.value:
                        yield from (Place(subject, key.value, language.value, t) for t in _members(texts))
                else:
                    own = next(v.value for k, v in member.value if k.value == "id")
                    yield from self._facts(member, own)

    def _changed(self, record: Record, place: Place, facts: Mapping[str, str]) -> str | None:
        """The text at a place in the template; None if it is unchanged."""
        key, written = place.key, place.node.value
        where = (record.path, place.subject, key, written)
        if not key:
            return self._graph(written)
        if self.context.terms[key].kind in ("iri", "id"):
            return self._link(record, key, written)
        if key in _NAMES | _TEXTS:
            return self._name(record, place)
        if key in _YEARS and "asPrinted" not in facts and "-02-29" not in written:
            return self.slots.marker(where, Slot("year", written, self._next))
        if key in ("amount", "count", "asPrinted"):
            return self._figure(where, facts)
        if key.lower().endswith("sha256"):
            return self.slots.marker(where, Slot("hash", written))
        if key == "corporateNumber":
            return self.slots.marker(where, Slot("corporate", written, self._next))
        if key in ("kakenhiNumber", "reviewProjectId"):
            return self.slots.marker(where, Slot("digits", written, self._next))
        return None

    @property
    def _next(self) -> int:
        return len(self.slots.by_marker)

    def _graph(self, written: str) -> str | None:
        """Graphs of a source are copied with the source; those of curators and registers are shared."""
        source, slash, lines = written.partition("/")
        owner = f"source/{source}"
        is_copied = self.base.record_iri(owner) in self.owners and owner not in self.shared
        return f"{source}{OWN}{slash}{lines}" if is_copied else None

    def _link(self, record: Record, key: str, written: str) -> str | None:
        if key in _OUTSIDE and written.startswith(("http://", "https://")):
            # An identifier that is not in use.
            return written + OWN
        head, colon, _ = written.partition(":")
        if written.startswith("#"):
            return None
        if not colon:
            first, slash, rest = written.partition("/")
            return f"{first}{OWN}{slash}{rest}"
        iri = self.context.expand(written)
        owner = self.owners.get(iri)
        if owner is None or owner in self.shared:
            return None
        end = OWN
        if key in _ACROSS and owner != record.path:
            self.slots.links += 1
            end = OWN if self.slots.links % _EVERY else OTHER
        return f"{head}:{owner.partition('/')[2]}{end}{iri.removeprefix(self.base.record_iri(owner))}"

    def _name(self, record: Record, place: Place) -> str | None:
        written: str = place.node.value
        language = place.language
        if record.path.startswith("person/") and not place.subject and place.key == "label":
            if record.path not in self.slots.people:
                self.slots.people.append(record.path)
            number = self.slots.people.index(record.path)
            return self.slots.marker((record.path, language), Slot("person", written, number, language))
        if language not in ("ja", "en"):
            return None
        # Both languages of a name use the same city and field.
        number = zlib.crc32(f"{record.path} {place.subject}".encode()) % 21
        if place.key in _TEXTS:
            number -= number % 3
        kinds = _AROUND if language == "ja" else _AROUND[1:]
        around = [self.slots.marker((kind, number, language), Slot(kind, "", number, language)) for kind in kinds]
        return written.join(around) if len(around) > 1 else written + around[0]

    def _figure(self, where: tuple[str, str, str, str], facts: Mapping[str, str]) -> str | None:
        """An amount or count, changed together with its printed form or not at all."""
        path, subject, key, written = where
        printed = _AMOUNT.search(facts.get("asPrinted", "")) if "amount" in facts else None
        kind: Kind = "printed" if key == "asPrinted" else "amount" if key == "amount" else "count"
        # The same seed for both.
        number = zlib.crc32(f"{path} {subject}".encode())
        if printed:
            return self.slots.marker(where, Slot(kind, printed[1] if kind == "amount" else written, number, printed[2]))
        counted = _COUNT.search(facts.get("asPrinted", ""))
        if counted and counted[1] == facts.get("count"):
            return self.slots.marker(where, Slot(kind, written, number))
        return None


_AROUND: tuple[Kind, Kind] = ("before", "after")


def _members(node: yaml.Node) -> Iterable[Any]:
    return node.value if isinstance(node, yaml.SequenceNode) else (node,)


def _spliced(source: str, changes: Iterable[tuple[yaml.ScalarNode, str]]) -> Text:
    """The text with some scalars replaced by quoted ones."""
    pieces, markers, end = [""], [], 0
    for node, text in sorted(changes, key=lambda change: change[0].start_mark.index):
        start, stop = node.start_mark.index, node.end_mark.index
        scalar = json.dumps(text, ensure_ascii=False)
        first, *others = _IN_SCALAR.split(scalar)
        pieces[-1] += source[end:start] + first
        pieces += others
        markers += _IN_SCALAR.findall(scalar)
        # The end mark of a block scalar is on a later line.
        end = start + len(source[start:stop].rstrip())
    pieces[-1] += source[end:]
    return Text(tuple(pieces), tuple(markers))
