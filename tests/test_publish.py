"""Publishing a dataset on the site: three steps, and a folder that a build takes as it is."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from accessibility import violations
from conftest import Server
from dataset import BASE, ROOT
from visits import WIDTHS

from api.app import create_app
from api.settings import Settings
from kg.build import pipeline
from kg.release import store

HTML = {"accept": "text/html"}
LINKS = (
    "@prefix skos: <http://www.w3.org/2004/02/skos/core#> .\n"
    f'<https://ministry.example/id/7> skos:exactMatch <{BASE.id}place/japan> ; skos:prefLabel "Japan"@en .\n'
    f"<#unit> skos:relatedMatch <{BASE.id}place/japan> .\n"
)
DESCRIPTION = {
    "name": "example-ministry",
    "title.ja": "ある省の機関：一覧",
    "title.en": "Bodies of a ministry: a list",
    "description.ja": "省が所管する機関の一覧。",
    "description.en": "The bodies that a ministry oversees.",
    "linking.ja": "名称で対応づけた。",
    "linking.en": "Matched by name.",
    "publisher.name.ja": "ある省",
    "publisher.name.en": "A ministry",
    "license": "https://creativecommons.org/licenses/by/4.0/",
    "homepage": "https://ministry.example/data",
    "contact": "data@ministry.example",
    "distribution": "https://ministry.example/data/links.ttl",
}
REFUSED = "the server responded with a status of 422"


def field(path: str) -> str:
    return "#ui-publish-" + path.replace(".", "-")


def describe(page: Any) -> None:
    for path, text in DESCRIPTION.items():
        page.fill(field(path), text)
    page.click("button[value=validate]")
    page.wait_for_selector("#ui-publish-text")


def downloaded(page: Any, as_format: str) -> Path:
    with page.expect_download() as waiting:
        page.click(f"button[value={as_format}]")
    return Path(waiting.value.path())


@pytest.mark.browser
def test_a_dataset_goes_from_the_form_to_the_page_of_the_record(
    visit: Callable[..., Any], browser: Any, small: Path, tmp_path: Path
) -> None:
    """Without scripts: describe, validate, submit; a build takes the folder, lists it, and shows its links."""
    page = visit("/?lang=en", java_script_enabled=False)
    page.click("main a[href*='/publish']")
    describe(page)
    page.fill("#ui-publish-text", LINKS)
    page.click("button[value=submit]")
    assert "Ready to download" in page.inner_text(".verdict")
    assert "2 links to our records" in page.inner_text(".verdict")
    patch, folder = downloaded(page, "patch"), downloaded(page, "zip")

    copy = tmp_path / "project"
    shutil.copytree(small, copy, ignore=shutil.ignore_patterns(".releases"))
    assert not (copy / "data" / "partners" / "example-ministry").exists()
    zipfile.ZipFile(folder).extractall(copy)
    found = pipeline.build(copy, copy / ".releases")
    release = store.open_release(copy / ".releases" / "current")
    assert [w for w in found.warnings if "example-ministry" in str(w)] == []
    with Server(create_app(Settings(project=copy), release)) as running, httpx.Client(base_url=running.url) as http:
        listed = http.get("/dataset?lang=ja", headers=HTML).text
        assert "ある省の機関：一覧" in listed
        back = http.get("/page/place/japan?lang=en", headers=HTML).text
        assert 'href="https://ministry.example/id/7"' in back
        assert "A ministry" in back

    # The patch makes the same folder.
    other = tmp_path / "other"
    other.mkdir()
    subprocess.run(["git", "init", "-q", str(other)], check=True)
    subprocess.run(["git", "-C", str(other), "apply", "--whitespace=error", str(patch)], check=True)
    made = {p.relative_to(copy) for p in (copy / "data" / "partners" / "example-ministry").iterdir()}
    assert {p.name for p in made} == {"dataset.yaml", "links.ttl"}
    assert all((other / p).read_bytes() == (copy / p).read_bytes() for p in made)


@pytest.mark.browser
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_each_step_is_a_whole_page(visit: Callable[..., Any], language: str, width: str) -> None:
    """Faults are marked beside their fields, and everything that was entered is still there."""
    page = visit(f"/publish?lang={language}", width, expected=REFUSED)
    for path, text in (DESCRIPTION | {"name": "Example Ministry", "title.en": "", "homepage": "ministry"}).items():
        page.fill(field(path), text)
    page.keyboard.press("Enter")
    page.wait_for_selector(".problem[role=alert]")
    faulty = ["name", "title.en", "homepage"]
    assert page.locator("[aria-invalid=true]").evaluate_all("all => all.map(e => e.name)") == faulty
    assert page.locator(".problem li a").count() == 3
    assert page.evaluate("document.activeElement.name") == "name"
    assert page.input_value(field("title.ja")) == DESCRIPTION["title.ja"]
    assert page.input_value(field("contact")) == "mailto:data@ministry.example"
    told = page.inner_text("#ui-wrong-ui-publish-name")
    assert ("小文字の英数字" if language == "ja" else "lower-case letters") in told
    whole(page, width)
    describe(page)
    page.fill("#ui-publish-text", f"<{BASE.id}organization/nii> <urn:p> [] .\n")
    whole(page, width)
    page.click("button[value=submit]")
    page.wait_for_selector(".verdict.bad")
    assert page.locator(".findings li").count() >= 2
    assert ("自分のIRIを主語に" if language == "ja" else "turn the link round") in page.inner_text(".findings")
    assert BASE.id in page.input_value("#ui-publish-text")
    whole(page, width)
    page.fill("#ui-publish-text", LINKS)
    page.click("button[value=submit]")
    page.wait_for_selector(".verdict.good")
    page.click(".facts summary")
    assert "file: links.ttl" in page.inner_text(".facts pre")
    whole(page, width)
    # Back to the first step, nothing is lost.
    page.click("button[value=validate]")
    page.click("button[value=describe]")
    assert page.input_value(field("linking.ja")) == DESCRIPTION["linking.ja"]


def whole(page: Any, width: str) -> None:
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width][0]
    assert violations(page, "best-practice") == []


# ---- requests ----


def post(http: httpx.Client, path: str = "/publish/folder", **changes: str) -> httpx.Response:
    form = {**DESCRIPTION, "step": "submit", "text": LINKS, "syntax": "ttl", **changes}
    return http.post(path, files={name: (None, value) for name, value in form.items()}, headers={"accept": "*/*"})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"license": "CC BY"}, "license"),
        ({"publisher.name.en": ""}, "publisher.name.en"),
        ({"publisher.homepage": "none"}, "publisher.homepage"),
        ({"name": "../x"}, "name"),
        ({"name": ""}, "name"),
        ({"text": ""}, "RDF is expected"),
        ({"text": "<a> <b"}, "line 1"),
        ({"text": f"<{BASE.id}law/ai-act> <urn:p> 1 ."}, "does not conform"),
        ({"text": f"<urn:a> <urn:p> <{BASE.id}law/none> ."}, "does not conform"),
        ({"text": "<urn:g> { <urn:a> <urn:p> 1 }", "syntax": "trig"}, "does not conform"),
        ({"text": "<urn:a> <urn:p> [] ."}, "does not conform"),
        (
            {"text": '{"@context": "https://w3id.org/aikg/context.jsonld", "id": "urn:a"}', "syntax": "jsonld"},
            "context",
        ),
    ],
)
def test_nothing_is_handed_over_that_a_build_would_leave_out(
    real_http: httpx.Client, changes: dict[str, str], said: str
) -> None:
    answer = post(real_http, **changes)
    assert answer.status_code in (400, 422)
    assert said in answer.json()["detail"]


def test_texts_arrive_as_they_were_typed(real_http: httpx.Client) -> None:
    """Signs that mean something in YAML, line breaks, and letters in two forms."""
    odd = {"title.en": "*[yes]: 'no' # \"1\"", "title.ja": "か\u3099\r\n一覧\t　表", "description.en": "1e3"}
    answer = post(real_http, **odd)
    assert answer.status_code == 200, answer.text
    assert post(real_http, **odd).content == answer.content
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        text = archive.read("data/partners/example-ministry/dataset.yaml").decode()
    import yaml

    read = yaml.safe_load(text)
    assert read["title"] == {"ja": "が 一覧 表", "en": "*[yes]: 'no' # \"1\""}
    assert read["description"]["en"] == "1e3"
    assert read["contact"] == "mailto:data@ministry.example"


def test_a_dataset_of_our_own_passes_as_it_is(real_http: httpx.Client) -> None:
    """What stands in `data/partners` could have come through this page."""
    import yaml

    folder = ROOT / "data" / "partners" / "government-registers"
    told = yaml.safe_load((folder / "dataset.yaml").read_text(encoding="utf-8"))
    flat = {f"{k}.{t}": v for k in ("title", "description", "linking") for t, v in told[k].items()}
    flat |= {f"publisher.name.{t}": v for t, v in told["publisher"]["name"].items()}
    flat |= {k: told[k] for k in ("license", "homepage", "contact", "distribution")}
    text = (folder / told["file"]).read_text(encoding="utf-8")
    answer = post(real_http, **flat, name="government-registers", text=text)
    assert answer.status_code == 200, answer.text
    assert (
        "is listed already" in post(real_http, "/publish?lang=en", **flat, name="government-registers", text=text).text
    )


def test_the_last_step_says_how_to_hand_over(real_http: httpx.Client) -> None:
    """The text to copy is about the dataset; nobody is sent to the form for errors."""
    body = post(real_http, "/publish?lang=en").text
    assert "ui-report" not in body
    letter = re.search(r'data-copy="">([^<]*)', body)
    assert letter
    assert "example-ministry" in letter[1]
    assert "data@ministry.example" in letter[1]


def test_a_licence_may_be_given_by_its_name(real_http: httpx.Client) -> None:
    answer = post(real_http, license="cc-by 4.0")
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        text = archive.read("data/partners/example-ministry/dataset.yaml").decode()
    assert "https://creativecommons.org/licenses/by/4.0/" in text


def test_pasted_markup_stays_text(real_http: httpx.Client) -> None:
    evil = '"><script>alert(1)</script>'
    for step in ("describe", "validate", "submit"):
        answer = post(real_http, "/publish?lang=en", step=step, text=evil, **{"title.en": evil, "homepage": evil})
        assert "<script>alert" not in answer.text
        assert "&lt;script&gt;alert" in answer.text


def test_a_linkset_of_this_site_is_taken_as_it_is(real_http: httpx.Client) -> None:
    """What the link desk and the page for texts hand over needs no change."""
    form = {"page": "https://ministry.example/news/1", "record:place/japan": "1"}
    of_text = real_http.post("/mentions/links", data=form).text
    work = {
        "columns": ["code", "name"],
        "rows": [["7", "日本"]],
        "name": 1,
        "subject": "https://ministry.example/id/{code}",
        "decisions": [[f"{BASE.id}place/japan", "exact", "machine", 100, "", ""]],
    }
    of_table = real_http.post("/link/linkset", json=work).text
    for text in (of_text, of_table):
        answer = post(real_http, text=text)
        assert answer.status_code == 200, answer.text
        assert "1 link to our records" in post(real_http, "/publish?lang=en", text=text).text
