"""Half a minute of mixed traffic on a real server; `bench/soak.py` runs it for any time."""

from __future__ import annotations

from pathlib import Path

import pytest
import soak

from kg.release.store import Release


@pytest.mark.slow
def test_mixed_traffic_gets_no_wrong_answer_and_loses_no_worker(tiny: Release, tmp_path: Path) -> None:
    report = soak.soak(tiny.directory, 30, tmp_path / "log")
    assert report.wrong == []
    assert report.forked == report.ended + report.alive
    assert report.forked > 20
    assert report.growth < 20
    kinds = {name.partition(" ")[0] for name in report.counts}
    assert {"good", "bad", "hostile", "rude"} <= kinds
    assert "<polyline" in soak.plot(report)
