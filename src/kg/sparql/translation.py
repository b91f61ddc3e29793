"""Translates a query for remote engines: declares our prefixes, and replaces dataset clauses and DESCRIBE.

Engines differ in what FROM hides from `GRAPH ?g` and in what DESCRIBE returns; the dataset parameters of the protocol
and CONSTRUCT mean the same on all of them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin

from kg.errors import QueryRefused
from kg.sparql import lexer

_FORMS = frozenset({"SELECT", "ASK", "CONSTRUCT", "DESCRIBE"})
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
# Namespaces of functions that run SQL, Java or scripts in the engine, which a public endpoint must never use.
_REFUSED = (
    *("bif:", "sql:", "java:", "http://www.openlinksw.com/schemas/bif#", "http://www.openlinksw.com/schemas/sql#"),
    *("http://jena.apache.org/ARQ/js#", "http://jena.hpl.hp.com/ARQ/js#"),
)


@dataclass(frozen=True, slots=True)
class Translation:
    """The translated query. `datasets` are the graphs of FROM and FROM NAMED, None without these.

    `graphs` are the IRIs after GRAPH, None if there is a variable or prefixed name, empty without GRAPH. For DESCRIBE,
    `described` has the given IRIs, and `text` selects the other resources, '' for none.
    """

    text: str
    datasets: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    graphs: tuple[str, ...] | None = ()
    described: tuple[str, ...] | None = None


@dataclass(slots=True)
class _Reading:
    """The findings of a pass over the tokens."""

    base: str
    prefixes: dict[str, str]
    declared: set[str]
    cuts: list[tuple[int, int, str]]
    default: list[str]
    named: list[str]
    graphs: list[str] | None
    form: str = ""
    has_dataset: bool = False

    def resolve(self, match: re.Match[str]) -> str:
        """The IRI of a token in angle brackets or with a prefix."""
        if match.lastgroup == "iri":
            return urljoin(self.base, match[0][1:-1]) if not _ABSOLUTE.match(match[0][1:]) else match[0][1:-1]
        prefix, _, local = match[0].partition(":")
        return self.prefixes.get(prefix, prefix + ":") + local.replace("\\", "")


def translate(text: str, base: str, prefixes: Mapping[str, str]) -> Translation:
    """Raises `QueryRefused` for SERVICE and functions that run code in the engine; the text must be a valid query."""
    text = lexer.unescape(text)
    tokens = [m for m in lexer.tokens(text) if m.lastgroup]
    reading = _Reading(base, dict(prefixes), set(), [], [], [], [])
    at = _read_prologue(tokens, reading)
    described: list[str] = []
    if reading.form == "DESCRIBE":
        at, described = _read_described(tokens, at, reading)
    _read_dataset(tokens, at, reading)
    _read_graphs(tokens, reading)
    for match in tokens:
        if match.lastgroup == "iri" and match[0][1:].startswith(_REFUSED):
            raise QueryRefused(f"functions of {match[0]} are not run here")
        if match.lastgroup == "word" and match[0].upper() == "SERVICE":
            raise QueryRefused("SERVICE is not run here: the data is in a remote engine, which asks no other endpoint")
    body = text
    for start, end, put in sorted(reading.cuts, reverse=True):
        body = f"{body[:start]}{put}{body[end:]}"
    if reading.form == "DESCRIBE" and not any(m[0] in ("{", "*") or m.lastgroup == "variable" for m in tokens[at:]):
        body = "" if not any(m.lastgroup == "variable" for m in tokens) else body
    return Translation(
        f"{_prologue(text, tokens, reading, base, prefixes)}{body}" if body else "",
        (tuple(reading.default), tuple(reading.named)) if reading.has_dataset else None,
        None if reading.graphs is None else tuple(dict.fromkeys(reading.graphs)),
        tuple(dict.fromkeys(described)) if reading.form == "DESCRIBE" else None,
    )


def isolate_paths(text: str) -> str:
    """Moves each `?x p* <iri>` and `<iri> p* ?x` into a separate SELECT DISTINCT, which is equivalent.

    Depending on its plan, Virtuoso returns wrong results for such a path if it is joined with other patterns.
    """
    tokens = [m for m in lexer.tokens(text) if m[0].strip() and not m[0].startswith("#")]
    for at in range(len(tokens) - 5, 0, -1):
        before, start, step, star, end, after = tokens[at - 1 : at + 5]
        ends = (start.lastgroup == "variable", end.lastgroup == "variable")
        is_path = star[0] == "*" and _is_name(step) and before[0] in "{.}" and after[0] in "}."
        # One end is a variable, the other a name.
        if is_path and ends[0] != ends[1] and _is_name(end if ends[0] else start):
            variable = (start if ends[0] else end)[0]
            inner = f"{{ SELECT DISTINCT {variable} WHERE {{ {text[start.start() : end.end()]} }} }}"
            text = f"{text[: start.start()]}{inner}{text[end.end() :]}"
    return text


def _is_name(match: re.Match[str]) -> bool:
    return match.lastgroup == "iri" or (match.lastgroup == "word" and ":" in match[0])


def _prologue(
    text: str, tokens: Sequence[re.Match[str]], reading: _Reading, base: str, prefixes: Mapping[str, str]
) -> str:
    """The prefix declarations that the text lacks; engines may refuse duplicate ones."""
    lines = [f"PREFIX {p}: <{ns}>\n" for p, ns in prefixes.items() if f"{p}:" in text and p not in reading.declared]
    is_relative = any(m.lastgroup == "iri" and not _ABSOLUTE.match(m[0][1:]) for m in tokens)
    return "".join([*([f"BASE <{base}>\n"] if is_relative and reading.base == base else []), *lines])


def _read_prologue(tokens: Sequence[re.Match[str]], reading: _Reading) -> int:
    """Reads BASE and PREFIX up to the query form; returns the position after it."""
    for at, match in enumerate(tokens):
        word = match[0].upper() if match.lastgroup == "word" else ""
        if word == "BASE" and tokens[at + 1].lastgroup == "iri":
            reading.base = reading.resolve(tokens[at + 1])
        elif word == "PREFIX" and at + 2 < len(tokens):
            prefix = tokens[at + 1][0].rstrip(":")
            reading.declared.add(prefix)
            reading.prefixes[prefix] = reading.resolve(tokens[at + 2])
        elif word in _FORMS:
            reading.form = word
            return at + 1
    return len(tokens)


def _read_described(tokens: Sequence[re.Match[str]], at: int, reading: _Reading) -> tuple[int, list[str]]:
    """The IRIs of a DESCRIBE; the rest becomes a SELECT of its variables."""
    form = tokens[at - 1]
    reading.cuts.append((form.start(), form.end(), "SELECT DISTINCT"))
    described = []
    while at < len(tokens):
        match = tokens[at]
        is_name = match.lastgroup == "word" and ":" in match[0]
        if match.lastgroup == "iri" or is_name:
            described.append(reading.resolve(match))
            reading.cuts.append((match.start(), match.end(), ""))
        elif match.lastgroup != "variable" and match[0] != "*":
            break
        at += 1
    return at, described


def _read_dataset(tokens: Sequence[re.Match[str]], at: int, reading: _Reading) -> None:
    """Removes FROM and FROM NAMED before the pattern."""
    # A template follows CONSTRUCT; the keyword FROM cannot occur in it or in a pattern.
    for here in range(at, len(tokens) - 1):
        match = tokens[here]
        if match.lastgroup != "word" or match[0].upper() != "FROM":
            continue
        reading.has_dataset = True
        is_named = tokens[here + 1][0].upper() == "NAMED"
        name = tokens[here + 2] if is_named else tokens[here + 1]
        (reading.named if is_named else reading.default).append(reading.resolve(name))
        reading.cuts.append((match.start(), name.end(), " "))


def _read_graphs(tokens: Sequence[re.Match[str]], reading: _Reading) -> None:
    for match, following in itertools.pairwise(tokens):
        if match.lastgroup == "word" and match[0].upper() == "GRAPH":
            if following.lastgroup != "iri" or reading.graphs is None:
                reading.graphs = None
            else:
                reading.graphs.append(reading.resolve(following))
