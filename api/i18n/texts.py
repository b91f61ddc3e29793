"""The interface texts in Japanese and English, read from `texts/*.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

LANGUAGES = ("ja", "en")
# What languages are called in themselves.
ENDONYMS = {
    "de": "Deutsch",
    "en": "English",
    "es": "Español",
    "fr": "Français",
    "it": "Italiano",
    "ja": "日本語",
    "ko": "한국어",
    "nl": "Nederlands",
    "pt": "Português",
    "sv": "Svenska",
    "zh": "中文",
}
_FALLBACK = "en"
# Files with separate tables; the other files share one namespace of keys.
_TABLES = ("classes", "features", "problems", "requirements", "tables")

Texts = Mapping[str, Mapping[str, str]]


class _Texts(dict[str, Mapping[str, str]]):
    """Texts by language; a language that the interface is not translated into has the English ones."""

    def __missing__(self, _: str) -> Mapping[str, str]:
        return self[_FALLBACK]


@cache
def texts() -> Texts:
    """All texts of pages by language and key."""
    folder = Path(__file__).parents[1] / "texts"
    pages = [_read(path) for path in sorted(folder.glob("*.yaml")) if path.stem not in _TABLES]
    found: dict[str, Any] = {}
    for page in pages:
        if twice := found.keys() & page.keys():
            raise ValueError(f"duplicate text keys: {sorted(twice)}")
        found |= page
    return _by_language(found)


@cache
def table(name: str) -> Texts:
    """A table, such as class names or error messages, by language and key."""
    return _by_language(_read(Path(__file__).parents[1] / "texts" / f"{name}.yaml"))


def _read(path: Path) -> dict[str, dict[str, str]]:
    # The C loader, since this delays the first response after a start.
    return yaml.load(path.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}


def _by_language(found: Mapping[str, Mapping[str, str]]) -> Texts:
    return _Texts({t: {key: text[t] for key, text in found.items() if t in text} for t in LANGUAGES})


def named(name: str, key: str) -> Mapping[str, str]:
    """The text for a key of a table, by language."""
    return {language: found[key] for language, found in table(name).items() if key in found}


def text(language: str, key: str, **values: object) -> str:
    """An interface text with its placeholders filled in."""
    return fill(texts()[language][key], values)


def fill(template: str, values: Mapping[str, object]) -> str:
    """Fills in `{placeholders}` by plain replacement, since values may contain braces."""
    for name, value in values.items():
        template = template.replace("{" + name + "}", f"{value:,}" if isinstance(value, int) else str(value))
    return template
