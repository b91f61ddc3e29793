"""A release with everything that routers need: records, context, queries and templates."""

from __future__ import annotations

import asyncio
import copy
import datetime
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import jinja2
from pyoxigraph import Quad
from starlette.requests import Request

from api.problems import Problem
from api.settings import Settings
from api.site.completion import Vocabulary
from api.site.lines import LinesOfSource, lines_of_sources
from api.site.pools import query_pool, table_pool, validation_pool
from api.site.profile import Profile
from kg.isolation.pool import Pool
from kg.linking import matching
from kg.linking.mentions import Mentions
from kg.project.description import ChartPage, Project
from kg.project.location import project_root
from kg.project.reading import read_project
from kg.rdf import iris
from kg.rdf.context import Context
from kg.release import catalogue, history, paths, search, source_texts
from kg.release.entities import Entities
from kg.release.evidence_sets import EvidenceSets
from kg.release.explanation import Explanations
from kg.release.source_texts import SourceTexts
from kg.release.store import Manifest, Release
from kg.sparql import library as queries
from kg.sparql.library import StoredQuery

_LOG = logging.getLogger("api.site.site")
# Prefixes that only descriptions of the dataset use.
_MORE_PREFIXES = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "formats": "http://www.w3.org/ns/formats/",
    "sd": "http://www.w3.org/ns/sparql-service-description#",
    "sh": "http://www.w3.org/ns/shacl#",
    "spdx": "http://spdx.org/rdf/terms#",
    "void": "http://rdfs.org/ns/void#",
}


@dataclass(frozen=True, eq=False)
class Site:
    """One release as it is served; `prefixes` are those of the context and those of descriptions."""

    settings: Settings
    release: Release
    project: Project
    context: Context
    entities: Entities
    prefixes: Mapping[str, str]
    queries: Mapping[str, StoredQuery]
    cards: Mapping[str, list[StoredQuery]]
    lists: Mapping[str, StoredQuery]
    pool: Pool
    validations: Pool
    tables: Pool
    templates: jinja2.Environment

    @property
    def manifest(self) -> Manifest:
        return self.release.manifest

    @property
    def base(self) -> str:
        return self.release.manifest.base_iri

    @property
    def licence(self) -> str:
        """The IRI of the licence of the data."""
        return self.project.licence.iri

    @cached_property
    def source_texts(self) -> SourceTexts:
        """The hashes of the sources' texts, and the texts that the operator shows."""
        found = source_texts.read(self.entities, self.settings.source_texts)
        for name in found.wrong:
            _LOG.warning(
                "KG_SOURCE_TEXTS: %s is the text of no source (its SHA-256 is none of theirs), so it is not shown", name
            )
        return found

    @cached_property
    def evidence_sets(self) -> EvidenceSets:
        """The sets of facts by kind of evidence, for pages that are limited to one."""
        return EvidenceSets(self.release.store, self.base)

    @cached_property
    def chart_pages(self) -> dict[str, ChartPage]:
        """The chart pages of the project, each with the queries that exist."""
        found = {
            name: replace(page, queries=tuple(q for q in page.queries if q in self.queries))
            for name, page in self.project.charts.items()
        }
        return {name: page for name, page in found.items() if page.queries}

    @cached_property
    def version(self) -> str:
        """The short id of the release."""
        return self.release.manifest.id[:16]

    @cached_property
    def issued(self) -> datetime.datetime:
        """When the release was made."""
        return datetime.datetime.fromisoformat(self.release.manifest.issued)

    @cached_property
    def current_since(self) -> datetime.datetime:
        """Since when it is the current release: as long as the link to it exists, or else this object."""
        link = self.release.directory.parent / "current"
        try:
            written = link.lstat().st_mtime if link.resolve() == self.release.directory.resolve() else time.time()
        except OSError:
            written = time.time()
        return datetime.datetime.fromtimestamp(written, datetime.UTC)

    @cached_property
    def search(self) -> search.Search:
        """The names of the release."""
        return search.open_index(self.release, frozenset(self.project.names.identifiers.of_properties))

    async def drain(self) -> None:
        """Ends the child processes when their jobs are done, at the latest when these may take no longer."""
        await asyncio.gather(*(pool.drain() for pool in (self.pool, self.validations, self.tables)))

    async def close(self) -> None:
        """Ends the child processes."""
        await asyncio.gather(*(pool.close() for pool in (self.pool, self.validations, self.tables)))

    @property
    def is_surveyed(self) -> bool:
        """Whether the release is small enough to be read as a whole by this process."""
        return self.manifest.quads <= self.settings.survey_quads

    def survey(self) -> None:
        """Raises `Problem` (501) if the release is too large to be read as a whole."""
        if not self.is_surveyed:
            size, most = self.manifest.quads, self.settings.survey_quads
            detail = (
                f"this reads the whole release, which is done up to {most:,} quads, and this one has {size:,} quads; "
                "SPARQL, records and search are there (KG_SURVEY_QUADS of whoever runs the server sets the bound)"
            )
            raise Problem(501, "release-too-large", detail)

    @cached_property
    def matcher(self) -> matching.Matcher:
        """The matcher of names and identifiers, for reconciliation and the link desk."""
        self.survey()
        return matching.Matcher(self.release, self.search, self.project.names)

    @cached_property
    def mentions(self) -> Mentions:
        """What finds the names of records in texts."""
        return Mentions(self.release, self.search.entries, self.matcher)

    @cached_property
    def profile(self) -> Profile:
        """The properties and classes of records by kind."""
        self.survey()
        return Profile(self.entities)

    @cached_property
    def links(self) -> paths.LinkGraph:
        """The links between records, for the explorer."""
        return paths.LinkGraph(self.entities)

    @cached_property
    def explanations(self) -> Explanations:
        """Explanations of facts, by the rules of the release."""
        return Explanations(self.release.store, list(queries.library(self.project.root, "rules").values()), self.base)

    @cached_property
    def lines(self) -> dict[str, LinesOfSource]:
        """The lines of the sources and the facts on them; none of a release too large to be read as a whole."""
        return lines_of_sources(self.entities) if self.is_surveyed else {}

    @cached_property
    def history(self) -> tuple[history.ReleaseChanges, ...]:
        """The changes of each release, newest first."""
        return history.read(self.release.directory, self.manifest, history.HistoryBounds(), self.project.languages)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The classes and properties used in the release."""
        self.survey()
        return Vocabulary(self.release.store, self.entities.root, self.context)

    @cached_property
    def catalogue(self) -> list[Quad]:
        """The catalogue record, with statistics if the store is small enough (DCAT 3, VoID)."""
        return catalogue.describe(self.release, self.prefixes, self.project, is_counted=self.is_surveyed)


def make_site(settings: Settings, release: Release, count: Callable[[str], None]) -> Site:
    """Opens a site: reads context, queries and templates; workers start on first use or before."""
    project = read_project(settings.project or project_root())
    context = _rebased(Context.read(project.root / "ontology" / "context.jsonld"), project, release.manifest.base_iri)
    order = {term.iri: rank for rank, term in reversed(list(enumerate(context.terms.values())))}
    order[iris.RDF_TYPE] = -1
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parents[1] / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    prefixes = dict(sorted({**_MORE_PREFIXES, **context.prefixes}.items()))
    site = Site(
        settings=settings,
        release=release,
        project=project,
        context=context,
        entities=Entities(release.store, release.manifest.base_iri, order, release.manifest.is_merged),
        prefixes=prefixes,
        queries=queries.library(project.root, moved=project.moving(release.manifest.base_iri)),
        cards=_cards(project, release.manifest.base_iri),
        lists=queries.library(project.root, "lists", project.moving(release.manifest.base_iri)),
        pool=query_pool(
            *(release.directory, release.manifest.base_iri, prefixes, settings, count),
            is_remote=release.store.needs_network,
            is_in_memory=not (release.store.needs_network or release.store.needs_files),
        ),
        validations=validation_pool(release.directory, project.root, settings),
        tables=table_pool(settings),
        templates=templates,
    )
    if settings.source_texts is not None:
        # Wrong files are named when the server starts, not when a reader asks.
        _ = site.source_texts
    if release.store.needs_network:
        # Load all names now, so that the first search need not wait for the network.
        _ = site.search
        release.store.confirm()
    return site


def _cards(project: Project, base: str) -> dict[str, list[StoredQuery]]:
    """The cards of record pages by class: the queries `cards/{class}.{name}.rq`."""
    found: dict[str, list[StoredQuery]] = {}
    for name, query in queries.library(project.root, "cards", project.moving(base)).items():
        found.setdefault(name.partition(".")[0], []).append(query)
    return found


def _rebased(context: Context, project: Project, base: str) -> Context:
    """The context with its prefixes for records below another base."""
    document: dict[str, Any] = copy.deepcopy(context.document)
    for definition in document["@context"].values():
        if isinstance(definition, dict) and definition.get("@prefix"):
            definition["@id"] = project.base.moved(definition["@id"], base)
    return Context(document)


def site_of(request: Request) -> Site:
    """The site with which a request began."""
    return cast(Site, request.scope["state"]["site"])
