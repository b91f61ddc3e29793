"""JSON-LD embedded in a record's page: its data in our vocabulary, and a summary in schema.org for search engines."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup
from pyoxigraph import Literal, NamedNode

from api.html import json_ld
from api.http.responses import compacted
from api.site.site import Site
from kg.rdf import iris
from kg.rdf.namespaces import DCTERMS, OWL, SCHEMA, SKOS
from kg.rdf.terms import value
from kg.release import entities

_FOAF = "http://xmlns.com/foaf/0.1/"
_ORG = "http://www.w3.org/ns/org#"
_ELI = "http://data.europa.eu/eli/ontology#"
# Most specific first, since the first match is used. A project adds its own classes.
_TYPES: Mapping[str, str] = {
    _FOAF + "Person": "Person",
    _ELI + "LegalResource": "Legislation",
    _ELI + "LegalResourceSubdivision": "Legislation",
    _ORG + "OrganizationalUnit": "Organization",
    _ORG + "Organization": "Organization",
    SKOS + "ConceptScheme": "DefinedTermSet",
    SKOS + "Concept": "DefinedTerm",
}
_DEFAULT_TYPE = "Thing"
_MOST_TRIPLES = 1_000
_IDENTITIES = (SKOS + "exactMatch", SKOS + "closeMatch", OWL + "sameAs", SCHEMA + "sameAs")


def schema_type(site: Site, iri: str) -> str:
    """The schema.org class that is closest to the record's class."""
    stated = {value(t) for t in site.entities.values(iri, iris.RDF_TYPE)}
    own = {site.context.expand(kind): name for kind, name in site.project.schema_types.items()}
    return SCHEMA + next((name for kind, name in {**_TYPES, **own}.items() if kind in stated), _DEFAULT_TYPE)


def blocks(site: Site, iri: str, language: str, context: str) -> list[Markup]:
    """The content of the script elements: the record in schema.org, then all its data with a link to our context.

    The data of a record with many parts is left to its own document.
    """
    found = [json_ld.script(_in_schema(site, iri, language))]
    triples = site.entities.triples(iri)
    if len(triples) <= _MOST_TRIPLES:
        document = compacted(site, triples)
        document["@context"] = context
        found.append(json_ld.script(document))
    return found


def _in_schema(site: Site, iri: str, language: str) -> dict[str, object]:
    known = site.entities
    order = (language, *(other for other in site.project.languages if other != language))
    name, description = known.label(iri, order), known.text(iri, DCTERMS + "description", order)
    others = [v.value for p in entities.NAMES[:2] for v in known.values(iri, p) if isinstance(v, Literal)]
    same = [v.value for p in _IDENTITIES for v in known.values(iri, p) if isinstance(v, NamedNode)]
    document: dict[str, object] = {
        "@context": SCHEMA,
        "@id": iri,
        "@type": schema_type(site, iri).removeprefix(SCHEMA),
        "url": iri,
    }
    if name:
        document["name"] = name.value
        document["alternateName"] = sorted(set(others) - {name.value})
    if description:
        document["description"] = description.value
    if same:
        document["sameAs"] = sorted(same)
    document["subjectOf"] = {"@type": "WebPage", "license": site.licence, "inLanguage": language}
    return {key: found for key, found in document.items() if found}
