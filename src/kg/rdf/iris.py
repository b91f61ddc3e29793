"""The identifiers of the graph: one base, one pattern for slugs, one path for each named graph."""

from __future__ import annotations

import re

BASE = "https://w3id.org/aikg/"
ID = BASE + "id/"
GRAPH = BASE + "graph/"
ONTOLOGY = BASE + "ontology"
DATASET = BASE + "dataset"

RDF_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
PRIMARY_SOURCE = "http://www.w3.org/ns/prov#hadPrimarySource"

# Graphs that describe rather than assert: they need no evidence of their own.
ABOUT = GRAPH + "about"
ONTOLOGY_GRAPH = GRAPH + "ontology"
CATALOGUE = GRAPH + "catalogue"
INFERRED = GRAPH + "inferred"
# What partners say of their own things, one graph each.
PARTNER = GRAPH + "partner/"
UNEVIDENCED = frozenset({ABOUT, ONTOLOGY_GRAPH, CATALOGUE, INFERRED})

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


def record_iri(path: str) -> str:
    """The IRI of the record `class/slug`."""
    return ID + path


def document_of(iri: str) -> str:
    """The IRI without its fragment: a `#` part is dereferenced with its owner."""
    return iri.partition("#")[0]


def graph_iri(path: str) -> str:
    """The named graph whose file is `data/ttl/{path}.ttl`."""
    return GRAPH + path


def graph_path(iri: str) -> str:
    """The path of a named graph below `graph/`, the inverse of `graph_iri`."""
    if not iri.startswith(GRAPH):
        raise ValueError(f"{iri} is not a graph of this dataset")
    return iri.removeprefix(GRAPH)


def rebase(iri: str, base: str) -> str:
    """The same identifier below another base; the ontology never moves."""
    if iri.startswith((ID, GRAPH)) or iri == DATASET:
        return base + iri.removeprefix(BASE)
    return iri
