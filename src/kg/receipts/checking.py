"""Whether a claim holds: of an answer that a query gave, or of a fact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyoxigraph import QueryBoolean, QuerySolutions

from kg.rdf.terms import AnyTerm
from kg.receipts import digests
from kg.receipts.claims import Claim, NoReceipt
from kg.sparql.quadstore import QuadStore


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


def in_store(claim: Claim, store: QuadStore, text: str, prefixes: Mapping[str, str]) -> bool:
    """Whether a claim holds in a store; `text` is the query of a claim that is of no fact.

    Raises `NoReceipt` for a query that is neither SELECT nor ASK.
    """
    if claim.triple:
        triple = claim.triple
        return next(store.quads_for_pattern(triple.subject, triple.predicate, triple.object, None), None) is not None
    answer = store.query(text, prefixes=dict(prefixes))
    if isinstance(answer, QuerySolutions):
        columns = [v.value for v in answer.variables]
        return of_rows(claim, columns, [[solution[name] for name in columns] for solution in answer]).holds
    if isinstance(answer, QueryBoolean):
        return of_truth(claim, bool(answer)).holds
    raise NoReceipt("a receipt is of the answer to SELECT or ASK, and this query makes a graph")
