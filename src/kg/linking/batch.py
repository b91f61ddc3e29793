"""What `kg link` does: a table is read, matched row by row, and written beside a linkset. It can be interrupted."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from itertools import islice
from pathlib import Path

from kg import __version__
from kg.errors import KgError, nearest
from kg.linking import linkset, matching, review
from kg.linking.journal import Journal
from kg.linking.linkset import LinksetInfo
from kg.linking.review import Decision, MatchSetup
from kg.rdf.formats import Rdf
from kg.release.entities import Entities
from kg.release.store import Release
from kg.tables import table as tables
from kg.tables.rows import TableError, TableLimits
from kg.tables.table import Table

# Rows between two entries of the journal: what an interruption loses at most.
_BATCH = 100
_LANGUAGES = ("ja", "en")


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be linked and how, as the command has it; columns by name or number.

    With `reviewer` the table is one that was linked before and looked through: its decisions are taken as they stand.
    """

    file: Path
    column: str
    kind: str = ""
    properties: Sequence[tuple[str, str]] = ()
    subject: str = ""
    sheet: str = ""
    encoding: str = ""
    has_header: bool = True
    reviewer: str = ""
    linkset: str = ""
    dataset: str = ""
    limits: TableLimits = field(default_factory=TableLimits)


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What came of it: the files written, rows by state, and how many rows an earlier, interrupted run had done."""

    table: Path
    linkset: Path | None
    links: int
    counts: Mapping[str, int]
    resumed: int


def run(
    release: Release, order: Order, folder: Path | None, syntax: Rdf, report: Callable[[int, int], None]
) -> BatchOutcome:
    """Links a table; `report` is told how many rows of how many are done. Nothing is left half written."""
    body = _body(order)
    try:
        table = tables.read(
            body,
            order.file.name,
            order.limits,
            sheet=order.sheet,
            encoding=order.encoding,
            has_header=order.has_header,
        )
        work = _Work(release, order, folder or order.file.parent, syntax, table, _key(release, order, body))
        return work.reviewed() if order.reviewer else work.matched(report)
    except TableError as error:
        raise KgError(f"{order.file}: {error}") from error


class _Work:
    """One table that is being linked."""

    def __init__(self, release: Release, order: Order, folder: Path, syntax: Rdf, table: Table, key: str) -> None:
        self.release, self.order, self.folder, self.syntax, self.table, self.key = (
            release,
            order,
            folder,
            syntax,
            table,
            key,
        )
        self.entities = Entities(release.store, release.manifest.base_iri, {}, release.manifest.is_merged)
        self.choice = _choice(self.entities, table, order)
        _make(folder)

    def matched(self, report: Callable[[int, int], None]) -> BatchOutcome:
        """Matches all rows that an earlier run has not done, and writes table and linkset."""
        with Journal(self.folder / f".{self.order.file.name}.journal", self.key) as journal:
            decisions = [Decision(*fields) for batch in journal.entries for fields in batch]
            resumed, total = len(decisions), len(self.table.rows)
            report(resumed, total)
            matcher = matching.open_matcher(self.release)
            for batch in _batches(review.match_rows(matcher, self.table.rows[resumed:], self.choice, self._label)):
                journal.append([astuple(decision) for decision in batch])
                decisions += batch
                report(len(decisions), total)
            path = self.folder / f"{_stem(self.order.file)}.linked.csv"
            _write(path, tables.write(review.linked(self.table, decisions, self._label)))
            return BatchOutcome(path, *self._linkset(decisions), review.counts(decisions), resumed)

    def reviewed(self) -> BatchOutcome:
        """Writes the linkset of a table that a person has looked through."""
        decisions = review.reviewed(self.table, self.entities.exists)
        return BatchOutcome(self.order.file, *self._linkset(decisions), review.counts(decisions), 0)

    def _linkset(self, decisions: Sequence[Decision]) -> tuple[Path | None, int]:
        """Writes the linkset, where it is told which IRIs the rows have."""
        if not self.choice.subject:
            return None, 0
        links = review.links(self.table, decisions, self.choice)
        account = LinksetInfo(
            base=self.release.manifest.base_iri,
            release=self.release.manifest.id[:16],
            software=f"aikg {__version__}",
            at=datetime.datetime.now(datetime.UTC),
            table=self.order.file.name,
            reviewer=self.order.reviewer,
            linkset=self.order.linkset,
            dataset=self.order.dataset,
        )
        path = self.folder / f"{_stem(self.order.file)}.links.{self.syntax.name}"
        _write(path, linkset.write(links, account, self.syntax))
        return path, len(set(links))

    def _label(self, iri: str) -> str:
        found = self.entities.label(iri, _LANGUAGES)
        return found.value if found else ""


def _body(order: Order) -> bytes:
    try:
        if order.file.stat().st_size > order.limits.bytes:
            raise KgError(f"{order.file} is larger than {order.limits.bytes:,} bytes")
        return order.file.read_bytes()
    except OSError as error:
        raise KgError(f"cannot read {order.file}: {error.strerror}") from error


def _choice(entities: Entities, table: Table, order: Order) -> MatchSetup:
    if order.kind and order.kind not in (known := entities.classes()):
        raise KgError(f"no kind '{order.kind}'{nearest(order.kind, known)}; there are {', '.join(known)}")
    for _, name in order.properties:
        _check_property(entities, name)
    properties = tuple((review.column(table, name), to) for name, to in order.properties)
    if order.subject:
        review.check_subject(table, order.subject)
    return MatchSetup(review.column(table, order.column), order.kind, properties, order.subject)


def _check_property(entities: Entities, name: str) -> None:
    """Raises `KgError` for a property that no record has: it could tell nothing apart."""
    known = {quad.predicate.value for quad in entities.store.quads_for_pattern(None, None, None, entities.everywhere)}
    local = {_local(iri) for iri in known}
    if name not in known and _local(name) not in local:
        raise KgError(f"no record has the property '{name}'{nearest(_local(name), local)}")


def _local(name: str) -> str:
    return re.split(r"[:/#]", name)[-1]


def _key(release: Release, order: Order, body: bytes) -> str:
    """What the work depends on: the same table, release, software and options go on where they stopped."""
    options = [order.column, order.kind, list(order.properties), order.sheet, order.encoding, order.has_header]
    digest = hashlib.sha256(json.dumps([release.manifest.id, __version__, options]).encode())
    digest.update(body)
    return digest.hexdigest()


def _batches(decisions: Iterator[Decision]) -> Iterator[list[Decision]]:
    while batch := list(islice(decisions, _BATCH)):
        yield batch


def _stem(file: Path) -> str:
    """The name without its ending; a table that was linked before keeps its first name."""
    return file.stem.removesuffix(".linked")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KgError(f"cannot make {folder}: {error.strerror}") from error


def _write(path: Path, body: bytes) -> None:
    """Writes a file whole or not at all."""
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        staged.write_bytes(body)
        staged.replace(path)
    except OSError as error:
        staged.unlink(missing_ok=True)
        raise KgError(f"cannot write {path}: {error.strerror}; name a folder with --out") from error
