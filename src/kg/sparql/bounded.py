"""Answers queries that are certain to be small in place, without the SPARQL engine and without a worker.

Only texts of a strict grammar are read: SELECT or ASK with triple patterns on the default graph, filters on a language,
and a LIMIT. They are answered by a nested loop over the store's indexes that reads at most `MOST_QUADS` quads. Whatever
is outside the grammar, or turns out to be larger, is left to the engine, which gives the same answer.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from json.encoder import encode_basestring

from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode

from kg.rdf.iris import RDF_TYPE
from kg.rdf.terms import AnyTerm
from kg.sparql.quadstore import QuadStore

MOST_QUADS = 200
_MOST_PATTERNS = 8
_DEFAULT = DefaultGraph()

# IRIs that resolve to themselves, in characters that need no check; names end before a character that cannot continue
# them. Everything else, such as escapes, numbers and blank nodes, is no token.
_TOKEN = re.compile(
    r"""
      [ \t\r\n]+ | \#[^\n\r]*
    | <(?P<iri>(?:https?://[A-Za-z0-9.\-]+(?:/(?!\.)[\w~\-/%:,=@+]*(?:\.[\w~\-][\w~\-/%:,=@+]*)*)?(?:\#[\w\-/.]*)?
              |urn:[a-z0-9]{2,30}:[\w\-:]+))>
    | (?P<variable>[?$][A-Za-z_][A-Za-z0-9_]*)
    | (?P<name>[A-Za-z][A-Za-z0-9]*:(?:\w(?:[\w\-]|\\/)*)?)(?=[ \t\r\n;,}]|\.[ \t\r\n}])
    | (?P<word>[A-Za-z]+)(?![\w:\-])
    | (?P<string>"[^"\\\x00-\x1f\x7f]*"(?:@[a-z]{2,8})?)(?=[ \t\r\n;,)}]|\.[ \t\r\n}])
    | (?P<number>[0-9]{1,9})(?![\w.])
    | (?P<sign>[{}().;,=*])
    """,
    re.VERBOSE | re.ASCII,
)
_PREFIX = re.compile(r"([A-Za-z][A-Za-z0-9]*):[ \t\r\n]")
_DOTS = re.compile(r"/\.|%(?![0-9A-Fa-f]{2})")
# Text that every writer of JSON escapes in the same way.
_PLAIN = re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]*")


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of a query, without its mark."""

    name: str


Position = NamedNode | Literal | Variable
Pattern = tuple[Position, Position, Position]
_Binding = dict[str, AnyTerm]


@dataclass(frozen=True, slots=True)
class LanguageFilter:
    """A condition on the language of a variable: equal to a tag, or also more special than it (`LANGMATCHES`)."""

    variable: str
    tag: str
    is_range: bool

    def holds(self, term: AnyTerm) -> bool:
        if not isinstance(term, Literal):
            return False
        language = term.language or ""
        return language == self.tag or (self.is_range and language.lower().startswith(self.tag.lower() + "-"))


@dataclass(slots=True)
class BoundedQuery:
    """A query of the grammar; `columns` is None for ASK, and `limit` None without one."""

    columns: tuple[str, ...] | None
    patterns: list[Pattern] = field(default_factory=list)
    filters: list[LanguageFilter] = field(default_factory=list)
    limit: int | None = None

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables of the patterns in their written order."""
        return tuple(dict.fromkeys(p.name for pattern in self.patterns for p in pattern if isinstance(p, Variable)))


class _Outside(Exception):
    """The query is not in the grammar, or not small."""


def read(text: str, prefixes: Mapping[str, str]) -> BoundedQuery | None:
    """The query if it is in the grammar, otherwise None; `prefixes` need no declaration."""
    try:
        return _Reader(text, prefixes).query()
    except _Outside:
        return None


def answer(store: QuadStore, text: str, prefixes: Mapping[str, str], most: int) -> tuple[str, bytes] | None:
    """The kind of the result (`boolean` or `solutions`) and its SPARQL JSON; None if the engine has to answer.

    The rows of a single pattern are in the engine's order. `most` is the size in bytes from which on it is not small.
    """
    query = read(text, prefixes)
    if query is None:
        return None
    try:
        rows = _Scan(store, query).rows()
        if query.columns is None:
            return "boolean", b'{"head":{},"boolean":%s}' % (b"true" if rows else b"false")
        body = _json(query.columns, rows)
    except _Outside:
        return None
    return ("solutions", body) if len(body) <= most else None


# ---- the grammar ----


class _Reader:
    """Reads a query token by token; raises `_Outside` at the first one that the grammar does not have."""

    def __init__(self, text: str, prefixes: Mapping[str, str]) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._known = prefixes
        self._declared: dict[str, str] = {}

    def query(self) -> BoundedQuery:
        while self._takes_word("PREFIX"):
            self._declare()
        query = self._head()
        self._takes_word("WHERE")
        self._sign("{")
        while not self._takes_sign("}"):
            if self._takes_word("FILTER"):
                query.filters.append(self._filter())
                self._takes_sign(".")
            else:
                self._same_subject(query)
        if query.columns is not None and self._takes_word("LIMIT"):
            query.limit = int(self._next("number"))
        if self._at != len(self._tokens) or not 0 < len(query.patterns) <= _MOST_PATTERNS:
            raise _Outside
        return self._checked(query)

    def _head(self) -> BoundedQuery:
        if self._takes_word("ASK"):
            return BoundedQuery(None)
        if not self._takes_word("SELECT"):
            raise _Outside
        columns: list[str] = []
        if not self._takes_sign("*"):
            columns.append(self._next("variable")[1:])
            while self._kind == "variable":
                columns.append(self._next("variable")[1:])
        return BoundedQuery(tuple(columns))

    @staticmethod
    def _checked(query: BoundedQuery) -> BoundedQuery:
        variables = query.variables
        if query.columns is not None:
            query.columns = query.columns or variables
            if not query.columns or len(set(query.columns)) != len(query.columns):
                raise _Outside
        if {*(query.columns or ()), *(f.variable for f in query.filters)} - {*variables}:
            raise _Outside
        for pattern in query.patterns:
            names = [p.name for p in pattern if isinstance(p, Variable)]
            if len(set(names)) != len(names):
                raise _Outside
        return query

    def _declare(self) -> None:
        name = self._next("name")
        if not name.endswith(":"):
            raise _Outside
        self._declared[name[:-1]] = self._next("iri")

    def _same_subject(self, query: BoundedQuery) -> None:
        subject = self._term()
        if isinstance(subject, Literal):
            raise _Outside
        while True:
            verb = NamedNode(RDF_TYPE) if self._takes_word("a", exactly=True) else self._term()
            if isinstance(verb, Literal):
                raise _Outside
            query.patterns.append((subject, verb, self._term()))
            while self._takes_sign(","):
                query.patterns.append((subject, verb, self._term()))
            if not self._takes_sign(";"):
                break
            if self._is_end:
                break
        if not self._takes_sign(".") and not self._is_end:
            raise _Outside

    @property
    def _is_end(self) -> bool:
        """Whether the triples of a subject can end here without a dot, or end with it."""
        kind, written = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        return (kind == "sign" and written in ".}") or (kind == "word" and written.upper() == "FILTER")

    def _filter(self) -> LanguageFilter:
        brackets = self._takes_sign("(")
        is_range = self._takes_word("LANGMATCHES")
        if is_range:
            self._sign("(")
        elif not brackets:
            raise _Outside
        if not self._takes_word("LANG"):
            raise _Outside
        self._sign("(")
        variable = self._next("variable")[1:]
        self._sign(")")
        self._sign("," if is_range else "=")
        tag = self._next("string")
        if not re.fullmatch(r'"[a-z]{2,8}"', tag):
            raise _Outside
        for _ in range(is_range + brackets):
            self._sign(")")
        return LanguageFilter(variable, tag[1:-1], is_range)

    def _term(self) -> Position:
        kind = self._kind
        written = self._next(kind)
        if kind == "variable":
            return Variable(written[1:])
        if kind == "iri":
            return _node(written)
        if kind == "name":
            prefix, _, local = written.partition(":")
            namespace = self._declared.get(prefix) or self._known.get(prefix)
            if namespace is None:
                raise _Outside
            return _node(namespace + local.replace("\\/", "/"))
        if kind == "string":
            value, _, language = written[1:].rpartition('"')
            return Literal(value, language=language[1:]) if language else Literal(value)
        raise _Outside

    # ---- tokens ----

    @property
    def _kind(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _next(self, kind: str) -> str:
        if not kind or self._kind != kind:
            raise _Outside
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _takes_word(self, word: str, *, exactly: bool = False) -> bool:
        if self._kind != "word":
            return False
        written = self._tokens[self._at][1]
        takes = (written if exactly else written.upper()) == word
        self._at += takes
        return takes

    def _takes_sign(self, sign: str) -> bool:
        takes = self._at < len(self._tokens) and self._tokens[self._at] == ("sign", sign)
        self._at += takes
        return takes

    def _sign(self, sign: str) -> None:
        if not self._takes_sign(sign):
            raise _Outside


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    for match in _TOKEN.finditer(text):
        if match.start() != at:
            raise _Outside
        at = match.end()
        if kind := match.lastgroup:
            yield kind, match[kind]
    if at != len(text):
        raise _Outside


@lru_cache(maxsize=2_000)
def _node(iri: str) -> NamedNode:
    if _DOTS.search(iri):
        raise _Outside
    return NamedNode(iri)


# ---- the answer ----


class _Scan:
    """Evaluates a query by a nested loop, the pattern with the most known positions first."""

    def __init__(self, store: QuadStore, query: BoundedQuery) -> None:
        self._store = store
        self._query = query
        self._left = MOST_QUADS

    def rows(self) -> list[_Binding]:
        query = self._query
        most = 1 if query.columns is None else query.limit
        found = list(itertools.islice(self._solutions(query.patterns, {}), most))
        if query.limit is not None and len(found) == query.limit and len(query.patterns) > 1:
            # Which rows are left out depends on the order of the joins.
            raise _Outside
        return found

    def _solutions(self, patterns: list[Pattern], binding: _Binding) -> Iterator[_Binding]:
        if not patterns:
            yield binding
            return
        chosen = max(range(len(patterns)), key=lambda n: sum(_is_known(p, binding) for p in patterns[n]))
        rest = patterns[:chosen] + patterns[chosen + 1 :]
        pattern = patterns[chosen]
        subject, predicate, target = (binding.get(p.name) if isinstance(p, Variable) else p for p in pattern)
        if not isinstance(subject, NamedNode | BlankNode | None) or not isinstance(predicate, NamedNode | None):
            return
        self._spend()
        for quad in self._store.quads_for_pattern(subject, predicate, target, _DEFAULT):  # type: ignore[arg-type]
            self._spend()
            found = (quad.subject, quad.predicate, quad.object)
            new: _Binding = {p.name: t for p, t in zip(pattern, found, strict=True) if isinstance(p, Variable)}
            if all(f.holds(new[f.variable]) for f in self._query.filters if f.variable in new):
                yield from self._solutions(rest, binding | new)

    def _spend(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise _Outside


def _is_known(position: Position, binding: _Binding) -> bool:
    return not isinstance(position, Variable) or position.name in binding


def _json(columns: tuple[str, ...], rows: list[_Binding]) -> bytes:
    """Writes solutions as SPARQL 1.1 Query Results JSON, as the engine does."""
    head = ",".join(f'"{column}"' for column in columns)
    bindings = ",".join(
        "{" + ",".join(f'"{column}":{_json_term(row[column])}' for column in columns) + "}" for row in rows
    )
    return f'{{"head":{{"vars":[{head}]}},"results":{{"bindings":[{bindings}]}}}}'.encode()


def _json_term(term: AnyTerm) -> str:
    if isinstance(term, NamedNode):
        return f'{{"type":"uri","value":{_quoted(term.value)}}}'
    if isinstance(term, BlankNode):
        return f'{{"type":"bnode","value":{_quoted(term.value)}}}'
    if not isinstance(term, Literal) or getattr(term, "direction", None) is not None:
        raise _Outside
    value = f'{{"type":"literal","value":{_quoted(term.value)}'
    if term.language:
        return f'{value},"xml:lang":"{term.language}"}}'
    datatype = term.datatype.value
    if datatype == "http://www.w3.org/2001/XMLSchema#string":
        return value + "}"
    return f'{value},"datatype":{_quoted(datatype)}}}'


def _quoted(text: str) -> str:
    if not _PLAIN.fullmatch(text):
        raise _Outside
    return encode_basestring(text)
