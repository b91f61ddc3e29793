"""The documents keep up: every command, query and route is named, every link leads somewhere, every example runs."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import jsonschema
import pytest
import yaml
from projects import environment, kg_command
from typer.main import get_command

from api.settings import Settings
from kg.build import pipeline, reasoning
from kg.cli.commands import app
from kg.curation import builder, schema
from kg.partners.fetch import FetchLimits
from kg.release.history import HistoryBounds
from kg.sparql import library as queries
from tools import routes

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(p.read_text(encoding="utf-8") for p in DOCUMENTS)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_SHELL = re.compile(r"```sh\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in _LINK.findall(document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_every_command_is_documented() -> None:
    commands = get_command(app).list_commands(None)  # type: ignore[attr-defined]
    assert len(commands) > 10
    missing = [name for name in commands if f"kg {name}" not in TEXT]
    assert not missing


def test_the_map_names_every_package_and_no_other() -> None:
    """The first column of the table of rooms is the set of packages of `src/kg` and `api`."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = page.partition("\n## Rooms\n")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `([\w.]+)` \|", rooms, re.MULTILINE)
    trees = {"kg": ROOT / "src" / "kg", "api": ROOT / "api"}
    packages = [f"{top}.{init.parent.name}" for top, tree in trees.items() for init in tree.glob("*/__init__.py")]
    assert sorted(named) == sorted(packages)


def test_the_picture_of_the_rooms_is_the_import_contract() -> None:
    """The boxes of the picture have the layers of import-linter, line by line."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    picture = page.partition("\n## Rooms\n")[2].split("```")[1]
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    contracts = [contract for contract in tools["importlinter"]["contracts"] if contract["type"] == "layers"]
    layers = {c["containers"][0]: [set(layer.split(" | ")) for layer in c["layers"]] for c in contracts}
    for package, side in (("kg", slice(0, 37)), ("api", slice(39, None))):
        inside = [cell[1] for line in picture.splitlines() if (cell := re.match("│(.+)│$", line[side].strip()))]
        text = "\n".join(line.strip() for line in inside).replace("·\n", "· ")
        assert [set(line.split(" · ")) for line in text.splitlines()] == layers[package]


_NAME = re.compile(r"`((?:kg|api|tools)(?:\.\w+)+)`")


def _exists(name: str) -> bool:
    """Whether a dotted name is a package, a module, or something that a module defines."""
    parts = name.split(".")
    place = ROOT / "src" / "kg" if parts[0] == "kg" else ROOT / parts[0]
    for at, part in enumerate(parts[1:], 1):
        if (place / part).is_dir():
            place /= part
            continue
        module = place / f"{part}.py"
        if not module.is_file():
            module, at = place / "__init__.py", at - 1
        return _defines(ast.parse(module.read_text(encoding="utf-8")).body, parts[at + 1 :])
    return True


def _defines(body: list[ast.stmt], names: list[str]) -> bool:
    if not names:
        return True
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name == names[0]:
            return _defines(node.body, names[1:])
        if isinstance(node, ast.ImportFrom) and any(alias.asname == names[0] for alias in node.names):
            return len(names) == 1  # A package that offers a name of one of its modules: import X as X.
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == names[0] for target in targets):
            return len(names) == 1
    return False


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_the_names_of_the_code_exist(document: Path) -> None:
    """Each dotted name in a document is a package, a module, or a class, function or constant in one."""
    named = set(_NAME.findall(document.read_text(encoding="utf-8")))
    assert {name for name in named if not _exists(name)} == set()


def test_the_check_of_names_can_fail() -> None:
    assert _exists("kg.documents.YamlDocument.text")
    assert not _exists("kg.documents.YamlDocument.gone")
    assert not _exists("kg.curation.gone")
    assert not _exists("api.gone")


def test_no_document_names_a_query_that_is_not_there() -> None:
    library = queries.library(ROOT)
    for name in re.findall(r"kg query ([a-z][\w-]+)", TEXT):
        assert name in library


def test_the_readme_has_two_commands_first() -> None:
    blocks = _SHELL.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert [b.strip() for b in blocks[:2]] == ["./kg build && ./kg serve", "./kg test"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A `kg serve` of the built graphs on a free port of this machine."""
    release = pipeline.release_from_ttl(ROOT, tmp_path_factory.mktemp("releases"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = kg_command("serve", "--port", str(port), "--store", str(release))
    with subprocess.Popen(command, env=environment(ROOT), stderr=subprocess.PIPE, text=True) as process:
        address = f"127.0.0.1:{port}"
        try:
            for _ in range(200):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.1):
                    break
                assert process.poll() is None
                time.sleep(0.05)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=20)


_EXAMPLE = re.compile(r"```sh\n(curl .*?)```\n(?:\n```\n(.*?)```)?", re.DOTALL)
EXAMPLES = [
    pytest.param(command, shown, id=f"{path.name}-{number}")
    for path in (ROOT / "README.md", ROOT / "docs" / "http.md")
    for number, (command, shown) in enumerate(_EXAMPLE.findall(path.read_text(encoding="utf-8")), 1)
]


@pytest.mark.parametrize(("command", "shown"), EXAMPLES)
def test_the_examples_run(command: str, shown: str, served: str) -> None:
    """Each `curl` command succeeds, and prints the block that follows it."""
    if not shutil.which("curl"):
        assert not os.environ.get("CI"), "continuous integration has curl"
        pytest.skip("no curl on this machine")
    shell = command.replace("127.0.0.1:8000", served)
    result = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=60, check=True)
    printed = [line.rstrip() for line in result.stdout.splitlines() if line.strip()]
    assert printed
    if shown:
        assert printed == [line.rstrip() for line in shown.splitlines() if line.strip()]
    else:
        assert "law:ai-act" in result.stdout


def test_the_numbers_of_the_readme_are_those_of_the_graph(served: str) -> None:
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    stated = re.search(r"([\d,]+) records, ([\d,]+) asserted facts and ([\d,]+) inferred ones", readme)
    counted = httpx.get(f"http://{served}/", headers={"Accept": "application/json"}).json()
    assert stated
    assert [int(number.replace(",", "")) for number in stated.groups()] == [
        counted["records"],
        counted["asserted"],
        counted["inferred"],
    ]


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


def test_every_setting_is_in_the_table_with_its_default() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `KG_(\w+)` \| (.+?) \| ", text, re.MULTILINE))
    prefixed = (
        ("", Settings),
        ("PARTNER_", FetchLimits),
        ("HISTORY_", HistoryBounds),
        ("REASON_", reasoning.ReasoningBounds),
    )
    fields = {p + name.upper(): field for p, model in prefixed for name, field in model.model_fields.items()}
    assert list(rows) == list(fields)
    special = {"": "(none)", "None": "(found)", "()": "`[]`", "True": "`true`", "False": "`false`"}
    for name, field in fields.items():
        shown = special.get(str(field.default), f"`{field.default}`")
        # A place is found for most; nothing stands in for texts that the operator may show.
        assert rows[name] == ("(none)" if name == "SOURCE_TEXTS" else shown), name
        assert field.description in text, name


def test_the_table_of_routes_is_what_they_declare() -> None:
    """`.venv/bin/python -m tools.routes` writes it."""
    assert routes.FILE.read_text(encoding="utf-8") == routes.document()


def test_the_documented_unit_exposes_little(tmp_path: Path) -> None:
    """By the measure of systemd itself, from 0 (nothing) to 10."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze on this machine")
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    unit = text.partition("## systemd\n\n```ini\n")[2].partition("```")[0]
    (tmp_path / "aikg.service").write_text(unit, encoding="utf-8")
    command = [program, "security", "--offline=true", "--threshold=25", str(tmp_path / "aikg.service")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-300:]
