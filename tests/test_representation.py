"""Validators, conditional requests, content codings, the response cache, and range requests (RFC 9110, 9111)."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

import brotli
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyoxigraph import parse

from api.http.caching import Cache
from api.http.heads import preferred_coding
from api.http.representation import Representation
from kg.rdf import formats
from kg.release.store import Release

LAW = "/data/law/ai-act.ttl"
PAGE = "/page/law/ai-act?lang=en"
QUERY = "/sparql?query=SELECT%20*%20%7B%20?s%20?p%20?o%20%7D%20LIMIT%2050"
TARGETS = [LAW, PAGE, QUERY, "/context.jsonld", "/ontology", "/dataset?lang=en", "/static/site.css"]


def get(http: httpx.Client, path: str, **headers: str) -> httpx.Response:
    return http.get(
        path, headers={"accept-encoding": "identity", **{k.replace("_", "-"): v for k, v in headers.items()}}
    )


@pytest.mark.parametrize("path", TARGETS)
def test_what_the_client_has_is_not_sent_again(http: httpx.Client, path: str) -> None:
    first = get(http, path)
    tag = first.headers["etag"]
    assert not tag.startswith("W/")
    again = get(http, path, if_none_match=f'"other", {tag}')
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    assert "content-length" not in again.headers
    assert get(http, path, if_none_match=f"W/{tag}").status_code == 304
    assert get(http, path, if_none_match='"other"').status_code == 200
    assert get(http, path, if_modified_since=first.headers["last-modified"]).status_code == 304
    assert get(http, path, if_modified_since="Mon, 01 Jan 1990 00:00:00 GMT").status_code == 200
    # After a return to an older release, the date of the newer one is later, but not than the return.
    since_release = parsedate_to_datetime(first.headers["last-modified"]) + timedelta(seconds=1)
    assert get(http, path, if_modified_since=format_datetime(since_release, usegmt=True)).status_code == 200
    # Dates have whole seconds, and the release may have become current in this one.
    time.sleep(1.1 - datetime.now(UTC).microsecond / 1e6)
    assert get(http, path, if_modified_since=format_datetime(datetime.now(UTC), usegmt=True)).status_code == 304
    assert get(http, path, if_modified_since="Fri, 01 Jan 2100 00:00:00 GMT").status_code == 200
    # An entity tag takes precedence over a date (RFC 9110, 13.2.2).
    assert get(http, path, if_none_match='"x"', if_modified_since=first.headers["last-modified"]).status_code == 200


@pytest.mark.parametrize("path", [LAW, PAGE, QUERY])
def test_a_condition_that_fails_is_412(http: httpx.Client, path: str) -> None:
    tag = get(http, path).headers["etag"]
    assert get(http, path, if_match='"other"').status_code == 412
    assert get(http, path, if_match=tag).status_code == 200
    assert get(http, path, if_match="*").status_code == 200
    assert get(http, path, if_unmodified_since="Mon, 01 Jan 1990 00:00:00 GMT").status_code == 412


@pytest.mark.parametrize("written", ["nonsense", '"', "", "Mon, 99 Foo 1990 00:00:00 GMT", ",,,", 'W/"'])
def test_conditions_that_cannot_be_read_are_passed_over(http: httpx.Client, written: str) -> None:
    for name in ("if_none_match", "if_modified_since", "if_unmodified_since"):
        assert get(http, LAW, **{name: written}).status_code == 200


@pytest.mark.parametrize("path", TARGETS[:-1])
def test_each_coding_has_its_own_tag_and_the_same_content(http: httpx.Client, path: str) -> None:
    plain, packed, brotlied = (get(http, path, accept_encoding=c) for c in ("identity", "gzip", "br"))
    tags = {r.headers["etag"] for r in (plain, packed, brotlied)}
    assert len(tags) == 3
    assert packed.headers["content-encoding"] == "gzip"
    assert brotlied.headers["content-encoding"] == "br"
    assert plain.content == packed.content
    assert all("Accept-Encoding" in r.headers["vary"] for r in (plain, packed, brotlied))
    assert int(packed.headers["content-length"]) < len(plain.content)
    assert get(http, path, accept_encoding="gzip", if_none_match=plain.headers["etag"]).status_code == 200
    assert get(http, path, accept_encoding="gzip", if_none_match=packed.headers["etag"]).status_code == 304


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip;q=1.0, br;q=0.5", "gzip"),
        ("*", "br"),
        ("br;q=0, *", "gzip"),
        ("identity", "identity"),
        ("gzip;q=0", "identity"),
        ("deflate", "identity"),
        ("GZIP", "gzip"),
        ("gzip;q=0.2, identity;q=0.9", "identity"),
        ("", "identity"),
        ("gzip;q=x", "identity"),
    ],
)
def test_the_coding_is_the_best_that_is_taken(accepted: str, coding: str) -> None:
    assert preferred_coding(accepted) == coding


def test_bodies_are_compressed_once_and_deterministically() -> None:
    made = [Representation(200, [(b"content-type", b"text/turtle")], b"abc" * 1_000, "t", True, True) for _ in range(2)]
    assert made[0].body_in("gzip") is made[0].body_in("gzip")
    assert made[0].body_in("gzip") == made[1].body_in("gzip")
    assert gzip.decompress(made[0].body_in("gzip")) == brotli.decompress(made[0].body_in("br")) == made[0].body


def test_the_tag_names_the_release_and_changes_with_the_variant(http: httpx.Client, tiny: Release) -> None:
    tags = [get(http, f"/data/law/ai-act.{f.name}").headers["etag"] for f in formats.RDF_FORMATS]
    assert len(set(tags)) == len(tags)
    assert all(tag.startswith(f'"{tiny.manifest.id[:8]}.') for tag in tags)
    issued = parsedate_to_datetime(get(http, LAW).headers["last-modified"])
    assert issued.isoformat() == tiny.manifest.issued


def test_the_same_is_answered_from_the_cache(http: httpx.Client) -> None:
    def hits() -> float:
        text = http.get("/metrics").text
        found = re.search(r'kg_cached_answers_total\{outcome="hit"\} (\S+)', text)
        return float(found[1]) if found else 0.0

    first = get(http, "/data/programme/genai.ttl")
    before = hits()
    # Another request for the same variant.
    assert get(http, "/data/programme/genai.ttl", accept="text/turtle;q=1.0").content == first.content
    same = get(http, "/data/programme/genai.ttl")
    assert same.content == first.content
    assert hits() > before


def test_the_cache_never_mixes_variants(http: httpx.Client) -> None:
    for _ in range(2):
        for syntax in formats.RDF_FORMATS:
            assert (
                get(http, "/ontology", accept=syntax.media_type).headers["content-type"].startswith(syntax.media_type)
            )
        for language in ("ja", "en"):
            moved = http.get("/about", headers={"accept-language": language})
            assert moved.headers["location"].endswith(f"lang={language}")
            kept = http.get("/about", headers={"cookie": f"lang={language}", "accept-language": "fr"})
            assert kept.headers["location"].endswith(f"lang={language}")
        for host in ("a.example", "b.example"):
            assert f"<http://{host}/sparql>" in get(http, "/sparql", accept="text/turtle", host=host).text


def test_the_cache_is_bounded_and_gives_up_what_was_used_least() -> None:
    cache = Cache(10_000)
    for number in range(100):
        cache.put(number, Representation(200, [], b"x" * 1_500, "t", True, True))
        cache.get(0)
    assert cache.bytes <= 10_000
    assert len(cache) == 4
    assert cache.get(0) is not None
    assert cache.get(1) is None
    cache.put("large", Representation(200, [], b"x" * 20_000, "t", True, True))
    assert cache.get("large") is None
    cache.put(0, Representation(200, [], b"", "t", True, True))
    assert cache.bytes <= 10_000


def test_single_requests_do_not_evict_repeated_ones() -> None:
    cache = Cache(100_000)

    def page() -> Representation:
        return Representation(200, [], b"x" * 1_500, "t", True, True)

    for number in range(10):
        cache.put(("read", number), page())
        assert cache.get(("read", number))
    for number in range(1_000):
        cache.put(("crawled", number), page())
    assert all(cache.get(("read", number)) for number in range(10))
    assert cache.get(("crawled", 999))
    # Nor can cached responses fill the memory permanently.
    for number in range(1_000):
        cache.put(("later", number), page())
        assert cache.get(("later", number))
    assert cache.get(("read", 0)) is None
    assert cache.bytes <= 100_000


# ---- negotiation ----

_RANGE = st.sampled_from(
    ["text/turtle", "*/*", "text/*", "text/html", "application/ld+json", "image/png", "text/plain", "x"]
)
_WEIGHT = st.sampled_from(
    ["", ";q=0", ";q=0.5", ";q=1.0", ";q=2", ";q=x", "; q = 0.3", ';p="a,b;q=0";q=0.7', ";level=1"]
)
_ACCEPT = st.lists(st.tuples(_RANGE, _WEIGHT).map("".join), max_size=6).map(", ".join)


@given(_ACCEPT)
def test_the_best_offer_has_the_greatest_weight_of_its_most_specific_range(header: str) -> None:
    offers = [(f.media_type,) for f in formats.RDF_FORMATS] + [(formats.HTML,)]
    ranges = formats.parse_accept(header)

    def weight(media_type: str) -> float:
        for name in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
            if name in ranges:
                return ranges[name]
        return 0.0

    best = formats.negotiate(header, offers)
    weights = [weight(names[0]) for names in offers]
    if not header.strip():
        assert best == 0
    elif best is None:
        assert max(weights) == 0
    else:
        assert weights[best] == max(weights) > 0
        assert weights[best] not in weights[:best]


@given(_ACCEPT, _ACCEPT)
def test_equal_keys_are_negotiated_alike(one: str, other: str) -> None:
    if formats.accept_key(one) == formats.accept_key(other):
        offers = [(f.media_type, *f.aliases) for f in formats.RDF_FORMATS] + [(formats.HTML, formats.XHTML)]
        assert formats.negotiate(one, offers) == formats.negotiate(other, offers)


@given(st.text(max_size=100))
def test_any_accept_header_can_be_read(header: str) -> None:
    assert all(0.0 <= q <= 1.0 for q in formats.parse_accept(header).values())


# ---- dumps ----


def test_each_dump_is_the_dataset(http: httpx.Client, tiny: Release) -> None:
    listing = http.get("/dumps", headers={"accept": "application/json"}).json()
    assert set(listing["files"]) == {f"dataset.{f.name}.gz" for f in formats.RDF_FORMATS}
    merged = {q.triple for q in tiny.store}
    named = {q for q in tiny.store if str(q.graph_name) != "DEFAULT"}
    for syntax in formats.RDF_FORMATS:
        fields = listing["files"][f"dataset.{syntax.name}.gz"]
        response = http.get(httpx.URL(fields["url"]).path)
        assert len(response.content) == fields["bytes"]
        digest = hashlib.sha256(response.content)
        assert digest.hexdigest() == fields["sha256"]
        assert response.headers["repr-digest"] == f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
        assert response.headers["content-type"] == "application/gzip"
        quads = set(parse(gzip.decompress(response.content), format=syntax.syntax))
        assert quads == named if syntax.has_graphs else {q.triple for q in quads} == merged


def test_a_dump_comes_in_parts(http: httpx.Client) -> None:
    moved = http.get("/dumps/dataset.nq.gz")
    assert moved.status_code == 307
    path = moved.headers["location"]
    whole = http.get(path)
    part = http.get(path, headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole.content)}"
    assert http.get(path, headers={"range": "bytes=-5"}).content == whole.content[-5:]
    assert http.get(path, headers={"range": f"bytes={len(whole.content)}-"}).status_code == 416
    fresh = http.get(path, headers={"range": "bytes=0-4", "if-range": whole.headers["etag"]})
    assert fresh.status_code == 206
    stale = http.get(path, headers={"range": "bytes=0-4", "if-range": '"other"'})
    assert (stale.status_code, stale.content) == (200, whole.content)
    assert http.get(path, headers={"if-none-match": whole.headers["etag"]}).status_code == 304
    head = http.head(path)
    assert head.headers["content-length"] == str(len(whole.content))
    assert "immutable" in head.headers["cache-control"]


def test_an_unknown_dump_says_what_there_is(http: httpx.Client, tiny: Release) -> None:
    for path in ("/dumps/x.nq.gz", f"/dumps/{tiny.manifest.id[:16]}/x", f"/dumps/{'0' * 16}/dataset.nq.gz"):
        assert http.get(path).status_code == 404
    assert "dataset.nq.gz" in http.get("/dumps/x.nq.gz").json()["detail"]


def test_a_page_of_dumps_is_part_of_the_dataset(http: httpx.Client) -> None:
    browser: dict[str, Any] = {"headers": {"accept": "text/html"}, "follow_redirects": True}
    text = http.get("/dumps?lang=en", **browser).text
    assert 'id="ui-dumps"' in text
    assert "dataset.ttl.gz" in text
