"""Turns the mappings of the ontology to other vocabularies from a table (SSSOM/TSV) into Turtle.

The table `ontology/mappings/mappings.sssom.tsv` is edited; the Turtle beside it follows from it, in the RDF form of
SSSOM: a mapping is a node that names both terms and the kind of match, and states no link between them. So no reasoner
infers anything from it, and skos:closeMatch and its like go on holding between concepts only.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pyoxigraph import BlankNode, Literal, NamedNode, Triple

from kg.errors import KgError
from kg.rdf import iris, turtle
from kg.rdf.namespaces import DCTERMS, OWL, RDFS

TABLE = Path("ontology", "mappings", "mappings.sssom.tsv")
_SSSOM = "https://w3id.org/sssom/"
_DATE = NamedNode("http://www.w3.org/2001/XMLSchema#date")
# The properties of SSSOM's slots that are not in its own namespace.
_SLOTS = {
    "mapping_set_version": OWL + "versionInfo",
    "mapping_set_title": DCTERMS + "title",
    "mapping_set_description": DCTERMS + "description",
    "creator_id": DCTERMS + "creator",
    "license": DCTERMS + "license",
    "mapping_date": DCTERMS + "created",
    "subject_id": OWL + "annotatedSource",
    "predicate_id": OWL + "annotatedProperty",
    "object_id": OWL + "annotatedTarget",
    "comment": RDFS + "comment",
}
# Slots whose values are IRIs.
_REFERENCES = frozenset(
    {
        *("subject_id", "predicate_id", "object_id", "subject_source", "object_source"),
        *("creator_id", "license", "mapping_justification"),
    }
)


@dataclass(frozen=True, slots=True)
class MappingSet:
    """A table of mappings: what is said of the whole, its prefixes, and a row for each mapping."""

    metadata: Mapping[str, Any]
    prefixes: Mapping[str, str]
    rows: tuple[Mapping[str, str], ...]

    def iri(self, name: str) -> NamedNode:
        """The IRI of a short name."""
        prefix, colon, local = name.partition(":")
        if not colon or (prefix not in self.prefixes and not local.startswith("//")):
            raise KgError(f"{TABLE}: the prefix of '{name}' is not in curie_map")
        return NamedNode(name if local.startswith("//") else self.prefixes[prefix] + local)


def read(root: Path) -> MappingSet | None:
    """The mappings of a project, if it has any."""
    path = root / TABLE
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    said = yaml.safe_load("\n".join(line[1:] for line in lines if line.startswith("#")))
    rows = csv.DictReader((line for line in lines if not line.startswith("#")), delimiter="\t", quoting=csv.QUOTE_NONE)
    return MappingSet({key: value for key, value in said.items() if key != "curie_map"}, said["curie_map"], tuple(rows))


def triples(mappings: MappingSet) -> Iterator[Triple]:
    """The set and its mappings in the RDF form of SSSOM."""
    whole = NamedNode(mappings.metadata["mapping_set_id"])
    kind = NamedNode(iris.RDF_TYPE)
    yield Triple(whole, kind, NamedNode(_SSSOM + "MappingSet"))
    # The file is an ontology document too, so that its tools open it.
    yield Triple(whole, kind, NamedNode(OWL + "Ontology"))
    for slot, value in mappings.metadata.items():
        if slot != "mapping_set_id":
            for one in value if isinstance(value, list) else [value]:
                yield _stated(mappings, whole, slot, str(one))
    for number, row in enumerate(mappings.rows, 1):
        node = BlankNode(f"m{number:03}")
        yield Triple(whole, NamedNode(_SSSOM + "mappings"), node)
        yield Triple(node, kind, NamedNode(OWL + "Axiom"))
        for slot, value in row.items():
            if value:
                yield _stated(mappings, node, slot, value)


def _stated(mappings: MappingSet, subject: NamedNode | BlankNode, slot: str, value: str) -> Triple:
    predicate = NamedNode(_SLOTS.get(slot, _SSSOM + slot))
    if slot in _REFERENCES:
        return Triple(subject, predicate, mappings.iri(value))
    return Triple(subject, predicate, Literal(value, datatype=_DATE) if slot == "mapping_date" else Literal(value))


def write(root: Path) -> Path | None:
    """Writes the Turtle beside the table, if there is one."""
    mappings = read(root)
    if mappings is None:
        return None
    path = (root / TABLE).with_name("mappings.ttl")
    known = {**mappings.prefixes, "owl": OWL, "rdfs": RDFS, "dcterms": DCTERMS, "sssom": _SSSOM}
    path.write_text(turtle.write(triples(mappings), known), encoding="utf-8")
    return path
