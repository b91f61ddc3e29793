"""The catalogue record of a release (DCAT 3) with statistics from its store (VoID), dumps and prefixes."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad

from kg.project.description import Project
from kg.rdf import formats, iris
from kg.rdf.datatypes import XSD
from kg.rdf.namespaces import DCTERMS, OWL, RDFS, SCHEMA, SKOS
from kg.rdf.ordering import sort_quads
from kg.release import dataset_record
from kg.release.dataset_record import DCAT, FOAF, VCARD, VOID, Statement, namespace
from kg.release.store import Release

SD = "http://www.w3.org/ns/sparql-service-description#"
SPDX = "http://spdx.org/rdf/terms#"
W3C_FORMATS = "http://www.w3.org/ns/formats/"
DCATAP = "http://data.europa.eu/r5r/"
_AUTHORITY = "http://publications.europa.eu/resource/authority/"
_FILE_TYPES = {
    "ttl": "RDF_TURTLE",
    "jsonld": "JSON_LD",
    "nt": "RDF_N_TRIPLES",
    "rdf": "RDF_XML",
    "trig": "RDF_TRIG",
    "nq": "RDF_N_QUADS",
}
_IANA = "https://www.iana.org/assignments/media-types/"
_IDENTITY = frozenset({SKOS + "exactMatch", SKOS + "closeMatch", OWL + "sameAs", SCHEMA + "sameAs", RDFS + "seeAlso"})
# Part and property of a partner's record → their equivalents in the catalogue.
_WORDS_OF_PARTNERS = {
    ("", SKOS + "prefLabel"): ("", DCTERMS + "title"),
    ("", FOAF + "homepage"): ("", DCAT + "landingPage"),
    ("#publisher", SKOS + "prefLabel"): ("#publisher", FOAF + "name"),
    ("#publisher", FOAF + "mbox"): ("#contact", VCARD + "hasEmail"),
    ("#publisher", FOAF + "page"): ("#contact", VCARD + "hasURL"),
}
# Scheme and host with port; urlsplit refuses some hosts that are valid in IRIs.
_ORIGIN = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*://)(?:[^/?#@]*@)?([^/?#]+)", re.ASCII)
# Special characters of XPath regular expressions; re.escape also escapes characters for which that is invalid.
_SPECIAL = re.compile(r"([\\.?*+^$|(){}\[\]])")


@dataclass(slots=True)
class _Property:
    """The number of triples of a property, and of its distinct subjects and objects."""

    triples: int = 0
    subjects: set[object] = field(default_factory=set)
    objects: set[object] = field(default_factory=set)

    def add(self, quad: Quad) -> None:
        self.triples += 1
        self.subjects.add(quad.subject)
        self.objects.add(quad.object)


@dataclass(slots=True)
class Statistics:
    """The statistics of a default graph."""

    triples: int
    subjects: set[object]
    objects: set[object]
    properties: dict[str, _Property]
    members: dict[str, set[object]]
    class_properties: dict[str, dict[str, _Property]]
    links: dict[tuple[str, str], int]
    spaces: dict[str, set[str]]


def statistics(quads: Iterable[Quad], own: str) -> Statistics:
    """Counts triples in one pass, then by class; links lead from the namespace `own` to other namespaces."""
    found = Statistics(0, set(), set(), defaultdict(_Property), defaultdict(set), {}, Counter(), defaultdict(set))
    by_subject: dict[object, list[Quad]] = defaultdict(list)
    for quad in quads:
        predicate = quad.predicate.value
        found.triples += 1
        found.subjects.add(quad.subject)
        found.objects.add(quad.object)
        found.properties[predicate].add(quad)
        by_subject[quad.subject].append(quad)
        if predicate == iris.RDF_TYPE and isinstance(quad.object, NamedNode):
            found.members[quad.object.value].add(quad.subject)
        if predicate in _IDENTITY and isinstance(quad.object, NamedNode) and value_of(quad.subject).startswith(own):
            origin = _ORIGIN.match(quad.object.value)
            if origin and not quad.object.value.startswith(own):
                found.links[origin[2], predicate] += 1
                found.spaces[origin[2]].add(f"{origin[1]}{origin[2]}/")
    for kind, members in found.members.items():
        properties: dict[str, _Property] = defaultdict(_Property)
        for subject in members:
            for quad in by_subject[subject]:
                properties[quad.predicate.value].add(quad)
        found.class_properties[kind] = properties
    return found


def value_of(term: object) -> str:
    """The IRI of a subject; '' for a blank node."""
    return term.value if isinstance(term, NamedNode) else ""


def describe(release: Release, prefixes: Mapping[str, str], project: Project, *, is_counted: bool = True) -> list[Quad]:
    """The dataset `{base}dataset` with its parts as fragments, sorted; texts are by language.

    Statistics and individual graphs are included only if `is_counted`, which reads the whole dataset.
    """
    return _Description(release, prefixes, project).quads(is_counted=is_counted)


def fragment(kind: str, iri: str) -> str:
    """A stable name for a part about an IRI, readable and made unique by a hash."""
    readable = re.sub(r"[^a-z0-9]+", "-", re.split(r"[#/:]", iri.rstrip("#/"))[-1].lower()).strip("-")
    return f"{kind}-{readable}-{hashlib.sha256(iri.encode()).hexdigest()[:8]}"


@dataclass(slots=True)
class _Description:
    release: Release
    prefixes: Mapping[str, str]
    project: Project

    def quads(self, *, is_counted: bool) -> list[Quad]:
        statements = [*self._record(), *self._dumps(), *self._services(), *self._partners()]
        statements += dataset_record.declared(self.base, self.prefixes)
        if is_counted:
            everything = self.release.store.quads_for_pattern(None, None, None, DefaultGraph())
            figures = statistics(everything, self.own)
            statements += [*self._figures(figures), *self._partitions(figures), *self._linksets(figures)]
            statements += self._graphs()
        else:
            statements.append((self.dataset, VOID + "triples", _number(self.release.manifest.triples)))
        return sort_quads(Quad(NamedNode(s), NamedNode(p), o) for s, p, o in dict.fromkeys(statements))

    @property
    def base(self) -> str:
        return self.release.manifest.base_iri

    @property
    def own(self) -> str:
        return self.base + "id/"

    @property
    def dataset(self) -> str:
        return self.base + "dataset"

    def _part(self, name: str) -> str:
        return f"{self.dataset}#{name}"

    @property
    def licence(self) -> str:
        return self.project.licence.iri

    def _record(self) -> Iterator[Statement]:
        """The record of every release with what this one adds."""
        manifest, me = self.release.manifest, self.dataset
        built = Literal(manifest.issued, datatype=NamedNode(XSD + "dateTime"))
        yield from dataset_record.record(self.project, self.base)
        yield me, iris.RDF_TYPE, NamedNode(SD + "Dataset")
        for subject in (me, self._part("catalogue")):
            if self.project.catalogue is None:
                yield subject, DCTERMS + "issued", built
            yield subject, DCTERMS + "modified", built
        yield me, OWL + "versionInfo", Literal(manifest.id)
        yield me, DCAT + "version", Literal(manifest.id[:16])
        for source in manifest.sources:
            yield me, DCTERMS + "source", NamedNode(source)

    def _dumps(self) -> Iterator[Statement]:
        release = self.release.manifest.id[:16]
        for name, fields in self.release.manifest.dumps.items():
            syntax = formats.rdf_format(name.removesuffix(".gz").rpartition(".")[2])
            if syntax is None:
                continue
            me, checksum = self._part(f"dump-{syntax.name}"), self._part(f"dump-{syntax.name}-checksum")
            address = NamedNode(f"{self.base}dumps/{release}/{name}")
            yield self.dataset, DCAT + "distribution", NamedNode(me)
            yield self.dataset, VOID + "dataDump", address
            yield me, iris.RDF_TYPE, NamedNode(DCAT + "Distribution")
            yield me, DCTERMS + "title", Literal(f"{syntax.title}, gzip", language="en")
            what = "with the named graphs" if syntax.has_graphs else "the graphs merged into one"
            yield me, DCTERMS + "description", Literal(f"The whole dataset as {syntax.title}, {what}.", language="en")
            yield me, DCTERMS + "format", NamedNode(f"{_AUTHORITY}file-type/{_FILE_TYPES[syntax.name]}")
            # A release never changes.
            yield me, DCATAP + "availability", NamedNode(_AUTHORITY + "planned-availability/STABLE")
            yield me, DCTERMS + "license", NamedNode(self.licence)
            yield me, DCAT + "accessURL", address
            yield me, DCAT + "downloadURL", address
            yield me, DCAT + "mediaType", NamedNode(_IANA + syntax.media_type)
            yield me, DCAT + "compressFormat", NamedNode(_IANA + "application/gzip")
            yield me, DCAT + "byteSize", _number(fields["bytes"], "nonNegativeInteger")
            yield me, SPDX + "checksum", NamedNode(checksum)
            yield checksum, iris.RDF_TYPE, NamedNode(SPDX + "Checksum")
            yield checksum, SPDX + "algorithm", NamedNode(SPDX + "checksumAlgorithm_sha256")
            yield checksum, SPDX + "checksumValue", Literal(fields["sha256"], datatype=NamedNode(XSD + "hexBinary"))

    def _services(self) -> Iterator[Statement]:
        me, endpoint = self._part("sparql"), NamedNode(self.base + "sparql")
        yield self._part("catalogue"), DCAT + "service", NamedNode(me)
        yield me, iris.RDF_TYPE, NamedNode(DCAT + "DataService")
        yield me, DCTERMS + "title", Literal("SPARQL", language="en")
        yield me, DCAT + "endpointURL", endpoint
        yield me, DCAT + "endpointDescription", endpoint
        yield me, DCAT + "servesDataset", NamedNode(self.dataset)
        yield me, DCTERMS + "license", NamedNode(self.licence)
        yield me, DCTERMS + "conformsTo", NamedNode("https://www.w3.org/TR/sparql11-protocol/")
        yield from dataset_record.service(self.project, self.base, me)
        yield from self._feed()

    def _feed(self) -> Iterator[Statement]:
        me, address = self._part("feed"), NamedNode(self.base + "feed.atom")
        yield self._part("catalogue"), DCAT + "service", NamedNode(me)
        yield me, iris.RDF_TYPE, NamedNode(DCAT + "DataService")
        yield me, DCTERMS + "title", Literal("Changes (Atom)", language="en")
        yield me, DCAT + "endpointURL", address
        yield me, DCAT + "servesDataset", NamedNode(self.dataset)
        yield me, DCTERMS + "license", NamedNode(self.licence)
        yield me, DCTERMS + "conformsTo", NamedNode("https://www.rfc-editor.org/info/rfc4287")
        yield me, DCAT + "endpointDescription", NamedNode("https://www.rfc-editor.org/info/rfc4287")
        yield from dataset_record.service(self.project, self.base, me)

    def _figures(self, figures: Statistics) -> Iterator[Statement]:
        me, records = self.dataset, {v for s in figures.subjects if (v := value_of(s)).startswith(self.own)}
        documents = {iris.document_of(r) for r in records}
        for name, number in {
            "triples": figures.triples,
            "entities": len(records),
            "documents": len(documents),
            "classes": len(figures.members),
            "properties": len(figures.properties),
            "distinctSubjects": len(figures.subjects),
            "distinctObjects": len(figures.objects),
        }.items():
            yield me, VOID + name, _number(number)
        yield me, VOID + "uriRegexPattern", Literal("^" + _SPECIAL.sub(r"\\\1", self.own))
        yield me, VOID + "rootResource", NamedNode(self.base)
        for syntax in formats.RDF_FORMATS:
            yield me, VOID + "feature", NamedNode(W3C_FORMATS + syntax.w3c_name)
        for vocabulary in sorted({namespace(term) for term in (*figures.properties, *figures.members)}):
            yield me, VOID + "vocabulary", NamedNode(vocabulary)
        for example in dataset_record.examples(documents, self.own):
            yield me, VOID + "exampleResource", NamedNode(example)

    def _partitions(self, figures: Statistics) -> Iterator[Statement]:
        for iri, found in figures.properties.items():
            yield from self._property(self.dataset, self._part(fragment("property", iri)), iri, found)
        for kind, members in figures.members.items():
            me = self._part(fragment("class", kind))
            yield self.dataset, VOID + "classPartition", NamedNode(me)
            yield me, iris.RDF_TYPE, NamedNode(VOID + "Dataset")
            yield me, VOID + "class", NamedNode(kind)
            yield me, VOID + "entities", _number(len(members))
            yield me, VOID + "triples", _number(sum(p.triples for p in figures.class_properties[kind].values()))
            for iri, found in figures.class_properties[kind].items():
                yield from self._property(me, f"{me}-{fragment('property', iri)}", iri, found)

    def _property(self, whole: str, me: str, iri: str, found: _Property) -> Iterator[Statement]:
        yield whole, VOID + "propertyPartition", NamedNode(me)
        yield me, iris.RDF_TYPE, NamedNode(VOID + "Dataset")
        yield me, VOID + "property", NamedNode(iri)
        yield me, VOID + "triples", _number(found.triples)
        yield me, VOID + "distinctSubjects", _number(len(found.subjects))
        yield me, VOID + "distinctObjects", _number(len(found.objects))

    def _linksets(self, figures: Statistics) -> Iterator[Statement]:
        for (host, predicate), number in figures.links.items():
            me = self._part(fragment("links", f"{host}/{_local(predicate)}"))
            target = self._part(fragment("target", host))
            yield self.dataset, VOID + "subset", NamedNode(me)
            yield me, iris.RDF_TYPE, NamedNode(VOID + "Linkset")
            yield me, VOID + "subjectsTarget", NamedNode(self.dataset)
            yield me, VOID + "objectsTarget", NamedNode(target)
            yield me, VOID + "linkPredicate", NamedNode(predicate)
            yield me, VOID + "triples", _number(number)
            yield target, iris.RDF_TYPE, NamedNode(VOID + "Dataset")
            yield target, DCTERMS + "title", Literal(host)
            for space in figures.spaces[host]:
                yield target, VOID + "uriSpace", Literal(space)

    def _partners(self) -> Iterator[Statement]:
        """Partners' datasets, each with its links to our records by property."""
        catalogue, base = self._part("catalogue"), iris.Base(self.base).partner
        for graph, size in self.release.manifest.graphs.items():
            if not graph.startswith(base):
                continue
            me = f"{self.own}source/partner/{graph.removeprefix(base)}"
            yield catalogue, DCAT + "dataset", NamedNode(me)
            yield me, iris.RDF_TYPE, NamedNode(VOID + "Dataset")
            yield me, VOID + "triples", _number(size)
            yield from self._partner(me)
            for predicate, number in self._inward(graph).items():
                linkset = self._part(fragment("links", f"{me}/{_local(predicate)}"))
                yield me, VOID + "subset", NamedNode(linkset)
                yield linkset, iris.RDF_TYPE, NamedNode(VOID + "Linkset")
                yield linkset, VOID + "subjectsTarget", NamedNode(me)
                yield linkset, VOID + "objectsTarget", NamedNode(self.dataset)
                yield linkset, VOID + "linkPredicate", NamedNode(predicate)
                yield linkset, VOID + "triples", _number(number)

    def _inward(self, graph: str) -> Counter[str]:
        """The number of links from a graph to our records, by property."""
        quads = self.release.store.quads_for_pattern(None, None, None, NamedNode(graph))
        return Counter(q.predicate.value for q in quads if value_of(q.object).startswith(self.own))

    def _partner(self, me: str) -> Iterator[Statement]:
        """The description of a partner's dataset in the graph `about`, in catalogue vocabularies."""
        about = NamedNode(iris.Base(self.base).about)
        for part in ("", "#publisher", "#distribution"):
            for quad in self.release.store.quads_for_pattern(NamedNode(me + part), None, None, about):
                predicate = quad.predicate.value
                where, said = _WORDS_OF_PARTNERS.get((part, predicate), (part, predicate))
                assert isinstance(quad.object, (NamedNode, Literal))
                yield me + where, said, quad.object
        yield me, DCAT + "contactPoint", NamedNode(me + "#contact")
        yield me + "#contact", iris.RDF_TYPE, NamedNode(VCARD + "Kind")

    def _graphs(self) -> Iterator[Statement]:
        default = self._part("default-graph")
        yield self.dataset, SD + "defaultGraph", NamedNode(default)
        yield default, iris.RDF_TYPE, NamedNode(SD + "Graph")
        yield default, VOID + "triples", _number(self.release.manifest.triples)
        for name, size in self.release.manifest.graphs.items():
            if name.startswith("_:") or not iris.ABSOLUTE.match(name):
                continue
            me = self._part(fragment("graph", name))
            yield self.dataset, SD + "namedGraph", NamedNode(me)
            yield me, iris.RDF_TYPE, NamedNode(SD + "NamedGraph")
            yield me, SD + "name", NamedNode(name)
            yield me, SD + "graph", NamedNode(f"{me}-contents")
            yield f"{me}-contents", iris.RDF_TYPE, NamedNode(SD + "Graph")
            yield f"{me}-contents", iris.RDF_TYPE, NamedNode(VOID + "Dataset")
            yield f"{me}-contents", VOID + "triples", _number(size)


def _number(number: int, datatype: str = "integer") -> Literal:
    return Literal(str(number), datatype=NamedNode(XSD + datatype))


def _local(term: str) -> str:
    return term.removeprefix(namespace(term))
