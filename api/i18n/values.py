"""Formats literals in Japanese and English: dates, durations, numbers and booleans."""

from __future__ import annotations

import re

from pyoxigraph import Literal

from api.i18n.texts import text

_XSD = "http://www.w3.org/2001/XMLSchema#"
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_DURATION = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?")
_CURRENCY_SIGNS = {"EUR": "€", "GBP": "£", "JPY": "¥", "KRW": "₩", "USD": "$"}
_CURRENCY_NAMES = {"EUR": "ユーロ", "GBP": "ポンド", "JPY": "円", "KRW": "ウォン", "USD": "ドル"}
_UNITS = {"ja": ("年", "か月", "日"), "en": ("year", "month", "day")}


def shown(literal: Literal, language: str) -> str:
    """Formats a literal; the text of other datatypes is returned unchanged."""
    value, datatype = literal.value, literal.datatype.value.removeprefix(_XSD)
    if datatype in ("date", "gYearMonth", "gYear"):
        return _date(value, language)
    if datatype == "duration":
        return _duration(value, language)
    if datatype in ("integer", "decimal"):
        return _number(value)
    if datatype == "boolean":
        return text(language, value) if value in ("true", "false") else value
    return value


def amount(value: str, unit: str, language: str) -> str:
    """Formats a whole amount of a currency (ISO 4217) as budget tables do, in 億 or in millions; '' for other units."""
    if not re.fullmatch("[A-Z]{3}", unit) or not re.fullmatch(r"-?\d+", value):
        return ""
    number = int(value)
    if language == "ja":
        name = _CURRENCY_NAMES.get(unit, unit)
        if abs(number) >= 100_000_000:
            return f"{number / 100_000_000:,.10g}億{name}"
        return f"{number / 10_000:,.10g}万{name}" if abs(number) >= 10_000 else f"{number:,}{name}"
    before = ("−" if number < 0 else "") + _CURRENCY_SIGNS.get(unit, f"{unit} ")
    millions = abs(number) / 1_000_000
    return f"{before}{millions:,.10g} million" if millions >= 1 else f"{before}{abs(number):,}"


def _date(value: str, language: str) -> str:
    match = re.fullmatch(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?", value)
    if match is None:
        return value
    year, month, day = match[1], int(match[2] or 0), int(match[3] or 0)
    if language == "ja":
        return f"{year}年" + (f"{month}月" if month else "") + (f"{day}日" if day else "")
    return " ".join([*([str(day)] if day else []), *([_MONTHS[month - 1]] if 0 < month < 13 else []), year])


def _duration(value: str, language: str) -> str:
    match = _DURATION.fullmatch(value)
    if match is None:
        return value
    pairs = [(int(n), unit) for n, unit in zip(match.groups(), _UNITS.get(language, _UNITS["en"]), strict=True) if n]
    if language == "ja":
        return "".join(f"{n}{unit}" for n, unit in pairs) or value
    return " ".join(f"{n} {unit}{'' if n == 1 else 's'}" for n, unit in pairs) or value


def _number(value: str) -> str:
    whole, point, fraction = value.partition(".")
    grouped = f"{int(whole):,}" if re.fullmatch(r"-?\d{5,}", whole) else whole
    return grouped + point + fraction
