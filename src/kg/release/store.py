"""Releases: immutable directories named by their content, published atomically and opened read-only.

A release holds `dataset.nq` (sorted canonical N-Quads), `store/` (an Oxigraph store with them and, in the default
graph, every triple once), `dumps/` (the dataset in every syntax, gzipped) and `manifest.json`. `current` beside the
releases points at one of them.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gzip
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any, cast

from pyoxigraph import Quad, RdfFormat, Store

from kg.engines import remote
from kg.engines.backend import Backend
from kg.engines.embedded import EmbeddedStore
from kg.engines.endpoint import Options
from kg.errors import BrokenRelease, BuildBusy, KgError, NoRelease
from kg.project.location import is_workplace
from kg.rdf import canonical, formats, iris, serialization
from kg.release import integrity

KEPT_RELEASES = 3
# Above this size, dumps are written only as N-Quads and N-Triples.
_MOST_IN_EVERY_SYNTAX = 2_000_000
_LINES = (RdfFormat.N_QUADS, RdfFormat.N_TRIPLES)
_STAGED = ".staged-"


@dataclass(frozen=True, slots=True)
class Manifest:
    """The manifest of a release. `id` is the SHA-256 of its canonical N-Quads (RDF Dataset Canonicalization 1.0).

    `triples` counts the default graph: the merged named graphs, or, unless `is_merged`, the one of the dataset itself.
    `dumps` has the size and the SHA-256 of each dump, `files` those of every file, and `seal` is the SHA-256 of the
    manifest without it (`kg.release.integrity`); releases of earlier versions have neither.
    """

    id: str
    base_iri: str
    ontology_version: str
    issued: str
    software: str
    records: int
    asserted: int
    inferred: int
    triples: int
    quads: int
    graphs: dict[str, int] = field(default_factory=dict)
    sources: dict[str, dict[str, str]] = field(default_factory=dict)
    is_merged: bool = True
    dumps: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    seal: str = ""

    @property
    def size(self) -> int:
        """The number of quads in the store."""
        return sum(self.graphs.values()) + self.triples if self.is_merged else self.quads


@dataclass(frozen=True, slots=True)
class Release:
    """An opened release. The store is never written to, here or in the remote engine where it may be."""

    directory: Path
    manifest: Manifest
    store: Backend


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """Metadata of a release that is not in its quads; without a number of records, subjects are counted."""

    base_iri: str
    issued: str
    software: str
    records: int | None = None
    sources: dict[str, dict[str, str]] = field(default_factory=dict)
    is_merged: bool = True
    ontology: str = iris.ONTOLOGY
    """The ontology whose version is that of the release."""


def default_releases(root: Path) -> Path:
    """Where releases are kept: `KG_RELEASES`, else `.releases` in a writable checkout, else the user's data folder."""
    if configured := os.environ.get("KG_RELEASES"):
        return Path(configured)
    if is_workplace(root):
        return root / ".releases"
    data_home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data_home) / "aikg" / "releases"


@contextlib.contextmanager
def build_lock(releases: Path) -> Iterator[None]:
    """A lock held by one build at a time; the kernel releases it when the process ends."""
    try:
        releases.mkdir(parents=True, exist_ok=True)
        handle = (releases / ".lock").open("a+")
    except OSError as error:
        raise unwritable(releases, error) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            raise BuildBusy(
                f"another build is at work in {releases} (process {handle.read().strip() or '?'})"
            ) from None
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def unwritable(place: Path, error: OSError) -> KgError:
    """The error for a full disk or a folder that cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return KgError(f"no space left for {place}: free some, or name another place with --out or KG_RELEASES")
    return KgError(f"cannot write {place}: {error.strerror}; name another place with --out or KG_RELEASES")


def stage(releases: Path, quads: Iterable[Quad], account: BuildInfo, prefixes: Mapping[str, str]) -> Path:
    """Writes a release under a temporary name; returns its folder.

    The quads are read once; everything else is made from the sorted file.
    """
    for left_over in releases.glob(_STAGED + "*"):
        shutil.rmtree(left_over, ignore_errors=True)
    directory = releases / f"{_STAGED}{os.getpid()}"
    try:
        (directory / "dumps").mkdir(parents=True)
        document = directory / "dataset.nq"
        digest, figures = canonical.write(quads, document), canonical.Figures(account.ontology)
        store = Store(str(directory / "store"))
        store.bulk_extend(served(canonical.counted(canonical.read(document), figures), account.is_merged))
        store.flush()
        store.optimize()
        del store
        manifest = make_manifest(figures, digest, account)
        dumps = dict(_dumps(directory / "dumps", document, figures, prefixes))
        _write_json(directory / "manifest.json", asdict(replace(manifest, dumps=dumps)))
    except BaseException as error:
        shutil.rmtree(directory, ignore_errors=True)
        if isinstance(error, OSError):
            raise unwritable(directory, error) from error
        raise
    return directory


def _dumps(
    folder: Path, document: Path, figures: canonical.Figures, prefixes: Mapping[str, str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Writes the dataset in each syntax, with named graphs if supported, else merged; the bytes are reproducible.

    A large dataset is written only in line-based syntaxes, which can be split and read by any bulk loader.
    """
    for syntax in formats.RDF_FORMATS:
        path = folder / f"dataset.{syntax.name}.gz"
        if figures.quads > _MOST_IN_EVERY_SYNTAX and syntax.syntax not in _LINES:
            continue
        if syntax.syntax == RdfFormat.RDF_XML and formats.not_in_rdf_xml(figures.predicates):
            continue
        quads = canonical.read(document)
        with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
            statements = quads if syntax.has_graphs else canonical.triples(quads)
            serialization.write(statements, cast(IO[bytes], packed), syntax, prefixes)
        yield path.name, integrity.checksum(path)


def served(quads: Iterable[Quad], is_merged: bool) -> Iterable[Quad]:
    """The quads of a release's store: the sorted dataset, with or without its merged default graph."""
    return canonical.merged(quads) if is_merged else quads


def merged(quads: Iterable[Quad]) -> list[Quad]:
    """The named graphs and, in the default graph, each of their triples once."""
    named = list(quads)
    triples = dict.fromkeys(Quad(q.subject, q.predicate, q.object) for q in named)
    return [*named, *triples]


def publish(releases: Path, staged: Path) -> Path:
    """Activates a staged release: seals and renames it, then replaces the `current` link atomically."""
    manifest = read_manifest(staged)
    final = releases / manifest.id[:16]
    try:
        if final.exists() and _is_intact(final):
            shutil.rmtree(staged)
        else:
            fields = asdict(replace(manifest, files=integrity.checksums(staged)))
            _write_json(staged / integrity.MANIFEST, {**fields, "seal": integrity.seal(fields)})
            _sync(staged)
            if final.exists():
                final.rename(releases / f"{_STAGED}damaged")
            staged.rename(final)
        link = releases / ".current-new"
        link.unlink(missing_ok=True)
        link.symlink_to(final.name)
        link.replace(releases / "current")
        _sync_directory(releases)
    except OSError as error:
        raise unwritable(releases, error) from error
    os.utime(final)
    _prune(releases, final)
    return final


def _is_intact(directory: Path) -> bool:
    """Whether all files of a release are as they were written; of one of an earlier version that is not known."""
    try:
        return verify(directory)
    except BrokenRelease:
        return False


def verify(directory: Path) -> bool:
    """Checks every file of a release; raises `BrokenRelease` for one that is missing or has another content.

    Returns whether the manifest has checksums: in a release of an earlier version only the dataset is checked.
    """
    manifest = read_manifest(directory)
    integrity.verify(directory, manifest.files or {"dataset.nq": _dataset_of(directory, manifest)})
    return bool(manifest.files)


def _dataset_of(directory: Path, manifest: Manifest) -> dict[str, Any]:
    path = directory / "dataset.nq"
    return {"bytes": path.stat().st_size if path.is_file() else 0, "sha256": manifest.id}


def _prune(releases: Path, current: Path) -> None:
    others = [p for p in releases.iterdir() if p.is_dir() and not p.is_symlink() and not p.name.startswith(".")]
    newest_first = sorted((p for p in others if p != current), key=lambda p: p.stat().st_mtime, reverse=True)
    for old in newest_first[KEPT_RELEASES - 1 :]:
        shutil.rmtree(old, ignore_errors=True)


def current_directory(releases: Path) -> Path:
    """The folder of the release that `current` names; raises `NoRelease`."""
    link = releases / "current"
    if not link.exists():
        raise NoRelease(f"no release in {releases}; make one with 'kg build'")
    return link.resolve()


def read_manifest(directory: Path) -> Manifest:
    try:
        fields: dict[str, Any] = json.loads((directory / integrity.MANIFEST).read_text(encoding="utf-8"))
        manifest = Manifest(**fields)
    except (OSError, ValueError, TypeError) as error:
        raise BrokenRelease(f"{directory} has no readable manifest.json: {error}") from error
    if manifest.seal and manifest.seal != integrity.seal(fields):
        raise BrokenRelease(f"{directory}/manifest.json was changed after it was written")
    return manifest


def open_release(directory: Path, in_memory_up_to: int = 2_000_000) -> Release:
    """Opens a release: in memory up to a number of quads (joins are several times faster), else on disk.

    With a `remote.json` (`kg.release.mirror`) it is in a remote engine. Raises `BrokenRelease` if the files do not
    match the manifest.
    """
    manifest = read_manifest(directory)
    if (directory / remote.FILE).is_file():
        return Release(directory, manifest, open_remote(directory))
    verify(directory)
    # Counting quads on disk means reading all of them.
    is_whole = manifest.quads <= in_memory_up_to
    try:
        if is_whole:
            store = EmbeddedStore.in_memory(served(canonical.read(directory / "dataset.nq"), manifest.is_merged))
        else:
            store = EmbeddedStore.on_disk(directory / "store")
    except (OSError, SyntaxError) as error:
        raise BrokenRelease(f"{directory} cannot be opened: {error}") from error
    if is_whole and len(store) != manifest.size:
        raise BrokenRelease(f"{directory} holds {len(store)} quads; its manifest says {manifest.size}")
    if not is_whole and not all(quad in store for quad in canonical.ends(directory / "dataset.nq")):
        raise BrokenRelease(f"{directory} does not hold what its dataset.nq ends with")
    return Release(directory, manifest, store)


def open_remote(directory: Path, *, is_sealed: bool = False) -> remote.RemoteStore:
    """The store in the remote engine of a folder; see `RemoteStore` for `is_sealed`."""
    manifest = read_manifest(directory)
    endpoint, dialect = remote.connect(Options.read(directory / remote.FILE))
    return remote.RemoteStore(endpoint, dialect, manifest.id, manifest.graphs, is_sealed=is_sealed)


def open_for_workers(directory: Path, in_memory_up_to: int) -> Callable[[], Backend]:
    """Return a function that opens the store in each worker after the fork; a store in memory is read before it.

    RocksDB keeps threads, which do not survive a fork, and connections are not shared between processes.
    """
    if not (directory / remote.FILE).is_file() and read_manifest(directory).quads <= in_memory_up_to:
        shared = open_release(directory, in_memory_up_to).store
        return lambda: shared
    return lambda: open_on_disk(directory, is_sealed=True)


def open_on_disk(directory: Path, *, is_sealed: bool = False) -> Backend:
    """Open the store of a release without reading it into memory; see `RemoteStore` for `is_sealed`."""
    if (directory / remote.FILE).is_file():
        return open_remote(directory, is_sealed=is_sealed)
    return EmbeddedStore.on_disk(directory / "store")


def make_manifest(figures: canonical.Figures, digest: str, account: BuildInfo) -> Manifest:
    """The manifest of a canonical document; counts are those of its quads."""
    base, graphs = iris.Base(account.base_iri), {name: n for name, n in figures.graphs.items() if name}
    # Statements of partners are not asserted by this dataset.
    unevidenced = base.unevidenced | {g for g in graphs if g.startswith(base.partner)}
    return Manifest(
        id=digest,
        base_iri=base.iri,
        ontology_version=figures.ontology_version,
        issued=account.issued,
        software=account.software,
        records=figures.subjects if account.records is None else account.records,
        asserted=figures.quads - sum(n for g, n in graphs.items() if g in unevidenced),
        inferred=graphs.get(base.inferred, 0),
        triples=figures.triples if account.is_merged else figures.graphs[""],
        quads=figures.quads,
        graphs=dict(sorted(graphs.items())),
        sources=account.sources,
        is_merged=account.is_merged,
    )


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _sync(directory: Path) -> None:
    for path in directory.rglob("*"):
        if path.is_file():
            with path.open("rb") as handle:
                os.fsync(handle.fileno())
    _sync_directory(directory)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
