"""What requests cost: the classes that routes declare, in units of work."""

from __future__ import annotations

import enum


class Cost(enum.Enum):
    """What a request to a route costs this process: its name, its units of work, and its meaning.

    Requests of small cost have slots of their own; others share the units that `KG_WORK_UNITS` sets.
    """

    FIXED = ("fixed", 0, "bytes that are there already, or a few counters; never waits")
    SMALL = ("small", 1, "a lookup or two in an index or the store; has slots of its own")
    MEDIUM = ("medium", 4, "a page: dozens of lookups and a template")
    LARGE = ("large", 8, "work that grows with the release, or many requests in one")
    QUERY = ("query", 0, "SPARQL, evaluated by a worker process under a deadline; a page of its result is medium")
    UPLOAD = ("upload", 4, "a body that is read, parsed and processed; it waits for its slot when the body is there")

    def __init__(self, label: str, units: int, meaning: str) -> None:
        self.label = label
        self.units = units
        self.meaning = meaning
