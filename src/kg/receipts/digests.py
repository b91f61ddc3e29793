"""Short hashes of rows and results, by which a receipt says what the answer was without storing it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

from kg.rdf.terms import AnyTerm

# 64 bits: two rows of one result never share it by accident, and an address stays short.
_LENGTH = 16


def of_row(columns: Sequence[str], row: Sequence[AnyTerm | None]) -> str:
    """Return the digest of a row: of its values by column, whatever the order of the columns."""
    cells = sorted((name, str(term)) for name, term in zip(columns, row, strict=True) if term is not None)
    return _digest(cells)


def of_result(columns: Sequence[str], rows: Iterable[Sequence[AnyTerm | None]]) -> str:
    """Return the digest of all rows, in whatever order they come."""
    return _digest(sorted(of_row(columns, row) for row in rows))


def of_truth(truth: bool) -> str:
    """Return the digest of the answer to ASK."""
    return _digest([truth])


def _digest(content: object) -> str:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]
