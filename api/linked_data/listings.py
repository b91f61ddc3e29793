"""The records of a class as a reader looks for them: by name, date or amount, with what tells them apart.

A project says so for a class in a query `queries/lists/{class}.rq`. Its column `record` is the record; a column
`reading` puts the rows in the order of names, else they come as the query orders them; all other columns are shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pyoxigraph import Literal, QuerySolutions

from api.html.view import View
from api.i18n import collation
from kg.rdf.terms import AnyTerm, value
from kg.release.entities import NAMES
from kg.sparql import library

RECORD, READING = "record", "reading"
_READING_LANGUAGE = "ja-hrkt"
_KANJI = re.compile(r"[\u3400-\u9fff]")
# Longer lists stay in the order of their paths, since names would have to be read for all of them.
_MOST_ORDERED = 5_000


@dataclass(frozen=True, slots=True)
class RecordDetail:
    """What stands beside a name in a list: a column of the query, its values, and their unit."""

    column: str
    values: tuple[AnyTerm, ...]
    unit: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Paths of records in the order of the reader, and the details of each that has any."""

    paths: list[str]
    details: dict[str, list[RecordDetail]]


def ordered(view: View, name: str, paths: Sequence[str]) -> Listing:
    """The records of a class in the reader's order; those that its query leaves out come last, by name."""
    if len(paths) > _MOST_ORDERED:
        return Listing(list(paths), {})
    root = view.site.entities.root
    view.site.entities.expect(root + path for path in paths)
    query = view.site.lists.get(name)
    columns, rows = _rows(view, query.text) if query else ([], [])
    places: dict[str, int] = {}
    readings: dict[str, str] = {}
    details: dict[str, dict[str, dict[AnyTerm, None]]] = {}
    for place, row in enumerate(rows):
        cells = dict(zip(columns, row, strict=True))
        path = value(cells.pop(RECORD) or Literal("")).removeprefix(root)
        places.setdefault(path, place)
        if reading := cells.pop(READING, None):
            readings.setdefault(path, value(reading))
        for column, cell in cells.items():
            if cell is not None:
                details.setdefault(path, {}).setdefault(column, {})[cell] = None
    is_by_name = READING in columns
    last = len(rows)

    def key(path: str) -> tuple[int, collation.Key]:
        return 0 if is_by_name else places.get(path, last), _of_name(view, root + path, readings.get(path, ""))

    units = query.units if query else {}
    shown = {
        path: [RecordDetail(column, tuple(cells), units.get(column, "")) for column, cells in columns_.items()]
        for path, columns_ in details.items()
    }
    return Listing(sorted(paths, key=key), shown)


def _rows(view: View, text: str) -> tuple[list[str], list[list[AnyTerm | None]]]:
    filled = library.fill(text, {"language": Literal(view.language)})
    result = view.site.release.store.query(filled, prefixes=dict(view.site.prefixes))
    assert isinstance(result, QuerySolutions)
    return [v.value for v in result.variables], [list(solution) for solution in result]


def _of_name(view: View, iri: str, reading: str) -> collation.Key:
    name = view.plain(iri)
    if view.language != "ja":
        return collation.natural(reading or name)
    # A name in letters or kana stands under what is written, such as an abbreviation under its first letter.
    has_kanji = _KANJI.search(name) is not None
    return collation.syllabic(name, (reading or _reading(view, iri)) if has_kanji else "")


def _reading(view: View, iri: str) -> str:
    """The longest of the readings, since that of a short name is one, too."""
    names = (v for p in NAMES for v in view.site.entities.values(iri, p) if isinstance(v, Literal))
    return max((v.value for v in names if v.language == _READING_LANGUAGE), key=len, default="")
