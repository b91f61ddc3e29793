"""The Reconciliation API 0.2: schemas and examples of the specification, and requests of OpenRefine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import jsonschema
import matching as bench
import pytest
import yaml
from conftest import ROOT, Server
from referencing import Registry
from referencing.jsonschema import DRAFT7
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from api.app import create_app
from api.reconciliation import version_0_2
from api.settings import Settings
from kg.release import store

ENDPOINTS = ("/reconcile", "/ja/reconcile", "/en/reconcile")
CONFORMANCE = ROOT.parent / "shared" / "conformance" / "reconciliation" / "0.2"
FORM = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}


@pytest.fixture(scope="module")
def validate(beside: Path) -> Any:
    """Validates a document against one of the community group's JSON schemas."""
    schemas = {path.name: json.loads(path.read_text()) for path in (CONFORMANCE / "schemas").glob("*.json")}
    for schema in schemas.values():
        # The schemas state no draft; their URLs are used in references between them.
        schema.pop("$schema", None)
    resources = [(s["$id"], DRAFT7.create_resource(s)) for s in schemas.values() if "$id" in s]
    registry: Registry[Any] = Registry().with_resources(resources)

    def check(document: object, name: str) -> None:
        jsonschema.Draft7Validator(schemas[f"{name}.json"], registry=registry).validate(document)

    return check


def ask(http: httpx.Client, queries: object, endpoint: str = "/en/reconcile") -> Any:
    answer = http.post(endpoint, content=urlencode({"queries": json.dumps(queries)}), headers=FORM)
    assert answer.status_code == 200, answer.text
    return answer.json()


def one(http: httpx.Client, **query: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(http, {"q0": query})["q0"]["result"]
    return found


def matched(found: list[dict[str, Any]]) -> str:
    return next((c["id"] for c in found if c["match"]), "")


def texts(key: str) -> dict[str, str]:
    return dict(yaml.safe_load((ROOT / "api" / "texts" / "reconciliation.yaml").read_text(encoding="utf-8"))[key])


# ---- the manifest ----


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_manifest_is_by_the_schema_and_leads_back(real_http: httpx.Client, validate: Any, endpoint: str) -> None:
    answer = real_http.get(endpoint)
    assert answer.headers["content-type"] == "application/json"
    manifest = answer.json()
    validate(manifest, "manifest")
    address = f"{str(real_http.base_url).rstrip('/')}{endpoint}"
    assert manifest["versions"] == ["0.2"]
    assert (manifest["identifierSpace"], manifest["schemaSpace"]) == (
        "https://w3id.org/aikg/id/",
        "https://w3id.org/aikg/ontology#",
    )
    assert manifest["preview"]["url"] == f"{address}/preview?id={{{{id}}}}"
    assert {"organization", "law", "programme"} <= {t["id"] for t in manifest["defaultTypes"]}
    # Every URL in the manifest works.
    id_ = quote("organization/riken", safe="")
    view = manifest["view"]["url"].replace("{{id}}", id_)
    viewed = real_http.get(view, headers={"accept": "text/html"}, follow_redirects=True)
    assert (viewed.status_code, viewed.url.path) == (200, "/page/organization/riken")
    assert real_http.get(manifest["preview"]["url"].replace("{{id}}", id_)).status_code == 200
    for suggest in manifest["suggest"].values():
        assert real_http.get(suggest["service_url"] + suggest["service_path"] + "?prefix=a").status_code == 200
    flyout = manifest["suggest"]["entity"]
    path = flyout["flyout_service_path"].replace("${id}", id_)
    assert real_http.get(flyout["flyout_service_url"] + path).json()["id"] == "organization/riken"
    proposed = manifest["extend"]["propose_properties"]
    assert real_http.get(f"{proposed['service_url']}{proposed['service_path']}?type=organization").status_code == 200
    assert real_http.get(manifest["logo"]).status_code == 200
    assert real_http.get(manifest["documentation"], follow_redirects=True).status_code == 200


def test_each_language_has_an_address(real_http: httpx.Client) -> None:
    names = yaml.safe_load((ROOT / "site.yaml").read_text(encoding="utf-8"))["service"]
    for language in ("ja", "en"):
        assert real_http.get(f"/{language}/reconcile").json()["name"] == names[language]
        assert real_http.get("/reconcile", headers={"accept-language": language}).json()["name"] == names[language]
        found = ask(real_http, {"q": {"query": "理研"}}, f"/{language}/reconcile")["q"]["result"][0]
        assert found["name"] == {"ja": "理化学研究所", "en": "RIKEN"}[language]
    assert "Accept-Language" in real_http.get("/reconcile").headers["vary"]


def test_addresses_follow_the_mount_path(tiny: store.Release, queries_project: Path) -> None:
    settings = Settings(project=queries_project, root_path="/aikg")
    with Server(create_app(settings, tiny)) as running, httpx.Client(trust_env=False, timeout=20) as client:
        manifest = client.get(f"{running.url}/aikg/en/reconcile").json()
        assert manifest["view"]["url"] == f"{running.url}/aikg/id/{{{{id}}}}"
        assert manifest["suggest"]["type"]["service_url"] == f"{running.url}/aikg/en/reconcile"
        assert client.get(manifest["preview"]["url"].replace("{{id}}", "law%2Fai-act")).status_code == 200
        resolved = client.get(f"{running.url}/aikg/resolve?iri=https://ror.org/01sjwvz98")
        assert resolved.headers["location"] == "/aikg/id/organization/riken"


# ---- CORS ----


@pytest.mark.parametrize(
    "path", ["/reconcile", "/ja/reconcile", "/en/reconcile/suggest/entity?prefix=x", "/resolve?iri=x"]
)
def test_any_origin_may_read_and_post(real_http: httpx.Client, path: str) -> None:
    origin = {"origin": "https://example.org"}
    assert real_http.get(path, headers=origin).headers["access-control-allow-origin"] == "*"
    preflight = real_http.options(
        path,
        headers={**origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type"},
    )
    assert preflight.status_code == 204
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "Content-Type" in preflight.headers["access-control-allow-headers"]
    assert ("POST" in preflight.headers["allow"]) is not path.startswith("/en")


def test_jsonp_is_refused_with_what_there_is_instead(real_http: httpx.Client) -> None:
    answer = real_http.get("/reconcile?callback=jsonp123")
    assert answer.status_code == 400
    assert "CORS" in answer.json()["detail"]


# ---- queries ----


def test_what_openrefine_sends_is_answered_as_it_expects(real_http: httpx.Client, validate: Any) -> None:
    """The requests of a session: types guessed from a sample, then batches with a type and a property column."""
    sample = {"q0": {"query": "理研", "limit": 3}, "q1": {"query": "産総研", "limit": 3}}
    guessed = ask(real_http, sample)
    validate(guessed, "reconciliation-result-batch")
    assert guessed.keys() == sample.keys()
    assert {c["type"][0]["id"] for found in guessed.values() for c in found["result"] if c["match"]} == {"organization"}
    queries = {
        "q0": {"query": "理研AIP", "type": "organization", "type_strict": "should"},
        "q1": {
            "query": "AIP",
            "type": "organization",
            "type_strict": "should",
            "properties": [{"pid": "unitOf", "v": "理化学研究所"}],
        },
        "q2": {
            "query": "人工知能研究センター",
            "type": "organization",
            "type_strict": "should",
            "properties": [{"pid": "unitOf", "v": {"id": "organization/aist", "name": "産業技術総合研究所"}}],
        },
        "q3": {"query": "没有此机构", "type": "organization", "type_strict": "should"},
    }
    validate(queries, "reconciliation-query-batch")
    answered = ask(real_http, queries)
    validate(answered, "reconciliation-result-batch")
    assert {key: matched(found["result"]) for key, found in answered.items()} == {
        "q0": "organization/riken-aip",
        "q1": "organization/riken-aip",
        "q2": "organization/airc",
        "q3": "",
    }
    assert {"id": "property:unitOf", "value": True} in answered["q1"]["result"][0]["features"]


def test_get_and_post_answer_the_same(real_http: httpx.Client) -> None:
    queries = {"q0": {"query": "AI法"}, "q1": {"query": "京大"}}
    by_get = real_http.get("/en/reconcile", params={"queries": json.dumps(queries)})
    assert by_get.json() == ask(real_http, queries)
    assert real_http.get("/en/reconcile", params={"queries": "{}"}).json() == {}


def test_one_query_by_itself_is_answered_too(real_http: httpx.Client) -> None:
    by_name = real_http.get("/en/reconcile", params={"query": "京大"}).json()
    as_object = real_http.get("/en/reconcile", params={"query": json.dumps({"query": "京大"})}).json()
    assert by_name == as_object
    assert matched(by_name["result"]) == "organization/kyoto-university"


@pytest.mark.parametrize("name", ["example-full", "example-min", "multi-values", "no-query-string"])
def test_the_examples_of_the_specification_are_taken(real_http: httpx.Client, validate: Any, name: str) -> None:
    queries = json.loads((CONFORMANCE / "examples/reconciliation-query-batch/valid" / f"{name}.json").read_text())
    answered = ask(real_http, queries)
    validate(answered, "reconciliation-result-batch")
    assert answered.keys() == queries.keys()


@pytest.mark.parametrize("name", ["empty-properties", "empty-query", "misnamed-property"])
def test_a_counterexample_of_the_specification_fails_alone(real_http: httpx.Client, validate: Any, name: str) -> None:
    queries = json.loads((CONFORMANCE / "examples/reconciliation-query-batch/invalid" / f"{name}.json").read_text())
    answered = ask(real_http, {**queries, "right": {"query": "東京大学"}})
    validate(answered, "reconciliation-result-batch")
    assert any(warning.startswith("queries.q") for key in queries for warning in answered[key]["warnings"])
    assert matched(answered["right"]["result"]) == "organization/university-of-tokyo"


@pytest.mark.parametrize(("queries", "detail"), [("{", "line 1, column 2"), ("[]", "queries: expected an object")])
def test_what_is_no_batch_gets_a_precise_error(real_http: httpx.Client, queries: str, detail: str) -> None:
    answer = real_http.post("/reconcile", content=urlencode({"queries": queries}), headers=FORM)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert detail in answer.json()["detail"]


@pytest.mark.parametrize("queries", ["[" * 100_000, '{"q": {"query": "x", "limit": ' + "9" * 5_000 + "}}"])
def test_a_batch_that_no_parser_takes_is_refused(real_http: httpx.Client, queries: str) -> None:
    assert real_http.post("/reconcile", content=urlencode({"queries": queries}), headers=FORM).status_code == 400


@pytest.mark.parametrize(
    ("query", "warning"),
    [
        (1, "queries.q: expected an object"),
        (None, "queries.q: expected an object"),
        ({"query": ["東大"]}, "queries.q.query: expected a string"),
        ({"query": " "}, "needs a 'query'"),
        ({"query": "　"}, "needs a 'query'"),
        ({"query": None}, "needs a 'query'"),
        ({"query": "京大", "limit": 0}, "queries.q.limit: expected a positive number"),
        ({"query": "京大", "limit": True}, "queries.q.limit"),
        ({"query": "京大", "limit": "many"}, "queries.q.limit"),
        ({"query": "京大", "type": 1}, "queries.q.type"),
        ({"query": "京大", "type_strict": "maybe"}, "queries.q.type_strict: expected one of any, all, should"),
        ({"query": "京大", "properties": {}}, "queries.q.properties: expected a list"),
        ({"query": "京大", "properties": [{"pid": "a"}]}, "queries.q.properties.0: expected an object"),
        ({"query": "京大", "properties": [{"pid": "corporateNumber", "v": {}}]}, "queries.q.properties.0.v"),
        ({"query": "京大", "surprise": 1}, "'surprise' is not a field of a query"),
        (
            {"query": "京大", "properties": [{"pid": "corporateNumbr", "v": "1"}]},
            "no record has the property 'corporateNumbr'; did you mean 'corporateNumber'?",
        ),
        ({"query": "京大", "type": ["organization", "organisation"]}, "there is no type 'organisation'"),
    ],
)
def test_an_odd_query_is_answered_alone(real_http: httpx.Client, validate: Any, query: Any, warning: str) -> None:
    answered = ask(real_http, {"q": query, "right": {"query": "東京大学"}})
    validate(answered, "reconciliation-result-batch")
    assert warning in " ".join(answered["q"]["warnings"])
    if isinstance(query, dict) and query.get("query") == "京大":
        assert matched(answered["q"]["result"]) == "organization/kyoto-university"
    assert matched(answered["right"]["result"]) == "organization/university-of-tokyo"
    assert "warnings" not in answered["right"]


def test_blank_values_and_numbers_as_text_are_taken_as_they_are_meant(real_http: httpx.Client) -> None:
    number = {"pid": "corporateNumber", "v": 1030005007111.0}
    answered = ask(
        real_http,
        {
            "null": {"query": "理化学研究所", "properties": [{"pid": "corporateNumber", "v": None}], "type": None},
            "blank": {"query": "理化学研究所", "properties": [{"pid": "corporateNumber", "v": ["", "　"]}]},
            "float": {"query": "理化学研究所", "type": "organization", "properties": [number]},
            "limit": {"query": "大学", "limit": "2"},
        },
    )
    assert not any("warnings" in answer for answer in answered.values())
    for key in ("null", "blank", "float"):
        assert matched(answered[key]["result"]) == "organization/riken"
    assert {"id": "property:corporateNumber", "value": True} in answered["float"]["result"][0]["features"]
    assert len(answered["limit"]["result"]) == 2


def test_what_is_posted_otherwise_is_refused(real_http: httpx.Client) -> None:
    as_json = real_http.post("/reconcile", json={"queries": {}})
    assert (as_json.status_code, as_json.headers["accept-post"]) == (415, "application/x-www-form-urlencoded")
    assert real_http.post("/reconcile", content="other=1", headers=FORM).status_code == 400
    assert real_http.post("/reconcile", content=b"queries=\xff", headers=FORM).status_code == 400
    assert real_http.post("/reconcile", content="queries=%FF", headers=FORM).status_code == 400
    assert real_http.delete("/reconcile").status_code == 405


def test_batches_bodies_and_candidates_are_limited(real: store.Release) -> None:
    settings = Settings(max_batch=3, max_body_bytes=3_000, candidates=2, max_candidates=4)
    with Server(create_app(settings, real)) as running, httpx.Client(base_url=running.url, trust_env=False) as client:
        assert client.get("/reconcile").json()["batchSize"] == 3
        queries = {f"q{n}": {"query": "x"} for n in range(4)}
        answer = client.post("/reconcile", content=urlencode({"queries": json.dumps(queries)}), headers=FORM)
        assert (answer.status_code, answer.json()["limit"]) == (413, 3)
        large = client.post("/reconcile", content="queries=" + "x" * 4_000, headers=FORM)
        assert (large.status_code, large.json()["limit"]) == (413, 3_000)
        cells = {"ids": ["a"] * 16, "properties": [{"id": "label"}, {"id": "since"}]}
        extended = client.post("/reconcile", content=urlencode({"extend": json.dumps(cells)}), headers=FORM)
        assert (extended.status_code, extended.json()["limit"]) == (413, 30)
        assert len(one(client, query="大学")) == 2
        assert len(one(client, query="大学", limit=3)) == 3
        assert len(one(client, query="大学", limit=99)) == 4
        assert client.post("/resolve", json={"iris": ["x"] * 4}).status_code == 413


def test_types_narrow_and_strictness_says_how_much(real_http: httpx.Client) -> None:
    assert matched(one(real_http, query="AIP", type="programme")) == "programme/aip"
    assert {c["type"][0]["id"] for c in one(real_http, query="AIP", type=["programme", "organization"])} == {
        *("programme", "organization")
    }
    # A class of the ontology is a type too, by prefix or IRI.
    for university in ("kg:University", "https://w3id.org/aikg/ontology#University"):
        assert matched(one(real_http, query="京大", type=university)) == "organization/kyoto-university"
        assert one(real_http, query="理研", type=university, type_strict="all") == []
    assert matched(one(real_http, query="京大", type=["organization", "kg:University"], type_strict="all"))
    assert one(real_http, query="京大", type="law") == []
    wished = one(real_http, query="京大", type="law", type_strict="should")
    assert "organization/kyoto-university" in {c["id"] for c in wished}
    assert matched(wished) == ""
    assert one(real_http, query="京大", type="no-such-type") == []


def test_an_id_or_identifier_as_query_finds_its_record(real_http: httpx.Client) -> None:
    for text in ("organization/riken", "https://w3id.org/aikg/id/organization/riken", "https://ror.org/01sjwvz98"):
        assert matched(one(real_http, query=text)) == "organization/riken"


def test_properties_alone_may_ask(real_http: httpx.Client) -> None:
    found = one(real_http, properties=[{"pid": "corporateNumber", "v": "T1030005007111"}])
    assert matched(found) == "organization/riken"
    by_number = one(real_http, query="AIP", properties=[{"pid": "reviewProjectId", "v": 1666}])
    assert matched(by_number) == "programme/aip"


def test_candidates_tell_why(real_http: httpx.Client) -> None:
    (best, *_) = one(real_http, query="（国研）理化学研究所")
    assert best["features"] == [
        {"id": "form:legal-form", "value": True},
        {"id": "role:name", "value": True},
        {"id": "unique", "value": True},
    ]
    assert best["description"]
    similar = one(real_http, query="tokyo universty of nothing")
    assert any(f["id"] == "similarity" and 0 < f["value"] <= 1 for f in similar[0]["features"])


# ---- suggest ----


@pytest.mark.parametrize(
    ("what", "prefix", "expected"),
    [
        ("entity", "理化学", "organization/riken"),
        ("entity", "organization/riken", "organization/riken"),
        ("entity", "AI法", "law/ai-act"),
        ("property", "法人番", "corporateNumber"),
        ("property", "corporate", "corporateNumber"),
        ("property", "corporateNumber", "corporateNumber"),
        ("type", "機関", "organization"),
        ("type", "Organ", "organization"),
        ("type", "law", "law"),
        ("type", "university", "kg:University"),
        ("type", "kg:University", "kg:University"),
    ],
)
def test_what_is_suggested(real_http: httpx.Client, validate: Any, what: str, prefix: str, expected: str) -> None:
    answer = real_http.get(f"/en/reconcile/suggest/{what}", params={"prefix": prefix})
    names = {"entity": "entities", "property": "properties", "type": "types"}
    validate(answer.json(), f"suggest-{names[what]}-response")
    assert expected in [found["id"] for found in answer.json()["result"]]


def test_suggestions_go_on_from_a_cursor_and_keep_to_a_type(real_http: httpx.Client) -> None:
    def ids(**parameters: object) -> list[str]:
        answer = real_http.get("/en/reconcile/suggest/entity", params={"prefix": "AI", **parameters})
        return [found["id"] for found in answer.json()["result"]]

    whole = ids(limit=10)
    assert ids(limit=5) + ids(limit=5, cursor=5) == whole
    assert {i.partition("/")[0] for i in ids(type="organization", type_strict="should")} == {"organization"}
    assert real_http.get("/en/reconcile/suggest/entity?prefix=x&cursor=-1").status_code == 400
    assert real_http.get("/en/reconcile/suggest/entity?prefix=x&limit=x").status_code == 400
    assert real_http.get("/en/reconcile/suggest/nothing?prefix=x").status_code == 404
    assert real_http.get("/en/reconcile/suggest/type").json()["result"]


def test_flyouts_tell_a_few_lines_without_markup_of_ours(real_http: httpx.Client) -> None:
    for what, id_ in {"entity": "law/ai-act", "property": "corporateNumber", "type": "organization"}.items():
        answer = real_http.get(f"/ja/reconcile/flyout/{what}", params={"id": id_}).json()
        assert answer["id"] == id_
        assert answer["html"].startswith("<p><strong>")
    assert real_http.get("/en/reconcile/flyout/type", params={"id": "kg:University"}).status_code == 200
    missing = real_http.get("/en/reconcile/flyout/entity", params={"id": "law/ai-akt"})
    assert (missing.status_code, missing.json()["nearest"][0]) == (404, "https://w3id.org/aikg/id/law/ai-act")
    assert real_http.get("/en/reconcile/flyout/entity").status_code == 400
    hostile = real_http.get("/en/reconcile/flyout/entity", params={"id": "<script>alert(1)</script>"})
    assert hostile.status_code == 404


# ---- extend ----


def extend(http: httpx.Client, ids: list[str], *properties: dict[str, Any], endpoint: str = "/en/reconcile") -> Any:
    body = urlencode({"extend": json.dumps({"ids": ids, "properties": list(properties)})})
    answer = http.post(endpoint, content=body, headers=FORM)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_properties_are_proposed_for_a_type(real_http: httpx.Client, validate: Any) -> None:
    answer = real_http.get("/en/reconcile/properties", params={"type": "organization", "limit": 8}).json()
    validate(answer, "data-extension-property-proposal")
    assert (answer["type"], answer["limit"], len(answer["properties"])) == ("organization", 8, 8)
    everything = real_http.get("/en/reconcile/properties", params={"type": "organization"}).json()["properties"]
    ids = {p["id"] for p in everything}
    assert {"corporateNumber", "unitOf", "jurisdiction"} <= ids
    assert "budget" not in ids
    assert "budget" in {p["id"] for p in real_http.get("/en/reconcile/properties").json()["properties"]}
    # Properties that are only inferred are not suggested.
    assert "rdfs:label" not in ids
    assert {p["id"] for p in real_http.get("/en/reconcile/properties?type=kg:University").json()["properties"]} == ids


def test_values_are_fetched_with_their_settings(real_http: httpx.Client, validate: Any) -> None:
    riken, law = "organization/riken", "law/ai-act"
    whole = extend(
        real_http,
        [riken, law, "no/such"],
        *({"id": p} for p in ("corporateNumber", "jurisdiction", "inForceFrom", "foundedYear", "sameAs")),
    )
    validate(whole, "data-extension-response")
    assert whole["rows"][riken] == {
        "corporateNumber": [{"str": "1030005007111"}],
        "jurisdiction": [{"id": "place/japan", "name": "Japan"}],
        "inForceFrom": [],
        "foundedYear": [{"str": "1917"}],
        "sameAs": whole["rows"][riken]["sameAs"],
    }
    assert {"str": "https://ror.org/01sjwvz98"} in whole["rows"][riken]["sameAs"]
    assert whole["rows"][law]["inForceFrom"] == [{"date": "2025-06-04T00:00:00Z"}]
    assert whole["rows"]["no/such"]["corporateNumber"] == []
    meta = {m["id"]: m for m in whole["meta"]}
    assert meta["jurisdiction"]["type"] == {"id": "place", "name": "Countries and regions"}
    assert meta["corporateNumber"]["name"] == "corporate number"
    expected = {
        "name": {"str": "Japan"},
        "id": {"str": "place/japan"},
        "iri": {"str": "https://w3id.org/aikg/id/place/japan"},
    }
    for content, cell in expected.items():
        answer = extend(real_http, [riken], {"id": "jurisdiction", "settings": {"content": content}})
        validate(answer, "data-extension-response")
        assert answer["rows"][riken]["jurisdiction"] == [cell]
    # OpenRefine sends numeric settings as strings.
    limited = extend(real_http, [riken], {"id": "sameAs", "settings": {"limit": "1"}})
    assert len(limited["rows"][riken]["sameAs"]) == 1
    assert len(whole["rows"][riken]["sameAs"]) > 1


def test_names_are_fetched_in_the_language_of_the_service(real_http: httpx.Client) -> None:
    for language, name in {"ja": "理化学研究所", "en": "RIKEN"}.items():
        found = extend(real_http, ["organization/riken"], {"id": "label"}, endpoint=f"/{language}/reconcile")
        assert found["rows"]["organization/riken"]["label"] == [{"str": name}]
    amounts = extend(real_http, ["programme/aip"], {"id": "budget"})
    assert all(
        cell["str"].startswith("https://w3id.org/aikg/id/programme/aip#")
        for cell in amounts["rows"]["programme/aip"]["budget"]
    )


@pytest.mark.parametrize("name", ["example-full", "example-min"])
def test_the_extensions_of_the_specification_work_or_are_refused(
    real_http: httpx.Client, validate: Any, name: str
) -> None:
    query = json.loads((CONFORMANCE / "examples/data-extension-query/valid" / f"{name}.json").read_text())
    # `literal` is a setting of another service; ours are in the manifest.
    for wanted in query["properties"]:
        wanted.get("settings", {}).pop("content", None)
    answer = extend(real_http, query["ids"], *query["properties"])
    validate(answer, "data-extension-response")
    assert list(answer["rows"]) == query["ids"]
    by_get = real_http.get("/en/reconcile", params={"extend": json.dumps(query)})
    assert by_get.json() == answer


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("x", "extend is not JSON"),
        ("[]", "extend: expected an object"),
        ('{"ids": "x", "properties": []}', "extend.ids"),
        ('{"ids": [], "properties": {}}', "extend.properties: expected a list"),
        ('{"ids": [], "properties": [1]}', "extend.properties.0"),
        ('{"ids": [], "properties": [{"id": "x", "settings": []}]}', "ok"),
        ('{"ids": [], "properties": [{"id": "x", "settings": 1}]}', "settings: expected an object"),
        ('{"ids": [], "properties": [{"id": "x", "settings": {"limit": "-1"}}]}', "settings.limit"),
        ('{"ids": [], "properties": [{"id": "x", "settings": {"content": "y"}}]}', "settings.content"),
    ],
)
def test_a_bad_extension_gets_a_precise_error(real_http: httpx.Client, query: str, detail: str) -> None:
    answer = real_http.post("/reconcile", content=urlencode({"extend": query}), headers=FORM)
    if detail == "ok":
        assert answer.status_code == 200
    else:
        assert answer.status_code == 400
        assert detail in answer.json()["detail"]


# ---- the guide ----

_GUIDE = (ROOT / "docs" / "reconciliation.md").read_text(encoding="utf-8")
_EXAMPLES = re.findall(r"```sh\n(curl .*?)\n```\n\n```text\n(.*?)```", _GUIDE, re.DOTALL)


@pytest.mark.parametrize(("command", "expected"), _EXAMPLES, ids=range(len(_EXAMPLES)))
def test_the_examples_of_the_guide_run(real_server: str, command: str, expected: str) -> None:
    """The lines of a response in the guide are in the real response, in that order."""
    if not shutil.which("curl"):
        assert not os.environ.get("CI"), "continuous integration has curl"
        pytest.skip("no curl on this machine")
    shell = command.replace("http://127.0.0.1:8000", real_server)
    result = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=60, check=True)
    output = iter(line.strip() for line in result.stdout.replace(real_server, "http://127.0.0.1:8000").splitlines())
    for line in expected.splitlines():
        assert any(line == found for found in output), (line, result.stdout)


def test_the_guide_has_the_figures_of_the_labelled_set() -> None:
    known = bench.labels()
    rows = re.findall(r"^\| (tuning|held out) \| (\d+) \|", _GUIDE, re.MULTILINE)
    counts = [
        (half, str(sum(label.half == half.replace(" ", "-") for label in known))) for half in ("tuning", "held out")
    ]
    assert rows == counts
    assert f"{len(known)} names" in _GUIDE
    assert f"{sum(not label.expected for label in known)} that must not be matched" in _GUIDE
    assert len(_EXAMPLES) >= 6


# ---- preview ----


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_preview_may_stand_in_any_frame(real_http: httpx.Client, language: str) -> None:
    answer = real_http.get(f"/{language}/reconcile/preview", params={"id": "organization/riken-aip"})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors *" in policy
    assert "script-src" not in policy
    assert "x-frame-options" not in answer.headers
    assert f'<html lang="{language}">' in answer.text
    assert {"ja": "革新知能統合研究センター", "en": "RIKEN Center"}[language] in answer.text
    assert real_http.get(f"/{language}/reconcile/preview?id=x/y").status_code == 404
    assert real_http.get(f"/{language}/reconcile/preview").status_code == 400


@pytest.fixture
def other_origin() -> Iterator[str]:
    """The URL of a page on another origin."""

    async def page(_: Request) -> HTMLResponse:
        return HTMLResponse("<!DOCTYPE html><title>client</title><main></main>")

    with Server(Starlette(routes=[Route("/", page)])) as running:
        yield running.url


@pytest.mark.browser
def test_a_client_on_another_origin_reconciles_and_shows_a_preview(
    browser: Any, real_server: str, other_origin: str
) -> None:
    """A page of another origin sends requests by script (CORS) and shows the preview in a frame of the stated size."""
    page = browser.new_page()
    page.goto(other_origin)
    manifest = page.evaluate(f"async () => (await fetch('{real_server}/en/reconcile')).json()")
    answered = page.evaluate(
        """async (endpoint) => (await fetch(endpoint, {method: 'POST', body: new URLSearchParams(
             {queries: JSON.stringify({q0: {query: '京大'}})})})).json()""",
        f"{real_server}/en/reconcile",
    )
    id_ = answered["q0"]["result"][0]["id"]
    url = manifest["preview"]["url"].replace("{{id}}", quote(id_, safe=""))
    width, height = manifest["preview"]["width"], manifest["preview"]["height"]
    page.evaluate(
        f"document.querySelector('main').innerHTML = "
        f"`<iframe title='preview' src='{url}' width='{width}' height='{height}'></iframe>`"
    )
    frame = page.frame_locator("iframe")
    frame.locator("h1").wait_for()
    assert frame.locator("h1").inner_text() == "Kyoto University"
    assert frame.locator("html").evaluate("e => e.scrollWidth") <= width
    assert frame.locator("html").evaluate("e => e.scrollHeight") <= height
    page.close()


def test_the_size_of_the_preview_is_stated(real_http: httpx.Client) -> None:
    preview = real_http.get("/reconcile").json()["preview"]
    assert (preview["width"], preview["height"]) == version_0_2.PREVIEW_SIZE
