"""The table of requirements: one row for each demand of a specification."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from pyoxigraph import NamedNode, RdfFormat, parse, parse_query_results

from api.conformance.run import Request, Requirement, Response
from api.i18n import texts
from kg.rdf import formats, iris

_PROTOCOL, _SD, _GSP = "SPARQL 1.1 Protocol", "SPARQL 1.1 Service Description", "Graph Store HTTP Protocol"
_HTTP, _COOL, _PROBLEM = "RFC 9110 (HTTP)", "Cool URIs", "RFC 9457 (Problem Details)"
_ASK = "ASK {}"
_SELECT = "SELECT ?s WHERE { VALUES ?s { 1 } }"
_CONSTRUCT = "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o } LIMIT 5"
_SERVICE = "ASK { SERVICE <http://127.0.0.1/> { ?s ?p ?o } }"
_ENDPOINT = "http://www.w3.org/ns/sparql-service-description#endpoint"
_BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"
_Test = Callable[[Response], Any]


# ---- requests ----


def _get(path: str, accept: str = "", **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("GET", path, {"accept": accept, **named} if accept else named)


def _ask(accept: str = "", query: str = _ASK, **headers: str) -> Request:
    return _get(f"/sparql?{urlencode({'query': query})}", accept, **headers)


def _post(body: bytes, content_type: str = "application/sparql-query") -> Request:
    return Request("POST", "/sparql", {"content-type": content_type}, body)


def _form(body: str) -> Request:
    return _post(body.encode(), "application/x-www-form-urlencoded")


# ---- tests of responses ----


def _problem(kind: str) -> _Test:
    return lambda r: (
        r.media_type == formats.PROBLEM_JSON and r.json()["type"].endswith(f":{kind}") and r.json()["detail"]
    )


def _header(name: str, test: Callable[[str], Any] = bool) -> _Test:
    return lambda r: name in r.headers and test(r.headers[name])


def _answers(expected: bool) -> _Test:
    return lambda r: r.media_type == "application/sparql-results+json" and r.json()["boolean"] is expected


def _links(*relations: str) -> _Test:
    return lambda r: all(f'rel="{relation}"' in r.headers.get("link", "") for relation in relations)


def _rdf(response: Response) -> bool:
    syntax = next(f.syntax for f in formats.RDF_FORMATS if f.media_type == response.media_type)
    return sum(1 for _ in parse(response.body, format=syntax)) > 0


def _results(response: Response) -> bool:
    known = next(f for f in formats.RESULT_FORMATS if f.media_type == response.media_type)
    if known.name == "csv":
        return response.body.startswith(b"s\r\n")
    return len(list(parse_query_results(response.body, format=known.syntax))) == 1  # type: ignore[arg-type]


def _describes(response: Response) -> bool:
    return any(q.predicate == NamedNode(_ENDPOINT) for q in parse(response.body, format=RdfFormat.TURTLE))


def _has_place(response: Response) -> bool:
    return bool(response.json()["line"] == 1 and response.json()["column"] > 1)


def _has_length(response: Response) -> bool:
    return not response.body and int(response.headers["content-length"]) > 0


def _has_validators(response: Response) -> bool:
    """Whether the entity tag is strong, and there is a date."""
    return response.headers["etag"][0] == '"' and "last-modified" in response.headers


def _is_gzipped(response: Response) -> bool:
    return response.headers["content-encoding"] == "gzip" and "Accept-Encoding" in response.headers["vary"]


# ---- the table ----


def _row(
    name: str, specification: str, section: str, request: Request, status: int, holds: _Test, *, title: str = ""
) -> Requirement:
    """Return a requirement; with the `title` of a format, `name` is `requirement-format`."""
    key = name.rpartition("-")[0] if title else name
    titles = {tongue: texts.fill(known[key], {"title": title}) for tongue, known in texts.table("requirements").items()}
    return Requirement(name, specification, section, titles, request, status, holds)


def _protocol() -> list[Requirement]:
    two = urlencode([("query", _ASK), ("query", _ASK)])
    nowhere = urlencode({"query": "ASK { ?s ?p ?o }", "default-graph-uri": "urn:nothing"})
    not_utf_8 = b"ASK { ?s ?p '\xff' }"
    results = [(f, _ask(f.media_type, _SELECT)) for f in formats.RESULT_FORMATS[:4]]
    graphs = [(f, _ask(f.media_type, _CONSTRUCT)) for f in formats.RDF_FORMATS]
    return [
        _row("get", _PROTOCOL, "2.1.1", _ask(), 200, _answers(True)),
        _row("form", _PROTOCOL, "2.1.2", _form(urlencode({"query": _ASK})), 200, _answers(True)),
        _row("direct", _PROTOCOL, "2.1.3", _post(_ASK.encode()), 200, _answers(True)),
        _row("dataset", _PROTOCOL, "2.1.4", _get(f"/sparql?{nowhere}"), 200, _answers(False)),
        _row("several", _PROTOCOL, "2.1", _get(f"/sparql?{two}"), 400, _problem("two-queries")),
        _row("missing", _PROTOCOL, "2.1", _form("format=json"), 400, _problem("no-query")),
        _row("malformed", _PROTOCOL, "2.1.6", _ask(query="SELECT * {"), 400, _has_place),
        _row("update", _PROTOCOL, "2.1", _ask(query="CLEAR ALL"), 400, _problem("update-refused")),
        _row("media-type", _PROTOCOL, "2.1.3", _post(b"ASK {}", "text/plain"), 415, _problem("unsupported-media-type")),
        _row("method", _PROTOCOL, "2.1", Request("PUT", "/sparql"), 405, _header("allow")),
        _row("utf-8", _PROTOCOL, "2.1.3", _post(not_utf_8), 400, _problem("not-utf-8")),
        _row("service", _PROTOCOL, "4.1", _ask(query=_SERVICE), 403, _problem("query-refused")),
        _row("not-acceptable", _PROTOCOL, "2.1.5", _ask("image/png"), 406, lambda r: len(r.json()["formats"]) > 3),
        *(_row(f"results-{f.name}", _PROTOCOL, "2.1.5", ask, 200, _results, title=f.title) for f, ask in results),
        *(_row(f"graph-{f.name}", _PROTOCOL, "2.1.5", ask, 200, _rdf, title=f.title) for f, ask in graphs),
    ]


def _site() -> list[Requirement]:
    turtle, triples, context = "text/turtle", "application/n-triples", "/context.jsonld"
    default = Request("HEAD", "/graph?default", {"accept": triples})
    head = Request("HEAD", _ask().path)
    put = Request("PUT", "/graph?default", {"content-type": turtle})
    return [
        _row("description", _SD, "2", _get("/sparql", turtle), 200, _describes),
        _row("graph-default", _GSP, "5.2", default, 200, lambda r: r.media_type == triples),
        _row("graph-unknown", _GSP, "5.2", _get("/graph?graph=urn%3Anothing"), 404, _problem("unknown-graph")),
        _row("graph-put", _GSP, "5.3", put, 405, _header("allow")),
        _row("void", "VoID", "7.2", _get("/.well-known/void", turtle), 200, _rdf),
        _row("catalogue", "DCAT 3", "6", _get("/dataset", turtle), 200, lambda r: b"dcat:distribution" in r.body),
        _row("head", _HTTP, "9.3.2", head, 200, _has_length),
        _row("validator", _HTTP, "8.8.3", _get(context), 200, _has_validators),
        _row("not-modified", _HTTP, "13.1.2", _get(context, if_none_match="*"), 304, lambda r: not r.body),
        _row("coding", _HTTP, "12.5.3", _get(context, accept_encoding="gzip"), 200, _is_gzipped),
        _row("problem", _PROBLEM, "3", _get("/nothing-is-here"), 404, _problem("not-found")),
        _row(
            *("origin", "Fetch (CORS)", "3.2", _ask(origin="https://example.org"), 200),
            _header("access-control-allow-origin", lambda allowed: allowed == "*"),
        ),
    ]


def _records(path: str, base: str) -> list[Requirement]:
    """Return the requirements on a record of the release, `class/slug`."""

    def leads_to(end: str) -> _Test:
        return _header("location", lambda location: location.endswith(end))

    def is_linkset(response: Response) -> bool:
        first = response.json()["linkset"][0]
        return response.media_type == formats.LINKSET and first["cite-as"][0]["href"] == f"{base}id/{path}"

    turtle, page = _get(f"/id/{path}", "text/turtle"), _get(f"/id/{path}", _BROWSER)
    to_data, to_page = leads_to(f"/data/{path}.ttl"), _header("location", lambda to: f"/page/{path}" in to)
    signposts = _links("cite-as", "describedby", "type", "license", "collection", "linkset")
    data = [(f, _get(f"/data/{path}.{f.name}")) for f in formats.RDF_FORMATS]
    return [
        _row("see-other", _COOL, "4.2", turtle, 303, lambda r: to_data(r) and r.headers["vary"] == "Accept"),
        _row("see-page", _COOL, "4.2", page, 303, to_page),
        _row("one-way", _HTTP, "4.2.3", _get(f"/id/{path}/"), 301, leads_to(f"/id/{path}")),
        _row("signposts", "FAIR Signposting", "2", _get(f"/page/{path}?lang=en"), 200, signposts),
        _row("linkset", "RFC 9264 (Linkset)", "4.2", _get(f"/linkset/{path}"), 200, is_linkset),
        *(_row(f"data-{f.name}", _COOL, "4.2", get, 200, _rdf, title=f.title) for f, get in data),
    ]


def table(base: str, record: str) -> list[Requirement]:
    """Return all requirements on a release with this base; `record` is the path of a record, '' for none."""
    assert iris.ABSOLUTE.match(base)
    return [*_protocol(), *_site(), *(_records(record, base) if record else [])]
