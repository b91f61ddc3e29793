"""Compares two releases: added and removed facts, and the records that they are about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kg.rdf import iris
from kg.release import store
from kg.release.store import Manifest

_DEPRECATED = '> <http://www.w3.org/2002/07/owl#deprecated> "true"'


@dataclass(frozen=True, slots=True)
class ChangedRecord:
    """A changed record: the numbers of added and removed facts, and whether it was added, removed or deprecated."""

    iri: str
    added: int
    removed: int
    is_new: bool = False
    is_gone: bool = False
    is_deprecated: bool = False


@dataclass(frozen=True, slots=True)
class Changes:
    """The sorted lines of N-Quads that only one of two releases has, and the changed records by IRI."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    records: tuple[ChangedRecord, ...]


def between(old: Path, new: Path) -> Changes:
    """The changes between the folders of two releases; inferred facts are ignored, since they follow from others."""
    before, after = _lines(old), _lines(new)
    added, removed = sorted(after - before), sorted(before - after)
    root = store.read_manifest(new).base_iri + "id/"
    more, less = _by_record(added, root), _by_record(removed, root)
    known_before, known_after = _by_record(before, root), _by_record(after, root)
    deprecated = {line[1 : line.index(">")] for line in added if _DEPRECATED in line}
    records = [
        ChangedRecord(iri, more[iri], less[iri], iri not in known_before, iri not in known_after, iri in deprecated)
        for iri in sorted(more.keys() | less.keys())
    ]
    return Changes(tuple(added), tuple(removed), tuple(records))


def previous(directory: Path, manifest: Manifest) -> Path | None:
    """The previous release, if it still exists."""
    older = []
    for other in directory.parent.iterdir():
        if other.is_symlink() or other == directory or not (other / "manifest.json").is_file():
            continue
        issued = store.read_manifest(other).issued
        if issued < manifest.issued and not other.name.startswith("."):
            older.append((issued, other))
    return max(older)[1] if older else None


def _lines(directory: Path) -> set[str]:
    base = store.read_manifest(directory).base_iri
    named = iris.Base(base)
    untold = tuple(f"<{graph}> ." for graph in (named.about, named.inferred))
    document = (directory / "dataset.nq").read_text(encoding="utf-8")
    # Not by splitlines, since literals may contain Unicode line separators.
    return {line for line in document.split("\n") if line and not line.endswith(untold)}


def _by_record(lines: Iterable[str], root: str) -> Counter[str]:
    """The number of lines about each record, including its `#` parts."""
    start = f"<{root}"
    return Counter(iris.document_of(line[1 : line.index(">")]) for line in lines if line.startswith(start))
