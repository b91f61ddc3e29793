"""The parts of the project have names that say one thing each, and the tests are grouped as `groups` says."""

from __future__ import annotations

from pathlib import Path

import groups

ROOT = Path(__file__).resolve().parents[1]


def test_the_groups_name_files_and_tests_that_exist() -> None:
    files = {path.stem for path in (ROOT / "tests").glob("test_*.py")}
    assert {*groups.FIRST, *groups.SPREAD} - {"fuseki", "virtuoso"} <= files
    marks = sum(
        path.read_text(encoding="utf-8").count("pytest.mark.serial\n") for path in Path(__file__).parent.glob("*.py")
    )
    assert len(groups.serial()) == marks > 0


def test_engines_and_what_measures_time_are_groups_across_files() -> None:
    assert groups.group_of("tests/test_backends.py::test_x[fuseki-a b]") == "fuseki"
    assert groups.group_of("tests/test_publication.py::test_x[virtuoso]") == "virtuoso"
    assert groups.group_of("tests/test_desk.py::test_x[fuse]") == "test_desk"
    assert {groups.group_of(f"tests/{name.replace('::', '.py::')}") for name in groups.serial()} == {"serial"}
