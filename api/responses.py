"""Answers: which format was asked for, RDF in every syntax, and validators for caches."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from pyld import jsonld
from pyoxigraph import Quad, RdfFormat, Triple, serialize
from starlette.requests import Request
from starlette.responses import Response

from api.errors import Problem, not_acceptable
from api.site import LICENCE, Site
from kg import formats, iris
from kg.entities import sort_quads, sort_triples
from kg.formats import Rdf

JSON = "application/json"
HTML_OFFER = (formats.HTML, "application/xhtml+xml")


def wants_html(request: Request, others: Sequence[tuple[str, ...]]) -> bool:
    """Whether a page suits the caller better than the other offers; `format=html` says so outright."""
    if asked := request.query_params.get("format"):
        return asked == "html"
    best = formats.negotiate(request.headers.get("accept"), [*others, HTML_OFFER])
    return best == len(others)


def prefers_json(request: Request) -> bool:
    """Whether JSON suits the caller better than a page; `format=json` says so outright."""
    if asked := request.query_params.get("format"):
        return asked == "json"
    return formats.negotiate(request.headers.get("accept"), [HTML_OFFER, (JSON,)]) == 1


def rdf_offers(known: Sequence[Rdf] = formats.RDF_FORMATS) -> list[tuple[str, ...]]:
    """The RDF formats as offers for negotiation, Turtle first."""
    return [(f.media_type, *f.aliases) for f in known]


def chosen_rdf(request: Request, *, html: bool = True) -> Rdf | None:
    """The RDF format asked for, None when a page is; raises `Problem` 406 when nothing offered suits."""
    names = {f.name: f.media_type for f in formats.RDF_FORMATS} | ({"html": formats.HTML} if html else {})
    if asked := request.query_params.get("format"):
        found = formats.rdf_format(asked)
        if found is None and not (html and asked == "html"):
            raise not_acceptable(names)
        return found
    offers = rdf_offers()
    best = formats.negotiate(request.headers.get("accept"), [*offers, HTML_OFFER] if html else offers)
    if best is None:
        raise not_acceptable(names)
    return formats.RDF_FORMATS[best] if best < len(offers) else None


def write_rdf(site: Site, quads: Sequence[Quad], syntax: Rdf) -> bytes:
    """Statements in one syntax: as quads where it has named graphs, else as triples, each once."""
    if syntax.syntax.supports_datasets and syntax.syntax != RdfFormat.JSON_LD:
        statements: list[Any] = sort_quads(quads)
    else:
        statements = sort_triples(quads)
    return write_triples(site, statements, syntax)


def write_triples(site: Site, statements: list[Triple] | list[Quad], syntax: Rdf) -> bytes:
    """Sorted statements in one syntax; JSON-LD is compacted with our context inside."""
    if syntax.syntax == RdfFormat.JSON_LD:
        return _compact(site, serialize(statements, format=syntax.syntax) or b"[]")
    prefixes = site.prefixes_of(statements)
    return serialize(statements, format=syntax.syntax, prefixes=prefixes) or b""


def _compact(site: Site, expanded: bytes) -> bytes:
    nodes: list[dict[str, Any]] = json.loads(expanded)
    for node in nodes:
        # The serialiser writes rdf:type as a property like any other; JSON-LD has a keyword for it.
        if types := node.pop(iris.RDF_TYPE, None):
            node["@type"] = [t["@id"] for t in types]
    document = jsonld.compact(nodes, site.context.document, {"graph": True})
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def answer(request: Request, body: bytes, content_type: str, headers: dict[str, str] | None = None) -> Response:
    """A 200 with a validator, or the 304 that it allows (RFC 9110, 13.1.2)."""
    tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    all_headers = {"ETag": tag, "Cache-Control": "public, max-age=60, must-revalidate", **(headers or {})}
    seen = {t.strip().removeprefix("W/") for t in request.headers.get("if-none-match", "").split(",")}
    if tag in seen or "*" in seen:
        return Response(None, 304, all_headers)
    return Response(body, 200, all_headers, media_type=content_type)


def rdf_answer(
    request: Request, site: Site, quads: Sequence[Quad], syntax: Rdf, headers: dict[str, str] | None = None
) -> Response:
    """Statements as a response, with the licence as a link."""
    body = write_rdf(site, quads, syntax)
    return answer(
        request, body, syntax.content_type, {"Link": f'<{LICENCE}>; rel="license"', "Vary": "Accept", **(headers or {})}
    )


def json_answer(request: Request, document: object, headers: dict[str, str] | None = None) -> Response:
    body = json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"
    return answer(request, body, JSON, headers)


def problem_response(problem: Problem) -> Response:
    """An error as problem+json."""
    body = json.dumps(problem.document(), ensure_ascii=False, indent=1).encode() + b"\n"
    return Response(body, problem.status, problem.headers, media_type=formats.PROBLEM_JSON)
