"""What a dataset knows of names: the registers of its country, and the legal forms of its corporations."""

from __future__ import annotations

from dataclasses import dataclass, field

from kg.names.identifiers import Identifiers
from kg.names.legal_forms import LegalForms


@dataclass(frozen=True, slots=True)
class NameProfile:
    """The registers and legal forms that names and identifiers of a dataset are compared by."""

    identifiers: Identifiers = field(default_factory=Identifiers)
    legal_forms: LegalForms = field(default_factory=LegalForms)
