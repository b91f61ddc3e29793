"""`/feed.atom`, `/feed/{class}.atom`: what changed from release to release, for those who keep links to it fresh."""

from __future__ import annotations

import difflib

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.catalogue.feed import Feed, items
from api.html.view import view_of
from api.http.responses import answer
from api.i18n import language
from api.problems import Problem
from api.site.site import site_of
from kg.rdf import formats

router = APIRouter()


@router.get("/feed.atom", summary="The feed of changes")
def whole(request: Request) -> Response:
    """Every release, with the records that it added, changed, deprecated or removed, the newest first."""
    return _feed(request, "")


@router.get("/feed/{name}.atom", summary="The feed of changes of one class")
def of_class(request: Request, name: str) -> Response:
    """The changed records of one class, as in their paths."""
    site = site_of(request)
    known = {*site.entities.classes(), *(e.path.partition("/")[0] for step in site.history for e in step.entries)}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        detail = f"no class of records is called '{name[:100]}'; there are {', '.join(sorted(known))}"
        nearest = [f"{request.base_url}feed/{other}.atom" for other in near]
        raise Problem(404, "not-found", detail, {"path": name[:100], "nearest": nearest})
    return _feed(request, name)


def _feed(request: Request, name: str) -> Response:
    if moved := language.redirect(request):
        return moved
    site, size = site_of(request), site_of(request).settings.feed_entries
    everything = items(site.history, name)
    pages = max(1, -(-len(everything) // size))
    written = request.query_params.get("page", "1")
    if not written.isascii() or not written.isdigit() or not 1 <= int(written[:9]) <= pages:
        raise Problem(404, "no-such-page", f"the feed has pages 1 to {pages}, not '{written[:20]}'")
    number = int(written)
    view = view_of(request, language.language_of(request))
    shown = everything[(number - 1) * size : number * size]
    body = Feed(view, str(request.base_url), name, shown, number, pages).document()
    return answer(body, formats.ATOM, {"Content-Language": view.language})
