"""The identifiers of the graph: one base, one pattern for slugs, one path for each named graph."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

# The core ontology, whose terms this code refers to by name. It keeps its address in every project.
ONTOLOGY = "https://w3id.org/aikg/ontology"

RDF_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
PRIMARY_SOURCE = "http://www.w3.org/ns/prov#hadPrimarySource"

SEGMENT = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
SLUG = re.compile(rf"{SEGMENT.pattern}(?:/{SEGMENT.pattern})*")
# RFC 3987 leaves these out of an IRI wherever they stand.
ILLEGAL_IN_IRI = re.compile('[\x00-\x20<>"{}|\\\\^`\x7f-\x9f]')

# RFC 3987, section 2.2: a scheme and something after it.
ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:.", re.ASCII)


def is_base(iri: str) -> bool:
    """Whether an IRI can be the base of a dataset: an HTTP IRI that ends in '/'."""
    is_web = iri.startswith(("http://", "https://")) and len(iri.partition("://")[2]) > 1
    return is_web and iri.endswith("/") and not ILLEGAL_IN_IRI.search(iri)


def document_of(iri: str) -> str:
    """The IRI without its fragment, which is dereferenced with its owner."""
    return iri.partition("#")[0]


@dataclass(frozen=True)
class Base:
    """The IRIs of one dataset: records, named graphs and the dataset itself, all below `iri`, which ends in '/'."""

    iri: str

    @cached_property
    def id(self) -> str:
        return self.iri + "id/"

    @cached_property
    def graph(self) -> str:
        return self.iri + "graph/"

    @cached_property
    def dataset(self) -> str:
        return self.iri + "dataset"

    # Graphs that describe instead of asserting, which therefore need no evidence.

    @cached_property
    def about(self) -> str:
        return self.graph + "about"

    @cached_property
    def ontology_graph(self) -> str:
        return self.graph + "ontology"

    @cached_property
    def catalogue(self) -> str:
        return self.graph + "catalogue"

    @cached_property
    def inferred(self) -> str:
        return self.graph + "inferred"

    @cached_property
    def unevidenced(self) -> frozenset[str]:
        return frozenset({self.about, self.ontology_graph, self.catalogue, self.inferred})

    @cached_property
    def partner(self) -> str:
        """What the graphs of partners begin with, one graph for each partner."""
        return self.graph + "partner/"

    def record_iri(self, path: str) -> str:
        """The IRI of the record `class/slug`."""
        return self.id + path

    def graph_iri(self, path: str) -> str:
        """The named graph of the file `data/ttl/{path}.ttl`."""
        return self.graph + path

    def graph_path(self, iri: str) -> str:
        """The path of a named graph below `graph/`, the inverse of `graph_iri`."""
        if not iri.startswith(self.graph):
            raise ValueError(f"{iri} is not a graph of this dataset")
        return iri.removeprefix(self.graph)

    def moved(self, iri: str, to: str) -> str:
        """The same identifier below another base; an ontology never moves."""
        if iri.startswith((self.id, self.graph)) or iri == self.dataset:
            return to + iri.removeprefix(self.iri)
        return iri
