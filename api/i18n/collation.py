"""The order in which readers expect names: numbers by their value, not by their digits."""

from __future__ import annotations

import re
import unicodedata

_NUMBER = re.compile(r"(\d+)")


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key by which "line 9" comes before "line 10"."""
    parts = _NUMBER.split(unicodedata.normalize("NFKC", text).casefold())
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part)
