"""Parses identifiers of registers in all written forms, and verifies their check digits."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from stdnum.iso7064 import mod_11_2, mod_97_10
from stdnum.jp import cn

from kg.rdf import iris

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Identifier:
    """An identifier in a register; not `is_certain` for a bare number, which may belong to another register or none."""

    scheme: str
    value: str
    is_certain: bool = True


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a text in the form of an identifier is invalid."""

    scheme: str
    detail: str


@dataclass(frozen=True, slots=True)
class Scheme:
    """The forms of a register's identifiers: the group `value` is the identifier, `bare` is the form without a label.

    `canonical` normalises an identifier; `fault` describes what is wrong with the result, or is ''.
    """

    name: str
    forms: tuple[re.Pattern[str], ...]
    bare: re.Pattern[str] | None = None
    is_bare_certain: bool = True
    canonical: Callable[[str], str] = str
    fault: Callable[[str], str] = lambda _: ""


# ---- check digits ----


def _corporate_fault(number: str) -> str:
    expected = cn.calc_check_digit(number[1:])
    return "" if number[0] == expected else f"the check digit, its first, is {number[0]} and would be {expected}"


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


# ---- forms ----


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


def _joined(text: str) -> str:
    return re.sub(r"[\s\-]", "", text).upper()


_APART = r"[\s\-]?"
_LABEL = r"\s*(?:no\.?|番号)?\s*[:#=]?\s*"
_CORPORATE = rf"(?P<value>\d(?:{_APART}\d){{12}})"
_SIXTEEN = rf"(?P<value>\d{{4}}(?:{_APART}\d{{4}}){{2}}{_APART}\d{{3}}[\dx])"
_ROR = r"(?P<value>0[0-9a-hj-km-np-tv-z]{6}\d\d)"
_LAW = r"(?P<value>\d{3}[a-z][0-9a-z]{11})(?:_\d{8}_\w{15})?"
SCHEMES: Mapping[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        Scheme(
            "corporate-number",
            (
                _form(rf"(?:法人番号|corporate\s*number|houjin-bangou){_LABEL}t?{_CORPORATE}"),
                _form(r"(?:www\.)?houjin-bangou\.nta\.go\.jp/.*[?&]selhouzinno=(?P<value>\d{13})\b.*"),
                _form(r"info\.gbiz\.go\.jp/hojin/.*[?&]hojinbango=(?P<value>\d{13})\b.*"),
            ),
            _form(rf"t?{_CORPORATE}"),
            canonical=_joined,
            fault=_corporate_fault,
        ),
        Scheme(
            "ror", (_form(rf"(?:ror\.org/|ror{_LABEL}){_ROR}"),), _form(_ROR), canonical=str.lower, fault=_ror_fault
        ),
        Scheme(
            "isni",
            (_form(rf"(?:isni\.org/(?:isni/)?|orcid\.org/|(?:isni|orcid){_LABEL}){_SIXTEEN}"),),
            _form(_SIXTEEN),
            canonical=_joined,
            fault=_isni_fault,
        ),
        Scheme(
            "wikidata",
            (
                _form(
                    r"(?:(?:m\.)?wikidata\.org/(?:entity|wiki)/(?:item:)?|wd:|wikidata:?\s*)(?P<value>q[1-9]\d*)(?:#.*)?"
                ),
            ),
            _form(r"(?P<value>q[1-9]\d*)"),
            canonical=str.upper,
        ),
        Scheme(
            "doi",
            (_form(r"(?:(?:dx\.)?doi\.org/|doi:\s*)(?P<value>10\.\d{4,9}/\S+)"),),
            _form(r"(?P<value>10\.\d{4,9}/\S+)"),
            canonical=str.lower,
        ),
        Scheme(
            "egov-law",
            (
                _form(rf"(?:e-?laws|laws)\.e-gov\.go\.jp/(?:law/|api/\d/law_data/|document\?lawid=){_LAW}(?:[/?#].*)?"),
                _form(rf"(?:e-?gov\s*)?(?:法令|law\s*)id{_LABEL}{_LAW}"),
            ),
            _form(_LAW),
            canonical=str.upper,
        ),
        Scheme(
            "review-project",
            (_form(rf"(?:予算事業|review\s*project)\s*id{_LABEL}(?P<value>\d{{1,6}})"),),
            _form(r"(?P<value>\d{1,6})"),
            is_bare_certain=False,
            canonical=lambda text: text.lstrip("0") or "0",
        ),
        Scheme(
            "institution-number",
            (_form(rf"(?:(?:研究)?機関|institution|kakenhi){_LABEL}(?P<value>\d{{5}})"),),
            _form(r"(?P<value>\d{5})"),
            is_bare_certain=False,
        ),
    )
}
# The scheme of the values of our properties; external links are recognised by their form.
OF_PROPERTIES: Mapping[str, str] = {
    iris.ONTOLOGY + "#" + local: scheme
    for local, scheme in {
        "corporateNumber": "corporate-number",
        "kakenhiNumber": "institution-number",
        "reviewProjectId": "review-project",
        "egovLawId": "egov-law",
    }.items()
}
_WEB = re.compile(r"(?:https?:)?//", re.IGNORECASE)
_LOOKS_LIKE_IRI = re.compile(r"(?:https?:)?//\S+|[\w\-]+(?:\.[\w\-]+)+/\S*|(?:www\.)[\w.\-]+", re.IGNORECASE)
_MAY_BE_ONE = re.compile(r"\d{1,3}|//|\.\w")


def read(text: str) -> tuple[list[Identifier], list[Fault]]:
    """Reads a text as an identifier: all possibilities, most likely first, and the faults of invalid ones."""
    text = unicodedata.normalize("NFKC", text[:_LONGEST]).strip().strip("<>").strip()
    found: list[Identifier] = []
    faults: list[Fault] = []
    if not _MAY_BE_ONE.search(text):
        return found, faults
    address = _address(text)
    for scheme in SCHEMES.values():
        for written, is_certain in _values(scheme, text, address):
            value = scheme.canonical(written)
            if fault := scheme.fault(value):
                faults.append(Fault(scheme.name, fault))
            else:
                found.append(Identifier(scheme.name, value, is_certain))
            break
    if _LOOKS_LIKE_IRI.fullmatch(text):
        found.append(Identifier("iri", address))
    return found, faults


def of_property(predicate: str, value: str) -> Identifier | None:
    """The identifier for a value of one of our properties."""
    scheme = OF_PROPERTIES.get(predicate)
    return Identifier(scheme, SCHEMES[scheme].canonical(value)) if scheme else None


def _values(scheme: Scheme, text: str, address: str) -> Iterator[tuple[str, bool]]:
    for form in scheme.forms:
        if match := form.fullmatch(text) or form.fullmatch(address):
            yield match["value"], True
    if scheme.bare and (match := scheme.bare.fullmatch(text)):
        yield match["value"], scheme.is_bare_certain


def _address(text: str) -> str:
    """Normalises a URL: removes the scheme, `www.` and trailing slash, and lower-cases the host."""
    bare = _WEB.sub("", text, count=1)
    host, slash, rest = bare.partition("/")
    if "%" in rest:
        rest = unquote(rest)
    return (host.lower().removeprefix("www.") + slash + rest).rstrip("/")
