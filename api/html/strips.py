"""The strip: all lines of a source, one tick each, as tall as the facts on it, with the lines of a record marked."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from api.html.view import View
from api.site.lines import LinesOfSource
from kg.release.facts import Evidence

# Measures of the drawing; a line of the source is `_STEP` wide.
_STEP, _HEIGHT, _TALLEST = 2, 90, 78


@dataclass(frozen=True, slots=True)
class StripSection:
    """A section: its name, page and lines, its place in the drawing, and how many lines of it are marked."""

    name: Markup
    label: str
    href: str
    lines: str
    x: int
    width: int
    marked: int


@dataclass(frozen=True, slots=True)
class Strip:
    """A source as a drawing: the ticks of all lines and of the marked ones as paths, and its sections."""

    source: str
    width: int
    ticks: str
    hits: str
    sections: tuple[StripSection, ...]
    marked: int
    lines: int


def of_evidence(view: View, evidence: Iterable[Evidence]) -> list[Strip]:
    """The strips of the sources that pieces of evidence are from, with their lines marked."""
    marked: dict[str, set[int]] = {}
    for e in evidence:
        if e.first and e.text:
            marked.setdefault(e.text, set()).update(range(e.first, e.last + 1))
    known = view.site.lines if marked else {}
    return [_strip(view, known[source], lines) for source, lines in marked.items() if source in known]


def of_all(view: View) -> list[Strip]:
    """The strips of all sources, without marks."""
    return [_strip(view, lines, set()) for lines in view.site.lines.values()]


def _strip(view: View, source: LinesOfSource, marked: set[int]) -> Strip:
    sections = tuple(
        StripSection(
            view.name(section.iri),
            view.plain(section.iri),
            view.href(section.iri),
            f"L{section.first}–{section.last}",
            section.first * _STEP - 1,
            (section.last - section.first + 1) * _STEP,
            sum(section.first <= line <= section.last for line in marked),
        )
        for section in source.sections
    )
    return Strip(
        source.iri,
        (source.last + 1) * _STEP,
        _path(source, range(1, source.last + 1)),
        _path(source, sorted(marked)),
        sections,
        len(marked),
        source.last,
    )


def _path(source: LinesOfSource, lines: Iterable[int]) -> str:
    """Vertical ticks in one path; a line without facts has only a trace. Roots keep the small ones visible."""
    tallest = math.sqrt(max(source.facts.values(), default=1))
    written, at = [], 0
    for line in lines:
        height = max(2, round(math.sqrt(source.facts.get(line, 0)) / tallest * _TALLEST))
        step = (line - at) * _STEP
        written.append(f"m{step} 0v-{height}v{height}")
        at = line
    return f"M0 {_HEIGHT}" + "".join(written) if written else ""
