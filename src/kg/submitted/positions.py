"""Finds the line numbers of statements in Turtle, TriG, N-Triples and N-Quads.

The text is parsed a second time by the grammar (RDF 1.1 Turtle, section 6.5), in the order in which the engine's
parser emits statements. Line numbers are reported only if both agree on every statement.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin

from pyoxigraph import BlankNode, Literal, NamedNode, Quad, RdfFormat

from kg.rdf import iris
from kg.rdf.terms import AnyTerm
from kg.sparql import lexer

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_SYNTAXES = (RdfFormat.TURTLE, RdfFormat.TRIG, RdfFormat.N_TRIPLES, RdfFormat.N_QUADS)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
_ESCAPED = {"t": "\t", "b": "\b", "n": "\n", "r": "\r", "f": "\f"}
_NUMBER = re.compile(r"[+-]?\d[\d.]*(?:[eE][+-]?\d+)?")


class _Unread(Exception):
    """The text has a construct that this reader does not know."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int


@dataclass(frozen=True, slots=True)
class _Node:
    """A term with its offset in the text: `iri`, `literal`, or `blank` with a generated name."""

    kind: str
    text: str
    start: int


_Statement = tuple[_Node, _Node, _Node]


class Positions:
    """Line numbers, from 1, of the terms and statements of a document; 0 for unknown."""

    def __init__(self, text: str = "", statements: Sequence[_Statement] = (), quads: Sequence[Quad] = ()) -> None:
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._subjects: dict[str, int] = {}
        self._predicates: dict[str, int] = {}
        self._objects: dict[str, int] = {}
        self._triples: dict[tuple[str, str, str], int] = {}
        for (subject, predicate, target), quad in zip(statements, quads, strict=True):
            s, p, o = str(quad.subject), str(quad.predicate), str(quad.object)
            self._subjects.setdefault(s, subject.start)
            self._predicates.setdefault(p, predicate.start)
            self._objects.setdefault(o, target.start)
            for key in ((s, p, o), (s, "", o)):
                self._triples.setdefault(key, target.start)

    def subject(self, term: str) -> int:
        """The line where a term, in N-Triples form, is first a subject."""
        return self._line(self._subjects.get(term))

    def mention(self, term: str) -> int:
        """The line where a term first occurs in any position."""
        places = (found.get(term) for found in (self._subjects, self._predicates, self._objects))
        return self._line(min((p for p in places if p is not None), default=None))

    def statement(self, subject: str, predicate: str, target: str) -> int:
        """The line of the object of a statement; the predicate may be '' for any."""
        return self._line(self._triples.get((subject, predicate, target)))

    def _line(self, start: int | None) -> int:
        return 0 if start is None else bisect_right(self._ends, start - 1) + 1


def find(text: str, syntax: RdfFormat, quads: Sequence[Quad], base: str = "") -> Positions:
    """The positions of the statements that the engine parsed from this text, in its order; empty if not certain."""
    if syntax not in _SYNTAXES:
        return Positions()
    try:
        statements = _Reader(text, syntax == RdfFormat.N_QUADS, base).read()
    except (_Unread, IndexError, RecursionError, ValueError):
        return Positions()
    if len(statements) != len(quads) or not _agree(statements, quads):
        return Positions()
    return Positions(text, statements, quads)


def _agree(statements: Sequence[_Statement], quads: Sequence[Quad]) -> bool:
    ours: dict[str, str] = {}
    theirs: dict[str, str] = {}

    def same(node: _Node, term: AnyTerm) -> bool:
        if isinstance(term, BlankNode):
            is_same = ours.setdefault(node.text, term.value) == term.value
            return node.kind == "blank" and is_same and theirs.setdefault(term.value, node.text) == node.text
        if isinstance(term, NamedNode):
            return node.kind == "iri" and node.text == term.value
        return node.kind == "literal" and isinstance(term, Literal) and node.text == term.value

    return all(
        same(node, term)
        for statement, quad in zip(statements, quads, strict=True)
        for node, term in zip(statement, (quad.subject, quad.predicate, quad.object), strict=True)
    )


def _tokens(text: str) -> Iterator[_Token]:
    """The tokens of the text; a dot after a name is a separate token."""
    for match in lexer.tokens(text, lexer.TURTLE):
        written, kind, start = match[0], match.lastgroup or "", match.start()
        if not kind and (written[0] == "#" or written.isspace()):
            continue
        if not kind and written[0] in "\"'":
            kind = "string"
        size = len(written)
        while kind in ("word", "number") and written.endswith(".", 0, size) and not written.endswith("\\.", 0, size):
            size -= 1
        yield _Token(kind, written[:size], start)
        for at in range(size, len(written)):
            yield _Token("", ".", start + at)
    yield _Token("", "", len(text))


class _Reader:
    """Reads statements by recursive descent; the nesting of brackets has been limited before."""

    def __init__(self, text: str, is_nquads: bool, base: str) -> None:
        self.is_nquads = is_nquads
        self.tokens = list(_tokens(text))
        self.at = 0
        self.prefixes: dict[str, str] = {}
        self.base = base
        self.found: list[_Statement] = []
        self.deferred: list[_Statement] = []
        self.blanks = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.at]

    def take(self, text: str = "") -> _Token:
        token = self.tokens[self.at]
        if text and token.text != text:
            raise _Unread
        self.at += 1
        return token

    def sees(self, *texts: str) -> bool:
        return self.token.text in texts

    def read(self) -> list[_Statement]:
        while self.token.text:
            if self.token.kind == "word" and self.token.text.lower() in ("@prefix", "@base", "prefix", "base"):
                self.directive()
            elif self.sees("{") or self.token.text.upper() == "GRAPH" or self.tokens[self.at + 1].text == "{":
                self.graph()
            else:
                self.triples()
                # In N-Quads the graph name follows the object.
                if self.is_nquads and not self.sees("."):
                    self.term()
                self.take(".")
        return self.found

    def directive(self) -> None:
        keyword = self.take().text
        if keyword.lower().endswith("prefix"):
            name = self.take().text.removesuffix(":")
            self.prefixes[name] = self.iri(self.take())
        else:
            self.base = self.iri(self.take())
        if keyword.startswith("@"):
            self.take(".")

    def graph(self) -> None:
        if self.token.text.upper() == "GRAPH":
            self.take()
        if not self.sees("{"):
            self.term()
        self.take("{")
        while not self.sees("}"):
            self.triples()
            if not self.sees("}"):
                self.take(".")
        self.take("}")

    def triples(self) -> None:
        if self.sees("["):
            subject = self.properties()
            self.flush()
            # A blank node with properties may be a statement by itself.
            if self.sees(".", "}"):
                return
        elif self.sees("("):
            subject = self.collection()
        else:
            subject = self.term()
        self.predicates(subject)

    def predicates(self, subject: _Node) -> None:
        while True:
            token = self.token
            if token.text == "a":
                self.take()
                predicate = _Node("iri", _RDF + "type", token.start)
            else:
                predicate = self.term()
            self.objects(subject, predicate)
            if not self.sees(";"):
                return
            while self.sees(";"):
                self.take()
            if self.sees(".", "]", "}"):
                return

    def objects(self, subject: _Node, predicate: _Node) -> None:
        while True:
            self.object(subject, predicate)
            if not self.sees("]"):
                self.flush()
            if not self.sees(","):
                return
            self.take()

    def object(self, subject: _Node, predicate: _Node) -> None:
        if self.sees("("):
            self.collection((subject, predicate))
        elif self.sees("["):
            self.emit(subject, predicate, self.properties())
            self.flush()
        elif self.token.kind == "string" and self.tokens[self.at + 1].text[:1] not in ("^", "@"):
            # The parser looks ahead for a suffix, and emits this statement after the one of the next token.
            self.deferred.append((subject, predicate, self.term()))
        else:
            self.emit(subject, predicate, self.term())

    def emit(self, subject: _Node, predicate: _Node, target: _Node) -> None:
        self.found.append((subject, predicate, target))

    def flush(self) -> None:
        self.found += self.deferred
        self.deferred.clear()

    def blank(self, start: int) -> _Node:
        self.blanks += 1
        return _Node("blank", f"[{self.blanks}", start)

    def properties(self) -> _Node:
        node = self.blank(self.take("[").start)
        if not self.sees("]"):
            self.predicates(node)
        self.take("]")
        return node

    def collection(self, owner: tuple[_Node, _Node] | None = None) -> _Node:
        """A list; the parser emits the link to an element as soon as it has read the element's first token."""
        start = self.take("(").start
        first, rest = (_Node("iri", _RDF + name, start) for name in ("first", "rest"))
        nil = _Node("iri", _RDF + "nil", start)
        if self.sees(")"):
            self.take()
            if owner:
                self.emit(*owner, nil)
            return nil
        head = current = self.blank(start)
        leading: _Statement | None = (*owner, head) if owner else None
        while True:
            is_simple = not self.sees("(", "[") and self.token.kind != "string"
            if is_simple:
                self.object(current, first)
            if leading:
                self.emit(*leading)
            self.flush()
            if not is_simple:
                self.object(current, first)
            if self.sees(")"):
                self.take()
                self.emit(current, rest, nil)
                self.flush()
                return head
            following = self.blank(self.token.start)
            current, leading = following, (current, rest, following)

    def term(self) -> _Node:
        token = self.take()
        if token.kind == "string":
            return self.literal(token)
        if token.kind == "iri" or (token.kind == "word" and ":" in token.text and not token.text.startswith("_:")):
            return _Node("iri", self.iri(token), token.start)
        if token.text.startswith("_:"):
            return _Node("blank", token.text, token.start)
        if token.text in ("true", "false") or _NUMBER.fullmatch(token.text):
            return _Node("literal", token.text, token.start)
        raise _Unread

    def literal(self, token: _Token) -> _Node:
        quotes = 3 if token.text[:3] in ('"""', "'''") else 1
        if self.sees("^"):
            self.take()
            self.take("^")
            self.term()
        elif self.token.text.startswith("@"):
            self.take()
        return _Node("literal", _unescaped(token.text[quotes:-quotes]), token.start)

    def iri(self, token: _Token) -> str:
        if token.kind == "iri":
            written = _unescaped(token.text[1:-1])
            return written if iris.ABSOLUTE.match(written) or not self.base else urljoin(self.base, written)
        prefix, colon, local = token.text.partition(":")
        if not colon or prefix not in self.prefixes:
            raise _Unread
        return self.prefixes[prefix] + _unescaped(local)


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda m: chr(int(m[1] or m[2], 16)) if m[1] or m[2] else _ESCAPED.get(m[3], m[3]), text)
