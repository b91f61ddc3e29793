"""The task of query workers (`kg.isolation`): evaluates queries over the store of a release."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kg.engines import codec, evaluation
from kg.engines.backend import Backend
from kg.engines.federation import Forwarder
from kg.isolation.program import MessageHandler
from kg.release import store
from kg.release.evidence_sets import EvidenceSets


def hold(options: Mapping[str, Any]) -> Callable[[], Backend]:
    """What opens the store after the fork: it is in memory already where it is small enough."""
    return store.open_for_workers(Path(options["directory"]), options["memory_quads"])


def begin(held: Callable[[], Backend], options: Mapping[str, Any], services: Mapping[str, float]) -> MessageHandler:
    """Evaluates queries; these may ask the `services`, endpoints with their seconds, and no others."""
    opened = held()
    forwarder = Forwarder(services) if services else None
    base, prefixes = options["base"], options["prefixes"]
    sets = EvidenceSets(opened, base)

    def answer(message: bytes) -> bytes:
        query, want, most_bytes = codec.read_request(message)
        if forwarder:
            query = forwarder.redirect(query)
        asked, query = sets.resolved(query)
        found = evaluation.evaluate(asked, query, want, base=base, prefixes=prefixes, most_bytes=most_bytes)
        return codec.answer(found)

    # A remote store is asked over the network; it evaluates nothing here.
    return MessageHandler(answer, needs_network=bool(services) or opened.needs_network, needs_files=opened.needs_files)
