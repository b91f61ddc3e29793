"""Generates data of any size in the shape of the real graph, from copies of the curated records.

The curated records are kept unchanged. Their copies have other names in both languages, other amounts, dates and
identifiers. Records that many others refer to (countries, ministries, laws, vocabularies, registers) are not copied, so
that the number of references to them grows; some links connect different copies.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

from pyoxigraph import Quad, Triple

from kg.build import reasoning
from kg.curation import builder
from kg.errors import KgError, Rejected
from kg.partners import datasets
from kg.partners.fetch import FetchLimits
from kg.project.description import Project
from kg.project.reading import read_project
from kg.rdf import canonical
from kg.rdf.terms import value
from tools.synthetic import wording
from tools.synthetic.templates import OTHER, OWN, Maker, Slots, Text, suffix

Format = Literal["nq", "nq.gz", "yaml"]

_SHARED = frozenset({"place", "fiscal-year", "law", "product", "vocabulary"})
_SHARED_SOURCES = ("source/curator", "source/register/")
# Organisations with at least this many referring records are not copied.
_KNOWN_WIDELY = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """The curated records and the template of their copies, as files and as lines of N-Quads.

    `base` is the number of triples of the merged graph without copies, `each` the number that a copy adds.
    """

    root: Path
    files: dict[str, Text]
    slots: Slots
    base_lines: str
    lines: Text
    base: int
    each: int

    def copies(self, triples: int) -> int:
        """The number of copies that gives about this many triples. Raises `KgError` if there are too few names."""
        count = max(0, round((triples - self.base) / self.each))
        most = wording.PERSONS // max(1, len(self.slots.people)) - 1
        if count > most:
            raise KgError(f"--scale: there are distinct names for at most {self.base + most * self.each:,} triples")
        return count

    def size(self, copies: int) -> int:
        """The number of distinct triples of the merged graph, including the ontology and inferred triples."""
        return self.base + copies * self.each

    def values(self, world: int, seed: int) -> dict[str, str]:
        """The value of each marker in a copy, which links to an earlier copy."""
        return self.slots.values(world, zlib.crc32(f"{seed}:{world}".encode()) % world, seed)

    def write(self, copies: int, out: Path, syntax: Format, seed: int = 1) -> Path:
        """Writes the records and their copies below `out`; returns the project folder or the N-Quads file.

        `yaml` gives a project for `kg build` (`KG_PROJECT`), `nq` the dataset that results from it.
        """
        worlds = range(1, copies + 1)
        try:
            out.mkdir(parents=True, exist_ok=True)
            if syntax == "yaml":
                _copy_project(self.root, out)
                for world in worlds:
                    values = self.values(world, seed)
                    for path, text in self.files.items():
                        _write(out / "data" / f"{path}{suffix(world)}.yaml", text.filled(values))
                return out
            with _opened(out / f"dataset.{syntax}") as output:
                output.write(self.base_lines.encode())
                for world in worlds:
                    output.write(self.lines.filled(self.values(world, seed)).encode())
            return out / f"dataset.{syntax}"
        except OSError as error:
            raise KgError(f"cannot write {out}: {error.strerror}") from error


def plan(root: Path) -> Plan:
    """Builds the records of a project and a copy with markers. Raises `Rejected` if the records have problems."""
    curated = builder.read_all(read_project(root))
    if curated.problems:
        raise Rejected(curated.problems)
    owners = {iri: record.path for record in curated.records for iri in record.declared}
    slots = Slots()
    shared = _shared(curated, owners) | _of_a_kind(root, curated, owners)
    maker = Maker(curated.context, curated.base, owners, shared, slots)
    sources = {f"{record.path}.yaml": record for record in curated.records if record.path not in maker.shared}
    files = {
        path.removesuffix(".yaml"): maker.text(record, (root / "data" / path).read_text(encoding="utf-8"))
        for path, record in sources.items()
    }
    base, copied, triples = _built(root, files)
    return Plan(root, files, slots, "".join(base), Text.of_quads("".join(copied)), *triples)


def _shared(curated: builder.Curated, owners: dict[str, str]) -> frozenset[str]:
    """The paths of records that are not copied."""
    speakers: dict[str, set[str]] = defaultdict(set)
    for record in curated.records:
        for reference in record.references:
            speakers[owners[reference.iri]].add(record.path)
    return frozenset(
        path
        for path in (record.path for record in curated.records)
        if path.partition("/")[0] in _SHARED
        or path.startswith(_SHARED_SOURCES)
        or (path.startswith("organization/") and len(speakers[path] - {path}) >= _KNOWN_WIDELY)
    )


def _of_a_kind(root: Path, curated: builder.Curated, owners: dict[str, str]) -> frozenset[str]:
    """The paths of bodies that belong to a kind of actor.

    They are not copied, because a norm on the kind is a norm on each of its bodies: those of one copy would be subject
    to the norms of every other.
    """
    ours = _ours(read_project(root), curated)
    kinds = (value(quad.subject) for quad in ours if value(quad.predicate).endswith("#actorKind"))
    return frozenset(owners[body] for body in kinds if body in owners)


def _built(root: Path, files: dict[str, Text]) -> tuple[list[str], list[str], tuple[int, int]]:
    """The N-Quads lines of the records and of a copy with markers, and the number of triples of each.

    The copy links to a second one, whose own statements are dropped.
    """
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        _copy_project(root, project)
        for end, other in ((OWN, OTHER), (OTHER, "")):
            for path, text in files.items():
                values = {marker: marker for marker in text.markers} | {OWN: end, OTHER: other}
                _write(project / "data" / f"{path}{end}.yaml", text.filled(values))
        quads = _quads(project)
    lines: tuple[list[str], list[str]] = ([], [])
    triples: tuple[set[Triple], set[Triple]] = (set(), set())
    # In canonical order, so that the ontology's blank nodes always get the same labels.
    for quad in canonical.ordered(quads)[0]:
        line = f"{quad} .\n"
        is_copied = OWN in line
        if is_copied or OTHER not in line:
            lines[is_copied].append(line)
            triples[is_copied].add(Triple(quad.subject, quad.predicate, quad.object))
    return *lines, (len(triples[False]), len(triples[True] - triples[False]))


def _quads(root: Path) -> list[Quad]:
    """All quads of a project as `kg build` makes them, without checks."""
    project = read_project(root)
    ours = _ours(project, builder.read_all(project))
    return [*ours, *datasets.load(project, ours, FetchLimits(), offline=True).quads]


def _ours(project: Project, curated: builder.Curated) -> list[Quad]:
    """The stated and inferred quads without those of partners."""
    stated = [*builder.asserted_quads(curated), *builder.ontology_quads(project)]
    closure = reasoning.close(stated, project.root / "queries" / "rules")
    return [*stated, *reasoning.inferred_quads(closure, project.base)]


def _copy_project(root: Path, to: Path) -> None:
    """Copies the project without generated files."""
    for part in ("ontology", "queries", "data"):
        shutil.copytree(root / part, to / part, ignore=shutil.ignore_patterns("ttl") if part == "data" else None)
    shutil.copyfile(root / "site.yaml", to / "site.yaml")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def generate(root: Path, scale: int, out: Path, syntax: Format, seed: int = 1) -> tuple[Path, int]:
    """Writes about `scale` triples of the merged graph below `out`; returns the path and the exact number."""
    made = plan(root)
    copies = made.copies(scale)
    return made.write(copies, out, syntax, seed), made.size(copies)


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    with file.open("wb") as raw:
        if file.suffix != ".gz":
            yield raw
        else:
            # No time or name in the header, so that equal data gives equal bytes.
            with gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
                yield cast(IO[bytes], packed)
