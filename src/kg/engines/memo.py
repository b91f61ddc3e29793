"""A cache of quads that were read over the network."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from pyoxigraph import NamedNode, Quad

# How many terms one round trip fetches.
BATCH = 100
LARGEST_KEPT = 5_000
_MOST_CANDIDATES = 2_000


class Memo:
    """An LRU cache of the quads about terms and of scans, limited by the number of quads. A release never changes."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.quads = 0
        self.subjects: OrderedDict[Any, tuple[Quad, ...]] = OrderedDict()
        self.objects: OrderedDict[Any, tuple[Quad, ...]] = OrderedDict()
        self.patterns: OrderedDict[Any, tuple[Quad, ...]] = OrderedDict()
        # Terms in quads that were read: a page is likely to read their labels and parts next.
        self._candidates: OrderedDict[Any, None] = OrderedDict()
        # Terms that are read together.
        self._groups: OrderedDict[Any, tuple[NamedNode, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, kept: OrderedDict[Any, tuple[Quad, ...]], term: Any) -> tuple[Quad, ...] | None:
        with self._lock:
            if term in kept:
                kept.move_to_end(term)
            return kept.get(term)

    def batch(self, kept: OrderedDict[Any, tuple[Quad, ...]], term: Any) -> list[Any]:
        """Return the term and others to fetch in the same round trip."""
        with self._lock:
            if kept is self.subjects:
                others = list(
                    itertools.islice((t for t in reversed(self._candidates) if t not in kept and t != term), BATCH)
                )
                for other in others:
                    del self._candidates[other]
                self._candidates.pop(term, None)
                return [term, *others]
            return [term, *(t for t in self._groups.get(term, ()) if t not in kept and t != term)][:BATCH]

    def expect(self, terms: list[NamedNode]) -> None:
        with self._lock:
            for term in reversed(terms):  # so that the first of them is the first to be fetched
                if term not in self.subjects:
                    self._candidates[term] = None
                    self._candidates.move_to_end(term)
            if terms:
                self._groups[terms[0]] = tuple(terms)
                self._bound()

    def keep(self, kept: OrderedDict[Any, tuple[Quad, ...]], found: dict[Any, list[Quad]]) -> None:
        with self._lock:
            for term, quads in found.items():
                if term in kept or len(quads) > LARGEST_KEPT:
                    continue
                kept[term] = tuple(quads)
                self.quads += len(quads) + 1
                if kept is not self.patterns:
                    self._expect(quads)
            while self.quads > self.most:
                largest = max((self.subjects, self.objects, self.patterns), key=len)
                _, gone = largest.popitem(last=False)
                self.quads -= len(gone) + 1

    def _expect(self, quads: Sequence[Quad]) -> None:
        for term in itertools.chain.from_iterable((q.object, q.subject, q.predicate) for q in quads):
            if isinstance(term, NamedNode) and term not in self.subjects:
                self._candidates[term] = None
        self._bound()

    def _bound(self) -> None:
        while len(self._candidates) > _MOST_CANDIDATES:
            self._candidates.popitem(last=False)
        while len(self._groups) > BATCH:
            self._groups.popitem(last=False)
