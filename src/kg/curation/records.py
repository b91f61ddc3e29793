"""Reads curated YAML files as records with positions, checks them against the context, and reports every fault.

A file is YAML (`kg.documents`) whose scalars the context types: a map from graph to facts, which
describes the record that its path names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kg.documents import Position, YamlDocument, read_text
from kg.errors import FileProblem, nearest
from kg.project.description import Project
from kg.rdf import iris
from kg.rdf.context import Context, ContextTerm
from kg.rdf.datatypes import DATATYPES


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference to an IRI below `id/`, which some record must declare."""

    iri: str
    position: Position


@dataclass(slots=True)
class Record:
    """A file: its blocks as JSON-LD (graph path → node object), with positions."""

    path: str
    iri: str
    blocks: dict[str, dict[str, Any]] = field(default_factory=dict)
    block_positions: dict[str, Position] = field(default_factory=dict)
    declared: dict[str, Position] = field(default_factory=dict)
    described: dict[str, Position] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)
    positions: dict[tuple[str, str], Position] = field(default_factory=dict)
    leaves: int = 0


def read(path: Path, project: Project, context: Context) -> tuple[Record | None, list[FileProblem]]:
    """Reads the record in a file below `root/data`, with all its problems.

    The record is None if the file is not a map.
    """
    name = path.relative_to(project.root).as_posix() if path.is_relative_to(project.root) else path.as_posix()
    text, problems = read_text(path, name)
    if text is None:
        return None, problems
    return _Reader(name, _record_path(path, project.root), project, context).read(text)


def _record_path(path: Path, root: Path) -> str:
    data = root / "data"
    relative = path.relative_to(data) if path.is_relative_to(data) else Path(*path.parts[-2:])
    return relative.with_suffix("").as_posix()


class _Reader(YamlDocument):
    """Walks the node tree of a file along the context."""

    def __init__(self, file: str, record_path: str, project: Project, context: Context) -> None:
        super().__init__(file, "a map of graph to facts")
        self.context = context
        self.base, self.languages = project.base, project.languages_of_names
        self.record = Record(record_path, self.base.record_iri(record_path))

    def read(self, text: str) -> tuple[Record | None, list[FileProblem]]:
        class_name, slash, _ = self.record.path.partition("/")
        whole = Position(self.file, 0, 0)
        if not slash or not iris.SLUG.fullmatch(self.record.path):
            message = "a record is data/<class>/<slug>.yaml, of lower-case letters, digits and single hyphens"
            self.problems.append(whole.problem("slug", message))
        elif class_name not in (known := self.context.folders):
            self.problems.append(
                whole.problem(
                    "class-folder",
                    f"no class of records is called '{class_name}'{nearest(class_name, known)}",
                )
            )
        root = self.compose(text)
        if root is None:
            return None, self.problems
        for key, value in self.pairs(root):
            self._block(key, value)
        return self.record, self.problems

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
        for key, value in self.pairs(node):
            term = self.context.terms.get(key.value)
            if term is None:
                self._unknown_key(key)
                continue
            if term.kind == "id":
                continue
            if term.kind != "included":
                self.record.described.setdefault(subject, self.at(place))
                # The position of problems that the shapes report for this property of this subject.
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

    def _value(self, term: ContextTerm, node: yaml.Node, subject: str) -> Any:
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

    def _duplicates(self, term: ContextTerm, node: yaml.SequenceNode) -> None:
        seen: set[str] = set()
        for member in node.value:
            if isinstance(member, yaml.ScalarNode):
                if member.value in seen:
                    self.report(member, "duplicate-value", f"'{member.value}' stands twice under '{term.key}'")
                seen.add(member.value)

    def _single(self, term: ContextTerm, node: yaml.Node, subject: str) -> Any:
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

    def _nested(self, term: ContextTerm, node: yaml.MappingNode) -> dict[str, Any] | None:
        id_node = next((v for k, v in node.value if getattr(k, "value", None) == "id"), None)
        if not isinstance(id_node, yaml.ScalarNode):
            self.report(
                node,
                "no-id",
                f"the map under '{term.key}' has no 'id'; every node is named, such as '#budget-2026'",
            )
            # Its facts are still read for their problems, as a part that needs no class.
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

    def _scalar(self, term: ContextTerm, node: yaml.Node, subject: str) -> str | None:
        text = self.text(term.key, node)
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
            if iri.startswith(self.base.id):
                self.record.references.append(Reference(iri, self.at(node)))
            text = iri
        elif term.kind == "typed":
            datatype = DATATYPES.get(term.datatype)
            if datatype is not None and not datatype.accepts(text):
                self.report(node, "wrong-type", f"'{text}' under '{term.key}': expected {datatype.expected}")
                return None
        self.record.leaves += 1
        return text

    def _language_map(self, term: ContextTerm, node: yaml.Node) -> dict[str, Any] | None:
        if not isinstance(node, yaml.MappingNode):
            self.report(node, "wrong-type", f"'{term.key}' takes {self._expected(term)}")
            return None
        result: dict[str, Any] = {}
        for language, value in self.pairs(node):
            if language.value not in self.languages:
                close = nearest(language.value, self.languages)
                self.report(
                    language,
                    "language",
                    f"unknown language '{language.value}'{close}; one of {', '.join(self.languages)}",
                )
                continue
            members = value.value if isinstance(value, yaml.SequenceNode) else [value]
            texts = [self.text(f"{term.key}: {language.value}", member) for member in members]
            kept = [text for text in texts if text is not None]
            if len(set(kept)) != len(kept):
                self.report(value, "duplicate-value", f"the same text twice under '{term.key}: {language.value}'")
            self.record.leaves += len(kept)
            if kept:
                result[language.value] = kept
        return result or None

    @staticmethod
    def _expected(term: ContextTerm) -> str:
        if term.kind == "language":
            return "a map of language to text, such as {ja: …, en: …}"
        if term.kind == "typed":
            datatype = DATATYPES.get(term.datatype)
            return datatype.expected if datatype else "text"
        return "plain text"

    def _resolve(self, node: yaml.Node) -> str | None:
        """The absolute IRI of an id or reference: `#part`, `path/below`, `class:slug`, `prefix:term`, `https://…`."""
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
            # Resolved as a URL would be: `forest/article-9` in law/forest.yaml is law/forest/article-9.
            parent = self.record.iri.rpartition("/")[0]
            return self._own(node, f"{parent}/{text}", text.partition("#")[2] or text)
        if head in ("http", "https") and local.startswith("//") and len(local) > 2:
            return text
        if head not in self.context.prefixes:
            known = [*self.context.prefixes, "https"]
            self.report(node, "illegal-iri", f"unknown prefix '{head}' in '{text}'{nearest(head, known)}")
            return None
        iri = self.context.expand(text)
        if iri.startswith(self.base.id):
            path, hash_sign, fragment = iri.removeprefix(self.base.id).partition("#")
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
