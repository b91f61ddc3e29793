"""The results of a run as Markdown: targets, peers, requests per second with ratios, CPU, latencies, differences."""

from __future__ import annotations

import itertools
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import curves
import targets
from figures import rounded

BEGIN, END = "<!-- measured: written by bench/run --write -->", "<!-- end of what was measured -->"
_WORDS = ("settings", "against", "")
_PARTS = {
    "cached": "Cached: the same again and again, 200 different heads",
    "tiny": "Tiny queries, each of them new",
    "joins": "Joins and paths, each query new",
    "aggregates": "Aggregates, each query new",
    "text": "Text, each query new",
    "dump": "Many rows",
    "pages": "Pages and records, each target new",
    "services": "Search and reconciliation",
    "library": "The query library, each query new",
}


def write(results: Mapping[str, Any], folder: Path) -> None:
    """Writes `report.md` and the graphs into a folder."""
    (folder / "report.md").write_text(render(results), encoding="utf-8")
    for name, drawn in curves.draw(results).items():
        (folder / f"{name}.svg").write_text(drawn, encoding="utf-8")


def publish(results: Mapping[str, Any], docs: Path) -> None:
    """Inserts the tables between the marks of `performance.md` and writes the graphs to `images/`."""
    page = docs / "performance.md"
    drawn = curves.draw(results)
    pictures = "".join(f"\n![{curves.TITLES[name]}](images/{name}.svg)\n" for name in drawn)
    page.write_text(between(page.read_text(encoding="utf-8"), f"{render(results)}{pictures}"), encoding="utf-8")
    for name, picture in drawn.items():
        (docs / "images" / f"{name}.svg").write_text(picture, encoding="utf-8")


def between(page: str, text: str) -> str:
    """The page with this text between its marks; raises `ValueError` if there are none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{after}"


def render(results: Mapping[str, Any]) -> str:
    """The whole report."""
    trials = results["trials"]
    parts = [
        "\n".join(dict.fromkeys(map(_machine, trials))),
        "\n".join(map(_run, trials)),
        "### Targets",
        _targets(trials),
    ]
    for trial in trials:
        parts += _trial(trial)
    return "\n\n".join(part for part in parts if part) + "\n"


def _machine(trial: Mapping[str, Any]) -> str:
    machine = trial["machine"]
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, Linux {machine['kernel']}, "
        f"Python {machine['python']}, wrk {machine['wrk']}; the server on one core, the load on the other."
    )


def _run(trial: Mapping[str, Any]) -> str:
    run = trial["run"]
    return f"- {trial['corpus']}: `{run['command']}`, {run['date']}, commit {run['commit']}, {run['seconds']:,} s"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; columns after the first are right-aligned, columns of words left-aligned."""
    lines = [head, ["---", *("---" if name in _WORDS else "--:" for name in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def _targets(trials: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for outcome in targets.outcomes(trials):
        target, values = outcome.target, list(outcome.ratios.values())
        span = "–".join(dict.fromkeys(f"{rounded(v)}×" for v in (min(values), max(values)))) if values else ""
        middle = f"{rounded(statistics.median(values))}×" if values else ""
        least = f"≥ {target.least}×" if target.least is not None else ""
        costs = [1 / value for value in outcome.costs.values()]
        cost = f"{rounded(statistics.median(costs))}×" if costs else ""
        rows.append([target.title, target.peer, least, span, middle, cost, outcome.verdict])
    rows += [row for trial in trials for row in (*_cold_start(trial), *_memory(trial))]
    return table(["requests per second", "against", "target", "from–to", "median", "by CPU, median", ""], rows)


def _cold_start(trial: Mapping[str, Any]) -> list[list[str]]:
    title, peer, least = targets.COLD_START
    cold = {name: statistics.median(times) for name, times in trial["cold"].items()}
    if trial["corpus"] != "real" or not {"kg", peer} <= set(cold):
        return []
    ratio = cold[peer] / cold["kg"]
    told = f"{cold['kg']:.2f} s against {cold[peer]:.2f} s"
    return [[title, peer, f"≥ {least}×", told, f"{rounded(ratio)}×", "", "met" if ratio >= least else "not met"]]


def _memory(trial: Mapping[str, Any]) -> list[list[str]]:
    """The memory of the server at ten million triples, on disk or in memory (`KG_MEMORY_QUADS`)."""
    taken = {p["name"]: p.get("memory_after", p["memory_loaded"]) for p in trial["peers"]}
    if trial["corpus"] != "10m" or "oxigraph" not in taken:
        return []
    titles = {"kg": "memory at ten million triples, on disk", "kg-memory": "memory at ten million triples, in memory"}
    other = f"{rounded(taken['oxigraph'])} MB"
    return [
        [title, "oxigraph", "", f"{rounded(taken[name])} MB against {other}", "", "", "for information"]
        for name, title in titles.items()
        if name in taken
    ]


def _trial(trial: Mapping[str, Any]) -> list[str]:
    """The section of one corpus: its peers, a table per group, and differences."""
    names = [p["name"] for p in trial["peers"]]
    titles = {p["name"]: p["title"] for p in trial["peers"]}
    parts = [
        f"### {trial['corpus']}: {trial['triples']:,} triples, {trial['quads']:,} quads in named graphs, "
        f"{trial['rounds']} whole round{'s' if trial['rounds'] != 1 else ''}",
        _peers(trial),
    ]
    known = {case["name"]: case for case in trial["cases"]}
    for group, title in _PARTS.items():
        cases = [name for name, case in known.items() if case["group"] == group]
        places = [p for p in _places(trial) if p[0] in cases]
        shown = [n for n in names if any((*p, n) in targets.medians(trial, "per_second") for p in places)]
        if not places:
            continue
        head = ["case", "clients", *(titles[n] for n in shown)]
        rows = [(known[case]["title"], str(clients), case, clients) for case, clients in places]
        parts += [
            f"#### {title}",
            "Requests per second; in brackets, the rate of kg divided by that of the other server.",
            table(head, ([t, c, *_speeds(trial, case, n, shown)] for t, c, case, n in rows)),
            "CPU time of the server per request in µs · median and 99th percentile of the latency in ms.",
            table(head, ([t, c, *_costs(trial, case, n, shown)] for t, c, case, n in rows)),
        ]
    return [*parts, _remarks(trial)]


def _places(trial: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Cases with their numbers of clients, in the order of the cases."""
    order = {case["name"]: n for n, case in enumerate(trial["cases"])}
    found = {(s["case"], s["clients"]) for s in trial["samples"]}
    return sorted(found, key=lambda place: (order[place[0]], place[1]))


def _speeds(trial: Mapping[str, Any], case: str, clients: int, names: Sequence[str]) -> list[str]:
    per_second, cells = targets.medians(trial, "per_second"), []
    for name in names:
        speed = per_second.get((case, clients, name))
        ratio = targets.ratios(trial, name).get((case, clients)) if name != "kg" else None
        times = f" ({rounded(ratio)}×)" if ratio is not None else ""
        cells.append(f"{rounded(speed)}{times}" if speed is not None else "")
    return cells


def _costs(trial: Mapping[str, Any], case: str, clients: int, names: Sequence[str]) -> list[str]:
    figure = {key: targets.medians(trial, key) for key in ("cpu", "p50", "p99", "busy")}
    cells = []
    for name in names:
        place = (case, clients, name)
        if place not in figure["cpu"]:
            cells.append("")
            continue
        # The load generator was the bottleneck; CPU per request shows what the server could do.
        limit = " *" if figure["busy"][place] > 0.95 else ""
        numbers = [rounded(figure[key][place]) for key in ("cpu", "p50", "p99")]
        cells.append(" · ".join(numbers) + limit)
    return cells


def _peers(trial: Mapping[str, Any]) -> str:
    rows = []
    for peer in trial["peers"]:
        cold = trial["cold"].get(peer["name"])
        rows.append(
            [
                f"{peer['title']} {peer['version']}",
                f"{rounded(peer['load_seconds'])} s" if peer["load_seconds"] is not None else "",
                f"{rounded(peer['store_bytes'] / 1e6)} MB" if peer["store_bytes"] else "",
                f"{rounded(peer['memory_loaded'])} MB",
                f"{rounded(peer.get('memory_after', 0))} MB",
                f"{statistics.median(cold):.2f} s" if cold else "",
                peer["settings"],
            ]
        )
    return table(
        ["server", "load", "store on disk", "memory, loaded", "memory, after the rounds", "cold start", "settings"],
        rows,
    )


def _remarks(trial: Mapping[str, Any]) -> str:
    lines = [f"- {name} was left out: {reason}" for name, reason in trial["left_out"].items()]
    lines += [f"- {d['peer']}, cases `{d['case']}`, {d['treatment']}: {d['reason']}." for d in trial["differences"]]
    waiting = itertools.groupby(sorted(trial["unanswered"], key=lambda u: u["peer"]), key=lambda u: u["peer"])
    lines += [
        f"- {peer} did not answer: " + ", ".join(f"`{u['case']}` ({u['reason']})" for u in group)
        for peer, group in waiting
    ]
    lines += [
        f"- **Failed**: {f['peer']}, `{f['case']}`, {f['clients']} clients, round {f['round'] + 1}: {f['reason']}"
        for f in trial["failed"]
    ]
    if any(s["busy"] > 0.95 for s in trial["samples"]):
        lines.append("- *: the load generator used all of its core, so the server could do more; see its CPU time.")
    if any(s["in_turn"] for s in trial["samples"]):
        lines.append("- Answers that take more than 0.15 s are requested one after the other.")
    return "\n".join(re.sub(r"\s+", " ", line) for line in lines)
