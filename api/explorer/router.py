"""`/explore`: a picture of how records hang together, made from its address alone; the same as JSON and as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.explorer.exploration import AT_ONCE, Exploration, State, document_of, link_of, node_of, url_of
from api.html.view import page, view_of
from api.http.responses import json_answer, prefers_json
from api.i18n import language
from api.problems import Problem
from api.site.site import Site, site_of
from kg.rdf import iris
from kg.release.paths import CHAINS, Direction, Edge, EdgeFilter, Part, Picture
from kg.release.search import SearchHit

router = APIRouter()
_MOST_SHOWN = 600
_MOST_EXPANDED = 100
_MOST_CHAINS = 10
_MOST_CANDIDATES = 12
_VARY = {"Vary": "Accept, Accept-Language, Cookie"}
# What a button of the list asks for, beside the state that it asks it of.
_ACTS = {"expand": State.expanded, "collapse": State.collapsed, "remove": State.removed}


@router.get("/explore", summary="The graph explorer")
def explore(request: Request) -> Response:
    """Records with their neighbours, and the shortest chains between two; as a picture, as text, as JSON."""
    site, asked = site_of(request), request.query_params
    state = _state(request, site)
    if not prefers_json(request) and (moved := language.redirect(request)):
        return moved
    view = view_of(request, language.language_of(request))
    state, candidates = _resolved(site, state, asked.get("q", "").strip())
    picture = _picture(site, state)
    if prefers_json(request):
        return json_answer(document_of(view, picture), _VARY)
    if _is_provisional(request, state, candidates):
        return RedirectResponse(url_of(view, state), 303, {"Cache-Control": "no-cache"})
    found = Exploration(view, state, picture)
    return page(request, view.language, "explore.html", libraries=True, e=found, asked=asked, candidates=candidates)


@router.get("/explore/links", summary="The links of a record")
def neighbours(request: Request) -> Response:
    """The neighbours of records, up to 60 by each property and direction from `at` on; `more` says what is left."""
    site, asked = site_of(request), request.query_params
    paths, name, direction = asked.getlist("node"), asked.get("property", ""), asked.get("direction", "")
    if not paths:
        raise Problem(400, "bad-parameter", "node: expected the path of a record, such as law/ai-act")
    if direction not in ("", "in", "out"):
        raise Problem(400, "bad-parameter", f"direction: expected 'in' or 'out', not '{direction[:40]}'")
    predicate = site.context.expand(name)
    if name and not site.links.knows(predicate):
        raise Problem(400, "bad-parameter", f"property: no link is by '{name[:100]}'")
    at, choice = _number(request, "at", 0, 0, 1_000_000), EdgeFilter(_flag(request, "inferred"))
    view = view_of(request, language.language_of(request))
    roles, links, more = dict.fromkeys((_known(site, p) for p in paths), "node"), dict[Edge, None](), []
    for path in paths:
        for group in site.links.groups(path, choice):
            if (name and predicate != group.property) or direction not in ("", group.direction):
                continue
            part = group.links[at : at + AT_ONCE]
            roles |= {link.other(path): "" for link in part if link.other(path) not in roles}
            links |= dict.fromkeys(part)
            if len(group.links) > at + AT_ONCE:
                named = {"node": path, "property": site.context.compact(group.property), "direction": group.direction}
                more.append({**named, "total": len(group.links), "next": at + AT_ONCE})
    nodes = [node_of(view, path) for path in roles]
    return json_answer({"nodes": nodes, "links": [link_of(view, link) for link in links], "more": more}, _VARY)


@router.get("/explore/path", summary="Chains between two records")
def chains(request: Request) -> Response:
    """Up to `most` short chains of links between two records."""
    site, asked = site_of(request), request.query_params
    for name in ("from", "to"):
        if not asked.get(name):
            raise Problem(400, "bad-parameter", f"{name}: expected the path of a record, such as law/ai-act")
    start, end = _known(site, asked["from"]), _known(site, asked["to"])
    most = _number(request, "most", CHAINS, 1, _MOST_CHAINS)
    choice = _choice(site, State(without=tuple(asked.getlist("without")), inferred=_flag(request, "inferred")))
    view = view_of(request, language.language_of(request))
    found = [
        {"nodes": [node_of(view, p) for p in chain.nodes], "links": [link_of(view, link) for link in chain.links]}
        for chain in site.links.chains(start, end, most, choice)
    ]
    return json_answer({"from": start, "to": end, "paths": found}, _VARY)


# ---- the address ----


def _state(request: Request, site: Site) -> State:
    """What the address asks for; raises `Problem` 404 for records that there are not, 400 for what cannot be read."""
    asked = request.query_params
    nodes = tuple(dict.fromkeys(_known(site, path) for path in asked.getlist("node") if path))
    parts = tuple(_part(site, written) for written in asked.getlist("links"))
    if len(nodes) + len(parts) > _MOST_EXPANDED:
        raise Problem(400, "bad-parameter", f"node: at most {_MOST_EXPANDED} records are expanded at once")
    without = tuple(dict.fromkeys(name for name in asked.getlist("without") if name))
    ends = (asked.get("from", "").strip(), asked.get("to", "").strip())
    state = State(nodes, parts, *ends, without, _flag(request, "inferred"))
    for name, act in _ACTS.items():
        for path in asked.getlist(name):
            state = act(state, _known(site, path))
    for written in asked.getlist("more"):
        state = state.extended(_part(site, written))
    return state


def _part(site: Site, written: str) -> Part:
    path, _, rest = written.partition(",")
    direction, _, rest = rest.partition(",")
    name, _, most = rest.rpartition(",")
    if direction not in ("in", "out") or not name or not most.isascii() or not most.isdigit():
        raise Problem(400, "bad-parameter", f"links: expected 'record,in|out,property,number', not '{written[:100]}'")
    direct = cast(Direction, direction)
    return Part(_known(site, path), direct, site.context.expand(name), min(int(most[:9]), _MOST_SHOWN))


def _flag(request: Request, name: str) -> bool:
    written = request.query_params.get(name, "")
    if written not in ("", "0", "1"):
        raise Problem(400, "bad-parameter", f"{name}: expected 1 or 0, not '{written[:40]}'")
    return written == "1"


def _number(request: Request, name: str, default: int, least: int, most: int) -> int:
    written = request.query_params.get(name, "")
    if not written:
        return default
    if not written.isascii() or not written.isdigit() or not least <= int(written[:9]) <= most:
        raise Problem(400, "bad-parameter", f"{name}: expected a number from {least} to {most}, not '{written[:40]}'")
    return int(written)


def _known(site: Site, path: str) -> str:
    """The path, if it is a record's; raises `Problem` 404 with the nearest ones."""
    path = path.removeprefix(site.entities.root)
    if iris.SLUG.fullmatch(path) and site.entities.exists(site.entities.root + path):
        return path
    near = [site.entities.root + p for p in site.entities.nearest(path)]
    raise Problem(404, "unknown-id", f"nothing is called '{path[:200]}'", {"path": path[:200], "nearest": near})


def _resolved(site: Site, state: State, text: str) -> tuple[State, list[SearchHit] | None]:
    """The state with names as records: ends of a chain as the best hit, and a start that only one hit can mean.

    Where several could be meant, they come beside it; an empty list when nothing could.
    """
    state = replace(state, start=_end(site, state.start), end=_end(site, state.end))
    if not text:
        return state, None
    if "/" in text and iris.SLUG.fullmatch(text.removeprefix(site.entities.root)):
        return state.expanded(_known(site, text)), None
    hits = list(_hits(site, text, _MOST_CANDIDATES))
    exact = [hit for hit in hits if hit.how == "exact"]
    if len(exact) == 1 or len(hits) == 1:
        return state.expanded((exact or hits)[0].iri.removeprefix(site.entities.root)), None
    return state, hits


def _end(site: Site, text: str) -> str:
    """The record that the end of a chain means; '' for none."""
    if not text or ("/" in text and iris.SLUG.fullmatch(text.removeprefix(site.entities.root))):
        return text and _known(site, text)
    return next((hit.iri.removeprefix(site.entities.root) for hit in _hits(site, text, 1)), "")


def _hits(site: Site, text: str, limit: int) -> Sequence[SearchHit]:
    return site.search.find(text, kinds=list(site.entities.classes()), limit=limit).hits


def _is_provisional(request: Request, state: State, candidates: Sequence[SearchHit] | None) -> bool:
    """Whether a form made the address, with names in it that are records now, or with fields left empty."""
    asked = request.query_params
    named = any(text and asked[name] != text for name, text in (("from", state.start), ("to", state.end)))
    empty = any(asked.get(name) == "" for name in ("q", "from", "to"))
    return named or empty or ("q" in asked and candidates is None) or any(name in asked for name in (*_ACTS, "more"))


# ---- the picture ----


def _choice(site: Site, state: State) -> EdgeFilter:
    properties = frozenset(site.context.expand(name) for name in state.without if ":" in name)
    return EdgeFilter(state.inferred, properties, frozenset(name for name in state.without if ":" not in name))


def _picture(site: Site, state: State) -> Picture:
    """What a state shows."""
    expanded = [
        Part(path, group.direction, group.property, AT_ONCE)
        for path in state.nodes
        for group in site.links.groups(path, _choice(site, state))
    ]
    ends = (state.start, state.end) if state.start and state.end else None
    named = [path for path in (state.start, state.end, *state.nodes) if path]
    return site.links.picture(named, [*expanded, *state.parts], ends, _choice(site, state), _MOST_SHOWN)
