"""What every page needs of its reader: texts in one language, and addresses under one mount path."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from urllib.parse import quote, urlencode

from pyoxigraph import Literal, NamedNode

from api.i18n import texts
from api.i18n.values import shown
from api.site.site import Site
from kg.project.description import Texts, said
from kg.rdf import formats, iris


@lru_cache(maxsize=20_000)
def _quoted(path: str) -> str:
    """A path or fragment as it stands in an address; pages name the same ones over and over."""
    return quote(path, safe="/")


@dataclass(frozen=True)
class Reader:
    """One reader of the site: the language, the path under which the server is mounted, and the request's target."""

    site: Site
    language: str
    root: str
    path: str
    query: tuple[tuple[str, str], ...] = ()

    # ---- texts ----

    def t(self, key: str, **values: object) -> str:
        return texts.text(self.language, key, **values)

    def said(self, texts_: Texts) -> str:
        """The text in the reader's language, where there is one."""
        return said(texts_, self.languages)

    def n(self, key: str, n: int) -> str:
        """A text about a number of things; languages differ in what they do for one."""
        return self.t(key + "_one" if n == 1 else key, n=self.number(n))

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """The reader's language first."""
        return (self.language, *(other for other in texts.LANGUAGES if other != self.language))

    @property
    def other(self) -> str:
        return self.languages[1]

    def day(self, moment: str) -> str:
        """The day of a moment (ISO 8601), as readers write it."""
        return shown(Literal(moment[:10], datatype=NamedNode("http://www.w3.org/2001/XMLSchema#date")), self.language)

    def number(self, n: int) -> str:
        return f"{n:,}"

    def class_name(self, name: str) -> str:
        """What a class of paths is called, by the project, else by the engine, else by its path."""
        return self.said(self.site.project.classes.get(name) or texts.named("classes", name)) or name

    def tag(self, name: str) -> str:
        """What a tag of the query library is called."""
        return self.said(self.site.project.tags.get(name, {})) or name

    def column(self, name: str) -> str:
        """What a column of a stored query is called."""
        return self.said(self.site.project.columns.get(name, {})) or name

    def format_title(self, name: str) -> str:
        found = formats.result_format(name) or formats.rdf_format(name)
        return found.title if found else name

    # ---- addresses ----

    def url(self, path: str, fragment: str = "", **query: object) -> str:
        """A page of this server in the reader's language."""
        pairs = urlencode({"lang": self.language, **query}) if query else f"lang={self.language}"
        return f"{self.root}/{_quoted(path)}?{pairs}{'#' + _quoted(fragment) if fragment else ''}"

    def file(self, path: str) -> str:
        """What this server answers the same in every language."""
        return f"{self.root}/{_quoted(path)}"

    def here(self, **changes: object) -> str:
        """This page with other parameters."""
        kept = [(k, v) for k, v in self.query if k not in changes and k != "remember"]
        return f"{self.root}{quote(self.path)}?{urlencode([*kept, *changes.items()])}"

    def with_choice(self, name: str, value: str, chosen: bool) -> str:
        """This list with a value of a facet chosen or no longer chosen, from its first page."""
        kept = [(k, v) for k, v in self.query if k not in ("page", "remember") and (k, v) != (name, value)]
        return f"{self.root}{quote(self.path)}?{urlencode([*kept, *([(name, value)] if chosen else [])])}"

    def data_here(self, name: str) -> str:
        """This list in a format for programs."""
        kept = [(k, v) for k, v in self.query if k not in ("lang", "remember", "format")]
        return f"{self.root}{quote(self.path)}?{urlencode([*kept, ('format', name)])}"

    def data(self, path: str, extension: str) -> str:
        return self.file(f"data/{path}.{extension}")

    def href(self, iri: str) -> str:
        """Where an IRI leads: a page of this server for what is ours, else the IRI itself."""
        document, _, fragment = iri.partition("#")
        base = self.site.base
        if document.startswith(base + "id/"):
            return self.url("page/" + document.removeprefix(base + "id/"), fragment)
        if document.startswith(base + "graph/"):
            return self.url(document.removeprefix(base), fragment)
        if document == iris.ONTOLOGY:
            return self.url("ontology", fragment)
        if document == base + "dataset":
            return self.url("dataset")
        return iri if iri.startswith(("http://", "https://")) else ""

    def addresses(self) -> str:
        """What readers should know of the addresses of records."""
        template = self.said(self.site.project.addresses) or self.t("about_uris_text")
        return texts.fill(template, {"base": self.site.base})
