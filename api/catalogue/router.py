"""`/dataset`, `/.well-known/void`, `/dumps`, `/sitemap.xml`, `/robots.txt`: descriptions of what is available."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response

from api.html import json_ld
from api.html.rendering import page
from api.http.representation import condition
from api.http.responses import answer, chosen_rdf, json_answer, prefers_json, rdf_answer
from api.http.route import JSON, PAGE, RDF, Cost, Route, Router
from api.i18n import language
from api.linked_data import partners
from api.problems import Problem
from api.site.site import Site, site_of
from kg.errors import KgError
from kg.rdf import formats
from kg.release import store
from kg.release.store import Manifest
from kg.release.summary import summary

router = Router()
GZIP, XML = "application/gzip", "application/xml"
_RELEASE = re.compile(r"[0-9a-f]{16}", re.ASCII)
_URLS_PER_SITEMAP = 40_000
_FOREVER = "public, max-age=31536000, immutable"


@router.get("/dataset", "The dataset", Cost.LARGE, gives=(*RDF, *PAGE), in_sitemap=True)
def dataset(request: Request) -> Response:
    """Return the description of the dataset (DCAT 3) with statistics (VoID), dumps, services and prefixes."""
    site = site_of(request)
    if (syntax := chosen_rdf(request)) is not None:
        return rdf_answer(site, site.catalogue, syntax)
    if moved := language.redirect(request):
        return moved
    spoken = language.language_of(request)
    return page(
        request,
        spoken,
        "dataset.html",
        embedded=json_ld.dataset(site, str(request.base_url).rstrip("/"), spoken),
        formats=formats.RDF_FORMATS,
        dumps=site.manifest.dumps,
        partners=partners.datasets(site),
    )


@router.get("/.well-known/void", "The dataset, where crawlers look for it", Cost.LARGE, gives=RDF)
def well_known(request: Request) -> Response:
    """Return the RDF of `/dataset` (RFC 8615) without the statistics of each class by property, which it links to."""
    syntax = chosen_rdf(request, html=False)
    assert syntax is not None
    return rdf_answer(site_of(request), summary(site_of(request).catalogue), syntax)


@router.get("/dataset/statistics", "The statistics of the dataset", Cost.LARGE, gives=RDF)
def statistics(request: Request) -> Response:
    """Return the description of the dataset with all statistics, also of each class by property (VoID)."""
    syntax = chosen_rdf(request, html=False)
    assert syntax is not None
    return rdf_answer(site_of(request), site_of(request).catalogue, syntax)


@router.get("/dumps", "The dumps", Cost.FIXED, gives=JSON, statuses=(303,))
def dumps(request: Request) -> Response:
    """List the files of the current release with their sizes and checksums."""
    site = site_of(request)
    if not prefers_json(request):
        return RedirectResponse(f"{_root(request)}/dataset#ui-dumps", 303, {"Vary": "Accept"})
    host = str(request.base_url)
    files = {
        name: {"url": f"{host}dumps/{site.version}/{name}", **fields} for name, fields in site.manifest.dumps.items()
    }
    return json_answer({"release": site.version, "licence": site.licence, "files": files}, {"Vary": "Accept"})


@router.get("/dumps/{name}", "A dump of the current release", Cost.FIXED, statuses=(307, 404))
def current_dump(request: Request, name: str) -> Response:
    """Redirect to that file of the current release, whose URL stays valid after the next release."""
    site = site_of(request)
    if name not in site.manifest.dumps:
        raise _unknown(site.version, name, site.manifest)
    return Response(
        None, 307, {"Location": f"{_root(request)}/dumps/{site.version}/{name}", "Cache-Control": "no-cache"}
    )


@router.get("/dumps/{release}/{name}", "A dump", Cost.LARGE, gives=(GZIP,), statuses=(206, 404, 416))
def dump(request: Request, release: str, name: str) -> Response:
    """Return a file of a kept release, whole or in ranges (RFC 9110, 14)."""
    site = site_of(request)
    directory = site.release.directory
    manifest = site.manifest
    if release != site.version:
        directory = directory.parent / release
        try:
            manifest = store.read_manifest(directory) if _RELEASE.fullmatch(release) else Manifest(*_NOTHING)
        except KgError:
            manifest = Manifest(*_NOTHING)
    if name not in manifest.dumps:
        raise _unknown(release, name, manifest)
    return _file(request, site, directory / "dumps" / name, manifest.dumps[name]["sha256"])


_NOTHING = ("", "", "", "", "", 0, 0, 0, 0, 0)


def _file(request: Request, site: Site, path: Path, sha256: str) -> Response:
    tag = f'"{sha256[:32]}"'
    headers = {
        "ETag": tag,
        "Cache-Control": _FOREVER,
        "Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:",
        "Link": f'<{site.licence}>; rel="license"',
    }
    if (status := condition(request.headers, tag, site)) != 200 and "range" not in request.headers:
        return Response(None, status, headers)
    return FileResponse(path, headers=headers, media_type=GZIP, filename=path.name)


def _unknown(release: str, name: str, manifest: Manifest) -> Problem:
    known = ", ".join(manifest.dumps) or "none, since this release is not kept"
    return Problem(404, "unknown-dump", f"release {release} has no file '{name}'; its files are: {known}")


@router.get("/sitemap.xml", "All pages, for search engines", Cost.LARGE, gives=(XML,))
def sitemap(request: Request) -> Response:
    """List all pages, or if they are too many for one file, an index of such files (sitemaps.org, 0.9)."""
    urls = _urls(request)
    parts = -(-len(urls) // _URLS_PER_SITEMAP)
    if parts <= 1:
        return _sitemap(request, urls)
    host, issued = str(request.base_url), site_of(request).manifest.issued
    entries = "".join(
        f"<sitemap><loc>{escape(host)}sitemap-{n}.xml</loc><lastmod>{issued}</lastmod></sitemap>"
        for n in range(1, parts + 1)
    )
    return answer(_xml("sitemapindex", entries), XML)


@router.get("/sitemap-{number}.xml", "A part of the sitemap", Cost.LARGE, gives=(XML,), statuses=(400, 404))
def sitemap_part(request: Request, number: int) -> Response:
    urls = _urls(request)
    part = urls[(number - 1) * _URLS_PER_SITEMAP : number * _URLS_PER_SITEMAP] if number > 0 else []
    if not part:
        raise Problem(404, "not-found", f"the sitemap has no part {number}")
    return _sitemap(request, part)


def _urls(request: Request) -> list[str]:
    site, host = site_of(request), str(request.base_url)
    paths = sorted(route.path.lstrip("/") for route in _routes(request) if route.declared.in_sitemap)
    paths += [f"queries/{name}" for name in site.queries]
    paths += [f"id/{name}" for name in site.entities.classes()]
    paths += [f"page/{path}" for name in site.entities.classes() for path in site.entities.members(name, parts=True)]
    return [host + quote(path) for path in paths]


def _sitemap(request: Request, urls: list[str]) -> Response:
    issued = site_of(request).manifest.issued
    entries = "".join(f"<url><loc>{escape(url)}</loc><lastmod>{issued}</lastmod></url>" for url in urls)
    return answer(_xml("urlset", entries), XML)


def _xml(name: str, entries: str) -> bytes:
    namespace = "http://www.sitemaps.org/schemas/sitemap/0.9"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} xmlns="{namespace}">{entries}</{name}>\n'.encode()


@router.get("/robots.txt", "For crawlers", Cost.FIXED, gives=(formats.PLAIN,))
def robots(request: Request) -> Response:
    """Allow crawlers everything except addresses whose number is unlimited: queries, explanations, explorations."""
    root, host = _root(request), str(request.base_url)
    closed = [f"{route.path}?" for route in _routes(request) if not route.declared.for_robots]
    closed += [f"{route.path}?*{name}=" for route in _routes(request) for name in route.declared.endless]
    # A choice of language that is kept, and one of evidence: the same pages again.
    closed += ["/*remember=", "/*evidence="]
    disallowed = "".join(f"Disallow: {root}{path}\n" for path in dict.fromkeys(closed))
    return PlainTextResponse(f"User-agent: *\n{disallowed}Allow: /\n\nSitemap: {host}sitemap.xml\n")


def _routes(request: Request) -> list[Route]:
    return [route for route in request.app.routes if isinstance(route, Route)]


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", "")).rstrip("/")
