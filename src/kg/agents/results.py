"""Results of queries in the form that a model reads: rows by column name, values as text, numbers and truth values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kg.rdf.datatypes import XSD
from kg.release.facts import kind_of

_WHOLE = frozenset(XSD + name for name in ("integer", "int", "long", "short", "nonNegativeInteger", "positiveInteger"))
_FRACTIONS = frozenset(XSD + name for name in ("decimal", "double", "float"))
_IRI = re.compile(r"<([^<>\s]+)>")


@dataclass(frozen=True, slots=True)
class ResultRows:
    """Rows of a result, or the truth value of an ASK query; `iris` are those in the rows, in their order."""

    columns: list[str]
    rows: list[dict[str, Any]]
    iris: list[str]
    truth: bool | None = None

    @property
    def total(self) -> int:
        return len(self.rows)


def rows(body: bytes) -> ResultRows:
    """Read SPARQL 1.1 Query Results JSON."""
    document = json.loads(body)
    if "boolean" in document:
        return ResultRows([], [], [], bool(document["boolean"]))
    found = document["results"]["bindings"]
    iris = (term["value"] for row in found for term in row.values() if term["type"] == "uri")
    return ResultRows(
        document["head"]["vars"],
        [{name: _value(term) for name, term in row.items()} for row in found],
        list(dict.fromkeys(iris)),
    )


def _value(term: Mapping[str, Any]) -> Any:
    datatype, written = term.get("datatype", ""), term["value"]
    if not isinstance(written, str):
        return json.dumps(written, ensure_ascii=False)
    try:
        if datatype in _WHOLE:
            return int(written)
        if datatype in _FRACTIONS:
            number = float(written)
            return int(number) if number.is_integer() else number
    except ValueError:
        return written
    return written == "true" if datatype == XSD + "boolean" else written


def facts(found: Iterable[Mapping[str, Any]], base: str) -> list[dict[str, Any]]:
    """Rows of property, value and graph as facts: one for each triple, with everything that states it."""
    told: dict[tuple[str, str], dict[str, Any]] = {}
    for row in found:
        key = (row["property"], str(row["value"]))
        fact = told.setdefault(key, {"property": row["property"], "value": row["value"], "stated_by": []})
        if row.get("name"):
            fact["name"] = row["name"]
        source = row.get("source", "")
        stated = {"kind": kind_of(row["graph"].removeprefix(base + "graph/"), source), "source": source or row["graph"]}
        if stated not in fact["stated_by"]:
            fact["stated_by"].append(stated)
    return list(told.values())


def sources_of_proof(proof: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Everything that a proof rests on in the end."""
    found = [{"kind": e["kind"], "source": e["source"] or e["graph"]} for e in proof["evidence"]]
    for premise in proof.get("premises", []):
        found += [e for e in sources_of_proof(premise) if e not in found]
    return found


def decision(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """What the matcher says of a name: `exact`, `close`, `review` (candidates, but none that is safe) or `none`."""
    iri, relation = row["decision"][:2]
    listed = [
        {"iri": c["iri"], "label": c["label"], "score": c["score"], "reason": c["reason"]} for c in row["candidates"]
    ]
    return {"name": name, "match": relation or ("review" if listed else "none"), "iri": iri, "candidates": listed}


def said(texts: Mapping[str, str]) -> str:
    """A text in English, or in the language that there is."""
    return texts.get("en") or next(iter(texts.values()), "")


def iris_in(turtle: str) -> list[str]:
    """The IRIs that a document in Turtle writes in full."""
    return list(dict.fromkeys(_IRI.findall(turtle)))
