"""The checks that data must pass: SHACL shapes, and queries whose every row is a violation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pyoxigraph import Literal, NamedNode, Quad, RdfFormat, Store, parse

from kg.build.shapes import Shapes, Violation
from kg.curation.builder import Curated
from kg.errors import FileProblem
from kg.project.description import said_in_all
from kg.rdf.context import Context
from kg.rdf.namespaces import SH
from kg.rdf.terms import AnyTerm, value
from kg.release.store import merged
from kg.sparql import library
from kg.sparql.library import StoredQuery


def shacl(quads: Iterable[Quad], shapes: Iterable[Path], curated: Curated) -> list[FileProblem]:
    """The violations of the shapes, placed where the focus node stands in the files."""
    return [_problem(found, curated) for found in Shapes(*shapes).violations(quads)]


def _problem(found: Violation, curated: Curated) -> FileProblem:
    focus = found.focus.strip("<>")
    predicate = found.path[0] if len(found.path) == 1 and found.path[0][0] != "^" else ""
    shown = f" (is: {_bare(found.value)})" if found.value and found.value != found.focus else ""
    name = curated.context.compact(focus)
    what = f" {curated.context.compact(predicate)}" if predicate else ""
    message = said_in_all(found.messages, curated.project.languages)
    problem = _placed(curated, focus, predicate, "shape", f"{name}{what}: {message}{shown}")
    return problem if found.severity == SH + "Violation" else replace(problem, is_warning=True)


def _bare(term: str) -> str:
    """The text of a term without quotes and marks."""
    triple = next(iter(parse(f"<urn:s> <urn:p> {term} .", format=RdfFormat.N_TRIPLES)))
    return value(triple.object)


def _placed(curated: Curated, subject: str, predicate: str, rule: str, message: str) -> FileProblem:
    if position := curated.position(subject, predicate):
        return position.problem(rule, message)
    return FileProblem("data", 0, 0, rule, message)


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One row of a check query: `this` is at fault, or looks so, the other columns say what."""

    query: StoredQuery
    this: AnyTerm
    others: dict[str, AnyTerm]


def rows(quads: Iterable[Quad], checks: Iterable[StoredQuery]) -> Iterator[CheckRow]:
    """What the check queries find; each row is a violation."""
    store = Store()
    # Not in bulk: that would reserve 200 MB of addresses for its threads, which are what a process is limited in.
    store.extend(quads)
    for query in checks:
        for row in library.select(store, query.text):
            found = {name: row[name] for name in query.columns}
            yield CheckRow(query, found.pop("this"), {name: v for name, v in found.items() if v is not None})


def checks(quads: Iterable[Quad], folder: Path, curated: Curated) -> list[FileProblem]:
    """A problem for every row that a check query finds; `?this` says where, the other columns say what."""
    problems: list[FileProblem] = []
    for row in rows(merged(quads), [library.read(path) for path in sorted(folder.glob("*.rq"))]):
        this, title = _text(row.this, curated.context), row.query.title
        others = ", ".join(_text(v, curated.context) for v in row.others.values())
        message = f"{this}: {said_in_all(title, curated.project.languages)}" + (f": {others}" if others else "")
        problem = _placed(curated, value(row.this), "", row.query.name, message)
        problems.append(replace(problem, is_warning=row.query.severity == "warning"))
    return problems


def _text(term: AnyTerm, context: Context) -> str:
    if isinstance(term, NamedNode):
        return context.compact(term.value)
    return f"'{term.value}'" if isinstance(term, Literal) else str(term)
