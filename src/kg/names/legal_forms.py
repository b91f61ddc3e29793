"""Legal forms of corporations: taken off a name for comparison, and compared themselves."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal as OneOf

from kg.names import normalization

Fit = OneOf["same", "other", "unknown"]


@dataclass(frozen=True, slots=True)
class LegalForm:
    """How one legal form is written: in full, and abbreviated in brackets beside a name.

    A body of this form may also be written with the forms `earlier`, which it had before. `classes` are local names of
    classes: their records may have the form although none of their names says so.
    """

    names: tuple[str, ...]
    abbreviations: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stripped:
    """A name without its legal forms, and the forms that it was written with, each as the set that it may mean."""

    bare: str
    forms: tuple[frozenset[str], ...]


class LegalForms:
    """The legal forms of one dataset, by id."""

    def __init__(self, forms: Mapping[str, LegalForm] | None = None) -> None:
        self.forms = dict(forms or {})

    @cached_property
    def _meanings(self) -> Mapping[str, frozenset[str]]:
        """What each writing may mean: an abbreviation such as (独) stands for several forms."""
        found: dict[str, set[str]] = {}
        for name, form in self.forms.items():
            for written in (*form.names, *form.abbreviations):
                found.setdefault(_key(written), set()).add(name)
        return {written: frozenset(names) for written, names in found.items()}

    @cached_property
    def _written(self) -> re.Pattern[str] | None:
        full = sorted({_key(n) for f in self.forms.values() for n in f.names}, key=len, reverse=True)
        short = sorted({_key(n) for f in self.forms.values() for n in f.abbreviations}, key=len, reverse=True)
        if not full:
            return None
        joined, words = _alternatives(n for n in full if not n.isascii()), _alternatives(n for n in full if n.isascii())
        inside = _alternatives([*full, *short])
        return re.compile(
            rf"^\s*(?:(?P<a>{joined})|[(\[]\s*(?P<b>{inside})\s*[)\]]|(?P<c>{words})[\s,:]+)[\s・]*"
            rf"|[\s・]*(?:(?P<d>{joined})|[(\[]\s*(?P<e>{inside})\s*[)\]]|[\s,]+(?P<f>{words}))\s*$",
            re.IGNORECASE,
        )

    def strip(self, text: str) -> Stripped:
        """Take the legal forms off a name ((株), Inc., …); a text that is nothing else stays as it is."""
        bare, found = normalization.same_width(text), list[frozenset[str]]()
        while self._written and (match := self._written.search(bare)) and match.end() > match.start():
            found.append(self._meanings[_key(next(filter(None, match.groups())))])
            bare = bare[: match.start()] + bare[match.end() :]
        return Stripped(bare, tuple(found)) if bare.strip() else Stripped(text, ())

    def fit(self, written: tuple[frozenset[str], ...], known: frozenset[str], classes: frozenset[str]) -> Fit:
        """Compare the forms that a name was written with, with those of a record and its classes (local names)."""
        allowed = known | {earlier for name in known for earlier in self.forms[name].earlier}
        fits: list[Fit] = []
        for meanings in written:
            if not known:
                plausible = any(not classes.isdisjoint(self.forms[name].classes) for name in meanings)
                fits.append("same" if plausible else "unknown")
            else:
                fits.append("other" if meanings.isdisjoint(allowed) else "same")
        return max(fits, key=("same", "unknown", "other").index, default="same")


def _key(written: str) -> str:
    return unicodedata.normalize("NFKC", written).casefold()


def _alternatives(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in names) or r"(?!)"
