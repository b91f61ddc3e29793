"""The build pipeline: curated files → checks → inference → consistency → `data/ttl` and a release."""

from __future__ import annotations

import datetime
import gzip
import itertools
import os
import resource
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from pyoxigraph import NamedNode, Quad, RdfFormat, parse

from kg import __version__
from kg.build import checks, reasoning
from kg.build.proving import Prover
from kg.curation import builder, parses
from kg.errors import FileProblem, KgError, Rejected
from kg.partners import datasets as partners
from kg.partners.fetch import FetchLimits
from kg.project import profiles
from kg.project.description import Project
from kg.project.location import is_workplace
from kg.project.reading import read_project
from kg.rdf import canonical, formats, iris, turtle
from kg.rdf.context import Context
from kg.rdf.iris import Base
from kg.rdf.namespaces import KG
from kg.rdf.terms import value
from kg.release import dataset_record, history, search, store
from kg.release.store import BuildInfo
from kg.sparql import library

_SHA256 = iris.ONTOLOGY + "#sha256"

Report = Callable[[str], None]
STAGES = ("read", "map", "check", "infer", "check again", "partners", "write", "reason", "publish")


@dataclass(slots=True)
class Summary:
    """The result of a build: counts, and seconds by stage."""

    records: int = 0
    parsed: int = 0
    asserted: int = 0
    inferred: int = 0
    quads: int = 0
    partners: int = 0
    partners_left_out: tuple[str, ...] = ()
    links: int = 0
    warnings: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    peak_memory_mb: float = 0.0
    reasoner_memory_mb: float = 0.0
    release: Path | None = None
    changed_files: int = 0


@contextmanager
def _stage(name: str, summary: Summary, report: Report) -> Iterator[None]:
    report(name)
    start = time.perf_counter()
    yield
    summary.seconds[name] = time.perf_counter() - start


def check(root: Path, files: list[Path] | None = None) -> list[FileProblem]:
    """The problems of the curated files, or of some `files`, without the OWL reasoner.

    Partners' datasets are checked if they are cached; nothing is fetched.
    """
    project = read_project(root)
    with parses.opened(project, builder.read_context(root)) as kept:
        curated = builder.read_all(project, parses=kept)
        problems = list(curated.problems)
        if not problems:
            quads = [*builder.asserted_quads(curated), *builder.ontology_quads(project)]
            problems = [
                *_check(quads, root, curated),
                *partners.load(project, quads, FetchLimits(), offline=True).problems,
            ]
    if files:
        wanted = {_relative(path, root) for path in files}
        unknown = wanted - {_relative(path, root) for path in _input_files(root)}
        if unknown:
            raise KgError(f"no curated file of this project: {', '.join(sorted(unknown))}")
        problems = [p for p in problems if p.file in wanted]
    return sorted(set(problems))


def _input_files(root: Path) -> list[Path]:
    return [*builder.data_files(root), *partners.files(root)]


def _relative(path: Path, root: Path) -> str:
    absolute = path.resolve()
    return absolute.relative_to(root.resolve()).as_posix() if absolute.is_relative_to(root.resolve()) else str(path)


def _check(quads: list[Quad], root: Path, curated: builder.Curated) -> list[FileProblem]:
    return [
        *checks.shacl(quads, profiles.all_files(root), curated),
        *checks.checks(quads, root / "queries" / "checks", curated),
    ]


def build(
    root: Path,
    releases: Path,
    *,
    base: str = "",
    report: Report = lambda _: None,
    issued: datetime.datetime | None = None,
) -> Summary:
    """Builds a release from the curated files and activates it; in a checkout, also writes its graphs to `data/ttl`.

    Raises `Rejected` with all violations; the current release then stays.
    """
    summary, project = Summary(), read_project(root)
    base = base or project.base.iri
    with (
        store.build_lock(releases),
        parses.opened(project, builder.read_context(root)) as kept,
        ExitStack() as beside,
    ):
        with _stage("read", summary, report):
            curated = builder.read_all(project, parses=kept)
            if curated.problems:
                raise Rejected(curated.problems)
        with _stage("map", summary, report):
            asserted = builder.asserted_quads(curated)
            ontology = builder.ontology_quads(project)
        with _stage("check", summary, report):
            _refuse(_check([*asserted, *ontology], root, curated), summary)
        # Only what is published has to wait for the reasoner.
        proof = _Proof(ontology, asserted, curated)
        beside.callback(proof.close)
        with _stage("infer", summary, report):
            closure = reasoning.close([*asserted, *ontology], root / "queries" / "rules")
            inferred = reasoning.inferred_quads(closure, project.base)
        everything = [*asserted, *ontology, *inferred]
        with _stage("check again", summary, report):
            _refuse(_check(everything, root, curated), summary)
        with _stage("partners", summary, report):
            everything += _joined(everything, project, base, summary)
        with _stage("write", summary, report):
            everything = builder.rebase(everything, project.base, base)
            stored = library.library(root, moved=project.moving(base)).values()
            everything += dataset_record.quads(project, base, curated.context, stored, everything)
            quads, _ = canonical.ordered(everything)
            account = _account(base, project.ontology, issued, records=len(curated.records), sources=_sources(asserted))
            prefixes = _prefixes(curated.context, project.base, base)
            staged = _staged(releases, quads, account, prefixes, project)
            manifest = store.read_manifest(staged)
        with _stage("reason", summary, report):
            try:
                proof.conclude(summary)
            except KgError:
                shutil.rmtree(staged, ignore_errors=True)
                raise
        with _stage("publish", summary, report):
            if base == project.base.iri and is_workplace(root):
                summary.changed_files = write_ttl(project, quads, curated.context)
            summary.release = store.publish(releases, staged)
    summary.parsed, summary.records, summary.asserted = kept.missed, manifest.records, manifest.asserted
    summary.inferred, summary.quads = manifest.inferred, manifest.quads
    summary.peak_memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    summary.reasoner_memory_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return summary


def _refuse(problems: list[FileProblem], summary: Summary) -> None:
    """Stops the build on violations; warnings are added to the summary."""
    if any(not p.is_warning for p in problems):
        raise Rejected(problems)
    summary.warnings = sorted(map(str, problems))


class _Proof:
    """Proves in another process that the dataset is consistent, while the build goes on.

    Of a large dataset, only the ontology and changed records are checked. A conflict between an unchanged and a changed
    record is then left to the check queries, which see everything.
    """

    def __init__(self, ontology: list[Quad], asserted: list[Quad], curated: builder.Curated) -> None:
        bounds = reasoning.ReasoningBounds()
        proved = next((part for part in (asserted, curated.fresh, []) if len(part) <= bounds.statements), [])
        self._warning = ""
        if len(proved) < len(asserted):
            part = f"and {len(proved):,} of {len(asserted):,} statements" if proved else "alone"
            self._warning = f"proved consistent: the ontology {part} (KG_REASON_STATEMENTS={bounds.statements})"
        self._parses = curated.parses
        self._key = reasoning.key([*proved, *ontology], builder.ontology_files(curated.root))
        self._prover: Prover | None = None
        if not (self._parses and self._parses.has_passed(self._key)):
            self._prover = Prover(*reasoning.document_of([*proved, *ontology]), bounds.memory_mb)

    def conclude(self, summary: Summary) -> None:
        """Waits for the result; stops the build on inconsistency."""
        if self._warning:
            summary.warnings.append(self._warning)
        if self._prover is None:
            return
        if not self._prover.is_consistent():
            raise KgError("the dataset is inconsistent in OWL 2 DL, and no check query names the conflict")
        if self._parses:
            self._parses.passed(self._key)

    def close(self) -> None:
        """Ends a proof that nothing waits for."""
        if self._prover is not None:
            self._prover.close()


def _joined(ours: list[Quad], project: Project, base: str, summary: Summary) -> list[Quad]:
    """The quads of partners' datasets; their problems are added to the summary, and the build continues."""
    found = partners.load(project, ours, FetchLimits(), base=base)
    summary.warnings += sorted(map(str, found.problems))
    summary.partners, summary.links = len(found.joined), found.links
    summary.partners_left_out = tuple(found.left_out)
    return found.quads


def _timestamp(issued: datetime.datetime | None) -> str:
    """The time of the build, or that in SOURCE_DATE_EPOCH (reproducible-builds.org)."""
    if issued is None and (epoch := os.environ.get("SOURCE_DATE_EPOCH")):
        issued = datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
    return (issued or datetime.datetime.now(datetime.UTC)).isoformat(timespec="seconds")


def _sources(asserted: list[Quad]) -> dict[str, dict[str, str]]:
    hashes = builder.literal_values(asserted, _SHA256)
    return {iri: {"sha256": digest} for iri, digest in sorted(hashes.items()) if "/id/source/" in iri}


def ttl_path(project: Project, graph: str) -> Path:
    return project.root / "data" / "ttl" / f"{project.base.graph_path(graph)}.ttl"


def write_ttl(project: Project, quads: list[Quad], context: Context) -> int:
    """Writes each graph to its file below `data/ttl`; returns the number of changed files."""
    by_graph: dict[str, list[Quad]] = {}
    for quad in quads:
        by_graph.setdefault(value(quad.graph_name), []).append(quad)
    folder = project.root / "data" / "ttl"
    written, changed = set(), 0
    try:
        for graph, members in by_graph.items():
            path = ttl_path(project, graph)
            written.add(path)
            text = turtle.write(members, context.prefixes)
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                path.parent.mkdir(parents=True, exist_ok=True)
                fresh = path.with_suffix(".ttl.new")
                fresh.write_text(text, encoding="utf-8")
                fresh.replace(path)
                changed += 1
        for stale in {p for p in folder.rglob("*") if p.is_file()} - written:
            stale.unlink()
            changed += 1
    except OSError as error:
        raise store.unwritable(folder, error) from error
    return changed


def read_ttl(project: Project) -> list[Quad]:
    """The quads of the generated files below `data/ttl`."""
    folder = project.root / "data" / "ttl"
    quads: list[Quad] = []
    for path in sorted(folder.rglob("*.ttl")):
        graph = NamedNode(project.base.graph_iri(path.relative_to(folder).with_suffix("").as_posix()))
        quads += [Quad(q.subject, q.predicate, q.object, graph) for q in parse(path=str(path), format=RdfFormat.TURTLE)]
    if not quads:
        raise KgError(f"no built graph in {folder}; run 'kg build'")
    return quads


def release_from_ttl(root: Path, releases: Path) -> Path:
    """Makes a release of the generated files without checks or Java, for `kg serve` without a release."""
    project = read_project(root)
    quads = read_ttl(project)
    with store.build_lock(releases):
        account = _account(
            project.base.iri, project.ontology, records=len(builder.data_files(root)), sources=_sources(quads)
        )
        prefixes = builder.read_context(root).prefixes
        return store.publish(releases, _staged(releases, quads, account, prefixes, project))


def _account(
    base: str,
    ontology: str = iris.ONTOLOGY,
    issued: datetime.datetime | None = None,
    *,
    records: int | None = None,
    sources: dict[str, dict[str, str]] | None = None,
    is_merged: bool = True,
) -> BuildInfo:
    return BuildInfo(base, _timestamp(issued), f"aikg {__version__}", records, sources or {}, is_merged, ontology)


def release_from_files(
    files: list[Path],
    releases: Path,
    base: str,
    prefixes: Mapping[str, str],
    *,
    is_merged: bool = False,
    project: Project | None = None,
) -> Path:
    """Makes a release of any RDF files, also compressed, with their named graphs and default graph.

    If `is_merged`, the default graph has the triples of all graphs, as in a built release.
    """
    quads = itertools.chain.from_iterable(map(_read_rdf, files))
    with store.build_lock(releases):
        return store.publish(releases, _staged(releases, quads, _account(base, is_merged=is_merged), prefixes, project))


def _staged(
    releases: Path,
    quads: Iterable[Quad],
    account: BuildInfo,
    prefixes: Mapping[str, str],
    project: Project | None = None,
) -> Path:
    """Writes a release that is not yet active: store, dumps, search index and changes."""
    vocabularies = project.vocabularies if project else (KG,)
    identifiers = frozenset(project.names.identifiers.of_properties if project else ())
    staged = store.stage(releases, quads, account, prefixes)
    try:
        found = search.entries(canonical.read(staged / "dataset.nq"), account.base_iri, vocabularies, identifiers)
        search.write(staged, found)
        history.write(staged, _before(releases), history.HistoryBounds(), project.languages if project else ())
    except OSError as error:
        raise store.unwritable(staged, error) from error
    return staged


def _before(releases: Path) -> Path | None:
    """The current release, if it can be read."""
    try:
        directory = store.current_directory(releases)
        store.read_manifest(directory)
    except KgError:
        return None
    return directory


def _read_rdf(path: Path) -> Iterator[Quad]:
    name = path.name.removesuffix(".gz")
    syntax = RdfFormat.from_extension(Path(name).suffix.removeprefix("."))
    if syntax is None:
        known = ", ".join(f".{f.name}" for f in formats.RDF_FORMATS)
        raise KgError(f"{path}: no RDF syntax has that ending; known are {known}, each also with .gz")
    try:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as document:
            base = path.resolve().as_uri()
            yield from parse(cast(IO[bytes], document), format=syntax, base_iri=base, rename_blank_nodes=True)
    except SyntaxError as error:
        place = f"{path}:{error.lineno}:{error.offset}" if error.lineno else str(path)
        raise KgError(f"{place}: {error.msg}") from error
    except (OSError, EOFError) as error:
        raise KgError(f"cannot read {path}: {error}") from error


def _prefixes(context: Context, own: Base, base: str) -> dict[str, str]:
    """The prefixes of the context, with those of records below the base of the release."""
    return {prefix: own.moved(namespace, base) for prefix, namespace in context.prefixes.items()}
