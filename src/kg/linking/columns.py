"""Proposes which columns of a table hold the names, the identifiers and the owners of its rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from kg.linking.evidence import OWNED_BY
from kg.linking.review import MatchSetup
from kg.names.identifiers import Identifiers
from kg.names.name_profile import NameProfile
from kg.tables.table import Table

_SAMPLE = 200
# Words for columns of names, the most telling first, and of owners.
_NAMES = (
    "機関名",
    "法人名",
    "組織名",
    "団体名",
    "名称",
    "氏名",
    "name",
    "名",
    "機関",
    "organization",
    "label",
    "title",
)
_OWNERS = ("上位機関", "親機関", "所属機関", "設置者", "parent", "unit of", "unitof")
_NOT_NAMES = re.compile(r"[\d\s.,:/%+()\-–—〜~年月日円'’]*|https?://\S+|\S+@\S+", re.IGNORECASE)


def propose(table: Table, profile: NameProfile, labels: Mapping[str, str]) -> MatchSetup:
    """The setup that fits a table best; `labels` are properties by the words for them, in lower case."""
    cells = [[row[n].strip() for row in table.rows[:_SAMPLE] if row[n].strip()] for n in range(len(table.columns))]
    properties = dict(_identified(table, cells, profile.identifiers, labels))
    heads = [column.strip().lower() for column in table.columns]
    for at, head in enumerate(heads):
        if at not in properties and any(word in head for word in _OWNERS):
            properties[at] = OWNED_BY[0]
    names = [n for n in range(len(heads)) if n not in properties] or [0]
    # A property describes one thing, so its second column is of something else.
    first = {iri: at for at, iri in reversed(list(properties.items()))}
    kept = tuple((at, iri) for at, iri in sorted(properties.items()) if first[iri] == at)
    return MatchSetup(_names(heads, cells, names, profile), properties=kept)


def _identified(
    table: Table, cells: Sequence[Sequence[str]], identifiers: Identifiers, labels: Mapping[str, str]
) -> list[tuple[int, str]]:
    """The columns of identifiers: by their heading, or because most of their cells are valid ones of a register."""
    found = []
    by_register = {register: iri for iri, register in reversed(list(identifiers.of_properties.items()))}
    for at, column in enumerate(table.columns):
        if iri := labels.get(column.strip().lower()):
            found.append((at, iri))
            continue
        schemes = [{i.scheme for i in identifiers.read(cell)[0] if i.is_certain} for cell in cells[at]]
        for register, iri in by_register.items():
            valid = sum(register in some for some in schemes)
            if valid and valid * 10 >= len(schemes) * 6:
                found.append((at, iri))
                break
    return found


def _names(heads: Sequence[str], cells: Sequence[Sequence[str]], among: Sequence[int], profile: NameProfile) -> int:
    for word in _NAMES:
        if found := [n for n in among if word == heads[n]] or [n for n in among if word in heads[n]]:
            return found[0]

    def likely(n: int) -> tuple[float, float]:
        texts = [cell for cell in cells[n] if not _NOT_NAMES.fullmatch(cell)]
        with_form = sum(bool(profile.legal_forms.strip(cell).forms) for cell in texts)
        return (with_form / len(cells[n]), len(texts) / len(cells[n])) if cells[n] else (0.0, 0.0)

    return max(among, key=lambda n: (likely(n), -n))
