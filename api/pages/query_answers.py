"""The answer of a stored query in the reader's language, as pages show it."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from api.html.access import Access
from api.html.view import View
from api.queries import execution
from api.queries.execution import QueryOutcome
from api.site.site import Site
from kg.engines.evaluation import Query
from kg.release import evidence_sets
from kg.sparql import library
from kg.sparql.library import StoredQuery


@dataclass(frozen=True, slots=True)
class Chart:
    """A stored query with its result."""

    query: StoredQuery
    result: QueryOutcome
    access: Access


async def chart(request: Request, site: Site, view: View, query: StoredQuery) -> Chart:
    """The result of a query in the reader's language, with default parameters."""
    values = {p.name: view.language for p in query.parameters if p.type == "language"}
    text = library.fill(query.text, library.bind(query, values, site.context))
    text = evidence_sets.with_from(text, view.evidence, site.base, site.prefixes)
    if view.evidence:
        values["evidence"] = view.evidence
    result = await execution.run(request, site, Query(text), execution.Formats(html=True))
    host = str(request.base_url).rstrip("/")
    return Chart(query, result, Access(view, f"queries/{query.name}", tuple(values.items()), text, host))
