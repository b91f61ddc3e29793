"""Whether a claim holds: of an answer that a query gave, or of a fact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kg.rdf.terms import AnyTerm
from kg.receipts import digests
from kg.receipts.claims import Claim


@dataclass(frozen=True, slots=True)
class AnswerCheck:
    """Whether an answer has what a claim says; `row` is the row that is claimed, `digest` that of the whole answer."""

    holds: bool
    digest: str
    row: tuple[AnyTerm | None, ...] = ()


def of_rows(claim: Claim, columns: Sequence[str], rows: Sequence[Sequence[AnyTerm | None]]) -> AnswerCheck:
    """Check a claim against the rows of an answer; a claim without a digest holds, since it says nothing of rows."""
    whole = digests.of_result(columns, rows)
    if claim.row:
        found = next((tuple(row) for row in rows if digests.of_row(columns, row) == claim.row), None)
        return AnswerCheck(found is not None, whole, found or ())
    return AnswerCheck(claim.result in ("", whole), whole)


def of_truth(claim: Claim, truth: bool) -> AnswerCheck:
    """Check a claim against the answer to ASK."""
    whole = digests.of_truth(truth)
    return AnswerCheck(claim.result in ("", whole), whole)
