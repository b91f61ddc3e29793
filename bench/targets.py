"""Performance targets and whether they are met: ratios of a run, each relative to one peer."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import figures

_POINTS = ("label-cached", "describe-cached", "turtle-cached", "html-cached")
_JOINS = ("join", "optional", "path", "path-all")
_AGGREGATES = ("classes", "totals")


@dataclass(frozen=True, slots=True)
class Target:
    """A target; `least` is the minimum ratio of requests per second to the peer's, None if only reported."""

    title: str
    peer: str
    cases: tuple[str, ...]
    clients: tuple[int, ...]
    least: float | None
    corpus: str = "real"
    ours: str = "kg"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The ratios measured for a target, by case and number of clients; `costs` are ratios of CPU."""

    target: Target
    ratios: Mapping[tuple[str, int], float]
    costs: Mapping[tuple[str, int], float]

    @property
    def verdict(self) -> str:
        if not self.ratios:
            return "not measured"
        if self.target.least is None:
            return "for information"
        met = sum(ratio >= self.target.least for ratio in self.ratios.values())
        if met == len(self.ratios):
            return "met"
        return "not met" if met == 0 else f"met in {met} of {len(self.ratios)}"


def _against(title: str, corpus: str, cases: tuple[str, ...], least: Mapping[str, float | None]) -> list[Target]:
    return [Target(title, peer, cases, (1, 8, 64), bound, corpus) for peer, bound in least.items()]


TARGETS = (
    Target("cached point reads and pages, 8 clients and more", "oxigraph", _POINTS, (8, 64), 8.0),
    Target("the same", "oxigraph-memory", _POINTS, (8, 64), None),
    Target("the same and 304, mixed heads", "nginx", (*_POINTS, "not-modified"), (8, 64), 1.0),
    *(
        Target(
            f"uncached tiny queries, {n} client{'s' if n > 1 else ''}", peer, ("ask", "label", "describe"), (n,), bound
        )
        for n, least in ((1, 1.0), (8, 1.2), (64, 1.5))
        for peer, bound in (("oxigraph", least), ("oxigraph-memory", None))
    ),
    *_against(
        "uncached joins and paths, real graph",
        "real",
        _JOINS,
        {"oxigraph": 3.5, "oxigraph-memory": None, "fuseki": 3.0, "virtuoso": 4.0},
    ),
    *_against(
        "uncached aggregates, real graph",
        "real",
        _AGGREGATES,
        {"oxigraph": 3.0, "oxigraph-memory": None, "fuseki": 3.0, "virtuoso": 3.0},
    ),
    *_against("ten million triples: joins, ours on disk", "10m", _JOINS, {"oxigraph": 5.0}),
    Target("ten million triples: joins, ours in memory", "oxigraph", _JOINS, (1, 8, 64), 5.0, "10m", "kg-memory"),
    *_against("ten million triples: aggregates and text", "10m", (*_AGGREGATES, "text"), {"virtuoso": None}),
    Target("record as HTML, uncached", "baseline", ("html",), (1, 8, 64), 1.3),
)
COLD_START = ("cold start to the first answer", "fuseki", 5.0)


def medians(trial: Mapping[str, Any], key: str) -> dict[tuple[str, int, str], float]:
    """The median of a figure over the rounds, by case, clients and peer."""
    found: dict[tuple[str, int, str], list[float]] = {}
    for sample in trial["samples"]:
        found.setdefault((sample["case"], sample["clients"], sample["peer"]), []).append(sample[key])
    return {place: statistics.median(values) for place, values in found.items()}


def ratios(
    trial: Mapping[str, Any], peer: str, key: str = "per_second", ours: str = "kg"
) -> dict[tuple[str, int], float]:
    """The ratio of ours to a peer's, median over rounds, by case and clients."""
    rounds: dict[tuple[str, int], dict[str, dict[int, float]]] = {}
    for sample in trial["samples"]:
        place = rounds.setdefault((sample["case"], sample["clients"]), {})
        place.setdefault(sample["peer"], {})[sample["round"]] = sample[key]
    found = {place: figures.ratio(by.get(ours, {}), by.get(peer, {})) for place, by in rounds.items()}
    return {place: value for place, value in found.items() if value is not None}


def outcomes(trials: Sequence[Mapping[str, Any]]) -> list[Outcome]:
    """The targets for the corpora of a run, with the measured ratios."""
    by_corpus = {trial["corpus"]: trial for trial in trials}
    found = []
    for target in TARGETS:
        if (trial := by_corpus.get(target.corpus)) is None:
            continue
        speeds, costs = (_of(target, ratios(trial, target.peer, key, target.ours)) for key in ("per_second", "cpu"))
        found.append(Outcome(target, speeds, costs))
    return found


def _of(target: Target, every: Mapping[tuple[str, int], float]) -> dict[tuple[str, int], float]:
    return {p: r for p, r in every.items() if p[0] in target.cases and p[1] in target.clients}
