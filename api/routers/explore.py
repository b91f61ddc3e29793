"""`/explore`: a picture of how records hang together, made from its address alone; the same as JSON and as text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast
from urllib.parse import urlencode

from fastapi import APIRouter
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api import language
from api.errors import Problem
from api.responses import json_answer, prefers_json
from api.site import Site, site_of
from api.view import View, page, view_of
from kg import iris
from kg.paths import CHAINS, MOST_STEPS, QUIET, Choice, Direction, Group, Link, Part, Picture, kind_of
from kg.search import Hit

router = APIRouter()
# The links of one property in one direction that are shown at first, and with each further request for more.
_AT_ONCE = 60
_MOST_SHOWN = 600
_MOST_EXPANDED = 100
_MOST_CHAINS = 10
_MOST_CANDIDATES = 12
_MOST_STARTS = 10
_VARY = {"Vary": "Accept, Accept-Language, Cookie"}


@dataclass(frozen=True, slots=True)
class State:
    """What an address says of the picture; `without` has records, kinds of records and properties by their names."""

    nodes: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    start: str = ""
    end: str = ""
    without: tuple[str, ...] = ()
    inferred: bool = False

    @property
    def is_empty(self) -> bool:
        return not (self.nodes or self.parts or self.start or self.end)

    def expanded(self, path: str) -> State:
        shown = tuple(name for name in self.without if name not in (path, kind_of(path)))
        return replace(self, nodes=tuple(dict.fromkeys((*self.nodes, path))), without=shown)

    def collapsed(self, path: str) -> State:
        kept = tuple(part for part in self.parts if part.path != path)
        return replace(self, nodes=tuple(node for node in self.nodes if node != path), parts=kept)

    def removed(self, path: str) -> State:
        rest = self.collapsed(path)
        ends = ("", "") if path in (self.start, self.end) else (self.start, self.end)
        return replace(rest, start=ends[0], end=ends[1], without=tuple(dict.fromkeys((*self.without, path))))

    def begun(self, path: str) -> State:
        return State((path,), inferred=self.inferred, without=tuple(n for n in self.without if ":" in n))

    def toggled(self, name: str) -> State:
        if name in self.without:
            return replace(self, without=tuple(other for other in self.without if other != name))
        return replace(self, without=(*self.without, name))

    def extended(self, part: Part) -> State:
        kept = tuple(p for p in self.parts if replace(p, most=part.most) != part)
        return replace(self, parts=(*kept, part))


@dataclass(frozen=True, slots=True)
class Row:
    """The links of one record by one property: those that are shown, how many there are, and how to have more."""

    heading: str
    shown: list[Link]
    total: int
    more: State


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
        return json_answer(_document(view, picture), _VARY)
    if _is_provisional(request, state, candidates):
        return RedirectResponse(_url(view, state), 303, {"Cache-Control": "no-cache"})
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
    if name and predicate not in site.links.properties:
        raise Problem(400, "bad-parameter", f"property: no link is by '{name[:100]}'")
    at, choice = _number(request, "at", 0, 0, 1_000_000), Choice(_flag(request, "inferred"))
    view = view_of(request, language.language_of(request))
    roles, links, more = dict.fromkeys((_known(site, p) for p in paths), "node"), dict[Link, None](), []
    for path in paths:
        for group in site.links.groups(path, choice):
            if (name and predicate != group.property) or direction not in ("", group.direction):
                continue
            part = group.links[at : at + _AT_ONCE]
            roles |= {link.other(path): "" for link in part if link.other(path) not in roles}
            links |= dict.fromkeys(part)
            if len(group.links) > at + _AT_ONCE:
                named = {"node": path, "property": site.context.compact(group.property), "direction": group.direction}
                more.append({**named, "total": len(group.links), "next": at + _AT_ONCE})
    nodes = [_node(view, path) for path in roles]
    return json_answer({"nodes": nodes, "links": [_link(view, link) for link in links], "more": more}, _VARY)


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
        {"nodes": [_node(view, p) for p in chain.nodes], "links": [_link(view, link) for link in chain.links]}
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
    return State(nodes, parts, *ends, without, _flag(request, "inferred"))


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


def _resolved(site: Site, state: State, text: str) -> tuple[State, list[Hit] | None]:
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


def _hits(site: Site, text: str, limit: int) -> Sequence[Hit]:
    return site.search.find(text, kinds=list(site.entities.classes()), limit=limit).hits


def _is_provisional(request: Request, state: State, candidates: Sequence[Hit] | None) -> bool:
    """Whether a form made the address, with names in it that are records now, or with fields left empty."""
    asked = request.query_params
    named = any(text and asked[name] != text for name, text in (("from", state.start), ("to", state.end)))
    empty = any(asked.get(name) == "" for name in ("q", "from", "to"))
    return named or empty or ("q" in asked and candidates is None)


def _pairs(site: Site, state: State) -> list[tuple[str, str]]:
    """A state as the parameters of its address."""
    found = [("node", path) for path in state.nodes]
    found += [("links", f"{p.path},{p.direction},{site.context.compact(p.property)},{p.most}") for p in state.parts]
    found += [(name, path) for name, path in (("from", state.start), ("to", state.end)) if path]
    found += [("without", name) for name in state.without]
    return [*found, ("inferred", "1")] if state.inferred else found


def _url(view: View, state: State) -> str:
    query = urlencode([("lang", view.language), *_pairs(view.site, state)], safe="/:,")
    return f"{view.file('explore')}?{query}"


# ---- the picture ----


def _choice(site: Site, state: State) -> Choice:
    properties = frozenset(site.context.expand(name) for name in state.without if ":" in name)
    return Choice(state.inferred, properties, frozenset(name for name in state.without if ":" not in name))


def _picture(site: Site, state: State) -> Picture:
    """What a state shows."""
    expanded = [
        Part(path, group.direction, group.property, _AT_ONCE)
        for path in state.nodes
        for group in site.links.groups(path, _choice(site, state))
    ]
    ends = (state.start, state.end) if state.start and state.end else None
    named = [path for path in (state.start, state.end, *state.nodes) if path]
    return site.links.picture(named, [*expanded, *state.parts], ends, _choice(site, state), _MOST_SHOWN)


# ---- for JSON ----


def _node(view: View, path: str) -> dict[str, str]:
    iri, kind = view.site.entities.root + path, kind_of(path)
    name, kind_name = view.plain(iri), view.class_name(kind)
    return {"path": path, "iri": iri, "label": name, "kind": kind, "kind_label": kind_name, "href": view.href(iri)}


def _link(view: View, link: Link) -> dict[str, object]:
    return {
        "source": link.source,
        "target": link.target,
        "property": view.site.context.compact(link.property),
        "label": view.plain(link.property),
        "inferred": link.is_inferred,
    }


def _document(view: View, picture: Picture) -> dict[str, object]:
    chained = {link for chain in picture.chains for link in chain.links}
    nodes = [{**_node(view, path), "role": role} for path, role in picture.roles.items()]
    return {"nodes": nodes, "links": [{**_link(view, link), "chain": link in chained} for link in picture.links]}


# ---- for the template ----


@dataclass(frozen=True)
class Exploration:
    """What the template asks: names, rows and addresses for one picture."""

    view: View
    state: State
    picture: Picture

    def url(self, state: State) -> str:
        return _url(self.view, state)

    def fields(self, *left_out: str) -> list[tuple[str, str]]:
        """What a form hands on of the state."""
        return [(name, text) for name, text in _pairs(self.view.site, self.state) if name not in left_out]

    def iri(self, path: str) -> str:
        return self.view.site.entities.root + path

    def label(self, path: str) -> str:
        return self.view.plain(self.iri(path))

    def is_expanded(self, path: str) -> bool:
        return path in self.state.nodes or any(part.path == path for part in self.state.parts)

    @property
    def chief(self) -> list[str]:
        """The records that the reader chose, or that a chain passes through."""
        return [path for path, role in self.picture.roles.items() if role]

    @property
    def others(self) -> list[tuple[str, list[str]]]:
        """The other records, each kind together."""
        found: dict[str, list[str]] = {}
        for path in (path for path, role in self.picture.roles.items() if not role):
            found.setdefault(kind_of(path), []).append(path)
        return sorted(found.items(), key=lambda pair: (-len(pair[1]), pair[0]))

    def rows(self, path: str) -> list[Row]:
        """The links of a record by property and direction, in the order of the properties elsewhere."""
        groups = self.view.site.links.groups(path, self.picture.choice)
        groups.sort(key=lambda group: (group.direction == "in", self._ranks.get(group.property, len(self._ranks))))
        return [self._row(path, group) for group in groups]

    @cached_property
    def _ranks(self) -> dict[str, int]:
        return {term.iri: rank for rank, term in enumerate(self.view.site.context.terms.values())}

    def _row(self, path: str, group: Group) -> Row:
        shown = [link for link in group.links if link.other(path) in self.picture.roles]
        most = -(-(len(shown) + 1) // _AT_ONCE) * _AT_ONCE
        more = self.state.extended(Part(path, group.direction, group.property, most))
        return Row(self.heading(group), shown, len(group.links), more)

    def heading(self, group: Group) -> str:
        """A property as one says it of the record that it is told of."""
        site, inverse = self.view.site, self.view.site.links.inverse(group.property)
        if group.direction == "out":
            return self.view.plain(group.property)
        if inverse and (label := site.entities.label(inverse, self.view.languages)):
            return label.value
        return self.view.t("explore_of", name=self.view.plain(group.property))

    @property
    def kinds(self) -> list[tuple[str, int, bool]]:
        """The kinds of records in the picture and those that are hidden, with how many are shown."""
        counts = Counter(kind_of(path) for path in self.picture.roles)
        hidden = [name for name in self.state.without if "/" not in name and ":" not in name]
        return [*((k, n, True) for k, n in counts.most_common()), *((k, 0, False) for k in hidden if k not in counts)]

    @property
    def hidden(self) -> list[str]:
        """The records that the reader removed."""
        known = self.view.site.entities
        return [n for n in self.state.without if "/" in n and ":" not in n and known.exists(self.iri(n))]

    @property
    def properties(self) -> list[tuple[str, str, int]]:
        """The properties in the picture and those that are hidden: short form, name, how many links."""
        site = self.view.site
        counts = Counter(site.context.compact(link.property) for link in self.picture.links)
        hidden = {n: 0 for n in self.state.without if ":" in n and site.context.expand(n) in site.links.properties}
        return [(n, self.view.plain(site.context.expand(n)), count) for n, count in ({**hidden, **counts}).items()]

    @property
    def summary(self) -> str:
        records = self.view.n("explore_records", len(self.picture.roles))
        return self.view.t(
            "explore_summary", records=records, links=self.view.n("explore_links", len(self.picture.links))
        )

    @property
    def steps(self) -> int:
        return MOST_STEPS

    @property
    def starts(self) -> list[str]:
        """Records to begin with: of each kind the one with most links."""
        kinds = [kind for kind in self.view.site.entities.classes() if kind not in QUIET]
        return self.view.site.links.best_linked(kinds)[:_MOST_STARTS]

    @property
    def suggest(self) -> str:
        """Where suggestions of records come from; terms of the ontology are none."""
        kinds = [("kind", kind) for kind in self.view.site.entities.classes()]
        return f"{self.view.url('suggest')}&{urlencode(kinds)}"

    @property
    def turtle(self) -> str:
        """The statements about the records that are shown, from the endpoint."""
        values = " ".join(f"<{path}>" for path in self.picture.roles)
        query = f"BASE <{self.iri('')}>\nCONSTRUCT {{ ?s ?p ?o }} WHERE {{ VALUES ?s {{ {values} }} ?s ?p ?o }}"
        return f"{self.view.file('sparql')}?{urlencode({'query': query, 'format': 'ttl'})}"

    @property
    def json(self) -> str:
        return f"{self.url(self.state)}&format=json"

    @property
    def data(self) -> Markup:
        """The picture as JSON that cannot end its element, nor begin a comment in it (HTML, 4.12.1.3)."""
        text = json.dumps(_document(self.view, self.picture), ensure_ascii=False, separators=(",", ":"))
        return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
