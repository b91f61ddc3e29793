"""The document that the dataset is about, as the front page and `/about` name it."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from api.html.view import View
from kg.rdf.namespaces import DCTERMS, KG
from kg.rdf.terms import value

_HOMEPAGE = "http://xmlns.com/foaf/0.1/homepage"


@dataclass(frozen=True, slots=True)
class Paper:
    """A source with its document: links to both, who made it, its date, its number of lines, where originals are."""

    source: Markup
    document: Markup
    makers: tuple[Markup, ...]
    date: Markup | None
    lines: int
    originals: tuple[str, ...]


def main(view: View) -> Paper | None:
    """The main source of the project; None without one."""
    known, source = view.site.entities, view.main_source
    if source is None:
        return None
    iri, document = source.iri, source.document
    makers = [value(v) for p in ("publisher", "creator") for v in known.values(iri, DCTERMS + p)]
    pages = [value(v) for v in known.values(iri, _HOMEPAGE) + known.values(document, _HOMEPAGE)]
    return Paper(
        view.link(iri),
        view.link(document),
        tuple(view.link(maker) for maker in makers),
        view.cell(source.date) if source.date else None,
        _lines(view, iri),
        tuple(dict.fromkeys(pages)),
    )


def _lines(view: View, iri: str) -> int:
    """The number of the last line of the sections of a source; 0 without sections."""
    known = view.site.entities
    parts = [known.root + path for path in known.below(iri.removeprefix(known.root))]
    return max((int(value(v)) for part in parts for v in known.values(part, KG + "lastLine")), default=0)
