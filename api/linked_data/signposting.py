"""Typed links between the documents of a record, for machines (signposting.org, FAIR Signposting Profile)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from api.linked_data.structured_data import schema_type
from api.site.site import Site
from kg.rdf import formats

_ABOUT_PAGE = "https://schema.org/AboutPage"


@dataclass(frozen=True, slots=True)
class TypedLink:
    """A typed link (RFC 8288) without its context."""

    relation: str
    target: str
    media_type: str = ""
    language: str = ""

    def __str__(self) -> str:
        media_type = f'; type="{self.media_type}"' if self.media_type else ""
        language = f'; hreflang="{self.language}"' if self.language else ""
        return f'<{self.target}>; rel="{self.relation}"{media_type}{language}'


def landing_page(site: Site, iri: str, host: str) -> str:
    """The Link header of a record's page."""
    return ", ".join(map(str, _of_page(site, iri, host)))


def content(site: Site, iri: str, host: str) -> str:
    """The Link header of a record's data."""
    return ", ".join(map(str, _of_data(site, iri, host)))


def linkset(site: Site, iri: str, host: str) -> dict[str, object]:
    """The links of the page and of all data documents as `application/linkset+json` (RFC 9264, 4.2)."""
    path = quote(iri.removeprefix(site.entities.root))
    contexts = [(f"{host}page/{path}", _of_page(site, iri, host))]
    contexts += [(f"{host}data/{path}.{f.name}", _of_data(site, iri, host)) for f in formats.RDF_FORMATS]
    return {"linkset": [_context(anchor, links) for anchor, links in contexts]}


def class_linkset(site: Site, anchor: str, members: Sequence[str]) -> dict[str, object]:
    """The linkset of a class list, with all its members."""
    items = [TypedLink("item", site.entities.root + quote(path)) for path in members]
    return {"linkset": [_context(anchor, iter([TypedLink("license", site.licence), *items]))]}


def _context(anchor: str, links: Iterator[TypedLink]) -> dict[str, object]:
    targets: dict[str, list[dict[str, object]]] = {}
    for link in links:
        target: dict[str, object] = {"href": link.target}
        if link.media_type:
            target["type"] = link.media_type
        if link.language:
            target["hreflang"] = [link.language]
        targets.setdefault(link.relation, []).append(target)
    return {"anchor": anchor, **targets}


def _of_page(site: Site, iri: str, host: str) -> Iterator[TypedLink]:
    path = quote(iri.removeprefix(site.entities.root))
    yield TypedLink("cite-as", iri)
    yield TypedLink("describes", iri)
    yield TypedLink("type", _ABOUT_PAGE)
    yield TypedLink("type", schema_type(site, iri))
    yield TypedLink("license", site.licence)
    yield TypedLink("collection", f"{host}id/{path.partition('/')[0]}")
    for syntax in formats.RDF_FORMATS:
        target = f"{host}data/{path}.{syntax.name}"
        yield TypedLink("describedby", target, syntax.media_type)
        yield TypedLink("alternate", target, syntax.media_type)
    for language in site.project.languages:
        yield TypedLink("alternate", f"{host}page/{path}?lang={language}", formats.HTML, language)
    yield TypedLink("linkset", f"{host}linkset/{path}", formats.LINKSET)


def _of_data(site: Site, iri: str, host: str) -> Iterator[TypedLink]:
    path = quote(iri.removeprefix(site.entities.root))
    yield TypedLink("describes", iri)
    yield TypedLink("collection", f"{host}page/{path}", formats.HTML)
    yield TypedLink("license", site.licence)
    yield TypedLink("linkset", f"{host}linkset/{path}", formats.LINKSET)
