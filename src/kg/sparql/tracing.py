"""The facts that an answer rests on: a query is turned into one that returns its matched triples instead of its rows.

Each triple pattern becomes part of the template of a CONSTRUCT query, and the row becomes VALUES. A path that is a
sequence is written out first, so that the facts in the middle are found, too. Patterns of FILTER and MINUS say what is
not there, so nothing can be shown for them; other paths are left out, since which facts they pass is not defined.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pyoxigraph import BlankNode, Triple

from kg.rdf.terms import AnyTerm
from kg.sparql.decomposition import DecomposedQuery, Piece, QueryReader

# `(COUNT(?x) AS ?n)`: a column that is computed from the matches, so no match has it.
_COMPUTED = re.compile(r"\bAS\s+[?$](\w+)", re.IGNORECASE)
_BRACKETS = re.compile(r"[\[(]|^_:")

Row = Mapping[str, AnyTerm | None]
Link = tuple[str, str, str]


def tracing_query(query: str, prefixes: Mapping[str, str], row: Row | None = None, most: int = 300) -> str:
    """Return a CONSTRUCT query for the triples that a row of a query rests on, or all of its rows.

    Raises `QueryMalformed` for a query that cannot be read; '' if it has no pattern that can be shown.
    """
    reader = _TracingReader(query, prefixes)
    found = reader.read()
    template = " ".join(f"{s} {p} {o} ." for s, p, o in reader.links)
    if not template:
        return ""
    values = " ".join(query[start:end] for name, start, end in found.clauses if name == "VALUES")
    body = f"{reader.rewritten()} {values} {_bound(found, row) if row else ''}"
    return f"{found.prologue}CONSTRUCT {{ {template} }} {found.dataset}WHERE {{ {body} }} LIMIT {most}"


def _bound(found: DecomposedQuery, row: Row) -> str:
    """What holds a row in place: its values, and which of its columns have none."""
    computed = set(_COMPUTED.findall(found.projection))
    for _, start, end in found.clauses:
        computed |= set(_COMPUTED.findall(found.query[start:end]))
    fixed = {name: term for name, term in row.items() if name not in computed}
    given = {n: t for n, t in fixed.items() if t is not None and not isinstance(t, BlankNode | Triple)}
    unbound = "".join(f" FILTER(!BOUND(?{name}))" for name, term in fixed.items() if term is None)
    names, terms = " ".join(f"?{n}" for n in given), " ".join(str(t) for t in given.values())
    return f"VALUES ({names}) {{ ({terms}) }}{unbound}" if given else unbound


class _TracingReader(QueryReader):
    """Records every triple pattern outside of FILTER and MINUS, with sequences of paths written out."""

    def __init__(self, query: str, prefixes: Mapping[str, str]) -> None:
        super().__init__(query, prefixes)
        self.links: list[Link] = []
        self._where = (0, 0)
        self._edits: list[tuple[int, int, str]] = []
        self._hidden = 0

    def group(self, i: int) -> tuple[Piece, ...]:
        if self._where == (0, 0):
            self._where = self.span(i, self.skip(i, "{"))
        return super().group(i)

    def triples(self, i: int) -> tuple[list[Piece], int]:
        pieces, end = super().triples(i)
        if not self.at(i, "[", "("):
            self._record(i)
        return pieces, end

    def rewritten(self) -> str:
        """Return the WHERE group with sequences written out."""
        start, end = self._where
        text = self.query[start:end]
        for first, last, replacement in sorted(self._edits, reverse=True):
            text = text[: first - start] + replacement + text[last - start :]
        return text

    def _record(self, i: int) -> None:
        subject, at, written, has_path = self.words[i].text, i + 1, list[str](), False
        while self.begins_verb(at):
            verb, at = at, self.verb(at)[0]
            steps = self._steps(verb, at)
            text = self._text(verb, at)
            while True:
                start, at = at, self.node(at)
                target = self._text(start, at)
                links = self._chain(subject, steps, target)
                has_path = has_path or len(links) > 1
                written += [f"{s} {p} {o} ." for s, p, o in links] or [f"{subject} {text} {target} ."]
                if not _BRACKETS.search(target):
                    self.links += links
                if not self.at(at, ","):
                    break
                at += 1
            while self.at(at, ";"):
                at += 1
        if has_path:
            self._edits.append((self.words[i].start, self.span(i, at)[1], " ".join(written).removesuffix(".")))

    def _text(self, start: int, end: int) -> str:
        first, last = self.span(start, end)
        return self.query[first:last]

    def _steps(self, start: int, end: int) -> list[str]:
        """Return the names of a verb that is a name or a sequence of names; empty for any other path."""
        words = [word.text for word in self.words[start:end]]
        steps = "\0".join(words).split("\0/\0")
        is_plain = all(len(parts := s.split("\0")) == 1 or (len(parts) == 2 and parts[0] == "^") for s in steps)
        known = all(p == "^" or p == "a" or p[:1] in "<?$" or ":" in p for s in steps for p in s.split("\0"))
        return [s.replace("\0", "") for s in steps] if is_plain and known else []

    def _chain(self, subject: str, steps: Sequence[str], target: str) -> list[Link]:
        links = []
        for n, step in enumerate(steps):
            self._hidden += n < len(steps) - 1
            end = f"?hidden__{self._hidden}" if n < len(steps) - 1 else target
            links.append((end, step[1:], subject) if step.startswith("^") else (subject, step, end))
            subject = end
        return links
