"""Maps curated files to asserted quads by the JSON-LD context, and checks references between files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyoxigraph import Literal, NamedNode, Quad, RdfFormat, parse

from kg.curation import records
from kg.curation.parses import Parses
from kg.curation.records import Record
from kg.documents import Position
from kg.errors import FileProblem, Rejected, nearest
from kg.project.description import Project
from kg.project.location import engine_dataset
from kg.rdf import iris
from kg.rdf.context import Context
from kg.rdf.iris import Base
from kg.rdf.namespaces import RDFS, SKOS
from kg.rdf.terms import value

_DEFINITION = SKOS + "definition"


@dataclass(slots=True)
class Curated:
    """All readable records of a source tree, and the problems found so far.

    `quads` has the quads of records from the cache, by path; `fresh` those of newly parsed records.
    """

    project: Project
    context: Context
    records: list[Record] = field(default_factory=list)
    problems: list[FileProblem] = field(default_factory=list)
    parses: Parses | None = None
    quads: dict[str, list[Quad]] = field(default_factory=dict)
    fresh: list[Quad] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.project.root

    @property
    def base(self) -> Base:
        return self.project.base

    def position(self, subject: str, predicate: str = "") -> Position | None:
        """The position of a subject, or of one of its properties, in the files."""
        for key in ((subject, predicate), (subject, "")):
            for record in self.records:
                if key in record.positions:
                    return record.positions[key]
        return None


def data_files(root: Path) -> list[Path]:
    """The curated files below `root/data` in sorted order, without the generated `data/ttl` and partners' files."""
    data = root / "data"
    return sorted(p for p in data.glob("*/**/*.y*ml") if p.relative_to(data).parts[0] not in ("ttl", "partners"))


def read_context(root: Path) -> Context:
    return Context.read(root / "ontology" / "context.jsonld")


def read_all(project: Project, files: Iterable[Path] | None = None, parses: Parses | None = None) -> Curated:
    """Reads every record below `root/data`, with the problems in and between files.

    `files` limits what is reported, not what is read, since references need all records. Files in `parses` are not
    parsed again.
    """
    root = project.root
    curated = Curated(project, read_context(root), parses=parses)
    for path in data_files(root):
        if parses and (kept := parses.find(path, path.relative_to(root).as_posix())):
            curated.records.append(kept.record)
            curated.quads[kept.record.path] = kept.quads
            continue
        record, problems = records.read(path, project, curated.context)
        curated.problems += problems
        if path.suffix != ".yaml":
            name = path.relative_to(root).as_posix()
            curated.problems.append(FileProblem(name, 0, 0, "file-name", "curated files end in .yaml"))
        if record is not None:
            curated.records.append(record)
    if not curated.records and not curated.problems:
        curated.problems.append(FileProblem("data", 0, 0, "no-data", f"no curated file below {root / 'data'}"))
    curated.problems += _across(curated.records, project.base)
    if files is not None:
        wanted = {p.resolve().relative_to(root.resolve()).as_posix() for p in files}
        curated.problems = [p for p in curated.problems if p.file in wanted]
    return curated


def _across(all_records: Sequence[Record], base: Base) -> list[FileProblem]:
    """Reports duplicate ids, dangling references, nodes without a class, and graphs without evidence."""
    problems: list[FileProblem] = []
    declared: dict[str, Position] = {}
    for record in all_records:
        for iri, position in record.declared.items():
            if iri in declared and declared[iri].file != position.file:
                first = declared[iri]
                message = f"'{_short(iri, base)}' is declared in {first.file}:{first.line} already"
                problems.append(position.problem("duplicate-id", message))
            else:
                declared[iri] = position
    for record in all_records:
        for reference in record.references:
            if reference.iri not in declared:
                message = (
                    f"nothing is called '{_short(reference.iri, base)}'{_nearest_id(reference.iri, declared, base)}"
                )
                problems.append(reference.position.problem("dangling", message))
        for iri, position in record.described.items():
            own = iri == record.iri or iri.startswith((record.iri + "#", record.iri + "/"))
            if own and iri not in declared:
                problems.append(position.problem("no-type", f"'{_short(iri, base)}' has no 'type' in any block"))
        for graph, position in record.block_positions.items():
            if base.graph_iri(graph) in base.unevidenced or evidence_of(graph, declared, base):
                continue
            known = [i.removeprefix(base.id).partition("/")[2] for i in declared if _is_evidence(i, base)]
            message = (
                f"no source or passage is called '{graph}'{nearest(graph, known)}; "
                "a new passage is recorded by 'kg passages'"
            )
            problems.append(position.problem("no-evidence", message))
    return problems


def _is_evidence(iri: str, base: Base) -> bool:
    return iri.startswith((base.id + "passage/", base.id + "source/")) and "#" not in iri


def evidence_of(graph: str, declared: Iterable[str], base: Base) -> str | None:
    """The passage or source of a graph's facts, which is the record with the same path."""
    for kind in ("passage/", "source/"):
        if (iri := base.record_iri(kind + graph)) in declared:
            return iri
    return None


def _short(iri: str, base: Base) -> str:
    path = iri.removeprefix(base.id)
    head, _, rest = path.partition("/")
    return f"{head}:{rest}"


def _nearest_id(iri: str, declared: Iterable[str], base: Base) -> str:
    head = iri.removeprefix(base.id).partition("/")[0]
    siblings = [_short(i, base) for i in declared if i.startswith(f"{base.id}{head}/")]
    return nearest(_short(iri, base), siblings)


def asserted_quads(curated: Curated) -> list[Quad]:
    """The quads of all records in their graphs, with the link from each graph to its evidence in `about`.

    Raises `Rejected` if files have problems, or if the parser dropped or added a term (compared by count).
    """
    if curated.problems:
        raise Rejected(curated.problems)
    lost: list[FileProblem] = []
    quads: list[Quad] = []
    declared = {iri for record in curated.records for iri in record.declared}
    graphs: set[str] = set()
    for record in curated.records:
        graphs.update(record.block_positions)
        if (kept := curated.quads.get(record.path)) is not None:
            quads += kept
            continue
        parsed = _parse(record, curated)
        if len(parsed) != record.leaves:
            where = record.block_positions and next(iter(record.block_positions.values())).file
            message = f"{record.leaves} values were written and {len(parsed)} triples came out"
            lost.append(FileProblem(where or record.path, 0, 0, "lost-value", message))
        elif curated.parses:
            curated.parses.keep(f"data/{record.path}.yaml", record, parsed)
        curated.fresh += parsed
        quads += parsed
    if lost:
        raise Rejected(lost)
    base = curated.base
    about = NamedNode(base.about)
    for graph in graphs:
        if evidence := evidence_of(graph, declared, base):
            source = NamedNode(iris.PRIMARY_SOURCE)
            quads.append(Quad(NamedNode(base.graph_iri(graph)), source, NamedNode(evidence), about))
    return list(dict.fromkeys(quads))


def _parse(record: Record, curated: Curated) -> list[Quad]:
    document = {
        "@context": curated.context.document["@context"],
        "@graph": [{"@id": curated.base.graph_iri(g), "@graph": facts} for g, facts in record.blocks.items()],
    }
    text = json.dumps(document, ensure_ascii=False).encode()
    return list(parse(text, format=RdfFormat.JSON_LD, base_iri=record.iri))


def ontology_quads(project: Project) -> list[Quad]:
    """The ontology and the borrowed terms that it uses, in the graph `ontology`.

    Each definition is also an `rdfs:comment`, the only text that many tools show.
    """
    graph, comment = NamedNode(project.base.ontology_graph), NamedNode(RDFS + "comment")
    read = [q for path in ontology_files(project.root) for q in parse(path=path)]
    stated = [Quad(q.subject, q.predicate, q.object, graph) for q in read]
    return stated + [Quad(q.subject, comment, q.object, graph) for q in read if q.predicate.value == _DEFINITION]


def ontology_files(root: Path) -> list[Path]:
    """The ontology files of a project in a stable order; an imported core that is not among them is the engine's."""
    folder = root / "ontology"
    own = sorted(path for path in folder.glob("*.ttl") if path.name != "shapes.ttl")
    imported = sorted((folder / "imports").glob("*.ttl"))
    core = engine_dataset() / "ontology"
    if (folder / "core.ttl").is_file() or not (core / "core.ttl").is_file():
        return [*own, *imported]
    return [core / "core.ttl", *own, core / "imports" / "external.ttl", *imported]


def rebase(quads: Iterable[Quad], own: Base, base: str) -> list[Quad]:
    """The quads with our identifiers moved below another base."""
    if base == own.iri:
        return list(quads)

    def moved(term: Any) -> Any:
        return NamedNode(own.moved(term.value, base)) if isinstance(term, NamedNode) else term

    return [Quad(*(moved(t) for t in (q.subject, q.predicate, q.object, q.graph_name))) for q in quads]


def literal_values(quads: Iterable[Quad], predicate: str) -> dict[str, str]:
    """Subject IRI → the first value of a literal property."""
    values: dict[str, str] = {}
    for quad in quads:
        if quad.predicate.value == predicate and isinstance(quad.object, Literal):
            values.setdefault(value(quad.subject), quad.object.value)
    return values
