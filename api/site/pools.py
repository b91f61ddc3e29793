"""The pools of child processes of one release: queries, validations, tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from api.settings import Settings
from kg.errors import (
    Busy,
    DeskBusy,
    OutOfMemory,
    QueryTimeout,
    QueryTooComplex,
    RdfTooComplex,
    TooManyAtOnce,
    TooManyQueries,
    TooManyValidations,
    ValidationBusy,
    ValidationOutOfMemory,
    ValidationTimeout,
)
from kg.isolation.pool import Pool, PoolLimits
from kg.isolation.program import Failures, Program
from kg.tables.rows import TableError

# How long the zygote for tables is kept for the next one.
_TABLES_IDLE_SECONDS = 60.0
# Tables of one client that may wait when it has as many processes as there are.
_TABLES_WAITING = 2


def _too_much(*_: object) -> TableError:
    return TableError("memory")


_QUERIES = Failures(
    Busy,
    TooManyQueries,
    lambda _: Busy("the query got no slot before its deadline"),
    QueryTimeout,
    OutOfMemory,
    lambda: QueryTooComplex("the query nests too deeply for the engine"),
)
_VALIDATIONS = Failures(
    ValidationBusy,
    TooManyValidations,
    ValidationTimeout,
    ValidationTimeout,
    ValidationOutOfMemory,
    lambda: RdfTooComplex("the document nests too deeply for its parser"),
)
_TABLES = Failures(DeskBusy, TooManyAtOnce, _too_much, _too_much, _too_much, _too_much)


def query_pool(
    directory: Path,
    base: str,
    prefixes: Mapping[str, str],
    settings: Settings,
    count: Callable[[str], None] = lambda _: None,
    *,
    is_remote: bool = False,
    is_in_memory: bool = False,
) -> Pool:
    """The workers that evaluate queries; they share the store of the release."""
    options = {
        "directory": str(directory),
        "memory_quads": settings.memory_quads,
        "base": base,
        "prefixes": dict(prefixes),
    }
    limits = PoolLimits(
        *(settings.query_workers, settings.query_queue, settings.client_queries, settings.query_seconds),
        is_reused=True,
        # What another engine evaluates takes no processor here.
        at_once=settings.query_workers if is_remote else 0,
        never_rests=is_in_memory,
    )
    return Pool(Program("kg.release.worker", options, settings.query_memory_mb * 1_000_000), limits, _QUERIES, count)


def validation_pool(directory: Path, project: Path, settings: Settings) -> Pool:
    """The processes that validate submitted RDF, one for each document."""
    options = {"project": str(project), "release": str(directory)}
    memory, seconds = settings.validate_memory_mb * 1_000_000, settings.validate_seconds
    limits = PoolLimits(
        *(settings.validate_processes, settings.validate_queue, settings.client_validations, seconds),
        idle_seconds=settings.validate_spare_seconds,
    )
    return Pool(Program("kg.submitted.process", options, memory, seconds), limits, _VALIDATIONS)


def table_pool(settings: Settings) -> Pool:
    """The processes that read uploaded tables, one for each."""
    memory, seconds, slots = settings.desk_memory_mb * 1_000_000, settings.desk_seconds, settings.desk_places
    limits = PoolLimits(slots, settings.desk_queue, slots + _TABLES_WAITING, seconds, idle_seconds=_TABLES_IDLE_SECONDS)
    return Pool(Program("kg.tables.process", {}, memory, seconds), limits, _TABLES)
