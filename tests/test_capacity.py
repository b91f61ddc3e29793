"""The tables of docs/scaling.md are calculated from its inputs, and the inputs can be measured."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import capacity
import pytest
from conftest import make_release, tiny_quads
from dataset import BASE
from pyoxigraph import Literal, NamedNode, Quad

from kg.release.store import Release


def test_the_tables_of_the_document_follow_from_its_inputs() -> None:
    document = capacity.DOCUMENT.read_text(encoding="utf-8")
    assert capacity.written(document) == document, "run bench/capacity.py write"
    assert list(capacity.inputs_of(document)) == [row.name for row in capacity.INPUTS]


def test_the_tables_are_worked_out_as_the_document_says() -> None:
    given = {row.name: 0.0 for row in capacity.INPUTS}
    given |= {"memory": 100, "memory_million": 600, "cached": 100, "small": 300}
    given |= {"join": 900, "proxied": 30, "edge": 15, "disk_million": 400, "ready_million": 7, "make_million": 30}
    ten_millions = capacity.size_table(given).splitlines()[4]
    assert ten_millions == "| 10^7 | 6.1 GB | 60 GB | +70 s | 4.0 GB | 300 s |"
    ten_thousand = capacity.load_table(given).splitlines()[3]
    assert ten_thousand == "| 10^4 | 10 cores | 2.5 cores | 1.8 cores | 0.50 cores | 0.25 cores |"


@pytest.mark.serial
@pytest.mark.slow
def test_every_input_is_measured(tiny: Release, tmp_path: Path) -> None:
    for program in ("wrk", "nginx"):
        if shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None:
            assert os.environ.get("CI") != "true", f"continuous integration has {program}"
            pytest.skip(f"no {program} on this machine")
    note = NamedNode("http://www.w3.org/2004/02/skos/core#note")
    graph = NamedNode(BASE.graph + "extra")
    # Enough that their memory is visible: pages of shared libraries count less if other processes map them.
    more = [Quad(NamedNode(f"urn:extra:{n}"), note, Literal(str(n)), graph) for n in range(100_000)]
    bigger = make_release(tmp_path / "bigger", [*tiny_quads(), *more])
    measured = capacity.measure(tiny.directory, bigger.directory, tmp_path, seconds=1)
    assert measured.keys() == {row.name for row in capacity.INPUTS}
    assert all(measured[row.name] > 0 for row in capacity.INPUTS if row.unit == "µs")
    # Requests that are evaluated each time are not cache hits.
    assert measured["small"] > 2 * measured["cached"]
    assert measured["memory"] > 20
    assert measured["memory_million"] > 0
