"""Some seconds of attacks on a real server; `bench/attacks.py` runs all of them for any time."""

from __future__ import annotations

from pathlib import Path

import attacks
import figures
import pytest

from kg.release.store import Release

# On a busy machine, with one core for attacker, server and client.
MOST_SECONDS = {"kept": 0.5, "ask": 1.0, "page": 3.0}


@pytest.mark.slow
@pytest.mark.serial
def test_attacks_leave_a_good_client_its_answers(real: Release, tmp_path: Path) -> None:
    names = ["search", "pages", "reconcile", "stalled", "bodies", "slow"]
    found = attacks.run(real.directory, names, 3.0, tmp_path / "log")
    for name, felt in found.items():
        assert not felt.failed, (name, felt.failed[:3])
        for kind, most in MOST_SECONDS.items():
            times = getattr(felt, kind)
            assert figures.percentile(times, 50) < most, (name, kind, times)
        # Bodies under way are bounded; a gigabyte was announced.
        assert felt.megabytes < 450, (name, felt.megabytes)
