"""`/reconcile/1.0`: the draft of the Reconciliation Service API 1.0, in each language.

Its manifest cannot be that of 0.2, which has addresses where the draft has truth values; so it has its own endpoint.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from api.admission.slots import in_thread
from api.http import bodies
from api.http.parameters import WholeNumber
from api.http.responses import json_answer
from api.http.route import JSON, PAGE, TOO_LARGE, Cost, Router
from api.reconciliation import parts, version_1_0
from api.reconciliation.router import (
    MOST_SUGGESTIONS,
    SUGGESTIONS,
    VARY,
    Kind,
    address_of,
    preview,
    properties,
    service_of,
    what_of,
)
from api.site.site import site_of
from kg.rdf import formats

router = Router(by_language=True)
_ERRORS = (400, 413, 415, TOO_LARGE)


class QueryBatch(BaseModel):
    """A batch of queries."""

    queries: list[dict[str, Any]] = Field(description="Queries: conditions, and a type and a limit if wanted.")


class ExtensionQuery(BaseModel):
    """Properties of records to fetch."""

    ids: list[str] = Field(description="IDs of records.")
    properties: list[dict[str, Any]] = Field(description="Properties by id, with their settings.")


@router.get(
    "/reconcile/1.0",
    "Reconciliation 1.0 draft: manifest",
    Cost.LARGE,
    gives=JSON,
    statuses=(TOO_LARGE,),
    depends_on_language=True,
)
def manifest(request: Request) -> Response:
    """Return the service manifest."""
    return json_answer(version_1_0.manifest(service_of(request), address_of(request), site_of(request).settings), VARY)


@router.post(
    "/reconcile/1.0/match",
    "Reconciliation 1.0 draft: queries",
    Cost.UPLOAD,
    body={formats.JSON: QueryBatch},
    gives=JSON,
    statuses=_ERRORS,
    depends_on_language=True,
)
async def match(request: Request) -> Response:
    """Answer a batch of queries, in their order."""
    document = await bodies.json_document(request)
    found = await in_thread(request, Cost.UPLOAD, _matched, request, document)
    return json_answer(found, {**VARY, "Cache-Control": "no-store"})


def _matched(request: Request, document: object) -> dict[str, Any]:
    return version_1_0.results(service_of(request), version_1_0.batch(document, site_of(request).settings))


@router.get(
    "/reconcile/1.0/suggest/{what}",
    "Reconciliation 1.0 draft: suggestions",
    Cost.SMALL,
    gives=JSON,
    statuses=(400, 404, TOO_LARGE),
    depends_on_language=True,
)
def suggest(
    request: Request,
    kind: Kind,
    prefix: Annotated[str, Query(description="What was typed so far.")] = "",
    limit: Annotated[int, WholeNumber(1, MOST_SUGGESTIONS), Query(description="How many.")] = SUGGESTIONS,
    offset: Annotated[int, WholeNumber(0, 10_000), Query(description="How many to skip.")] = 0,
) -> Response:
    """Suggest entities, properties or types by the beginning of a name or ID."""
    what = what_of(kind)
    things = service_of(request).suggest(what, prefix[:200], offset, limit)
    return json_answer(parts.suggestions(things, what), VARY)


@router.post(
    "/reconcile/1.0/extend",
    "Reconciliation 1.0 draft: data extension",
    Cost.UPLOAD,
    body={formats.JSON: ExtensionQuery},
    gives=JSON,
    statuses=_ERRORS,
    depends_on_language=True,
)
async def extend(request: Request) -> Response:
    """Return values of properties of records."""
    document = await bodies.json_document(request)
    found = await in_thread(request, Cost.UPLOAD, _extended, request, document)
    return json_answer(found, {**VARY, "Cache-Control": "no-store"})


def _extended(request: Request, document: object) -> dict[str, Any]:
    return version_1_0.extended(service_of(request), parts.extension(document, site_of(request).settings))


# What the draft asks for in the same way as 0.2 has the same answer.
router.get(
    "/reconcile/1.0/preview",
    "Reconciliation 1.0 draft: a page for a frame",
    Cost.SMALL,
    gives=PAGE,
    statuses=(400, 404, TOO_LARGE),
)(preview)
router.get(
    "/reconcile/1.0/extend/propose",
    "Reconciliation 1.0 draft: properties of a type",
    Cost.SMALL,
    gives=JSON,
    statuses=(400, TOO_LARGE),
    depends_on_language=True,
)(properties)
