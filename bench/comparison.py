"""Compares our server with all peers on the same data: starts them, compares answers, measures, writes tables.

    bench/run --quick                            at most ten minutes: the real graph
    bench/run --full                             the real graph, a million and ten million triples; an hour
    bench/run --data real --only 'join|ask' --peers kg,oxigraph --rounds 1

Nothing is reported if a peer's answer differs from ours. Raw numbers go to `build/bench/results.json`, where a run
replaces earlier ones on the same data, so that large ones can be run separately. Tables and graphs are written beside
it, and with `--write` also to `docs/performance.md` and `docs/images/`.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import corpus
import peers
import report
import trial
from corpus import ROOT
from trial import Plan

# Time for cold starts and the report after the last round.
_QUICK_SECONDS = 550.0
_OUT = ROOT / "build" / "bench"


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="the real graph in at most ten minutes (the default)")
    size.add_argument(
        "--full",
        action="store_true",
        help="three sizes, every query, more clients; an hour",
    )
    parser.add_argument("--data", nargs="+", choices=corpus.SCALES, help="corpora to measure")
    parser.add_argument(
        "--only", default="", metavar="PATTERN", help="only cases whose name matches this regular expression"
    )
    parser.add_argument(
        "--peers", type=_names, default=peers.NAMES, help="peers, separated by commas; kg is always included"
    )
    parser.add_argument("--clients", type=int, nargs="+", help="only these numbers of clients")
    parser.add_argument("--rounds", type=int, help="number of rounds; 0 only compares answers")
    parser.add_argument(
        "--minutes", type=float, default=12, help="time for the rounds of each corpus with --full (default: 12)"
    )
    parser.add_argument("--seconds", type=int, help="duration of one measurement")
    parser.add_argument("--set", nargs="+", default=[], metavar="KG_NAME=VALUE", help="settings of our server")
    parser.add_argument(
        "--python", type=Path, default=Path(sys.executable), help="Python interpreter with the peers from PyPI"
    )
    parser.add_argument("--out", type=lambda given: Path(given).resolve(), default=_OUT)
    parser.add_argument("--write", action="store_true", help="write the tables to docs/performance.md")
    parser.add_argument("--render", action="store_true", help="measure nothing; rewrite the tables of the last run")
    return parser.parse_args(arguments)


def _names(given: str) -> tuple[str, ...]:
    unknown = set(given.split(",")) - set(peers.NAMES)
    if unknown:
        raise argparse.ArgumentTypeError(
            f"unknown peer {', '.join(sorted(unknown))}; expected {', '.join(peers.NAMES)}"
        )
    return tuple(given.split(","))


def main() -> None:
    # On SIGTERM, end the processes that were started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parsed()
    results = options.out / "results.json"
    if not options.render:
        options.out.mkdir(parents=True, exist_ok=True)
        _measure(options, results)
    if options.rounds == 0:
        print("the answers of all peers are the same, but for the differences that are known")
        return
    found = json.loads(results.read_text())
    report.write(found, options.out)
    if options.write:
        report.publish(found, ROOT / "docs")
    trial.say(f"tables: {options.out / 'report.md'}")


def _measure(options: argparse.Namespace, results: Path) -> None:
    cores = sorted(os.sched_getaffinity(0))
    begun = float(os.environ.get("KG_BENCH_BEGUN") or time.time())
    deadline = None if options.full else time.monotonic() + _QUICK_SECONDS - (time.time() - begun)
    plan = Plan(
        quick=not options.full,
        cases=options.only,
        peers=("kg", *options.peers),
        clients=tuple(options.clients or ()),
        rounds=3 if options.rounds is None else options.rounds,
        seconds=options.seconds or 1,
        deadline=deadline,
        budget=options.minutes * 60 if options.full else None,
        server_core=cores[0] if len(cores) > 1 else None,
        load_core=cores[1] if len(cores) > 1 else None,
        environment=dict(pair.split("=", 1) for pair in options.set),
    )
    trials = {before["corpus"]: before for before in _before(results)}
    for name in options.data or (["real", "1m", "10m"] if options.full else ["real"]):
        trial.say(f"{name}: making the data")
        data = corpus.prepare(name, options.out / "data")
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=options.out))
        try:
            found = trial.run(data, folder, options.python, plan, trial.say)
        except trial.Refused as refusal:
            sys.exit(f"bench: answers differ, so nothing is reported:\n{refusal}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if plan.rounds:
            run = revision(begun) | {"seconds": round(time.time() - begun)}
            trials[name] = asdict(found) | {"run": run, "machine": machine(cores)}
            ordered = [trials[scale] for scale in corpus.SCALES if scale in trials]
            results.write_text(json.dumps({"trials": ordered}, indent=1) + "\n")
        begun = time.time()


def _before(results: Path) -> list[dict[str, Any]]:
    """The results of earlier runs."""
    try:
        return [t for t in json.loads(results.read_text())["trials"] if "run" in t]
    except (OSError, ValueError, KeyError):
        return []


def revision(begun: float) -> dict[str, Any]:
    """The arguments, time and commit of the run."""
    git = ["git", "-C", str(ROOT)]
    commit = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=False)
    date = datetime.datetime.fromtimestamp(begun, datetime.UTC).isoformat(timespec="minutes")
    command = "bench/run " + " ".join(os.environ.get("KG_BENCH_COMMAND", " ".join(sys.argv[1:])).split())
    return {
        "command": command.strip(),
        "date": date,
        "commit": commit.stdout.strip() + (" with changes" if changed.stdout.strip() else ""),
    }


def machine(cores: list[int]) -> dict[str, Any]:
    """The machine and the versions of the tools."""
    model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    total = re.search(r"^MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    told = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    return {
        "cpu": model[1] if model else platform.processor(),
        "cores": len(cores),
        "memory_gb": round(int(total[1]) / 1e6) if total else 0,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "wrk": (re.search(r"wrk (\S+)", told) or ["", "?"])[1],
    }


if __name__ == "__main__":
    main()
