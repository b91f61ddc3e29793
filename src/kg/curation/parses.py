"""A cache of parsed curated files and their quads, by content, so that no file is parsed twice.

The cache key is the hash of the file's path and bytes, of the context and of the code that reads it. Entries are data
(JSON and N-Quads), never code, with a checksum; damaged ones are ignored. Only files without problems are cached, so
that problems are always reported from the file itself.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pyoxigraph import Quad, RdfFormat, parse, serialize

from kg import documents
from kg.curation import records
from kg.curation.records import Record, Reference
from kg.documents import Position
from kg.project.description import Project
from kg.project.location import is_workplace
from kg.rdf import context, datatypes, iris
from kg.rdf.context import Context

_TABLES = (
    "CREATE TABLE IF NOT EXISTS parse (key BLOB PRIMARY KEY, digest BLOB, body BLOB) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS passed (key BLOB PRIMARY KEY) WITHOUT ROWID",
)


@dataclass(frozen=True, slots=True)
class Parse:
    """A record without its blocks, and its quads in parser order."""

    record: Record
    quads: list[Quad]


@dataclass(slots=True)
class Parses:
    """The cache of a project; counts cache hits (`found`) and misses."""

    connection: sqlite3.Connection | None
    fingerprint: bytes
    found: int = 0
    missed: int = 0
    _used: set[bytes] = field(default_factory=set)
    _passed: set[bytes] = field(default_factory=set)
    _fresh: dict[str, bytes] = field(default_factory=dict)

    def find(self, path: Path, file: str) -> Parse | None:
        """The cached parse of a file; `file` is its name in the project."""
        try:
            content = path.read_bytes()
        except OSError:
            return None
        name = file.encode()
        key = hashlib.sha256(b"%s%d:%s%s" % (self.fingerprint, len(name), name, content)).digest()
        kept = self._kept(key, file)
        if kept is None:
            self.missed += 1
            self._fresh[file] = key
        else:
            self.found += 1
            self._used.add(key)
        return kept

    def _kept(self, key: bytes, file: str) -> Parse | None:
        if self.connection is None:
            return None
        with contextlib.suppress(sqlite3.Error):
            row = self.connection.execute("SELECT digest, body FROM parse WHERE key = ?", (key,)).fetchone()
            if row and isinstance(row[1], bytes) and hashlib.sha256(key + row[1]).digest() == row[0]:
                return _decoded(row[1], file)
        return None

    def keep(self, file: str, record: Record, quads: list[Quad]) -> None:
        """Adds the parse of a file after a cache miss."""
        key = self._fresh.get(file)
        if self.connection is None or key is None:
            return
        body = _encoded(record, quads)
        with contextlib.suppress(sqlite3.Error):
            row = (key, hashlib.sha256(key + body).digest(), body)
            self.connection.execute("INSERT OR REPLACE INTO parse VALUES (?, ?, ?)", row)
            self._used.add(key)

    def has_passed(self, key: bytes) -> bool:
        """Whether data with this hash passed a check before."""
        found = False
        if self.connection is not None:
            with contextlib.suppress(sqlite3.Error):
                found = self.connection.execute("SELECT 1 FROM passed WHERE key = ?", (key,)).fetchone() is not None
        if found:
            self._passed.add(key)
        return found

    def passed(self, key: bytes) -> None:
        """Records that data with this hash passed its check."""
        if self.connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self.connection.execute("INSERT OR REPLACE INTO passed VALUES (?)", (key,))
                self._passed.add(key)

    def drop_others(self) -> None:
        """Evicts unused entries if they outnumber the used ones."""
        if self.connection is None:
            return
        for table, used in (("parse", self._used), ("passed", self._passed)):
            keys = {key for (key,) in self.connection.execute(f"SELECT key FROM {table}")}  # noqa: S608 ours
            if len(keys - used) > len(used):
                old = [(key,) for key in keys - used]
                self.connection.executemany(f"DELETE FROM {table} WHERE key = ?", old)  # noqa: S608 ours


@contextmanager
def opened(project: Project, terms: Context) -> Iterator[Parses]:
    """The cache of a project, in its `.cache`; nothing is cached in a read-only folder."""
    fingerprint = _fingerprint(
        json.dumps([project.base.iri, project.languages_of_names, terms.document], sort_keys=True)
    )
    connection = _connection(project.root / ".cache" / "records.sqlite") if is_workplace(project.root) else None
    parses = Parses(connection, fingerprint)
    try:
        yield parses
    finally:
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                parses.drop_others()
                connection.commit()
            connection.close()


def _connection(place: Path) -> sqlite3.Connection | None:
    """The database, made anew when the file is none."""
    for _ in range(2):
        try:
            place.parent.mkdir(exist_ok=True)
            # If another build is writing, this one does not wait and caches nothing.
            connection = sqlite3.connect(place, timeout=0)
            try:
                for table in _TABLES:
                    connection.execute(table)
            except sqlite3.Error:
                connection.close()
                raise
            return connection
        except sqlite3.OperationalError:  # locked, or no room
            return None
        except sqlite3.DatabaseError:
            place.unlink(missing_ok=True)
        except OSError:
            return None
    return None


@functools.cache
def _fingerprint(terms: str) -> bytes:
    """The hash of everything except the file that a parse depends on."""
    digest = hashlib.sha256(terms.encode())
    for module in (records, documents, datatypes, context, iris):
        digest.update(Path(str(module.__file__)).read_bytes())
    digest.update(Path(__file__).read_bytes())
    digest.update(f"{version('pyoxigraph')} {version('PyYAML')}".encode())
    return digest.digest()


def _encoded(record: Record, quads: list[Quad]) -> bytes:
    document = {
        "graphs": _places(record.block_positions),
        "declared": _places(record.declared),
        "described": _places(record.described),
        "references": [[r.iri, r.position.line, r.position.column] for r in record.references],
        "positions": [[*key, p.line, p.column] for key, p in record.positions.items()],
        "path": record.path,
        "iri": record.iri,
        "leaves": record.leaves,
        "quads": (serialize(quads, format=RdfFormat.N_QUADS) or b"").decode(),
    }
    return json.dumps(document, ensure_ascii=False).encode()


def _places(positions: dict[str, Position]) -> list[list[Any]]:
    return [[name, p.line, p.column] for name, p in positions.items()]


def _decoded(body: bytes, file: str) -> Parse:
    document = json.loads(body)
    named = {k: {n: Position(file, *at) for n, *at in document[k]} for k in ("graphs", "declared", "described")}
    record = Record(
        document["path"],
        document["iri"],
        block_positions=named["graphs"],
        declared=named["declared"],
        described=named["described"],
        references=[Reference(iri, Position(file, *at)) for iri, *at in document["references"]],
        positions={(s, p): Position(file, *at) for s, p, *at in document["positions"]},
        leaves=document["leaves"],
    )
    return Parse(record, list(parse(document["quads"].encode(), format=RdfFormat.N_QUADS)))
