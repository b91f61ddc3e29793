"""`/explore`: how records are connected, as a picture, as text and as JSON; the URL is the whole state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal, cast

from fastapi import Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.explorer.exploration import AT_ONCE, Exploration, State, document_of, link_of, node_of, url_of
from api.html.rendering import page
from api.html.view import view_of
from api.http.parameters import EmptyIsDefault, Flag, Texts, WholeNumber
from api.http.responses import json_answer, prefers_json
from api.http.route import JSON, PAGE, Cost, Router
from api.i18n import language
from api.problems import Problem
from api.site.site import Site, site_of
from kg.rdf import iris
from kg.release.paths import CHAINS, Direction, Edge, EdgeFilter, Part, Picture
from kg.release.search import SearchHit

router = Router()
_MOST_SHOWN = 600
_MOST_EXPANDED = 100
_MOST_CHAINS = 10
_MOST_CANDIDATES = 12
_VARY = {"Vary": "Accept, Accept-Language, Cookie"}
_A_RECORD = "expected the path of a record, class/slug"

Inferred = Annotated[Flag, Query(description="1 to show what the rules concluded, too.")]
Without = Annotated[Texts, Query(description="Records, classes and properties that are left out.")]


class Address(BaseModel):
    """The parameters of `/explore`: the state, and what a form or button changes in it."""

    node: Texts = Field((), description="Records whose links are shown, as class/slug.")
    links: Texts = Field((), description="Edges of a record: `record,in|out,property,number`.")
    start: str | None = Field(None, alias="from", description="The record that a path begins at.")
    end: str | None = Field(None, alias="to", description="The record that a path ends at.")
    without: Without = ()
    inferred: Inferred = False
    q: str | None = Field(None, description="A name to begin with.")
    expand: Texts = Field((), description="Records to expand.")
    collapse: Texts = Field((), description="Records to collapse.")
    remove: Texts = Field((), description="Records to remove.")
    more: Texts = Field((), description="Edges to add, written as in `links`.")

    @property
    def acts(self) -> bool:
        return bool(self.expand or self.collapse or self.remove or self.more)


@router.get(
    "/explore",
    "The graph explorer",
    Cost.MEDIUM,
    gives=(*JSON, *PAGE),
    statuses=(400, 404),
    endless=("node", "links", "from", "to", "without", "inferred"),
)
def explore(request: Request, asked: Annotated[Address, Query()]) -> Response:
    """Show records with their neighbours, and the shortest paths between two records."""
    site = site_of(request)
    state = _state(asked, site)
    if not prefers_json(request) and (moved := language.redirect(request)):
        return moved
    view = view_of(request, language.language_of(request))
    state, candidates = _resolved(site, state, (asked.q or "").strip())
    picture = _picture(site, state)
    if prefers_json(request):
        return json_answer(document_of(view, picture), _VARY)
    if _is_provisional(asked, state, candidates):
        return RedirectResponse(url_of(view, state), 303, {"Cache-Control": "no-cache"})
    found = Exploration(view, state, picture)
    return page(request, view.language, "explore.html", libraries=True, e=found, asked=asked, candidates=candidates)


@router.get(
    "/explore/links", "The links of a record", Cost.SMALL, gives=JSON, statuses=(400, 404), depends_on_language=True
)
def neighbours(
    request: Request,
    node: Annotated[Texts, Query(description="Records, as class/slug.")] = (),
    name: Annotated[str, Query(alias="property", description="Only edges with this property.")] = "",
    direction: Annotated[
        Literal["in", "out"] | None,
        EmptyIsDefault,
        Query(description="Only edges to the record (in) or from it (out)."),
    ] = None,
    at: Annotated[int, WholeNumber(0, 1_000_000), Query(description="How many edges of each group to skip.")] = 0,
    inferred: Inferred = False,
) -> Response:
    """Return the neighbours of records, up to 60 by each property and direction from `at` on; `more` lists the rest."""
    site = site_of(request)
    if not node:
        raise Problem(400, "bad-parameter", f"node: {_A_RECORD}")
    predicate = site.context.expand(name)
    if name and not site.links.knows(predicate):
        raise Problem(400, "bad-parameter", f"property: no edge has the property '{name[:100]}'")
    view, choice = view_of(request, language.language_of(request)), EdgeFilter(inferred)
    roles, links, more = dict.fromkeys((_known(site, p) for p in node), "node"), dict[Edge, None](), []
    for path in node:
        for group in site.links.groups(path, choice):
            if (name and predicate != group.property) or direction not in (None, group.direction):
                continue
            part = group.links[at : at + AT_ONCE]
            roles |= {link.other(path): "" for link in part if link.other(path) not in roles}
            links |= dict.fromkeys(part)
            if len(group.links) > at + AT_ONCE:
                named = {"node": path, "property": site.context.compact(group.property), "direction": group.direction}
                more.append({**named, "total": len(group.links), "next": at + AT_ONCE})
    nodes = [node_of(view, path) for path in roles]
    return json_answer({"nodes": nodes, "links": [link_of(view, link) for link in links], "more": more}, _VARY)


@router.get(
    "/explore/path",
    "Paths between two records",
    Cost.LARGE,
    gives=JSON,
    statuses=(400, 404),
    depends_on_language=True,
)
def chains(
    request: Request,
    first: Annotated[str, Query(alias="from", description="The record that a path begins at.")] = "",
    last: Annotated[str, Query(alias="to", description="The record that a path ends at.")] = "",
    most: Annotated[int, WholeNumber(1, _MOST_CHAINS), Query(description="How many paths.")] = CHAINS,
    without: Without = (),
    inferred: Inferred = False,
) -> Response:
    """Return up to `most` short paths between two records."""
    site = site_of(request)
    for name, path in (("from", first), ("to", last)):
        if not path:
            raise Problem(400, "bad-parameter", f"{name}: {_A_RECORD}")
    start, end = _known(site, first), _known(site, last)
    choice = _choice(site, State(without=without, inferred=inferred))
    view = view_of(request, language.language_of(request))
    found = [
        {"nodes": [node_of(view, p) for p in chain.nodes], "links": [link_of(view, link) for link in chain.links]}
        for chain in site.links.chains(start, end, most, choice)
    ]
    return json_answer({"from": start, "to": end, "paths": found}, _VARY)


# ---- the URL ----


def _state(asked: Address, site: Site) -> State:
    """Return the state that the URL asks for; raises `Problem` 404 for unknown records, 400 for invalid values."""
    nodes = tuple(dict.fromkeys(_known(site, path) for path in asked.node if path))
    parts = tuple(_part(site, written) for written in asked.links)
    if len(nodes) + len(parts) > _MOST_EXPANDED:
        raise Problem(400, "bad-parameter", f"node: at most {_MOST_EXPANDED} records can be expanded at once")
    without = tuple(dict.fromkeys(name for name in asked.without if name))
    ends = ((asked.start or "").strip(), (asked.end or "").strip())
    state = State(nodes, parts, *ends, without, asked.inferred)
    for paths, act in (
        (asked.expand, State.expanded),
        (asked.collapse, State.collapsed),
        (asked.remove, State.removed),
    ):
        for path in paths:
            state = act(state, _known(site, path))
    for written in asked.more:
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


def _known(site: Site, path: str) -> str:
    """Return the path of an existing record; raises `Problem` 404 with the nearest ones."""
    path = path.removeprefix(site.entities.root)
    if iris.SLUG.fullmatch(path) and site.entities.exists(site.entities.root + path):
        return path
    near = [site.entities.root + p for p in site.entities.nearest(path)]
    raise Problem(404, "unknown-id", f"there is no record '{path[:200]}'", {"path": path[:200], "nearest": near})


def _resolved(site: Site, state: State, text: str) -> tuple[State, list[SearchHit] | None]:
    """Resolve names to records: the ends of a path to the best hit, and `text` if only one hit can be meant.

    Otherwise return all candidates for `text`, an empty list if there are none.
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
    """Return the record meant by an end of a path; '' for none."""
    if not text or ("/" in text and iris.SLUG.fullmatch(text.removeprefix(site.entities.root))):
        return text and _known(site, text)
    return next((hit.iri.removeprefix(site.entities.root) for hit in _hits(site, text, 1)), "")


def _hits(site: Site, text: str, limit: int) -> Sequence[SearchHit]:
    return site.search.find(text, kinds=list(site.entities.classes()), limit=limit).hits


def _is_provisional(asked: Address, state: State, candidates: Sequence[SearchHit] | None) -> bool:
    """Whether the URL came from a form, with names that are now resolved or with empty fields."""
    named = (state.start and state.start != asked.start) or (state.end and state.end != asked.end)
    empty = "" in (asked.q, asked.start, asked.end)
    return bool(named) or empty or (asked.q is not None and candidates is None) or asked.acts


# ---- the picture ----


def _choice(site: Site, state: State) -> EdgeFilter:
    properties = frozenset(site.context.expand(name) for name in state.without if ":" in name)
    return EdgeFilter(state.inferred, properties, frozenset(name for name in state.without if ":" not in name))


def _picture(site: Site, state: State) -> Picture:
    """Return the picture of a state."""
    expanded = [
        Part(path, group.direction, group.property, AT_ONCE)
        for path in state.nodes
        for group in site.links.groups(path, _choice(site, state))
    ]
    ends = (state.start, state.end) if state.start and state.end else None
    named = [path for path in (state.start, state.end, *state.nodes) if path]
    return site.links.picture(named, [*expanded, *state.parts], ends, _choice(site, state), _MOST_SHOWN)
