"""Registers: how the identifiers of each are written, which of them are valid, and which properties hold them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import stdnum
from stdnum.iso7064 import mod_11_2, mod_97_10

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True, slots=True)
class Register:
    """The forms of a register's identifiers: the group `value` is the identifier, `bare` is the form without a label.

    `canonical` normalises an identifier; `fault` describes what is wrong with the result, or is ''. `properties` are
    the IRIs of the properties that hold identifiers, `page` is the address of the page about one, with `{}` for it.
    """

    name: str
    forms: tuple[re.Pattern[str], ...] = ()
    bare: re.Pattern[str] | None = None
    is_bare_certain: bool = True
    canonical: Callable[[str], str] = str
    fault: Callable[[str], str] = lambda _: ""
    properties: tuple[str, ...] = ()
    page: str = ""


def pattern(written: str) -> re.Pattern[str]:
    """Compile the form of an identifier, which is compared without regard to case."""
    return re.compile(written, re.IGNORECASE | re.ASCII)


def joined(text: str) -> str:
    """Return an identifier without the spaces and hyphens that it may be written with."""
    return re.sub(r"[\s\-]", "", text).upper()


# How an identifier is normalised, as `site.yaml` names it.
CANONICAL: dict[str, Callable[[str], str]] = {
    "as-is": str,
    "upper": str.upper,
    "lower": str.lower,
    "joined": joined,
    "number": lambda text: text.lstrip("0") or "0",
}


def checked_by(name: str) -> Callable[[str], str] | None:
    """Return the check of a kind of number in python-stdnum, such as `jp.cn`; None if there is none of that name."""
    country, _, kind = name.partition(".")
    module = stdnum.get_cc_module(country, kind)
    if module is None:
        return None

    def fault(number: str) -> str:
        if module.is_valid(number):
            return ""
        for place, at in (("first", 0), ("last", len(number) - 1)):
            for digit in "0123456789":
                if module.is_valid(number[:at] + digit + number[at + 1 :]):
                    return f"the check digit, its {place}, is {number[at]} and would be {digit}"
        return "it is no valid number of its kind"

    return fault


def _isni_fault(number: str) -> str:
    """Check an ISNI or ORCID iD (ISO 7064 mod 11-2)."""
    expected = mod_11_2.calc_check_digit(number[:-1])
    return "" if number[-1] == expected else f"the check digit, its last, is {number[-1]} and would be {expected}"


def _ror_fault(identifier: str) -> str:
    """Check a ROR id: ISO 7064 mod 97-10 over the number that its first seven characters are in Crockford's base 32."""
    number = 0
    for character in identifier[:-2]:
        number = number * 32 + _CROCKFORD.index(character)
    expected = mod_97_10.calc_check_digits(str(number))
    if identifier[-2:] == expected:
        return ""
    return f"the check digits, its last two, are {identifier[-2:]} and would be {expected}"


_LABEL = r"\s*(?:no\.?)?\s*[:#=]?\s*"
_SIXTEEN = r"(?P<value>\d{4}(?:[\s\-]?\d{4}){2}[\s\-]?\d{3}[\dx])"
_ROR = r"(?P<value>0[0-9a-hj-km-np-tv-z]{6}\d\d)"
# The registers that every dataset may point to; its own are in `site.yaml`.
INTERNATIONAL = (
    Register(
        "ror",
        (pattern(rf"(?:ror\.org/|ror{_LABEL}){_ROR}"),),
        pattern(_ROR),
        canonical=str.lower,
        fault=_ror_fault,
    ),
    Register(
        "isni",
        (pattern(rf"(?:isni\.org/(?:isni/)?|orcid\.org/|(?:isni|orcid){_LABEL}){_SIXTEEN}"),),
        pattern(_SIXTEEN),
        canonical=joined,
        fault=_isni_fault,
    ),
    Register(
        "wikidata",
        (
            pattern(
                r"(?:(?:m\.)?wikidata\.org/(?:entity|wiki)/(?:item:)?|wd:|wikidata:?\s*)(?P<value>q[1-9]\d*)(?:#.*)?"
            ),
        ),
        pattern(r"(?P<value>q[1-9]\d*)"),
        canonical=str.upper,
    ),
    Register(
        "doi",
        (pattern(r"(?:(?:dx\.)?doi\.org/|doi:\s*)(?P<value>10\.\d{4,9}/\S+)"),),
        pattern(r"(?P<value>10\.\d{4,9}/\S+)"),
        canonical=str.lower,
    ),
)
