"""What a receipt vouches for, as an address and back: `receipt?query=budgets&row=…&release=…`.

A claim is about a fact (subject, predicate, object), or about the answer to a stored query (`query` and its
parameters) or to any query (`sparql`): about one row, by its digest, or about the whole result. `release` is the one
that it was made from, and `evidence` the kinds of evidence that it is limited to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode, urlsplit

from pyoxigraph import Literal, NamedNode, RdfFormat, Triple, parse

from kg.errors import KgError
from kg.rdf import iris
from kg.rdf.context import Context
from kg.rdf.terms import Term

PATH = "receipt"
# Parameters of an address that belong to the page and not to what it vouches for.
PRESENTATION = ("lang", "format", "remember", "embed")
_RESERVED = ("query", "sparql", "row", "result", "release", "evidence", *PRESENTATION)
# Before a parameter of a query that has one of these names; a variable of SPARQL has no hyphen.
_OF_QUERY = "q-"
_DIGEST = re.compile(r"[0-9a-f]{16}")
_FACT = ("subject", "predicate", "object")


class NoReceipt(KgError):
    """An address that is no receipt."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What is vouched for: a fact, or a row (by digest) or the result (by digest) of a query.

    `query` names a stored query with `values`, `sparql` is the text of any other; a fact has `triple`.
    """

    triple: Triple | None = None
    query: str = ""
    values: tuple[tuple[str, str], ...] = ()
    sparql: str = ""
    row: str = ""
    result: str = ""
    release: str = ""
    evidence: str = ""

    @property
    def address(self) -> str:
        """The address below that of the site, without a slash at the beginning."""
        pairs: list[tuple[str, str]] = []
        if self.triple:
            pairs = list(zip(_FACT, map(_written, self.triple), strict=True))
        elif self.query:
            named = ((_OF_QUERY + k if k in _RESERVED else k, v) for k, v in self.values)
            pairs = [("query", self.query), *named]
        else:
            pairs = [("sparql", self.sparql)]
        rest = (("row", self.row), ("result", self.result), ("evidence", self.evidence), ("release", self.release))
        return f"{PATH}?{urlencode([*pairs, *((k, v) for k, v in rest if v)])}"

    def of_row(self, digest: str) -> Claim:
        """Return the claim about one row of the same query."""
        return replace(self, row=digest, result="")


def of_fact(subject: str, predicate: str, target: Term, release: str = "", evidence: str = "") -> Claim:
    """Return the claim that a triple is in the graph."""
    return Claim(Triple(NamedNode(subject), NamedNode(predicate), target), release=release, evidence=evidence)


def of_query(name: str, values: Mapping[str, str], release: str = "", *, row: str = "", result: str = "") -> Claim:
    """Return the claim about the answer of a stored query, or about one row of it; digests are of `digests`."""
    return Claim(query=name, values=tuple(values.items()), release=release, row=row, result=result)


def of_sparql(text: str, release: str = "", *, row: str = "", result: str = "") -> Claim:
    """Return the claim about the answer of a query, or about one row of it."""
    return Claim(sparql=text, release=release, row=row, result=result)


def read(address: str, context: Context) -> Claim:
    """Return the claim of an address, or of its query string; raises `NoReceipt`."""
    query = urlsplit(address).query if "://" in address or address.startswith(("/", PATH + "?")) else address
    return of_pairs(parse_qsl(query.removeprefix("?"), keep_blank_values=True), context)


def of_pairs(pairs: Iterable[tuple[str, str]], context: Context) -> Claim:
    """Return the claim of the parameters of an address; raises `NoReceipt`."""
    given = [(k, v) for k, v in pairs if k not in PRESENTATION]
    known = dict(given)
    for name in ("row", "result"):
        if known.get(name) and not _DIGEST.fullmatch(known[name]):
            raise NoReceipt(f"{name}: expected a digest of 16 hexadecimal digits, not '{known[name][:40]}'")
    row, result, release, evidence = (known.get(name, "") for name in ("row", "result", "release", "evidence"))
    if stored := known.get("query"):
        values = tuple((k.removeprefix(_OF_QUERY), v) for k, v in given if k not in _RESERVED)
        return Claim(None, stored, values, "", row, result, release, evidence)
    if text := known.get("sparql"):
        return Claim(None, "", (), text, row, result, release, evidence)
    if missing := [name for name in _FACT if not known.get(name)]:
        raise NoReceipt(
            "this is no receipt: expected query=NAME, sparql=TEXT, or subject, predicate and object"
            + (f" ({', '.join(missing)} missing)" if len(missing) < len(_FACT) else "")
        )
    triple = Triple(
        _named("subject", known["subject"], context),
        _named("predicate", known["predicate"], context),
        _term(known["object"], context),
    )
    return Claim(triple, release=release, evidence=evidence)


def _written(term: object) -> str:
    return term.value if isinstance(term, NamedNode) else str(term)


def _named(name: str, written: str, context: Context) -> NamedNode:
    iri = iris.RDF_TYPE if written == "a" else context.expand(written.removeprefix("<").removesuffix(">"))
    if iris.ILLEGAL_IN_IRI.search(iri) or ":" not in iri:
        raise NoReceipt(f"{name}: expected an IRI or class:slug, not '{written[:80]}'")
    return NamedNode(iri)


def _term(written: str, context: Context) -> Term:
    if not written.startswith('"'):
        return _named("object", written, context)
    try:
        (quad,) = parse(f"<x:s> <x:p> {written} .", format=RdfFormat.N_TRIPLES)
    except (SyntaxError, ValueError):
        quad = None
    if quad is None or not isinstance(quad.object, Literal):
        raise NoReceipt(f"object: expected a literal in N-Triples syntax, not '{written[:80]}'")
    return quad.object
