"""Explains why a query has no rows: a term that does not exist, or a pattern without matches."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
from dataclasses import dataclass, replace

from pyoxigraph import Literal
from starlette.requests import Request

from api.admission.clients import client_in
from api.site.site import Site
from kg.engines import codec
from kg.engines.evaluation import Query, ResultFormats
from kg.errors import KgError, QueryMalformed
from kg.rdf.namespaces import KG
from kg.sparql import emptiness, lexer
from kg.sparql.decomposition import read
from kg.sparql.emptiness import EmptinessCause, QueryTerm
from kg.sparql.repairs import Repair, Replacement, candidates, question

# In addition to the time of the query itself.
_SECONDS = 3.0
_MOST_STEPS = 60
_MOST_NEAR = 3
_MOST_TRIED, _MOST_REPAIRS = 40, 3
# A prefixed name that needs no escapes in a query.
_PLAIN_NAME = re.compile(r"[\w-]*:[\w-]+")


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
    repairs: tuple[Repair, ...] = ()
    # What the sources do not say about the records that the query names, in the words of the curators.
    absent: tuple[tuple[str, tuple[Literal, ...]], ...] = ()


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
    missing = tuple(Missing(term, tuple(_nearest(site, term))) for term in finding.terms)
    repairs: list[Repair] = []
    with contextlib.suppress(TimeoutError, KgError):
        async with asyncio.timeout(_SECONDS):
            await _repair(site, query, missing, client, repairs)
    return Explanation(finding, missing, tuple(repairs), _absent(site, query))


async def _repair(site: Site, query: Query, missing: tuple[Missing, ...], client: str, found: list[Repair]) -> None:
    """Adds the repairs after which the query has rows, up to `_MOST_REPAIRS`."""
    text = lexer.with_plain_spaces(query.text)
    replacements = [
        Replacement(_offset(text, m.term), m.term.written, tuple(_written(site, iri) for iri in m.nearest))
        for m in missing
    ]
    offered = candidates(text, site.prefixes, site.project.languages, replacements)
    for repair in itertools.islice(offered, _MOST_TRIED):
        if not (ask := question(repair.query, site.prefixes)):
            continue
        if await _is_so(site, replace(query, text=ask), client):
            found.append(repair)
            if len(found) == _MOST_REPAIRS:
                return


def _offset(text: str, term: QueryTerm) -> int:
    lines = text.split("\n")
    return sum(len(line) + 1 for line in lines[: term.line - 1]) + term.column - 1


def _written(site: Site, iri: str) -> str:
    compact = site.context.compact(iri)
    return compact if compact != iri and _PLAIN_NAME.fullmatch(compact) else f"<{iri}>"


def _absent(site: Site, query: Query) -> tuple[tuple[str, tuple[Literal, ...]], ...]:
    try:
        uses = read(lexer.with_plain_spaces(query.text), site.prefixes).uses
    except QueryMalformed:
        return ()
    named = dict.fromkeys(use.iri for use in uses if use.place == "node")
    said = ((iri, site.entities.values(iri, KG + "notInSource")) for iri in named)
    return tuple((iri, tuple(v for v in values if isinstance(v, Literal))) for iri, values in said if values)


async def _finding(site: Site, query: Query, client: str) -> EmptinessCause | None:
    steps = emptiness.diagnose(lexer.with_plain_spaces(query.text), site.prefixes)
    try:
        ask = next(steps)
        for _ in range(_MOST_STEPS):
            ask = steps.send(await _is_so(site, replace(query, text=ask), client))
    except StopIteration as end:
        found: EmptinessCause | None = end.value
        return found
    return None


async def _is_so(site: Site, query: Query, client: str) -> bool:
    """The answer to an ASK query."""
    message = codec.request(query, ResultFormats("json"), site.settings.max_result_bytes)
    answer = codec.read_answer(await site.pool.run(message, client=client, seconds=_SECONDS))
    return b'"boolean":true' in answer.body.replace(b" ", b"")


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
        "repairs": [
            {"kind": r.kind, "written": r.written, "instead": r.instead, "query": r.query} for r in found.repairs
        ],
        "not_in_source": [
            {"iri": iri, "text": text.value, "lang": text.language} for iri, texts in found.absent for text in texts
        ],
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
