"""`/feed.atom`, `/feed/{class}.atom`: changes from release to release, for sites that link here."""

from __future__ import annotations

import difflib

from starlette.requests import Request
from starlette.responses import Response

from api.catalogue.feed import Feed, items
from api.html.view import view_of
from api.http.parameters import PageNumber, page_number
from api.http.responses import answer
from api.http.route import Cost, Router
from api.i18n import language
from api.problems import Problem
from api.site.site import site_of
from kg.rdf import formats

router = Router()
_FEED = (formats.ATOM,)


@router.get(
    "/feed.atom",
    "The feed of changes",
    Cost.MEDIUM,
    gives=_FEED,
    statuses=(302, 303, 404, 503),
    depends_on_language=True,
)
def whole(request: Request, page: PageNumber = "1") -> Response:
    """Return all releases, newest first, with the records that each added, changed, deprecated or removed."""
    return _feed(request, "", page)


@router.get(
    "/feed/{name}.atom",
    "The feed of changes of one class",
    Cost.MEDIUM,
    gives=_FEED,
    statuses=(302, 303, 404, 503),
    depends_on_language=True,
)
def of_class(request: Request, name: str, page: PageNumber = "1") -> Response:
    """Return the changed records of one class, named as in their paths."""
    site = site_of(request)
    known = {*site.entities.classes(), *(e.path.partition("/")[0] for step in site.history for e in step.entries)}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        detail = f"there is no class of records '{name[:100]}'; expected one of {', '.join(sorted(known))}"
        nearest = [f"{request.base_url}feed/{other}.atom" for other in near]
        raise Problem(404, "not-found", detail, {"path": name[:100], "nearest": nearest})
    return _feed(request, name, page)


def _feed(request: Request, name: str, page: str) -> Response:
    if moved := language.redirect(request):
        return moved
    site, size = site_of(request), site_of(request).settings.feed_entries
    everything = items(site.history, name)
    pages = max(1, -(-len(everything) // size))
    number = page_number(page, pages, "the feed has")
    view = view_of(request, language.language_of(request))
    shown = everything[(number - 1) * size : number * size]
    body = Feed(view, str(request.base_url), name, shown, number, pages).document()
    return answer(body, formats.ATOM, {"Content-Language": view.language})
