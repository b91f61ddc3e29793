"""On which lines of a text in Turtle, TriG, N-Triples or N-Quads its statements stand.

The text is read a second time by the grammar (RDF 1.1 Turtle, section 6.5), in the order in which the engine's parser
gives its statements. Only when both readings agree on every one of them are their places told; else none is.
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
    """The text is not what this reader knows."""


@dataclass(frozen=True, slots=True)
class _Word:
    kind: str
    text: str
    start: int


@dataclass(frozen=True, slots=True)
class _Node:
    """A term with the place where it is written: `iri`, `literal`, or `blank` with a name of its own."""

    kind: str
    text: str
    start: int


_Statement = tuple[_Node, _Node, _Node]


class Positions:
    """Lines from 1 of what a document says; 0 for what is not told."""

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
        """Where a term, in its N-Triples form, is first a subject."""
        return self._line(self._subjects.get(term))

    def mention(self, term: str) -> int:
        """Where a term first stands at all."""
        places = (found.get(term) for found in (self._subjects, self._predicates, self._objects))
        return self._line(min((p for p in places if p is not None), default=None))

    def statement(self, subject: str, predicate: str, target: str) -> int:
        """Where the object of a statement stands; with '' for a predicate that is not known."""
        return self._line(self._triples.get((subject, predicate, target)))

    def _line(self, start: int | None) -> int:
        return 0 if start is None else bisect_right(self._ends, start - 1) + 1


def find(text: str, syntax: RdfFormat, quads: Sequence[Quad]) -> Positions:
    """The places of the statements that the engine read from this text, in its order; empty where it is not certain."""
    if syntax not in _SYNTAXES:
        return Positions()
    try:
        statements = _Reader(text, syntax == RdfFormat.N_QUADS).read()
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


def _words(text: str) -> Iterator[_Word]:
    """The words of the text; a dot after a name is a word of its own."""
    for match in lexer.tokens(text, lexer.TURTLE):
        written, kind, start = match[0], match.lastgroup or "", match.start()
        if not kind and (written[0] == "#" or written.isspace()):
            continue
        if not kind and written[0] in "\"'":
            kind = "string"
        size = len(written)
        while kind in ("word", "number") and written.endswith(".", 0, size) and not written.endswith("\\.", 0, size):
            size -= 1
        yield _Word(kind, written[:size], start)
        for at in range(size, len(written)):
            yield _Word("", ".", start + at)
    yield _Word("", "", len(text))


class _Reader:
    """Reads statements by recursive descent; the depth of brackets is limited before."""

    def __init__(self, text: str, is_nquads: bool) -> None:
        self.is_nquads = is_nquads
        self.words = list(_words(text))
        self.at = 0
        self.prefixes: dict[str, str] = {}
        self.base = ""
        self.found: list[_Statement] = []
        self.held: list[_Statement] = []
        self.made = 0

    @property
    def word(self) -> _Word:
        return self.words[self.at]

    def take(self, text: str = "") -> _Word:
        word = self.words[self.at]
        if text and word.text != text:
            raise _Unread
        self.at += 1
        return word

    def sees(self, *texts: str) -> bool:
        return self.word.text in texts

    def read(self) -> list[_Statement]:
        while self.word.text:
            if self.word.kind == "word" and self.word.text.lower() in ("@prefix", "@base", "prefix", "base"):
                self.directive()
            elif self.sees("{") or self.word.text.upper() == "GRAPH" or self.words[self.at + 1].text == "{":
                self.graph()
            else:
                self.triples()
                # The name of a graph follows the object in N-Quads.
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
        if self.word.text.upper() == "GRAPH":
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
            self.release()
            # A blank node with its properties needs no more of them; in N-Quads and TriG nothing else ends so.
            if self.sees(".", "}"):
                return
        elif self.sees("("):
            subject = self.collection()
        else:
            subject = self.term()
        self.predicates(subject)

    def predicates(self, subject: _Node) -> None:
        while True:
            word = self.word
            if word.text == "a":
                self.take()
                predicate = _Node("iri", _RDF + "type", word.start)
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
                self.release()
            if not self.sees(","):
                return
            self.take()

    def object(self, subject: _Node, predicate: _Node) -> None:
        if self.sees("("):
            self.collection((subject, predicate))
        elif self.sees("["):
            self.emit(subject, predicate, self.properties())
            self.release()
        elif self.word.kind == "string" and self.words[self.at + 1].text[:1] not in ("^", "@"):
            # The parser looks whether a suffix follows, and first tells what the next word makes it tell.
            self.held.append((subject, predicate, self.term()))
        else:
            self.emit(subject, predicate, self.term())

    def emit(self, subject: _Node, predicate: _Node, target: _Node) -> None:
        self.found.append((subject, predicate, target))

    def release(self) -> None:
        self.found += self.held
        self.held.clear()

    def blank(self, start: int) -> _Node:
        self.made += 1
        return _Node("blank", f"[{self.made}", start)

    def properties(self) -> _Node:
        node = self.blank(self.take("[").start)
        if not self.sees("]"):
            self.predicates(node)
        self.take("]")
        return node

    def collection(self, owner: tuple[_Node, _Node] | None = None) -> _Node:
        """A list; as soon as the first word of an element is read, the parser tells what leads to that element."""
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
            is_simple = not self.sees("(", "[") and self.word.kind != "string"
            if is_simple:
                self.object(current, first)
            if leading:
                self.emit(*leading)
            self.release()
            if not is_simple:
                self.object(current, first)
            if self.sees(")"):
                self.take()
                self.emit(current, rest, nil)
                self.release()
                return head
            following = self.blank(self.word.start)
            current, leading = following, (current, rest, following)

    def term(self) -> _Node:
        word = self.take()
        if word.kind == "string":
            return self.literal(word)
        if word.kind == "iri" or (word.kind == "word" and ":" in word.text and not word.text.startswith("_:")):
            return _Node("iri", self.iri(word), word.start)
        if word.text.startswith("_:"):
            return _Node("blank", word.text, word.start)
        if word.text in ("true", "false") or _NUMBER.fullmatch(word.text):
            return _Node("literal", word.text, word.start)
        raise _Unread

    def literal(self, word: _Word) -> _Node:
        quotes = 3 if word.text[:3] in ('"""', "'''") else 1
        if self.sees("^"):
            self.take()
            self.take("^")
            self.term()
        elif self.word.text.startswith("@"):
            self.take()
        return _Node("literal", _unescaped(word.text[quotes:-quotes]), word.start)

    def iri(self, word: _Word) -> str:
        if word.kind == "iri":
            written = _unescaped(word.text[1:-1])
            return written if iris.ABSOLUTE.match(written) or not self.base else urljoin(self.base, written)
        prefix, colon, local = word.text.partition(":")
        if not colon or prefix not in self.prefixes:
            raise _Unread
        return self.prefixes[prefix] + _unescaped(local)


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda m: chr(int(m[1] or m[2], 16)) if m[1] or m[2] else _ESCAPED.get(m[3], m[3]), text)
