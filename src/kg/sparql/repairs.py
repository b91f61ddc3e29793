"""Changes to a query without solutions that may give it some: of a language, datatype, scheme, direction or name.

Whether one does is for the caller to ask; `question` has the query for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from kg.errors import QueryMalformed
from kg.rdf.datatypes import XSD
from kg.sparql import decomposition, lexer

RepairKind = Literal["term", "language", "datatype", "scheme", "direction"]
# The datatypes of dates by how they are written.
_DATES = (
    (re.compile(r"\d{4}\Z"), "gYear"),
    (re.compile(r"\d{4}-\d\d\Z"), "gYearMonth"),
    (re.compile(r"\d{4}-\d\d-\d\d\Z"), "date"),
)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?\Z")


@dataclass(frozen=True, slots=True)
class Repair:
    """A change: what is written, what to write instead, and the query with it."""

    kind: RepairKind
    written: str
    instead: str
    query: str


@dataclass(frozen=True, slots=True)
class Replacement:
    """A name that does not exist, where it is written, and names to write instead, the nearest first."""

    start: int
    written: str
    names: tuple[str, ...]


def candidates(
    query: str, prefixes: Mapping[str, str], languages: Sequence[str], replacements: Sequence[Replacement]
) -> Iterator[Repair]:
    """Possible repairs, the likeliest first, each query once."""
    words = decomposition.tokens_of(query)
    offered = chain(
        _of_schemes(query),
        _of_terms(query, replacements),
        _of_literals(query, words, languages),
        _of_directions(query, prefixes),
    )
    seen = {query}
    for repair in offered:
        if repair.query not in seen:
            seen.add(repair.query)
            yield repair


def question(repaired: str, prefixes: Mapping[str, str]) -> str:
    """Whether a repaired query has solutions, as an ASK query; '' if it cannot be read."""
    try:
        reading = decomposition.read(repaired, prefixes)
    except QueryMalformed:
        return ""
    return reading.ask(reading.body(reading.pieces))


def _of_terms(query: str, replacements: Sequence[Replacement]) -> Iterator[Repair]:
    for replacement in replacements:
        for name in replacement.names:
            # All other names that do not exist are replaced, too, or there would be no solutions anyway.
            others = [(r.start, r.written, r.names[0]) for r in replacements if r is not replacement and r.names]
            changes = sorted([(replacement.start, replacement.written, name), *others], reverse=True)
            changed = query
            for start, written, instead in changes:
                changed = changed[:start] + instead + changed[start + len(written) :]
            shown = sorted(changes)
            yield Repair(
                "term", ", ".join(written for _, written, _ in shown), ", ".join(new for _, _, new in shown), changed
            )


def _of_literals(query: str, words: Sequence[decomposition.Word], languages: Sequence[str]) -> Iterator[Repair]:
    for i, word in enumerate(words):
        is_string = word.text[:1] in ('"', "'")
        if not is_string and not (word.kind in ("word", "number") and _NUMBER.match(word.text)):
            continue
        tagged = is_string and words[i + 1].text.startswith("@") and words[i + 1].start == word.start + len(word.text)
        typed = "".join(w.text for w in words[i + 1 : i + 3]) == "^^"
        last = words[i + 1] if tagged else words[i + 3] if typed else word
        end = last.start + len(last.text)
        quoted = word.text if is_string else f'"{word.text}"'
        value = quoted.strip(quoted[0])
        instead: list[tuple[RepairKind, str]] = []
        if is_string:
            tags = ["", *(f"@{language}" for language in languages)]
            instead += [("language", quoted + tag) for tag in tags]
        instead += [("datatype", f"{quoted}^^<{XSD}{name}>") for pattern, name in _DATES if pattern.match(value)]
        if is_string and _NUMBER.match(value):
            instead.append(("datatype", value))
        written = query[word.start : end]
        for kind, text in instead:
            if text != written:
                yield Repair(kind, written, text, query[: word.start] + text + query[end:])


def _of_schemes(query: str) -> Iterator[Repair]:
    for token in lexer.tokens(query):
        if token["iri"] and token[0].startswith(("<http://", "<https://")):
            instead = token[0].replace("<http://", "<https://") if "<http://" in token[0] else "<http" + token[0][6:]
            yield Repair("scheme", token[0], instead, query[: token.start()] + instead + query[token.end() :])


def _of_directions(query: str, prefixes: Mapping[str, str]) -> Iterator[Repair]:
    try:
        reading = decomposition.read(query, prefixes)
    except QueryMalformed:
        return
    for use in reading.uses:
        if use.place == "predicate":
            is_inverse = query[: use.start].endswith("^")
            start = use.start - is_inverse
            written = query[start : use.start + len(use.written)]
            instead = use.written if is_inverse else "^" + use.written
            yield Repair("direction", written, instead, query[:start] + instead + query[use.start + len(use.written) :])
