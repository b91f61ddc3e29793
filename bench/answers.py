"""Compares the answers of two servers: solutions as multisets, graphs as sets of triples, files byte by byte."""

from __future__ import annotations

import http.client
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatch
from typing import Any

from pyoxigraph import RdfFormat, parse
from workloads import Form

# Virtuoso answers ASK with a table of one column, which has a row if the answer is true.
_ASK_COLUMN = "__ASK_RETVAL"
_XSD = "http://www.w3.org/2001/XMLSchema#"
_NUMERIC = frozenset(
    _XSD + name for name in ("integer", "decimal", "double", "float", "int", "long", "nonNegativeInteger")
)


_MONTHS = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?")


class Differs(Exception):
    """A peer's answer differs or is invalid."""


class Unanswered(Differs):
    """A peer did not answer in time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete response."""

    status: int
    media_type: str
    body: bytes
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """A known difference between an engine and the standard or our server, and how it is treated.

    `peer` and `case` are patterns of names. `left out`: the case is not measured on that peer. `values`: numbers,
    booleans and durations of months are compared by value, however they are written, and a table for ASK is taken.
    """

    peer: str
    case: str
    treatment: str
    reason: str


# All known differences with their reasons; no other case is left out.
DIFFERENCES = (
    Difference("fuseki", "*", "values", "TDB2 keeps small decimals as numbers and writes `800000000` as `800000000.0`"),
    Difference(
        "virtuoso",
        "library-graphs*",
        "left out",
        "the merged triples are a named graph there, which `GRAPH ?g` shows as one more",
    ),
    Difference(
        "virtuoso",
        "*",
        "values",
        "ASK is answered with a table, `true` is written `1`, `P3Y` is written `36`, sums change their datatype",
    ),
)


def known(differences: Iterable[Difference], peer: str, case: str) -> Difference | None:
    """The first known difference of a peer in a case."""
    return next((d for d in differences if fnmatch(peer, d.peer) and fnmatch(case, d.case)), None)


def fetch(url: str, target: str, accept: str, body: str = "", *, tag: str = "", patience: float = 120.0) -> Answer:
    """Sends one request; raises `Unanswered` on timeout and `Differs` if the connection breaks."""
    host, _, port = url.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=patience)
    fields = {"Accept": accept, "Accept-Encoding": "identity"} | ({"If-None-Match": tag} if tag else {})
    if body:
        fields["Content-Type"] = "application/x-www-form-urlencoded"
    try:
        connection.request("POST" if body else "GET", target, body or None, fields)
        answer = connection.getresponse()
        content_type = (answer.getheader("Content-Type") or "").partition(";")[0].strip()
        return Answer(answer.status, content_type, answer.read(), answer.getheader("ETag") or "")
    except TimeoutError as error:
        raise Unanswered(f"no answer in {patience:.0f} s") from error
    except (OSError, http.client.HTTPException) as error:
        raise Differs(f"{target[:200]}: no answer: {type(error).__name__}: {error}") from error
    finally:
        connection.close()


def content(answer: Answer, form: Form, *, by_value: bool = False) -> Any:
    """The content of a response in a comparable form; raises `Differs` for an invalid response."""
    if answer.status != 200:
        raise Differs(f"status {answer.status}: {answer.body[:300]!r}")
    try:
        if form in ("solutions", "rows"):
            found = solutions(answer.body, by_value=by_value)
            return sum(found.values()) if form == "rows" else found
        if answer.media_type in ("application/n-triples", "text/turtle"):
            return triples(answer)
    except (ValueError, KeyError, SyntaxError) as error:
        raise Differs(f"not readable as {answer.media_type}: {error}: {answer.body[:300]!r}") from error
    if form == "graph":
        raise Differs(f"no graph but {answer.media_type}: {answer.body[:300]!r}")
    return answer.body


def solutions(body: bytes, *, by_value: bool = False) -> Counter[Any]:
    """SPARQL 1.1 JSON results as a multiset of solutions, independent of the order of rows and variables."""
    document = json.loads(body)
    if "boolean" in document:
        return Counter([document["boolean"]])
    if by_value and document["head"]["vars"] == [_ASK_COLUMN]:
        return Counter([bool(document["results"]["bindings"])])
    return Counter(
        tuple(sorted((name, _term(term, by_value)) for name, term in row.items()))
        for row in document["results"]["bindings"]
    )


def _term(term: dict[str, str], by_value: bool) -> tuple[str, ...]:
    kind = "literal" if term["type"] == "typed-literal" else term["type"]
    datatype, text = term.get("datatype", ""), term["value"]
    if datatype == _XSD + "string":
        datatype = ""
    if by_value and datatype == _XSD + "duration" and (match := _MONTHS.fullmatch(text)):
        text = str(12 * int(match[1] or 0) + int(match[2] or 0))
    if by_value and datatype == _XSD + "boolean":
        text = {"1": "true", "0": "false"}.get(text, text)
    if by_value and datatype in _NUMERIC:
        try:
            text, datatype = str(Decimal(text).normalize()), "number"
        except InvalidOperation as error:
            raise ValueError(f"no number: {text}") from error
    return (kind, text, datatype, term.get("xml:lang", "").lower())


def triples(answer: Answer) -> frozenset[str]:
    syntax = RdfFormat.from_media_type(answer.media_type)
    return frozenset(str(quad.triple) for quad in parse(answer.body, format=syntax))


def compare(ours: Any, theirs: Any, *, is_part: bool = False) -> None:
    """Raises `Differs` with the first difference; with `is_part`, theirs may be a subset."""
    if isinstance(ours, frozenset) and isinstance(theirs, frozenset):
        missing, more = frozenset() if is_part else ours - theirs, theirs - ours
    elif isinstance(ours, Counter) and isinstance(theirs, Counter):
        missing, more = frozenset((ours - theirs).elements()), frozenset((theirs - ours).elements())
    elif ours == theirs:
        return
    else:
        raise Differs(f"{str(theirs)[:300]} instead of {str(ours)[:300]}")
    if missing or more:
        shown = [
            f"{len(part)} {name}, such as {sorted(part, key=str)[0]}"
            for name, part in (("missing", missing), ("more", more))
            if part
        ]
        raise Differs("; ".join(shown)[:1500])
    if is_part and not theirs:
        raise Differs("nothing is said")
