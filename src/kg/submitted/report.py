"""Validation results as a SHACL validation report, as JSON and as lines for a terminal."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

import pyoxigraph
from pyoxigraph import BlankNode, NamedNode, Quad, RdfFormat

from kg.rdf import iris
from kg.rdf.context import Context
from kg.rdf.datatypes import XSD
from kg.rdf.namespaces import SHAPES
from kg.rdf.terms import AnyTerm, Term

SH = "http://www.w3.org/ns/shacl#"
_MAX_LITERAL = 200
_VALUE = {"en": " (is: {})", "ja": "（値：{}）"}
PREFIXES = {"sh": SH, "shapes": SHAPES}
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

Severity = Literal["Violation", "Warning", "Info"]
SEVERITIES: tuple[Severity, ...] = ("Violation", "Warning", "Info")


@dataclass(frozen=True, slots=True)
class Result:
    """One result. Terms are in N-Triples form, '' for none; `line` counts from 1, 0 if unknown.

    `rule` is `shape`, `unknown-term`, `dead-link`, `page-link`, `deprecated` or the name of a check query. `path` has
    the alternatives of a property path; inverse ones have a `^` before the IRI.
    """

    rule: str
    severity: Severity
    component: str
    shape: str
    focus: str
    path: tuple[str, ...]
    value: str
    messages: dict[str, str]
    nearest: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """The results for one document, by line; `counts` include those beyond the limit, which are not in `results`.

    `links` is the number of times that the document names our records, `dead` of those that lead to none.
    """

    syntax: str
    statements: int
    release: str
    counts: dict[str, int]
    results: tuple[Result, ...]
    links: int = 0
    dead: int = 0

    @property
    def conforms(self) -> bool:
        """Whether there are no violations; warnings do not count."""
        return not self.counts.get("Violation")

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def make(
    syntax: str, statements: int, release: str, results: Iterable[Result], most: int, links: tuple[int, int] = (0, 0)
) -> Report:
    """Returns the report of the distinct results in document order, with at most `most` of them listed.

    `links` is the number of links to our records, and of dead ones.
    """
    found = sorted(dict.fromkeys(map(_Key, results)), key=lambda key: key.order)
    counts = Counter(key.result.severity for key in found)
    listed = tuple(key.result for key in found[:most])
    return Report(syntax, statements, release, {s: counts[s] for s in SEVERITIES if counts[s]}, listed, *links)


@dataclass(frozen=True, slots=True, eq=False)
class _Key:
    """The de-duplication and sort key of a result."""

    result: Result

    @property
    def order(self) -> tuple[Any, ...]:
        r = self.result
        return r.line or 10**9, SEVERITIES.index(r.severity), r.focus, r.path, r.value, r.messages.get("en", ""), r.rule

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.order == other.order

    def __hash__(self) -> int:
        return hash(self.order)


def parse_term(text: str) -> Term:
    """Parses a term in N-Triples form."""
    quad = next(iter(pyoxigraph.parse(f"<urn:s> <urn:p> {text} .", format=RdfFormat.N_TRIPLES)))
    assert isinstance(quad.object, Term)
    return quad.object


# ---- messages between processes ----


def dump(report: Report) -> bytes:
    """Serializes the report as JSON for `load`."""
    return json.dumps(asdict(report)).encode()


def load(body: bytes) -> Report:
    document: dict[str, Any] = json.loads(body)
    results = (
        Result(**{**r, "path": tuple(r["path"]), "nearest": tuple(r["nearest"])}) for r in document.pop("results")
    )
    return Report(**document, results=tuple(results))


# ---- JSON and text ----


def as_json(report: Report) -> dict[str, Any]:
    """The report as JSON for API clients; terms are as in SPARQL 1.1 Query Results JSON."""
    return {
        "conforms": report.conforms,
        "release": report.release,
        "syntax": report.syntax,
        "statements": report.statements,
        "links": {"total": report.links, "dead": report.dead},
        "counts": {severity: report.counts.get(severity, 0) for severity in SEVERITIES},
        "told": len(report.results),
        "results": [_result_as_json(result) for result in report.results],
    }


def _result_as_json(result: Result) -> dict[str, Any]:
    return {
        "severity": result.severity,
        "rule": result.rule,
        "line": result.line or None,
        "focus": _as_json(parse_term(result.focus)),
        "path": "|".join(f"^<{p[1:]}>" if p[0] == "^" else f"<{p}>" for p in result.path) or None,
        "value": _as_json(parse_term(result.value)) if result.value else None,
        "message": result.messages,
        "nearest": list(result.nearest),
        "shape": result.shape or None,
        "component": result.component,
    }


def _as_json(term: Term) -> dict[str, str]:
    if isinstance(term, NamedNode):
        return {"type": "uri", "value": term.value}
    if isinstance(term, BlankNode):
        return {"type": "bnode", "value": term.value}
    literal = {"type": "literal", "value": term.value}
    if term.language:
        return {**literal, "xml:lang": term.language}
    return literal if term.datatype.value == XSD + "string" else {**literal, "datatype": term.datatype.value}


def lines(report: Report, name: str, context: Context, language: str = "en") -> Iterator[str]:
    """`name:line: severity: message [rule]` for each result, in the style of a compiler."""
    for result in report.results:
        place = f"{name}:{result.line}" if result.line else name
        what = " ".join(filter(None, (compact_term(result.focus, context), compact_path(result, context))))
        text = result.messages.get(language) or next(iter(result.messages.values()), "")
        shown = compact_term(result.value, context) if result.rule == "shape" and result.value else ""
        also = _VALUE.get(language, _VALUE["en"]).format(shown) if shown else ""
        yield f"{place}: {result.severity.lower()}: {what}: {text}{also} [{result.rule}]"


def summary(report: Report, name: str) -> str:
    """The outcome in one line."""
    found = ", ".join(
        f"{report.counts.get(s, 0):,} {word}" for s, word in (("Violation", "violations"), ("Warning", "warnings"))
    )
    verdict = "conforms" if report.conforms else "does not conform"
    cut = f"; the first {len(report.results):,} are listed" if len(report.results) < report.total else ""
    links = f"{report.links:,} links, {report.dead:,} dead"
    return f"{name}: {verdict}: {report.statements:,} statements, {links}, {found}{cut}"


def compact_term(term: str, context: Context) -> str:
    """A term for display: an IRI as prefixed name, a literal by its (truncated) text, with language or datatype."""
    if not term:
        return ""
    found = parse_term(term)
    if isinstance(found, NamedNode):
        compact = context.compact(found.value)
        return compact if compact != found.value else f"<{compact}>"
    if isinstance(found, pyoxigraph.Literal):
        of = f"@{found.language}" if found.language else ""
        if not of and found.datatype.value != XSD + "string":
            of = f"^^{compact_term(str(found.datatype), context)}"
        return f"'{found.value[:_MAX_LITERAL]}{'…' * (len(found.value) > _MAX_LITERAL)}'{of}"
    return str(found)


def compact_path(result: Result, context: Context) -> str:
    """A property path with prefixed names, in SPARQL syntax."""
    steps = (("^", p[1:]) if p[0] == "^" else ("", p) for p in result.path)
    return "|".join(mark + compact_term(f"<{iri}>", context) for mark, iri in steps)


# ---- SHACL ----


def quads(report: Report) -> list[Quad]:
    """The validation report (SHACL, section 3.6), with additional properties for the line and the nearest terms."""
    node = BlankNode("report")
    written = [
        *_pairs(node, [(iris.RDF_TYPE, NamedNode(SH + "ValidationReport"))]),
        *_pairs(node, [(SH + "conforms", pyoxigraph.Literal(report.conforms))]),
    ]
    names = [f"result{number}" for number in range(1, len(report.results) + 1)]
    written += _pairs(node, [(SH + "result", BlankNode(name)) for name in names])
    for name, result in zip(names, report.results, strict=True):
        written += _result(BlankNode(name), result, name)
    return written


def _result(node: BlankNode, result: Result, name: str) -> Iterator[Quad]:
    pairs: list[tuple[str, AnyTerm]] = [
        (iris.RDF_TYPE, NamedNode(SH + "ValidationResult")),
        (SH + "resultSeverity", NamedNode(SH + result.severity)),
        (SH + "sourceConstraintComponent", NamedNode(result.component)),
        (SH + "focusNode", parse_term(result.focus)),
        *(
            (SH + "resultMessage", pyoxigraph.Literal(text, language=tag or None))
            for tag, text in result.messages.items()
        ),
        *((SHAPES + "nearest", NamedNode(iri)) for iri in result.nearest),
    ]
    if result.shape:
        pairs.append((SH + "sourceShape", NamedNode(result.shape)))
    if result.value:
        pairs.append((SH + "value", parse_term(result.value)))
    if result.line:
        pairs.append((SHAPES + "line", pyoxigraph.Literal(result.line)))
    more: list[Quad] = []
    if result.path:
        path, more = _path(result.path, name)
        pairs.append((SH + "resultPath", path))
    yield from _pairs(node, pairs)
    yield from more


def _pairs(subject: NamedNode | BlankNode, pairs: Iterable[tuple[str, AnyTerm]]) -> Iterator[Quad]:
    return (Quad(subject, NamedNode(predicate), target) for predicate, target in pairs)  # type: ignore[arg-type]


def _path(path: Sequence[str], name: str) -> tuple[NamedNode | BlankNode, list[Quad]]:
    """The node of a property path (SHACL, section 2.3.1) and the quads that describe it."""
    more: list[Quad] = []
    nodes: list[NamedNode | BlankNode] = []
    for number, step in enumerate(path, 1):
        if step[0] == "^":
            nodes.append(BlankNode(f"{name}inverse{number}"))
            more += _pairs(nodes[-1], [(SH + "inversePath", NamedNode(step[1:]))])
        else:
            nodes.append(NamedNode(step))
    if len(nodes) == 1:
        return nodes[0], more
    cells: list[NamedNode | BlankNode] = [BlankNode(f"{name}list{n}") for n in range(len(nodes))]
    for (cell, following), node in zip(pairwise([*cells, NamedNode(_RDF + "nil")]), nodes, strict=True):
        more += _pairs(cell, [(_RDF + "first", node), (_RDF + "rest", following)])
    either = BlankNode(f"{name}path")
    return either, [*more, *_pairs(either, [(SH + "alternativePath", cells[0])])]
