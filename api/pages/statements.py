"""`/statements`: what documents say, as a list narrowed by topic, actor, kind, act, strength and document."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from api.html.access import of_query
from api.html.rendering import page
from api.html.view import View, view_of
from api.http.parameters import WholeNumber
from api.http.responses import answer, json_answer, prefers_json
from api.http.route import JSON, PAGE, Cost, Router
from api.i18n import language
from api.problems import Problem
from api.queries import statement_lists
from api.queries.statement_lists import ListedStatement
from api.site.site import Site, site_of
from kg.rdf import iris

router = Router()
_PAGE_SIZE = 50
_LAST_PAGE = 1_000
# Values that the form offers for each choice.
_MOST_VALUES = 60
_CSV = "text/csv"
_VARY = {"Vary": "Accept, Accept-Language, Cookie"}
_RECORD = "an IRI or class:slug"


@dataclass(frozen=True, slots=True)
class StatementFilter:
    """A choice that narrows the list: what is chosen, as written and as an IRI, and the values with their counts."""

    name: str
    written: str
    iri: str
    values: list[tuple[str, int]]


@router.get(
    "/statements",
    "What documents say",
    Cost.MEDIUM,
    gives=(*JSON, _CSV, *PAGE),
    statuses=(400, 404),
    in_sitemap=True,
)
def statements(
    request: Request,
    topic: Annotated[str, Query(description=f"What it is about, with all that is narrower: {_RECORD}.")] = "",
    actor: Annotated[str, Query(description=f"Who does it, or on whom a duty lies: {_RECORD}.")] = "",
    kind: Annotated[str, Query(description="The class of statements, such as kg:Norm.")] = "",
    act: Annotated[str, Query(description="What is done, such as acts:build.")] = "",
    modality: Annotated[str, Query(description="How firmly it is said, such as modalities:shall.")] = "",
    document: Annotated[str, Query(description=f"The document, or a part of it, that says so: {_RECORD}.")] = "",
    number: Annotated[int, WholeNumber(1, _LAST_PAGE), Query(alias="page", description="The page, from 1.")] = 1,
) -> Response:
    """Return the statements that meet all choices, in the order of the texts, with their evidence."""
    site, asked_csv = site_of(request), request.query_params.get("format") == "csv"
    if not asked_csv and not prefers_json(request) and (moved := language.redirect(request)):
        return moved
    written = {
        "document": document,
        "topic": topic,
        "actor": actor,
        "kind": kind,
        "act": act,
        "modality": modality,
    }
    chosen = {name: _iri(site, name, text.strip()) for name, text in written.items() if text.strip()}
    view, choices = view_of(request, language.language_of(request)), list(chosen.items())
    listed = statement_lists.found(site, choices)
    if asked_csv:
        return answer(_as_csv(view, statement_lists.read(site, listed)), f"{_CSV}; charset=utf-8", _VARY)
    shown = statement_lists.read(site, listed[(number - 1) * _PAGE_SIZE : number * _PAGE_SIZE])
    if prefers_json(request):
        found = {"total": len(listed), "page": number, "pages": -(-len(listed) // _PAGE_SIZE)}
        return json_answer({**found, "statements": [_as_json(view, s) for s in shown]}, _VARY)
    filters = [
        StatementFilter(name, text, chosen.get(name, ""), _values(site, choices, name))
        for name, text in written.items()
    ]
    return page(
        request,
        view.language,
        "statements.html",
        filters=filters,
        total=len(listed),
        number=number,
        pages=-(-len(listed) // _PAGE_SIZE),
        units=statement_lists.by_unit(shown),
        document_of=lambda unit: statement_lists.document_of(site, unit),
        access=of_query(view, str(request.base_url).rstrip("/"), statement_lists.query(choices)),
    )


def _values(site: Site, choices: list[tuple[str, str]], name: str) -> list[tuple[str, int]]:
    others = [(key, iri) for key, iri in choices if key != name]
    return statement_lists.counts(site, others, name, _MOST_VALUES)


def _iri(site: Site, name: str, written: str) -> str:
    iri = site.context.expand(written.removeprefix("<").removesuffix(">"))
    if iris.ILLEGAL_IN_IRI.search(iri) or ":" not in iri:
        raise Problem(400, "bad-parameter", f"{name}: expected an IRI or class:slug, not '{written[:80]}'")
    return iri


def _as_json(view: View, statement: ListedStatement) -> dict[str, object]:
    return {
        "id": statement.iri,
        "label": view.plain(statement.iri),
        "kind": statement.kind,
        "modality": statement.modality,
        "acts": list(statement.acts),
        "unit": statement.unit,
        "document": statement_lists.document_of(view.site, statement.unit),
        "facets": {
            view.site.context.compact(p): [fact.object.value for fact in facts] for p, facts in statement.facets
        },
        "evidence": [
            {"graph": e.graph, "kind": e.kind, "source": e.source, "first_line": e.first, "last_line": e.last}
            for e in statement.evidence
        ],
    }


def _as_csv(view: View, listed: list[ListedStatement]) -> bytes:
    """A table with a row for each statement; names are in the reader's language."""
    out = io.StringIO()
    table = csv.writer(out)
    columns = ["document", "unit", "kind", "statement", "act", "modality", "evidence", "iri"]
    table.writerow(columns)
    for s in listed:
        document = view.plain(statement_lists.document_of(view.site, s.unit))
        acts = " / ".join(view.plain(a) for a in s.acts)
        lines = " ".join(view.lines(e) if e.first else e.kind for e in s.evidence)
        modality = view.plain(s.modality) if s.modality else ""
        table.writerow(
            [document, view.plain(s.unit), view.plain(s.kind), view.plain(s.iri), acts, modality, lines, s.iri]
        )
    return out.getvalue().encode()
