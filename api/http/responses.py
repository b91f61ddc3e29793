"""Responses: the requested format, RDF in every syntax, and errors in a suitable format."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pyoxigraph import Quad, RdfFormat, Triple, serialize
from starlette.requests import Request
from starlette.responses import Response

from api.problems import Problem, as_text, not_acceptable
from api.site.site import Site
from kg.errors import NotWritable
from kg.rdf import formats, iris, serialization
from kg.rdf.formats import Rdf
from kg.rdf.ordering import sort_quads, sort_triples

HTML_OFFER = (formats.HTML, formats.XHTML)
# Compaction takes milliseconds for a record and seconds for a catalogue.
_MOST_COMPACTED = 2_000
# Command-line clients that print the response, which get text by default.
_TERMINALS = ("curl/", "wget/", "httpie/", "xh/")


def wants_html(request: Request, others: Sequence[tuple[str, ...]]) -> bool:
    """Whether the client prefers a page to the other offers, by Accept or `format=html`."""
    if asked := request.query_params.get("format"):
        return asked == "html"
    best = formats.negotiate(request.headers.get("accept"), [*others, HTML_OFFER])
    return best == len(others)


def prefers_json(request: Request) -> bool:
    """Whether the client prefers JSON to a page, by Accept or `format=json`."""
    if asked := request.query_params.get("format"):
        return asked == "json"
    return formats.negotiate(request.headers.get("accept"), [HTML_OFFER, (formats.JSON,)]) == 1


def rdf_offers(known: Sequence[Rdf] = formats.RDF_FORMATS) -> list[tuple[str, ...]]:
    """The RDF formats as offers for negotiation, Turtle first."""
    return [f.offer for f in known]


def chosen_rdf(request: Request, *, html: bool = True) -> Rdf | None:
    """The requested RDF format, None for a page; raises `Problem` 406 if nothing is acceptable.

    A name in `format=` that is none of an RDF format leaves the choice to Accept.
    """
    names = {f.name: f.media_type for f in formats.RDF_FORMATS} | ({"html": formats.HTML} if html else {})
    asked = request.query_params.get("format", "")
    if html and asked == "html":
        return None
    if (found := formats.graph_format(asked)) is not None:
        return found
    offers = rdf_offers()
    best = formats.negotiate(request.headers.get("accept"), [*offers, HTML_OFFER] if html else offers)
    if best is None:
        raise not_acceptable(names)
    return formats.RDF_FORMATS[best] if best < len(offers) else None


def write_rdf(site: Site, quads: Sequence[Quad], syntax: Rdf) -> bytes:
    """Serializes statements: as quads if the syntax has named graphs, else as distinct triples."""
    if syntax.has_graphs:
        statements: list[Any] = sort_quads(quads)
    else:
        statements = sort_triples(quads)
    return write_triples(site, statements, syntax)


def write_triples(site: Site, statements: list[Triple] | list[Quad], syntax: Rdf) -> bytes:
    """Serializes sorted statements; JSON-LD is compacted with our context, unless there are very many.

    Raises `NotWritable` for what XML cannot hold.
    """
    if syntax.syntax == RdfFormat.JSON_LD and len(statements) <= _MOST_COMPACTED:
        return json.dumps(compacted(site, statements), ensure_ascii=False, indent=1).encode() + b"\n"
    if syntax.syntax == RdfFormat.RDF_XML and (name := formats.not_in_rdf_xml(s.predicate.value for s in statements)):
        raise NotWritable(f"RDF/XML cannot write the property <{name}>")
    body = serialization.to_bytes(statements, syntax, serialization.used_prefixes(statements, site.prefixes))
    if syntax.syntax == RdfFormat.RDF_XML and not formats.is_xml(body):
        raise NotWritable("a value has a character that XML cannot hold")
    return body


def compacted(site: Site, statements: list[Triple] | list[Quad]) -> dict[str, Any]:
    """Statements as JSON-LD, compacted with our context."""
    # Imported on first use, since it takes a tenth of the import time of the server.
    from pyld import jsonld

    nodes: list[dict[str, Any]] = json.loads(serialize(statements, format=RdfFormat.JSON_LD) or b"[]")
    for node in nodes:
        # The serializer writes rdf:type as an ordinary property; JSON-LD has a keyword for it.
        if types := node.pop(iris.RDF_TYPE, None):
            node["@type"] = [t["@id"] for t in types]
    document: dict[str, Any] = jsonld.compact(nodes, site.context.of(_iris_of(nodes)), {"graph": True})
    document["@context"] = site.context.document["@context"]
    return document


def _iris_of(nodes: list[dict[str, Any]]) -> set[str]:
    """Every IRI of an expanded document: subjects, properties, classes, objects, datatypes."""
    found: set[str] = set()
    for node in nodes:
        for key, values in node.items():
            if key == "@id":
                found.add(values)
            elif key == "@type":
                found.update(values)
            elif key == "@graph":
                found |= _iris_of(values)
            else:
                found.add(key)
                found.update(v.get("@id") or v.get("@type") or "" for v in values)
    return found


def answer(body: bytes, content_type: str, headers: Mapping[str, str] | None = None) -> Response:
    """A cacheable 200; validator, conditions and content coding are added by the middleware."""
    all_headers = {"Cache-Control": "public, max-age=60, must-revalidate", **(headers or {})}
    return Response(body, 200, all_headers, media_type=content_type)


def rdf_answer(site: Site, quads: Sequence[Quad], syntax: Rdf, headers: Mapping[str, str] | None = None) -> Response:
    """Statements as a response, with the licence as a link."""
    body = write_rdf(site, quads, syntax)
    return answer(
        body, syntax.content_type, {"Link": f'<{site.licence}>; rel="license"', "Vary": "Accept", **(headers or {})}
    )


def json_answer(document: object, headers: Mapping[str, str] | None = None) -> Response:
    body = json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"
    return answer(body, formats.JSON, headers)


def problem_response(problem: Problem, request: Request | None = None) -> Response:
    """An error as problem+json, or as text if the client prefers it or is a command-line client."""
    headers = {"Cache-Control": "no-store", **problem.headers}
    if request is not None and is_terminal(request):
        return Response(as_text(problem), problem.status, headers, media_type=formats.PLAIN)
    body = json.dumps(problem.document(), ensure_ascii=False, indent=1).encode() + b"\n"
    return Response(body, problem.status, headers, media_type=formats.PROBLEM_JSON)


def is_terminal(request: Request) -> bool:
    """Whether the client wants text: by Accept, or as a command-line client that accepts anything."""
    accept = request.headers.get("accept", "*/*")
    if accept.strip() == "*/*":
        return request.headers.get("user-agent", "").lower().startswith(_TERMINALS)
    offers = [(formats.PROBLEM_JSON, formats.JSON), (formats.PLAIN,)]
    return formats.PLAIN in formats.parse_accept(accept) and formats.negotiate(accept, offers) == 1
