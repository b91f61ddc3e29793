"""Evaluates a query on a store and serializes the complete result in one format."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pyoxigraph import (
    BlankNode,
    DefaultGraph,
    Literal,
    NamedNode,
    QueryBoolean,
    QuerySolutions,
    QueryTriples,
    RdfFormat,
    Triple,
)

from kg.errors import FormatNotOffered, NotWritable, QueryFailed, ResultTooLarge, UnknownFunction
from kg.rdf import formats, serialization
from kg.rdf.datatypes import XSD
from kg.rdf.formats import Rdf, Results
from kg.rdf.ordering import triple_order
from kg.rdf.terms import AnyTerm
from kg.sparql import lexer
from kg.sparql.diagnosis import diagnose
from kg.sparql.quadstore import QuadStore

# Characters that begin a formula in a spreadsheet (OWASP, CSV injection), with their full-width forms.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# How the engine reports a function that it does not know.
_UNKNOWN = re.compile(r"custom (?:aggregate )?function <([^>]*)>")

# Anything that may be a prefix in a query, including schemes of IRIs.
_PREFIX = re.compile(r"(?<![\w.\-])([A-Za-z][\w.\-]*):")

# The engine's type; only IRIs are used.
_Default = NamedNode | BlankNode | DefaultGraph
_Named = NamedNode | BlankNode


@dataclass(frozen=True, slots=True)
class Query:
    """A query with its RDF dataset (SPARQL 1.1 Protocol, 2.1.4).

    `services` has the span of the IRI in each SERVICE clause, and its replacement.
    """

    text: str
    default_graphs: tuple[str, ...] = ()
    named_graphs: tuple[str, ...] = ()
    services: tuple[tuple[int, int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ResultFormats:
    """The names of the formats for solutions and graphs, '' if none is acceptable.

    With `rows`, all solutions are counted but only the first `rows` written, as for a page.
    """

    results: str = ""
    graph: str = ""
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a query: `kind` is `solutions`, `boolean` or `graph`; `total` counts solutions or triples."""

    kind: str
    content_type: str
    body: bytes = field(repr=False)
    total: int = 0


class _Bounded(io.BytesIO):
    """An output with a size limit."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def write(self, data: object) -> int:
        written = super().write(data)  # type: ignore[arg-type]
        if self.tell() > self.most:
            raise ResultTooLarge(self.most)
        return written


def evaluate(
    store: QuadStore, query: Query, want: ResultFormats, *, base: str, prefixes: Mapping[str, str], most_bytes: int
) -> Answer:
    """Evaluates and serializes; raises `QueryMalformed`, `UnknownFunction`, `QueryFailed`, `ResultTooLarge`,
    `FormatNotOffered` or `NotWritable`.

    No iterator of the engine outlives the call, not even in a traceback.
    """
    query = replace(query, text=lexer.with_plain_spaces(query.text))
    try:
        return _evaluate(store, query, want, base, prefixes, most_bytes)
    except SyntaxError as error:
        raise diagnose(query.text, error, prefixes) from None
    except (OSError, ValueError, RuntimeError) as error:
        if unknown := _UNKNOWN.search(str(error)):
            raise UnknownFunction(unknown[1]) from None
        raise QueryFailed(f"the query could not be evaluated: {error}") from None


def _evaluate(
    store: QuadStore, query: Query, want: ResultFormats, base: str, prefixes: Mapping[str, str], most_bytes: int
) -> Answer:
    default, named = _dataset(query)
    # Our prefixes need no declaration; those in the query take precedence.
    known = {prefix: prefixes[prefix] for prefix in set(_PREFIX.findall(query.text)) if prefix in prefixes}
    result = store.query(_redirected(query), base_iri=base, prefixes=known, default_graph=default, named_graphs=named)
    if isinstance(result, QueryTriples):
        syntax = formats.rdf_format(want.graph)
        if syntax is None:
            raise FormatNotOffered("graph")
        return _graph(result, syntax, prefixes, most_bytes)
    assert isinstance(result, QuerySolutions | QueryBoolean)
    wanted = formats.result_format(want.results)
    if wanted is None:
        raise FormatNotOffered("solutions")
    output = _Bounded(most_bytes)
    if isinstance(result, QuerySolutions) and (want.rows is not None or wanted.style != "engine"):
        total = _table(result, wanted, want.rows, output)
        return Answer("solutions", wanted.content_type, output.getvalue(), total)
    if isinstance(result, QueryBoolean) and wanted.style == "lines":
        output.write(json.dumps({"boolean": bool(result)}).encode() + b"\n")
    else:
        result.serialize(output, format=wanted.syntax)
    _check_xml(wanted.name == "xml", output.getvalue())
    kind = "boolean" if isinstance(result, QueryBoolean) else "solutions"
    return Answer(kind, wanted.content_type, output.getvalue())


def _redirected(query: Query) -> str:
    """Replaces each endpoint in the text, the last first so that positions stay valid."""
    text = query.text
    for start, end, address in sorted(query.services, reverse=True):
        text = f"{text[:start]}<{address}>{text[end:]}"
    return text


def _dataset(query: Query) -> tuple[list[_Default] | None, list[_Named] | None]:
    """The dataset arguments; if the client names any graph, only named ones are visible."""
    if not query.default_graphs and not query.named_graphs:
        return None, None
    return [NamedNode(g) for g in query.default_graphs], [NamedNode(g) for g in query.named_graphs]


def _graph(result: QueryTriples, syntax: Rdf, prefixes: Mapping[str, str], most: int) -> Answer:
    """Distinct sorted triples; the size of their N-Triples is a lower bound for any syntax."""
    triples: dict[Triple, tuple[str, str, str]] = {}
    size = 0
    for triple in result:
        if triple not in triples:
            order = triples[triple] = triple_order(triple)
            size += sum(map(len, order))
            if size > most:
                raise ResultTooLarge(most)
    is_xml = syntax.syntax == RdfFormat.RDF_XML
    if is_xml and (property_ := formats.not_in_rdf_xml(t.predicate.value for t in triples)):
        raise NotWritable(f"RDF/XML cannot write the property <{property_}>")
    used = serialization.used_prefixes(triples, prefixes) if syntax.has_prefixes else {}
    body = serialization.to_bytes(sorted(triples, key=triples.__getitem__), syntax, used, _Bounded(most * 2))
    _check_xml(is_xml, body)
    return Answer("graph", syntax.content_type, body, len(triples))


def _check_xml(is_xml: bool, document: bytes) -> None:
    if is_xml and not formats.is_xml(document):
        raise NotWritable("the result has a character that XML cannot hold")


def _table(result: QuerySolutions, wanted: Results, most: int | None, output: _Bounded) -> int:
    """Writes the first solutions as JSON for a page, or all as CSV for a spreadsheet; returns the total number."""
    variables = list(result.variables)
    rows: list[list[AnyTerm | None]] = []
    total = 0
    for solution in result:
        total += 1
        if most is None or total <= most:
            rows.append(list(solution))
    if wanted.style == "spreadsheet":
        _write_spreadsheet([v.value for v in variables], rows, output)
    elif wanted.style == "lines":
        _write_lines([v.value for v in variables], rows, output)
    else:
        output.write(_results_json([v.value for v in variables], rows))
    return total


def _results_json(columns: list[str], rows: list[list[AnyTerm | None]]) -> bytes:
    """Writes some solutions as SPARQL 1.1 Query Results JSON, since the engine can only write all of them."""
    bindings = [{c: _json_term(cell) for c, cell in zip(columns, row, strict=True) if cell} for row in rows]
    document = {"head": {"vars": columns}, "results": {"bindings": bindings}}
    return json.dumps(document, ensure_ascii=False).encode()


def _json_term(term: AnyTerm) -> dict[str, str]:
    if isinstance(term, NamedNode):
        return {"type": "uri", "value": term.value}
    if isinstance(term, BlankNode):
        return {"type": "bnode", "value": term.value}
    if isinstance(term, Literal):
        tag = {"xml:lang": term.language} if term.language else {"datatype": term.datatype.value}
        return {"type": "literal", "value": term.value, **tag}
    return {"type": "literal", "value": str(term)}


def _write_lines(columns: list[str], rows: list[list[AnyTerm | None]], output: _Bounded) -> None:
    """Writes one JSON object per row, each with every column, so that readers infer one type per column."""
    for row in rows:
        record = {c: _native(cell) for c, cell in zip(columns, row, strict=True)}
        output.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")


def _native(term: AnyTerm | None) -> str | int | float | bool | None:
    """A term as JSON: numbers and booleans as such, everything else as text."""
    if not isinstance(term, Literal):
        return term.value if isinstance(term, NamedNode) else None if term is None else str(term)
    name = term.datatype.value.removeprefix(XSD)
    try:
        if name in ("integer", "nonNegativeInteger"):
            return int(term.value)
        if name in ("decimal", "double", "float"):
            number = float(term.value)
            return number if math.isfinite(number) else None
    except (ValueError, OverflowError):
        return None
    return {"true": True, "1": True, "false": False, "0": False}.get(term.value) if name == "boolean" else term.value


def _write_spreadsheet(columns: list[str], rows: list[list[AnyTerm | None]], output: _Bounded) -> None:
    """Writes CSV for spreadsheets: byte-order mark, CRLF, and formulas defused."""
    output.write("\ufeff".encode())
    text = io.TextIOWrapper(output, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow([harmless(c) for c in columns])
    for row in rows:
        writer.writerow(["" if cell is None else _cell(cell) for cell in row])
    text.detach()


def _cell(term: AnyTerm) -> str:
    if isinstance(term, Literal) and not term.language and term.datatype.value in formats.NUMERIC:
        return term.value
    return harmless(term.value if isinstance(term, NamedNode | Literal) else str(term))


def harmless(text: str) -> str:
    """The text, prefixed with an apostrophe if a spreadsheet would evaluate it."""
    return f"'{text}" if text.startswith(_FORMULA) else text
