"""Texts in the reader's language, and the URLs of pages and files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from urllib.parse import quote, urlencode

from pyoxigraph import Literal, NamedNode

from api.i18n import texts
from api.i18n.values import shown
from api.site.site import Site
from kg.project.description import Texts, said
from kg.rdf import formats
from kg.release import evidence_sets


@lru_cache(maxsize=20_000)
def _quoted(path: str) -> str:
    """Percent-encode a path or fragment; cached, since pages repeat the same ones."""
    return quote(path, safe="/")


@dataclass(frozen=True)
class Reader:
    """The reader of a page: language, the mount path of the server, the path and query of the request, and the host."""

    site: Site
    language: str
    root: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    host: str = ""

    @cached_property
    def evidence(self) -> str:
        """The level of evidence that the page is limited to, '' for all."""
        asked = dict(self.query).get("evidence", "")
        return asked if asked in evidence_sets.LEVELS and asked != evidence_sets.EVERYTHING else ""

    @property
    def is_limitable(self) -> bool:
        """Whether what the page shows depends on the level of evidence."""
        return self.path == "/" or self.path.startswith(("/page/", "/charts/", "/queries/"))

    @property
    def evidence_levels(self) -> tuple[str, ...]:
        return tuple(evidence_sets.LEVELS)

    # ---- texts ----

    def t(self, key: str, **values: object) -> str:
        return texts.text(self.language, key, **values)

    def said(self, texts_: Texts) -> str:
        """Return the text in the reader's language, if there is one."""
        return said(texts_, self.languages)

    def n(self, key: str, n: int) -> str:
        """Return a text about `n` things, in the singular for one."""
        return self.t(key + "_one" if n == 1 else key, n=self.number(n))

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """The reader's language first."""
        return (self.language, *(other for other in self.site.project.languages if other != self.language))

    @property
    def others(self) -> tuple[str, ...]:
        """The other languages of the site."""
        return self.languages[1:]

    def endonym(self, language: str) -> str:
        """What a language is called in itself."""
        return texts.ENDONYMS.get(language, language)

    def language_name(self, language: str) -> str:
        """What a language is called in the reader's."""
        return texts.texts()[self.language].get(f"in_{language}", self.endonym(language))

    def day(self, moment: str) -> str:
        """Format the date of an ISO 8601 time."""
        return shown(Literal(moment[:10], datatype=NamedNode("http://www.w3.org/2001/XMLSchema#date")), self.language)

    def number(self, n: int) -> str:
        return f"{n:,}"

    def class_name(self, name: str) -> str:
        """Return the name of a class of paths, from the project, else from the engine, else the path itself."""
        return self.said(self.site.project.classes.get(name) or texts.named("classes", name)) or name

    def tag(self, name: str) -> str:
        """Return the name of a tag of the query library."""
        return self.said(self.site.project.tags.get(name, {})) or name

    def column(self, name: str) -> str:
        """Return the title of a column of a stored query."""
        return self.said(self.site.project.columns.get(name, {})) or name

    def format_title(self, name: str) -> str:
        found = formats.result_format(name) or formats.rdf_format(name)
        return found.title if found else name

    # ---- addresses ----

    def url(self, path: str, fragment: str = "", **query: object) -> str:
        """Return the URL of a page in the reader's language."""
        if self.evidence:
            query.setdefault("evidence", self.evidence)
        pairs = urlencode({"lang": self.language, **query}) if query else f"lang={self.language}"
        return f"{self.root}/{_quoted(path)}?{pairs}{'#' + _quoted(fragment) if fragment else ''}"

    def file(self, path: str) -> str:
        """Return the URL of a resource that is the same in every language."""
        return f"{self.root}/{_quoted(path)}"

    def here(self, **changes: object) -> str:
        """Return the URL of this page with other parameters."""
        kept = [(k, v) for k, v in self.query if k not in changes and k != "remember"]
        return f"{self.root}{quote(self.path)}?{urlencode([*kept, *changes.items()])}"

    def address(self, language: str = "") -> str:
        """Return the absolute URL of this page in a language, without parameters that do not change what it is.

        Without a language it is the one that sends each reader to theirs.
        """
        kept = [(k, v) for k, v in self.query if k in ("page", "q")]
        pairs = urlencode([*([("lang", language)] if language else []), *kept])
        return f"{self.host}{self.root}{quote(self.path)}{'?' + pairs if pairs else ''}"

    def with_choice(self, name: str, value: str, chosen: bool) -> str:
        """Return the URL of this list, from its first page, with a value of a facet chosen or not."""
        kept = [(k, v) for k, v in self.query if k not in ("page", "remember") and (k, v) != (name, value)]
        return f"{self.root}{quote(self.path)}?{urlencode([*kept, *([(name, value)] if chosen else [])])}"

    def data_here(self, name: str) -> str:
        """Return the URL of this list in a data format."""
        kept = [(k, v) for k, v in self.query if k not in ("lang", "remember", "format")]
        return f"{self.root}{quote(self.path)}?{urlencode([*kept, ('format', name)])}"

    def data(self, path: str, extension: str) -> str:
        return self.file(f"data/{path}.{extension}")

    def href(self, iri: str) -> str:
        """Return the URL of the page about an IRI, or the IRI itself if it has none; '' if it is no URL."""
        document, _, fragment = iri.partition("#")
        base = self.site.base
        if document.startswith(base + "id/"):
            return self.url("page/" + document.removeprefix(base + "id/"), fragment)
        if document.startswith(base + "graph/"):
            return self.url(document.removeprefix(base), fragment)
        if document + "#" in self.site.project.vocabularies:
            return self.url("ontology", fragment)
        if document == base + "dataset":
            return self.url("dataset")
        return iri if iri.startswith(("http://", "https://")) else ""

    def addresses(self) -> str:
        """Return the note on the addresses of records."""
        template = self.said(self.site.project.addresses) or self.t("about_uris_text")
        return texts.fill(template, {"base": self.site.base})
