"""The draft of the Reconciliation API 1.0, beside 0.2: its schemas, and requests as it describes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from referencing import Registry
from referencing.jsonschema import DRAFT7

ENDPOINTS = ("/reconcile/1.0", "/ja/reconcile/1.0", "/en/reconcile/1.0")
RIKEN = "organization/riken"


@pytest.fixture(scope="module")
def validate(beside: Path) -> Any:
    """Validates a document against one of the community group's JSON schemas."""
    folder = beside / "conformance" / "reconciliation" / "1.0-draft" / "schemas"
    schemas = {path.name: json.loads(path.read_text()) for path in folder.glob("*.json")}
    for schema in schemas.values():
        # The schemas state no draft; their URLs are used in references between them.
        schema.pop("$schema", None)
    resources = [(s["$id"], DRAFT7.create_resource(s)) for s in schemas.values() if "$id" in s]
    registry: Registry[Any] = Registry().with_resources(resources)

    def check(document: object, name: str) -> None:
        jsonschema.Draft7Validator(schemas[f"{name}.json"], registry=registry).validate(document)

    return check


def condition(kind: str, value: object, **more: object) -> dict[str, object]:
    return {"matchType": kind, "propertyValue": value, **more}


def named(value: object, *others: dict[str, object], **more: object) -> dict[str, object]:
    return {"conditions": [condition("name", value), *others], **more}


def having(id_: str, value: object, **more: object) -> dict[str, object]:
    return condition("property", value, propertyId=id_, **more)


def ask(http: httpx.Client, *queries: object) -> list[dict[str, Any]]:
    answer = http.post("/en/reconcile/1.0/match", json={"queries": queries})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["results"]
    assert len(found) == len(queries)
    return found


def matched(result: dict[str, Any]) -> str:
    return next((c["id"] for c in result["candidates"] if c["match"]), "")


def ids(result: dict[str, Any]) -> list[str]:
    return [c["id"] for c in result["candidates"]]


def test_every_answer_is_by_the_schemas_of_the_draft(real_http: httpx.Client, validate: Any) -> None:
    for endpoint in ENDPOINTS:
        validate(real_http.get(endpoint).json(), "manifest")
    batch = {"queries": [named("理研", having("corporateNumber", "1030005007111"), type="organization"), named("　")]}
    validate(batch, "reconciliation-query-batch")
    validate(real_http.post("/ja/reconcile/1.0/match", json=batch).json(), "reconciliation-result-batch")
    for what, plural in (("entity", "entities"), ("property", "properties"), ("type", "types")):
        answer = real_http.get(f"/ja/reconcile/1.0/suggest/{what}?prefix=o&limit=3").json()
        validate(answer, f"suggest-{plural}-response")
    proposed = real_http.get("/ja/reconcile/1.0/extend/propose?type=organization&limit=4").json()
    validate(proposed, "data-extension-property-proposal")
    extension = {"ids": [RIKEN, "organization/none"], "properties": [{"id": "corporateNumber"}, {"id": "jurisdiction"}]}
    validate(extension, "data-extension-query")
    validate(real_http.post("/ja/reconcile/1.0/extend", json=extension).json(), "data-extension-response")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_manifest_of_the_draft_leads_back(real_http: httpx.Client, endpoint: str) -> None:
    answer = real_http.get(endpoint, headers={"origin": "https://example.org"})
    assert answer.headers["access-control-allow-origin"] == "*"
    manifest = answer.json()
    assert (manifest["versions"], manifest["standardizedScore"]) == (["1.0-draft"], True)
    # The version of a manifest is that of the endpoint: clients of 0.2 are not told of what they cannot read.
    assert real_http.get(endpoint.removesuffix("/1.0")).json()["versions"] == ["0.2"]
    viewed = real_http.get(
        manifest["view"]["url"].replace("{+id}", RIKEN), headers={"accept": "text/html"}, follow_redirects=True
    )
    assert (viewed.status_code, viewed.url.path) == (200, f"/page/{RIKEN}")
    assert real_http.get(manifest["documentation"], follow_redirects=True).status_code == 200
    assert real_http.get(f"{endpoint}/preview?id={RIKEN}").headers["content-type"].startswith("text/html")
    assert real_http.options(f"{endpoint}/match", headers={"origin": "https://example.org"}).status_code < 400


def test_results_have_the_order_of_the_queries(real_http: httpx.Client) -> None:
    found = ask(real_http, named("東大", type="organization"), named(" "), "odd", named("（国研）理化学研究所"))
    assert [matched(result) for result in found] == ["organization/university-of-tokyo", "", "", RIKEN]
    assert [bool(result.get("warnings")) for result in found] == [False, True, True, False]
    [best, *_] = found[3]["candidates"]
    assert 0 <= best["score"] <= 100
    # Features say in words what 0.2 says by ID.
    assert {"id": "form:legal-form", "name": "except for the legal form", "value": True} in best["features"]
    assert all(feature["name"] for feature in best["features"])


def test_an_id_finds_its_record_and_no_name(real_http: httpx.Client) -> None:
    by_id, by_name, other = ask(
        real_http,
        {"conditions": [condition("id", RIKEN)]},
        {"conditions": [condition("id", "東大")]},
        named("RIKEN", condition("id", RIKEN, matchQuantifier="none", required=True)),
    )
    assert matched(by_id) == RIKEN
    assert by_name["candidates"] == []
    assert RIKEN not in ids(other)


def test_conditions_decide_between_candidates(real_http: httpx.Client) -> None:
    aip, required, of_another = ask(
        real_http,
        named("AIP", having("unitOf", "理研")),
        named("AIP", having("unitOf", "理研", required=True)),
        named("東大", having("corporateNumber", "1030005007111", required=True), type="organization"),
    )
    assert matched(aip) == "organization/riken-aip"
    assert ids(required) == ["organization/riken-aip"]
    assert "organization/university-of-tokyo" not in ids(of_another)


def test_quantifiers_say_which_values_must_agree(real_http: httpx.Client) -> None:
    numbers = ["1030005007111", "5010005007398"]
    found = ask(
        real_http,
        *(
            named("理研", having("corporateNumber", numbers, matchQuantifier=q, required=True))
            for q in ("any", "all", "none")
        ),
        named("理研", having("corporateNumber", numbers, matchQuantifier="all")),
        named(["理研", "東大"], type="organization"),
        {"conditions": [condition("name", ["理研", "RIKEN"], matchQuantifier="all")], "type": "organization"},
    )
    assert [RIKEN in ids(result) for result in found[:3]] == [True, False, False]
    # What is not required ranks a candidate lower, and no match is made of it.
    assert RIKEN in ids(found[3])
    assert matched(found[3]) == ""
    # Either name is looked up; two records for one cell are for a person to choose from.
    assert {RIKEN, "organization/university-of-tokyo"} <= set(ids(found[4]))
    assert matched(found[4]) == ""
    assert matched(found[5]) == RIKEN


@pytest.mark.parametrize(
    ("query", "warning"),
    [
        ({"conditions": "理研"}, "queries.0.conditions: expected a list"),
        ({"conditions": []}, "queries.0: needs a condition"),
        ({"conditions": [{"matchType": "name"}]}, "queries.0.conditions.0: expected 'propertyValue'"),
        (named("理研", condition("property", "x")), "queries.0.conditions.1.propertyId: expected the id"),
        (named("理研", having("corpNumber", "x")), "no record has the property 'corpNumber'"),
        (named("理研", condition("name", "x", matchQuantifier="none")), "conditions.1.matchQuantifier: 'none' is for"),
        (named("理研", having("unitOf", "x", matchQuantifier="most")), "conditions.1.matchQuantifier: expected one of"),
        (named("理研", having("unitOf", "x", matchQualifier="ExactMatch")), "'matchQualifier' is not used"),
        (named("理研", having("unitOf", [{}])), "conditions.1.propertyValue: expected strings"),
        (named("理研", type="ministry"), "there is no type 'ministry'"),
        (named("理研", limit="many"), "queries.0.limit: expected a positive number"),
        (named("理研", query="x"), "queries.0: 'query' is not used"),
    ],
)
def test_what_cannot_be_used_of_a_query_is_said(real_http: httpx.Client, query: object, warning: str) -> None:
    [result] = ask(real_http, query)
    assert any(warning in told for told in result["warnings"]), result["warnings"]


@pytest.mark.parametrize("body", [[], {}, {"queries": {}}, "x"])
def test_what_is_no_batch_of_the_draft_is_refused(real_http: httpx.Client, body: object) -> None:
    answer = real_http.post("/reconcile/1.0/match", json=body)
    assert answer.status_code == 400
    assert "list of 'queries'" in answer.json()["detail"]
    assert real_http.post("/reconcile/1.0/match", data={"queries": "{}"}).status_code == 415


def test_batches_of_the_draft_are_limited(real_http: httpx.Client) -> None:
    answer = real_http.post("/reconcile/1.0/match", json={"queries": [named("x")] * 501})
    assert (answer.status_code, answer.json()["limit"]) == (413, 500)


def test_suggestions_are_skipped_with_an_offset(real_http: httpx.Client) -> None:
    path = "/ja/reconcile/1.0/suggest/entity?prefix=大学"
    all_ = [one["id"] for one in real_http.get(f"{path}&limit=4").json()["result"]]
    assert len(all_) == 4
    assert [one["id"] for one in real_http.get(f"{path}&limit=2&offset=2").json()["result"]] == all_[2:]
    assert real_http.get(f"/ja/reconcile/1.0/suggest/entity?prefix={RIKEN}").json()["result"][0]["id"] == RIKEN


def test_values_come_in_rows_in_the_order_asked(real_http: httpx.Client) -> None:
    properties = [{"id": "corporateNumber"}, {"id": "jurisdiction", "settings": {"content": "id"}}]
    answer = real_http.post(
        "/ja/reconcile/1.0/extend", json={"ids": ["organization/none", RIKEN], "properties": properties}
    ).json()
    assert [meta["name"] for meta in answer["meta"]] == ["法人番号", "国・地域"]
    assert answer["rows"] == [
        {
            "id": "organization/none",
            "properties": [{"id": "corporateNumber", "values": []}, {"id": "jurisdiction", "values": []}],
        },
        {
            "id": RIKEN,
            "properties": [
                {"id": "corporateNumber", "values": [{"str": "1030005007111"}]},
                {"id": "jurisdiction", "values": [{"str": "place/japan"}]},
            ],
        },
    ]
    refused = real_http.post("/reconcile/1.0/extend", json={"ids": RIKEN, "properties": []})
    assert (refused.status_code, "extend.ids" in refused.json()["detail"]) == (400, True)
