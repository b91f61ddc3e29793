"""`kg new` writes a project that builds, answers and serves at once, from any folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import httpx
import pytest
from projects import kg_command
from servers import serve

from kg.errors import KgError
from kg.project import scaffold
from kg.project.reading import read_project


def kg(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A `kg` command run in a folder, without settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("KG_")}
    return subprocess.run(
        kg_command(*arguments), cwd=folder, env=kept, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new project in two languages, built."""
    folder = tmp_path_factory.mktemp("new")
    base = "https://data.example.org/forests/"
    written = kg(folder, "new", "forests", "--base-iri", base, "--languages", "en,fr")
    assert written.returncode == 0, written.stderr
    built = kg(folder, "--project", "forests", "build")
    assert built.returncode == 0, built.stderr
    return folder / "forests"


def test_it_is_checked_and_answers_from_any_folder(made: Path, tmp_path: Path) -> None:
    assert kg(tmp_path, "--project", str(made), "check").stdout.strip() == "no problems"
    assert kg(tmp_path, "--project", str(made), "answers").stdout.strip() == "1 answers as expected"
    inside = kg(made / "data", "query", "programmes", "--format", "csv")
    assert "https://data.example.org/forests/id/organization/institute" in inside.stdout, inside.stderr
    assert (made / ".releases" / "current").exists()
    assert (made / "data" / "ttl" / "report.ttl").is_file()


def test_it_is_served_in_its_languages(made: Path) -> None:
    with (
        serve(made / ".releases", KG_PROJECT=str(made)) as process,
        httpx.Client(base_url=process.url, trust_env=False, timeout=20) as http,
    ):
        for language, other in (("en", "fr"), ("fr", "en")):
            page = http.get(f"/page/programme/example?lang={language}", headers={"accept": "text/html"})
            assert page.status_code == 200
            assert f'<html lang="{language}">' in page.text
            assert f'hreflang="{other}"' in page.text
            assert 'hreflang="ja"' not in page.text
        assert http.get("/fr/reconcile").json()["identifierSpace"].startswith("https://data.example.org/forests/")
        asked = http.get(
            "/sparql", params={"query": "ASK { ?s a <https://data.example.org/forests/ontology#Laboratory> }"}
        )
        assert asked.json()["boolean"] is True


def test_a_wrong_answer_is_told(made: Path) -> None:
    path = made / "tests" / "expected" / "programmes.json"
    right = path.read_text(encoding="utf-8")
    path.write_text(json.dumps({"rows": [["programme:other", "organization:institute", "2024"]]}), encoding="utf-8")
    try:
        wrong = kg(made, "answers")
        assert wrong.returncode == 1
        assert "programmes: missing: ['programme:other'" in wrong.stderr
        assert kg(made, "answers", "--write", "programmes").returncode == 0
        assert json.loads(path.read_text(encoding="utf-8"))["rows"] == json.loads(right)["rows"]
    finally:
        path.write_text(right, encoding="utf-8")


def test_its_check_finds_a_fault(made: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    scaffold.write(copy, "https://example.org/copy/", ["en"])
    record = copy / "data" / "programme" / "example.yaml"
    record.write_text(record.read_text(encoding="utf-8").replace("  runBy: organization:institute\n", ""))
    assert "[programme-without-organization]" in kg(copy, "check").stderr


def test_a_folder_with_files_is_left_alone(made: Path) -> None:
    with pytest.raises(KgError, match="not an empty folder"):
        scaffold.write(made, "https://example.org/x/", ["en"])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("new", "x", "--base-iri", "example.org"), "is no base"),
        (("new", "x", "--languages", "English"), "is not a language tag"),
        (("--project", "nowhere", "check"), "has no site.yaml"),
    ],
)
def test_a_bad_option_is_refused(tmp_path: Path, arguments: tuple[str, ...], expected: str) -> None:
    refused = kg(tmp_path, *arguments)
    assert refused.returncode == 1
    assert expected in refused.stderr


def test_the_template_has_texts_for_any_languages(tmp_path: Path) -> None:
    scaffold.write(tmp_path / "p", "https://example.org/p/", ["sv", "fi"])
    project = read_project(tmp_path / "p")
    assert project.languages == ("sv", "fi")
    assert set(project.title) == {"sv", "fi"}
    assert not [p for p in (tmp_path / "p").rglob("*") if p.is_file() and re.search(r"<<|\$\{|\$[a-z]", p.read_text())]
