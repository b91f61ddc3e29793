"""What the dataset says of itself in every release: its record, its prefixes and its stored queries, as RDF.

A build puts these statements into the graph `catalogue` of the store, so that a query finds them; `/dataset` adds what
only a finished release has (identifier of its content, dumps, counts). Nothing here depends on the time of a build.
Prefixes are declared by SHACL, and queries are executables of SHACL-AF as the SPARQL examples of the SIB have them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from pyoxigraph import Literal, NamedNode, Quad

from kg.project.description import Project, Texts
from kg.rdf import iris
from kg.rdf.context import Context
from kg.rdf.datatypes import XSD
from kg.rdf.iris import Base
from kg.rdf.namespaces import DCTERMS, RDFS, SCHEMA
from kg.sparql import lexer, library
from kg.sparql.library import StoredQuery

DCAT = "http://www.w3.org/ns/dcat#"
VOID = "http://rdfs.org/ns/void#"
SH = "http://www.w3.org/ns/shacl#"
VCARD = "http://www.w3.org/2006/vcard/ns#"
FOAF = "http://xmlns.com/foaf/0.1/"
_LANGUAGES = "http://publications.europa.eu/resource/authority/language/"
_LANGUAGE_CODES = {
    "de": "DEU",
    "en": "ENG",
    "es": "SPA",
    "fr": "FRA",
    "it": "ITA",
    "ja": "JPN",
    "ko": "KOR",
    "nl": "NLD",
    "pt": "POR",
    "sv": "SWE",
    "zh": "ZHO",
}
_MOST_EXAMPLES = 12
# The form of a query, by its first word: the class of SHACL-AF and the property that has its text.
_FORMS = {
    "SELECT": ("SPARQLSelectExecutable", "select"),
    "ASK": ("SPARQLAskExecutable", "ask"),
    "CONSTRUCT": ("SPARQLConstructExecutable", "construct"),
    "DESCRIBE": ("SPARQLDescribeExecutable", "describe"),
}

Object = NamedNode | Literal
Statement = tuple[str, str, Object]


def quads(
    project: Project, base: str, context: Context, queries: Iterable[StoredQuery], dataset: Iterable[Quad]
) -> list[Quad]:
    """The statements for the graph `catalogue` of a release below `base` that has the quads of `dataset`."""
    graph = NamedNode(Base(base).catalogue)
    prefixes = {prefix: project.base.moved(namespace, base) for prefix, namespace in context.prefixes.items()}
    statements = [
        *record(project, base),
        *declared(base, prefixes),
        *_used(base, dataset),
        *stored(project, base, context, queries),
    ]
    return [Quad(NamedNode(s), NamedNode(p), o, graph) for s, p, o in dict.fromkeys(statements)]


def record(project: Project, base: str) -> Iterator[Statement]:
    """The catalogue record without what only a finished release has."""
    me, catalogue, agent = f"{base}dataset", f"{base}dataset#catalogue", f"{base}dataset#publisher"
    for kind in (DCAT + "Dataset", VOID + "Dataset"):
        yield me, iris.RDF_TYPE, NamedNode(kind)
    for subject in (me, catalogue):
        yield from _texts(subject, DCTERMS + "title", project.title)
        yield from _texts(subject, DCTERMS + "description", project.lead)
        yield subject, DCTERMS + "license", NamedNode(project.licence.iri)
        yield subject, DCTERMS + "rights", NamedNode(me + "#rights")
        yield subject, DCTERMS + "publisher", NamedNode(agent)
        yield subject, DCTERMS + "creator", NamedNode(agent)
        for tongue in project.title:
            if code := _LANGUAGE_CODES.get(tongue):
                yield subject, DCTERMS + "language", NamedNode(_LANGUAGES + code)
    yield catalogue, iris.RDF_TYPE, NamedNode(DCAT + "Catalog")
    yield catalogue, DCAT + "dataset", NamedNode(me)
    yield catalogue, FOAF + "homepage", NamedNode(base)
    yield me + "#rights", iris.RDF_TYPE, NamedNode(DCTERMS + "RightsStatement")
    yield from _texts(me + "#rights", RDFS + "label", project.licence.text)
    yield agent, iris.RDF_TYPE, NamedNode(FOAF + "Agent")
    yield from _texts(agent, FOAF + "name", project.publisher)
    # The same in every release; each release has its version.
    yield me, DCTERMS + "identifier", Literal(me, datatype=NamedNode(XSD + "anyURI"))
    yield me, DCAT + "landingPage", NamedNode(me)
    yield me, DCTERMS + "conformsTo", NamedNode(project.ontology)
    yield me, VOID + "sparqlEndpoint", NamedNode(base + "sparql")
    yield me, VOID + "uriSpace", Literal(base + "id/")
    yield from _more(project, base, me)


def _more(project: Project, base: str, me: str) -> Iterator[Statement]:
    entry = project.catalogue
    if entry is None:
        return
    date = NamedNode(XSD + "date")
    for subject in (me, me + "#catalogue"):
        yield subject, DCTERMS + "issued", Literal(entry.issued, datatype=date)
        yield subject, DCTERMS + "spatial", NamedNode(entry.spatial)
    yield me, DCTERMS + "accrualPeriodicity", NamedNode(entry.frequency)
    yield me, DCTERMS + "accessRights", NamedNode(entry.access)
    for theme in entry.themes:
        yield me, DCAT + "theme", NamedNode(theme)
        yield me + "#catalogue", DCAT + "themeTaxonomy", NamedNode(theme.rpartition("/")[0])
    for tongue, words in entry.keywords.items():
        for word in words:
            yield me, DCAT + "keyword", Literal(word, language=tongue)
    first, last = entry.period
    yield me, DCTERMS + "temporal", NamedNode(me + "#period")
    yield me + "#period", iris.RDF_TYPE, NamedNode(DCTERMS + "PeriodOfTime")
    yield me + "#period", DCAT + "startDate", Literal(first, datatype=date)
    yield me + "#period", DCAT + "endDate", Literal(last, datatype=date)
    yield me, DCAT + "contactPoint", NamedNode(me + "#contact")
    yield me + "#contact", iris.RDF_TYPE, NamedNode(VCARD + "Kind")
    yield from _texts(me + "#contact", VCARD + "fn", project.publisher)
    yield me + "#contact", VCARD + "hasURL", NamedNode(base + "about")


def service(project: Project, base: str, me: str) -> Iterator[Statement]:
    """What the record of a service has from that of the dataset which it serves."""
    yield me, DCTERMS + "publisher", NamedNode(f"{base}dataset#publisher")
    if (entry := project.catalogue) is None:
        return
    yield me, DCAT + "contactPoint", NamedNode(f"{base}dataset#contact")
    for theme in entry.themes:
        yield me, DCAT + "theme", NamedNode(theme)
    for tongue, words in entry.keywords.items():
        for word in words:
            yield me, DCAT + "keyword", Literal(word, language=tongue)


def declared(base: str, prefixes: Mapping[str, str]) -> Iterator[Statement]:
    """The prefixes, as `sh:declare` has them."""
    for prefix, namespace in prefixes.items():
        me = f"{base}dataset#prefix-{prefix}"
        yield f"{base}dataset", SH + "declare", NamedNode(me)
        yield me, iris.RDF_TYPE, NamedNode(SH + "PrefixDeclaration")
        yield me, SH + "prefix", Literal(prefix)
        yield me, SH + "namespace", Literal(namespace, datatype=NamedNode(XSD + "anyURI"))


def stored(project: Project, base: str, context: Context, queries: Iterable[StoredQuery]) -> Iterator[Statement]:
    """The stored queries with the defaults of their parameters filled in, so that each runs as it is."""
    for query in queries:
        text = library.fill(query.text, {k: _moved(v, project, base) for k, v in _defaults(query, context).items()})
        first = next((w for t in lexer.tokens(text) if t.lastgroup and (w := t[0].upper()) in _FORMS), "")
        if not first:
            continue
        me, (kind, has_text) = f"{base}queries/{query.name}", _FORMS[first]
        for name in ("SPARQLExecutable", kind):
            yield me, iris.RDF_TYPE, NamedNode(SH + name)
        yield from _texts(me, RDFS + "label", query.title)
        yield from _texts(me, RDFS + "comment", query.description)
        yield me, SH + has_text, Literal(text)
        yield me, SH + "prefixes", NamedNode(f"{base}dataset")
        yield me, SCHEMA + "target", NamedNode(base + "sparql")
        for tag in query.tags:
            yield me, SCHEMA + "keywords", Literal(tag)


def _defaults(query: StoredQuery, context: Context) -> dict[str, Object]:
    return library.bind(query, {}, context)


def _moved(term: Object, project: Project, base: str) -> Object:
    return NamedNode(project.base.moved(term.value, base)) if isinstance(term, NamedNode) else term


def _used(base: str, dataset: Iterable[Quad]) -> Iterator[Statement]:
    """The vocabularies of the dataset, and a record of each class of paths as an example."""
    terms: set[str] = set()
    documents: set[str] = set()
    own = base + "id/"
    for quad in dataset:
        terms.add(quad.predicate.value)
        if quad.predicate.value == iris.RDF_TYPE and isinstance(quad.object, NamedNode):
            terms.add(quad.object.value)
        if isinstance(quad.subject, NamedNode) and quad.subject.value.startswith(own):
            documents.add(iris.document_of(quad.subject.value))
    for vocabulary in {namespace(term) for term in terms}:
        yield f"{base}dataset", VOID + "vocabulary", NamedNode(vocabulary)
    for example in examples(documents, own):
        yield f"{base}dataset", VOID + "exampleResource", NamedNode(example)


def examples(documents: Iterable[str], own: str) -> list[str]:
    """The first record of each class of paths below `own`."""
    first: dict[str, str] = {}
    for document in sorted(documents):
        first.setdefault(document.removeprefix(own).partition("/")[0], document)
    return list(first.values())[:_MOST_EXAMPLES]


def namespace(term: str) -> str:
    """The namespace of a term: its IRI up to the last `#` or `/`."""
    return re.sub(r"[^#/]*\Z", "", term) or term


def _texts(subject: str, predicate: str, texts: Texts) -> Iterator[Statement]:
    return ((subject, predicate, Literal(text, language=tongue)) for tongue, text in texts.items())
