"""`/search` and `/suggest`: records and terms by name, in either language at once."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.html.view import View, page, view_of
from api.http.responses import json_answer, prefers_json
from api.i18n import language
from api.problems import Problem
from api.site.completion import Used
from api.site.site import site_of
from kg.release.search import Found, SearchHit

router = APIRouter()
_PAGE_SIZE = 20
_MOST_SUGGESTIONS = 50
_LAST_PAGE = 100


@router.get("/search", summary="Search by name")
def search(request: Request) -> Response:
    """What a text names or nearly names, best first, with the name that matched and how; by kind when asked."""
    site, asked = site_of(request), request.query_params.get("q", "").strip()
    kinds, number = request.query_params.getlist("kind"), _number(request, "page", 1, _LAST_PAGE)
    if not prefers_json(request) and (moved := language.redirect(request)):
        return moved
    found = site.search.find(asked, kinds=kinds, limit=_PAGE_SIZE, offset=(number - 1) * _PAGE_SIZE)
    view = view_of(request, language.language_of(request))
    if prefers_json(request):
        return json_answer(_as_json(view, asked, found, number), {"Vary": "Accept, Accept-Language, Cookie"})
    return page(
        request,
        view.language,
        "search.html",
        asked=asked,
        kinds=kinds,
        found=found,
        number=number,
        pages=-(-found.total // _PAGE_SIZE),
        stored=[q for q in site.queries.values() if asked and site.search.resembles(asked, q.title.values())],
        classes=site.entities.classes(),
    )


@router.get("/suggest", summary="Suggestions while one types")
def suggest(request: Request) -> Response:
    """The first few hits for the beginning of a name, labelled in one language; also classes and properties in use."""
    site, parameters = site_of(request), request.query_params
    asked, sort = parameters.get("q", "").strip(), parameters.get("type", "record")
    limit, view = _number(request, "limit", 8, _MOST_SUGGESTIONS), view_of(request, language.language_of(request))
    if sort == "record":
        found = site.search.find(asked, kinds=parameters.getlist("kind"), limit=limit)
        suggestions = [_hit(view, hit) for hit in found.hits]
    elif sort in ("class", "property"):
        kind = site.context.expand(parameters.get("class", ""))
        among = site.vocabulary.classes if sort == "class" else site.vocabulary.properties_of(kind)
        suggestions = [_used(view, used) for used in site.vocabulary.matching(among, asked[:200], limit)]
    else:
        raise Problem(400, "bad-parameter", f"type: expected record, class or property, not '{sort[:40]}'")
    return json_answer({"query": asked, "suggestions": suggestions}, {"Vary": "Accept, Accept-Language, Cookie"})


def _used(view: View, used: Used) -> dict[str, object]:
    return {"iri": used.iri, "compact": used.compact, "label": view.plain(used.iri), "count": used.count}


def _number(request: Request, name: str, default: int, most: int) -> int:
    written = request.query_params.get(name, "")
    if not written:
        return default
    if not written.isascii() or not written.isdigit() or not 1 <= int(written[:9]) <= most:
        raise Problem(400, "bad-parameter", f"{name}: expected a number from 1 to {most}, not '{written[:40]}'")
    return int(written)


def _as_json(view: View, asked: str, found: Found, number: int) -> dict[str, object]:
    return {
        "query": asked,
        "total": found.total,
        "page": number,
        "pages": -(-found.total // _PAGE_SIZE),
        "kinds": found.kinds,
        "hits": [_hit(view, hit) for hit in found.hits],
    }


def _hit(view: View, hit: SearchHit) -> dict[str, object]:
    label = view.site.entities.label(hit.iri, view.languages)
    return {
        "iri": hit.iri,
        "path": view.short(hit.iri),
        "compact": view.site.context.compact(hit.iri),
        "label": label.value if label else view.short(hit.iri),
        "lang": label.language if label else None,
        "kind": hit.kind,
        "kind_label": view.class_name(hit.kind),
        "href": view.href(hit.iri),
        "score": hit.score,
        "how": hit.how,
        "matched": {"text": hit.entry.text, "lang": hit.entry.language or None, "role": hit.entry.role},
    }
