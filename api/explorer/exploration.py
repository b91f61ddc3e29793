"""The state of the explorer, which is its URL, and the names, rows and URLs that page and JSON show."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from urllib.parse import urlencode

from markupsafe import Markup

from api.html.view import View
from api.i18n import texts
from api.site.site import Site
from kg.release.paths import CATEGORIES, MOST_STEPS, QUIET, Edge, Group, Part, Picture, kind_of

# Edges of one property and direction that are shown at first, and that each request for more adds.
AT_ONCE = 60
_MOST_STARTS = 12
_STATEMENTS = "BASE <{root}>\nCONSTRUCT { ?s ?p ?o } WHERE { VALUES ?s { {records} } ?s ?p ?o }"


@dataclass(frozen=True, slots=True)
class State:
    """The state in a URL; `without` names hidden records, classes and properties."""

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
        """Return the state with all neighbours of a record."""
        shown = tuple(name for name in self.without if name not in (path, kind_of(path)))
        return replace(self, nodes=tuple(dict.fromkeys((*self.nodes, path))), without=shown)

    def collapsed(self, path: str) -> State:
        """Return the state without the neighbours of a record; it stays if another edge leads to it."""
        kept = tuple(part for part in self.parts if part.path != path)
        return replace(self, nodes=tuple(node for node in self.nodes if node != path), parts=kept)

    def removed(self, path: str) -> State:
        """Return the state without a record."""
        rest = self.collapsed(path)
        ends = ("", "") if path in (self.start, self.end) else (self.start, self.end)
        return replace(rest, start=ends[0], end=ends[1], without=tuple(dict.fromkeys((*self.without, path))))

    def begun(self, path: str) -> State:
        """Return a new state that starts at one record, with the same hidden properties."""
        return State((path,), inferred=self.inferred, without=tuple(n for n in self.without if ":" in n))

    def toggled(self, name: str) -> State:
        """Return the state with a name hidden or shown again."""
        if name in self.without:
            return replace(self, without=tuple(other for other in self.without if other != name))
        return replace(self, without=(*self.without, name))

    def extended(self, part: Part) -> State:
        """Return the state with more neighbours of a record, by one property."""
        kept = tuple(p for p in self.parts if replace(p, most=part.most) != part)
        return replace(self, parts=(*kept, part))


def _written(site: Site, part: Part) -> str:
    """Return a part as it is written in a URL."""
    return f"{part.path},{part.direction},{site.context.compact(part.property)},{part.most}"


def _pairs(site: Site, state: State) -> list[tuple[str, str]]:
    """Return a state as URL parameters."""
    found = [("node", path) for path in state.nodes]
    found += [("links", _written(site, part)) for part in state.parts]
    found += [(name, path) for name, path in (("from", state.start), ("to", state.end)) if path]
    found += [("without", name) for name in state.without]
    return [*found, ("inferred", "1")] if state.inferred else found


def url_of(view: View, state: State) -> str:
    """Return the URL of a state in the language of the view."""
    query = urlencode([("lang", view.language), *_pairs(view.site, state)], safe="/:,")
    return f"{view.file('explore')}?{query}"


@dataclass(frozen=True, slots=True)
class LinkRow:
    """The edges of a record by one property: those shown, the number of all, and the URL for more."""

    heading: str
    shown: list[Edge]
    total: int
    more: str


def node_of(view: View, path: str) -> dict[str, str]:
    """Return a record for JSON."""
    iri, kind = view.site.entities.root + path, kind_of(path)
    name, kind_name = view.plain(iri), view.class_name(kind)
    return {"path": path, "iri": iri, "label": name, "kind": kind, "kind_label": kind_name, "href": view.href(iri)}


def link_of(view: View, link: Edge) -> dict[str, object]:
    """Return an edge for JSON."""
    return {
        "source": link.source,
        "target": link.target,
        "property": view.site.context.compact(link.property),
        "label": view.plain(link.property),
        "inferred": link.is_inferred,
    }


def document_of(view: View, picture: Picture) -> dict[str, object]:
    """Return a picture for JSON: records with their roles, and edges with whether they are part of a path."""
    chained = {link for chain in picture.chains for link in chain.links}
    nodes = [{**node_of(view, path), "role": role} for path, role in picture.roles.items()]
    return {"nodes": nodes, "links": [{**link_of(view, link), "chain": link in chained} for link in picture.links]}


@dataclass(frozen=True)
class Exploration:
    """What the template needs of one picture: names, rows and URLs."""

    view: View
    state: State
    picture: Picture

    def url(self, state: State) -> str:
        return url_of(self.view, state)

    def fields(self, *left_out: str) -> list[tuple[str, str]]:
        """Return the hidden fields by which a form keeps the state."""
        return [(name, text) for name, text in _pairs(self.view.site, self.state) if name not in left_out]

    def iri(self, path: str) -> str:
        return self.view.site.entities.root + path

    def label(self, path: str) -> str:
        return self.view.plain(self.iri(path))

    def is_expanded(self, path: str) -> bool:
        return path in self.state.nodes or any(part.path == path for part in self.state.parts)

    @property
    def chief(self) -> list[str]:
        """Return the records that the reader chose, and those on a path."""
        return [path for path, role in self.picture.roles.items() if role]

    @property
    def others(self) -> list[tuple[str, list[str]]]:
        """Return the other records, grouped by class."""
        found: dict[str, list[str]] = {}
        for path in (path for path, role in self.picture.roles.items() if not role):
            found.setdefault(kind_of(path), []).append(path)
        return sorted(found.items(), key=lambda pair: (-len(pair[1]), pair[0]))

    def rows(self, path: str) -> list[LinkRow]:
        """Return the edges of a record by property and direction, in the usual order of properties."""
        groups = self.view.site.links.groups(path, self.picture.choice)
        groups.sort(key=lambda group: (group.direction == "in", self._ranks.get(group.property, len(self._ranks))))
        return [self._row(path, group) for group in groups]

    @cached_property
    def _ranks(self) -> dict[str, int]:
        return {term.iri: rank for rank, term in enumerate(self.view.site.context.terms.values())}

    def _row(self, path: str, group: Group) -> LinkRow:
        shown = [link for link in group.links if link.other(path) in self.picture.roles]
        most = (len(shown) // AT_ONCE + 1) * AT_ONCE
        more = _written(self.view.site, Part(path, group.direction, group.property, most))
        return LinkRow(self.heading(group), shown, len(group.links), more)

    def heading(self, group: Group) -> str:
        """Return the name of a property as seen from the record."""
        if group.direction == "out":
            return self.view.plain(group.property)
        other = self.view.from_the_other_end(group.property)
        return other or self.view.t("explore_of", name=self.view.plain(group.property))

    @property
    def kinds(self) -> list[tuple[str, int, bool]]:
        """Return the classes in the picture and the hidden ones, with the number of records shown."""
        counts = Counter(kind_of(path) for path in self.picture.roles)
        hidden = [name for name in self.state.without if "/" not in name and ":" not in name]
        return [*((k, n, True) for k, n in counts.most_common()), *((k, 0, False) for k in hidden if k not in counts)]

    @property
    def hidden(self) -> list[str]:
        """Return the records that the reader removed."""
        known = self.view.site.entities
        return [n for n in self.state.without if "/" in n and ":" not in n and known.exists(self.iri(n))]

    @property
    def properties(self) -> list[tuple[str, str, int]]:
        """Return the properties in the picture and the hidden ones: short form, name, number of edges."""
        site = self.view.site
        counts = Counter(site.context.compact(link.property) for link in self.picture.links)
        hidden = {n: 0 for n in self.state.without if ":" in n and site.links.knows(site.context.expand(n))}
        return [(n, self.view.plain(site.context.expand(n)), count) for n, count in ({**hidden, **counts}).items()]

    @property
    def summary(self) -> str:
        records = self.view.n("explore_records", len(self.picture.roles))
        return self.view.t(
            "explore_summary", records=records, links=self.view.n("explore_links", len(self.picture.links))
        )

    @property
    def steps(self) -> int:
        """The maximum length of a path."""
        return MOST_STEPS

    @property
    def starts(self) -> list[str]:
        """Return records to start with: of each class the one with most edges."""
        kinds = [kind for kind in self.view.site.entities.classes() if kind not in QUIET | CATEGORIES]
        return self.view.site.links.best_linked(kinds)[:_MOST_STARTS]

    @property
    def origin(self) -> str:
        """Return the default start of a path: the record that was expanded, if it is only one."""
        return self.state.nodes[0] if len(self.state.nodes) == 1 and not self.state.end else ""

    @property
    def suggest(self) -> str:
        """Return the URL of suggestions, for records only."""
        kinds = [("kind", kind) for kind in self.view.site.entities.classes()]
        return f"{self.view.url('suggest')}&{urlencode(kinds)}"

    @property
    def turtle(self) -> str:
        """Return the URL of the statements about the records shown."""
        # Slugs need no escaping in an IRI.
        records = " ".join(f"<{path}>" for path in self.picture.roles)
        query = texts.fill(_STATEMENTS, {"root": self.view.site.entities.root, "records": records})
        return f"{self.view.file('sparql')}?{urlencode({'query': query, 'format': 'ttl'})}"

    @property
    def json(self) -> str:
        return f"{self.url(self.state)}&format=json"

    @property
    def data(self) -> Markup:
        """Return the picture as JSON that is safe inside a script element (HTML, 4.12.1.3)."""
        text = json.dumps(document_of(self.view, self.picture), ensure_ascii=False, separators=(",", ":"))
        return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
