"""Measures builds: compared with a straightforward pipeline, by size, and incrementally after one edit.

    .venv/bin/python bench/building.py [--rounds 3] [--compared 17000] [--sizes 30000 100000 1000000] [--json FILE]

Every build is a separate process; processor time, including children, and peak memory are taken from the kernel. The
straightforward pipeline (`bench/straightforward.py`) builds the smallest size only, alternating with ours, and is
extrapolated in proportion to the number of triples.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from kg.curation import builder
from tools.synthetic import generation

ROOT = Path(__file__).resolve().parents[1]
FAR = 1_000_000


@dataclass(frozen=True, slots=True)
class Run:
    """One build: wall time and processor time in seconds, peak memory in megabytes."""

    seconds: float
    processor: float
    memory: float


@dataclass(frozen=True, slots=True)
class Row:
    """The medians of the runs of one kind and size."""

    what: str
    triples: int
    seconds: float
    processor: float
    memory: float
    rounds: int


def run(command: Sequence[str], project: Path, releases: Path) -> Run:
    """Runs a build. Raises `RuntimeError` with its output if it fails."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("KG_")}
    environment |= {"KG_PROJECT": str(project), "KG_RELEASES": str(releases), "PYTHONPATH": str(ROOT / "src")}
    with tempfile.TemporaryFile() as words:
        start = time.perf_counter()
        to_words = [(os.POSIX_SPAWN_DUP2, words.fileno(), 1), (os.POSIX_SPAWN_DUP2, words.fileno(), 2)]
        process = os.posix_spawn(sys.executable, [sys.executable, *command], environment, file_actions=to_words)
        _, status, usage = os.wait4(process, 0)
        seconds = time.perf_counter() - start
        if status:
            words.seek(0)
            raise RuntimeError(words.read().decode(errors="replace"))
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def edit(project: Path, number: int) -> None:
    """Changes a fact of a record."""
    path = project / "data" / "programme" / "cronos.yaml"
    text = path.read_text(encoding="utf-8").partition("\ncurator/correction:")[0].rstrip()
    path.write_text(
        f"{text}\n\ncurator/correction:\n  note: {{en: Edit {number}, ja: 変更{number}}}\n", encoding="utf-8"
    )


def ours(project: Path, folder: Path, *, is_next: bool) -> Run:
    """Runs `kg build`, from scratch or incrementally."""
    if not is_next:
        (project / ".cache" / "records.sqlite").unlink(missing_ok=True)
    return run(["-m", "kg.cli", "build"], project, folder / "releases")


def row(what: str, triples: int, runs: Sequence[Run]) -> Row:
    middle = (statistics.median(getattr(r, name) for r in runs) for name in ("seconds", "processor", "memory"))
    return Row(what, triples, *middle, len(runs))


def measure(triples: int, rounds: int, folder: Path, *, is_compared: bool) -> list[Row]:
    """The rows of one size; the kinds of build alternate."""
    project, exact = generation.generate(ROOT, triples, folder / "project", "yaml")
    original = (project / "data" / "programme" / "cronos.yaml").read_text(encoding="utf-8")
    found: dict[str, list[Run]] = {}
    for number in range(rounds):
        (project / "data" / "programme" / "cronos.yaml").write_text(original, encoding="utf-8")
        if is_compared:
            command = [str(ROOT / "bench" / "straightforward.py"), str(project), str(folder / "quads.nq")]
            found.setdefault("straightforward pipeline", []).append(run(command, project, folder))
        found.setdefault("kg build", []).append(ours(project, folder, is_next=False))
        edit(project, number)
        found.setdefault("kg build, next after one edit", []).append(ours(project, folder, is_next=True))
    return [row(what, exact, runs) for what, runs in found.items()]


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown, with the cost per 1,000 triples and, for the pipeline, extrapolated to a million."""
    lines = [
        "| build | triples | s | processor s | processor ms per 1,000 triples | MB | rounds |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for r in rows:
        each = f"{1e6 * r.processor / r.triples:,.0f}"
        cells = (
            r.what,
            f"{r.triples:,}",
            f"{r.seconds:,.1f}",
            f"{r.processor:,.1f}",
            each,
            f"{r.memory:,.0f}",
            r.rounds,
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    plain = next((r for r in rows if r.what.startswith("straightforward")), None)
    built = [r for r in rows if r.what == "kg build"]
    if plain and built:
        lines += ["", *(_ratio(plain, r) for r in built)]
    return "\n".join(lines)


def _ratio(plain: Row, built: Row) -> str:
    far = plain.processor / plain.triples * built.triples
    how = "measured" if plain.triples == built.triples else "extrapolated in proportion"
    return (
        f"At {built.triples:,} triples the straightforward pipeline takes {far / built.processor:.1f} × "
        f"the processor time of `kg build` ({how} from {plain.triples:,})."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compared", type=int, default=17_000, help="The size that both pipelines build; 0 for none.")
    parser.add_argument("--sizes", type=int, nargs="*", default=[30_000, 100_000, FAR])
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    records = len(builder.data_files(ROOT))
    rows: list[Row] = []
    for size in filter(None, (chosen.compared, *chosen.sizes)):
        print(f"{size:,} triples …", file=sys.stderr)
        # A large size is built once, since it takes minutes and only shows how the cost grows.
        rounds = 1 if size >= FAR else chosen.rounds
        with tempfile.TemporaryDirectory() as folder:
            rows += measure(size, rounds, Path(folder), is_compared=size == chosen.compared)
    print(f"Copies of {records} real records, `kg generate --format yaml`:\n\n{table(rows)}")
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(r) for r in rows], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
