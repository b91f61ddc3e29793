"""What every router needs, put together once per application: release, records, context, queries, templates."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import jinja2
from anyio import CapacityLimiter
from pyoxigraph import NamedNode, Quad, Triple
from starlette.requests import Request

from api.settings import Settings
from kg import iris, queries
from kg.context import Context
from kg.entities import Entities
from kg.store import Manifest, Release

LICENCE = "https://creativecommons.org/licenses/by/4.0/"


@dataclass(frozen=True)
class Site:
    """One release as it is served."""

    settings: Settings
    release: Release
    project: Path
    context: Context
    entities: Entities
    queries: Mapping[str, queries.StoredQuery]
    templates: jinja2.Environment

    @property
    def manifest(self) -> Manifest:
        return self.release.manifest

    @property
    def base(self) -> str:
        return self.release.manifest.base_iri

    @property
    def version(self) -> str:
        """The short name of the release."""
        return self.release.manifest.id[:16]

    @cached_property
    def limiter(self) -> CapacityLimiter:
        """Lets only so many queries run at a time."""
        return CapacityLimiter(self.settings.query_threads)

    @cached_property
    def prefixes(self) -> dict[str, str]:
        """All prefixes, vocabularies and classes of records, and the few that only descriptions use."""
        more = {
            "dcat": "http://www.w3.org/ns/dcat#",
            "void": "http://rdfs.org/ns/void#",
            "sd": "http://www.w3.org/ns/sparql-service-description#",
        }
        return dict(sorted({**more, **self.context.prefixes}.items()))

    def prefixes_of(self, statements: list[Triple] | list[Quad]) -> dict[str, str]:
        """The prefixes that these statements use."""
        found = set()
        for s in statements:
            for term in (s.subject, s.predicate, s.object):
                if isinstance(term, NamedNode):
                    found.add(term.value)
                elif datatype := getattr(term, "datatype", None):
                    found.add(datatype.value)
            if isinstance(s, Quad) and isinstance(s.graph_name, NamedNode):
                found.add(s.graph_name.value)
        return {p: ns for p, ns in self.prefixes.items() if any(iri.startswith(ns) and iri != ns for iri in found)}


def make_site(settings: Settings, release: Release) -> Site:
    """Reads context, queries and templates; the only input and output of an application's start."""
    project = settings.project or iris.project_root()
    context = _rebased(Context.read(project / "ontology" / "context.jsonld"), release.manifest.base_iri)
    order = {term.iri: rank for rank, term in reversed(list(enumerate(context.terms.values())))}
    order[iris.RDF_TYPE] = -1
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return Site(
        settings=settings,
        release=release,
        project=project,
        context=context,
        entities=Entities(release.store, release.manifest.base_iri, order),
        queries=queries.library(project),
        templates=templates,
    )


def _rebased(context: Context, base: str) -> Context:
    """The context with its prefixes for records below another base."""
    document: dict[str, Any] = copy.deepcopy(context.document)
    for definition in document["@context"].values():
        if isinstance(definition, dict) and definition.get("@prefix"):
            definition["@id"] = iris.rebase(definition["@id"], base)
    return Context(document)


def site_of(request: Request) -> Site:
    """The site that an application serves."""
    return cast(Site, request.app.state.site)
