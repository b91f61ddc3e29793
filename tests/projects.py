"""Small projects of curated files in a temporary folder, with the real ontology, shapes, rules and checks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VALID = ROOT / "tests" / "fixtures" / "small"


def make_project(folder: Path, files: Mapping[str, str] | None = None) -> Path:
    """A project with the valid fixture records, overlaid with `files` (path below data/ → text)."""
    shutil.copytree(ROOT / "ontology", folder / "ontology")
    shutil.copytree(ROOT / "queries", folder / "queries")
    shutil.copytree(VALID / "data", folder / "data")
    shutil.copyfile(ROOT / "site.yaml", folder / "site.yaml")
    (folder / "pyproject.toml").write_text("# marks a checkout\n")
    for name, text in (files or {}).items():
        path = folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def copy_project(built: Path, folder: Path) -> Path:
    """A copy of a project with its releases, its built files and what its next build need not do again."""
    return Path(shutil.copytree(built, folder, symlinks=True))


def kg_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "kg.cli", *arguments]


def environment(project: Path, **extra: str) -> dict[str, str]:
    """The environment of a `kg` command for a project, with its folder of releases."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("KG_")}
    return kept | {"KG_PROJECT": str(project), "KG_RELEASES": str(project / ".releases")} | extra


def run_kg(project: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        kg_command(*arguments),
        env=environment(project, **extra),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )
