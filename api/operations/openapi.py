"""The OpenAPI 3.1 document: parameters and answers of each route, and each stored query as an operation."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.i18n.texts import LANGUAGES
from api.site.site import Site
from kg.names.identifiers import SCHEMES
from kg.rdf import formats
from kg.sparql.library import StoredQuery

_RDF = [f.media_type for f in formats.RDF_FORMATS]
_RESULTS = list(dict.fromkeys(f.media_type for f in formats.RESULT_FORMATS))
_RDF_NAMES = [f.name for f in formats.RDF_FORMATS]
_RESULT_NAMES = [f.name for f in formats.RESULT_FORMATS]
_JSON = [formats.JSON]
_PAGE = [formats.HTML]

_TYPES = {
    "iri": {"type": "string"},
    "integer": {"type": "string", "pattern": "^[+-]?[0-9]+$"},
    "gYear": {"type": "string", "pattern": "^-?[0-9]{4}$"},
    "date": {"type": "string", "format": "date"},
}


def _parameter(name: str, description: str, schema: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema or {"type": "string"}, **more}


def _format(names: list[str]) -> dict[str, Any]:
    return _parameter("format", "The format, by name; without it, by Accept.", {"type": "string", "enum": names})


_QUERY = _parameter("query", "A SPARQL 1.1 query; without one the Service Description.", example="ASK { ?s ?p ?o }")
_GRAPHS = {"type": "array", "items": {"type": "string"}}
_DATASET = [
    _parameter("default-graph-uri", "IRIs of graphs that make up the default graph.", _GRAPHS),
    _parameter("named-graph-uri", "IRIs of graphs that GRAPH can name.", _GRAPHS),
]
_TIMEOUT = _parameter("timeout", "Seconds after which the query is stopped.", {"type": "number", "exclusiveMinimum": 0})
_SPARQL = [*_DATASET, _TIMEOUT, _format([*_RESULT_NAMES, *_RDF_NAMES, "html"])]
_ANY_RDF = _format([*_RDF_NAMES, "html"])
_SOUGHT = _parameter("q", "What to search for: a name, part of one, an identifier.", example="AI法")
_KIND = _parameter("kind", "Only records of this class, as in their paths; may be repeated.", _GRAPHS)
_NUMBER = _parameter("page", "The page of results, from 1.", {"type": "integer", "minimum": 1, "maximum": 100})
_TYPE = _parameter("type", "What to suggest.", {"type": "string", "enum": ["record", "class", "property"]})
_CLASS = _parameter("class", "Suggest the properties that members of this class have.", example="kg:Programme")
_LIMIT = _parameter("limit", "How many suggestions.", {"type": "integer", "minimum": 1, "maximum": 50})
_NODE = _parameter("node", "A record as class/slug.", example="law/ai-act")
_PROPERTY = _parameter("property", "Only the links by this property.", example="kg:quotes")
_DIRECTION = _parameter("direction", "Only links from the record, or to it.", {"type": "string", "enum": ["in", "out"]})
_FROM = _parameter("from", "The record that a path begins at.", example="organization/university-of-tokyo")
_TO = _parameter("to", "The record that a path ends at.", example="law/ai-act")
_MOST = _parameter("most", "How many paths.", {"type": "integer", "minimum": 1})
_STATEMENT = [
    _parameter("subject", "The subject of the fact: an IRI or class:slug.", example="law:ai-act/article-9"),
    _parameter("predicate", "The property of the fact, or `a`.", example="kg:quotedBy"),
    _parameter("object", "The object: an IRI, class:slug, or a literal as N-Triples has it.", example="programme:aip"),
]
_EXPLORED = [
    _parameter("node", "Records whose links are shown.", _GRAPHS),
    _FROM,
    _TO,
    _parameter("without", "Properties whose links are left out.", _GRAPHS),
]
_LANGUAGE = _parameter("lang", "The language of titles and summaries.", {"type": "string", "enum": ["ja", "en"]})
_FEED_PAGE = _parameter("page", "The page of the feed, from 1.", {"type": "integer", "minimum": 1})
_RECONCILED: dict[str, tuple[list[str], list[dict[str, Any]], tuple[int, ...]]] = {
    "": (
        _JSON,
        [
            _parameter(
                "queries", "A batch of queries (JSON); without it the manifest.", example='{"q0": {"query": "理研"}}'
            ),
            _parameter("extend", "A data extension query (JSON)."),
            _parameter("query", "One query: an object (JSON), or a name."),
        ],
        (400, 413),
    ),
    "/suggest/{what}": (
        _JSON,
        [
            _parameter("prefix", "What was typed so far.", example="理"),
            _parameter("type", "Only entities of this type.", example="organization"),
            _parameter("cursor", "How many to skip.", {"type": "integer", "minimum": 0, "maximum": 10_000}),
            _LIMIT,
        ],
        (400, 404),
    ),
    "/flyout/{what}": (_JSON, [_parameter("id", "An id.", example="organization/riken")], (400, 404)),
    "/properties": (
        _JSON,
        [
            _parameter("type", "The type whose properties are proposed.", example="organization"),
            _parameter("limit", "How many; 0 for all.", {"type": "integer", "minimum": 0, "maximum": 1_000}),
        ],
        (400,),
    ),
    "/preview": (_PAGE, [_parameter("id", "The id of an entity.", example="organization/riken")], (400, 404)),
}
_SCHEME = _parameter(
    "scheme", "The register that a bare number is of.", {"type": "string", "enum": list(SCHEMES)}, example="ror"
)
_IRI = _parameter("iri", "An IRI or identifier, in any form.", example="https://ror.org/01sjwvz98")
_SYNTAX = _parameter("format", "The linkset's syntax.", {"type": "string", "enum": ["ttl", "nt", "jsonld"]})
_DESK = (400, 413, 415, 422, 499, 503)
_VALIDATION = [
    _parameter(
        "syntax",
        "The syntax of the document, where its media type or file name does not tell it.",
        {"type": "string", "enum": _RDF_NAMES},
    ),
    _format(["json", "text", *_RDF_NAMES, "html"]),
    _parameter("fail", "Whether a document that does not conform is answered with 422.", {"type": "boolean"}),
]
# What reads a release whole, and answers 501 where that is too large (`Site.survey`).
_SURVEYED = frozenset({"reconcile", "resolve", "link", "suggest", "ontology"})
# What each route takes and answers: media types of a 200, parameters, other statuses beside 406.
_ROUTES: dict[str, tuple[list[str], list[dict[str, Any]], tuple[int, ...]]] = {
    "/": ([*_JSON, *_PAGE], [], (302, 303)),
    "/about": (_PAGE, [], (302, 303)),
    "/search": ([*_JSON, *_PAGE], [_SOUGHT, _KIND, _NUMBER], (302, 303, 400)),
    "/suggest": (_JSON, [_SOUGHT, _TYPE, _KIND, _CLASS, _LIMIT], (400,)),
    "/why": (_JSON, [_QUERY], (400, 403, 413, 429, 500, 502, 503, 504)),
    "/sparql": ([*_RESULTS, *_RDF, *_PAGE], _SPARQL, (302, 303, 400, 403, 406, 413, 415, 429, 500, 502, 503, 504)),
    "/id/{path}": ([*_RDF, *_JSON, *_PAGE], [_ANY_RDF], (301, 302, 303, 404, 406, 410)),
    "/page/{path}": (_PAGE, [], (301, 302, 303, 404, 410)),
    "/data/{path}": (_RDF, [], (301, 303, 404, 406)),
    "/linkset/{path}": ([formats.LINKSET], [], (301, 404)),
    "/graph": (
        _RDF,
        [
            _parameter("graph", "The IRI of a named graph."),
            _parameter("default", "The default graph."),
            _format(_RDF_NAMES),
        ],
        (400, 404, 406, 413, 429, 503, 504),
    ),
    "/graph/{path}": ([*_RDF, *_PAGE], [_ANY_RDF], (301, 302, 303, 404, 406)),
    "/ontology": ([*_RDF, *_PAGE], [_ANY_RDF], (302, 303, 406)),
    "/context.jsonld": (["application/ld+json"], [], ()),
    "/shapes.ttl": (["text/turtle"], [], (404,)),
    "/queries": ([*_JSON, *_PAGE], [], (302, 303)),
    "/queries/{name}": (
        [*_RESULTS, *_RDF, *_PAGE],
        [_TIMEOUT],
        (302, 303, 400, 404, 406, 413, 429, 500, 502, 503, 504),
    ),
    "/validate": (
        [*_JSON, formats.PLAIN, *_RDF, *_PAGE],
        _VALIDATION,
        (302, 303, 400, 406, 413, 415, 422, 429, 503, 504),
    ),
    "/charts": (_PAGE, [], (302, 303)),
    "/charts/{name}": (_PAGE, [], (302, 303, 404, 413, 429, 500, 502, 503, 504)),
    "/explain": ([*_JSON, *_PAGE], _STATEMENT, (302, 303, 400, 404)),
    "/explore": (_PAGE, _EXPLORED, (302, 303, 400, 404)),
    "/explore/links": (_JSON, [_NODE, _PROPERTY, _DIRECTION], (400, 404)),
    "/explore/path": (_JSON, [_FROM, _TO, _MOST], (400, 404)),
    **{
        f"{language}/reconcile{path}": row
        for language in ("", *(f"/{language}" for language in LANGUAGES))
        for path, row in _RECONCILED.items()
    },
    "/resolve": (_JSON, [_IRI, _SCHEME], (300, 303, 400, 404)),
    "/link": (_PAGE, [], (302, 303, *_DESK)),
    "/link/table": (_JSON, [], _DESK),
    "/link/match": (_JSON, [], _DESK),
    "/link/result": (["text/csv"], [], _DESK),
    "/link/linkset": (["text/turtle", "application/n-triples", "application/ld+json"], [_SYNTAX], _DESK),
    "/static/{path}": ([], [], (404,)),
    "/dataset": ([*_RDF, *_PAGE], [_ANY_RDF], (302, 303, 406)),
    "/.well-known/void": (_RDF, [_format(_RDF_NAMES)], (406,)),
    "/dumps": (_JSON, [], (303,)),
    "/dumps/{name}": ([], [], (307, 404)),
    "/dumps/{release}/{name}": (["application/gzip"], [], (206, 404, 416)),
    "/feed.atom": ([formats.ATOM], [_LANGUAGE, _FEED_PAGE], (302, 303, 404, 503)),
    "/feed/{name}.atom": ([formats.ATOM], [_LANGUAGE, _FEED_PAGE], (302, 303, 404, 503)),
    "/sitemap.xml": (["application/xml"], [], ()),
    "/sitemap-{number}.xml": (["application/xml"], [], (400, 404)),
    "/robots.txt": (["text/plain"], [], ()),
    "/conformance": ([*_JSON, *_PAGE], [], (302, 303)),
    "/healthz": (["text/plain"], [], ()),
    "/readyz": (_JSON, [], (503,)),
    "/metrics": (["text/plain"], [], ()),
    "/openapi.json": (_JSON, [], ()),
}


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties}


_TEXT, _TEXTS = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
_TABLE = _object(
    [],
    file={"type": "string", "contentMediaType": "application/octet-stream"},
    text={**_TEXT, "description": "The table as text, instead of a file."},
    header={"type": "string", "enum": ["0", "1"]},
    sheet=_TEXT,
    encoding=_TEXT,
)
_WORK = _object(
    ["columns", "rows", "name", "decisions"],
    columns=_TEXTS,
    rows={"type": "array", "items": _TEXTS},
    name={"type": "integer", "description": "The column of names, from 0."},
    subject={**_TEXT, "description": "A column, or a template over columns, that gives the IRIs of the rows."},
    decisions={
        "type": "array",
        "description": "For each row: IRI, relation (exact, close), by (machine, person), score, reason, told.",
        "items": {"type": "array", "minItems": 6, "maxItems": 6},
    },
)
_BATCH = _object(["names"], names=_TEXTS, kind=_TEXT, properties={"type": "object", "additionalProperties": _TEXTS})
# What is posted, other than queries of SPARQL.
_POSTED: dict[str, dict[str, Any]] = {
    **{
        f"{language}/reconcile": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "properties": {"queries": {"type": "string"}, "extend": {"type": "string"}},
                }
            }
        }
        for language in ("", *(f"/{language}" for language in LANGUAGES))
    },
    "/resolve": {
        formats.JSON: {
            "schema": {
                "type": "object",
                "required": ["iris"],
                "properties": {
                    "iris": {"type": "array", "items": {"type": "string"}},
                    "scheme": {"type": "string", "enum": list(SCHEMES)},
                },
            }
        }
    },
    "/link": {"multipart/form-data": {"schema": _TABLE}},
    "/link/table": {"multipart/form-data": {"schema": _TABLE}},
    "/link/match": {formats.JSON: {"schema": _BATCH}},
    "/link/result": {formats.JSON: {"schema": _WORK}},
    "/link/linkset": {formats.JSON: {"schema": _WORK}},
}
_PROBLEM = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}


def document(app: FastAPI, site: Site) -> dict[str, Any]:
    """The description of this server; `site` gives the stored queries."""
    described = get_openapi(title=app.title, version=app.version, routes=app.routes, summary=site.base)
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            _describe(operation, path, method)
    described["paths"]["/sparql"]["post"]["requestBody"] = _body()
    for path, schema in _POSTED.items():
        described["paths"][path]["post"]["requestBody"] = {"required": True, "content": schema}
    _describe_validation(described["paths"]["/validate"]["post"])
    for query in site.queries.values():
        described["paths"][f"/queries/{query.name}"] = {"get": _stored(query)}
    described["components"] = {"schemas": {"Problem": _PROBLEM}}
    return described


def _describe(operation: dict[str, Any], path: str, method: str) -> None:
    media_types, parameters, others = _ROUTES[path]
    own = [p for p in operation.get("parameters", []) if p["in"] == "path"]
    is_desk = path.partition("/")[2].partition("/")[0] == "link"
    asked = parameters
    if method != "get" and not is_desk:
        asked = [p for p in parameters if p not in _DATASET and path not in _POSTED]
    if method == "post" and path in _POSTED:
        others = _DESK if is_desk else (400, 413, 415)
    if not _SURVEYED.isdisjoint(path.split("/")):
        others = (*others, 501)
    first = [_QUERY] if path == "/sparql" and method == "get" else []
    operation["parameters"] = [*own, *first, *asked]
    operation["responses"] = _responses(media_types, others)


def _responses(media_types: list[str], others: tuple[int, ...]) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    if media_types:
        answers["200"] = {"description": "The answer.", "content": {m: {} for m in media_types}}
        answers["304"] = {"description": "What the caller has is current."}
    for status in others:
        answers[str(status)] = {"description": "A redirect." if status < 400 else "An error."}
        if status >= 400:
            answers[str(status)]["content"] = {
                formats.PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}},
                formats.HTML: {},
                formats.PLAIN: {},
            }
        elif status == 206:
            answers["206"] = {"description": "A part.", "content": {m: {} for m in media_types}}
    return answers


def _body() -> dict[str, Any]:
    fields = {p["name"]: p["schema"] for p in (_QUERY, *_SPARQL)}
    form = {"type": "object", "required": ["query"], "properties": fields}
    return {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {"schema": form},
            "application/sparql-query": {"schema": {"type": "string"}, "example": "ASK { ?s ?p ?o }"},
        },
    }


def _describe_validation(operation: dict[str, Any]) -> None:
    """What is posted, and that the report says in a header whether the document conforms, and in 422 stands too."""
    file = {"type": "string", "format": "binary"}
    fields = {"file": file, "text": {"type": "string"}, "syntax": {"type": "string", "enum": _RDF_NAMES}}
    form = {"schema": {"type": "object", "properties": fields}}
    operation["requestBody"] = {
        "required": True,
        "content": {**{m: {"schema": {"type": "string"}} for m in _RDF}, "multipart/form-data": form},
    }
    answers = operation["responses"]
    conforms = {"X-Conforms": {"description": "Whether nothing is violated.", "schema": {"type": "boolean"}}}
    answers["200"]["headers"] = conforms
    answers["422"] = {**answers["200"], "description": "The report on a document that does not conform."}


def _stored(query: StoredQuery) -> dict[str, Any]:
    parameters = [
        _parameter(p.name, p.label["en"], {**_TYPES.get(p.type, {"type": "string"}), "default": p.default})
        for p in query.parameters
    ]
    media_types, common, others = _ROUTES["/queries/{name}"]
    return {
        "summary": query.title["en"],
        "description": query.description["en"],
        "operationId": f"query_{query.name.replace('-', '_')}",
        "tags": list(query.tags),
        "parameters": [*parameters, *common, _format([*_RESULT_NAMES, *_RDF_NAMES, "html"])],
        "responses": _responses(media_types, others),
    }
