"""Somebody's RDF held against our shapes, checks, vocabulary and records.

The shapes see what was posted together with what they need of ours: the class hierarchy, all that the release says of
the records that the document describes, and the classes of those that it only mentions. Nothing is inferred, and only
what is said of subjects of the document is reported.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import rdflib
from pyoxigraph import Literal, NamedNode, Quad

from kg.build import checks as validation
from kg.curation import builder
from kg.engines.backend import Backend
from kg.rdf import iris
from kg.rdf.context import Context
from kg.rdf.formats import Rdf
from kg.rdf.namespaces import DCTERMS, OWL, RDFS
from kg.rdf.terms import value
from kg.release import store
from kg.release.entities import Entities
from kg.sparql import library
from kg.sparql.library import StoredQuery
from kg.submitted import intake, positions, report
from kg.submitted.intake import RdfLimits
from kg.submitted.positions import Positions
from kg.submitted.report import SH, SHAPES, Report, Result, Severity

_TERMS = iris.ONTOLOGY + "#"
# What the context makes of a key that it does not know.
_UNDECLARED = "urn:undeclared:"
# These are about a whole dataset of ours, or are told more exactly here.
_NOT_ASKED = frozenset({"graph-without-evidence", "undeclared-term"})
_CLASS_OF = frozenset({iris.RDF_TYPE, RDFS + "subClassOf", RDFS + "domain", RDFS + "range"})
_MOST_NEAR = 3
_MOST_SOUGHT = 50


@dataclass(frozen=True)
class Knowledge:
    """What documents are held against: one release with its ontology, shapes and checks."""

    context: Context
    ontology: list[Quad]
    shapes: rdflib.Graph
    checks: tuple[StoredQuery, ...]
    store: Backend
    base: str
    release: str

    @classmethod
    def open(cls, project: Path, release: Path) -> Knowledge:
        """Reads the project's ontology and opens the release on its disk, without reading it whole."""
        manifest = store.read_manifest(release)
        found = library.library(project, "checks", manifest.base_iri)
        return cls(
            builder.read_context(project),
            builder.ontology_quads(project),
            rdflib.Graph().parse(project / "ontology" / "shapes.ttl", format="turtle"),
            tuple(query for name, query in found.items() if name not in _NOT_ASKED),
            store.open_on_disk(release),
            manifest.base_iri,
            manifest.id[:16],
        )

    @cached_property
    def terms(self) -> dict[str, set[str]]:
        """The terms of our namespace with the classes that they are of."""
        found: dict[str, set[str]] = {}
        for quad in self.ontology:
            if value(quad.subject).startswith(_TERMS) and quad.predicate.value == iris.RDF_TYPE:
                found.setdefault(value(quad.subject), set()).add(value(quad.object))
        return found

    @cached_property
    def entities(self) -> Entities:
        return Entities(self.store, self.base, {})

    def about(self, iri: str) -> Iterator[Quad]:
        """What the release says of a record, and what links to it."""
        node = NamedNode(iri)
        for found in (self.store.quads_for_pattern(node, None, None), self.store.quads_for_pattern(None, None, node)):
            yield from (Quad(q.subject, q.predicate, q.object) for q in found)

    def said(self, iri: str, predicate: str) -> list[NamedNode | Literal]:
        found = self.store.quads_for_pattern(NamedNode(iri), NamedNode(predicate), None)
        return list(dict.fromkeys(q.object for q in found if isinstance(q.object, NamedNode | Literal)))

    def exists(self, iri: str) -> bool:
        return next(self.store.quads_for_pattern(NamedNode(iri), None, None), None) is not None


def check(body: bytes, syntax: Rdf, limits: RdfLimits, knowledge: Knowledge, most: int = 1_000) -> Report:
    """Reads a document and tells what is wrong with it, at most so much; raises a `RdfFault` when it cannot be read."""
    contexts = intake.own_contexts(knowledge.context.document, knowledge.base)
    text, read = intake.read(body, syntax, limits, contexts)
    # Shapes see triples; which graph they stand in is the publisher's affair.
    triples = list(dict.fromkeys(Quad(q.subject, q.predicate, q.object) for q in read))
    subjects = {str(q.subject) for q in triples}
    seen = [*triples, *_context_of(triples, knowledge), *_plain(knowledge.ontology)]
    found = [
        *_against_shapes(seen, knowledge, subjects),
        *_against_checks(seen, knowledge, subjects),
        *_unknown_terms(triples, knowledge),
        *_links(triples, knowledge),
    ]
    if found:
        places = positions.find(text, syntax.syntax, read)
        found = [_placed(result, places) for result in found]
    return report.make(syntax.name, len(triples), knowledge.release, found, most)


def _plain(quads: Iterable[Quad]) -> list[Quad]:
    return [Quad(q.subject, q.predicate, q.object) for q in quads]


def _context_of(triples: Sequence[Quad], knowledge: Knowledge) -> list[Quad]:
    root = knowledge.base + "id/"
    described = dict.fromkeys(value(q.subject) for q in triples if value(q.subject).startswith(root))
    added = list(dict.fromkeys(quad for iri in described for quad in knowledge.about(iri)))
    mentioned = dict.fromkeys(
        iri for q in (*triples, *added) for t in (q.subject, q.object) if (iri := value(t)).startswith(root)
    )
    of = NamedNode(iris.RDF_TYPE)
    added += [Quad(NamedNode(iri), of, kind) for iri in mentioned for kind in knowledge.said(iri, iris.RDF_TYPE)]
    return added


# ---- shapes and checks ----


def _against_shapes(seen: Sequence[Quad], knowledge: Knowledge, subjects: set[str]) -> Iterator[Result]:
    for found in validation.violations(seen, knowledge.shapes):
        if found.focus in subjects:
            severity: Severity = "Violation" if found.severity == SH + "Violation" else "Warning"
            yield Result(
                "shape", severity, found.component, found.shape, found.focus, found.path, found.value, found.messages
            )


def _against_checks(seen: Sequence[Quad], knowledge: Knowledge, subjects: set[str]) -> Iterator[Result]:
    for row in validation.rows(seen, knowledge.checks):
        if str(row.this) not in subjects:
            continue
        others = dict(row.others)
        path = others.pop("property", None)
        also = ", ".join(report.shown(str(term), knowledge.context) for term in others.values())
        messages = {tongue: title + (f": {also}" if also else "") for tongue, title in row.query.title.items()}
        first = next((str(term) for term in others.values()), "")
        yield Result(
            row.query.name,
            "Violation",
            SHAPES + "CheckConstraintComponent",
            f"{SHAPES}check-{row.query.name}",
            str(row.this),
            (value(path),) if path is not None else (),
            first,
            messages,
        )


# ---- terms ----


@dataclass(frozen=True, slots=True)
class _Use:
    """A term of the document as it is first used."""

    subject: str
    predicate: str
    is_property: bool
    is_class: bool


def _uses(triples: Sequence[Quad], prefixes: tuple[str, ...]) -> tuple[dict[str, _Use], Counter[str]]:
    """The IRIs below these prefixes, in order, with how often each is used."""
    first: dict[str, _Use] = {}
    counts: Counter[str] = Counter()
    for quad in triples:
        predicate = quad.predicate.value
        datatype = quad.object.datatype.value if isinstance(quad.object, Literal) else ""
        target = value(quad.object) if isinstance(quad.object, NamedNode) else datatype
        for iri in {value(quad.subject) if isinstance(quad.subject, NamedNode) else "", predicate, target}:
            if iri.startswith(prefixes):
                counts[iri] += 1
                use = _Use(str(quad.subject), predicate, iri == predicate, predicate in _CLASS_OF and iri == target)
                first.setdefault(iri, use)
    return first, counts


def _unknown_terms(triples: Sequence[Quad], knowledge: Knowledge) -> Iterator[Result]:
    first, counts = _uses(triples, (_TERMS, _UNDECLARED))
    for iri, use in first.items():
        if iri in knowledge.terms:
            continue
        is_key = iri.startswith(_UNDECLARED)
        name = iri.removeprefix(_UNDECLARED) if is_key else knowledge.context.compact(iri)
        near = _nearest_keys(name, knowledge) if is_key else _nearest_terms(name, use, knowledge)
        words = ("the context", "コンテキスト") if is_key else ("the ontology", "語彙")
        said = f"'{name}' is no term of {words[0]}", f"「{name}」という語は{words[1]}にありません"
        yield _mention("unknown-term", "UnknownTerm", iri, use, said, near, counts[iri])


def _nearest_terms(name: str, use: _Use, knowledge: Knowledge) -> dict[str, str]:
    """The terms that look most like one that is none: properties for a property, classes for a class."""
    wanted = "Property" if use.is_property else "Class" if use.is_class else ""
    names = {
        knowledge.context.compact(term): term
        for term, kinds in knowledge.terms.items()
        if not wanted or any(kind.endswith(wanted) for kind in kinds)
    }
    return _nearest(name, names)


def _nearest_keys(key: str, knowledge: Knowledge) -> dict[str, str]:
    """The keys of the context that look most like one that it does not have, with the properties that they mean."""
    return _nearest(key, {key: term.iri for key, term in knowledge.context.terms.items() if "://" in term.iri})


def _nearest(name: str, among: dict[str, str]) -> dict[str, str]:
    """By the local name: what stands before it is the same for all."""
    by_local = {known.rpartition(":")[2].lower(): known for known in among}
    found = difflib.get_close_matches(name.rpartition(":")[2].lower(), by_local, n=_MOST_NEAR, cutoff=0.6)
    return {by_local[local]: among[by_local[local]] for local in found}


def _mention(
    rule: str,
    component: str,
    iri: str,
    use: _Use,
    said: tuple[str, str],
    near: dict[str, str],
    count: int,
    severity: Severity = "Violation",
) -> Result:
    """A finding about an IRI of ours; `near` has what may be meant, by name."""
    more = (f", here and {count - 1:,} times more", f"（ほかに{count - 1:,}か所）") if count > 1 else ("", "")
    asked = ("", "。")
    if near:
        names, quoted = " or ".join(f"'{name}'" for name in near), "、".join(f"「{name}」" for name in near)
        asked = (f"; did you mean {names}?", f"。{quoted}ではありませんか。")
    messages = {tongue: said[n] + more[n] + asked[n] for n, tongue in enumerate(("en", "ja"))}
    path = () if use.subject == f"<{iri}>" else (use.predicate,)
    where = f"{SHAPES}{component}ConstraintComponent"
    return Result(rule, severity, where, "", use.subject, path, f"<{iri}>", messages, tuple(near.values()))


# ---- links ----


def _links(triples: Sequence[Quad], knowledge: Knowledge) -> Iterator[Result]:
    bare = knowledge.base.partition("://")[2]
    prefixes = tuple(f"{scheme}://{bare}{part}/" for scheme in ("http", "https") for part in ("id", "page", "data"))
    first, counts = _uses(triples, prefixes)
    root, sought = knowledge.entities.root, 0
    for iri, use in first.items():
        name = report.shown(f"<{iri}>", knowledge.context)
        if knowledge.exists(iri):
            if any(value(term) == "true" for term in knowledge.said(iri, OWL + "deprecated")):
                near = _by_name((value(t) for t in knowledge.said(iri, DCTERMS + "isReplacedBy")), knowledge)
                said = f"{name} is deprecated", f"{name}は廃止されました"
                yield _mention("deprecated", "Deprecated", iri, use, said, near, counts[iri], "Warning")
        elif meant := _meant(iri, knowledge):
            said = (
                f"{name} is the address of a document, not of the thing",
                f"{name}は文書のアドレスであり、事物のIRIではありません",
            )
            yield _mention("page-link", "PageLink", iri, use, said, _by_name([meant], knowledge), counts[iri])
        else:
            sought += 1
            # Each search takes some milliseconds.
            paths = knowledge.entities.nearest(iri.removeprefix(root), _MOST_NEAR) if sought <= _MOST_SOUGHT else []
            said = f"nothing here is called {name}", f"{name}という項目はありません"
            near = _by_name((root + path for path in paths), knowledge)
            yield _mention("dead-link", "DeadLink", iri, use, said, near, counts[iri])


def _by_name(found: Iterable[str], knowledge: Knowledge) -> dict[str, str]:
    return {knowledge.context.compact(iri): iri for iri in found}


def _meant(iri: str, knowledge: Knowledge) -> str:
    """The IRI of the record whose page, data file or http address this is; '' when it is none of them."""
    path = iri.partition("://")[2].removeprefix(knowledge.base.partition("://")[2])
    part, _, rest = path.partition("/")
    rest = rest.rpartition(".")[0] or rest if part == "data" else rest
    found = f"{knowledge.base}id/{rest}"
    return found if found != iri and knowledge.exists(found) else ""


# ---- places ----


def _placed(result: Result, places: Positions) -> Result:
    """The result with the line of its value, else of the property, else of its focus node."""
    line = 0
    if result.rule in ("unknown-term", "dead-link", "page-link", "deprecated"):
        line = places.mention(result.value)
    elif result.value:
        for step in result.path:
            backwards = (result.value, f"<{step[1:]}>", result.focus)
            forwards = (result.focus, f"<{step}>", result.value)
            line = line or places.statement(*(backwards if step[0] == "^" else forwards))
        line = line or places.statement(result.focus, "", result.value)
    return replace(result, line=line or places.subject(result.focus))
