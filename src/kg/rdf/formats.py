"""The one table of media types: what is read, what is written, and by which name people ask for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pyoxigraph import QueryResultsFormat, RdfFormat


@dataclass(frozen=True, slots=True)
class Rdf:
    """An RDF syntax: `name` is the file extension and the `format=` value, `w3c_name` that of w3.org/ns/formats."""

    name: str
    media_type: str
    title: str
    syntax: RdfFormat
    w3c_name: str
    aliases: tuple[str, ...] = ()

    @property
    def has_graphs(self) -> bool:
        """Whether it is written with named graphs; JSON-LD could, but is read as one graph by most."""
        return self.syntax.supports_datasets and self.syntax != RdfFormat.JSON_LD

    @property
    def has_prefixes(self) -> bool:
        return self.syntax in (RdfFormat.TURTLE, RdfFormat.TRIG, RdfFormat.RDF_XML)

    @property
    def content_type(self) -> str:
        return f"{self.media_type}{_CHARSET.get(self.media_type.split('/')[0], '')}"


@dataclass(frozen=True, slots=True)
class Results:
    """A format for SELECT and ASK results; `style` says whether the engine writes it, or we do."""

    name: str
    media_type: str
    title: str
    syntax: QueryResultsFormat
    w3c_name: str
    aliases: tuple[str, ...] = ()
    style: Literal["engine", "spreadsheet", "lines"] = "engine"

    @property
    def content_type(self) -> str:
        return f"{self.media_type}{_CHARSET.get(self.media_type.split('/')[0], '')}"


# Only text types have the parameter; the JSON and XML types say their encoding themselves (RFC 8259, RFC 7303).
_CHARSET = {"text": "; charset=utf-8"}
RDF_FORMATS = (
    Rdf("ttl", "text/turtle", "Turtle", RdfFormat.TURTLE, "Turtle", ("turtle", "application/x-turtle")),
    Rdf("jsonld", "application/ld+json", "JSON-LD", RdfFormat.JSON_LD, "JSON-LD", ("json-ld",)),
    Rdf("nt", "application/n-triples", "N-Triples", RdfFormat.N_TRIPLES, "N-Triples", ("ntriples", "text/plain")),
    Rdf(
        "rdf", "application/rdf+xml", "RDF/XML", RdfFormat.RDF_XML, "RDF_XML", ("rdfxml", "application/xml", "text/xml")
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
    # By name only: with a byte-order mark, and no cell that a spreadsheet would run as a formula.
    Results("excel", "text/csv", "CSV (Excel)", QueryResultsFormat.CSV, "SPARQL_Results_CSV", style="spreadsheet"),
    # One JSON object per row, numbers as numbers and every column in each: what DuckDB and pandas turn into Parquet.
    Results("jsonl", "application/x-ndjson", "JSON Lines", QueryResultsFormat.JSON, "", style="lines"),
)
# Of a name that two have, the first counts.
_RDF_BY_NAME = {name: f for f in reversed(RDF_FORMATS) for name in (f.name, f.media_type, *f.aliases)}
_RESULTS_BY_NAME = {name: f for f in reversed(RESULT_FORMATS) for name in (f.name, f.media_type, *f.aliases)}
_XSD = "http://www.w3.org/2001/XMLSchema#"
NUMERIC = frozenset(_XSD + name for name in ("integer", "decimal", "double", "float", "nonNegativeInteger"))
HTML = "text/html"
XHTML = "application/xhtml+xml"
PROBLEM_JSON = "application/problem+json"


def rdf_format(name: str) -> Rdf | None:
    """The RDF format of that name, extension or media type."""
    return _RDF_BY_NAME.get(name.lower())


def result_format(name: str) -> Results | None:
    """The results format of that name, extension or media type."""
    return _RESULTS_BY_NAME.get(name.lower())


# The end of an IRI that RDF/XML can write as an element name (RDF 1.1 XML Syntax, 6.1.4; Namespaces in XML, NCName).
_ELEMENT_NAME = re.compile(r"[^\W\d][\w.\-]*\Z")
# What no XML 1.0 document may hold, as UTF-8.
_NOT_XML = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]|&#(?:x[01]?[0-8b-fB-F]|x1[0-9a-fA-F]);")


def not_in_rdf_xml(predicates: Iterable[str]) -> str:
    """The first of these property IRIs that RDF/XML cannot write, '' when it can write all."""
    return next((p for p in predicates if not _ELEMENT_NAME.search(p)), "")


def is_xml(document: bytes) -> bool:
    """Whether a document that is well-formed otherwise holds only characters that XML 1.0 allows."""
    return _NOT_XML.search(document) is None


# A list element of RFC 9110, 5.6.1: commas and semicolons inside quoted strings do not divide.
_ELEMENT = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_PARAMETER = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*")+')
_MOST_RANGES = 100


def parse_accept(header: str) -> dict[str, float]:
    """The media ranges of an Accept header with their q; of one named twice the first counts (RFC 9110, 12.5.1).

    Ranges that cannot be read are passed over, as a lenient server should; parameters other than q do not narrow.
    """
    ranges: dict[str, float] = {}
    for part in _ELEMENT.findall(header)[:_MOST_RANGES]:
        media, *parameters = (p.strip() for p in _PARAMETER.findall(part) or [""])
        if "/" in media:
            ranges.setdefault(media.lower(), weight(parameters))
    return ranges


def weight(parameters: Iterable[str]) -> float:
    """The q among the parameters of a list element; 0 for one that cannot be read (RFC 9110, 12.4.2)."""
    for parameter in parameters:
        key, _, written = parameter.partition("=")
        if key.strip().lower() == "q":
            written = written.strip()
            return min(float(written), 1.0) if _QVALUE.fullmatch(written) else 0.0
    return 1.0


_QVALUE = re.compile(r"\d(?:\.\d*)?|\.\d+", re.ASCII)


def accept_key(header: str | None) -> frozenset[tuple[str, float]] | None:
    """All that negotiation can see of an Accept header: equal keys get equal answers."""
    if header is None or not header.strip():
        return None
    return frozenset((r, q) for r, q in parse_accept(header).items() if r in _SEEN)


def _quality(ranges: Mapping[str, float], media_type: str) -> float:
    """The q of the most specific range that matches."""
    main = media_type.partition("/")[0]
    return next((ranges[r] for r in (media_type, f"{main}/*", "*/*") if r in ranges), 0.0)


def negotiate(accept: str | None, offered: Sequence[tuple[str, ...]]) -> int | None:
    """The index of the best offer for an Accept header, None when nothing is acceptable.

    Each offer is a media type with its aliases; the server's preference is the order of the offers. An alias counts
    only when it is named: `text/plain` must not win for `text/*`.
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
        *((f.media_type, *f.aliases) for f in (*RDF_FORMATS, *RESULT_FORMATS)),
        (HTML, XHTML, JSON, LINKSET, PLAIN, PROBLEM_JSON),
    )
    for name in names
    if "/" in name
}
_SEEN = frozenset({*_NAMED, "*/*", *(f"{name.partition('/')[0]}/*" for name in _NAMED)})
