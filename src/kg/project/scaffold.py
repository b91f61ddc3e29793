"""Writes a small new project that builds, answers a query and serves."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from kg.errors import KgError
from kg.project.location import engine_dataset
from kg.rdf import iris

TEMPLATE = Path(__file__).parent / "template"
# Rules and checks that suit any dataset; a project gets copies, which it may change.
_SHARED = {
    "rules": ("chain", "domain", "inverse", "range", "subclass", "subproperty", "symmetric", "transitive"),
    "checks": ("disjoint-classes", "graph-without-evidence", "ill-typed-literal", "property-kind", "undeclared-term"),
}
_TEXT = re.compile(r"<<(.*?)>>")
_TAGGED = re.compile(r"\[\[(.*?)\]\]")


def write(folder: Path, base: str, languages: Sequence[str]) -> list[Path]:
    """Writes a project with a base IRI and languages into a new or empty folder; returns the files.

    Every text is in English, once for each language, for the author to translate.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise KgError(f"{folder} exists and is not an empty folder; choose a new one")
    values = {
        "base": base,
        "ontology": base + "ontology",
        "core": iris.ONTOLOGY,
        "languages": ", ".join(languages),
        "tags": " ".join(f'"{tongue}"' for tongue in languages),
        "count": str(len(languages)),
    }
    written = []
    for source in sorted(path for path in TEMPLATE.rglob("*") if path.is_file()):
        path = folder / source.relative_to(TEMPLATE)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_filled(source.read_text(encoding="utf-8"), values, languages), encoding="utf-8")
        written.append(path)
    for kind, names in _SHARED.items():
        for name in names:
            path = folder / "queries" / kind / f"{name}.rq"
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(engine_dataset() / "queries" / kind / path.name, path)
            written.append(path)
    return written


def _filled(text: str, values: dict[str, str], languages: Sequence[str]) -> str:
    """A template with `$name` or `${name}` replaced, `<<text>>` as a YAML map and `[[text]]` as Turtle literals."""
    text = _TEXT.sub(lambda m: "{" + ", ".join(f'{tongue}: "{m[1]}"' for tongue in languages) + "}", text)
    text = _TAGGED.sub(lambda m: " , ".join(f'"{m[1]}"@{tongue}' for tongue in languages), text)
    return re.sub(r"\$\{?(" + "|".join(values) + r")\b\}?", lambda m: values[m[1]], text)
