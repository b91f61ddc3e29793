"""axe-core in a page of a real browser."""

from __future__ import annotations

import os
from typing import Any

import pytest
from projects import ROOT

AXE = ROOT / "tests" / "clients" / "node_modules" / "axe-core" / "axe.min.js"
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
# What passed is not described: selectors of all its elements take most of the time.
_RUN = """tags => axe.run({runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']}).then(
  found => found.violations.map(v => [v.id, v.nodes[0].target, v.nodes[0].failureSummary]))"""


def violations(page: Any, *tags: str) -> list[Any]:
    """What axe finds by WCAG 2.2 A and AA and by more tags: the rule, the first element at fault, and what is wrong.

    Skips without axe-core, except on CI, where that is a failure.
    """
    if not AXE.is_file():
        message = "axe-core is not installed: npm ci --prefix tests/clients"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[Any] = page.evaluate(_RUN, [*WCAG, *tags])
    return found
