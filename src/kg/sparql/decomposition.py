"""Decomposes a query into the parts of its groups, and its names with patterns that test whether they exist.

Supports SELECT, ASK and CONSTRUCT queries of SPARQL 1.1 without SERVICE (SPARQL 1.1 Query, section 19.8).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urljoin

from kg.errors import QueryMalformed
from kg.sparql import lexer

Place = Literal["predicate", "class", "node", "graph"]
Kind = Literal["term", "pattern", "filter", "having", "alias", "modifier", "graph", "unknown"]

_RDF_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
_PAIRS = {"{": "}", "(": ")", "[": "]"}
_CLAUSES = ("GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "VALUES")
_CHECKS: dict[Place, str] = {
    "predicate": "?s {0} ?o",
    "class": "?s a {0}",
    "node": "{{ {0} ?p ?o }} UNION {{ ?s ?p {0} }} UNION {{ ?s {0} ?o }}",
    "graph": "GRAPH {0} {{ ?s ?p ?o }}",
}
# A name in a GRAPH clause that is only in the default graph does exist: the clause is to blame.
_ANYWHERE = "{{ {1} }} UNION {{ GRAPH ?g {{ {1} }} }} UNION {{ GRAPH {0} {{ ?s ?p ?o }} }}"
# Deeper nesting is not written by hand, and a level takes up to four of Python's thousand stack frames.
_DEEPEST = 64
_CONSTANT = re.compile(r"[0-9]+(\.[0-9]*)?([eE]-?[0-9]+)?|true|false", re.IGNORECASE)
# The most tokens that are looked at together.
_AHEAD = 4


@dataclass(frozen=True, slots=True)
class Word:
    """A token other than white space and comments."""

    kind: str
    text: str
    start: int

    @property
    def is_name(self) -> bool:
        return self.kind == "iri" or (self.kind == "word" and ":" in self.text and self.text[0] not in "@_")


@dataclass(frozen=True, slots=True)
class Use:
    """A name in the query, and the group pattern that has a solution if the name exists in the data."""

    start: int
    written: str
    iri: str
    place: Place
    check: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a group as spans of the text; for a group that can be searched, also the end of its opening."""

    kind: Kind
    spans: tuple[tuple[int, int], ...]
    opened: int = 0
    inside: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True)
class DecomposedQuery:
    """A decomposed query; `projection` is its SELECT clause, `where` the start of its WHERE."""

    query: str
    prologue: str
    projection: str
    dataset: str
    where: int
    graphs: tuple[Use, ...]
    uses: tuple[Use, ...]
    pieces: tuple[Piece, ...]
    clauses: tuple[tuple[str, int, int], ...]

    def ask(self, body: str) -> str:
        return f"{self.prologue}ASK {self.dataset}{{ {body} }}"

    def ask_up_to(self, end: int) -> str:
        """The query up to one of its clauses, with its SELECT clause, to whose aggregates HAVING may refer."""
        text = self.query[self.where : end]
        return self.ask(self.projection + text) if self.projection else f"{self.prologue}ASK {self.dataset}{text}"

    def text(self, piece: Piece) -> str:
        return " ".join(self.query[start:end] for start, end in piece.spans)

    def body(self, pieces: Iterable[Piece]) -> str:
        return "".join(f"{self.text(piece)} .\n" for piece in pieces)

    def opening(self, piece: Piece) -> str:
        return self.query[piece.spans[0][0] : piece.opened] + " "

    def place(self, start: int) -> tuple[int, int]:
        return self.query.count("\n", 0, start) + 1, start - self.query.rfind("\n", 0, start)


def read(query: str, prefixes: Mapping[str, str]) -> DecomposedQuery:
    """Decomposes a query; raises `QueryMalformed` if it cannot be read."""
    return QueryReader(query, prefixes).read()


def tokens_of(query: str) -> list[Word]:
    """The tokens of a query, with empty ones at the end; a dot after a name is a separate token."""
    found = []
    for match in lexer.tokens(query):
        text, kind = match[0], match.lastgroup or ""
        size = len(text)
        while kind in ("word", "number") and text.endswith(".", 0, size) and not text.endswith("\\.", 0, size):
            size -= 1
        if kind or not (text.isspace() or text[0] == "#"):
            found.append(Word(kind, text[:size], match.start()))
            found += (Word("", ".", match.start() + at) for at in range(size, len(text)))
    return [*found, *[Word("", "", len(query))] * _AHEAD]


def _closings(words: Sequence[Word]) -> dict[int, int]:
    """The closing bracket of each opening one."""
    waiting: list[int] = []
    closing = {}
    for index, word in enumerate(words):
        if word.kind == "bracket" and word.text in _PAIRS:
            waiting.append(index)
        elif word.kind == "bracket" and waiting and _PAIRS[words[waiting[-1]].text] == word.text:
            closing[waiting.pop()] = index
        elif word.kind == "bracket" or (waiting and not word.text):
            raise QueryMalformed("brackets that do not match")
        if len(waiting) > _DEEPEST:
            raise QueryMalformed("nested too deeply to be read here")
    return closing


class QueryReader:
    """Reads the parts of a query and records its names; positions are indices of tokens."""

    def __init__(self, query: str, prefixes: Mapping[str, str]) -> None:
        self.query, self.words, self.names, self.base = query, tokens_of(query), dict(prefixes), ""
        self.uses: list[Use] = []
        self.listed: list[int] = []
        self.is_in_graph = False
        plain = lexer.unescape(query)
        if plain != query and [w.kind for w in tokens_of(plain)] != [w.kind for w in self.words]:
            raise QueryMalformed("an escape that stands for syntax")
        if any(word.text.upper() == "SERVICE" for word in self.words):
            raise QueryMalformed("another endpoint would be asked")
        self.closing = _closings(self.words)

    def read(self) -> DecomposedQuery:
        form = self.prologue()
        i, is_select = form + 1, self.at(form, "SELECT")
        if is_select:
            i = self.find(i, "FROM", "WHERE", "{")
        elif self.at(form, "CONSTRUCT") and self.at(i, "{"):
            i = self.skip(i, "{")
        elif not self.at(form, "ASK", "CONSTRUCT"):
            raise QueryMalformed("a form that is not read here")
        where = self.find(i, "WHERE", "{")
        brace = self.find(where, "{")
        texts = self.upto(0, form), self.upto(form, i) if is_select else "", self.upto(i, where)
        graphs = tuple(self.graph_of_dataset(j, texts[0]) for j in range(i, where) if self.words[j].is_name)
        clauses = tuple(self.clauses(self.skip(brace, "{")))
        pieces, self.is_in_graph = self.group(brace), True
        # Names in VALUES come last, since there may be many, and they may be names of graphs.
        for j in self.listed:
            self.use(j, "node")
        return DecomposedQuery(self.query, *texts, self.words[where].start, graphs, tuple(self.uses), pieces, clauses)

    def prologue(self) -> int:
        i = 0
        while self.at(i, "BASE", "PREFIX"):
            is_prefix = self.at(i, "PREFIX")
            iri = self.iri(i + 1 + is_prefix)
            if is_prefix:
                self.names[self.words[i + 1].text.removesuffix(":")] = iri
            else:
                self.base = iri
            i += 2 + is_prefix
        return i

    def graph_of_dataset(self, i: int, prologue: str) -> Use:
        written, is_named = self.words[i].text, self.at(i - 1, "NAMED")
        clause, body = ("FROM NAMED", "GRAPH ?g { ?s ?p ?o }") if is_named else ("FROM", "?s ?p ?o")
        check = f"{prologue}ASK {clause} {written} {{ {body} }}"
        return Use(self.words[i].start, written, self.iri(i), "graph", check)

    def clauses(self, i: int) -> Iterator[tuple[str, int, int]]:
        """The solution modifiers after WHERE, with their names and spans."""
        while not self.at(i, ""):
            if not self.at(i, *_CLAUSES):
                raise QueryMalformed("something that follows the query")
            end = self.find(i + 1, *_CLAUSES)
            yield (self.words[i].text.upper(), *self.span(i, end))
            i = end

    def at(self, i: int, *texts: str) -> bool:
        return self.words[i].text.upper() in texts

    def skip(self, i: int, bracket: str) -> int:
        if not self.at(i, bracket):
            raise QueryMalformed(f"no {bracket}")
        return self.closing[i] + 1

    def find(self, i: int, *texts: str) -> int:
        """The next of these tokens outside of brackets, or the end."""
        while not self.at(i, "", *texts):
            if self.at(i, *_PAIRS.values()):
                raise QueryMalformed(f"no {texts[0]}")
            i = self.closing.get(i, i) + 1
        return i

    def span(self, i: int, end: int) -> tuple[int, int]:
        return self.words[i].start, self.words[end - 1].start + len(self.words[end - 1].text)

    def upto(self, i: int, end: int) -> str:
        """The text before a token, including the line break that ends a comment."""
        return self.query[self.words[i].start : self.words[end].start]

    def iri(self, i: int) -> str:
        word, written = self.words[i], self.words[i].text[1:-1]
        prefix, _, local = word.text.partition(":")
        if word.kind == "iri" and self.base:
            # urljoin would drop an empty fragment, as in the IRI of a vocabulary.
            try:
                return urljoin(self.base, written.removesuffix("#")) + "#" * written.endswith("#")
            except ValueError as error:
                raise QueryMalformed(str(error)) from None
        if word.kind == "iri":
            return written
        if not word.is_name or prefix not in self.names:
            raise QueryMalformed("no IRI")
        return self.names[prefix] + local.replace("\\", "")

    def use(self, i: int, place: Place) -> None:
        written = self.words[i].text
        check = _CHECKS[place].format(written)
        check = _ANYWHERE.format(written, check) if self.is_in_graph else check
        self.uses.append(Use(self.words[i].start, written, self.iri(i), place, check))

    def group(self, i: int) -> tuple[Piece, ...]:
        """The parts of a group, with filters last, since they apply to the whole group."""
        end = self.skip(i, "{") - 1
        if self.at(i + 1, "SELECT"):
            self.group(self.find(i + 1, "{"))
            return (Piece("pattern", (self.span(i, end + 1),)),)
        pieces: list[Piece] = []
        i += 1
        while i < end:
            found, i = ([], i + 1) if self.at(i, ".") else self.element(i)
            pieces += found
        return tuple(sorted(pieces, key=lambda piece: piece.kind == "filter"))

    def element(self, i: int) -> tuple[list[Piece], int]:
        kind: Kind = "pattern"
        match self.words[i].text.upper():
            case "{":
                return self.groups(i)
            case "GRAPH":
                return self.graph(i)
            case "FILTER":
                kind, brace = "filter", self.find(i, "(", "{")
                end = self.skip(brace, "{" if self.at(brace, "{") else "(")
            case "BIND" | "MINUS":
                end = self.skip(i + 1, "(" if self.at(i, "BIND") else "{")
            case "OPTIONAL":
                self.group(i + 1)
                end = self.skip(i + 1, "{")
            case "VALUES":
                brace = self.find(i, "{")
                end = self.skip(brace, "{")
                self.listed += (j for j in range(brace, end) if self.words[j].is_name and not self.at(j - 1, "^"))
            case _:
                return self.triples(i)
        return [Piece(kind, (self.span(i, end),))], end

    def groups(self, i: int) -> tuple[list[Piece], int]:
        """A group, or the branches of a UNION as one part."""
        inside, end = self.group(i), self.skip(i, "{")
        opened = 0 if self.at(end, "UNION") else self.words[i].start + 1
        while self.at(end, "UNION"):
            self.group(end + 1)
            end = self.skip(end + 1, "{")
        return [Piece("pattern", (self.span(i, end),), opened, inside if opened else ())], end

    def graph(self, i: int) -> tuple[list[Piece], int]:
        if self.words[i + 1].kind != "variable":
            self.use(i + 1, "graph")
        outer, self.is_in_graph = self.is_in_graph, True
        inside, end = self.group(i + 2), self.skip(i + 2, "{")
        self.is_in_graph = outer
        return [Piece("graph", (self.span(i, end),), self.words[i + 2].start + 1, inside)], end

    def triples(self, i: int) -> tuple[list[Piece], int]:
        """The triple patterns of a subject; one part if it has brackets, which would be different nodes in each."""
        after = self.node(i)
        is_bracketed = after > i + 1
        links, end = self.properties(after) if not is_bracketed or self.begins_verb(after) else ([], after)
        if is_bracketed:
            return [Piece("pattern", (self.span(i, end),))], end
        spans = [(self.span(i, after), *link) for link in links]
        # The first is kept as written, including the text between its tokens.
        spans[0] = ((spans[0][0][0], spans[0][-1][1]),)
        return [Piece("pattern", parts) for parts in spans], end

    def properties(self, i: int) -> tuple[list[tuple[tuple[int, int], ...]], int]:
        """The spans of every verb with each of its objects."""
        links: list[tuple[tuple[int, int], ...]] = []
        while self.begins_verb(i) or not links:
            verb, (node, place) = i, self.verb(i)
            i = self.node(node, place)
            links.append((self.span(verb, i),))
            while self.at(i, ","):
                start, i = i + 1, self.node(i + 1, place)
                links.append((self.span(verb, node), self.span(start, i)))
            if not self.at(i, ";"):
                break
            while self.at(i, ";"):
                i += 1
        return links, i

    def begins_verb(self, i: int) -> bool:
        word = self.words[i]
        return word.is_name or word.kind == "variable" or word.text in ("a", "^", "!", "(")

    def verb(self, i: int) -> tuple[int, Place]:
        """The end of a verb and the position of its objects; records its names unless one is negated."""
        start = i
        if self.words[i].kind == "variable":
            return i + 1, "node"
        while i == start or self.words[i - 1].text in ("/", "|"):
            while self.at(i, "^", "!"):
                i += 1
            if not self.words[i].is_name and self.words[i].text not in ("a", "("):
                raise QueryMalformed("no verb")
            i = self.closing.get(i, i) + 1
            i += self.at(i, "*", "+", "?")
            i += self.at(i, "/", "|")
        path = self.words[start:i]
        if all(word.text != "!" for word in path):
            for at in range(start, i):
                if self.words[at].is_name:
                    self.use(at, "predicate")
        is_type = len(path) == 1 and (path[0].text == "a" or self.iri(start) == _RDF_TYPE)
        return i, "class" if is_type else "node"

    def node(self, i: int, place: Place = "node") -> int:
        """The end of a subject or an object."""
        word = self.words[i]
        end = self.closing.get(i, i)
        if word.is_name:
            self.use(i, place)
        elif word.text == "[":
            if i + 1 < end and self.properties(i + 1)[1] != end:
                raise QueryMalformed("no property list")
        elif word.text == "(":
            i += 1
            while i < end:
                i = self.node(i)
        elif word.text[0:1] in ("'", '"'):
            if self.words[i + 1].text.startswith("@") and "." not in self.words[i + 1].text:
                return i + 2
            if self.at(i + 1, "^") and self.at(i + 2, "^"):
                self.iri(i + 3)
                return i + 4
        elif not (word.kind in ("variable", "number") or word.text.startswith("_:") or _CONSTANT.fullmatch(word.text)):
            raise QueryMalformed("no node")
        return end + 1
