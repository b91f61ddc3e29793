"""A record found by a name, the form in which the name was written, and how far each form is to be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# The score of each form in percent, before other evidence is considered.
SCORES: Mapping[str, float] = {
    "identifier": 100.0,
    "law-number": 100.0,
    "exact": 100.0,
    "legal-form": 98.0,
    "brackets": 97.0,
    "unit": 96.0,
    "abbreviation": 95.0,
    "honorific": 95.0,
    "placed": 95.0,
    "with-class": 95.0,
    "romanised": 94.0,
    "spacing": 94.0,
    "code": 94.0,
    "short": 60.0,
    "edition": 59.0,
    "unknown-legal-form": 58.0,
    "quoted": 57.0,
    "number": 55.0,
    "identifier-only": 50.0,
    "other-legal-form": 40.0,
    "namesake": 35.0,
    "owner": 30.0,
}
# Forms that may mean something else even if a single record has the name.
UNSURE = frozenset(
    {
        *("short", "edition", "quoted", "number", "owner", "namesake"),
        *("unknown-legal-form", "other-legal-form", "identifier-only"),
    }
)
# Forms that are never a match, whatever else speaks for the record: the name of a part of it, of another corporation,
# or a name that it does not have beside its number, which its parts and its successors use too.
NEVER = frozenset({"owner", "other-legal-form", "unknown-legal-form", "identifier-only"})
# Records of this form are candidates, but no reason to doubt the record that has the name itself.
NAMESAKE = "namesake"
_ROLE_COSTS = {"other name": 1.0, "spelling": 2.0, "reading": 2.0}


@dataclass(frozen=True, slots=True)
class NameHit:
    """A record found by name, the form in which the name was written, and the text of the record that matched."""

    iri: str
    kind: str
    form: str
    matched: str
    role: str = "name"

    @property
    def score(self) -> float:
        return SCORES[self.form] - _ROLE_COSTS.get(self.role, 0.0)
