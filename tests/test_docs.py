"""The documents keep up: every command, query and route is named, every link leads somewhere, every example runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from typer.main import get_command

from kg import builder, queries, schema
from kg.cli import app

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(p.read_text(encoding="utf-8") for p in DOCUMENTS)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_SHELL = re.compile(r"```sh\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in _LINK.findall(document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_every_command_is_documented() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    missing = [name for name in commands if f"kg {name}" not in TEXT]
    assert not missing


def test_every_module_is_documented() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    modules = {p.stem for p in (ROOT / "src" / "kg").glob("*.py")} - {"__init__"}
    assert not [m for m in sorted(modules) if f"kg.{m}" not in text]


def test_no_document_names_a_query_that_is_not_there() -> None:
    library = queries.library(ROOT)
    for name in re.findall(r"kg query ([a-z][\w-]+)", TEXT):
        assert name in library


def test_the_readme_has_two_commands_first() -> None:
    blocks = _SHELL.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert [b.strip() for b in blocks[:2]] == ["./kg serve", "./kg test"]


def test_the_editor_schema_is_what_the_ontology_makes() -> None:
    made = json.dumps(schema.make(ROOT), ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    assert (ROOT / "ontology" / "record.schema.json").read_text(encoding="utf-8") == made


def test_the_editor_schema_takes_the_real_files_and_refuses_a_misspelt_key() -> None:
    validator = jsonschema.Draft202012Validator(schema.make(ROOT))
    for path in builder.data_files(ROOT):
        loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
        errors = list(validator.iter_errors(loaded))
        assert not errors, (path, errors[0].message)
    assert not validator.is_valid({"curator": {"descripton": {"en": "x"}}})
    assert not validator.is_valid({"curator": {"type": "Programe"}})
    assert not validator.is_valid({"Curator!": {"type": "Programme"}})
