"""`/search` and `/suggest`: records and terms by name, in all languages at once."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from api.html.rendering import page
from api.html.view import View, view_of
from api.http.parameters import Texts, WholeNumber
from api.http.responses import json_answer, prefers_json
from api.http.route import JSON, PAGE, TOO_LARGE, Cost, Router
from api.i18n import language, texts
from api.site.completion import Used
from api.site.site import Site, site_of
from kg.release.search import Found, SearchHit

router = Router()
_PAGE_SIZE = 20
_MOST_SUGGESTIONS = 50
_LAST_PAGE = 100
_VARY = {"Vary": "Accept, Accept-Language, Cookie"}

Sought = Annotated[str, Query(alias="q", description="What to search for: a name, part of one, an identifier.")]
Kinds = Annotated[
    Texts, Query(alias="kind", description="Only records of this class, as in their paths; may be repeated.")
]


@router.get("/search", "Search by name", Cost.MEDIUM, gives=(*JSON, *PAGE), statuses=(400,))
def search(
    request: Request,
    text: Sought = "",
    kind: Kinds = (),
    number: Annotated[
        int, WholeNumber(1, _LAST_PAGE), Query(alias="page", description="The page of results, from 1.")
    ] = 1,
) -> Response:
    """Return what has a name like the text, best first, with the matching name and how it matched."""
    site, asked, kinds = site_of(request), text.strip(), list(kind)
    if not prefers_json(request) and (moved := language.redirect(request)):
        return moved
    found = site.search.find(asked, kinds=kinds, limit=_PAGE_SIZE, offset=(number - 1) * _PAGE_SIZE)
    view = view_of(request, language.language_of(request))
    if prefers_json(request):
        return json_answer(_as_json(view, asked, found, number), _VARY)
    return page(
        request,
        view.language,
        "search.html",
        asked=asked,
        kinds=kinds,
        found=found,
        number=number,
        pages=-(-found.total // _PAGE_SIZE),
        lists=[name for name in site.entities.classes() if asked and _is_called(site, name, asked)],
        subjects={
            name: found
            for name, found in site.chart_pages.items()
            if asked and site.search.resembles(asked, [*found.title.values(), *found.lead.values()])
        },
        stored=[q for q in site.queries.values() if asked and site.search.resembles(asked, q.title.values())],
        classes=site.entities.classes(),
    )


def _is_called(site: Site, kind: str, asked: str) -> bool:
    """Whether a text is what a class of records is called in any language, such as "laws" or "law"."""
    names = site.project.classes.get(kind) or texts.named("classes", kind)
    return site.search.resembles(asked, [*names.values(), kind])


@router.get(
    "/suggest",
    "Suggestions while one types",
    Cost.SMALL,
    gives=JSON,
    statuses=(400, TOO_LARGE),
    depends_on_language=True,
)
def suggest(
    request: Request,
    text: Sought = "",
    sort: Annotated[
        Literal["record", "class", "property"], Query(alias="type", description="What to suggest.")
    ] = "record",
    kind: Kinds = (),
    owner: Annotated[
        str, Query(alias="class", description="Suggest the properties that members of this class have.")
    ] = "",
    limit: Annotated[int, WholeNumber(1, _MOST_SUGGESTIONS), Query(description="How many suggestions.")] = 8,
) -> Response:
    """Return the first hits for the beginning of a name: records, or classes and properties in use."""
    site, asked = site_of(request), text.strip()
    view = view_of(request, language.language_of(request))
    if sort == "record":
        found = site.search.find(asked, kinds=list(kind), limit=limit)
        suggestions = [{**_hit(view, hit), "field": view.field(view.short(hit.iri))} for hit in found.hits]
    else:
        known = site.vocabulary
        among = known.classes if sort == "class" else known.properties_of(site.context.expand(owner))
        suggestions = [_used(view, used) for used in known.matching(among, asked[:200], limit)]
    return json_answer({"query": asked, "suggestions": suggestions}, _VARY)


def _used(view: View, used: Used) -> dict[str, object]:
    return {"iri": used.iri, "compact": used.compact, "label": view.plain(used.iri), "count": used.count}


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
