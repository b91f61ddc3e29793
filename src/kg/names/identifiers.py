"""Parses identifiers of registers in all written forms, and repairs what spreadsheets do to numbers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote

from kg.names.registers import INTERNATIONAL, Register

_LONGEST = 500
_WEB = re.compile(r"(?:https?:)?//", re.IGNORECASE)
_LOOKS_LIKE_IRI = re.compile(r"(?:https?:)?//\S+|[\w\-]+(?:\.[\w\-]+)+/\S*|(?:www\.)[\w.\-]+", re.IGNORECASE)
_MAY_BE_ONE = re.compile(r"\d{1,3}|//|\.\w")
# A number that a spreadsheet shows with an apostrophe in front, with thousands apart, or as one with decimals.
_SHOWN_NUMBER = re.compile(r"['’]?(\d+|\d{1,3}(?:,\d{3})+)(?:\.0+)?")
_ROUNDED = re.compile(r"['’]?\d(?:\.\d+)?e\+?\d+", re.IGNORECASE)
ROUNDED = "rounded"
ROUNDED_NUMBER = "a spreadsheet has rounded this number; its last digits are lost"


@dataclass(frozen=True, slots=True)
class Identifier:
    """An identifier in a register; not `is_certain` for a bare number, which may belong to another register or none."""

    scheme: str
    value: str
    is_certain: bool = True


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a text in the form of an identifier is invalid; `scheme` is the register, or `rounded` for a lost number."""

    scheme: str
    detail: str


class Identifiers:
    """The identifiers of the international registers and those of one dataset."""

    def __init__(self, registers: Sequence[Register] = ()) -> None:
        # A number is first one of the dataset's registers.
        self.registers: Mapping[str, Register] = {r.name: r for r in (*registers, *INTERNATIONAL)}

    @cached_property
    def of_properties(self) -> Mapping[str, str]:
        """The register of each property that holds identifiers; outside links are recognised by their form."""
        return {iri: register.name for register in self.registers.values() for iri in register.properties}

    @cached_property
    def pages(self) -> Mapping[str, str]:
        """The address of a register's page about an identifier, by property."""
        found = ((iri, register.page) for register in self.registers.values() for iri in register.properties)
        return {iri: page for iri, page in found if page}

    def read(self, text: str) -> tuple[list[Identifier], list[Fault]]:
        """Read a text as an identifier: all possibilities, most likely first, and the faults of invalid ones."""
        text = unicodedata.normalize("NFKC", text[:_LONGEST]).strip().strip("<>").strip()
        found: list[Identifier] = []
        faults: list[Fault] = []
        if not _MAY_BE_ONE.search(text):
            return found, faults
        if _ROUNDED.fullmatch(text):
            return found, [Fault(ROUNDED, ROUNDED_NUMBER)]
        if shown := _SHOWN_NUMBER.fullmatch(text):
            text = shown[1].replace(",", "")
        address = _address(text)
        for register in self.registers.values():
            for written, is_certain in _values(register, text, address):
                value = register.canonical(written)
                if fault := register.fault(value):
                    faults.append(Fault(register.name, fault))
                else:
                    found.append(Identifier(register.name, value, is_certain))
                break
        if _LOOKS_LIKE_IRI.fullmatch(text):
            found.append(Identifier("iri", address))
        return found, faults

    def is_repaired(self, text: str) -> bool:
        """Whether a number is read in another form than it is written in, because a spreadsheet has changed it."""
        text = unicodedata.normalize("NFKC", text[:_LONGEST]).strip()
        shown = _SHOWN_NUMBER.fullmatch(text)
        return shown is not None and shown[1].replace(",", "") != text

    def of_property(self, predicate: str, value: str) -> Identifier | None:
        """Return the identifier that is the value of a property; None for a property that holds none."""
        name = self.of_properties.get(predicate)
        return Identifier(name, self.registers[name].canonical(value)) if name else None


def _values(register: Register, text: str, address: str) -> Iterator[tuple[str, bool]]:
    for form in register.forms:
        if match := form.fullmatch(text) or form.fullmatch(address):
            yield match["value"], True
    if register.bare and (match := register.bare.fullmatch(text)):
        yield match["value"], register.is_bare_certain


def _address(text: str) -> str:
    """Normalise a URL: remove the scheme, `www.` and trailing slash, and lower-case the host."""
    bare = _WEB.sub("", text, count=1)
    host, slash, rest = bare.partition("/")
    if "%" in rest:
        rest = unquote(rest)
    return (host.lower().removeprefix("www.") + slash + rest).rstrip("/")
