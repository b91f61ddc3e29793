"""Measures searches for partial, whole and misspelt names, on the real graph and on 100,000 similar labels.

    .venv/bin/python bench/search.py [--labels 100000]

In one process, without HTTP; each query is run once, in random order, so that nothing is cached.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import tempfile
import time
from pathlib import Path

from kg.project.location import project_root
from kg.release import search, store
from kg.release.search import IndexEntry, Search

SEED = 20260629
QUESTIONS = 3_000


def questions(entries: list[IndexEntry], most: int) -> list[str]:
    """Typical input: beginnings of names, whole names, names with two letters swapped, and single words."""
    chance = random.Random(SEED)
    names = sorted({e.text for e in entries if e.role in ("name", "other name", "spelling", "reading")})
    found: dict[str, None] = {}
    while len(found) < min(most, 4 * len(names)):
        name = chance.choice(names)
        at = chance.randrange(max(len(name) - 1, 1))
        swapped = name[:at] + name[at + 1 : at + 2] + name[at : at + 1] + name[at + 2 :]
        word = chance.choice(name.split())
        found.setdefault(chance.choice([name[: chance.randint(1, 6)], name, swapped, word]))
    return list(found)


def generated(entries: list[IndexEntry], labels: int, root: str) -> list[IndexEntry]:
    """Additional records, each with a name made of two real ones and a number."""
    chance = random.Random(SEED)
    names = [e for e in entries if e.role == "name" and e.kind != search.ONTOLOGY_KIND and e.language in ("ja", "en")]
    made = list(entries)
    for number in itertools.count():
        if len(made) >= labels:
            return made
        first, second = chance.choice(names), chance.choice(names)
        joint = " " if first.language == "en" else ""
        words = second.text.split(" ") if first.language == "en" else [second.text[:6]]
        text = f"{first.text}{joint}{chance.choice(words)}{joint}{number}"
        made.append(IndexEntry(f"{root}{first.kind}/n-{number}", first.kind, text, first.language, "name"))
    raise AssertionError


def measure(index: Search, asked: list[str]) -> tuple[float, float, float]:
    """Median, 99th percentile and maximum time of a search, in ms."""
    took = []
    for text in asked:
        start = time.perf_counter()
        index.find(text, limit=8)
        took.append((time.perf_counter() - start) * 1000)
    return statistics.median(took), statistics.quantiles(took, n=100)[98], max(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=int, default=100_000)
    labels = parser.parse_args().labels
    release = store.open_release(store.current_directory(project_root() / ".releases"))
    real = search.open_index(release)
    entries = search.entries(search.texts(release), release.manifest.base_iri)
    print(f"{'texts':>9} {'questions':>9} {'median ms':>9} {'p99 ms':>7} {'worst ms':>8}")
    with tempfile.TemporaryDirectory() as folder:
        many = generated(entries, labels, release.manifest.base_iri + "id/")
        search.write(Path(folder), many)
        for kept, index in ((entries, real), (many, search.read(Path(folder)))):
            asked = questions(kept, QUESTIONS)
            middle, rare, worst = measure(index, asked)
            print(f"{len(kept):>9,} {len(asked):>9,} {middle:>9.2f} {rare:>7.2f} {worst:>8.1f}")


if __name__ == "__main__":
    main()
