"""Whether the files of a release are those that were written: a checksum of each, and a seal of the manifest itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kg.errors import BrokenRelease

MANIFEST = "manifest.json"


def checksums(directory: Path) -> dict[str, dict[str, Any]]:
    """The size in bytes and the SHA-256 of every file of a release but its manifest, by path."""
    files = sorted(path for path in directory.rglob("*") if path.is_file() and path != directory / MANIFEST)
    return {path.relative_to(directory).as_posix(): checksum(path) for path in files}


def checksum(path: Path) -> dict[str, Any]:
    """The size in bytes and the SHA-256 of a file."""
    with path.open("rb") as content:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(content, "sha256").hexdigest()}


def seal(fields: Mapping[str, Any]) -> str:
    """The SHA-256 of a manifest without its seal, whatever the order and layout of its members."""
    rest = {name: value for name, value in fields.items() if name != "seal"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def verify(directory: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises `BrokenRelease` for the first file that is missing or has another content."""
    for name, written in files.items():
        try:
            found: Mapping[str, Any] | None = checksum(directory / name)
        except OSError:
            found = None
        if found != written:
            state = "is missing" if found is None else "is not what its manifest says"
            raise BrokenRelease(f"{directory / name} {state}")
