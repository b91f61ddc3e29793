"""The JSON-LD context as a table of YAML keys with their properties and kinds of values."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

Kind = Literal["id", "type", "included", "iri", "language", "typed", "string"]


@dataclass(frozen=True, slots=True)
class ContextTerm:
    """A key of the context.

    `kind` is the kind of its values: `iri` a reference or a nested node, `language` a map of language to text,
    `typed` a literal of `datatype`, `string` plain text; `id`, `type` and `included` are the JSON-LD keywords.
    """

    key: str
    iri: str
    kind: Kind
    datatype: str = ""


class Context:
    """`ontology/context.jsonld`, read once: the whole mapping from YAML to RDF (JSON-LD 1.1, section 4.1)."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        entries: dict[str, Any] = document["@context"]
        self.prefixes: dict[str, str] = {}
        self.classes: dict[str, str] = {}
        self.terms: dict[str, ContextTerm] = {}
        for key, value in entries.items():
            if key.startswith("@"):
                continue
            if isinstance(value, str) and value.startswith("@"):
                kind: Kind = {"@id": "id", "@type": "type", "@included": "included"}[value]  # type: ignore[assignment]
                self.terms[key] = ContextTerm(key, value, kind)
            elif isinstance(value, str) and "://" in value:
                self.prefixes[key] = value
            elif isinstance(value, dict) and value.get("@prefix"):
                self.prefixes[key] = value["@id"]
        for key, value in entries.items():
            if key.startswith("@") or key in self.prefixes or key in self.terms:
                continue
            if isinstance(value, str):
                self.classes[key] = self.expand(value)
            else:
                self.terms[key] = self._property(key, value)

    @classmethod
    def read(cls, path: Path) -> Context:
        return cls(json.loads(path.read_text(encoding="utf-8")))

    def _property(self, key: str, definition: dict[str, str]) -> ContextTerm:
        iri = self.expand(definition["@id"])
        if definition.get("@container") == "@language":
            return ContextTerm(key, iri, "language")
        value_type = definition.get("@type")
        if value_type == "@id":
            return ContextTerm(key, iri, "iri")
        if value_type:
            return ContextTerm(key, iri, "typed", self.expand(value_type))
        return ContextTerm(key, iri, "string")

    def expand(self, curie: str) -> str:
        """The IRI of a `prefix:local` name; other texts are returned unchanged."""
        prefix, colon, local = curie.partition(":")
        if colon and prefix in self.prefixes and not local.startswith("//"):
            return self.prefixes[prefix] + local
        return curie

    def compact(self, iri: str) -> str:
        """The shortest `prefix:local` for an IRI, or the IRI."""
        for prefix, namespace in self._by_length:
            if iri.startswith(namespace) and len(iri) > len(namespace):
                return f"{prefix}:{iri[len(namespace) :]}"
        return iri

    def of(self, used: Collection[str]) -> dict[str, Any]:
        """The part of the context that a document with these IRIs needs, for the same but faster compaction.

        A processor compares each IRI with each term (JSON-LD 1.1 API, 6.3), which takes most of its time.
        """
        entries: dict[str, Any] = self.document["@context"]
        kept = {key for key, iri in self._iris if iri in used or iri[0] == "@"}
        namespaces = {p for p, ns in self.prefixes.items() if any(iri.startswith(ns) for iri in used)}
        for key in kept:
            definition = entries[key]
            curies = definition.values() if isinstance(definition, dict) else (definition,)
            namespaces |= {c.partition(":")[0] for c in curies if isinstance(c, str)} & self.prefixes.keys()
        return {"@context": {k: v for k, v in entries.items() if k[0] == "@" or k in kept or k in namespaces}}

    @cached_property
    def _iris(self) -> list[tuple[str, str]]:
        """Each term and class of records with its IRI or keyword."""
        return [*((key, term.iri) for key, term in self.terms.items()), *self.classes.items()]

    @cached_property
    def _by_length(self) -> list[tuple[str, str]]:
        return sorted(self.prefixes.items(), key=lambda item: -len(item[1]))

    @cached_property
    def folders(self) -> list[str]:
        """The prefixes that are classes of records, each a folder of `data`; not those of a list, such as `acts:`."""
        return [p for p, iri in self.prefixes.items() if iri.endswith(f"/id/{p}/")]

    @cached_property
    def vocabularies(self) -> dict[str, str]:
        """The prefixes of vocabularies, without those of classes of records."""
        return {p: iri for p, iri in self.prefixes.items() if "/id/" not in iri}
