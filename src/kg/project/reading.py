"""Reads a project's `site.yaml` and reports every fault with its position."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import yaml

from kg.documents import YamlDocument, read_text
from kg.errors import FileProblem, Rejected, nearest
from kg.names import registers
from kg.names.identifiers import Identifiers
from kg.names.legal_forms import LegalForm, LegalForms
from kg.names.name_profile import NameProfile
from kg.names.registers import Register
from kg.project.description import CatalogueEntry, ChartPage, FrontQuestion, Licence, Project
from kg.project.location import SITE
from kg.rdf import iris
from kg.rdf.datatypes import DATATYPES, XSD
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
            "headline": self.in_languages,
            "main-source": self._path,
            "repository": self._iri,
            "questions": self._questions,
            "licence": self._licence,
            **dict.fromkeys(("worked-query", "evidence-query", "featured-class"), self._name),
            "search-examples": self._search_examples,
            "classes": self.named_texts,
            "last-classes": self._names,
            "charts": self._charts,
            "examples": self._examples,
            "schema-types": self._schema_types,
            "registers": self._registers,
            "legal-forms": self._legal_forms,
            "related-classes": self._related,
            "faulty-example": self.text,
            "badge": self.in_languages,
            "catalogue": self._catalogue,
            **dict.fromkeys(("report",), self.text),
        }
        values = self.fields(node, readers)
        self.require(node, (key.value for key, _ in node.value), _REQUIRED)
        lead, charts = values.pop("charts", ({}, {}))
        names = NameProfile(
            Identifiers(values.pop("registers", ())),
            LegalForms(values.pop("legal-forms", {})),
            values.pop("related-classes", ()),
        )
        return {
            **{key.replace("-", "_"): value for key, value in values.items()},
            "charts_lead": lead,
            "charts": charts,
            "names": names,
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

    def _path(self, key: str, node: yaml.Node) -> str | None:
        path = self.text(key, node)
        if path is not None and not all(iris.SLUG.fullmatch(part) for part in path.split("/")):
            self.report(node, "slug", f"'{path}' under '{key}': expected the path of a record, such as source/report")
            return None
        return path

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

    def _catalogue(self, key: str, node: yaml.Node) -> CatalogueEntry | None:
        readers: Mapping[str, Reader] = {
            "issued": self._date,
            **dict.fromkeys(("frequency", "access", "spatial"), self._iri),
            "period": self._period,
            "themes": self._iris,
            "keywords": self._search_examples,
        }
        return self._part(key, node, readers, CatalogueEntry)

    def _date(self, key: str, node: yaml.Node) -> str | None:
        text = self.text(key, node)
        if text is not None and not DATATYPES[XSD + "date"].accepts(text):
            self.report(node, "wrong-type", f"'{text}' under '{key}' is no date; expected one such as 2026-06-29")
            return None
        return text

    def _period(self, key: str, node: yaml.Node) -> tuple[str, str] | None:
        days = [self._date(key, day) for day in node.value] if isinstance(node, yaml.SequenceNode) else []
        if len(days) != 2:
            self.report(node, "wrong-type", f"'{key}' is the first and the last day, as [2024-04-01, 2027-03-31]")
        return (days[0], days[1]) if len(days) == 2 and days[0] and days[1] else None

    def _iris(self, key: str, node: yaml.Node) -> tuple[str, ...]:
        members = node.value if isinstance(node, yaml.SequenceNode) else ()
        self.members(key, node)
        return tuple(found for member in members if (found := self._iri(key, member)) is not None)

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

    def _questions(self, key: str, node: yaml.Node) -> tuple[FrontQuestion, ...]:
        content = self.mapping(key, node, "a map of stored query to question, answer and row")
        readers: Mapping[str, Reader] = dict.fromkeys(("question", "answer", "row"), self.in_languages)
        found = (
            (
                self._part(name.value, value, readers, partial(FrontQuestion, name.value))
                for name, value in self.pairs(content)
            )
            if content
            else ()
        )
        return tuple(question for question in found if question is not None)

    def _examples(self, key: str, node: yaml.Node) -> dict[str, str] | None:
        content = self.mapping(key, node, "a map of the name of a parameter to its example")
        return self.fields(content, dict.fromkeys(EXAMPLES, self.text)) if content else None

    def _schema_types(self, key: str, node: yaml.Node) -> dict[str, str]:
        content = self.mapping(key, node, "a map of class, such as kg:Event, to a class of schema.org")
        pairs = ((name.value, self.text(name.value, value)) for name, value in self.pairs(content)) if content else ()
        return {name: text for name, text in pairs if text is not None}

    def _registers(self, key: str, node: yaml.Node) -> tuple[Register, ...]:
        content = self.mapping(key, node, "a map of the name of a register to how its identifiers are written")
        found = (self._register(name.value, value) for name, value in self.pairs(content)) if content else ()
        return tuple(register for register in found if register is not None)

    def _register(self, name: str, node: yaml.Node) -> Register | None:
        content = self.mapping(name, node, "a map with properties, written, bare, canonical, check or page")
        if content is None:
            return None
        readers: Mapping[str, Reader] = {
            "properties": self._properties,
            "written": self._patterns,
            "bare": self._pattern,
            "bare-is-certain": self._is_true,
            "canonical": self._canonical,
            "check": self._check,
            "page": self._page,
        }
        fields = {"written": "forms", "check": "fault", "bare-is-certain": "is_bare_certain"}
        return Register(name, **{fields.get(k, k): v for k, v in self.fields(content, readers).items()})

    def _properties(self, key: str, node: yaml.Node) -> tuple[str, ...]:
        """IRIs of properties; `kg:name` is one of the core."""
        return tuple(
            iris.ONTOLOGY + "#" + name.removeprefix("kg:") if name.startswith("kg:") else name
            for name in self.members(key, node)
        )

    def _patterns(self, key: str, node: yaml.Node) -> tuple[re.Pattern[str], ...]:
        members = node.value if isinstance(node, yaml.SequenceNode) else ()
        self.members(key, node)
        return tuple(found for member in members if (found := self._pattern(key, member)) is not None)

    def _pattern(self, key: str, node: yaml.Node) -> re.Pattern[str] | None:
        written = self.text(key, node)
        try:
            found = registers.pattern(written) if written is not None else None
        except re.error as error:
            self.report(node, "pattern", f"'{written}' under '{key}' is no regular expression: {error}")
            return None
        if found is not None and "value" not in found.groupindex:
            self.report(node, "pattern", f"'{written}' under '{key}' needs a group (?P<value>…) for the identifier")
            return None
        return found

    def _is_true(self, key: str, node: yaml.Node) -> bool | None:
        return self._one_of(key, node, {"true": True, "false": False})

    def _canonical(self, key: str, node: yaml.Node) -> Callable[[str], str] | None:
        return self._one_of(key, node, registers.CANONICAL)

    def _one_of(self, key: str, node: yaml.Node, known: Mapping[str, Made]) -> Made | None:
        written = self.text(key, node)
        if written is not None and written not in known:
            message = f"'{written}' under '{key}'{nearest(written, known)}; expected one of {', '.join(known)}"
            self.report(node, "unknown-value", message)
        return known.get(written) if written is not None else None

    def _check(self, key: str, node: yaml.Node) -> Callable[[str], str] | None:
        written = self.text(key, node)
        found = registers.checked_by(written) if written is not None else None
        if written is not None and found is None:
            message = f"python-stdnum knows no '{written}'; expected a country and a kind of number, such as jp.cn"
            self.report(node, "unknown-value", message)
        return found

    def _page(self, key: str, node: yaml.Node) -> str | None:
        written = self.text(key, node)
        if written is not None and (written.count("{}") != 1 or not written.startswith("https://")):
            self.report(
                node, "page", f"'{written}' under '{key}': expected an https address with {{}} for the identifier"
            )
            return None
        return written

    def _related(self, key: str, node: yaml.Node) -> tuple[frozenset[str], ...]:
        if not isinstance(node, yaml.SequenceNode):
            self.report(node, "wrong-type", f"'{key}' needs a list of lists of classes: [[law, policy]]")
            return ()
        return tuple(frozenset(self.members(key, group)) for group in node.value)

    def _legal_forms(self, key: str, node: yaml.Node) -> dict[str, LegalForm]:
        content = self.mapping(key, node, "a map of a legal form to how it is written")
        readers: Mapping[str, Reader] = dict.fromkeys(("names", "abbreviations", "earlier", "classes"), self._names)
        found: dict[str, LegalForm] = {}
        for name, value in self.pairs(content) if content else ():
            if (form := self.mapping(name.value, value, "a map with names, abbreviations, earlier or classes")) is None:
                continue
            values = self.fields(form, readers)
            self.require(form, values, ("names",), f" under '{name.value}'")
            if values.get("names"):
                found[name.value] = LegalForm(**values)
        if content:
            self._check_earlier(content, found)
        return found

    def _check_earlier(self, content: yaml.MappingNode, forms: Mapping[str, LegalForm]) -> None:
        for name, value in content.value:
            for earlier in forms[name.value].earlier if name.value in forms else ():
                if earlier not in forms:
                    self.report(value, "unknown-value", f"'{earlier}' is no legal form here{nearest(earlier, forms)}")
