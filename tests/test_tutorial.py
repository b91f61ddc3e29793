"""Runs `docs/linking.md` command by command in a copy of the project with a server, and compares the output."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from projects import ROOT, environment
from servers import Process, serve, until

from kg.build import pipeline
from kg.release import store

DOCUMENT = ROOT / "docs" / "linking.md"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HOST = "http://127.0.0.1:8000"
SERVE = "./kg serve\n"


@dataclass(frozen=True, slots=True)
class Step:
    """A command of the tutorial with its expected output; None if not stated."""

    line: int
    command: str
    printed: str | None


def steps(text: str) -> list[Step]:
    """Each `sh` block with the following block without a language."""
    found: list[Step] = []
    for fence in _FENCE.finditer(text):
        line = text.count("\n", 0, fence.start()) + 1
        if fence[1] == "sh":
            found.append(Step(line, fence[2], None))
        elif not fence[1]:
            found[-1] = Step(found[-1].line, found[-1].command, fence[2])
    return found


STEPS = steps(DOCUMENT.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, with a `./kg` that uses the test environment."""
    folder = tmp_path_factory.mktemp("tutorial") / "project"
    folder.mkdir()
    for name in ("ontology", "queries", "data"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("pyproject.toml", "site.yaml"):
        shutil.copy(ROOT / name, folder)
    launcher = folder / "kg"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m kg.cli "$@"\n')
    launcher.chmod(0o755)
    pipeline.release_from_ttl(folder, folder / ".releases")
    return folder


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[Process]:
    with serve(project / ".releases", KG_PROJECT=str(project), KG_RELOAD_SECONDS="0.05") as process:
        yield process


def run(step: Step, project: Path, url: str) -> str:
    """The output of a command in the project folder; it must succeed."""
    for tool in ("curl", "bash"):
        if not shutil.which(tool):
            assert not os.environ.get("CI"), f"continuous integration has {tool}"
            pytest.skip(f"no {tool} on this machine")
    result = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", step.command.replace(HOST, url)],
        cwd=project, env={**environment(project), "no_proxy": "*", "COLUMNS": "200"},
        capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert result.returncode == 0, (step.line, result.stdout, result.stderr)
    return result.stdout


def plain(text: str) -> str:
    """Output without trailing whitespace."""
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").strip().split("\n"))


def _until_served(release: str, url: str) -> None:
    until(lambda: httpx.get(f"{url}/readyz", trust_env=False).json()["release"] == release)


@pytest.mark.slow
def test_the_tutorial(project: Path, server: Process) -> None:
    done = 0
    for step in STEPS:
        if step.command == SERVE:
            assert httpx.get(f"{server.url}/readyz", trust_env=False).status_code == 200
        else:
            printed = run(step, project, server.url)
            expected = (step.printed or "").replace(HOST, server.url)
            assert plain(printed) == plain(expected), f"docs/linking.md:{step.line}"
        if "./kg build" in step.command:
            _until_served(store.current_directory(project / ".releases").name, server.url)
        done += 1
    assert done == len(STEPS) > 10


def test_every_command_stands_in_a_block_that_is_run() -> None:
    """Commands outside blocks would not be tested."""
    text = _FENCE.sub("", DOCUMENT.read_text(encoding="utf-8"))
    assert not re.findall(r"^\s*(?:\$|\./kg|curl)\s", text, re.MULTILINE)
    assert STEPS[0].command == SERVE


def test_a_command_that_prints_something_else_is_noticed(project: Path, server: Process) -> None:
    assert plain(run(Step(0, "echo one\n", "two\n"), project, server.url)) != plain("two\n")
    with pytest.raises(AssertionError):
        run(Step(0, "false | true\n", None), project, server.url)


def test_the_keys_of_a_description_are_all_in_the_table() -> None:
    from kg.partners.descriptions import KEYS

    rows = re.findall(r"^\| (`.*?`) \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(key for row in rows for key in re.findall(r"`(\w+)`", row)) == sorted(KEYS)
