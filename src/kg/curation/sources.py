"""The text of a source, which is not in the repository: read from a file and recognised by its hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

from kg.curation.builder import Curated
from kg.curation.records import Record
from kg.errors import KgError


def read_text(curated: Curated, text_file: Path, named: str = "") -> tuple[Record, str]:
    """The record of a source and its text; without a name, the source whose record has the hash of the text."""
    try:
        raw = text_file.read_bytes()
    except OSError as error:
        raise KgError(f"{text_file} cannot be read: {error.strerror}") from error
    digest = hashlib.sha256(raw).hexdigest()
    sources = {r.path.removeprefix("source/"): r for r in curated.records if r.path.startswith("source/")}
    if named and named not in sources:
        raise KgError(f"there is no record data/source/{named}.yaml")
    if named and digest not in _hashes(sources[named]):
        raise KgError(f"{text_file} is not the text of {named}: its SHA-256 is not the one in data/source/{named}.yaml")
    found = [sources[named]] if named else [r for r in sources.values() if digest in _hashes(r)]
    if not found:
        raise KgError(f"{text_file} is the text of no source: none in data/source/ has its SHA-256, {digest}")
    return found[0], raw.decode("utf-8")


def _hashes(about: Record) -> set[object]:
    return {block["sha256"] for block in about.blocks.values() if "sha256" in block}
