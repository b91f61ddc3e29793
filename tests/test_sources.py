"""Several sources in one project: the passages of each, found by the hash of its text."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import httpx
import pytest
from conftest import Server
from dataset import ROOT

from api.app import create_app
from api.settings import Settings
from kg.build import pipeline
from kg.curation import passages
from kg.errors import KgError
from kg.release import store

REPORT = "Report\n\nOne.\nTwo.\n"
ACT = "Act\n\n1 Norland has a polar institute.\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with two sources, whose texts are beside it, and a record with facts of both."""
    root = tmp_path / "project"
    for folder in ("source", "place"):
        (root / "data" / folder).mkdir(parents=True)
    for name in ("ontology", "queries", "site.yaml"):
        (root / name).symlink_to(ROOT / name)
    (root / "data" / "source" / "curator.yaml").symlink_to(ROOT / "data" / "source" / "curator.yaml")
    for slug, text in (("report", REPORT), ("act", ACT)):
        (tmp_path / f"{slug}.txt").write_text(text, encoding="utf-8")
        (root / "data" / "source" / f"{slug}.yaml").write_text(
            f"about:\n  type: Source\n  label: {{ja: {slug}, en: {slug}}}\n  description: {{ja: 本文。, en: A text.}}\n"
            f"  sha256: {hashlib.sha256(text.encode()).hexdigest()}\n",
            encoding="utf-8",
        )
    (root / "data" / "place" / "norland.yaml").write_text(
        "report/3-4:\n  type: Jurisdiction\n  label: {en: Norland}\n"
        "act/3:\n  label: {en: Norland}\n"
        "curator:\n  label: {ja: 北国}\n  description: {ja: 国。, en: A country.}\n",
        encoding="utf-8",
    )
    return root


def test_a_text_finds_its_source(project: Path) -> None:
    assert {p.rule for p in pipeline.check(project)} == {"no-evidence"}
    for slug in ("report", "act"):
        assert passages.record(project, project.parent / f"{slug}.txt").name == f"{slug}.yaml"
    assert pipeline.check(project) == []
    written = (project / "data" / "passage" / "report.yaml").read_text(encoding="utf-8")
    assert "id: report/3-4\n" in written
    assert "act" not in written.replace("'kg passages'", "")


def test_the_named_source_must_have_that_text(project: Path) -> None:
    text = project.parent / "act.txt"
    assert passages.record(project, text, "act").name == "act.yaml"
    with pytest.raises(
        KgError, match=r"act\.txt is not the text of report: its SHA-256 is not the one in data/source/"
    ):
        passages.record(project, text, "report")
    with pytest.raises(KgError, match=r"there is no record data/source/reprot\.yaml"):
        passages.record(project, text, "reprot")


def test_a_text_of_no_source(project: Path) -> None:
    text = project.parent / "other.txt"
    text.write_text("Other\n", encoding="utf-8")
    digest = hashlib.sha256(b"Other\n").hexdigest()
    expected = rf"other\.txt is the text of no source: none in data/source/ has its SHA-256, {digest}"
    with pytest.raises(KgError, match=expected):
        passages.record(project, text)


def test_a_page_says_which_text_the_lines_are_of(project: Path) -> None:
    for slug in ("report", "act"):
        passages.record(project, project.parent / f"{slug}.txt")
    about = project / "data" / "source" / "act.yaml"
    about.write_text(about.read_text(encoding="utf-8") + "  altLabel: {en: Law}\n", encoding="utf-8")
    built = pipeline.build(project, project / ".releases")
    assert built.release is not None
    with (
        Server(create_app(Settings(project=project), store.open_release(built.release))) as running,
        httpx.Client(base_url=running.url, trust_env=False, timeout=30) as client,
    ):
        page = client.get("/page/place/norland", params={"lang": "en"}, headers={"accept": "text/html"}).text
    assert re.search(r'href="/graph/report/3-4[^>]*>report L3–4<', page)
    assert re.search(r'href="/graph/act/3[^>]*>Law L3<', page)
