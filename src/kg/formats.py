"""The one table of media types: what is read, what is written, and by which name people ask for it."""

from __future__ import annotations

from dataclasses import dataclass

from pyoxigraph import QueryResultsFormat, RdfFormat


@dataclass(frozen=True, slots=True)
class Rdf:
    """An RDF syntax: `name` is both the file extension and the `format=` value."""

    name: str
    media_type: str
    title: str
    syntax: RdfFormat
    aliases: tuple[str, ...] = ()

    @property
    def content_type(self) -> str:
        return f"{self.media_type}; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Results:
    """A format for SELECT and ASK results."""

    name: str
    media_type: str
    title: str
    syntax: QueryResultsFormat
    aliases: tuple[str, ...] = ()

    @property
    def content_type(self) -> str:
        return f"{self.media_type}; charset=utf-8"


RDF_FORMATS = (
    Rdf("ttl", "text/turtle", "Turtle", RdfFormat.TURTLE, ("turtle", "application/x-turtle")),
    Rdf("jsonld", "application/ld+json", "JSON-LD", RdfFormat.JSON_LD, ("json-ld",)),
    Rdf("nt", "application/n-triples", "N-Triples", RdfFormat.N_TRIPLES, ("ntriples", "text/plain")),
    Rdf("rdf", "application/rdf+xml", "RDF/XML", RdfFormat.RDF_XML, ("rdfxml", "application/xml", "text/xml")),
    Rdf("trig", "application/trig", "TriG", RdfFormat.TRIG, ("application/x-trig",)),
    Rdf("nq", "application/n-quads", "N-Quads", RdfFormat.N_QUADS, ("nquads",)),
)
RESULT_FORMATS = (
    Results("json", "application/sparql-results+json", "JSON", QueryResultsFormat.JSON, ("application/json",)),
    Results(
        "xml",
        "application/sparql-results+xml",
        "XML",
        QueryResultsFormat.XML,
        ("application/xml", "text/xml"),
    ),
    Results("csv", "text/csv", "CSV", QueryResultsFormat.CSV),
    Results("tsv", "text/tab-separated-values", "TSV", QueryResultsFormat.TSV),
)
HTML = "text/html"
PROBLEM_JSON = "application/problem+json"


def rdf_format(name: str) -> Rdf | None:
    """The RDF format of that name, extension or media type."""
    name = name.lower()
    return next((f for f in RDF_FORMATS if name in (f.name, f.media_type, *f.aliases)), None)


def result_format(name: str) -> Results | None:
    """The results format of that name, extension or media type."""
    name = name.lower()
    return next((f for f in RESULT_FORMATS if name in (f.name, f.media_type, *f.aliases)), None)


def parse_accept(header: str) -> list[tuple[str, float]]:
    """The media ranges of an Accept header with their q, most wanted first (RFC 9110, 12.5.1).

    Ranges that cannot be read are passed over, as a lenient server should.
    """
    ranges: list[tuple[str, float]] = []
    for part in header.split(","):
        media, *params = (p.strip() for p in part.split(";"))
        if "/" not in media:
            continue
        quality = 1.0
        for param in params:
            key, _, value = param.partition("=")
            if key.strip().lower() == "q":
                try:
                    quality = min(max(float(value), 0.0), 1.0)
                except ValueError:
                    quality = 0.0
        ranges.append((media.lower(), quality))
    return ranges


def _quality(ranges: list[tuple[str, float]], media_type: str) -> float:
    """The q of the most specific range that matches."""
    main = media_type.split("/")[0]
    by_range = dict(reversed(ranges))
    for candidate in (media_type, f"{main}/*", "*/*"):
        if candidate in by_range:
            return by_range[candidate]
    return 0.0


def negotiate(accept: str | None, offered: list[tuple[str, ...]]) -> int | None:
    """The index of the best offer for an Accept header, None when nothing is acceptable.

    Each offer is a media type with its aliases; the server's preference is the order of the offers.
    """
    if accept is None or not accept.strip():
        return 0
    ranges = parse_accept(accept)
    best, best_quality = None, 0.0
    for index, names in enumerate(offered):
        # An alias counts only when it is named: `text/plain` must not win for `text/*`.
        named = dict(ranges)
        quality = max([_quality(ranges, names[0]), *(named.get(alias, 0.0) for alias in names[1:])])
        if quality > best_quality:
            best, best_quality = index, quality
    return best
