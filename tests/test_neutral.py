"""The engine knows no dataset: neither tree of code names a programme, law, ministry, country or paper of this one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from dataset import ROOT

TREES = ("src/kg", "api")
TEXT = {".py", ".html", ".js", ".css", ".ttl", ".yaml", ".rq", ".jsonld", ".json", ".svg", ".xml", ".txt", ".sh"}
# Words of the country, of its registers and of the paper. `Japanese` is a language, which pages may be in.
WORDS = re.compile(
    r"\bJapan\b|日本の|MEXT|文部|文科|法人番号|houjin|e-?gov\b|kakenhi|科研費|RIKEN|理研|理化学|\bAIP\b|CRONOS|"
    r"AI Act\b|AI法|人工知能|国立研究|株式会社|mext-2026|corporateNumber|egovLaw|reviewProject",
    re.IGNORECASE,
)
# Records whose names are no common English words.
KINDS = ("law", "policy", "programme", "scheme", "organization", "person")


def files() -> Iterator[Path]:
    for tree in TREES:
        for path in sorted((ROOT / tree).rglob("*")):
            if path.suffix in TEXT and not {"vendor", "node_modules", "__pycache__"} & set(path.parts):
                yield path


@pytest.mark.parametrize("tree", TREES)
def test_no_code_names_this_dataset(tree: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in files()
        if path.is_relative_to(ROOT / tree)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if WORDS.search(line)
    ]
    assert found == []


def test_no_code_names_a_record() -> None:
    slugs = {path.stem for kind in KINDS for path in (ROOT / "data" / kind).glob("*.yaml") if "-" in path.stem}
    assert len(slugs) > 50
    named = re.compile(rf"(?<![\w-])(?:{'|'.join(sorted(map(re.escape, slugs)))})(?![\w-])")
    found = [
        (str(path.relative_to(ROOT)), match[0])
        for path in files()
        if (match := named.search(path.read_text(encoding="utf-8")))
    ]
    assert found == []
