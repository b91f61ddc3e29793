"""The table of what the specifications ask: one check per demand."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from pyoxigraph import NamedNode, RdfFormat, parse, parse_query_results

from api.conformance.run import PROTOCOL, Request, Requirement, Response
from kg.rdf import formats, iris


def _is(media_type: str) -> Callable[[Response], bool]:
    return lambda r: r.media_type == media_type


def _problem(kind: str) -> Callable[[Response], bool]:
    return lambda r: (
        r.media_type == formats.PROBLEM_JSON and r.json()["type"].endswith(f":{kind}") and r.json()["detail"]
    )


def _sparql(**parameters: str) -> str:
    return f"/sparql?{urlencode(parameters)}"


def _accept(media_type: str) -> dict[str, str]:
    return {"accept": media_type}


def _rdf(response: Response) -> bool:
    syntax = next(f.syntax for f in formats.RDF_FORMATS if f.media_type == response.media_type)
    return sum(1 for _ in parse(response.body, format=syntax)) > 0


def _results(response: Response) -> bool:
    known = next(f for f in formats.RESULT_FORMATS if f.media_type == response.media_type)
    if known.name == "csv":
        return response.body.startswith(b"s\r\n")
    return len(list(parse_query_results(response.body, format=known.syntax))) == 1  # type: ignore[arg-type]


def _describes(response: Response) -> bool:
    wanted = "http://www.w3.org/ns/sparql-service-description#endpoint"
    return any(q.predicate == NamedNode(wanted) for q in parse(response.body, format=RdfFormat.TURTLE))


def _has(*names: str) -> Callable[[Response], bool]:
    return lambda r: all(name in r.headers for name in names)


def _links(*relations: str) -> Callable[[Response], bool]:
    return lambda r: all(f'rel="{relation}"' in r.headers.get("link", "") for relation in relations)


_ASK = "ASK {}"
_SELECT = "SELECT ?s WHERE { VALUES ?s { 1 } }"
_CONSTRUCT = "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o } LIMIT 5"
_FORM = {"content-type": "application/x-www-form-urlencoded"}
_DIRECT = {"content-type": "application/sparql-query"}
_SD, _GSP, _HTTP = "SPARQL 1.1 Service Description", "Graph Store HTTP Protocol", "RFC 9110 (HTTP)"


def _true(response: Response) -> bool:
    return response.media_type == "application/sparql-results+json" and response.json()["boolean"] is True


def _check(
    name: str,
    specification: str,
    section: str,
    ja: str,
    en: str,
    request: Request,
    status: int,
    holds: Callable[[Response], bool],
) -> Requirement:
    return Requirement(name, specification, section, {"ja": ja, "en": en}, request, status, holds)


def _protocol() -> list[Requirement]:
    body = _ASK.encode()
    form = urlencode({"query": _ASK}).encode()
    twice = urlencode([("query", _ASK), ("query", _ASK)])
    nowhere = {"query": "ASK { ?s ?p ?o }", "default-graph-uri": "urn:nothing"}
    found = [
        _check(
            "get", PROTOCOL, "2.1.1", "GETでのクエリ", "A query by GET", Request("GET", _sparql(query=_ASK)), 200, _true
        ),
        _check(
            "form",
            PROTOCOL,
            "2.1.2",
            "フォームのPOSTでのクエリ",
            "A query in a form",
            Request("POST", "/sparql", _FORM, form),
            200,
            _true,
        ),
        _check(
            "direct",
            PROTOCOL,
            "2.1.3",
            "本文そのものでのクエリ",
            "A query as the body",
            Request("POST", "/sparql", _DIRECT, body),
            200,
            _true,
        ),
        _check(
            "dataset",
            PROTOCOL,
            "2.1.4",
            "データセットの指定",
            "The dataset of the request",
            Request("GET", _sparql(**nowhere)),
            200,
            lambda r: r.json()["boolean"] is False,
        ),
        _check(
            "several",
            PROTOCOL,
            "2.1",
            "複数のクエリはエラー",
            "Several queries are an error",
            Request("GET", f"/sparql?{twice}"),
            400,
            _problem("two-queries"),
        ),
        _check(
            "missing",
            PROTOCOL,
            "2.1",
            "クエリのないフォームはエラー",
            "A form without a query is an error",
            Request("POST", "/sparql", _FORM, b"format=json"),
            400,
            _problem("no-query"),
        ),
        _check(
            "malformed",
            PROTOCOL,
            "2.1.6",
            "文法の誤りは位置とともに400",
            "What is not SPARQL: 400, with its place",
            Request("GET", _sparql(query="SELECT * {")),
            400,
            lambda r: r.json()["line"] == 1 and r.json()["column"] > 1,
        ),
        _check(
            "update",
            PROTOCOL,
            "2.1",
            "更新はクエリではない",
            "An update is no query",
            Request("GET", _sparql(query="CLEAR ALL")),
            400,
            _problem("update-refused"),
        ),
        _check(
            "media-type",
            PROTOCOL,
            "2.1.3",
            "知らない形式の本文は415",
            "A body of another type: 415",
            Request("POST", "/sparql", {"content-type": "text/plain"}, body),
            415,
            _problem("unsupported-media-type"),
        ),
        _check(
            "method",
            PROTOCOL,
            "2.1",
            "知らない方法は405とAllow",
            "Another method: 405 with Allow",
            Request("PUT", "/sparql", _DIRECT, body),
            405,
            _has("allow"),
        ),
        _check(
            "utf-8",
            PROTOCOL,
            "2.1.3",
            "UTF-8でないクエリは400",
            "A query that is not UTF-8: 400",
            Request("POST", "/sparql", _DIRECT, b"ASK { ?s ?p '\xff' }"),
            400,
            _problem("not-utf-8"),
        ),
        _check(
            "service",
            PROTOCOL,
            "4.1",
            "許されていないSERVICEは実行しない",
            "SERVICE to what is not allowed is not run",
            Request("GET", _sparql(query="ASK { SERVICE <http://127.0.0.1/> { ?s ?p ?o } }")),
            403,
            _problem("query-refused"),
        ),
        _check(
            "not-acceptable",
            PROTOCOL,
            "2.1.5",
            "提供しない形式は406",
            "A format that is not offered: 406",
            Request("GET", _sparql(query=_ASK), _accept("image/png")),
            406,
            lambda r: len(r.json()["formats"]) > 3,
        ),
    ]
    for known in formats.RESULT_FORMATS[:4]:
        found.append(
            _check(
                f"results-{known.name}",
                PROTOCOL,
                "2.1.5",
                f"検索結果: {known.title}",
                f"Solutions: {known.title}",
                Request("GET", _sparql(query=_SELECT), _accept(known.media_type)),
                200,
                _results,
            )
        )
    for syntax in formats.RDF_FORMATS:
        found.append(
            _check(
                f"graph-{syntax.name}",
                PROTOCOL,
                "2.1.5",
                f"グラフ: {syntax.title}",
                f"A graph: {syntax.title}",
                Request("GET", _sparql(query=_CONSTRUCT), _accept(syntax.media_type)),
                200,
                _rdf,
            )
        )
    return found


def _store(base: str) -> list[Requirement]:
    unknown = urlencode({"graph": "urn:nothing"})

    return [
        _check(
            "description",
            _SD,
            "2",
            "サービス記述",
            "A description of the service",
            Request("GET", "/sparql", _accept("text/turtle")),
            200,
            _describes,
        ),
        _check(
            "graph-default",
            _GSP,
            "5.2",
            "既定グラフ",
            "The default graph",
            Request("HEAD", "/graph?default", _accept("application/n-triples")),
            200,
            _is("application/n-triples"),
        ),
        _check(
            "graph-unknown",
            _GSP,
            "5.2",
            "知らないグラフは404",
            "An unknown graph: 404",
            Request("GET", f"/graph?{unknown}"),
            404,
            _problem("unknown-graph"),
        ),
        _check(
            "graph-put",
            _GSP,
            "5.3",
            "書込みは405",
            "Writing: 405",
            Request("PUT", "/graph?default", {"content-type": "text/turtle"}, b""),
            405,
            _has("allow"),
        ),
        _check(
            "void",
            "VoID",
            "7.2",
            "/.well-known/void",
            "/.well-known/void",
            Request("GET", "/.well-known/void", _accept("text/turtle")),
            200,
            _rdf,
        ),
        _check(
            "catalogue",
            "DCAT 3",
            "6",
            "カタログ",
            "The catalogue record",
            Request("GET", "/dataset", _accept("text/turtle")),
            200,
            lambda r: b"dcat:distribution" in r.body,
        ),
        _check(
            "head",
            _HTTP,
            "9.3.2",
            "HEAD",
            "HEAD",
            Request("HEAD", _sparql(query=_ASK)),
            200,
            lambda r: not r.body and int(r.headers["content-length"]) > 0,
        ),
        _check(
            "validator",
            _HTTP,
            "8.8.3",
            "強い検証子と更新日時",
            "A strong validator and a date",
            Request("GET", "/context.jsonld"),
            200,
            lambda r: r.headers["etag"][0] == '"' and "last-modified" in r.headers,
        ),
        _check(
            "not-modified",
            _HTTP,
            "13.1.2",
            "手元のものが新しければ304",
            "304 to what is current",
            Request("GET", "/context.jsonld", {"if-none-match": "*"}),
            304,
            lambda r: not r.body,
        ),
        _check(
            "coding",
            _HTTP,
            "12.5.3",
            "圧縮",
            "Content coding",
            Request("GET", "/context.jsonld", {"accept-encoding": "gzip"}),
            200,
            lambda r: r.headers["content-encoding"] == "gzip" and "Accept-Encoding" in r.headers["vary"],
        ),
        _check(
            "problem",
            "RFC 9457 (Problem Details)",
            "3",
            "誤りの説明",
            "Errors are described",
            Request("GET", "/nothing-is-here"),
            404,
            _problem("not-found"),
        ),
        _check(
            "origin",
            "Fetch (CORS)",
            "3.2",
            "他のサイトからの読出し",
            "Other origins may read",
            Request("GET", _sparql(query=_ASK), {"origin": "https://example.org"}),
            200,
            lambda r: r.headers["access-control-allow-origin"] == "*",
        ),
    ]


def _records(path: str, base: str) -> list[Requirement]:
    """Checks on a record of the release, `class/slug`."""

    found = [
        _check(
            "see-other",
            "Cool URIs",
            "4.2",
            "識別子は303で文書へ",
            "An identifier leads to a document by 303",
            Request("GET", f"/id/{path}", _accept("text/turtle")),
            303,
            lambda r: r.headers["location"].endswith(f"/data/{path}.ttl") and r.headers["vary"] == "Accept",
        ),
        _check(
            "see-page",
            "Cool URIs",
            "4.2",
            "閲覧器はページへ",
            "A browser is led to the page",
            Request("GET", f"/id/{path}", _accept("text/html,application/xhtml+xml,*/*;q=0.8")),
            303,
            lambda r: f"/page/{path}" in r.headers["location"],
        ),
        _check(
            "one-way",
            _HTTP,
            "4.2.3",
            "書き方は一つ",
            "One way of writing a path",
            Request("GET", f"/id/{path}/"),
            301,
            lambda r: r.headers["location"].endswith(f"/id/{path}"),
        ),
        _check(
            "signposts",
            "FAIR Signposting",
            "2",
            "型付きリンク",
            "Typed links",
            Request("GET", f"/page/{path}?lang=en"),
            200,
            _links("cite-as", "describedby", "type", "license", "collection", "linkset"),
        ),
        _check(
            "linkset",
            "RFC 9264 (Linkset)",
            "4.2",
            "リンク集合",
            "The set of links",
            Request("GET", f"/linkset/{path}"),
            200,
            lambda r: (
                r.media_type == formats.LINKSET and r.json()["linkset"][0]["cite-as"][0]["href"] == f"{base}id/{path}"
            ),
        ),
    ]
    for syntax in formats.RDF_FORMATS:
        found.append(
            _check(
                f"data-{syntax.name}",
                "Cool URIs",
                "4.2",
                f"データ: {syntax.title}",
                f"Data: {syntax.title}",
                Request("GET", f"/data/{path}.{syntax.name}"),
                200,
                _rdf,
            )
        )
    return found


def all_checks(base: str, record: str) -> list[Requirement]:
    """All checks for a release with this base; those on records need the path of one, '' for none."""
    assert iris.ABSOLUTE.match(base)
    return [*_protocol(), *_store(base), *(_records(record, base) if record else [])]
