"""What a project says of itself: the contents of `site.yaml` as frozen dataclasses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kg.names.name_profile import NameProfile
from kg.rdf import iris
from kg.rdf.iris import Base

Texts = Mapping[str, str]


def said(texts: Texts, languages: Sequence[str]) -> str:
    """The text in the first of the languages that it has, else in any; '' when there is none."""
    return next((texts[tongue] for tongue in languages if tongue in texts), next(iter(texts.values()), ""))


def said_in_all(texts: Texts, languages: Sequence[str]) -> str:
    """The texts in all of the languages, English first, for messages to curators."""
    order = sorted(languages, key=lambda tongue: tongue != "en")
    return " / ".join(texts[tongue] for tongue in (*order, "") if tongue in texts) or said(texts, order)


@dataclass(frozen=True, slots=True)
class Licence:
    """Under which terms the data may be reused."""

    iri: str
    name: str
    text: Texts


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """What data catalogues ask of a dataset; `frequency`, `access`, `spatial` and `themes` are IRIs of their lists.

    `issued` is the day of the first release, `period` the first and the last day that the data is about.
    """

    issued: str
    frequency: str
    access: str
    spatial: str
    period: tuple[str, str]
    themes: tuple[str, ...]
    keywords: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ChartPage:
    """A page that shows the answers of a few stored queries as charts."""

    title: Texts
    lead: Texts
    queries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FrontQuestion:
    """A question of the front page: a stored query, and the words that its rows fill in.

    `row` says one row or all rows with the same first column, `answer` the whole, with `{rows}` and their number `{n}`;
    `{column}` stands for values, and what is in `[brackets]` is said only when its columns have values.
    """

    query: str
    question: Texts
    answer: Texts
    row: Texts


@dataclass(frozen=True, slots=True)
class Project:
    """One dataset: the folder with its ontology, data and queries, and what its `site.yaml` says.

    Texts are by language. `headline` says in one sentence what the site is; `repository` is where the project is
    developed; `evidence_query` counts the facts by kind of evidence. `service` is the name of the reconciliation
    service; `examples` has the values that OpenAPI and error messages show, by parameter; `schema_types` maps classes
    (`prefix:Name`, as in the context) to classes of schema.org; `names` has the registers and legal forms;
    `faulty_example` is a text in Turtle with mistakes that the page for checking data starts with; `columns` and `tags`
    name what stored queries return and are filed under. `badge` and `main_source` (the path of a record of a source)
    stand at the top of every page; `report` is the address to which readers report errors, with `{iri}` and `{name}`.
    """

    root: Path
    base: Base
    languages: tuple[str, ...]
    title: Texts
    lead: Texts
    notice: Texts
    publisher: Texts
    licence: Licence
    service: Texts
    ontology: str = iris.ONTOLOGY
    more_languages: tuple[str, ...] = ()
    addresses: Texts = field(default_factory=dict)
    search_examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    headline: Texts = field(default_factory=dict)
    repository: str = ""
    questions: tuple[FrontQuestion, ...] = ()
    evidence_query: str = ""
    worked_query: str = ""
    featured_class: str = ""
    classes: Mapping[str, Texts] = field(default_factory=dict)
    last_classes: tuple[str, ...] = ()
    charts_lead: Texts = field(default_factory=dict)
    charts: Mapping[str, ChartPage] = field(default_factory=dict)
    examples: Mapping[str, str] = field(default_factory=dict)
    schema_types: Mapping[str, str] = field(default_factory=dict)
    names: NameProfile = field(default_factory=NameProfile)
    faulty_example: str = ""
    columns: Mapping[str, Texts] = field(default_factory=dict)
    tags: Mapping[str, Texts] = field(default_factory=dict)
    badge: Texts = field(default_factory=dict)
    main_source: str = ""
    report: str = ""
    catalogue: CatalogueEntry | None = None

    @property
    def vocabularies(self) -> tuple[str, ...]:
        """The namespaces of the project's ontology and of the core."""
        return tuple(dict.fromkeys((self.ontology + "#", iris.ONTOLOGY + "#")))

    @property
    def languages_of_names(self) -> tuple[str, ...]:
        """The languages that curated texts may be in: those of the pages, and more."""
        return (*self.languages, *self.more_languages)

    def moving(self, base: str) -> Callable[[str], str] | None:
        """What moves the IRIs of this dataset below another base; None where they are there already."""
        return None if base == self.base.iri else lambda iri: self.base.moved(iri, base)
