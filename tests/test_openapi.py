"""The OpenAPI document covers every route, and is fuzzed with schemathesis on a real server."""

from __future__ import annotations

from typing import Any

import httpx
import schemathesis
from dataset import PROJECT
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import routes


def test_every_answer_is_as_described(server: str) -> None:
    schema = schemathesis.openapi.from_url(f"{server}/openapi.json")
    checks = [status_code_conformance, content_type_conformance, response_schema_conformance]
    tried: set[str] = set()
    for operation in (found.ok() for found in schema.get_all_operations()):

        @settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def is_as_described(case: Any) -> None:
            response = case.call()
            assert response.status_code != 500, response.text
            case.validate_response(response, checks=checks)

        is_as_described()
        tried.add(operation.path)
    assert len(tried) > 25


def test_every_route_is_described_and_each_stored_query_is_an_operation(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    paths = document["paths"]
    assert set(paths) == {*(route.path_format for route in routes(PROJECT.languages)), "/queries/quoting"}
    assert {p["name"] for p in paths["/queries/quoting"]["get"]["parameters"]} == {
        "provision",
        "timeout",
        "format",
        "lang",
        "evidence",
    }
    posted = paths["/sparql"]["post"]["requestBody"]["content"]
    assert set(posted) == {"application/x-www-form-urlencoded", "application/sparql-query"}
    ids = [o["operationId"] for operations in paths.values() for o in operations.values()]
    assert len(ids) == len(set(ids))


def test_the_document_says_where_and_under_which_terms(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    assert document["servers"] == [{"url": "/"}]
    assert document["info"]["description"]
    assert document["info"]["license"]["url"].startswith("https://")


def test_the_documented_media_types_are_those_returned(http: httpx.Client) -> None:
    paths = http.get("/openapi.json").json()["paths"]
    for path, name in {"/ontology": "/ontology", "/dataset": "/dataset", "/data/{path}": "/id/law/ai-act"}.items():
        for media_type in paths[path]["get"]["responses"]["200"]["content"]:
            answer = http.get(name, headers={"accept": media_type}, follow_redirects=True)
            assert answer.headers["content-type"].startswith(media_type)
