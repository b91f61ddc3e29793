"""The query library: `.rq` files with a header, and their parameters bound as terms.

The header of a file is YAML in lines that begin with `#+ `: title and description in ja and en, parameters, the
columns of the answer, a chart hint, the units of columns, tags, and of a rule the facts that it rests on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from pyoxigraph import Literal, NamedNode, QuerySolutions, QueryTriples

from kg.errors import BadParameter, KgError, QueryNotFound, nearest
from kg.rdf import iris
from kg.rdf.context import Context
from kg.rdf.datatypes import DATATYPES, XSD
from kg.sparql import lexer
from kg.sparql.quadstore import QuadStore

Bound = NamedNode | Literal

_HEADER = re.compile(r"^#\+ ?(.*)$", re.MULTILINE)
_FIELDS = ("title", "description", "parameters", "columns", "chart", "units", "tags", "expected", "premises")
PARAMETER_TYPES = ("iri", "string", "language", *(d.removeprefix(XSD) for d in DATATYPES))

# The one in C where the machine has it: headers are read whenever a server starts.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A variable of a stored query that the caller may set; `default` is text as the caller would write it."""

    name: str
    type: str
    default: str
    label: dict[str, str]


@dataclass(frozen=True, slots=True)
class StoredQuery:
    name: str
    title: dict[str, str]
    description: dict[str, str]
    parameters: tuple[Parameter, ...]
    columns: tuple[str, ...]
    chart: dict[str, str]
    units: dict[str, str]
    tags: tuple[str, ...]
    text: str
    expected: int | None = None
    premises: str = ""


def read(path: Path) -> StoredQuery:
    """A query file; raises `KgError` when its header is not what it must be."""
    text = path.read_text(encoding="utf-8")
    try:
        header: dict[str, Any] = yaml.load("\n".join(_HEADER.findall(text)), Loader=_Loader) or {}
    except yaml.YAMLError as error:
        raise KgError(f"{path}: the header is not YAML: {error}") from error
    unknown = set(header) - set(_FIELDS)
    missing = {"title", "description", "columns"} - set(header)
    if unknown or missing:
        raise KgError(f"{path}: unknown header fields {sorted(unknown)}, missing {sorted(missing)}")
    parameters = tuple(
        Parameter(p["name"], p["type"], str(p["default"]), p["label"]) for p in header.get("parameters", ())
    )
    for parameter in parameters:
        if parameter.type not in PARAMETER_TYPES:
            raise KgError(f"{path}: parameter '{parameter.name}' has unknown type '{parameter.type}'")
        if parameter.name in header["columns"]:
            raise KgError(f"{path}: '{parameter.name}' is a parameter, so it can be no column")
    return StoredQuery(
        name=path.stem,
        title=header["title"],
        description=header["description"],
        parameters=parameters,
        columns=tuple(header["columns"]),
        chart=header.get("chart", {}),
        units=header.get("units", {}),
        tags=tuple(header.get("tags", ())),
        text=_HEADER.sub("", text).lstrip("\n"),
        expected=header.get("expected"),
        premises=header.get("premises", ""),
    )


def library(root: Path, folder: str = "", base: str = iris.BASE) -> dict[str, StoredQuery]:
    """All queries directly below `root/queries`, or in one of its folders, by name; about records below `base`."""
    found = (read(path) for path in sorted((root / "queries" / folder).glob("*.rq")))
    return {query.name: _rebased(query, base) if base != iris.BASE else query for query in found}


def _rebased(query: StoredQuery, base: str) -> StoredQuery:
    def moved(token: re.Match[str]) -> str:
        return f"<{iris.rebase(token[0][1:-1], base)}>" if token["iri"] else token[0]

    return replace(query, text=lexer.TOKEN.sub(moved, query.text))


def find(queries: Mapping[str, StoredQuery], name: str) -> StoredQuery:
    if name not in queries:
        raise QueryNotFound(f"no query is called '{name}'{nearest(name, queries)}")
    return queries[name]


def bind(query: StoredQuery, values: Mapping[str, str], context: Context) -> dict[str, Bound]:
    """The parameters as terms, defaults filled in; raises `BadParameter`."""
    known = {p.name for p in query.parameters}
    for name in values:
        if name not in known:
            raise BadParameter(f"query '{query.name}' has no parameter '{name}'{nearest(name, known)}")
    return {p.name: _term(p, values.get(p.name, p.default), context) for p in query.parameters}


def _term(parameter: Parameter, text: str, context: Context) -> NamedNode | Literal:
    if parameter.type == "iri":
        iri = context.expand(text.removeprefix("<").removesuffix(">"))
        if iris.ILLEGAL_IN_IRI.search(iri) or "://" not in iri:
            raise BadParameter(f"parameter '{parameter.name}': '{text}' is neither an IRI nor class:slug")
        return NamedNode(iri)
    if parameter.type in ("string", "language"):
        return Literal(text)
    datatype = XSD + parameter.type
    if not DATATYPES[datatype].accepts(text):
        raise BadParameter(f"parameter '{parameter.name}': expected {DATATYPES[datatype].expected}, not '{text}'")
    return Literal(text, datatype=NamedNode(datatype))


def fill(text: str, bound: Mapping[str, Bound]) -> str:
    """The query with each bound variable replaced by its term, token by token, sub-selects included.

    The engine's own substitution takes projected variables only (SEP-0007), and a text runs on any engine.
    """
    if not bound:
        return text
    return lexer.TOKEN.sub(lambda m: str(bound[m[0][1:]]) if m["variable"] and m[0][1:] in bound else m[0], text)


def select(store: QuadStore, text: str) -> QuerySolutions:
    """The solutions of a SELECT query of ours."""
    result = store.query(text)
    assert isinstance(result, QuerySolutions)
    return result


def construct(store: QuadStore, text: str) -> QueryTriples:
    """The triples of a CONSTRUCT query of ours, which may hold one more than once."""
    result = store.query(text)
    assert isinstance(result, QueryTriples)
    return result
