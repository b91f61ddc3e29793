"""Explains why a query has no rows: a term that does not exist, or a pattern without matches."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from starlette.requests import Request

from api.admission.clients import client_in
from api.site.site import Site
from kg.engines import codec
from kg.engines.evaluation import Query, ResultFormats
from kg.errors import KgError
from kg.sparql import emptiness, lexer
from kg.sparql.emptiness import EmptinessCause, QueryTerm

# In addition to the time of the query itself.
_SECONDS = 3.0
_MOST_STEPS = 60
_MOST_NEAR = 3


@dataclass(frozen=True, slots=True)
class Missing:
    """A term that does not exist in its position, with the most similar ones that do."""

    term: QueryTerm
    nearest: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation: `missing` terms, or else the part of the query without matches."""

    finding: EmptinessCause
    missing: tuple[Missing, ...]


async def explain(request: Request, site: Site, query: Query) -> Explanation | None:
    """Return why the query has no rows; None if no explanation is found in time."""
    client = client_in(request.scope)
    try:
        async with asyncio.timeout(_SECONDS):
            finding = await _finding(site, query, client)
    except (TimeoutError, KgError):
        return None
    if finding is None or finding.kind == "unknown":
        return None
    return Explanation(finding, tuple(Missing(term, tuple(_nearest(site, term))) for term in finding.terms))


async def _finding(site: Site, query: Query, client: str) -> EmptinessCause | None:
    steps = emptiness.diagnose(lexer.with_plain_spaces(query.text), site.prefixes)
    try:
        ask = next(steps)
        for _ in range(_MOST_STEPS):
            message = codec.request(replace(query, text=ask), ResultFormats("json"), site.settings.max_result_bytes)
            answer = codec.read_answer(await site.pool.run(message, client=client, seconds=_SECONDS))
            ask = steps.send(b'"boolean":true' in answer.body.replace(b" ", b""))
    except StopIteration as end:
        found: EmptinessCause | None = end.value
        return found
    return None


def _nearest(site: Site, term: QueryTerm) -> list[str]:
    if term.place in ("predicate", "class") and site.is_surveyed:
        return site.vocabulary.nearest(term.iri, is_class=term.place == "class", most=_MOST_NEAR)
    if term.iri.startswith(site.entities.root):
        path = term.iri.removeprefix(site.entities.root)
        return [site.entities.root + near for near in site.entities.nearest(path, _MOST_NEAR)]
    return []


def as_json(site: Site, found: Explanation | None, message: str) -> dict[str, object]:
    """Return the explanation for programs; `message` is the sentence for people."""
    if found is None:
        return {"kind": None, "message": message}
    finding = found.finding
    return {
        "kind": finding.kind,
        "message": message,
        "text": finding.text,
        "line": finding.line,
        "column": finding.column,
        "alone": finding.alone,
        "before": finding.before,
        "terms": [
            {
                "iri": m.term.iri,
                "written": m.term.written,
                "place": m.term.place,
                "line": m.term.line,
                "column": m.term.column,
                "nearest": [{"iri": iri, "compact": site.context.compact(iri)} for iri in m.nearest],
            }
            for m in found.missing
        ],
    }
