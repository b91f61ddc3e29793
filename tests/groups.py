"""How a run is divided among the workers of pytest-xdist.

Each file goes to one worker, because of the fixtures that its tests share; what asks one engine is one group, so that
each engine is started once; and tests that measure time run at the end, when nothing else does.
"""

from __future__ import annotations

import re
from typing import Any

from xdist.scheduler import LoadScopeScheduling

# What takes longest is begun first, so that no worker is left alone with it at the end.
FIRST = ("virtuoso", "fuseki", "test_site", "test_replicas", "test_faults", "test_federation", "test_desk")
# Files whose tests share nothing that takes long to make: any worker may run any of them.
SPREAD = {"test_release", "test_partners", "test_rejects", "test_reasoning", "test_shapes", "test_parses"}
# Tests that measure time or memory. Each must also pass while another process keeps one core busy.
SERIAL = {
    "test_bench::test_a_run_measures_and_is_told",
    "test_capacity::test_every_input_is_measured",
    "test_desk::test_strange_bodies_hold_nobody_up_and_nothing_is_left_behind",
    "test_faults::test_64_products_leave_room_for_others_and_nothing_behind",
    "test_workers::test_a_crowd_of_queries_of_some_milliseconds_is_not_stopped_to_begin_anew",
    "test_workers::test_while_products_run_others_have_their_turn",
}
_ALONE = "serial"
_NODEID = re.compile(r"(?:.*/)?(?P<file>\w+)\.py::(?P<test>\w+)(?:\[(?P<engine>fuseki|virtuoso)\b)?")


def group_of(nodeid: str) -> str:
    """The group of a test, by its node id: with pytest 9.2 the group marks of pytest-xdist 3.8 have no effect."""
    match = _NODEID.match(nodeid)
    assert match, nodeid
    if f"{match['file']}::{match['test']}" in SERIAL:
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
