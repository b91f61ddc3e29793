"""The language of a page. It is part of the URL; a URL without one redirects to the negotiated language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import RedirectResponse, Response

COOKIE = "lang"
_ONE_YEAR = 31_536_000


class _Range(NamedTuple):
    quality: float
    tag: str


def offered(request: Request) -> tuple[str, ...]:
    """The languages of the site's pages; the first is the default."""
    return cast(tuple[str, ...], request.scope["state"]["site"].project.languages)


def negotiated(request: Request) -> str:
    """The preferred language: by cookie, else the best match of Accept-Language (RFC 9110, 12.5.4), else the first."""
    return key(request.headers, offered(request))


def key(headers: Headers, languages: Sequence[str]) -> str:
    """The language for these headers, as a cache key: responses depend on them in no other way."""
    return preferred(headers.get("accept-language", ""), headers.get("cookie", ""), languages)


def preferred(tongues: str, cookie: str, languages: Sequence[str]) -> str:
    """The preferred language for the values of the Accept-Language and Cookie headers."""
    chosen = cookie_parser(cookie).get(COOKIE) if cookie else None
    if chosen in languages:
        return str(chosen)
    best = _Range(0.0, languages[0])
    for part in tongues.split(","):
        tag, _, parameter = part.strip().partition(";")
        _, _, written = parameter.partition("=")
        try:
            quality = float(written) if written else 1.0
        except ValueError:
            continue
        primary = tag.strip().lower().partition("-")[0]
        if primary in languages and quality > best.quality:
            best = _Range(quality, primary)
    return best.tag


def chosen(request: Request) -> str | None:
    """The language in the URL, if supported."""
    language = request.query_params.get("lang", "")
    return language if language in offered(request) else None


def language_of(request: Request) -> str:
    """The language of a response that does not redirect, such as an error or the response to a POST."""
    return chosen(request) or negotiated(request)


def redirect(request: Request) -> Response | None:
    """The redirect that adds the language to the URL or stores it in a cookie; None if not needed."""
    language = chosen(request)
    keeps = "remember" in request.query_params
    if language and not keeps:
        return None
    pairs = [(k, v) for k, v in parse_qsl(request.url.query, keep_blank_values=True) if k not in ("lang", "remember")]
    # A query alone would be a valid reference (RFC 3986, 5.2), but some clients need a path.
    target = f"{request.url.path}?{urlencode([('lang', language or negotiated(request)), *pairs])}"
    response = RedirectResponse(target, 303 if keeps else 302)
    response.headers["Vary"] = "Accept, Accept-Language, Cookie"
    response.headers["Cache-Control"] = "no-cache"
    if language and keeps:
        path = request.scope.get("root_path") or "/"
        response.set_cookie(COOKIE, language, max_age=_ONE_YEAR, path=path, samesite="lax", httponly=True)
    return response
