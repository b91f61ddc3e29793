"""The feed of changes (Atom, RFC 4287; paged, RFC 5005) with an entry for each release and each changed record."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, urlencode
from xml.etree import ElementTree as Xml

from api.html.view import View
from kg.rdf import formats
from kg.release.history import ChangeEntry, ReleaseChanges

ATOM = "http://www.w3.org/2005/Atom"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
# Characters that XML 1.0 (2.2) does not allow.
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class Item(NamedTuple):
    """A release, or with `entry` a record that it changed."""

    step: ReleaseChanges
    entry: ChangeEntry | None = None


def items(history: Sequence[ReleaseChanges], name: str = "") -> list[Item]:
    """Return the entries of a feed, newest first: all, or the records of one class without the releases."""
    found: list[Item] = []
    for step in history:
        if not name:
            found.append(Item(step))
        found += [Item(step, e) for e in step.entries if not name or e.path.startswith(name + "/")]
    return found


@dataclass(frozen=True)
class Feed:
    """One page of a feed in one language; `host` ends in `/`, `name` is the class or '', `number` counts from 1."""

    view: View
    host: str
    name: str
    items: Sequence[Item]
    number: int
    pages: int

    def document(self) -> bytes:
        """Return the feed as XML; the same bytes for the same release, language and host."""
        view = self.view
        feed = Xml.Element("feed", {"xmlns": ATOM, _LANGUAGE: view.language})
        _text(feed, "id", f"{view.site.base}{self._path}")
        subject = view.class_name(self.name) if self.name else ""
        name = {"site": view.said(view.site.project.title)}
        title = view.t("feed_title_class", **name, name=subject) if subject else view.t("feed_title", **name)
        _text(feed, "title", title)
        _text(feed, "subtitle", view.t("feed_subtitle"))
        _text(feed, "updated", view.site.history[0].issued)
        _text(Xml.SubElement(feed, "author"), "name", view.said(view.site.project.publisher))
        _text(feed, "rights", view.said(view.site.project.licence.text))
        _text(feed, "generator", view.site.manifest.software.partition(" ")[0])
        for relation, target, media_type, language in self._links():
            _link(feed, relation, target, media_type, language)
        for item in self.items:
            feed.append(self._release(item.step) if item.entry is None else self._record(item.step, item.entry))
        Xml.indent(feed, " ")
        text: str = Xml.tostring(feed, encoding="unicode")
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()

    @property
    def _path(self) -> str:
        return f"feed/{self.name}.atom" if self.name else "feed.atom"

    def _url(self, number: int, language: str = "") -> str:
        query = urlencode({"lang": language or self.view.language, **({"page": number} if number > 1 else {})})
        return f"{self.host}{quote(self._path)}?{query}"

    def _page(self, path: str) -> str:
        return f"{self.host}{quote(path)}?lang={self.view.language}"

    def _links(self) -> Iterator[tuple[str, str, str, str]]:
        view = self.view
        yield "self", self._url(self.number), formats.ATOM, view.language
        yield "alternate", self._page(f"id/{self.name}" if self.name else ""), formats.HTML, view.language
        for other in view.others:
            yield "alternate", self._url(1, other), formats.ATOM, other
        yield "license", view.site.licence, "", ""
        if self.pages > 1:
            around = {"first": 1, "previous": self.number - 1, "next": self.number + 1, "last": self.pages}
            for relation, number in around.items():
                if 1 <= number <= self.pages:
                    yield relation, self._url(number), formats.ATOM, view.language

    def _release(self, step: ReleaseChanges) -> Xml.Element:
        view = self.view
        entry = self._entry(step, "", view.t("feed_release", release=step.release))
        _link(entry, "alternate", self._page("dataset"), formats.HTML, view.language)
        if step.total is None:
            summary = view.t("feed_first")
        elif step.total > len(step.entries):
            summary = view.t("feed_too_many", n=view.number(step.total))
        else:
            summary = view.n("feed_total", step.total)
        _text(entry, "summary", summary)
        return entry

    def _record(self, step: ReleaseChanges, changed: ChangeEntry) -> Xml.Element:
        view, name = self.view, changed.path.partition("/")[0]
        iri = view.site.entities.root + changed.path
        label = next((changed.label[t] for t in view.languages if t in changed.label), changed.path)
        entry = self._entry(step, changed.path, view.t("feed_" + changed.kind, name=label))
        there = view.site.entities.exists(iri)
        listed = f"id/{name}" if view.site.entities.members(name) else "dataset"
        _link(entry, "alternate", self._page(f"page/{changed.path}" if there else listed), formats.HTML, view.language)
        if there:
            _link(entry, "describedby", f"{self.host}data/{quote(changed.path)}.ttl", "text/turtle")
        _link(entry, "cite-as", iri)
        Xml.SubElement(entry, "category", {"term": name, "label": view.class_name(name)})
        Xml.SubElement(entry, "category", {"term": changed.kind, "scheme": f"{view.site.base}feed.atom"})
        counts = view.t("feed_counts", added=view.number(changed.added), removed=view.number(changed.removed))
        successor = view.t("feed_successor", iri=changed.successor) if changed.successor else ""
        _text(entry, "summary", " ".join(filter(None, (counts, successor))))
        return entry

    def _entry(self, step: ReleaseChanges, path: str, title: str) -> Xml.Element:
        entry = Xml.Element("entry")
        _text(entry, "id", f"{self.view.site.base}feed.atom#{step.release}{'/' + path if path else ''}")
        _text(entry, "title", title)
        _text(entry, "updated", step.issued)
        return entry


def _text(parent: Xml.Element, name: str, text: str) -> None:
    Xml.SubElement(parent, name).text = _NO_XML.sub("\ufffd", text)


def _link(parent: Xml.Element, relation: str, target: str, media_type: str = "", language: str = "") -> None:
    fields = {"rel": relation, "href": target, "type": media_type, "hreflang": language}
    Xml.SubElement(parent, "link", {name: text for name, text in fields.items() if text})
