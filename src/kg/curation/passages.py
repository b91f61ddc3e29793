"""Passages as evidence: their position in the text of the source, and a hash of the text."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from kg.curation import builder
from kg.curation.records import Record
from kg.curation.sources import read_text
from kg.errors import FileProblem, Rejected
from kg.project.reading import read_project
from kg.rdf.iris import Base

_LINES = re.compile(r"(\d+)(?:-(\d+))?")


@dataclass(frozen=True, slots=True)
class Passage:
    """Lines of a text, numbered from 1, with the code point offsets of a Web Annotation text position selector."""

    first: int
    last: int
    start: int
    end: int
    sha256: str


def locate(text: str, first: int, last: int) -> Passage:
    """The passage of some lines, without the final line break; raises `ValueError` outside of the text."""
    lines = text.split("\n")
    if not 1 <= first <= last <= len(lines):
        raise ValueError(f"lines {first}-{last} of a text of {len(lines)}")
    start = sum(len(line) + 1 for line in lines[: first - 1])
    body = "\n".join(lines[first - 1 : last])
    return Passage(first, last, start, start + len(body), hashlib.sha256(body.encode()).hexdigest())


def record(root: Path, text_file: Path, source: str = "") -> Path:
    """Rewrites `data/passage/{source}.yaml` from the graph keys of all curated files; returns its path.

    Without a name, the source is the one whose record has the hash of the text.
    """
    curated = builder.read_all(read_project(root))
    about, text = read_text(curated, text_file, source)
    source = about.path.removeprefix("source/")
    entries, problems = [], []
    keys = {g: r.block_positions[g] for r in curated.records for g in r.blocks if g.startswith(source + "/")}
    for key in sorted(keys, key=_line_order):
        match = _LINES.fullmatch(key.removeprefix(source + "/"))
        try:
            if match is None:
                raise ValueError("expected lines such as 12 or 12-15")
            first = int(match[1])
            passage = locate(text, first, int(match[2] or first))
        except ValueError as error:
            problems.append(
                FileProblem(keys[key].file, keys[key].line, keys[key].column, "passage", f"'{key}': {error}")
            )
            continue
        entries.append(_entry(key, source, passage, _section(about, passage.first, curated.base)))
    if problems:
        raise Rejected(problems)
    path = root / "data" / "passage" / f"{source}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    head = f"# Written by 'kg passages'; the passages of {source} that the data cites.\nabout:\n  also:\n"
    path.write_text(head + "".join(entries), encoding="utf-8")
    return path


def _line_order(key: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", key.rpartition("/")[2]))


def _section(about: Record, line: int, base: Base) -> str | None:
    """The innermost section of a source that contains a line."""
    best: tuple[int, str] | None = None
    nodes = about.blocks["about"].get("also", [])
    for node in nodes if isinstance(nodes, list) else [nodes]:
        if "firstLine" not in node:
            continue
        first, last = int(node["firstLine"]), int(node["lastLine"])
        if first <= line <= last and (best is None or last - first < best[0]):
            best = (last - first, node["@id"])
    return best[1].removeprefix(base.id).replace("/", ":", 1) if best else None


def _entry(key: str, source: str, passage: Passage, section: str | None) -> str:
    lines = [
        f"    - id: {key}",
        "      type: Passage",
        f"      passageOf: source:{source}",
        *([f"      inSection: {section}"] if section else []),
        f'      firstLine: "{passage.first}"',
        f'      lastLine: "{passage.last}"',
        f"      sha256: {passage.sha256}",
        "      selector:",
        f'        id: "{key}#position"',
        "        type: TextPositionSelector",
        f'        start: "{passage.start}"',
        f'        end: "{passage.end}"',
    ]
    return "\n".join(lines) + "\n"
