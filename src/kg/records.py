"""Curated YAML files as records: read with positions, held to the profile and the context, every fault reported.

The profile is YAML-LD 1.0 (a Community Group report of the JSON-LD group) in the failsafe schema: every scalar is a
string, and the context types it. A file is a map from graph to facts, and describes the record that its path names.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kg import iris
from kg.context import LANGUAGES, Context, Term
from kg.datatypes import DATATYPES
from kg.errors import Problem, nearest

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SUSPECT = frozenset("&*!")
_NULL = "tag:yaml.org,2002:null"
_STRING = "tag:yaml.org,2002:str"


@dataclass(frozen=True, slots=True)
class Position:
    file: str
    line: int
    column: int

    def problem(self, rule: str, message: str) -> Problem:
        return Problem(self.file, self.line, self.column, rule, message)


@dataclass(frozen=True, slots=True)
class Reference:
    """A mention of an IRI below `id/` that some record must declare."""

    iri: str
    position: Position


@dataclass(slots=True)
class Record:
    """One file: its blocks as JSON-LD (graph path → node object), and where everything in it stands."""

    path: str
    iri: str
    blocks: dict[str, dict[str, Any]] = field(default_factory=dict)
    block_positions: dict[str, Position] = field(default_factory=dict)
    declared: dict[str, Position] = field(default_factory=dict)
    described: dict[str, Position] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)
    positions: dict[tuple[str, str], Position] = field(default_factory=dict)
    leaves: int = 0


def read(path: Path, root: Path, context: Context) -> tuple[Record | None, list[Problem]]:
    """The record in a file below `root/data`, and all problems found in it.

    The record is None when the file cannot be read as a map at all.
    """
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
    where = Position(name, 1, 1)
    try:
        raw = path.read_bytes()
    except OSError as error:
        return None, [Position(name, 0, 0).problem("readable", f"cannot be read: {error.strerror}")]
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line = before.count(b"\n") + 1
        column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8"
        return None, [Problem(name, line, column, "encoding", message)]
    if text.startswith("\ufeff"):
        return None, [where.problem("encoding", "starts with a byte-order mark; save the file as UTF-8 without one")]
    return _Reader(name, _record_path(path, root), context).read(text)


def _record_path(path: Path, root: Path) -> str:
    data = root / "data"
    relative = path.relative_to(data) if path.is_relative_to(data) else Path(*path.parts[-2:])
    return relative.with_suffix("").as_posix()


class _Reader:
    """Walks one file's node tree beside the context, collecting problems instead of stopping."""

    def __init__(self, file: str, record_path: str, context: Context) -> None:
        self.file = file
        self.context = context
        self.record = Record(record_path, iris.record_iri(record_path))
        self.problems: list[Problem] = []

    def at(self, node: yaml.Node) -> Position:
        return Position(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def report(self, node: yaml.Node, rule: str, message: str) -> None:
        self.problems.append(self.at(node).problem(rule, message))

    def read(self, text: str) -> tuple[Record | None, list[Problem]]:
        class_name, slash, _ = self.record.path.partition("/")
        whole = Position(self.file, 0, 0)
        if not slash or not iris.SLUG.fullmatch(self.record.path):
            message = "a record is data/<class>/<slug>.yaml, of lower-case letters, digits and single hyphens"
            self.problems.append(whole.problem("slug", message))
        elif class_name not in self.context.prefixes:
            known = [p for p in self.context.prefixes if p not in self.context.vocabularies]
            self.problems.append(
                whole.problem(
                    "class-folder",
                    f"no class of records is called '{class_name}'{nearest(class_name, known)}",
                )
            )
        if not unicodedata.is_normalized("NFC", text):
            line = next(i for i, t in enumerate(text.split("\n"), 1) if not unicodedata.is_normalized("NFC", t))
            self.problems.append(
                Problem(
                    self.file,
                    line,
                    1,
                    "normal-form",
                    "text is not in Unicode normal form C; retype the composed letters",
                )
            )
        try:
            if not _SUSPECT.isdisjoint(text):
                self._check_events(text)
            root = yaml.compose(text, Loader=_Loader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
            what = " ".join(filter(None, (error.problem, error.context)))
            self.problems.append(Problem(self.file, line, column, "syntax", f"not YAML: {what}"))
            return None, self.problems
        except yaml.YAMLError as error:
            self.problems.append(Problem(self.file, 0, 0, "syntax", f"not YAML: {str(error).splitlines()[0]}"))
            return None, self.problems
        if root is None:
            self.problems.append(
                Problem(self.file, 1, 1, "empty", "the file is empty; expected a map of graph to facts")
            )
            return None, self.problems
        if not isinstance(root, yaml.MappingNode):
            self.report(root, "shape", "expected a map of graph to facts at the top of the file")
            return None, self.problems
        for key, value in self._pairs(root):
            self._block(key, value)
        return self.record, self.problems

    def _check_events(self, text: str) -> None:
        """Anchors, aliases and tags are outside the profile; composing would resolve them unseen."""
        for event in yaml.parse(text, Loader=_Loader):
            assert event.start_mark is not None
            line, column = event.start_mark.line + 1, event.start_mark.column + 1
            anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
            if isinstance(event, yaml.AliasEvent):
                message = f"alias *{anchor}: aliases are not used here; write the value again, or link by id"
                self.problems.append(Problem(self.file, line, column, "alias", message))
            elif anchor:
                message = f"anchor &{anchor}: anchors are not used here; quote the value if it begins with '&'"
                self.problems.append(Problem(self.file, line, column, "anchor", message))
            elif tag:
                message = f"tag {tag}: tags are not used here; the context types every value"
                self.problems.append(Problem(self.file, line, column, "tag", message))

    def _pairs(self, node: yaml.MappingNode) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        """The entries of a map, without those whose key is no string or stands there twice."""
        seen: dict[str, int] = {}
        if not node.value:
            self.report(node, "empty-value", "empty map; leave the key out instead")
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.report(key, "shape", "a key must be plain text")
            elif key.value == "<<":
                self.report(key, "merge-key", "merge keys are not used here; write the entries out")
            elif key.value in seen:
                self.report(
                    key,
                    "duplicate-key",
                    f"'{key.value}' stands on line {seen[key.value]} already; use a list",
                )
            else:
                seen[key.value] = key.start_mark.line + 1
                yield key, value

    def _block(self, key: yaml.ScalarNode, value: yaml.Node) -> None:
        graph = key.value
        if not iris.SLUG.fullmatch(graph):
            self.report(
                key,
                "graph-key",
                f"'{graph}' names no graph; expected a source and lines, such as source/12-15",
            )
            return
        if not isinstance(value, yaml.MappingNode):
            self.report(value, "shape", f"expected a map of facts under '{graph}'")
            return
        self.record.block_positions[graph] = self.at(key)
        facts = self._node_facts(value, self.record.iri, key)
        self.record.blocks[graph] = {"@id": self.record.iri, **facts}

    def _node_facts(self, node: yaml.MappingNode, subject: str, place: yaml.Node) -> dict[str, Any]:
        facts: dict[str, Any] = {}
        self.record.positions.setdefault((subject, ""), self.at(place))
        for key, value in self._pairs(node):
            term = self.context.terms.get(key.value)
            if term is None:
                self._unknown_key(key)
                continue
            if term.kind == "id":
                continue
            if term.kind != "included":
                self.record.described.setdefault(subject, self.at(place))
                # Where a fault of this property of this subject is shown, as the shapes report it.
                self.record.positions.setdefault((subject, term.iri), self.at(value))
            converted = self._value(term, value, subject)
            if converted is not None:
                facts[key.value] = converted
        return facts

    def _unknown_key(self, key: yaml.ScalarNode) -> None:
        known = self.context.terms
        extra = nearest(key.value, known)
        if key.value in self.context.classes:
            extra = "; that is a class: write it as the value of 'type'"
        self.report(key, "unknown-key", f"unknown key '{key.value}'{extra}")

    def _value(self, term: Term, node: yaml.Node, subject: str) -> Any:
        if term.kind == "language":
            return self._language_map(term, node)
        if isinstance(node, yaml.SequenceNode):
            if not node.value:
                self.report(node, "empty-value", f"empty list under '{term.key}'; leave the key out instead")
                return None
            converted = [self._single(term, member, subject) for member in node.value]
            kept = [value for value in converted if value is not None]
            self._duplicates(term, node)
            return kept or None
        return self._single(term, node, subject)

    def _duplicates(self, term: Term, node: yaml.SequenceNode) -> None:
        seen: set[str] = set()
        for member in node.value:
            if isinstance(member, yaml.ScalarNode):
                if member.value in seen:
                    self.report(member, "duplicate-value", f"'{member.value}' stands twice under '{term.key}'")
                seen.add(member.value)

    def _single(self, term: Term, node: yaml.Node, subject: str) -> Any:
        if isinstance(node, yaml.SequenceNode):
            self.report(node, "shape", f"a list within a list under '{term.key}'")
            return None
        if isinstance(node, yaml.MappingNode):
            if term.kind not in ("iri", "included"):
                self.report(node, "wrong-type", f"'{term.key}' takes {self._expected(term)}, not a map")
                return None
            return self._nested(term, node)
        if term.kind == "included":
            self.report(node, "wrong-type", f"'{term.key}' takes maps that begin with 'id', not text")
            return None
        return self._scalar(term, node, subject)

    def _nested(self, term: Term, node: yaml.MappingNode) -> dict[str, Any] | None:
        id_node = next((v for k, v in node.value if getattr(k, "value", None) == "id"), None)
        if not isinstance(id_node, yaml.ScalarNode):
            self.report(
                node,
                "no-id",
                f"the map under '{term.key}' has no 'id'; every node is named, such as '#budget-2026'",
            )
            # Its facts are still read, for the faults in them, as a part that needs no class.
            unnamed = self.record.iri + "#unnamed"
            self.record.declared.setdefault(unnamed, self.at(node))
            self._node_facts(node, unnamed, node)
            return None
        iri = self._resolve(id_node)
        if iri is None:
            return None
        facts = self._node_facts(node, iri, id_node)
        if term.kind == "included":
            if not facts:
                self.report(node, "empty-value", f"nothing is said of '{id_node.value}'")
        else:
            self.record.leaves += 1
        if not iri.startswith((self.record.iri + "#", self.record.iri + "/")):
            self.record.references.append(Reference(iri, self.at(id_node)))
        return {"@id": iri, **facts}

    def _scalar(self, term: Term, node: yaml.Node, subject: str) -> str | None:
        text = self._text(term.key, node)
        if text is None:
            return None
        if term.kind == "type":
            self.record.declared.setdefault(subject, self.at(node))
            if text not in self.context.classes:
                close = nearest(text, self.context.classes)
                self.report(node, "unknown-class", f"unknown class '{text}'{close}")
                return None
        elif term.kind == "iri":
            iri = self._resolve(node)
            if iri is None:
                return None
            if iri.startswith(iris.ID):
                self.record.references.append(Reference(iri, self.at(node)))
            text = iri
        elif term.kind == "typed":
            datatype = DATATYPES.get(term.datatype)
            if datatype is not None and not datatype.accepts(text):
                self.report(node, "wrong-type", f"'{text}' under '{term.key}': expected {datatype.expected}")
                return None
        self.record.leaves += 1
        return text

    def _text(self, key: str, node: yaml.Node) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self.report(node, "wrong-type", f"expected text under '{key}'")
            return None
        text: str = node.value
        if not text.strip() or (node.tag == _NULL and node.style is None):
            self.report(node, "empty-value", f"nothing stands under '{key}'; leave the key out instead")
            return None
        if text != text.strip():
            self.report(node, "white-space", f"white space around the value of '{key}'")
        return text

    def _language_map(self, term: Term, node: yaml.Node) -> dict[str, Any] | None:
        if not isinstance(node, yaml.MappingNode):
            self.report(node, "wrong-type", f"'{term.key}' takes {self._expected(term)}")
            return None
        result: dict[str, Any] = {}
        for language, value in self._pairs(node):
            if language.value not in LANGUAGES:
                close = nearest(language.value, LANGUAGES)
                self.report(
                    language,
                    "language",
                    f"unknown language '{language.value}'{close}; one of {', '.join(LANGUAGES)}",
                )
                continue
            members = value.value if isinstance(value, yaml.SequenceNode) else [value]
            texts = [self._text(f"{term.key}: {language.value}", member) for member in members]
            kept = [text for text in texts if text is not None]
            if len(set(kept)) != len(kept):
                self.report(value, "duplicate-value", f"the same text twice under '{term.key}: {language.value}'")
            self.record.leaves += len(kept)
            if kept:
                result[language.value] = kept
        return result or None

    @staticmethod
    def _expected(term: Term) -> str:
        if term.kind == "language":
            return "a map of language to text, such as {ja: …, en: …}"
        if term.kind == "typed":
            datatype = DATATYPES.get(term.datatype)
            return datatype.expected if datatype else "text"
        return "plain text"

    def _resolve(self, node: yaml.Node) -> str | None:
        """The absolute IRI of an id or reference as written: `#part`, `path/below`, `class:slug`, `prefix:term`, `https://…`."""
        text: str = node.value if isinstance(node, yaml.ScalarNode) else ""
        if bad := iris.ILLEGAL_IN_IRI.search(text):
            self.report(
                node,
                "illegal-iri",
                f"'{text}' is no IRI: {bad.group()!r} may not stand in one; percent-encode it",
            )
            return None
        if text.startswith("#"):
            return self._own(node, self.record.iri + text, text[1:])
        head, colon, local = text.partition(":")
        if not colon:
            # Resolved as a URL would be: `ai-act/article-9` in law/ai-act.yaml is law/ai-act/article-9.
            parent = self.record.iri.rpartition("/")[0]
            return self._own(node, f"{parent}/{text}", text.partition("#")[2] or text)
        if head in ("http", "https") and local.startswith("//") and len(local) > 2:
            return text
        if head not in self.context.prefixes:
            known = [*self.context.prefixes, "https"]
            self.report(node, "illegal-iri", f"unknown prefix '{head}' in '{text}'{nearest(head, known)}")
            return None
        iri = self.context.expand(text)
        if iri.startswith(iris.ID):
            path, hash_sign, fragment = iri.removeprefix(iris.ID).partition("#")
            if not iris.SLUG.fullmatch(path) or (hash_sign and not iris.SEGMENT.fullmatch(fragment)):
                self.report(
                    node,
                    "slug",
                    f"'{text}' is no name of ours: lower-case letters, digits and single hyphens",
                )
                return None
        return iri

    def _own(self, node: yaml.Node, iri: str, name: str) -> str | None:
        if not iri.startswith((self.record.iri + "#", self.record.iri + "/")):
            last = self.record.iri.rpartition("/")[2]
            self.report(
                node,
                "foreign-id",
                f"'{node.value}' is not a part of this record; write '{last}/…' or '#…', or class:slug",
            )
            return None
        if not iris.SLUG.fullmatch(name):
            self.report(
                node,
                "slug",
                f"'{node.value}' is no name of ours: lower-case letters, digits and single hyphens",
            )
            return None
        return iri
