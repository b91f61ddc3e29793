"""Measures matching: precision, recall, calibration and names per second.

python bench/matching.py [RELEASE] [--speed]
"""

from __future__ import annotations

import argparse
import csv
import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kg.linking.matching import Candidate, Matcher, open_matcher
from kg.names import normalization
from kg.names.name_profile import NameProfile
from kg.project.reading import read_project
from kg.release import store

ROOT = Path(__file__).resolve().parents[1]
LABELLED = ROOT / "tests" / "matching" / "labelled.tsv"
# Made by bench/labelling.py: payees of the state with their numbers, and writings by rule.
WIDENED = ROOT / "tests" / "matching" / "widened.tsv"
_NUMBER = "corporateNumber"
HALVES = ("tuning", "held-out")
RECORDS = read_project(ROOT).base.id
_BANDS = ((0, 40), (40, 60), (60, 75), (75, 90), (90, 101))


@dataclass(frozen=True, slots=True)
class Label:
    """A labelled name: the kind or '', the path of the right record, '' for none, and the number beside the name."""

    name: str
    kind: str
    expected: str
    reason: str
    half: str
    number: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The automatic match of a name, '' for none, and all candidates."""

    label: Label
    chosen: str
    candidates: tuple[Candidate, ...]

    @property
    def is_right(self) -> bool:
        return self.chosen == self.label.expected


@dataclass(frozen=True, slots=True)
class Quality:
    """Precision and recall of automatic matches, and the share of right first candidates."""

    names: int
    precision: float
    recall: float
    first: float

    def __str__(self) -> str:
        return (
            f"{self.names:4} names  precision {self.precision:.3f}  recall {self.recall:.3f}  "
            f"right candidate first {self.first:.3f}"
        )


def labels(path: Path = LABELLED) -> list[Label]:
    """The labelled set; `-` stands for no record."""
    with path.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [
            Label(r["name"], r["kind"], "" if r["expected"] == "-" else r["expected"], r["reason"], r["half"])
            for r in rows
        ]


def widened(path: Path = WIDENED) -> list[Label]:
    """The widened set, all of organisations; `-` stands for no record."""
    with path.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [
            Label(r["name"], "organization", r["expected"].strip("-"), r["rule"], r["half"], r["number"]) for r in rows
        ]


def judge(matcher: Matcher, known: Iterable[Label], root: str = RECORDS) -> list[Verdict]:
    """Runs the matcher on each name."""
    verdicts = []
    for label in known:
        beside = [(_NUMBER, label.number)] if label.number else []
        candidates = matcher.match(label.name, kinds=[label.kind] if label.kind else [], properties=beside)
        chosen = next((c.iri.removeprefix(root) for c in candidates if c.match), "")
        verdicts.append(Verdict(label, chosen, tuple(candidates)))
    return verdicts


def quality(verdicts: Sequence[Verdict], root: str = RECORDS) -> Quality:
    """Precision and recall of automatic matches; a wrong record lowers both."""
    chosen = [v for v in verdicts if v.chosen]
    wanted = [v for v in verdicts if v.label.expected]
    right = sum(v.is_right for v in chosen)
    first = sum(bool(v.candidates) and v.candidates[0].iri.removeprefix(root) == v.label.expected for v in wanted)
    return Quality(len(verdicts), right / len(chosen), right / len(wanted), first / len(wanted))


def calibration(verdicts: Iterable[Verdict], root: str = RECORDS) -> list[tuple[str, int, float]]:
    """For bands of the first candidate's score: the number of names, and the share of right candidates."""
    bands: dict[tuple[int, int], list[bool]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.candidates:
            best = verdict.candidates[0]
            band = next(b for b in _BANDS if b[0] <= best.score < b[1])
            bands[band].append(best.iri.removeprefix(root) == verdict.label.expected)
    return [
        (f"{low}–{min(high, 100)}", len(found), sum(found) / len(found)) for (low, high), found in sorted(bands.items())
    ]


def speed(open_new: Callable[[], Matcher], names: Sequence[str], rounds: int = 1) -> float:
    """Names per second of one processor; each round has a new matcher, so that nothing is cached.

    Uses processor time instead of wall time, since the machine may be busy.
    """
    seconds = 0.0
    for _ in range(rounds):
        normalization.name.cache_clear()
        matcher = open_new()
        started = time.process_time()
        for name in names:
            matcher.match(name)
        seconds += time.process_time() - started
    return rounds * len(names) / seconds


def unknown(known: Sequence[Label], names: int = 2_000) -> list[str]:
    """Names that look like ours but belong to no record, so that each needs the search index."""
    return [f"{label.name} {n}区" for n, label in zip(range(names), itertools.cycle(known), strict=False)]


def measure_speed(release: store.Release, names: NameProfile, known: Sequence[Label]) -> None:
    """Prints names per second: as the labelled set has them, of which a sixth are unknown, and unknown alone."""
    tables = {
        "labelled names": list(dict.fromkeys(label.name for label in known)),
        "payees and writings by rule": list(dict.fromkeys(label.name for label in widened())),
        "unknown names": unknown(known),
    }
    for title, table in tables.items():
        print(f"{title:28} {speed(lambda: open_matcher(release, names), table):6,.0f} names/s ({len(table):,})")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("release", nargs="?", type=Path, help="folder of a release (default: the current one)")
    parser.add_argument("--speed", action="store_true", help="measure only names per second")
    options = parser.parse_args()
    place = options.release or store.current_directory(store.default_releases(ROOT))
    release, names = store.open_release(place), read_project(ROOT).names
    if options.speed:
        measure_speed(release, names, labels())
        return
    root = release.manifest.base_iri + "id/"
    started = time.perf_counter()
    matcher = open_matcher(release, names)
    print(f"opened in {time.perf_counter() - started:.2f} s: release {release.manifest.id[:16]}")
    known = labels()
    verdicts = judge(matcher, known, root)
    for half in HALVES:
        print(f"{half:9}", quality([v for v in verdicts if v.label.half == half], root))
    print(f"{'all':9}", quality(verdicts, root))
    wide = judge(matcher, widened(), root)
    for half in HALVES:
        print(f"widened, {half:9}", quality([v for v in wide if v.label.half == half], root))
    for band, count, share in calibration(verdicts, root):
        print(f"score {band:6} of the first candidate: {count:4} names, {share:.2f} of them right")
    measure_speed(release, names, known)


if __name__ == "__main__":
    main()
