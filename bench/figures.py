"""The arithmetic of a comparison: medians, percentiles, and ratios of rounds that ran side by side."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence


def percentile(numbers: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile: the smallest number that at least `percent` of the numbers do not exceed."""
    if not numbers:
        raise ValueError("no numbers")
    rank = max(1, math.ceil(percent / 100 * len(numbers)))
    return sorted(numbers)[rank - 1]


def ratio(ours: Mapping[int, float], theirs: Mapping[int, float]) -> float | None:
    """The median of the ratios of ours to theirs, round by round; None if no round has both."""
    both = [ours[n] / theirs[n] for n in ours if theirs.get(n)]
    return statistics.median(both) if both else None


def rounded(number: float) -> str:
    """Three significant digits with thousands separators: 0.0123, 4.56, 78.9, 12,300."""
    if number == 0:
        return "0"
    digits = 2 - math.floor(math.log10(abs(number)))
    return f"{round(number, digits):,.{max(digits, 0)}f}"
