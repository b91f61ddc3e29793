"""The front page and `/about`: what this is, in words and numbers."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api import language
from api.responses import json_answer, prefers_json
from api.site import Site, site_of
from api.view import page
from kg import iris

router = APIRouter()
_WORKED = """PREFIX kg: <https://w3id.org/aikg/ontology#>
PREFIX eli: <http://data.europa.eu/eli/ontology#>

SELECT ?document ?law ?graph WHERE {
  GRAPH ?graph { ?document kg:cites|kg:quotes|kg:basedOn ?law }
  ?law a eli:LegalResource .
}
ORDER BY ?document ?law"""


@router.get("/", summary="The front page")
def front(request: Request) -> Response:
    """What is here, how much of it, and the ways in; as JSON the numbers alone."""
    site = site_of(request)
    if prefers_json(request):
        return json_answer(_numbers(site), {"Vary": "Accept"})
    if moved := language.redirect(request):
        return moved
    return page(
        request,
        language.language_of(request),
        "front.html",
        classes=site.entities.classes(),
        worked=_WORKED,
        library=site.queries,
        example=example(site),
        host=str(request.base_url).rstrip("/"),
    )


@router.get("/about", summary="About this site")
def about(request: Request) -> Response:
    """What the marks mean, what the URIs are, how to report an error."""
    site = site_of(request)
    if moved := language.redirect(request):
        return moved
    asked = request.query_params.get("record", "").partition("#")[0]
    known = iris.SLUG.fullmatch(asked) and site.entities.exists(site.entities.root + asked)
    return page(request, language.language_of(request), "about.html", example=asked if known else example(site))


def example(site: Site) -> str:
    """A record to show things by: the first law, else the first of anything."""
    names = ["law", *site.entities.classes()]
    return next((paths[0] for name in names if (paths := site.entities.members(name))), "")


def _numbers(site: Site) -> dict[str, object]:
    manifest = site.manifest
    return {
        "release": manifest.id,
        "base": manifest.base_iri,
        "software": manifest.software,
        "example": example(site),
        "records": manifest.records,
        "asserted": manifest.asserted,
        "inferred": manifest.inferred,
        "triples": manifest.triples,
        "classes": site.entities.classes(),
    }
