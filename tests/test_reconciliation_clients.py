"""Reconciliation clients as they come, on a server of the real data: OpenRefine's own classes, and `reconciler`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import maven
import pandas
import pytest
from conftest import ROOT

CLIENTS = ROOT / "tests" / "clients"
# As a spreadsheet leaves it: a number that is a floating-point one, blank and missing cells, a wrong legal form.
TABLE: dict[str, Any] = {
    "columns": ["機関名", "法人番号"],
    "rows": [
        ["（国研）理化学研究所", 1030005007111],
        ["国立情報学研究所", None],
        ["株式会社東京大学", ""],
        ["　", "　"],
        ["東京大学地震研究所", "5010005007398"],
        ["東大", " "],
    ],
}
# OpenRefine does not take an ideographic space for a blank, and asks for it like for a name.
MATCHES = ["organization/riken", "organization/nii", None, None, None, "organization/university-of-tokyo"]


def missing(message: str) -> str:
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


# ---- OpenRefine ----


@pytest.fixture(scope="module")
def openrefine(real_server: str) -> Any:
    """What OpenRefine's classes make of the answers to a table's names, in the steps of its dialogs."""
    try:
        java = Path(maven.java("javac")).with_name("java")
        jars = maven.classpath(maven.locked(CLIENTS / "openrefine.lock"))
    except maven.Missing as error:
        missing(str(error))
    asked = {
        **TABLE,
        "service": f"{real_server}/ja/reconcile",
        "type": "organization",
        "properties": {"法人番号": "corporateNumber"},
        "extend": {"properties": [{"id": "corporateNumber"}, {"id": "jurisdiction", "settings": {"limit": 1}}]},
        "prefixes": {"entity": "%E7%90%86%E7%A0%94", "type": "org", "property": "corp"},
    }
    done = subprocess.run(
        [java, "-cp", jars, CLIENTS / "OpenRefine.java"],
        input=json.dumps(asked).encode(),
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_openrefine_guesses_the_type_of_the_column(openrefine: Any) -> None:
    assert (openrefine["types"][0]["id"], openrefine["types"][0]["name"]) == ("organization", "機関・組織")


def test_openrefine_matches_a_batch_with_properties(openrefine: Any) -> None:
    recons = openrefine["recons"]
    assert [recon.get("m", {}).get("id") for recon in recons] == MATCHES
    assert [recon["j"] for recon in recons] == ["matched" if match else "none" for match in MATCHES]
    # What has no safe match has candidates to choose from, and no answer is an error.
    assert [recon["c"][0]["id"] for recon in recons if recon.get("c")] == ["organization/university-of-tokyo"] * 2
    assert not any(recon.get("e") for recon in recons)
    assert {recon["identifierSpace"] for recon in recons} == {"https://w3id.org/aikg/id/"}


def test_openrefine_fetches_properties_of_what_matched(openrefine: Any) -> None:
    assert openrefine["columns"] == [["corporateNumber", "法人番号", ""], ["jurisdiction", "国・地域", "place"]]
    [[number, place]] = openrefine["extended"]["organization/riken"]
    assert number == "1030005007111"
    assert (place["id"], place["name"]) == ("place/japan", "日本")
    # A value that the graph does not have leaves its cell empty.
    assert openrefine["extended"]["organization/nii"][0][0] is None


@pytest.mark.parametrize(
    ("what", "expected"), [("entity", "organization/riken"), ("type", "organization"), ("property", "corporateNumber")]
)
def test_openrefine_gets_suggestions_where_the_manifest_says(openrefine: Any, what: str, expected: str) -> None:
    assert openrefine["suggested"][what]["result"][0]["id"] == expected


def test_openrefine_is_proposed_properties_that_organisations_have(openrefine: Any) -> None:
    proposed = [one["id"] for one in openrefine["suggested"]["proposed"]["properties"]]
    # What only statements within their records have comes last: fetched for an organisation, it is empty.
    assert max(map(proposed.index, ("corporateNumber", "jurisdiction", "unitOf"))) < proposed.index("act")


# ---- reconciler ----

RECONCILER = """
import sys, pandas, reconciler
table = pandas.read_json(sys.stdin, dtype=False)
found = reconciler.reconcile(table["name"], type_id="organization", top_res=1, reconciliation_endpoint=sys.argv[1],
                             property_mapping={"corporateNumber": table["number"]})
print(found.to_json(orient="records"))
"""


def test_reconciler_matches_a_column_with_properties(real_server: str) -> None:
    names = {"name": ["（国研）理化学研究所", "東大", "株式会社東京大学"], "number": ["1030005007111", "", ""]}
    done = subprocess.run(
        [sys.executable, "-c", RECONCILER, f"{real_server}/ja/reconcile"],
        input=pandas.DataFrame(names).to_json(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = {row["input_value"]: (row["id"], row["match"], row["type_id"]) for row in json.loads(done.stdout)}
    assert found == {
        "（国研）理化学研究所": ("organization/riken", True, "organization"),
        "東大": ("organization/university-of-tokyo", True, "organization"),
        "株式会社東京大学": ("organization/university-of-tokyo", False, "organization"),
    }
