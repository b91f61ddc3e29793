"""`/ontology/mappings`: which terms of other vocabularies ours are like, as RDF or as a table (SSSOM/TSV)."""

from __future__ import annotations

from pathlib import Path

from pyoxigraph import Quad, RdfFormat, parse
from starlette.requests import Request
from starlette.responses import Response

from api.http.responses import answer, rdf_answer, rdf_offers
from api.http.route import RDF, Cost, Router
from api.problems import Problem, not_acceptable
from api.site.site import Site, site_of
from kg.rdf import formats

router = Router()
_TSV = "text/tab-separated-values"


@router.get("/ontology/mappings", "Mappings to other vocabularies", Cost.FIXED, gives=(*RDF, _TSV), statuses=(404,))
def mappings(request: Request) -> Response:
    """Each mapping with the kind of match and its reason, by `format=` (`tsv` for SSSOM) or Accept."""
    site, asked = site_of(request), request.query_params.get("format", "")
    if asked:
        return _in_syntax(site, asked)
    best = formats.negotiate(request.headers.get("accept"), [*rdf_offers(), (_TSV,)])
    if best is None:
        raise not_acceptable({**{f.name: f.media_type for f in formats.RDF_FORMATS}, "tsv": _TSV})
    return _in_syntax(site, formats.RDF_FORMATS[best].name if best < len(formats.RDF_FORMATS) else "tsv")


@router.get("/ontology/mappings.{extension}", "The mappings as a file", Cost.FIXED, gives=(*RDF, _TSV), statuses=(404,))
def mappings_file(request: Request, extension: str) -> Response:
    """The mappings in the syntax of the extension: `sssom.tsv`, or as for the ontology."""
    return _in_syntax(site_of(request), "tsv" if extension == "sssom.tsv" else extension)


def _in_syntax(site: Site, name: str) -> Response:
    if name == "tsv":
        return answer(_file(site, "mappings.sssom.tsv").read_bytes(), f"{_TSV}; charset=utf-8", {"Vary": "Accept"})
    syntax = formats.graph_format(name)
    if syntax is None:
        known = ", ".join(f.name for f in formats.RDF_FORMATS)
        raise Problem(404, "not-found", f"unknown format '{name[:40]}'; expected one of tsv, {known}")
    stated = parse(path=_file(site, "mappings.ttl"), format=RdfFormat.TURTLE)
    return rdf_answer(site, [Quad(q.subject, q.predicate, q.object) for q in stated], syntax)


def has_mappings(site: Site) -> bool:
    """Whether the project maps its ontology to others."""
    return _path(site, "mappings.ttl").is_file()


def _path(site: Site, name: str) -> Path:
    return site.project.root / "ontology" / "mappings" / name


def _file(site: Site, name: str) -> Path:
    path = _path(site, name)
    if not path.is_file():
        raise Problem(404, "not-found", "this release has no mappings to other vocabularies")
    return path
