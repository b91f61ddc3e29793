"""Crawlers: a bounded number of addresses, and for each page one canonical address, its languages and a description."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import httpx
import pytest

HTML = {"accept": "text/html"}


def _closed(http: httpx.Client) -> list[re.Pattern[str]]:
    """The `Disallow` lines as patterns (RFC 9309: `*` is any text)."""
    lines = http.get("/robots.txt").text.splitlines()
    paths = [line.removeprefix("Disallow: ") for line in lines if line.startswith("Disallow: ")]
    return [re.compile(re.escape(path).replace(r"\*", ".*")) for path in paths]


@pytest.mark.parametrize(
    "path",
    [
        "/explain?lang=ja&subject=law:ai-act",
        "/explore?lang=en&node=law/ai-act",
        "/explore?from=law/ai-act&to=place/japan",
        "/about?lang=ja&record=law/ai-act",
        "/page/law/ai-act?lang=ja&remember=1",
        "/sparql?lang=ja&query=SELECT",
        "/sparql?query=SELECT",
        "/why?query=SELECT",
    ],
)
def test_endless_addresses_are_closed(http: httpx.Client, path: str) -> None:
    assert any(pattern.match(path) for pattern in _closed(http))


@pytest.mark.parametrize(
    "path",
    ["/", "/sparql", "/sparql?lang=ja", "/explore?lang=en", "/about?lang=ja", "/page/law/ai-act?lang=ja", "/search"],
)
def test_pages_are_open(http: httpx.Client, path: str) -> None:
    assert not any(pattern.match(path) for pattern in _closed(http))


def test_a_crawl_ends(http: httpx.Client, server: str) -> None:
    """Following every link that is allowed, from the front page on, meets a bounded number of addresses."""
    closed, seen, waiting = _closed(http), set[str](), ["/"]
    while waiting:
        path = waiting.pop()
        if path in seen or any(pattern.match(path) for pattern in closed):
            continue
        seen.add(path)
        assert len(seen) < 3_000, sorted(seen)[:50]
        found = http.get(path, headers=HTML, follow_redirects=True)
        if found.headers["content-type"].startswith("text/html"):
            waiting += [
                url.path + (f"?{url.query}" if url.query else "")
                for href in re.findall(r'<a\b(?![^>]*nofollow)[^>]*\bhref="([^"#]+)', found.text)
                if (url := urlsplit(href.replace("&amp;", "&"))).netloc in ("", urlsplit(server).netloc) and url.path
            ]


@pytest.mark.parametrize("path", ["/", "/sparql", "/page/law/ai-act", "/charts", "/about"])
def test_a_page_says_its_address_its_languages_and_what_it_is(http: httpx.Client, server: str, path: str) -> None:
    text = http.get(f"{path}?lang=ja&remembered=1", headers=HTML).text
    assert f'<link rel="canonical" href="{server}{path}?lang=ja">' in text
    alternates = dict(re.findall(r'<link rel="alternate" hreflang="([^"]+)" href="([^"]+)">', text))
    assert alternates == {
        "ja": f"{server}{path}?lang=ja",
        "en": f"{server}{path}?lang=en",
        "x-default": f"{server}{path}",
    }
    (described,) = re.findall(r'<meta name="description" content="([^"]+)">', text)
    assert 20 <= len(described) <= 160
