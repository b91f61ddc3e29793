"""Runs `kg link`: reads a table, matches each row, and writes the table and a linkset. A run can be resumed."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from itertools import islice
from pathlib import Path

from kg import __version__
from kg.errors import KgError, nearest
from kg.linking import columns, findings, linkset, matching, review, sssom
from kg.linking.journal import Journal
from kg.linking.linkset import LinksetInfo
from kg.linking.review import Decision, MatchSetup
from kg.names.name_profile import NameProfile
from kg.rdf.formats import Rdf
from kg.release.entities import Entities
from kg.release.store import Release
from kg.tables import table as tables
from kg.tables.rows import Notice, TableError, TableLimits
from kg.tables.table import Table

# Rows per journal entry, which is the most that an interruption loses.
_BATCH_SIZE = 100


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """The table to link and how, as given on the command line; columns are given by name or number.

    With a `reviewer`, the table is the reviewed output of an earlier run, and its decisions are used as they are.
    """

    file: Path
    column: str
    kind: str = ""
    properties: Sequence[tuple[str, str]] = ()
    subject: str = ""
    sheet: str = ""
    encoding: str = ""
    header: int | None = None
    reviewer: str = ""
    linkset: str = ""
    dataset: str = ""
    languages: Sequence[str] = ()
    names: NameProfile = field(default_factory=NameProfile)
    limits: TableLimits = field(default_factory=TableLimits)


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """The result of a run: files written, number of rows by state, and rows resumed from an interrupted run.

    `notices` say what was repaired or cannot be used, `columns` which columns were proposed, and `grounds` how the rows
    of each state were decided.
    """

    table: Path
    linkset: Path | None
    links: int
    counts: Mapping[str, int]
    resumed: int
    notices: Sequence[Notice] = ()
    columns: str = ""
    grounds: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def mappings(self) -> Path | None:
        """The same links as SSSOM/TSV, beside the linkset."""
        return (
            self.linkset.with_name(f"{_stem(self.linkset).removesuffix('.links')}.sssom.tsv") if self.linkset else None
        )


def run(
    release: Release, options: LinkOptions, folder: Path | None, syntax: Rdf, report: Callable[[int, int], None]
) -> BatchOutcome:
    """Links a table. Calls `report(done, total)` after each batch of rows; files are written atomically."""
    body = _read_file(options)
    try:
        table = tables.read(
            body,
            options.file.name,
            options.limits,
            sheet=options.sheet,
            encoding=options.encoding,
            header=options.header,
        )
        task = _Run(release, options, folder or options.file.parent, syntax, table, _key(release, options, body))
        return task.apply_review() if options.reviewer else task.match(report)
    except TableError as error:
        raise KgError(f"{options.file}: {error}") from error


class _Run:
    """The linking of one table."""

    def __init__(
        self, release: Release, options: LinkOptions, folder: Path, syntax: Rdf, table: Table, key: str
    ) -> None:
        self.release, self.options, self.folder, self.syntax, self.table, self.key = (
            release,
            options,
            folder,
            syntax,
            table,
            key,
        )
        self.entities = Entities(release.store, release.manifest.base_iri, {}, release.manifest.is_merged)
        self.setup = _setup(self.entities, table, options)
        _make_folder(folder)

    def match(self, report: Callable[[int, int], None]) -> BatchOutcome:
        """Matches the rows that no earlier run has finished, then writes the table and the linkset."""
        with Journal(self.folder / f".{self.options.file.name}.journal", self.key) as journal:
            decisions = [Decision(*fields) for batch in journal.entries for fields in batch]
            resumed, total = len(decisions), len(self.table.rows)
            report(resumed, total)
            matcher = matching.open_matcher(self.release, self.options.names)
            for batch in _batches(review.match_rows(matcher, self.table.rows[resumed:], self.setup, self._label)):
                journal.append([astuple(decision) for decision in batch])
                decisions += batch
                report(len(decisions), total)
            path = self.folder / f"{_stem(self.options.file)}.linked.csv"
            _write_file(path, tables.write(review.linked(self.table, decisions, self._label)))
            notices = (*self.table.notices, *findings.of_numbers(self.table, self.setup, matcher))
            told = self._columns() if not self.options.column else ""
            counts, grounds = review.counts(decisions), review.grounds(decisions)
            return BatchOutcome(path, *self._linkset(decisions), counts, resumed, notices, told, grounds)

    def _columns(self) -> str:
        names = self.table.columns
        used = (f"{names[at]} ({pid.replace('#', '/').rpartition('/')[2]})" for at, pid in self.setup.properties)
        return ", ".join((f"{names[self.setup.name]} (names)", *used))

    def apply_review(self) -> BatchOutcome:
        """Writes the linkset of a table that a person has reviewed."""
        decisions = review.reviewed(self.table, self.entities.exists)
        return BatchOutcome(self.options.file, *self._linkset(decisions), review.counts(decisions), 0)

    def _linkset(self, decisions: Sequence[Decision]) -> tuple[Path | None, int]:
        """Writes the linkset if the IRIs of the rows are known (`--subject`)."""
        if not self.setup.subject:
            return None, 0
        target_of = linkset.targets(self.entities)
        links = review.links(self.table, decisions, self.setup, target_of)
        info = LinksetInfo(
            base=self.release.manifest.base_iri,
            release=self.release.manifest.id[:16],
            software=f"aikg {__version__}",
            at=datetime.datetime.now(datetime.UTC),
            table=self.options.file.name,
            reviewer=self.options.reviewer,
            linkset=self.options.linkset,
            dataset=self.options.dataset,
        )
        path = self.folder / f"{_stem(self.options.file)}.links.{self.syntax.name}"
        _write_file(path, linkset.write(links, info, self.syntax))
        mappings = sssom.write(self.table, decisions, self.setup, info, self._label, target_of)
        _write_file(self.folder / f"{_stem(self.options.file)}.sssom.tsv", mappings)
        return path, len(set(links))

    def _label(self, iri: str) -> str:
        found = self.entities.label(iri, self.options.languages)
        return found.value if found else ""


def _read_file(options: LinkOptions) -> bytes:
    try:
        if options.file.stat().st_size > options.limits.bytes:
            raise KgError(f"{options.file} is larger than {options.limits.bytes:,} bytes")
        return options.file.read_bytes()
    except OSError as error:
        raise KgError(f"cannot read {options.file}: {error.strerror}") from error


def _setup(entities: Entities, table: Table, options: LinkOptions) -> MatchSetup:
    if options.kind and options.kind not in (known := entities.classes()):
        raise KgError(
            f"unknown class '{options.kind}'{nearest(options.kind, known)}; expected one of {', '.join(known)}"
        )
    for _, name in options.properties:
        _check_property(entities, name)
    properties = tuple((review.column(table, name), to) for name, to in options.properties)
    if options.subject:
        review.check_subject(table, options.subject)
    if options.column:
        return MatchSetup(review.column(table, options.column), options.kind, properties, options.subject)
    proposed = columns.propose(table, options.names, _labels(entities, options))
    return replace(proposed, kind=options.kind, properties=properties or proposed.properties, subject=options.subject)


def _labels(entities: Entities, options: LinkOptions) -> dict[str, str]:
    """The properties that hold identifiers, by their labels in lower case."""
    found = {}
    for iri in options.names.identifiers.of_properties:
        for language in options.languages:
            if label := entities.label(iri, [language]):
                found[label.value.lower()] = iri
    return found


def _check_property(entities: Entities, name: str) -> None:
    """Raises `KgError` for a property that no record has: it cannot distinguish candidates."""
    known = {quad.predicate.value for quad in entities.store.quads_for_pattern(None, None, None, entities.everywhere)}
    local = {_local(iri) for iri in known}
    if name not in known and _local(name) not in local:
        raise KgError(f"no record has the property '{name}'{nearest(_local(name), local)}")


def _local(name: str) -> str:
    return re.split(r"[:/#]", name)[-1]


def _key(release: Release, options: LinkOptions, body: bytes) -> str:
    """The journal key: a run is resumed only with the same table, release, software version and options."""
    settings = [
        options.column,
        options.kind,
        list(options.properties),
        options.sheet,
        options.encoding,
        options.header,
    ]
    digest = hashlib.sha256(json.dumps([release.manifest.id, __version__, settings]).encode())
    digest.update(body)
    return digest.hexdigest()


def _batches(decisions: Iterator[Decision]) -> Iterator[list[Decision]]:
    while batch := list(islice(decisions, _BATCH_SIZE)):
        yield batch


def _stem(file: Path) -> str:
    """The file name without its extension, and without the `.linked` that an earlier run added."""
    return file.stem.removesuffix(".linked")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KgError(f"cannot create {folder}: {error.strerror}") from error


def _write_file(path: Path, body: bytes) -> None:
    """Writes a file atomically."""
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        staged.write_bytes(body)
        staged.replace(path)
    except OSError as error:
        staged.unlink(missing_ok=True)
        raise KgError(f"cannot write {path}: {error.strerror}; choose another folder with --out") from error
