"""Decisions for the rows of a table: made by the matcher, changed by a person, written as a table and as links."""

from __future__ import annotations

import difflib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal as OneOf
from urllib.parse import quote

from kg.linking import linkset
from kg.linking.linkset import RELATIONS, Link, Relation, Target
from kg.linking.matching import Candidate, Matcher
from kg.tables.rows import TableError
from kg.tables.table import Table

By = OneOf["machine", "person", ""]
COLUMNS = ("kg_uri", "kg_label", "kg_score", "kg_match", "kg_by", "kg_reason", "kg_candidates")
_BLANK = re.compile(r"\{([^{}]*)\}")
# The form is the first of the features, after the quoted text, which may contain anything.
_FORM = re.compile(r"” \(form=([\w-]+)[;)](?!.*” \(form=)")
_MAX_LISTED = 3


@dataclass(frozen=True, slots=True)
class MatchSetup:
    """How a table is matched: the column of names, the class, and the columns that hold properties.

    `subject` gives the IRI of a row: a column, or a template over columns such as `https://example.org/id/{code}`.
    """

    name: int
    kind: str = ""
    properties: tuple[tuple[int, str], ...] = ()
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision for a row, made by the matcher where it is certain, or by a person; `relation` is '' without a link.

    Only a person says that a row is close to a record or a part of it.
    `listed` has the best candidates as text, for the output table.
    """

    iri: str = ""
    relation: Relation | OneOf[""] = ""
    by: By = ""
    score: float = 0.0
    reason: str = ""
    listed: str = ""

    @property
    def state(self) -> str:
        """`exact`, `close` or `part` for a link, `review` if a person should decide, `none` without a candidate."""
        if self.relation:
            return self.relation
        return "none" if self.by == "person" or not self.listed else "review"


def column(table: Table, asked: str) -> int:
    """The index of a column given by name, or by number from 1; raises `TableError` with the nearest name."""
    found = [n for n, name in enumerate(table.columns) if name.strip() == asked.strip()]
    if len(found) == 1:
        return found[0]
    if found:
        numbers = ", ".join(str(n + 1) for n in found)
        raise TableError("same-columns", numbers=numbers, name=asked[:100])
    if asked.isascii() and asked.isdigit() and 1 <= int(asked[:9]) <= len(table.columns):
        return int(asked) - 1
    known = ", ".join(f"'{name}'" for name in table.columns[:20])
    if near := difflib.get_close_matches(asked, table.columns, n=1):
        raise TableError("near-column", name=asked[:100], near=near[0], known=known)
    raise TableError("no-column", name=asked[:100], known=known)


def name_and_properties(row: Sequence[str], setup: MatchSetup) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The name in a row and its non-empty properties."""
    properties = tuple((name, row[n].strip()) for n, name in setup.properties if row[n].strip())
    return row[setup.name].strip(), properties


def candidates(matcher: Matcher, row: Sequence[str], setup: MatchSetup, limit: int = 5) -> Sequence[Candidate]:
    """The candidates for a row; none for an empty name without properties."""
    name, properties = name_and_properties(row, setup)
    if not name and not properties:
        return ()
    return matcher.match(name, kinds=(setup.kind,) if setup.kind else (), properties=properties, limit=limit)


def decide(found: Sequence[Candidate], label: Callable[[str], str]) -> Decision:
    """The matcher's decision: a link only if exactly one candidate is a match."""
    matches = [c for c in found if c.match]
    listed = " | ".join(f"{c.iri} {label(c.iri)} ({c.score:g})" for c in found[:_MAX_LISTED])
    if len(matches) == 1:
        return Decision(matches[0].iri, "exact", "machine", matches[0].score, reason(matches[0]), listed)
    best = found[0] if found else None
    return Decision(score=best.score, reason=reason(best), listed=listed) if best else Decision()


def reason(candidate: Candidate) -> str:
    """Why a candidate was found, as text for a cell: the text that matched, and the features."""
    features = "; ".join(f"{f.id}={_value(f.value)}" for f in candidate.features)
    return f"“{candidate.matched}”" + (f" ({features})" if features else "")


def _value(value: float | bool | str) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def linked(table: Table, decisions: Sequence[Decision], label: Callable[[str], str]) -> Table:
    """The table with the decisions in additional columns at the end, which replace those of an earlier run."""
    kept = [n for n, name in enumerate(table.columns) if name not in COLUMNS]
    rows = [
        (*(row[n] for n in kept), *_cells(decision, label)) for row, decision in zip(table.rows, decisions, strict=True)
    ]
    return Table((*(table.columns[n] for n in kept), *COLUMNS), rows, table.for_spreadsheet)


def _cells(decision: Decision, label: Callable[[str], str]) -> tuple[str, ...]:
    name = label(decision.iri) if decision.iri else ""
    score = f"{decision.score:g}" if decision.score else ""
    listed = decision.listed if decision.state == "review" else ""
    return (decision.iri, name, score, decision.state, decision.by, decision.reason, listed)


def reviewed(table: Table, exists: Callable[[str], bool]) -> list[Decision]:
    """Reads the decisions of a person from the columns of a linked table; raises `TableError` for an invalid one."""
    at = {name: column(table, name) for name in ("kg_uri", "kg_match")}
    found = []
    for number, row in enumerate(table.rows, 1):
        iri, state = row[at["kg_uri"]].strip(), row[at["kg_match"]].strip()
        if state not in (*RELATIONS, "review", "none", ""):
            raise TableError("bad-match", row=number, column=at["kg_match"] + 1, found=state[:40])
        relation = next((known for known in RELATIONS if known == state), None)
        if relation is None:
            found.append(Decision(by="person"))
        elif linkset.is_iri(iri) and exists(iri):
            found.append(Decision(iri, relation, "person"))
        else:
            raise TableError("no-record", row=number, column=at["kg_uri"] + 1, iri=iri[:200])
    return found


def links(
    table: Table, decisions: Iterable[Decision], setup: MatchSetup, target_of: Callable[[str], Target]
) -> list[Link]:
    """The links of all linked rows; raises `TableError` if a row has no IRI, or two rows contradict each other.

    `target_of` tells what a record is, which decides the predicate.
    """
    return [
        Link(
            *(iri, decision.iri, decision.relation, decision.by == "person", target_of(decision.iri)),
            label=table.rows[number - 1][setup.name].strip(),
        )
        for number, decision, iri in linked_rows(table, decisions, setup)
        if decision.relation
    ]


def linked_rows(table: Table, decisions: Iterable[Decision], setup: MatchSetup) -> Iterator[tuple[int, Decision, str]]:
    """The linked rows by number, with their decisions and IRIs; raises `TableError` as `links` does."""
    exact: dict[str, tuple[str, int]] = {}
    subject = _subject(table, setup.subject)
    for number, (row, decision) in enumerate(zip(table.rows, decisions, strict=True), 1):
        if not decision.relation:
            continue
        iri = subject(row, number)
        if decision.relation == "exact":
            other, first = exact.setdefault(iri, (decision.iri, number))
            if other != decision.iri:
                raise TableError("two-targets", row=number, iri=iri, target=decision.iri, other=other, first=first)
        yield number, decision, iri


def check_subject(table: Table, subject: str) -> None:
    """Raises `TableError` unless `subject` is a column or a template over columns."""
    _subject(table, subject)


def _subject(table: Table, subject: str) -> Callable[[Sequence[str], int], str]:
    """Returns a function that gives the IRI of a row by its column or template."""
    if "{" not in subject:
        at = column(table, subject)
        return lambda row, number: _checked(row[at].strip(), number, at)
    blanks = {name: column(table, name) for name in _BLANK.findall(subject)}
    if not linkset.is_iri(_BLANK.sub("x", subject)):
        raise TableError("bad-template", template=subject[:200])

    def filled(row: Sequence[str], number: int) -> str:
        def value(match: re.Match[str]) -> str:
            at = blanks[match[1]]
            if not row[at].strip():
                raise TableError("no-iri", row=number, column=at + 1, template=subject)
            return quote(row[at].strip(), safe="")

        return _BLANK.sub(value, subject)

    return filled


def _checked(iri: str, number: int, at: int) -> str:
    if not linkset.is_iri(iri):
        raise TableError("bad-iri", row=number, column=at + 1, iri=iri[:200])
    return iri


def counts(decisions: Iterable[Decision]) -> Mapping[str, int]:
    """The number of rows in each state."""
    found = dict.fromkeys((*RELATIONS, "review", "none"), 0)
    for decision in decisions:
        found[decision.state] += 1
    return found


def grounds(decisions: Iterable[Decision]) -> Mapping[str, Mapping[str, int]]:
    """The number of rows in each state by the form of the name that decided, such as `legal-form` or `similar`."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for decision in decisions:
        if form := _FORM.search(decision.reason):
            found[decision.state][form[1]] += 1
    return found


def match_rows(
    matcher: Matcher, rows: Iterable[Sequence[str]], setup: MatchSetup, label: Callable[[str], str]
) -> Iterator[Decision]:
    """The matcher's decision for each row; rows with the same name and properties are matched once."""
    known: dict[tuple[str, tuple[tuple[str, str], ...]], Decision] = {}
    for row in rows:
        key = name_and_properties(row, setup)
        if key not in known:
            known[key] = decide(candidates(matcher, row, setup), label)
        yield known[key]
