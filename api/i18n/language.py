"""The language of a page: in its URL, else negotiated (cookie, then Accept-Language) and redirected to."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import RedirectResponse, Response

from api.i18n.texts import LANGUAGES

COOKIE = "lang"
_ONE_YEAR = 31_536_000


class _Range(NamedTuple):
    quality: float
    tag: str


def negotiated(request: Request) -> str:
    """The reader's language: the cookie, else the best match of Accept-Language (RFC 9110, 12.5.4), else the first."""
    return key(request.headers)


def key(headers: Headers) -> str:
    """The language that the header fields ask for: all that an answer may depend on of them."""
    return preferred(headers.get("accept-language", ""), headers.get("cookie", ""))


def preferred(tongues: str, cookie: str) -> str:
    """The language that an Accept-Language and a Cookie header ask for."""
    chosen = cookie_parser(cookie).get(COOKIE) if cookie else None
    if chosen in LANGUAGES:
        return str(chosen)
    best = _Range(0.0, LANGUAGES[0])
    for part in tongues.split(","):
        tag, _, parameter = part.strip().partition(";")
        _, _, written = parameter.partition("=")
        try:
            quality = float(written) if written else 1.0
        except ValueError:
            continue
        primary = tag.strip().lower().partition("-")[0]
        if primary in LANGUAGES and quality > best.quality:
            best = _Range(quality, primary)
    return best.tag


def chosen(request: Request) -> str | None:
    """The language that the URL names, if it is one of ours."""
    language = request.query_params.get("lang", "")
    return language if language in LANGUAGES else None


def language_of(request: Request) -> str:
    """The language to answer in, without a redirect: for errors and answers to POST."""
    return chosen(request) or negotiated(request)


def redirect(request: Request) -> Response | None:
    """The redirect that puts the language into the URL, or keeps a choice in a cookie; None when neither is due."""
    language = chosen(request)
    keeps = "remember" in request.query_params
    if language and not keeps:
        return None
    pairs = [(k, v) for k, v in parse_qsl(request.url.query, keep_blank_values=True) if k not in ("lang", "remember")]
    # A reference to the query alone (RFC 3986, 5.2) would do, but clients that join by hand want a path.
    target = f"{request.url.path}?{urlencode([('lang', language or negotiated(request)), *pairs])}"
    response = RedirectResponse(target, 303 if keeps else 302)
    response.headers["Vary"] = "Accept, Accept-Language, Cookie"
    response.headers["Cache-Control"] = "no-cache"
    if language and keeps:
        path = request.scope.get("root_path") or "/"
        response.set_cookie(COOKIE, language, max_age=_ONE_YEAR, path=path, samesite="lax", httponly=True)
    return response
