"""YAML files as node trees with positions; what stands outside the profile is a problem, never a guess.

The profile is YAML-LD 1.0 (a Community Group report of the JSON-LD group) in the failsafe schema: every scalar is a
string. Anchors, aliases, tags and merge keys are outside of it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kg.errors import FileProblem, nearest

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SUSPECT = frozenset("&*!")
_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file; lines and columns count from 1, 0 is the file as a whole."""

    file: str
    line: int
    column: int

    def problem(self, rule: str, message: str) -> FileProblem:
        return FileProblem(self.file, self.line, self.column, rule, message)


def read_text(path: Path, file: str) -> tuple[str | None, list[FileProblem]]:
    """The text of a file, or why it is none; `file` is its name in messages."""
    where = Position(file, 1, 1)
    try:
        raw = path.read_bytes()
    except OSError as error:
        return None, [Position(file, 0, 0).problem("readable", f"cannot be read: {error.strerror}")]
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line = before.count(b"\n") + 1
        column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8"
        return None, [FileProblem(file, line, column, "encoding", message)]
    if text.startswith("\ufeff"):
        return None, [where.problem("encoding", "starts with a byte-order mark; save the file as UTF-8 without one")]
    return text, []


class YamlDocument:
    """One YAML file as it is walked; problems are collected instead of stopping. `content` says what the file is."""

    def __init__(self, file: str, content: str) -> None:
        self.file = file
        self.content = content
        self.problems: list[FileProblem] = []

    def at(self, node: yaml.Node) -> Position:
        return Position(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def report(self, node: yaml.Node, rule: str, message: str) -> None:
        self.problems.append(self.at(node).problem(rule, message))

    def compose(self, text: str) -> yaml.MappingNode | None:
        """The map that the file is; None with a problem when it is none."""
        self._check_normal_form(text)
        try:
            if not _SUSPECT.isdisjoint(text):
                self._check_events(text)
            root = yaml.compose(text, Loader=_Loader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
            what = " ".join(filter(None, (error.problem, error.context)))
            self.problems.append(FileProblem(self.file, line, column, "syntax", f"not YAML: {what}"))
            return None
        except yaml.YAMLError as error:
            self.problems.append(FileProblem(self.file, 0, 0, "syntax", f"not YAML: {str(error).splitlines()[0]}"))
            return None
        if root is None:
            self.problems.append(FileProblem(self.file, 1, 1, "empty", f"the file is empty; expected {self.content}"))
            return None
        if not isinstance(root, yaml.MappingNode):
            self.report(root, "shape", f"expected {self.content} at the top of the file")
            return None
        return root

    def _check_normal_form(self, text: str) -> None:
        if not unicodedata.is_normalized("NFC", text):
            line = next(i for i, t in enumerate(text.split("\n"), 1) if not unicodedata.is_normalized("NFC", t))
            message = "text is not in Unicode normal form C; retype the composed letters"
            self.problems.append(FileProblem(self.file, line, 1, "normal-form", message))

    def _check_events(self, text: str) -> None:
        """Anchors, aliases and tags are outside the profile; composing would resolve them unseen."""
        for event in yaml.parse(text, Loader=_Loader):
            assert event.start_mark is not None
            line, column = event.start_mark.line + 1, event.start_mark.column + 1
            anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
            if isinstance(event, yaml.AliasEvent):
                message = f"alias *{anchor}: aliases are not used here; write the value again, or link by id"
                self.problems.append(FileProblem(self.file, line, column, "alias", message))
            elif anchor:
                message = f"anchor &{anchor}: anchors are not used here; quote the value if it begins with '&'"
                self.problems.append(FileProblem(self.file, line, column, "anchor", message))
            elif tag:
                message = f"tag {tag}: tags are not used here; the context types every value"
                self.problems.append(FileProblem(self.file, line, column, "tag", message))

    def pairs(self, node: yaml.MappingNode) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
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

    def text(self, key: str, node: yaml.Node) -> str | None:
        """The text of a scalar; None with a problem when it is none or empty."""
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

    def fields(
        self,
        node: yaml.MappingNode,
        readers: Mapping[str, Callable[[str, yaml.Node], Any]],
        positions: dict[str, Position] | None = None,
    ) -> dict[str, Any]:
        """The values of a map whose keys are known, each as its reader returns it; None values are left out."""
        values = {}
        for key, value in self.pairs(node):
            if key.value not in readers:
                self.report(key, "unknown-key", f"unknown key '{key.value}'{nearest(key.value, readers)}")
                continue
            if positions is not None:
                positions[key.value] = self.at(value)
            if (read := readers[key.value](key.value, value)) is not None:
                values[key.value] = read
        return values

    def texts(self, key: str, node: yaml.Node, languages: Sequence[str]) -> dict[str, str] | None:
        """A text in each of the languages; None with a problem when the node is no map."""
        if not isinstance(node, yaml.MappingNode):
            example = ", ".join(f"{tongue}: …" for tongue in languages)
            self.report(node, "wrong-type", f"'{key}' needs a text in each language: {{{example}}}")
            return None
        texts = self.fields(node, dict.fromkeys(languages, self.text))
        if missing := [tongue for tongue in languages if tongue not in texts]:
            self.report(node, "missing-language", f"'{key}' has no text in {' and '.join(missing)}")
        return texts

    def mapping(self, key: str, node: yaml.Node, content: str) -> yaml.MappingNode | None:
        """The node when it is a map; else None with a problem that says what was expected."""
        if isinstance(node, yaml.MappingNode):
            return node
        self.report(node, "wrong-type", f"'{key}' needs {content}")
        return None

    def members(self, key: str, node: yaml.Node) -> list[str]:
        """The texts of a list; a problem when it is none."""
        if not isinstance(node, yaml.SequenceNode):
            self.report(node, "wrong-type", f"'{key}' needs a list: [first, second]")
            return []
        return [text for member in node.value if (text := self.text(key, member)) is not None]

    def require(self, node: yaml.Node, values: Iterable[str], keys: Iterable[str], where: str = "") -> None:
        """Reports each of the keys that a map should have and lacks."""
        known = set(values)
        for key in keys:
            if key not in known:
                self.report(node, "missing-key", f"'{key}' is missing{where}")
