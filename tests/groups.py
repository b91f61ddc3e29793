"""How a run is divided among the workers of pytest-xdist.

Each file goes to one worker, because of the fixtures that its tests share; what asks one engine is one group, so that
each engine is started once; and tests that measure time run at the end, when nothing else does.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# What takes longest is begun first, so that no worker is left alone with it at the end.
FIRST = ("virtuoso", "fuseki", "test_site", "test_replicas", "test_faults", "test_federation", "test_desk")
# Files whose tests share nothing that takes long to make: any worker may run any of them.
SPREAD = {
    "test_site",
    "test_explorer_use",
    "test_release",
    "test_partners",
    "test_rejects",
    "test_reasoning",
    "test_shapes",
    "test_parses",
}
# Files that start a server, a command, a browser or the OWL reasoner as a process: `--fast` leaves them out.
PROCESSES = {
    "adding",
    "agents",
    "backends",
    "bench",
    "canonical",
    "capacity",
    "cli",
    "client",
    "clients",
    "compaction",
    "desk",
    "docs",
    "explorer_use",
    "faults",
    "federation",
    "generation",
    "installed",
    "isolation",
    "large",
    "link",
    "new_project",
    "openapi",
    "own_copy",
    "pages",
    "partners",
    "publication",
    "publish",
    "reading",
    "reasoning",
    "reconciliation",
    "reconciliation_clients",
    "reconciliation_draft",
    "referee",
    "release",
    "replicas",
    "robot",
    "repository",
    "serving",
    "site",
    "soak",
    "tutorial",
    "validation_page",
    "validation_service",
    "workers",
}
_ALONE = "serial"
_MARK = re.compile(r"^@pytest\.mark\.serial\n(?:@.*\n)*def (\w+)", re.MULTILINE)
_NODEID = re.compile(r"(?:.*/)?(?P<file>\w+)\.py::(?P<test>\w+)(?:\[(?P<engine>fuseki|virtuoso)\b)?")


@functools.cache
def serial() -> frozenset[str]:
    """The tests marked `serial`, as `file::test`; their source says so, because node ids do not."""
    files = Path(__file__).parent.glob("test_*.py")
    return frozenset(f"{p.stem}::{name}" for p in files for name in _MARK.findall(p.read_text(encoding="utf-8")))


def is_fast(item: pytest.Item) -> bool:
    """Whether a test belongs to the inner loop: no process of its own, no engine, no measured time."""
    marks = {mark.name for mark in item.iter_markers()}
    return item.path.stem.removeprefix("test_") not in PROCESSES and not marks & {"browser", "slow", "serial"}


def group_of(nodeid: str) -> str:
    """The group of a test, by its node id: with pytest 9.2 the group marks of pytest-xdist 3.8 have no effect."""
    match = _NODEID.match(nodeid)
    assert match, nodeid
    if f"{match['file']}::{match['test']}" in serial():
        return _ALONE
    return match["engine"] or (nodeid if match["file"] in SPREAD else match["file"])


def turn_of(nodeid: str) -> int:
    """The place of a test's group in the order in which groups are given out."""
    group = group_of(nodeid)
    return FIRST.index(group) if group in FIRST else len(FIRST) + (group == _ALONE)


class Groups(LoadScopeScheduling):
    """Gives out whole groups in the order of the collection, and the last one when a single worker is left."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        if self._is_for_one_alone:
            node.shutdown()
        else:
            super()._assign_work_unit(node)

    def _reschedule(self, node: Any) -> None:
        if not self._is_for_one_alone:
            super()._reschedule(node)
        elif node is not self.nodes[0] and not node.shutting_down:
            node.shutdown()

    def remove_node(self, node: Any) -> str | None:
        crashed = super().remove_node(node)
        for left in self.nodes:
            self._reschedule(left)
        return crashed

    @property
    def _is_for_one_alone(self) -> bool:
        """Whether what is left has to wait until there is one worker."""
        return [*self.workqueue] == [_ALONE] and len(self.nodes) > 1
