"""The profiles of a project: named sets of SHACL shapes, of which each dataset chooses one to conform to.

`ontology/shapes/core.ttl` is neutral; every other file beside it is a profile that adds to it. A project with a single
`ontology/shapes.ttl` has one profile, the core.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from kg.errors import BadParameter, nearest

CORE = "core"
_Value = TypeVar("_Value")


def profiles(root: Path) -> dict[str, tuple[Path, ...]]:
    """The files of shapes of each profile, the core first."""
    folder = root / "ontology" / "shapes"
    core = folder / f"{CORE}.ttl"
    if not core.is_file():
        return {CORE: (root / "ontology" / "shapes.ttl",)}
    return {CORE: (core,)} | {p.stem: (core, p) for p in sorted(folder.glob("*.ttl")) if p != core}


def chosen(known: Mapping[str, _Value], profile: str) -> _Value:
    """What belongs to a profile. Raises `BadParameter` when there is none of that name."""
    if profile not in known:
        raise BadParameter(f"no profile is called '{profile}'{nearest(profile, known)}; known are {', '.join(known)}")
    return known[profile]


def all_files(root: Path) -> tuple[Path, ...]:
    """All files of shapes, which a project's own records conform to."""
    return tuple(dict.fromkeys(path for files in profiles(root).values() for path in files))
