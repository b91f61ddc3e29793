"""Validates submitted RDF against the shapes, check queries, vocabulary and records of a release.

The shapes see the submitted triples, the ontology, everything that the release states about the records that the
document describes, and the classes of records that it only mentions. Nothing is inferred, and only results whose focus
node is a subject of the document are reported.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from pyoxigraph import Literal, NamedNode, Quad

from kg.build import checks
from kg.build.shapes import Shapes, Violation
from kg.curation import builder
from kg.engines.backend import Backend
from kg.project import profiles
from kg.project.description import Project
from kg.project.reading import read_project
from kg.rdf import iris
from kg.rdf.context import Context
from kg.rdf.formats import Rdf
from kg.rdf.namespaces import DCTERMS, OWL, RDFS, SHAPES, SKOS
from kg.rdf.terms import value
from kg.release import store
from kg.release.entities import Entities
from kg.sparql import library
from kg.sparql.library import StoredQuery
from kg.submitted import intake, positions, report
from kg.submitted.intake import RdfLimits
from kg.submitted.positions import Positions
from kg.submitted.report import SH, Report, Result, Severity

# The namespace to which the context maps unknown keys.
_UNDECLARED = "urn:undeclared:"
# Checks that concern the whole dataset, or that `_unknown_terms` reports more precisely.
_SKIPPED_CHECKS = frozenset({"graph-without-evidence", "undeclared-term"})
_CLASS_OF = frozenset({iris.RDF_TYPE, RDFS + "subClassOf", RDFS + "domain", RDFS + "range"})
_MAX_NEAREST = 3
_MAX_SEARCHES = 50
_LABELS = (RDFS + "label", SKOS + "prefLabel")
# Suggestions by name: the IRI, and its labels by language.
_Near = Mapping[str, tuple[str, Mapping[str, str]]]


@dataclass(frozen=True)
class Knowledge:
    """What documents are validated against: a release with its ontology, shapes by profile, and checks."""

    context: Context
    ontology: list[Quad]
    shapes: Mapping[str, Shapes]
    checks: tuple[StoredQuery, ...]
    store: Backend
    base: str
    release: str
    project: Project

    @classmethod
    def open(cls, root: Path, release: Path, backend: Backend | None = None) -> Knowledge:
        """Reads the project's ontology and opens the release from disk, unless there is a backend already."""
        manifest, project = store.read_manifest(release), read_project(root)
        found = library.library(root, "checks", project.moving(manifest.base_iri))
        return cls(
            builder.read_context(root),
            builder.ontology_quads(project),
            {name: Shapes(*files) for name, files in profiles.profiles(root).items()},
            tuple(query for name, query in found.items() if name not in _SKIPPED_CHECKS),
            store.open_on_disk(release) if backend is None else backend,
            manifest.base_iri,
            manifest.id[:16],
            project,
        )

    @cached_property
    def terms(self) -> dict[str, set[str]]:
        """The terms of our namespace, with their classes."""
        found: dict[str, set[str]] = {}
        for quad in self.ontology:
            if value(quad.subject).startswith(self.project.vocabularies) and quad.predicate.value == iris.RDF_TYPE:
                found.setdefault(value(quad.subject), set()).add(value(quad.object))
        return found

    @cached_property
    def labels(self) -> dict[str, dict[str, str]]:
        """The labels of terms by language."""
        found: dict[str, dict[str, str]] = {}
        for quad in self.ontology:
            if quad.predicate.value in _LABELS and isinstance(quad.object, Literal):
                found.setdefault(value(quad.subject), {}).setdefault(quad.object.language or "", quad.object.value)
        return found

    def record_labels(self, iri: str) -> dict[str, str]:
        """The labels of a record by language."""
        found = (term for term in self.values(iri, SKOS + "prefLabel") if isinstance(term, Literal))
        return {term.language or "": term.value for term in found}

    @cached_property
    def entities(self) -> Entities:
        return Entities(self.store, self.base, {})

    def about(self, iri: str) -> Iterator[Quad]:
        """The triples of the release that have a record as subject or object."""
        node = NamedNode(iri)
        for found in (self.store.quads_for_pattern(node, None, None), self.store.quads_for_pattern(None, None, node)):
            yield from (Quad(q.subject, q.predicate, q.object) for q in found)

    def values(self, iri: str, predicate: str) -> list[NamedNode | Literal]:
        found = self.store.quads_for_pattern(NamedNode(iri), NamedNode(predicate), None)
        return list(dict.fromkeys(q.object for q in found if isinstance(q.object, NamedNode | Literal)))

    def exists(self, iri: str) -> bool:
        return next(self.store.quads_for_pattern(NamedNode(iri), None, None), None) is not None


def check(
    body: bytes,
    syntax: Rdf,
    limits: RdfLimits,
    knowledge: Knowledge,
    most: int = 1_000,
    profile: str = profiles.CORE,
    base: str = "",
    more: Callable[[Sequence[Quad], Knowledge], Iterable[Result]] = lambda *_: (),
) -> Report:
    """Validates a document against a profile; the report lists at most `most` results.

    For a partner's dataset, relative IRIs are resolved against `base`, no remote context is known, not even ours, as in
    a build, and `more` are rules for the statements as they were read.
    Raises a `RdfFault` if it cannot be read, and `KgError` for an unknown profile.
    """
    shapes = profiles.chosen(knowledge.shapes, profile)
    own = (knowledge.project.base.iri, knowledge.base) if not base else ()
    contexts = intake.own_contexts(knowledge.context.document, *own)
    text, read = intake.read(body, syntax, limits, contexts, base)
    # Shapes apply to triples; named graphs are left to the publisher.
    triples = list(dict.fromkeys(Quad(q.subject, q.predicate, q.object) for q in read))
    subjects = {str(q.subject) for q in triples}
    seen = [*triples, *_context_of(triples, knowledge), *_plain(knowledge.ontology)]
    found = [
        *_against_shapes(seen, shapes, subjects, knowledge.context),
        *_against_checks(seen, knowledge, subjects),
        *_unknown_terms(triples, knowledge),
        *_links(triples, knowledge),
        *more(read, knowledge),
    ]
    if found:
        places = positions.find(text, syntax.syntax, read, base)
        found = [_with_line(result, places) for result in found]
    return report.make(syntax.name, len(triples), knowledge.release, found, most, _counted(triples, found, knowledge))


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
    added += [Quad(NamedNode(iri), of, kind) for iri in mentioned for kind in knowledge.values(iri, iris.RDF_TYPE)]
    return added


# ---- shapes and checks ----


def _against_shapes(seen: Sequence[Quad], shapes: Shapes, subjects: set[str], context: Context) -> Iterator[Result]:
    for found in shapes.violations(seen):
        if found.focus in subjects:
            severity: Severity = "Violation" if found.severity == SH + "Violation" else "Warning"
            also = _in_conflict(found, seen, context)
            messages = {tongue: text + also for tongue, text in found.messages.items()}
            yield Result(
                "shape", severity, found.component, found.shape, found.focus, found.path, found.value, messages
            )


def _in_conflict(found: Violation, seen: Sequence[Quad], context: Context) -> str:
    """The values of which a record has too many."""
    if found.component != SH + "MaxCountConstraintComponent":
        return ""
    values = {str(q.object) for q in seen if str(q.subject) == found.focus and q.predicate.value in found.path}
    return ": " + ", ".join(report.compact_term(text, context) for text in sorted(values)) if values else ""


def _against_checks(seen: Sequence[Quad], knowledge: Knowledge, subjects: set[str]) -> Iterator[Result]:
    for row in checks.rows(seen, knowledge.checks):
        if str(row.this) not in subjects:
            continue
        others = dict(row.others)
        path = others.pop("property", None)
        also = ", ".join(report.compact_term(str(term), knowledge.context) for term in others.values())
        messages = {tongue: title + (f": {also}" if also else "") for tongue, title in row.query.title.items()}
        first = next((str(term) for term in others.values()), "")
        yield Result(
            row.query.name,
            "Warning" if row.query.severity == "warning" else "Violation",
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
    """The first use of a term in the document."""

    subject: str
    predicate: str
    is_property: bool
    is_class: bool


def _uses(triples: Sequence[Quad], prefixes: tuple[str, ...]) -> tuple[dict[str, _Use], Counter[str]]:
    """The first use of each IRI that begins with one of the prefixes, and the number of uses."""
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
    first, counts = _uses(triples, (*knowledge.project.vocabularies, _UNDECLARED))
    for iri, use in first.items():
        if iri in knowledge.terms:
            continue
        is_key = iri.startswith(_UNDECLARED)
        name = iri.removeprefix(_UNDECLARED) if is_key else knowledge.context.compact(iri)
        near = _nearest_keys(name, knowledge) if is_key else _nearest_terms(name, use, knowledge)
        words = ("the context", "コンテキスト") if is_key else ("the ontology", "語彙")
        text = f"'{name}' is not a term of {words[0]}", f"「{name}」という語は{words[1]}にありません"
        yield _mention("unknown-term", "UnknownTerm", iri, use, text, _labelled(near, knowledge), counts[iri])


def _labelled(near: dict[str, str], knowledge: Knowledge) -> _Near:
    """Suggestions with their labels by language."""
    return {name: (iri, knowledge.labels.get(iri, {})) for name, iri in near.items()}


def _nearest_terms(name: str, use: _Use, knowledge: Knowledge) -> dict[str, str]:
    """The known terms most similar to an unknown one: properties for a property, classes for a class."""
    wanted = "Property" if use.is_property else "Class" if use.is_class else ""
    names = {
        knowledge.context.compact(term): term
        for term, kinds in knowledge.terms.items()
        if not wanted or any(kind.endswith(wanted) for kind in kinds)
    }
    labels = {label: term for term in names.values() for label in knowledge.labels.get(term, {}).values()}
    return _nearest(name, names, labels)


def _nearest_keys(key: str, knowledge: Knowledge) -> dict[str, str]:
    """The context keys most similar to an unknown one, with the properties that they stand for."""
    return _nearest(key, {key: term.iri for key, term in knowledge.context.terms.items() if "://" in term.iri})


def _nearest(name: str, among: dict[str, str], labels: Mapping[str, str] | None = None) -> dict[str, str]:
    """Compares local names only, since the namespace is the same for all; and labels, as words or in one word."""
    names = {iri: known for known, iri in among.items()}
    by_local = {_word(known.rpartition(":")[2]): iri for known, iri in among.items()}
    by_label = {_word(label): iri for label, iri in (labels or {}).items()}
    asked = _word(name.rpartition(":")[2])
    found: dict[str, None] = {}
    for written in (by_local, by_label):
        close = difflib.get_close_matches(asked, written, n=_MAX_NEAREST, cutoff=0.6)
        # What has the whole word is near, however long it is.
        is_long = len(asked) > (4 if asked.isascii() else 1)
        within = sorted((key for key in written if is_long and asked in key), key=len)
        found |= dict.fromkeys(written[key] for key in (*close, *within))
    return {names[iri]: iri for iri in list(found)[:_MAX_NEAREST]}


def _word(text: str) -> str:
    return "".join(text.lower().split())


def _mention(
    rule: str,
    component: str,
    iri: str,
    use: _Use,
    text: tuple[str, str],
    near: _Near,
    count: int,
    severity: Severity = "Violation",
) -> Result:
    """A result about an IRI in our namespaces; `near` has the suggestions with their labels."""
    more = (f" (used {count:,} times)", f"（ほかに{count - 1:,}か所）") if count > 1 else ("", "")
    suggestion = ("", "。")
    if near:
        names = " or ".join(f"'{name}'{_in_brackets(of, 'en', ' (', ')')}" for name, (_, of) in near.items())
        quoted = "、".join(f"「{name}」{_in_brackets(of, 'ja', '（', '）')}" for name, (_, of) in near.items())
        suggestion = (f"; did you mean {names}?", f"。{quoted}ではありませんか。")
    messages = {tongue: text[n] + more[n] + suggestion[n] for n, tongue in enumerate(("en", "ja"))}
    path = () if use.subject == f"<{iri}>" else (use.predicate,)
    where = f"{SHAPES}{component}ConstraintComponent"
    return Result(
        rule, severity, where, "", use.subject, path, f"<{iri}>", messages, tuple(iri for iri, _ in near.values())
    )


def _in_brackets(labels: Mapping[str, str], language: str, before: str, after: str) -> str:
    """The label of a suggestion in a language, else in another."""
    label = labels.get(language) or next(iter(labels.values()), "")
    return f"{before}{label}{after}" if label else ""


# ---- links ----


def _links(triples: Sequence[Quad], knowledge: Knowledge) -> Iterator[Result]:
    first, counts = _uses(triples, tuple(_record_prefixes(knowledge)))
    root, searches = knowledge.entities.root, 0
    for iri, use in first.items():
        name = report.compact_term(f"<{iri}>", knowledge.context)
        if knowledge.exists(iri):
            if any(value(term) == "true" for term in knowledge.values(iri, OWL + "deprecated")):
                near = _by_name((value(t) for t in knowledge.values(iri, DCTERMS + "isReplacedBy")), knowledge)
                text = f"{name} is deprecated", f"{name}は廃止されました"
                yield _mention("deprecated", "Deprecated", iri, use, text, near, counts[iri], "Warning")
        elif meant := _meant(iri, knowledge):
            text = (
                f"{name} is the URL of a page or file, not the IRI of a record",
                f"{name}はページまたはファイルのURLであり、項目のIRIではありません",
            )
            yield _mention("page-link", "PageLink", iri, use, text, _by_name([meant], knowledge), counts[iri])
        else:
            searches += 1
            # Each search takes some milliseconds.
            paths = (
                knowledge.entities.nearest(iri.removeprefix(root), _MAX_NEAREST) if searches <= _MAX_SEARCHES else []
            )
            text = f"no record has the IRI {name}", f"{name}というIRIの項目はありません"
            near = _by_name((root + path for path in paths), knowledge)
            yield _mention("dead-link", "DeadLink", iri, use, text, near, counts[iri])


def _by_name(found: Iterable[str], knowledge: Knowledge) -> _Near:
    return {knowledge.context.compact(iri): (iri, knowledge.record_labels(iri)) for iri in found}


def _counted(triples: Sequence[Quad], found: Iterable[Result], knowledge: Knowledge) -> tuple[int, int]:
    """How often a document names our records, and how often it means one that does not exist."""
    dead = {result.value for result in found if result.rule in ("dead-link", "page-link")}
    root = tuple(_record_prefixes(knowledge))
    named = [iri for q in triples for t in (q.subject, q.object) if (iri := value(t)).startswith(root)]
    return len(named), sum(f"<{iri}>" in dead for iri in named)


def _record_prefixes(knowledge: Knowledge) -> Iterator[str]:
    bare = knowledge.base.partition("://")[2]
    yield from (f"{scheme}://{bare}{part}/" for scheme in ("http", "https") for part in ("id", "page", "data"))


def _meant(iri: str, knowledge: Knowledge) -> str:
    """The record IRI for the URL of its page or data file, or for its IRI with `http:`; '' if there is none."""
    path = iri.partition("://")[2].removeprefix(knowledge.base.partition("://")[2])
    part, _, rest = path.partition("/")
    rest = rest.rpartition(".")[0] or rest if part == "data" else rest
    found = f"{knowledge.base}id/{rest}"
    return found if found != iri and knowledge.exists(found) else ""


# ---- line numbers ----


def _with_line(result: Result, places: Positions) -> Result:
    """Adds the line of the result's value, else of its property, else of its focus node."""
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
