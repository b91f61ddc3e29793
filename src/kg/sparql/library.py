"""The query library: `.rq` files with a header, whose parameters are bound to terms.

The header is YAML in lines that begin with `#+ `: title and description in ja and en, parameters, result columns, a
chart hint, units of columns, tags, the premises of a rule, the source whose coverage a query measures, how a card is
laid out if not as a table, and the sentence (`answer` and `row`, as for questions in `site.yaml`) that its rows make.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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
_FIELDS = (
    "title",
    "description",
    "parameters",
    "columns",
    "chart",
    "units",
    "totals",
    "tags",
    "expected",
    "premises",
    "severity",
    "source",
    "layout",
    "sentence",
)
PARAMETER_TYPES = ("iri", "string", "language", *(d.removeprefix(XSD) for d in DATATYPES))

# The C loader if available, since headers are read on each server start.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A variable of a stored query that the client may set; `default` is written as in a request."""

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
    severity: str = "violation"
    source: str = ""
    layout: str = ""
    sentence: dict[str, dict[str, str]] = field(default_factory=dict)
    totals: tuple[str, ...] = ()


def read(path: Path) -> StoredQuery:
    """Reads a query file; raises `KgError` for an invalid header."""
    text = path.read_text(encoding="utf-8")
    try:
        header: dict[str, Any] = yaml.load("\n".join(_HEADER.findall(text)), Loader=_Loader) or {}
    except yaml.YAMLError as error:
        raise KgError(f"{path}: the header is not YAML: {error}") from error
    unknown = set(header) - set(_FIELDS)
    missing = {"title", "description", "columns"} - set(header)
    if unknown or missing:
        raise KgError(f"{path}: unknown header fields {sorted(unknown)}, missing {sorted(missing)}")
    for name in ("title", "description"):
        # A comma outside of quotes begins another key of the map.
        if not isinstance(header[name], dict) or not all(isinstance(said, str) for said in header[name].values()):
            raise KgError(f"{path}: '{name}' needs a text in each language, in quotes: {{en: \"…\"}}")
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
        severity=header.get("severity", "violation"),
        source=header.get("source", ""),
        layout=header.get("layout", ""),
        sentence=header.get("sentence", {}),
        totals=tuple(header.get("totals", ())),
    )


def library(root: Path, folder: str = "", moved: Callable[[str], str] | None = None) -> dict[str, StoredQuery]:
    """All queries in `root/queries` or one of its folders, by name, for records below `base`."""
    found = (read(path) for path in sorted((root / "queries" / folder).glob("*.rq")))
    return {query.name: _moved(query, moved) if moved else query for query in found}


def _moved(query: StoredQuery, moved: Callable[[str], str]) -> StoredQuery:
    def replaced(token: re.Match[str]) -> str:
        return f"<{moved(token[0][1:-1])}>" if token["iri"] else token[0]

    return replace(query, text=lexer.TOKEN.sub(replaced, query.text))


def find(queries: Mapping[str, StoredQuery], name: str) -> StoredQuery:
    if name not in queries:
        raise QueryNotFound(f"no query is called '{name}'{nearest(name, queries)}")
    return queries[name]


def bind(query: StoredQuery, values: Mapping[str, str], context: Context) -> dict[str, Bound]:
    """The parameters as terms, with defaults filled in; raises `BadParameter`."""
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
    """Replaces each bound variable by its term, token by token, including subqueries.

    The engine's own substitution supports projected variables only (SEP-0007), and text works on any engine.
    """
    if not bound:
        return text
    return lexer.TOKEN.sub(lambda m: str(bound[m[0][1:]]) if m["variable"] and m[0][1:] in bound else m[0], text)


def select(store: QuadStore, text: str) -> QuerySolutions:
    """The solutions of a trusted SELECT query."""
    result = store.query(text)
    assert isinstance(result, QuerySolutions)
    return result


def construct(store: QuadStore, text: str) -> QueryTriples:
    """The triples of a trusted CONSTRUCT query, which may have duplicates."""
    result = store.query(text)
    assert isinstance(result, QueryTriples)
    return result
