"""What the explorer shows: a state as its address tells it, and names, rows and addresses for page and JSON."""

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

# The links of one property in one direction that are shown at first, and with each further request for more.
AT_ONCE = 60
_MOST_STARTS = 12
_STATEMENTS = "BASE <{root}>\nCONSTRUCT { ?s ?p ?o } WHERE { VALUES ?s { {records} } ?s ?p ?o }"


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
        """With all neighbours of a record."""
        shown = tuple(name for name in self.without if name not in (path, kind_of(path)))
        return replace(self, nodes=tuple(dict.fromkeys((*self.nodes, path))), without=shown)

    def collapsed(self, path: str) -> State:
        """Without the neighbours of a record, but with it where something else leads to it."""
        kept = tuple(part for part in self.parts if part.path != path)
        return replace(self, nodes=tuple(node for node in self.nodes if node != path), parts=kept)

    def removed(self, path: str) -> State:
        """Without a record."""
        rest = self.collapsed(path)
        ends = ("", "") if path in (self.start, self.end) else (self.start, self.end)
        return replace(rest, start=ends[0], end=ends[1], without=tuple(dict.fromkeys((*self.without, path))))

    def begun(self, path: str) -> State:
        """A picture of one record anew, by the same properties."""
        return State((path,), inferred=self.inferred, without=tuple(n for n in self.without if ":" in n))

    def toggled(self, name: str) -> State:
        """With something hidden that is shown, or the other way round."""
        if name in self.without:
            return replace(self, without=tuple(other for other in self.without if other != name))
        return replace(self, without=(*self.without, name))

    def extended(self, part: Part) -> State:
        """With more neighbours of a record, by one property."""
        kept = tuple(p for p in self.parts if replace(p, most=part.most) != part)
        return replace(self, parts=(*kept, part))


def _written(site: Site, part: Part) -> str:
    """A part as an address has it."""
    return f"{part.path},{part.direction},{site.context.compact(part.property)},{part.most}"


def _pairs(site: Site, state: State) -> list[tuple[str, str]]:
    """A state as the parameters of its address."""
    found = [("node", path) for path in state.nodes]
    found += [("links", _written(site, part)) for part in state.parts]
    found += [(name, path) for name, path in (("from", state.start), ("to", state.end)) if path]
    found += [("without", name) for name in state.without]
    return [*found, ("inferred", "1")] if state.inferred else found


def url_of(view: View, state: State) -> str:
    """The address of a state in the reader's language."""
    query = urlencode([("lang", view.language), *_pairs(view.site, state)], safe="/:,")
    return f"{view.file('explore')}?{query}"


@dataclass(frozen=True, slots=True)
class LinkRow:
    """The links of one record by one property: those that are shown, how many there are, and how to have more."""

    heading: str
    shown: list[Edge]
    total: int
    more: str


def node_of(view: View, path: str) -> dict[str, str]:
    """A record for JSON."""
    iri, kind = view.site.entities.root + path, kind_of(path)
    name, kind_name = view.plain(iri), view.class_name(kind)
    return {"path": path, "iri": iri, "label": name, "kind": kind, "kind_label": kind_name, "href": view.href(iri)}


def link_of(view: View, link: Edge) -> dict[str, object]:
    """A link for JSON."""
    return {
        "source": link.source,
        "target": link.target,
        "property": view.site.context.compact(link.property),
        "label": view.plain(link.property),
        "inferred": link.is_inferred,
    }


def document_of(view: View, picture: Picture) -> dict[str, object]:
    """A picture for JSON: its records, each with its role, and its links, each with whether a chain has it."""
    chained = {link for chain in picture.chains for link in chain.links}
    nodes = [{**node_of(view, path), "role": role} for path, role in picture.roles.items()]
    return {"nodes": nodes, "links": [{**link_of(view, link), "chain": link in chained} for link in picture.links]}


@dataclass(frozen=True)
class Exploration:
    """What the template asks: names, rows and addresses for one picture."""

    view: View
    state: State
    picture: Picture

    def url(self, state: State) -> str:
        return url_of(self.view, state)

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

    def rows(self, path: str) -> list[LinkRow]:
        """The links of a record by property and direction, in the order of the properties elsewhere."""
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
        """How long a chain may be."""
        return MOST_STEPS

    @property
    def starts(self) -> list[str]:
        """Records to begin with: of each kind the one with most links."""
        kinds = [kind for kind in self.view.site.entities.classes() if kind not in QUIET | CATEGORIES]
        return self.view.site.links.best_linked(kinds)[:_MOST_STARTS]

    @property
    def origin(self) -> str:
        """Where a path begins when the reader does not say: the one record that was expanded."""
        return self.state.nodes[0] if len(self.state.nodes) == 1 and not self.state.end else ""

    @property
    def suggest(self) -> str:
        """Where suggestions of records come from; terms of the ontology are none."""
        kinds = [("kind", kind) for kind in self.view.site.entities.classes()]
        return f"{self.view.url('suggest')}&{urlencode(kinds)}"

    @property
    def turtle(self) -> str:
        """The statements about the records that are shown, from the endpoint."""
        # Slugs need no escape in an IRI.
        records = " ".join(f"<{path}>" for path in self.picture.roles)
        query = texts.fill(_STATEMENTS, {"root": self.view.site.entities.root, "records": records})
        return f"{self.view.file('sparql')}?{urlencode({'query': query, 'format': 'ttl'})}"

    @property
    def json(self) -> str:
        return f"{self.url(self.state)}&format=json"

    @property
    def data(self) -> Markup:
        """The picture as JSON that cannot end its element, nor begin a comment in it (HTML, 4.12.1.3)."""
        text = json.dumps(document_of(self.view, self.picture), ensure_ascii=False, separators=(",", ":"))
        return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
