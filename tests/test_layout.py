"""The parts of the project have names that say one thing each, and the tests are grouped as `groups` says."""

from __future__ import annotations

import re
from pathlib import Path

import groups

ROOT = Path(__file__).resolve().parents[1]


def test_the_groups_name_tests_that_exist() -> None:
    files = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py")}
    assert {*groups.FIRST, *groups.SPREAD} - {"fuseki", "virtuoso"} <= files.keys()
    for name in groups.SERIAL:
        file, _, test = name.partition("::")
        assert re.search(rf"^def {test}\(", files[file], re.MULTILINE), name


def test_engines_and_what_measures_time_are_groups_across_files() -> None:
    assert groups.group_of("tests/test_backends.py::test_x[fuseki-a b]") == "fuseki"
    assert groups.group_of("tests/test_publication.py::test_x[virtuoso]") == "virtuoso"
    assert groups.group_of("tests/test_site.py::test_x[fuse]") == "test_site"
    assert {groups.group_of(f"tests/{name.replace('::', '.py::')}") for name in groups.SERIAL} == {"serial"}
