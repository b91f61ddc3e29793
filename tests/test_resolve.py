"""`/resolve`: the record for an identifier in any written form, or the reason why there is none."""

from __future__ import annotations

import httpx
import pytest

JSON = {"accept": "application/json"}
FORMS = {
    "organization/riken": [
        "https://ror.org/01sjwvz98",
        "http://ror.org/01sjwvz98/",
        "www.ror.org/01sjwvz98",
        "01sjwvz98",
        "https://isni.org/isni/0000000094465255",
        "0000 0000 9446 5255",
        "Q1153275",
        "https://www.wikidata.org/wiki/Q1153275",
        "1030005007111",
        "T1030005007111",
        "１０３０００５００７１１１",
        "法人番号 1030005007111",
        "https://doi.org/10.13039/501100006264",
        "doi:10.13039/501100006264",
        "https://www.riken.jp/",
        "riken.jp/",
        "https://w3id.org/aikg/id/organization/riken",
        "https://w3id.org/aikg/data/organization/riken.ttl",
        "https://w3id.org/aikg/page/organization/riken?lang=ja#x",
        "organization/riken",
        "organization:riken",
        "機関番号82401",
    ],
    "law/ai-act": [
        "507AC0000000053",
        "https://laws.e-gov.go.jp/law/507AC0000000053",
        "令和7年法律第53号",
        "R7法53",
    ],
    "programme/aip": ["予算事業ID 1666", "予算事業ＩＤ：００１６６６"],
    "place/japan": ["http://www.wikidata.org/entity/Q17", "https://sws.geonames.org/1861060"],
}


@pytest.mark.parametrize(("path", "text"), [(path, text) for path, texts in FORMS.items() for text in texts])
def test_every_written_form_leads_to_the_record(real_http: httpx.Client, path: str, text: str) -> None:
    answer = real_http.get("/resolve", params={"iri": text})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/id/{path}")
    told = real_http.get("/resolve", params={"iri": text}, headers=JSON).json()
    assert [match["id"] for match in told["matches"]] == [path]


def test_a_browser_ends_on_the_page(real_http: httpx.Client) -> None:
    answer = real_http.get(
        "/resolve", params={"iri": "01sjwvz98"}, headers={"accept": "text/html"}, follow_redirects=True
    )
    assert (answer.status_code, answer.url.path) == (200, "/page/organization/riken")
    data = real_http.get(
        "/resolve", params={"iri": "01sjwvz98"}, headers={"accept": "text/turtle"}, follow_redirects=True
    )
    assert data.url.path == "/data/organization/riken.ttl"


def test_json_is_chosen_by_accept_or_by_format(real_http: httpx.Client) -> None:
    by_accept = real_http.get("/resolve?iri=Q17&lang=en", headers=JSON)
    by_format = real_http.get("/resolve?iri=Q17&lang=en&format=json")
    assert by_accept.json() == by_format.json()
    assert by_format.json()["matches"] == [
        {
            "iri": "https://w3id.org/aikg/id/place/japan",
            "id": "place/japan",
            "name": "Japan",
            "href": "/page/place/japan?lang=en",
        }
    ]
    assert "Accept" in by_accept.headers["vary"]


@pytest.mark.parametrize(
    ("text", "kind", "detail"),
    [
        (
            "1030005007112",
            "bad-identifier",
            "not a valid corporate number: the check digit, its first, is 1 and would be 9",
        ),
        ("https://ror.org/01sjwvz99", "bad-identifier", "not a valid ror: the check digits, its last two"),
        ("0000 0000 9446 5256", "bad-identifier", "not a valid isni"),
        ("Q42", "unknown-identifier", "no record has the identifier 'Q42'"),
        ("令和6年法律第1号", "unknown-identifier", "no record has"),
        ("1666", "unknown-identifier", "no record has"),
        ("x" * 5000, "unknown-identifier", "no record has"),
    ],
)
def test_what_leads_nowhere_says_why(real_http: httpx.Client, text: str, kind: str, detail: str) -> None:
    answer = real_http.get("/resolve", params={"iri": text})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"urn:aikg:problem:{kind}"
    assert detail in problem["detail"]


def test_similar_records_are_suggested(real_http: httpx.Client) -> None:
    for text in ("organization/rikenn", "理化学研究"):
        problem = real_http.get("/resolve", params={"iri": text}).json()
        assert "https://w3id.org/aikg/id/organization/riken" in problem["nearest"]
    page = real_http.get("/resolve", params={"iri": "1030005007112", "lang": "ja"}, headers={"accept": "text/html"})
    assert page.status_code == 404
    assert "チェックディジット" in page.text
    terminal = real_http.get("/resolve", params={"iri": "1030005007112"}, headers={"user-agent": "curl/8"})
    assert terminal.text.startswith("404 Not found: '1030005007112' is not a valid corporate number")


def test_a_bare_number_is_resolved_by_its_scheme(real_http: httpx.Client) -> None:
    for scheme, number, path in [
        ("review-project", "001666", "programme/aip"),
        ("institution-number", "12601", "organization/university-of-tokyo"),
        ("corporate-number", "1030005007111", "organization/riken"),
    ]:
        answer = real_http.get("/resolve", params={"iri": number, "scheme": scheme})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/id/{path}")
        (result,) = real_http.post("/resolve", json={"iris": [number], "scheme": scheme}).json()["results"]
        assert [match["id"] for match in result["matches"]] == [path]
    assert real_http.get("/resolve?iri=Q17&scheme=ror").status_code == 404
    unknown = real_http.get("/resolve?iri=1&scheme=x")
    assert (unknown.status_code, "review-project" in unknown.json()["detail"]) == (400, True)
    assert real_http.post("/resolve", json={"iris": [], "scheme": {}}).status_code == 200
    assert real_http.post("/resolve", json={"iris": [], "scheme": ["x"]}).status_code == 400


def test_nothing_asked_is_an_error(real_http: httpx.Client) -> None:
    for query in ("", "?iri=", "?iri=%20", "?other=1"):
        assert real_http.get(f"/resolve{query}").status_code == 400


def test_many_are_answered_in_order_each_with_its_reason(real_http: httpx.Client) -> None:
    asked = ["T1030005007111", "nothing", "https://ror.org/02kpeqv85", "1030005007112", ""]
    answer = real_http.post("/resolve", json={"iris": asked})
    assert answer.headers["cache-control"] == "no-store"
    results = answer.json()["results"]
    assert [r["iri"] for r in results] == asked
    assert [[m["id"] for m in r["matches"]] for r in results] == [
        *(["organization/riken"], [], ["organization/kyoto-university"], [], [])
    ]
    assert "reason" not in results[0]
    assert "check digit" in results[3]["reason"]
    assert real_http.post("/resolve", json={"iris": []}).json() == {"results": []}


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"iris": "x"}', '{"iris": [1]}', "null"])
def test_a_bad_list_is_an_error(real_http: httpx.Client, body: str) -> None:
    answer = real_http.post("/resolve", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


def test_only_json_is_posted(real_http: httpx.Client) -> None:
    answer = real_http.post("/resolve", data={"iris": "x"})
    assert (answer.status_code, answer.headers["accept-post"]) == (415, "application/json")


def test_a_release_with_a_base_of_its_own_resolves_to_it(real_http: httpx.Client) -> None:
    """Results have the IRIs of this release; the path or file of a record is always accepted."""
    (match,) = real_http.get("/resolve?iri=Q17", headers=JSON).json()["matches"]
    assert real_http.get("/resolve", params={"iri": match["iri"]}).status_code == 303
