"""The texts of sources that an operator may show: files that are recognised by their hash, whatever they are called."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kg.errors import KgError
from kg.rdf.namespaces import KG
from kg.rdf.terms import value
from kg.release.entities import Entities

_SHA256 = KG + "sha256"
_LARGEST = 50_000_000


@dataclass(frozen=True, slots=True)
class SourceTexts:
    """The hash of each source by its IRI, the texts that are at hand, and the files that are the text of none."""

    hashes: Mapping[str, str]
    texts: Mapping[str, str] = field(default_factory=dict)
    wrong: tuple[str, ...] = ()

    def lines(self, source: str, first: int, last: int) -> list[tuple[int, str]]:
        """Return numbered lines of a source, as far as it has them; none if its text is not at hand."""
        found = self.texts.get(source, "").split("\n") if source in self.texts else []
        return [(n, found[n - 1]) for n in range(max(1, first), min(last, len(found)) + 1)]


def hashes(entities: Entities) -> dict[str, str]:
    """Return the SHA-256 of the text of each source that states one."""
    sources = (entities.root + path for path in entities.members("source", parts=True))
    return {iri: value(found[0]) for iri in sources if (found := entities.values(iri, _SHA256))}


def read(entities: Entities, folder: Path | None) -> SourceTexts:
    """Read the files of a folder that are texts of sources; raises `KgError` if there is no such folder."""
    known = hashes(entities)
    if folder is None:
        return SourceTexts(known)
    if not folder.is_dir():
        raise KgError(f"KG_SOURCE_TEXTS: there is no folder {folder}")
    by_hash = {digest: iri for iri, digest in known.items()}
    texts, wrong = {}, []
    for path in sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")):
        raw = path.read_bytes() if path.stat().st_size <= _LARGEST else b""
        if iri := by_hash.get(hashlib.sha256(raw).hexdigest()):
            texts[iri] = raw.decode("utf-8", "replace")
        else:
            wrong.append(path.name)
    return SourceTexts(known, texts, tuple(wrong))
