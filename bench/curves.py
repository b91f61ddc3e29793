"""Graphs of cost by size as SVG: CPU per query and loading time, one line per server, on logarithmic axes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

import targets
from figures import rounded

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 740, 320, 90, 30, 170, 50
# Each server has the same colour in all graphs.
_COLOURS = {
    "kg": "#06c",
    "kg, in memory": "#077",
    "Oxigraph, on disk": "#c33",
    "Oxigraph, in memory": "#b60",
    "Fuseki, TDB2": "#383",
    "Virtuoso": "#939",
}
_GROUPS = {"tiny": "tiny queries", "joins": "joins and paths", "aggregates": "aggregates", "text": "text filters"}
TITLES = {
    **{f"cost-{group}": f"CPU per query in µs against triples: {title}" for group, title in _GROUPS.items()},
    "cost-load": "Seconds to load against triples",
}

Line = tuple[str, list[tuple[float, float]]]


def draw(results: Mapping[str, Any]) -> dict[str, str]:
    """The graphs by name, if there are at least two sizes."""
    trials = sorted(results["trials"], key=lambda t: t["triples"])
    if len(trials) < 2:
        return {}
    found = {f"cost-{group}": _of_queries(trials, group) for group in _GROUPS}
    found["cost-load"] = _of_peers(trials)
    return {name: chart(TITLES[name], lines) for name, lines in found.items() if lines}


def _of_queries(trials: Sequence[Mapping[str, Any]], group: str) -> list[Line]:
    """The geometric mean of the CPU per query over the cases that were measured for a server at every size."""
    by_peer: dict[str, dict[int, dict[str, float]]] = {}
    titles: dict[str, str] = {}
    for trial in trials:
        cases = {c["name"] for c in trial["cases"] if c["group"] == group}
        titles |= {p["name"]: p["title"] for p in trial["peers"]}
        for (case, _, peer), cpu in sorted(targets.medians(trial, "cpu").items(), reverse=True):
            if case in cases and cpu > 0:
                # Sorted so that the fewest clients come last and stay.
                by_peer.setdefault(peer, {}).setdefault(trial["triples"], {})[case] = cpu
    lines = []
    for peer, sizes in by_peer.items():
        common = set.intersection(*(set(costs) for costs in sizes.values()))
        if common and len(sizes) > 1:
            points = [(float(n), _mean([costs[c] for c in sorted(common)])) for n, costs in sorted(sizes.items())]
            lines.append((titles[peer], points))
    return lines


def _of_peers(trials: Sequence[Mapping[str, Any]]) -> list[Line]:
    points: dict[str, list[tuple[float, float]]] = {}
    for trial in trials:
        for peer in trial["peers"]:
            if peer["load_seconds"]:
                points.setdefault(peer["title"], []).append((trial["triples"], peer["load_seconds"]))
    return [(title, line) for title, line in points.items() if len(line) > 1]


def _mean(numbers: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, numbers)) / len(numbers))


def chart(title: str, lines: Sequence[Line]) -> str:
    """Draws lines over two logarithmic axes, with labels at their ends."""
    xs = [x for _, line in lines for x, _ in line]
    ys = [y for _, line in lines for _, y in line]
    across = _scale(min(xs), max(xs), _LEFT, _WIDTH - _RIGHT)
    low, high = 10 ** math.floor(math.log10(min(ys))), 10 ** math.ceil(math.log10(max(ys) * 1.01))
    up = _scale(low, high, _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" font-family="sans-serif" '
        f'font-size="12" fill="#555"><title>{escape(title)}</title>'
    ]
    step = low
    while step <= high * 1.001:
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{up(step):.1f}" y2="{up(step):.1f}" stroke="#ddd"/>'
            f'<text x="{_LEFT - 6}" y="{up(step) + 4:.1f}" text-anchor="end">{rounded(step)}</text>'
        )
        step *= 10
    parts += [
        f'<text x="{across(x):.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{rounded(x)}</text>'
        for x in sorted(set(xs))
    ]
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle:.0f}" y="{_HEIGHT - 10}" text-anchor="middle">triples</text>')
    heights = _apart([up(line[-1][1]) for _, line in lines])
    for (name, line), height in zip(lines, heights, strict=True):
        colour = _COLOURS.get(name, "#555")
        points = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in line)
        parts.append(
            f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{points}"/>'
            f'<text x="{_WIDTH - _RIGHT + 8}" y="{height + 4:.1f}" fill="{colour}">{escape(name)}</text>'
        )
    return "".join(parts) + "</svg>\n"


def _scale(low: float, high: float, begin: float, end: float) -> Any:
    """A logarithmic scale."""
    width = math.log(high / low) or 1.0
    return lambda number: begin + math.log(number / low) / width * (end - begin)


def _apart(heights: Sequence[float]) -> list[float]:
    """Moves the labels vertically so that they do not overlap."""
    order = sorted(range(len(heights)), key=lambda n: heights[n])
    placed = list(heights)
    for before, after in itertools.pairwise(order):
        placed[after] = max(placed[after], placed[before] + 14)
    return placed
