"""Data of any size in the shape of the real graph: copies of the curated records, with what varies between them.

The real records are there as they are. A copy of them says the same of other things: other names in both languages,
other amounts, dates and identifiers. What many records speak of (countries, ministries, laws, vocabularies, registers)
is not copied, so that ever more records speak of it; some links lead from one copy to another.
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
from kg.rdf import canonical
from tools.synthetic import wording
from tools.synthetic.templates import OTHER, OWN, Maker, Slots, Text, suffix

Format = Literal["nq", "nq.gz", "yaml"]

_SHARED = frozenset({"place", "fiscal-year", "law", "product", "vocabulary"})
_SHARED_SOURCES = ("source/curator", "source/register/")
# An organisation that so many records speak of is everyone's.
_KNOWN_WIDELY = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """The records as they are, and the template of their copies, as files and as lines of N-Quads.

    `base` counts the triples of the merged graph without copies, `each` those that a copy adds.
    """

    root: Path
    files: dict[str, Text]
    slots: Slots
    base_lines: str
    lines: Text
    base: int
    each: int

    def copies(self, triples: int) -> int:
        """How many copies come nearest to so many triples. Raises `KgError` when there are no names for so many."""
        count = max(0, round((triples - self.base) / self.each))
        most = wording.PERSONS // max(1, len(self.slots.people)) - 1
        if count > most:
            raise KgError(f"--scale: at most {self.base + most * self.each:,} triples can be told apart by name")
        return count

    def size(self, copies: int) -> int:
        """The triples of the merged graph: stated, of the ontology and inferred, each once."""
        return self.base + copies * self.each

    def values(self, world: int, seed: int) -> dict[str, str]:
        """What stands for each marker in a copy, which links to an earlier one."""
        return self.slots.values(world, zlib.crc32(f"{seed}:{world}".encode()) % world, seed)

    def write(self, copies: int, out: Path, syntax: Format, seed: int = 1) -> Path:
        """Writes the records and copies of them below `out`; returns the folder of the project or the file of quads.

        `yaml` is a project that `kg build` builds (`KG_PROJECT`), `nq` the dataset that comes of it.
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
    """Builds the records of a project beside their marked copies. Raises `Rejected` when they have problems."""
    curated = builder.read_all(root)
    if curated.problems:
        raise Rejected(curated.problems)
    owners = {iri: record.path for record in curated.records for iri in record.declared}
    slots = Slots()
    maker = Maker(curated.context, owners, _shared(curated, owners), slots)
    sources = {f"{record.path}.yaml": record for record in curated.records if record.path not in maker.shared}
    files = {
        path.removesuffix(".yaml"): maker.text(record, (root / "data" / path).read_text(encoding="utf-8"))
        for path, record in sources.items()
    }
    base, copied, triples = _built(root, files)
    return Plan(root, files, slots, "".join(base), Text.of_quads("".join(copied)), *triples)


def _shared(curated: builder.Curated, owners: dict[str, str]) -> frozenset[str]:
    """The records that are not copied."""
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


def _built(root: Path, files: dict[str, Text]) -> tuple[list[str], list[str], tuple[int, int]]:
    """The lines of the records as they are, those of a marked copy, and how many triples each of the two has.

    The marked copy links to a second one; what is said of that one alone is dropped.
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
    # In canonical order, which names the blank nodes of the ontology the same each time.
    for quad in canonical.ordered(quads)[0]:
        line = f"{quad} .\n"
        is_copied = OWN in line
        if is_copied or OTHER not in line:
            lines[is_copied].append(line)
            triples[is_copied].add(Triple(quad.subject, quad.predicate, quad.object))
    return *lines, (len(triples[False]), len(triples[True] - triples[False]))


def _quads(root: Path) -> list[Quad]:
    """All quads of a project as a build makes them, unchecked."""
    stated = [*builder.asserted_quads(builder.read_all(root)), *builder.ontology_quads(root)]
    inferred = reasoning.inferred_quads(reasoning.close(stated, root / "queries" / "rules"))
    ours = [*stated, *inferred]
    return [*ours, *datasets.load(root, ours, FetchLimits(), offline=True).quads]


def _copy_project(root: Path, to: Path) -> None:
    """The project without what is built from it."""
    for part in ("ontology", "queries", "data"):
        shutil.copytree(root / part, to / part, ignore=shutil.ignore_patterns("ttl") if part == "data" else None)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def generate(root: Path, scale: int, out: Path, syntax: Format, seed: int = 1) -> tuple[Path, int]:
    """Writes about `scale` triples of the merged graph below `out`; returns what was written and their exact number."""
    made = plan(root)
    copies = made.copies(scale)
    return made.write(copies, out, syntax, seed), made.size(copies)


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    with file.open("wb") as raw:
        if file.suffix != ".gz":
            yield raw
        else:
            # No time and no name in the header: the same data are the same bytes.
            with gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
                yield cast(IO[bytes], packed)
