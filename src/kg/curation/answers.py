"""Compares the answers of stored queries with the expected ones in `tests/expected/`.

`NAME.json` has `rows`, or `count` and some of the rows as `contains`; also `parameters`, if not the defaults. IRIs are
written as in the context, `prefix:local`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyoxigraph import QuerySolutions, QueryTriples

from kg.errors import KgError
from kg.rdf.context import Context
from kg.rdf.terms import AnyTerm, value
from kg.sparql import library
from kg.sparql.library import StoredQuery
from kg.sparql.quadstore import QuadStore

Rows = list[list[str | None]]


@dataclass(frozen=True, slots=True)
class Difference:
    """How the answer of a query differs from the expected one."""

    name: str
    message: str


def folder(root: Path) -> Path:
    return root / "tests" / "expected"


def rows(store: QuadStore, query: StoredQuery, given: Mapping[str, str], context: Context) -> Rows:
    """The answer of a stored query, IRIs compacted; triples of a CONSTRUCT sorted, each once."""

    def shown(term: AnyTerm | None) -> str | None:
        if term is None:
            return None
        text = value(term)
        return context.compact(text) if "://" in text and "graph/" not in text else text

    result = store.query(library.fill(query.text, library.bind(query, given, context)))
    if isinstance(result, QueryTriples):
        triples = {(shown(t.subject), shown(t.predicate), shown(t.object)) for t in result}
        return sorted([list(t) for t in triples], key=str)
    if isinstance(result, QuerySolutions):
        return [[shown(term) for term in solution] for solution in result]
    return [["true" if result else "false"]]


def differences(store: QuadStore, root: Path, context: Context) -> Iterator[Difference]:
    """What differs for each file of expected answers; raises `KgError` for one without a query, or that is not read."""
    queries = library.library(root)
    for path in sorted(folder(root).glob("*.json")):
        try:
            expected: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            found = rows(store, library.find(queries, path.stem), expected.get("parameters", {}), context)
            message = _difference(found, expected)
        except (ValueError, KeyError, TypeError) as error:
            raise KgError(f"{path}: expected an object with 'rows', or 'count' and 'contains': {error}") from error
        if message:
            yield Difference(path.stem, message)


def _difference(found: Rows, expected: Mapping[str, Any]) -> str:
    if "rows" in expected:
        if found == expected["rows"]:
            return ""
        missing = [row for row in expected["rows"] if row not in found]
        extra = [row for row in found if row not in expected["rows"]]
        if not missing and not extra:
            return "the rows are in another order, or another number of times"
        return "; ".join(filter(None, (_listed("missing", missing), _listed("not expected", extra))))
    if len(found) != expected["count"]:
        return f"{len(found)} rows, expected {expected['count']}"
    return _listed("missing", [row for row in expected["contains"] if row not in found])


def _listed(what: str, found: Rows) -> str:
    shown = ", ".join(str(row) for row in found[:3])
    return f"{what}: {shown}{' …' if len(found) > 3 else ''}" if found else ""


def record(store: QuadStore, root: Path, name: str, context: Context) -> Path:
    """Writes the present answer of a query as the expected one; its other fields stay."""
    query = library.find(library.library(root), name)
    path = folder(root) / f"{name}.json"
    before: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    kept = {key: text for key, text in before.items() if key not in ("rows", "count", "contains")}
    answer = {**kept, "rows": rows(store, query, kept.get("parameters", {}), context)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(answer, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path
