"""Breaks down the time of a query: the engine alone, our evaluation, parsing, and transfer between processes.

`.venv/bin/python bench/anatomy.py [RELEASE]` prints a table of processor time in µs, best of five runs, in one process.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pyoxigraph import QuerySolutions, QueryTriples

from kg.curation import builder
from kg.engines import codec, evaluation
from kg.engines.evaluation import Query, ResultFormats
from kg.isolation.messages import LARGEST, Receiver, checked, split
from kg.project.location import project_root
from kg.rdf import formats
from kg.release import store
from kg.release.store import Release
from kg.sparql import guard

_NAMES = ("ask", "label", "describe", "optional", "path", "totals", "classes", "join")
_RUNS = 5
_SECONDS = 0.3


def microseconds(work: Callable[[], object]) -> float:
    """Processor time per call in the best of several runs."""
    work()
    best = float("inf")
    for _ in range(_RUNS):
        count, begun, until = 0, time.process_time(), time.perf_counter() + _SECONDS / _RUNS
        while time.perf_counter() < until:
            work()
            count += 1
        best = min(best, (time.process_time() - begun) / count)
    return best * 1e6


def parts(opened: Release, text: str, prefixes: dict[str, str]) -> list[float]:
    """The parts of one query: the engine with its serializer, `evaluate`, the guard, the messages and the socket."""
    backend, base = opened.store, opened.manifest.base_iri
    query, want = Query(text), ResultFormats("json", "nt")
    json = formats.RESULT_FORMATS[0].syntax

    def engine() -> object:
        found = backend.query(text)
        if isinstance(found, QueryTriples):
            return list(found)
        return found.serialize(format=json) if isinstance(found, QuerySolutions) else bool(found)

    def whole() -> evaluation.Answer:
        return evaluation.evaluate(backend, query, want, base=base, prefixes=prefixes, most_bytes=10**8)

    request, reply = codec.request(query, want, 10**8), codec.answer(whole())
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    receiver = Receiver()

    def moved() -> None:
        for packet in split(request):
            ours.send(packet)
        while receiver.receive(theirs) is None:
            pass
        for packet in split(reply[: LARGEST - 1]):
            theirs.send(packet)
        while receiver.receive(ours) is None:
            pass

    def coded() -> None:
        codec.request(query, want, 10**8)
        codec.read_request(request)
        codec.read_answer(checked(reply))

    with ours, theirs:
        return [
            microseconds(work) for work in (engine, whole, lambda: guard.read(text, guard.QueryLimits()), coded, moved)
        ]


def main() -> None:
    root = project_root()
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else store.current_directory(store.default_releases(root))
    opened = store.open_release(place)
    prefixes = builder.read_context(root).prefixes
    print("| query | engine alone | `evaluate` | guard | messages | socket, there and back |")
    print("|---|--:|--:|--:|--:|--:|")
    for name in _NAMES:
        text = (Path(__file__).parent / "queries" / f"{name}.rq").read_text(encoding="utf-8")
        if "?entity" in text and name != "classes":
            text = text.replace("?entity", f"<{opened.manifest.base_iri}id/organization/mext>")
        print(f"| {name} | " + " | ".join(f"{cost:,.3g}" for cost in parts(opened, text, dict(prefixes))) + " |")


if __name__ == "__main__":
    main()
