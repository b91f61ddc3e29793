"""The link desk: the rows of a table, what the matcher finds for each, what was decided, and what comes of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal as OneOf
from urllib.parse import quote

from kg.errors import KgError, nearest
from kg.linking import linkset
from kg.linking.linkset import Link, Relation
from kg.linking.matching import Candidate, Matcher
from kg.tables.rows import TableError
from kg.tables.table import Table

By = OneOf["machine", "person", ""]
COLUMNS = ("kg_uri", "kg_label", "kg_score", "kg_match", "kg_by", "kg_reason", "kg_candidates")
_BLANK = re.compile(r"\{([^{}]*)\}")
_MOST_TOLD = 3


@dataclass(frozen=True, slots=True)
class MatchSetup:
    """What of a table is matched: the column of names, the kind, and columns that hold properties (`kg:…`).

    `subject` is a column with IRIs, or a template such as `https://example.go.jp/id/{code}` over columns.
    """

    name: int
    kind: str = ""
    properties: tuple[tuple[int, str], ...] = ()
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a row is linked to: by the machine where it is safe, by a person, or by nobody yet (`relation` is '').

    `told` are the candidates as text, for the reader of the table; `refused` when a person said that none fits.
    """

    iri: str = ""
    relation: Relation | OneOf[""] = ""
    by: By = ""
    score: float = 0.0
    reason: str = ""
    told: str = ""

    @property
    def state(self) -> str:
        """`exact` or `close` for a link, `review` where a person should look, `none` where there is nothing."""
        if self.relation:
            return self.relation
        return "none" if self.by == "person" or not self.told else "review"


def column(table: Table, asked: str) -> int:
    """The index of a column by its name, or by its number from 1; raises `KgError` with the nearest name."""
    found = [n for n, name in enumerate(table.columns) if name.strip() == asked.strip()]
    if len(found) == 1:
        return found[0]
    if found:
        numbers = ", ".join(str(n + 1) for n in found)
        raise KgError(f"the columns {numbers} are all called '{asked}'; say the number of the one that is meant")
    if asked.isascii() and asked.isdigit() and 1 <= int(asked[:9]) <= len(table.columns):
        return int(asked) - 1
    known = ", ".join(f"'{name}'" for name in table.columns[:20])
    raise KgError(f"no column '{asked}'{nearest(asked, table.columns)}; there are {known}")


def asked(row: Sequence[str], choice: MatchSetup) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The name in a row and the properties beside it, without what is empty."""
    properties = tuple((name, row[n].strip()) for n, name in choice.properties if row[n].strip())
    return row[choice.name].strip(), properties


def candidates(matcher: Matcher, row: Sequence[str], choice: MatchSetup, limit: int = 5) -> Sequence[Candidate]:
    """What the matcher finds for a row; nothing for an empty name without properties."""
    name, properties = asked(row, choice)
    if not name and not properties:
        return ()
    return matcher.match(name, kinds=(choice.kind,) if choice.kind else (), properties=properties, limit=limit)


def decide(found: Sequence[Candidate], label: Callable[[str], str]) -> Decision:
    """The machine's decision: a link only where exactly one candidate is safe."""
    safe = [c for c in found if c.match]
    told = " | ".join(f"{c.iri} {label(c.iri)} ({c.score:g})" for c in found[:_MOST_TOLD])
    if len(safe) == 1:
        return Decision(safe[0].iri, "exact", "machine", safe[0].score, reason(safe[0]), told)
    best = found[0] if found else None
    return Decision(score=best.score, reason=reason(best), told=told) if best else Decision()


def reason(candidate: Candidate) -> str:
    """Why a candidate was found, for a cell: the text of ours that matched, and the features."""
    features = "; ".join(f"{f.id}={_value(f.value)}" for f in candidate.features)
    return f"“{candidate.matched}”" + (f" ({features})" if features else "")


def _value(value: float | bool | str) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def linked(table: Table, decisions: Sequence[Decision], label: Callable[[str], str]) -> Table:
    """The table with what was decided, in columns of ours at its end; those of an earlier run are replaced."""
    kept = [n for n, name in enumerate(table.columns) if name not in COLUMNS]
    rows = [
        (*(row[n] for n in kept), *_cells(decision, label)) for row, decision in zip(table.rows, decisions, strict=True)
    ]
    return Table((*(table.columns[n] for n in kept), *COLUMNS), rows, table.for_spreadsheet)


def _cells(decision: Decision, label: Callable[[str], str]) -> tuple[str, ...]:
    name = label(decision.iri) if decision.iri else ""
    score = f"{decision.score:g}" if decision.score else ""
    told = decision.told if decision.state == "review" else ""
    return (decision.iri, name, score, decision.state, decision.by, decision.reason, told)


def reviewed(table: Table, exists: Callable[[str], bool]) -> list[Decision]:
    """The decisions of a person, read from our columns of a linked table; raises `TableError` where one is wrong."""
    at = {name: column(table, name) for name in ("kg_uri", "kg_match")}
    found = []
    for number, row in enumerate(table.rows, 1):
        iri, state = row[at["kg_uri"]].strip(), row[at["kg_match"]].strip()
        if state not in ("exact", "close", "review", "none", ""):
            raise TableError("bad-match", row=number, column=at["kg_match"] + 1, found=state[:40])
        if state not in ("exact", "close"):
            found.append(Decision(by="person"))
        elif exists(iri):
            found.append(Decision(iri, "exact" if state == "exact" else "close", "person"))
        else:
            raise TableError("no-record", row=number, column=at["kg_uri"] + 1, iri=iri[:200])
    return found


def links(table: Table, decisions: Iterable[Decision], choice: MatchSetup) -> list[Link]:
    """The links of all rows that have one; raises `TableError` where a row has no IRI, or two rows contradict."""
    made: list[Link] = []
    exact: dict[str, tuple[str, int]] = {}
    subject = _subject(table, choice.subject)
    for number, (row, decision) in enumerate(zip(table.rows, decisions, strict=True), 1):
        if not decision.relation:
            continue
        iri = subject(row, number)
        if decision.relation == "exact":
            other, first = exact.setdefault(iri, (decision.iri, number))
            if other != decision.iri:
                raise TableError("two-targets", row=number, iri=iri, target=decision.iri, other=other, first=first)
        made.append(Link(iri, decision.iri, decision.relation, decision.by == "person"))
    return made


def check_subject(table: Table, subject: str) -> None:
    """Raises `KgError` when this is neither a column nor a template over columns."""
    _subject(table, subject)


def _subject(table: Table, subject: str) -> Callable[[Sequence[str], int], str]:
    """The IRI of a row by its column or template."""
    if "{" not in subject:
        at = column(table, subject)
        return lambda row, number: _checked(row[at].strip(), number, at)
    blanks = {name: column(table, name) for name in _BLANK.findall(subject)}
    if not linkset.is_iri(_BLANK.sub("x", subject)):
        raise KgError(f"the template makes no IRI: '{subject}'; expected one such as https://example.go.jp/id/{{code}}")

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
    """How many rows are in each state."""
    found = dict.fromkeys(("exact", "close", "review", "none"), 0)
    for decision in decisions:
        found[decision.state] += 1
    return found


def match_rows(
    matcher: Matcher, rows: Iterable[Sequence[str]], choice: MatchSetup, label: Callable[[str], str]
) -> Iterator[Decision]:
    """The machine's decision for each row; rows that ask the same are matched once."""
    known: dict[tuple[str, tuple[tuple[str, str], ...]], Decision] = {}
    for row in rows:
        key = asked(row, choice)
        if key not in known:
            known[key] = decide(candidates(matcher, row, choice), label)
        yield known[key]
