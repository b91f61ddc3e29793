"""The texts of the interface, read from `texts/*.yaml`: each in Japanese and English, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

LANGUAGES = ("ja", "en")
# Tables of their own; every other file holds texts of pages, whose keys are one space.
_TABLES = ("classes", "columns", "features", "problems", "tables", "tags")

Texts = Mapping[str, Mapping[str, str]]


@cache
def texts() -> Texts:
    """All texts of pages, by language and key."""
    folder = Path(__file__).parents[1] / "texts"
    pages = [_read(path) for path in sorted(folder.glob("*.yaml")) if path.stem not in _TABLES]
    found: dict[str, Any] = {}
    for page in pages:
        if twice := found.keys() & page.keys():
            raise ValueError(f"texts that stand twice: {sorted(twice)}")
        found |= page
    return _by_language(found)


@cache
def table(name: str) -> Texts:
    """The names of classes, or what is said of problems, by language and key."""
    return _by_language(_read(Path(__file__).parents[1] / "texts" / f"{name}.yaml"))


def _read(path: Path) -> dict[str, dict[str, str]]:
    # The C loader, since this stands between a start and its first answer.
    return yaml.load(path.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}


def _by_language(found: Mapping[str, Mapping[str, str]]) -> Texts:
    return {tongue: {key: text[tongue] for key, text in found.items() if tongue in text} for tongue in LANGUAGES}


def text(language: str, key: str, **values: object) -> str:
    """An interface text with its blanks filled in."""
    return fill(texts()[language][key], values)


def fill(template: str, values: Mapping[str, object]) -> str:
    """A text with its `{blanks}` filled in by plain replacement: values may hold braces of their own."""
    for name, value in values.items():
        template = template.replace("{" + name + "}", f"{value:,}" if isinstance(value, int) else str(value))
    return template
