"""The query library: `.rq` files with a header, their parameters bound as terms, and the guard for strangers' queries.

The header of a file is YAML in lines that begin with `#+ `: title and description in ja and en, parameters, the
columns of the answer, a chart hint, tags.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pyoxigraph import Literal, NamedNode, QuerySolutions, QueryTriples, Store

from kg.context import Context
from kg.datatypes import DATATYPES, XSD
from kg.errors import BadParameter, KgError, QueryNotFound, QueryRefused, nearest
from kg.iris import ILLEGAL_IN_IRI

Bound = NamedNode | Literal

_HEADER = re.compile(r"^#\+ ?(.*)$", re.MULTILINE)
_FIELDS = ("title", "description", "parameters", "columns", "chart", "tags", "expected")
PARAMETER_TYPES = ("iri", "string", "language", *(d.removeprefix(XSD) for d in DATATYPES))


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
    tags: tuple[str, ...]
    text: str
    expected: int | None = None


def read(path: Path) -> StoredQuery:
    """A query file; raises `KgError` when its header is not what it must be."""
    text = path.read_text(encoding="utf-8")
    try:
        header: dict[str, Any] = yaml.safe_load("\n".join(_HEADER.findall(text))) or {}
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
        tags=tuple(header.get("tags", ())),
        text=_HEADER.sub("", text).lstrip("\n"),
        expected=header.get("expected"),
    )


def library(root: Path) -> dict[str, StoredQuery]:
    """All queries directly below `root/queries`, by name."""
    return {path.stem: read(path) for path in sorted((root / "queries").glob("*.rq"))}


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
        if ILLEGAL_IN_IRI.search(iri) or "://" not in iri:
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
    return _TOKEN.sub(lambda m: str(bound[m[0][1:]]) if m[0][0] in "?$" and m[0][1:] in bound else m[0], text)


def select(store: Store, text: str) -> QuerySolutions:
    """The solutions of a SELECT query of ours."""
    result = store.query(text)
    assert isinstance(result, QuerySolutions)
    return result


def construct(store: Store, text: str) -> QueryTriples:
    """The triples of a CONSTRUCT query of ours, which may hold one more than once."""
    result = store.query(text)
    assert isinstance(result, QueryTriples)
    return result


# SPARQL 1.1, section 19.8: what must be passed over so that a keyword is seen only where it is one.
_TOKEN = re.compile(
    r"""
      <[^\x00-\x20<>"{}|^`\\]*>                      # IRI
    | \"\"\"(?:[^"\\]|\\.|\"(?!\"\"))*\"\"\" | '''(?:[^'\\]|\\.|'(?!''))*'''
    | "(?:[^"\\\n\r]|\\.)*" | '(?:[^'\\\n\r]|\\.)*'
    | \#[^\n\r]*
    | [?$][\w]+
    | (?P<word>@?[\w][\w\-.]*(?::[^\s{}()<>"'|^`;,]*)?|:[^\s{}()<>"'|^`;,]*)
    | (?P<brace>[{}()\[\]])
    | .
    """,
    re.VERBOSE | re.DOTALL,
)
_QUERY_FORMS = frozenset({"SELECT", "ASK", "CONSTRUCT", "DESCRIBE"})
_UPDATES = frozenset({"INSERT", "DELETE", "LOAD", "CLEAR", "CREATE", "DROP", "COPY", "MOVE", "ADD", "WITH"})


def guard(text: str, *, longest: int = 200_000, deepest: int = 200) -> None:
    """Refuses what is not run for strangers: updates, SERVICE, and texts long or nested enough to harm the parser.

    Looks at the words of the query, not at its strings, comments and IRIs; raises `QueryRefused`.
    """
    if len(text) > longest:
        raise QueryRefused(f"the query has {len(text):,} characters; at most {longest:,} are read")
    depth, form = 0, ""
    # Code points may be escaped anywhere in a query (SPARQL 1.1, section 19.2).
    plain = re.sub(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})", _unescape, text)
    for match in _TOKEN.finditer(plain):
        if brace := match["brace"]:
            depth += 1 if brace in "{([" else -1
            if depth > deepest:
                raise QueryRefused(f"the query nests deeper than {deepest} levels")
        word = (match["word"] or "").upper()
        if not form and word in _UPDATES:
            raise QueryRefused(f"this is an update ({word}); the endpoint only reads")
        if word in _QUERY_FORMS:
            form = form or word
        # The parser wants no space after a keyword: `1SERVICE` and `SERVICEex:a` are SERVICE to it.
        if "SERVICE" in word.partition(":")[0] and not word.startswith("@"):
            raise QueryRefused(
                "SERVICE is not run here: the endpoint asks no other endpoint (and no prefix may have it in its name)"
            )


def _unescape(match: re.Match[str]) -> str:
    code = int(match[1] or match[2], 16)
    return chr(code) if code <= 0x10FFFF else "\ufffd"
