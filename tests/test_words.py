"""The documentation and the sources use the terms of the glossary (docs/architecture.md)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Phrases with a standard term, which is given in docs/architecture.md or obvious from the pattern.
PHRASES = (
    r"\bstrangers?\b",
    r"\bsomebody'?s?\b",
    r"\bto be had\b",
    r"\bwhat there is\b",
    r"\b(?:go|goes|going|gone|went) over to\b",
    r"\b(?:is|are|was|were) told\b(?! apart)",
    r"\bthat it met\b",
    r"\bfor whom it is\b",
    r"\bheld against\b",
    r"\bwithout regret\b",
    r"\bat most so (?:many|much|long)\b",
    r"\b(?:after|for|by|with|of) so (?:many|much|long)\b",
    r"\bthat by which\b",
    r"\bcomes of\b",
    r"\b(?:look|looks|looked|looking) (?:\w+ )?through\b",
    r"\bhold (?:\w+ )?up\b",
    r"\bprocess(?:es)? of (?:its|their) own\b",
    "問い?合わ?せ",
)
TEXT = re.compile(r"\s+(?:#|//|\*)?\s*")
FILES = [
    path
    for folder in ("src/kg", "api", "docs")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".py", ".md", ".yaml", ".html", ".js", ".css", ".rq") and "vendor" not in path.parts
]


@pytest.mark.parametrize("phrase", PHRASES)
def test_phrase_is_not_used(phrase: str) -> None:
    pattern = re.compile(phrase, re.IGNORECASE)
    found = []
    for path in (*FILES, ROOT / "README.md"):
        # A phrase may be broken across the lines of a paragraph or comment.
        text = TEXT.sub(" ", path.read_text(encoding="utf-8"))
        found += [
            f"{path.relative_to(ROOT)}: …{text[max(0, m.start() - 30) : m.end() + 30]}…" for m in pattern.finditer(text)
        ]
    assert not found, "\n".join(found)
