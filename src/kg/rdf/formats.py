"""The table of syntaxes and media types, and content negotiation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pyoxigraph import QueryResultsFormat, RdfFormat


@dataclass(frozen=True, slots=True)
class Rdf:
    """An RDF syntax: `name` is the file extension and the `format=` value, `w3c_name` that of w3.org/ns/formats.

    `asked_as` are further names by which clients ask for an answer in it; a document is not recognised by them.
    """

    name: str
    media_type: str
    title: str
    syntax: RdfFormat
    w3c_name: str
    aliases: tuple[str, ...] = ()
    asked_as: tuple[str, ...] = ()

    @property
    def offer(self) -> tuple[str, ...]:
        """Everything that it can be asked for by, the media type first."""
        return self.media_type, *self.aliases, *self.asked_as

    @property
    def has_graphs(self) -> bool:
        """Whether it is written with named graphs; JSON-LD is not, since most readers expect one graph."""
        return self.syntax.supports_datasets and self.syntax != RdfFormat.JSON_LD

    @property
    def has_prefixes(self) -> bool:
        return self.syntax in (RdfFormat.TURTLE, RdfFormat.TRIG, RdfFormat.RDF_XML)

    @property
    def content_type(self) -> str:
        return f"{self.media_type}{_CHARSET.get(self.media_type.split('/')[0], '')}"


@dataclass(frozen=True, slots=True)
class Results:
    """A format for SELECT and ASK results; `style` is whether the engine or our code writes it."""

    name: str
    media_type: str
    title: str
    syntax: QueryResultsFormat
    w3c_name: str
    aliases: tuple[str, ...] = ()
    style: Literal["engine", "spreadsheet", "lines"] = "engine"

    @property
    def offer(self) -> tuple[str, ...]:
        """Everything that it can be asked for by, the media type first."""
        return self.media_type, *self.aliases

    @property
    def content_type(self) -> str:
        return f"{self.media_type}{_CHARSET.get(self.media_type.split('/')[0], '')}"


# Only text types have the parameter; JSON and XML define their encoding themselves (RFC 8259, RFC 7303).
_CHARSET = {"text": "; charset=utf-8"}
RDF_FORMATS = (
    Rdf(
        "ttl",
        "text/turtle",
        "Turtle",
        RdfFormat.TURTLE,
        "Turtle",
        ("turtle", "application/x-turtle", "application/turtle"),
        # Every Turtle document is an N3 document.
        ("n3", "text/n3", "text/rdf+n3", "application/n3", "application/rdf+n3"),
    ),
    Rdf(
        "jsonld",
        "application/ld+json",
        "JSON-LD",
        RdfFormat.JSON_LD,
        "JSON-LD",
        ("json-ld", "application/x-json+ld"),
        ("json", "application/json"),
    ),
    Rdf("nt", "application/n-triples", "N-Triples", RdfFormat.N_TRIPLES, "N-Triples", ("ntriples", "text/plain")),
    Rdf(
        "rdf",
        "application/rdf+xml",
        "RDF/XML",
        RdfFormat.RDF_XML,
        "RDF_XML",
        ("rdfxml", "application/xml", "text/xml"),
        ("xml", "rdf+xml", "rdf/xml", "owl", "application/owl+xml"),
    ),
    Rdf("trig", "application/trig", "TriG", RdfFormat.TRIG, "TriG", ("application/x-trig",)),
    Rdf("nq", "application/n-quads", "N-Quads", RdfFormat.N_QUADS, "N-Quads", ("nquads",)),
)
RESULT_FORMATS = (
    Results(
        "json",
        "application/sparql-results+json",
        "JSON",
        QueryResultsFormat.JSON,
        "SPARQL_Results_JSON",
        ("application/json",),
    ),
    Results(
        "xml",
        "application/sparql-results+xml",
        "XML",
        QueryResultsFormat.XML,
        "SPARQL_Results_XML",
        ("application/xml", "text/xml"),
    ),
    Results("csv", "text/csv", "CSV", QueryResultsFormat.CSV, "SPARQL_Results_CSV"),
    Results("tsv", "text/tab-separated-values", "TSV", QueryResultsFormat.TSV, "SPARQL_Results_TSV"),
    # By name only: with a byte-order mark and defused formulas.
    Results("excel", "text/csv", "CSV (Excel)", QueryResultsFormat.CSV, "SPARQL_Results_CSV", style="spreadsheet"),
    # One JSON object per row with all columns and native numbers, which DuckDB and pandas convert to Parquet.
    Results("jsonl", "application/x-ndjson", "JSON Lines", QueryResultsFormat.JSON, "", style="lines"),
)
# For duplicate names the first one counts.
_RDF_BY_NAME = {name: f for f in reversed(RDF_FORMATS) for name in (f.name, f.media_type, *f.aliases)}
_RDF_BY_ASKED_NAME = {name: f for f in reversed(RDF_FORMATS) for name in (f.name, *f.offer)}
_RESULTS_BY_NAME = {name: f for f in reversed(RESULT_FORMATS) for name in (f.name, *f.offer)}
_XSD = "http://www.w3.org/2001/XMLSchema#"
NUMERIC = frozenset(_XSD + name for name in ("integer", "decimal", "double", "float", "nonNegativeInteger"))
HTML = "text/html"
XHTML = "application/xhtml+xml"
PROBLEM_JSON = "application/problem+json"


def rdf_format(name: str) -> Rdf | None:
    """The RDF format with this name, extension or media type."""
    return _RDF_BY_NAME.get(name.lower())


def graph_format(name: str) -> Rdf | None:
    """The RDF format that a client means by this name, which may be looser than the name of a document's syntax."""
    return _RDF_BY_ASKED_NAME.get(_asked(name))


def result_format(name: str) -> Results | None:
    """The result format with this name, extension or media type."""
    return _RESULTS_BY_NAME.get(_asked(name))


def _asked(name: str) -> str:
    """A name as a client sent it; a `+` that was not percent-encoded has arrived as a space."""
    return name.strip().lower().replace(" ", "+")


# The end of an IRI that is a valid element name in RDF/XML (RDF 1.1 XML Syntax, 6.1.4; Namespaces in XML, NCName).
_ELEMENT_NAME = re.compile(r"[^\W\d][\w.\-]*\Z")
# Characters that are invalid in XML 1.0, as UTF-8.
_NOT_XML = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]|&#(?:x[01]?[0-8b-fB-F]|x1[0-9a-fA-F]);")


def not_in_rdf_xml(predicates: Iterable[str]) -> str:
    """The first of these property IRIs that cannot be written in RDF/XML; '' if there is none."""
    return next((p for p in predicates if not _ELEMENT_NAME.search(p)), "")


def is_xml(document: bytes) -> bool:
    """Whether an otherwise well-formed document has only characters that are valid in XML 1.0."""
    return _NOT_XML.search(document) is None


# A list element of RFC 9110, 5.6.1: commas and semicolons in quoted strings are not separators.
_ELEMENT = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_PARAMETER = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*")+')
_MOST_RANGES = 100


def parse_accept(header: str) -> dict[str, float]:
    """The media ranges of an Accept header with their q values; the first of duplicates counts (RFC 9110, 12.5.1).

    Invalid ranges are ignored, as by a lenient server; parameters other than q are ignored as well.
    """
    ranges: dict[str, float] = {}
    for part in _ELEMENT.findall(header)[:_MOST_RANGES]:
        media, *parameters = (p.strip() for p in _PARAMETER.findall(part) or [""])
        if "/" in media:
            ranges.setdefault(media.lower(), weight(parameters))
    return ranges


def weight(parameters: Iterable[str]) -> float:
    """The q value in the parameters of a list element; 0 if invalid (RFC 9110, 12.4.2)."""
    for parameter in parameters:
        key, _, written = parameter.partition("=")
        if key.strip().lower() == "q":
            written = written.strip()
            return min(float(written), 1.0) if _QVALUE.fullmatch(written) else 0.0
    return 1.0


_QVALUE = re.compile(r"\d(?:\.\d*)?|\.\d+", re.ASCII)


def accept_key(header: str | None) -> frozenset[tuple[str, float]] | None:
    """The cache key of an Accept header: headers with equal keys have the same outcome."""
    if header is None or not header.strip():
        return None
    return frozenset((r, q) for r, q in parse_accept(header).items() if r in _SEEN)


def _quality(ranges: Mapping[str, float], media_type: str) -> float:
    """The q value of the most specific matching range."""
    main = media_type.partition("/")[0]
    return next((ranges[r] for r in (media_type, f"{main}/*", "*/*") if r in ranges), 0.0)


def negotiate(accept: str | None, offered: Sequence[tuple[str, ...]]) -> int | None:
    """The index of the best offer for an Accept header; None if none is acceptable.

    Each offer is a media type with its aliases, in the server's order of preference. An alias matches only by its full
    name: `text/plain` must not win for `text/*`.
    """
    if accept is None or not accept.strip():
        return 0
    ranges = parse_accept(accept)
    best, best_quality = None, 0.0
    for index, names in enumerate(offered):
        quality = max([_quality(ranges, names[0]), *(ranges.get(alias, 0.0) for alias in names[1:])])
        if quality > best_quality:
            best, best_quality = index, quality
    return best


JSON = "application/json"
LINKSET = "application/linkset+json"
ATOM = "application/atom+xml"
PLAIN = "text/plain"
_NAMED = {
    name
    for names in (
        *(f.offer for f in (*RDF_FORMATS, *RESULT_FORMATS)),
        (HTML, XHTML, JSON, LINKSET, PLAIN, PROBLEM_JSON),
    )
    for name in names
    if "/" in name
}
_SEEN = frozenset({*_NAMED, "*/*", *(f"{name.partition('/')[0]}/*" for name in _NAMED)})
