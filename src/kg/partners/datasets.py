"""Loads the partners' datasets, each into its own graph. A dataset with errors is left out.

A partner describes its own resources and links them to ours. It may not state anything about our records or the terms
of our ontology, and rules, shapes and checks do not read its graph.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from pyoxigraph import NamedNode, Quad

from kg.documents import Position
from kg.errors import FileProblem, nearest
from kg.partners import descriptions, fetch, process
from kg.partners.descriptions import DatasetDescription
from kg.partners.fetch import FetchLimits, Unavailable
from kg.partners.process import Unreadable
from kg.project.description import Project
from kg.project.location import is_workplace
from kg.rdf import iris
from kg.rdf.iris import Base
from kg.rdf.terms import value

_DEPRECATED = "http://www.w3.org/2002/07/owl#deprecated"
_REPLACED_BY = "http://purl.org/dc/terms/isReplacedBy"
_MAX_REPORTED = 20
_Found = TypeVar("_Found")
_PREFIX = re.compile(r"(?:@prefix|PREFIX)\s+([^\s:]*):\s*<([^>]*)>", re.IGNORECASE)


@dataclass(slots=True)
class Partners:
    """The quads of all datasets that could be read, including their descriptions; all problems are warnings."""

    joined: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    links: int = 0
    quads: list[Quad] = field(default_factory=list)
    problems: list[FileProblem] = field(default_factory=list)


@dataclass(slots=True)
class _OwnIris:
    """The IRIs that our graphs describe, and the deprecated ones with their successors."""

    base: Base
    ontology: str
    terms: tuple[str, ...]
    known: set[str]
    deprecated: dict[str, str]

    @classmethod
    def of(cls, project: Project, quads: Iterable[Quad]) -> _OwnIris:
        base = project.base
        known, deprecated, successors = {base.dataset, project.ontology, iris.ONTOLOGY}, set(), {}
        for quad in quads:
            subject = value(quad.subject)
            known.update((subject, value(quad.graph_name)))
            if quad.predicate.value == _DEPRECATED and value(quad.object) == "true":
                deprecated.add(subject)
            elif quad.predicate.value == _REPLACED_BY:
                successors[subject] = value(quad.object)
        replaced = {subject: successors.get(subject, "") for subject in deprecated}
        return cls(base, project.ontology, (base.id, base.graph, *project.vocabularies), known, replaced)


class _LeftOut(Exception):
    """The dataset is left out; carries the problems."""

    def __init__(self, *problems: FileProblem) -> None:
        super().__init__()
        self.problems = problems


def folder(root: Path) -> Path:
    return root / "data" / "partners"


def files(root: Path) -> list[Path]:
    """The files of all partners, in sorted order."""
    return sorted(p for p in folder(root).rglob("*") if p.is_file())


def load(
    project: Project, ours: Iterable[Quad], limits: FetchLimits, *, base: str = "", offline: bool = False
) -> Partners:
    """Loads all datasets; `ours` are our own quads, and `base` is the base IRI of the build, which partners may use.

    Never raises for a faulty dataset: it is left out, with a warning that says where and why.
    """
    found, known, root = Partners(), _OwnIris.of(project, ours), project.root
    base = base or project.base.iri
    for path in sorted(p for p in folder(root).glob("*") if not p.name.startswith(".")):
        try:
            description = _description(path, project, known)
            quads, problems = _filtered(_read(description, root, limits, base, offline), description, root, known)
        except _LeftOut as reason:
            found.left_out.append(path.name)
            problems = list(reason.problems)
        else:
            found.joined.append(path.name)
            found.quads += [*quads, *descriptions.to_quads(description)]
            found.links += sum(_target(q).startswith(project.base.id) for q in quads)
        found.problems += [replace(p, is_warning=True) for p in problems]
    return found


def _description(path: Path, project: Project, ours: _OwnIris) -> DatasetDescription:
    name = path.relative_to(project.root).as_posix()
    if not path.is_dir() or not iris.SEGMENT.fullmatch(path.name):
        message = "a partner is a folder named in lower-case letters, digits and single hyphens, with a dataset.yaml"
        raise _LeftOut(FileProblem(name, 0, 0, "partner-name", message))
    description, problems = descriptions.read(path / "dataset.yaml", project)
    if description is None:
        raise _LeftOut(*problems)
    if {description.iri, description.graph} & ours.known:
        message = f"the name '{path.name}' is taken by one of our sources; rename the folder"
        raise _LeftOut(FileProblem(name, 0, 0, "partner-name", message))
    return description


def _read(description: DatasetDescription, root: Path, limits: FetchLimits, base: str, offline: bool) -> list[Quad]:
    """The quads of a dataset in its graph, with IRIs of the build's base moved to the canonical base."""
    try:
        body = _text(description, root, limits, offline)
    except Unavailable as error:
        key = "url" if description.rdf_url else "file"
        raise _LeftOut(description.positions[key].problem("partner-data", f"{_source(description)} {error}")) from error
    seconds, memory_mb = limits.seconds, limits.memory_mb
    try:
        triples = process.read(body, description.syntax, description.graph, seconds=seconds, memory_mb=memory_mb)
    except Unreadable as error:
        file, at = _data_file(description), Position(description.file, 0, 0)
        at = Position(file, error.line, error.column) if file else description.positions["url"]
        message = f"line {error.line}, column {error.column}: {error}" if error.line and not file else str(error)
        raise _LeftOut(at.problem("partner-data", message)) from error
    graph = NamedNode(description.graph)

    def canonical(term: Any) -> Any:
        """The term with an IRI below the base of the build moved to the canonical base."""
        moved = isinstance(term, NamedNode) and term.value.startswith((base + "id/", base + "graph/"))
        return NamedNode(description.base.iri + term.value.removeprefix(base)) if moved else term

    return [Quad(canonical(q.subject), q.predicate, canonical(q.object), graph) for q in triples]


def _text(description: DatasetDescription, root: Path, limits: FetchLimits, offline: bool) -> bytes:
    if description.rdf_url:
        cache = limits.cache or _cache(root)
        body = fetch.fetch(description.rdf_url, description.sha256, limits, cache, offline=offline)
    else:
        path = root / _data_file(description)
        if not path.resolve().is_relative_to((root / description.file).parent.resolve()):
            raise Unavailable("is outside the dataset's folder")
        body = fetch.read_file(path, limits)
        fetch.verify(body, description.sha256)
    return fetch.unpack(body, limits) if description.is_packed else body


def _cache(root: Path) -> Path:
    """The cache folder: inside a writable checkout, else in the user's cache folder."""
    if is_workplace(root):
        return root / ".cache" / "partners"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aikg" / "partners"


def _source(description: DatasetDescription) -> str:
    return f"'{description.rdf_url or description.rdf_file}'"


def _data_file(description: DatasetDescription) -> str:
    """The path of the RDF file below the root; '' if it is fetched."""
    return f"{description.file.rpartition('/')[0]}/{description.rdf_file}" if description.rdf_file else ""


def _filtered(
    quads: list[Quad], description: DatasetDescription, root: Path, ours: _OwnIris
) -> tuple[list[Quad], list[FileProblem]]:
    """The quads to keep, and the problems of the others.

    Raises `_LeftOut` if the dataset makes statements about our records; a dead link is dropped alone.
    """
    places = _Places(description, root)
    if not quads:
        raise _LeftOut(places.of("").problem("partner-data", "the RDF has no statements"))
    if claims := {value(q.subject): q for q in quads if _is_ours(value(q.subject), description, ours)}:
        claimed = [
            places.of(iri, begins=True).problem("partner-claim", _claim_message(q))
            for iri, q in _capped(claims.items())
        ]
        raise _LeftOut(*claimed, *_remainder(claims, description, "partner-claim"))
    own = {value(q.subject) for q in quads} | {description.graph, description.iri}
    named = sorted({name for q in quads for name in (q.predicate.value, _target(q))})
    dead = dict.fromkeys(i for i in named if i.startswith(ours.terms) and i not in ours.known and i not in own)
    stale = [iri for iri in named if iri in ours.deprecated]
    problems = [
        *(places.of(iri).problem("dead-link", _dead_link(iri, ours)) for iri in _capped(dead)),
        *_remainder(dead, description, "dead-link"),
        *(places.of(iri).problem("deprecated-link", _deprecated_link(iri, ours)) for iri in _capped(stale)),
        *_remainder(stale, description, "deprecated-link"),
    ]
    kept = [q for q in quads if not {q.predicate.value, _target(q)} & dead.keys()]
    if not kept:
        raise _LeftOut(*problems)
    return kept, problems


def _capped(found: Iterable[_Found]) -> list[_Found]:
    return list(islice(found, _MAX_REPORTED))


def _remainder(found: Collection[object], description: DatasetDescription, rule: str) -> list[FileProblem]:
    """One problem that stands for those beyond the first `_MAX_REPORTED`."""
    rest = len(found) - _MAX_REPORTED
    return (
        [FileProblem(description.file, 0, 0, rule, f"the same problem occurs {rest:,} more times")] if rest > 0 else []
    )


def _target(quad: Quad) -> str:
    """The IRI in object position; '' for a literal."""
    return quad.object.value if isinstance(quad.object, NamedNode) else ""


def _is_ours(subject: str, description: DatasetDescription, ours: _OwnIris) -> bool:
    if subject == description.graph or subject.startswith(description.graph + "#"):
        return False
    return subject.startswith(ours.base.iri) or subject in ours.known


def _claim_message(quad: Quad) -> str:
    remedy = "; state the link from your side: <yours> <property> <ours>" if _target(quad) else ""
    about = f"<{value(quad.subject)}>, which a partner may not describe (<{quad.predicate.value}>)"
    return f"a statement about {about}{remedy}"


def _deprecated_link(iri: str, ours: _OwnIris) -> str:
    successor = ours.deprecated[iri]
    return f"<{iri}> is deprecated" + (f"; it is replaced by <{successor}>" if successor else "")


def _dead_link(iri: str, ours: _OwnIris) -> str:
    base = ours.base
    head = iri.removeprefix(base.id).partition("/")[0] if iri.startswith(base.id) else ""
    vocabulary = next((o for o in (ours.ontology, iris.ONTOLOGY) if iri.startswith(o)), base.iri)
    start = f"{base.id}{head}/" if head else vocabulary
    close = nearest(iri, (k for k in ours.known if k.startswith(start)))
    return f"<{iri}> does not exist in our data{close}; the statements that use it are left out"


class _Places:
    """Finds where an IRI first occurs in the RDF file of a dataset, as far as the text shows it."""

    def __init__(self, description: DatasetDescription, root: Path) -> None:
        self.file = _data_file(description)
        self.fallback = description.positions.get("url") or Position(self.file, 0, 0)
        self.lines: list[str] = []
        if self.file and not description.is_packed:
            self.lines = (root / self.file).read_text(encoding="utf-8", errors="replace").splitlines()
        self.prefixes = [pair for line in self.lines for pair in _PREFIX.findall(line)]

    def of(self, iri: str, *, begins: bool = False) -> Position:
        """The first occurrence of an IRI; with `begins`, preferably at the beginning of a line."""
        spelling = "|".join(self._spellings(iri))
        if not spelling:
            return self.fallback
        for before in ("^", r"^\s*", "") if begins else ("",):
            pattern = re.compile(rf"{before}(?P<at>(?:{spelling})(?![\w/#-]))")
            for number, line in enumerate(self.lines, 1):
                if not _PREFIX.match(line.strip()) and (found := pattern.search(line)):
                    return Position(self.file, number, found.start("at") + 1)
        return self.fallback

    def _spellings(self, iri: str) -> Iterator[str]:
        if iri:
            yield rf"<?{re.escape(iri)}"
        for prefix, namespace in self.prefixes:
            if namespace and iri.startswith(namespace):
                local = re.escape(iri.removeprefix(namespace)).replace("/", r"\\?/")
                yield rf"(?<![\w-]){re.escape(prefix)}:{local}"
