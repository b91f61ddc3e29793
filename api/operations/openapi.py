"""The OpenAPI 3.1 document: what FastAPI generates, plus responses, request bodies and stored queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from api.http.route import JSON, PAGE, RDF, RESULTS, Cost, Route
from api.site.site import Site
from kg.project.description import Project, said
from kg.rdf import formats
from kg.sparql.library import StoredQuery

# The document is in English.
_ENGLISH = ("en",)
_TYPES = {
    "iri": {"type": "string"},
    "integer": {"type": "string", "pattern": "^[+-]?[0-9]+$"},
    "gYear": {"type": "string", "pattern": "^-?[0-9]{4}$"},
    "date": {"type": "string", "format": "date"},
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
    """Return the OpenAPI document of this server, with the stored queries of `site`."""
    project = site.project
    described = get_openapi(
        title=app.title,
        version=app.version,
        routes=app.routes,
        summary=site.base,
        description=said(project.lead, _ENGLISH),
        # Where the document was fetched from, below the path of the mount.
        servers=[{"url": "/" + site.settings.root_path.strip("/")}],
        license_info={"name": project.licence.name, "url": project.licence.iri},
    )
    paths: dict[str, Any] = described["paths"]
    # Examples by the name of the parameter.
    examples = {"query": "ASK { ?s ?p ?o }", **site.project.examples}
    routes = [route for route in app.routes if isinstance(route, Route)]
    for route in routes:
        _describe(paths[route.path_format][route.method.lower()], route, site.project, examples)
    stored = paths["/queries/{name}"]["get"]
    for query in site.queries.values():
        paths[f"/queries/{query.name}"] = {"get": _stored(query, stored)}
    described["components"] = {"schemas": {"Problem": _PROBLEM}}
    return described


def _describe(operation: dict[str, Any], route: Route, project: Project, examples: Mapping[str, str]) -> None:
    declared = route.declared
    asked = [_plain(parameter, examples) for parameter in operation.get("parameters", [])]
    operation["parameters"] = [*asked, *_negotiated(route, project.languages)]
    operation["responses"] = _responses(route)
    operation["x-cost"] = declared.cost.label
    if declared.body:
        content = {media_type: _content(body) for media_type, body in declared.body.items()}
        operation["requestBody"] = {"required": True, "content": content}


def _plain(parameter: dict[str, Any], examples: Mapping[str, str]) -> dict[str, Any]:
    """Add the example of a parameter, and remove what pydantic repeats."""
    schema = _lean(parameter["schema"], "description")
    example = examples.get(parameter["name"])
    if example is None or example not in schema.get("enum", [example]):
        return {**parameter, "schema": schema}
    return {**parameter, "schema": schema, "example": [example] if schema["type"] == "array" else example}


def _lean(schema: Mapping[str, Any], *without: str) -> dict[str, Any]:
    """Return a schema without titles, empty defaults and the alternative `null`, which no URL can express."""
    kept = {k: v for k, v in schema.items() if k not in ("title", *without) and not (k == "default" and not v)}
    options = [option for option in kept.pop("anyOf", []) if option != {"type": "null"}]
    return {**kept, **(options[0] if options else {})}


def _negotiated(route: Route, languages: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield the parameters that choose format and language (`api.http.responses`, `api.i18n.language`)."""
    names = format_names(route.declared.gives)
    if len(names) > 1:
        yield _choice("format", "The format, by name; without it, by Accept.", names)
    if formats.HTML in route.declared.gives or route.declared.depends_on_language:
        yield _choice("lang", "The language; without it, by cookie and Accept-Language.", list(languages))


def _choice(name: str, description: str, values: list[str]) -> dict[str, Any]:
    schema = {"type": "string", "enum": values}
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def format_names(gives: tuple[str, ...]) -> list[str]:
    """Return the values of `format=` for the media types that a route gives."""
    results = [f.name for f in formats.RESULT_FORMATS if RESULTS[-1] in gives]
    rdf = [f.name for f in formats.RDF_FORMATS if f.media_type in gives]
    others = {JSON[0]: "json", formats.PLAIN: "text", PAGE[0]: "html"}
    return list(dict.fromkeys([*results, *rdf, *(name for media_type, name in others.items() if media_type in gives)]))


def _responses(route: Route) -> dict[str, Any]:
    """Return the responses that a route declares, and those that follow from its media types."""
    gives = route.declared.gives
    content: dict[str, Any] = {media_type: {} for media_type in gives}
    statuses = set(route.declared.statuses)
    if route.declared.cost is not Cost.FIXED:
        # The gate may refuse it.
        statuses |= {429, 503}
    if formats.HTML in gives and route.method == "GET":
        statuses |= {302, 303}
    if len({*RDF, *RESULTS} & set(gives)) > 1:
        statuses.add(406)
    answers: dict[str, Any] = {}
    if gives:
        answers["200"] = {"description": "The answer.", "content": content}
        answers["304"] = {"description": "What the caller has is current."}
    for status in sorted(statuses):
        if status == 206:
            answers["206"] = {"description": "A part.", "content": content}
        elif status < 400:
            answers[str(status)] = {"description": "A redirect."}
        else:
            answers[str(status)] = {"description": "An error.", "content": _ERROR}
    for status, more in route.declared.responses.items():
        answers[str(status)] = {**answers["200"], **more}
    return answers


_ERROR = {
    formats.PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}},
    formats.HTML: {},
    formats.PLAIN: {},
}


def _content(body: type[BaseModel] | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(body, Mapping):
        return body
    schema = body.model_json_schema()
    fields = {name: _lean(field) for name, field in schema["properties"].items()}
    return {"schema": {**_lean(schema, "description"), "properties": fields}}


def _stored(query: StoredQuery, route: dict[str, Any]) -> dict[str, Any]:
    """Return the operation of a stored query: that of its route, with the parameters of the query."""
    parameters = [
        {
            "name": p.name,
            "in": "query",
            "description": said(p.label, _ENGLISH),
            "schema": {**_TYPES.get(p.type, {"type": "string"}), "default": p.default},
        }
        for p in query.parameters
    ]
    return {
        **route,
        "summary": said(query.title, _ENGLISH),
        "description": said(query.description, _ENGLISH),
        "operationId": f"query_{query.name.replace('-', '_')}",
        "tags": list(query.tags),
        "parameters": [*parameters, *(p for p in route["parameters"] if p["in"] == "query")],
    }
