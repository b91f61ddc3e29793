"""Half a minute of requests in every segmentation; `bench/differential.py` runs for any time."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import differential
import loops
import pytest

from api.hotpath.connection import Connection
from kg.release.store import Release

SECONDS = 30.0


@pytest.mark.slow
def test_the_hot_path_answers_as_the_application_in_every_segmentation(tiny: Release, queries_project: Path) -> None:
    seed = random.SystemRandom().randrange(10**9)
    found = loops.run(differential.fuzz(tiny, SECONDS, seed, differential.settings(queries_project)))
    assert not found.differences, f"seed {seed}: {found}\n{found.differences[0]}"
    assert found.sequences > 100
    assert {"200", "400", "303", "404"} <= set(found.statuses)


def test_a_head_that_is_taken_for_another_is_found(
    tiny: Release, queries_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a hot path that forgets where the parser is."""

    def is_between(self: Any) -> bool:
        return bool(self.is_idle and self._refusal is None and not self.pipeline)

    monkeypatch.setattr(Connection, "_is_between", property(is_between))
    found = loops.run(differential.fuzz(tiny, 8.0, 7, differential.settings(queries_project)))
    assert found.differences
