"""SHACL shapes, and what in a graph violates them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import shacl
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, RdfFormat, Triple, parse, serialize

from kg.errors import KgError
from kg.rdf.namespaces import SH

_BLANK = re.compile(r"_:\w+")
_STEP = r"\^?<[^<>]*>"
_PATH = re.compile(rf"\(?({_STEP}(?:\|{_STEP})*)\)?")
_SOURCE_SHAPE, _MESSAGE = f"<{SH}sourceShape>", f"<{SH}resultMessage>"
# Languages by shape and text of the message, '' for none.
_Languages = dict[tuple[str | None, str], set[str]]


@dataclass(frozen=True, slots=True)
class Violation:
    """One result of SHACL: terms in their N-Triples form, '' for none; messages by language.

    `path` has the alternatives of the property path, an inverse one with `^` before its IRI; it is empty for sequences
    and repetitions. `shape` is the IRI of the shape or, when it has none, of the nearest shape around it that has.
    """

    focus: str
    path: tuple[str, ...]
    value: str
    messages: dict[str, str]
    severity: str
    component: str
    shape: str


class Shapes:
    """The shapes of Turtle files (SHACL Core and SHACL-SPARQL), compiled for use on any number of graphs."""

    def __init__(self, *paths: Path) -> None:
        """Raises `KgError` when a file is not Turtle or a shape in it is malformed."""
        # The engine relabels blank nodes. If results name some, each node of the data is marked by a statement that
        # points to it, and a shape that no mark satisfies makes the report give the new label beside the mark.
        self._name, self._mark = ", ".join(map(str, paths)), NamedNode(uuid4().urn)
        marks = f"[] <{SH}targetSubjectsOf> {self._mark} ; <{SH}property> [ <{SH}path> {self._mark} ; <{SH}in> () ] ."
        try:
            text = "\n".join([*(path.read_text(encoding="utf-8") for path in paths), marks])
            self._compiled = shacl.Shapes.from_text(text, "turtle", paths[0].resolve().as_uri())
        except (OSError, ValueError) as error:
            raise KgError(f"{self._name}: {error}") from None

    def violations(self, quads: Iterable[Quad]) -> list[Violation]:
        """What in the merged quads violates the shapes, in no particular order.

        Raises `KgError` when a SPARQL query of the shapes cannot be evaluated.
        """
        triples = [quad.triple for quad in quads]
        report = self._validate(triples)
        labels: dict[str, str] = {}
        if any(map(_names_blank_node, report.results)):
            terms = (term for triple in triples for term in (triple.subject, triple.object))
            blank = dict.fromkeys(term for term in terms if isinstance(term, BlankNode))
            marks = {NamedNode(f"{self._mark.value}:{number}"): node for number, node in enumerate(blank)}
            report = self._validate([*triples, *(Triple(mark, self._mark, node) for mark, node in marks.items())])
            of_marks = [r for r in report.results if r.path == str(self._mark)]
            labels = {str(r.value): str(marks[NamedNode(r.focus_node[1:-1])]) for r in of_marks}
        languages = _languages(report)
        return [_violation(r, labels, languages) for r in report.results if r.path != str(self._mark)]

    def _validate(self, triples: Sequence[Triple]) -> shacl.Report:
        document = serialize(triples, format=RdfFormat.N_TRIPLES) or b""
        try:
            return self._compiled.validate_text(document.decode(), "ntriples")
        except ValueError as error:
            raise KgError(f"{self._name}: {error}") from None


def _names_blank_node(result: shacl.Result) -> bool:
    return any(map(_BLANK.search, (result.focus_node, result.value or "", *result.messages)))


def _violation(result: shacl.Result, labels: Mapping[str, str], languages: _Languages) -> Violation:
    def labelled(text: str) -> str:
        return _BLANK.sub(lambda found: labels.get(found[0], found[0]), text)

    told = [(tag, text) for text in result.messages for tag in languages[result.source_shape, text]]
    value = result.value or ""
    return Violation(
        labels.get(result.focus_node, result.focus_node),
        _path(result.path or ""),
        labels.get(value, value),
        {tag: labelled(text) for tag, text in sorted(told)} or _default_messages(result.component_iri),
        result.severity_iri,
        result.component_iri,
        (result.root_shape or "").strip("<>"),
    )


def _path(text: str) -> tuple[str, ...]:
    found = _PATH.fullmatch(text)
    return tuple(step.replace("<", "").replace(">", "") for step in found[1].split("|")) if found else ()


def _default_messages(component: str) -> dict[str, str]:
    """What is said of a shape without `sh:message`: the property of SHACL that it has for this constraint."""
    name = component.removeprefix(SH).removesuffix("ConstraintComponent")
    constraint = f"sh:{name[0].lower()}{name[1:]}" if component.startswith(SH) else f"<{component}>"
    return {"en": f"violates {constraint}", "ja": f"{constraint}に違反しています"}


def _languages(report: shacl.Report) -> _Languages:
    """The languages of the messages: the report as RDF has them, its results have not."""
    # A statement a line. Many results have few messages, so only different ones are parsed.
    lines = [line.split(" ", 2) for line in report.serialize("ntriples").split("\n") if line]
    shapes = {subject: rest.removesuffix(" .") for subject, predicate, rest in lines if predicate == _SOURCE_SHAPE}
    messages = {(shapes.get(subject), rest) for subject, predicate, rest in lines if predicate == _MESSAGE}
    found: _Languages = defaultdict(set)
    for shape, rest in messages:
        (statement,) = parse(f"<{SH}> <{SH}> {rest}", format=RdfFormat.N_TRIPLES)
        if isinstance(statement.object, Literal):
            found[shape, statement.object.value].add(statement.object.language or "")
    return found
