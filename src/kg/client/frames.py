"""Results as data frames: whole numbers, fractions, truth values and days have columns of those types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kg.rdf.datatypes import XSD

if TYPE_CHECKING:
    import pandas

_WHOLE = frozenset(XSD + n for n in ("integer", "int", "long", "short", "nonNegativeInteger", "positiveInteger"))
_FRACTIONS = frozenset(XSD + n for n in ("decimal", "double", "float"))
# The type of a column whose values are all of one kind; `None` for text.
_TYPES = {"whole": "Int64", "fraction": "Float64", "truth": "boolean", "day": "datetime64[s]"}


def of_results(document: Mapping[str, Any]) -> pandas.DataFrame:
    """A frame of SPARQL 1.1 Query Results JSON; what is unbound is missing."""
    import pandas

    columns: Sequence[str] = document["head"]["vars"]
    rows = document["results"]["bindings"]
    made = {}
    for name in columns:
        terms = [row.get(name) for row in rows]
        kinds = {_kind(term) for term in terms if term is not None}
        # A year or a month alone stays text: it is not its first day.
        kind = "fraction" if kinds == {"whole", "fraction"} else kinds.pop() if len(kinds) == 1 else "text"
        values = [None if term is None else _value(term, kind) for term in terms]
        made[name] = pandas.Series(values, dtype=_TYPES.get(kind, "str"))
    return pandas.DataFrame(made, columns=list(columns))


def _kind(term: Mapping[str, Any]) -> str:
    datatype = term.get("datatype", "")
    if datatype in _WHOLE or (datatype in _FRACTIONS and _is_whole(term["value"])):
        return "whole"
    if datatype in _FRACTIONS:
        return "fraction"
    return {XSD + "boolean": "truth", XSD + "date": "day"}.get(datatype, "text")


def _is_whole(written: str) -> bool:
    return written.lstrip("+-").isdigit()


def _value(term: Mapping[str, Any], kind: str) -> Any:
    written: str = term["value"]
    if kind == "whole":
        return int(written)
    if kind == "fraction":
        return float(written)
    return written == "true" if kind == "truth" else written
