"""Reads a project's `site.yaml` and reports every fault with its position."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from kg.documents import YamlDocument, read_text
from kg.errors import FileProblem, Rejected
from kg.project.description import ChartPage, Licence, Project
from kg.project.location import SITE
from kg.rdf import iris
from kg.rdf.iris import Base

EXAMPLES = (
    *("q", "queries", "prefix", "id", "type", "node", "from", "to", "class", "property"),
    *("subject", "predicate", "object", "iri", "scheme"),
)
_REQUIRED = ("base", "languages", "title", "lead", "notice", "publisher", "licence")
LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8})*")

Reader = Callable[[str, yaml.Node], Any]
Made = TypeVar("Made")


def read_project(root: Path) -> Project:
    """The project in a folder; raises `Rejected` with every fault of its `site.yaml`, by line and column."""
    document = _SiteFile(SITE, "a map of what the site is")
    values = document.read(root)
    problems = document.problems
    for name in ("columns", "tags"):
        values[name], faults = _read_names(root, f"queries/{name}.yaml", document.languages)
        problems += faults
    if problems:
        raise Rejected(problems)
    values.setdefault("service", values["title"])
    values.setdefault("ontology", values["base"].iri + "ontology")
    return Project(root=root, **values)


def _read_names(root: Path, file: str, languages: tuple[str, ...]) -> tuple[dict[str, Any], list[FileProblem]]:
    """The names in a map of key to text by language; empty when there is no such file."""
    if not (root / file).is_file():
        return {}, []
    document = _SiteFile(file, "a map of names", languages)
    text, problems = read_text(root / file, file)
    node = document.compose(text) if text is not None else None
    return document.named_texts(file, node) if node else {}, [*problems, *document.problems]


class _SiteFile(YamlDocument):
    """Walks `site.yaml`; every key is known, every value of its kind."""

    def __init__(self, file: str, content: str, languages: tuple[str, ...] = ()) -> None:
        super().__init__(file, content)
        self.languages = languages

    def read(self, root: Path) -> dict[str, Any]:
        """The values by the names of the fields of `Project`; what is faulty is missing."""
        path = root / SITE
        if not path.is_file():
            message = f"{root} has no site.yaml, so it is no project; 'kg new DIR' writes one"
            self.problems.append(FileProblem(str(path), 0, 0, "no-site", message))
            return {}
        text, problems = read_text(path, self.file)
        self.problems += problems
        node = self.compose(text) if text is not None else None
        if node is None:
            return {}
        # Everything else is read in these languages.
        written = next((value for key, value in node.value if getattr(key, "value", "") == "languages"), None)
        self.languages = self._languages("languages", written, quiet=True) if written is not None else ()
        readers: Mapping[str, Reader] = {
            "base": self._base,
            **dict.fromkeys(("languages", "more-languages"), self._languages),
            "ontology": self._iri,
            **dict.fromkeys(("title", "lead", "notice", "publisher", "addresses", "service"), self.in_languages),
            "licence": self._licence,
            **dict.fromkeys(("worked-query", "featured-class"), self._name),
            "search-examples": self._search_examples,
            "classes": self.named_texts,
            "last-classes": self._names,
            "charts": self._charts,
            "examples": self._examples,
            "schema-types": self._schema_types,
        }
        values = self.fields(node, readers)
        self.require(node, (key.value for key, _ in node.value), _REQUIRED)
        lead, charts = values.pop("charts", ({}, {}))
        return {
            **{key.replace("-", "_"): value for key, value in values.items()},
            "charts_lead": lead,
            "charts": charts,
        }

    def in_languages(self, key: str, node: yaml.Node) -> dict[str, str] | None:
        return self.texts(key, node, self.languages)

    def named_texts(self, key: str, node: yaml.Node) -> dict[str, dict[str, str]]:
        """A map of name to text in each language."""
        names = self.mapping(key, node, "a map of name to a text in each language")
        pairs = (
            ((name.value, self.in_languages(name.value, value)) for name, value in self.pairs(names)) if names else ()
        )
        return {name: texts for name, texts in pairs if texts is not None}

    def _base(self, key: str, node: yaml.Node) -> Base | None:
        iri = self.text(key, node)
        if iri is not None and not iris.is_base(iri):
            message = f"'{iri}' is no base; expected an IRI that ends in '/', such as https://data.example.org/kg/"
            self.report(node, "wrong-type", message)
            return None
        return Base(iri) if iri is not None else None

    def _languages(self, key: str, node: yaml.Node, *, quiet: bool = False) -> tuple[str, ...]:
        before = list(self.problems)
        tongues = self.members(key, node)
        for tongue in tongues:
            if not LANGUAGE.fullmatch(tongue):
                self.report(node, "language", f"'{tongue}' is no language; expected a tag in lower case, such as en")
        if not tongues:
            self.report(node, "empty-value", f"'{key}' needs at least one language, such as [en]")
        if quiet:
            self.problems = before
        return tuple(tongues)

    def _name(self, key: str, node: yaml.Node) -> str | None:
        name = self.text(key, node)
        if name is not None and not iris.SLUG.fullmatch(name):
            self.report(node, "slug", f"'{name}' under '{key}': expected lower-case letters, digits and single hyphens")
            return None
        return name

    def _names(self, key: str, node: yaml.Node) -> tuple[str, ...]:
        return tuple(self.members(key, node))

    def _iri(self, key: str, node: yaml.Node) -> str | None:
        iri = self.text(key, node)
        if iri is not None and (not iris.ABSOLUTE.match(iri) or iris.ILLEGAL_IN_IRI.search(iri)):
            self.report(node, "illegal-iri", f"'{iri}' under '{key}' is no absolute IRI")
            return None
        return iri

    def _licence(self, key: str, node: yaml.Node) -> Licence | None:
        readers: Mapping[str, Reader] = {"iri": self._iri, "name": self.text, "text": self.in_languages}
        return self._part(key, node, readers, Licence)

    def _part(self, key: str, node: yaml.Node, readers: Mapping[str, Reader], make: Callable[..., Made]) -> Made | None:
        """A map whose keys are all needed, as the dataclass that has them as fields; None when one is faulty."""
        content = self.mapping(key, node, f"a map with {', '.join(readers)}")
        if content is None:
            return None
        values = self.fields(content, readers)
        self.require(content, (k.value for k, _ in content.value), readers, f" under '{key}'")
        return make(**values) if len(values) == len(readers) else None

    def _search_examples(self, key: str, node: yaml.Node) -> dict[str, tuple[str, ...]] | None:
        content = self.mapping(key, node, "a list of words in each language")
        return self.fields(content, dict.fromkeys(self.languages, self._names)) if content else None

    def _charts(self, key: str, node: yaml.Node) -> tuple[dict[str, str], dict[str, ChartPage]] | None:
        content = self.mapping(key, node, "a map with lead and pages")
        if content is None:
            return None
        values = self.fields(content, {"lead": self.in_languages, "pages": self._chart_pages})
        return values.get("lead", {}), values.get("pages", {})

    def _chart_pages(self, key: str, node: yaml.Node) -> dict[str, ChartPage]:
        content = self.mapping(key, node, "a map of name to title, lead and queries")
        readers: Mapping[str, Reader] = {
            "title": self.in_languages,
            "lead": self.in_languages,
            "queries": self._names,
        }
        pairs = (
            ((name.value, self._part(name.value, value, readers, ChartPage)) for name, value in self.pairs(content))
            if content
            else ()
        )
        return {name: page for name, page in pairs if page is not None}

    def _examples(self, key: str, node: yaml.Node) -> dict[str, str] | None:
        content = self.mapping(key, node, "a map of the name of a parameter to its example")
        return self.fields(content, dict.fromkeys(EXAMPLES, self.text)) if content else None

    def _schema_types(self, key: str, node: yaml.Node) -> dict[str, str]:
        content = self.mapping(key, node, "a map of class, such as kg:Event, to a class of schema.org")
        pairs = ((name.value, self.text(name.value, value)) for name, value in self.pairs(content)) if content else ()
        return {name: text for name, text in pairs if text is not None}
