"""The files around the code: the site of the documentation, container, CI, forms, citation and changelog."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from projects import ROOT

PLACES = os.pathsep.join([str(ROOT / "build" / "docs-env" / "bin"), os.environ.get("PATH", "")])


def tool(name: str) -> str:
    """A program of the group `docs` in pyproject.toml; skips where it is not installed."""
    found = shutil.which(name, path=PLACES)
    if found is None:
        assert os.environ.get("CI") != "true", f".ci/run installs {name} into build/docs-env"
        pytest.skip(f"no {name}: pip install -r requirements-docs.lock (CONTRIBUTING.md, Documentation)")
    return found


def run(*command: str, **extra: str) -> None:
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **extra}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


# ---- the documentation as a site ----


class Loaded(HTMLParser):
    """Collects what a page loads by itself: scripts, style sheets, images, fonts."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in {"script", "img", "iframe", "source"}:
            self.addresses.append(values.get("src") or "")
        elif tag == "link" and (values.get("rel") or "") not in {"canonical", "next", "prev"}:
            self.addresses.append(values.get("href") or "")


def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    folder = ROOT / "build" / "site" if os.environ.get("CI") == "true" else tmp_path
    run(tool("mkdocs"), "build", "--strict", "--site-dir", str(folder), NO_MKDOCS_2_WARNING="1")
    pages = [*folder.glob("*.html")]
    assert {p.stem for p in (ROOT / "docs").glob("*.md")} | {"index", "contributing"} <= {p.stem for p in pages}
    for page in pages:
        loaded = Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        assert loaded.addresses
        assert not [a for a in loaded.addresses if "//" in a], page.name
        assert 'class="mermaid"' not in page.read_text(encoding="utf-8"), "Material fetches Mermaid from another host"
    for sheet in folder.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet.name


# ---- container ----


def test_the_dockerfile_passes_its_linter() -> None:
    run(tool("hadolint"), "Dockerfile")


def test_the_container_is_pinned_and_runs_without_privileges() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert len(re.findall(r"^FROM python:3\.\d+\.\d+-slim-\w+", text, re.MULTILINE)) == text.count("FROM ")
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", text, re.MULTILINE)
    assert "/readyz" in text
    service = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["kg"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["init"] is True
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_the_image_is_made_of_what_the_package_is_made_of() -> None:
    """`.dockerignore` lets through every folder and file that the build of the wheel needs."""
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").split() if line.startswith("!")}
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    needed = {*wheel["wheel"]["packages"], *wheel["wheel"]["force-include"]}
    assert {Path(name).parts[0] for name in needed} | {"pyproject.toml", "requirements.lock", "README.md"} <= kept


# ---- forms and configuration ----

SCHEMAS = {
    "citation-file-format": ["CITATION.cff"],
    "compose-spec": ["compose.yaml"],
    "dependabot": [".github/dependabot.yml"],
    "github-workflows": [".github/workflows/ci.yml"],
    "github-issue-config": [".github/ISSUE_TEMPLATE/config.yml"],
    "github-issue-forms": [f".github/ISSUE_TEMPLATE/{n}.yml" for n in ("bug", "wrong-fact", "missing-link", "feature")],
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_configuration_files_keep_to_their_schemas(name: str) -> None:
    run(tool("check-jsonschema"), "--builtin-schema", f"vendor.{name}", *SCHEMAS[name])


def test_continuous_integration_runs_the_script_that_everybody_can_run() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    assert ".ci/run" in [step.get("run") for step in workflow["jobs"]["test"]["steps"]]


def test_the_development_container_is_json_with_a_forwarded_port() -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert container["forwardPorts"] == [8000]


# ---- versions ----


def test_the_version_is_the_same_everywhere_and_has_a_section_in_the_changelog() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    log = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (\S+)(?: \((\d{4}-\d{2}-\d{2})\))?$", log, re.MULTILINE)
    assert sections[0] == ("Unreleased", "")
    assert all(date for _, date in sections[1:])
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert sections[1] == (version, str(citation["date-released"]))
    assert str(citation["version"]) == version
    image = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["kg"]["image"]
    assert image == f"aikg:{version}"
