"""A JSON Schema of curated files for editors, from the context, the ontology and the shapes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import rdflib
from rdflib.namespace import RDFS, SH, SKOS

from kg.curation import builder
from kg.project import profiles
from kg.project.reading import read_project
from kg.rdf import iris
from kg.rdf.context import Context, ContextTerm
from kg.rdf.datatypes import DATATYPES


def make(root: Path) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a file: a map of graphs to facts, with keys and classes from the context."""
    project, context = read_project(root), builder.read_context(root)
    ontology = rdflib.Graph()
    for path in builder.ontology_files(root):
        ontology.parse(path, format="turtle")
    shapes = rdflib.Graph()
    for path in profiles.all_files(root):
        shapes.parse(path, format="turtle")
    patterns = _patterns(shapes)
    properties = {key: _term(term, ontology, patterns) for key, term in sorted(context.terms.items())}
    properties["type"] = _one_or_more({"enum": sorted(context.classes)}) | {
        "markdownDescription": _class_help(context, ontology, shapes)
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": project.base.iri + "record.schema.json",
        "title": "A curated record: a map of graph to facts",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "patternProperties": {f"^{iris.SLUG.pattern}$": {"$ref": "#/$defs/node"}},
        "$defs": {
            "node": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": False,
                "properties": properties,
            },
            "languageMap": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": False,
                "properties": {language: _one_or_more({"type": "string"}) for language in project.languages_of_names},
            },
        },
    }


def write(root: Path) -> Path:
    path = root / "ontology" / "record.schema.json"
    text = json.dumps(make(root), ensure_ascii=False, indent=1, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def _one_or_more(value: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [value, {"type": "array", "minItems": 1, "items": value}]}


def _term(term: ContextTerm, ontology: rdflib.Graph, patterns: dict[str, str]) -> dict[str, Any]:
    described = {"description": _help(term.iri, ontology)}
    if term.kind == "language":
        return {"$ref": "#/$defs/languageMap"} | described
    if term.kind == "included":
        return _one_or_more({"$ref": "#/$defs/node"}) | {"description": "Other nodes that this block describes."}
    if term.kind == "iri":
        return _one_or_more({"anyOf": [{"type": "string"}, {"$ref": "#/$defs/node"}]}) | described
    if term.kind == "id":
        return {
            "type": "string",
            "description": "The name of this node: '#part', 'path/below', or class:slug.",
        }
    value: dict[str, Any] = {"type": "string"}
    if pattern := patterns.get(term.iri):
        value["pattern"] = pattern
    if term.datatype in DATATYPES:
        described["description"] += f" ({DATATYPES[term.datatype].expected})"
        # An editor reads an unquoted 17 as a number; the build reads the same characters as text.
        value = {"type": ["string", "number", "boolean"]} | ({} if "pattern" not in value else value)
    return _one_or_more(value) | described


def _help(iri: str, ontology: rdflib.Graph) -> str:
    subject = rdflib.URIRef(iri)
    told = (ontology.objects(subject, said) for said in (SKOS.definition, SKOS.altLabel, RDFS.label))
    texts: list[Any] = next((found for found in map(list, told) if found), [])
    by_language = {getattr(t, "language", ""): str(t) for t in texts}
    return " / ".join(by_language[k] for k in ("en", "ja") if k in by_language)


def _patterns(shapes: rdflib.Graph) -> dict[str, str]:
    return {
        str(path): str(pattern)
        for shape, pattern in shapes.subject_objects(SH.pattern)
        for path in shapes.objects(shape, SH.path)
        if isinstance(path, rdflib.URIRef) and not shapes.value(shape, SH.languageIn)
    }


def _class_help(context: Context, ontology: rdflib.Graph, shapes: rdflib.Graph) -> str:
    """The description and required properties of each class, as hover text for `type`."""
    keys = {term.iri: key for key, term in reversed(context.terms.items())}
    lines = []
    for name, iri in sorted(context.classes.items()):
        required = sorted(
            {
                keys[str(path)]
                for shape in shapes.subjects(SH.targetClass, rdflib.URIRef(iri))
                for constraint in shapes.objects(shape, SH.property)
                if int(str(shapes.value(constraint, SH.minCount) or 0)) > 0
                for path in shapes.objects(constraint, SH.path)
                if str(path) in keys
            }
        )
        needs = f" Needs: {', '.join(required)}." if required else ""
        lines.append(f"- **{name}**: {_help(iri, ontology)}{needs}")
    return "\n".join(lines)
