"""What a dataset knows of names: the registers of its country, and the legal forms of its corporations."""

from __future__ import annotations

from dataclasses import dataclass, field

from kg.names.identifiers import Identifiers
from kg.names.legal_forms import LegalForms


@dataclass(frozen=True, slots=True)
class NameProfile:
    """The registers and legal forms that names and identifiers of a dataset are compared by.

    `related` has groups of classes that a reader may take one for the other.
    """

    identifiers: Identifiers = field(default_factory=Identifiers)
    legal_forms: LegalForms = field(default_factory=LegalForms)
    related: tuple[frozenset[str], ...] = ()

    def related_to(self, kinds: frozenset[str]) -> frozenset[str]:
        """The classes that may be meant instead of the given ones."""
        return frozenset().union(*(group for group in self.related if group & kinds)) - kinds
