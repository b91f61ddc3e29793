"""Namespaces of vocabularies used in code."""

from __future__ import annotations

from kg.rdf import iris

SKOS = "http://www.w3.org/2004/02/skos/core#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
DCTERMS = "http://purl.org/dc/terms/"
OWL = "http://www.w3.org/2002/07/owl#"
SH = "http://www.w3.org/ns/shacl#"
KG = iris.ONTOLOGY + "#"
# Constraint components and results of validation that are not SHACL's own.
SCHEMA = "https://schema.org/"
SHAPES = "https://w3id.org/aikg/shapes#"
