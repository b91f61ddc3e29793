"""Measures the cost of a server and derives the requirements by size and load: the tables of docs/scaling.md.

    .venv/bin/python bench/capacity.py measure RELEASE BIGGER    prints the inputs, measured on this machine
    .venv/bin/python bench/capacity.py write                     works out the other tables from the inputs there

RELEASE is the real graph, BIGGER one of about a million quads, both folders made by `kg build` or `kg release`. Costs
are processor time as counted by the kernel, so that a busy machine affects them little. Needs wrk and nginx; loopback
only.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import processes
from balancer import balance
from servers import Process, descendants, serve

from api.settings import Settings
from kg.release import store

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "scaling.md"
_TICK = 100  # of the times in /proc, by the kernel's interface
_LABEL = "http://www.w3.org/2004/02/skos/core#prefLabel"
_SMALL = "ASK { <https://w3id.org/aikg/id/law/ai-act> ?p ?o }"
_JOIN = f"SELECT ?a ?b {{ ?x <https://w3id.org/aikg/ontology#cites> ?y . ?x <{_LABEL}> ?a . ?y <{_LABEL}> ?b }}"
_PAGE = "/page/law/ai-act?lang=en"
# The share of a core that should stay free, since a fully busy machine responds slowly.
BUSY = 0.6
WORKERS: int = Settings.model_fields["query_workers"].default
SIZES = (10**5, 10**6, 10**7, 10**9)
LOADS = (10**2, 10**4, 10**6)
HIT_SHARES = (0.0, 0.9, 0.99)


class Row(NamedTuple):
    """An input: its description and unit."""

    name: str
    unit: str
    what: str


INPUTS = (
    Row("cached", "µs", "processor time of a stored answer (a page in Brotli, 16 connections)"),
    Row("cached_of_two", "µs", "of the same with `--workers 2`"),
    Row("small", "µs", "of a small query that nothing has stored, server and worker together"),
    Row("join", "µs", "of a query that joins, 164 rows of the real graph, not stored"),
    Row("proxied", "µs", "of nginx, for each request that it passes on"),
    Row("edge", "µs", "of nginx, for each request that it answers from its cache"),
    Row("memory", "MB", "of all processes together, shared pages once, with the real graph, before the first answer"),
    Row("memory_million", "MB", "more for each million quads in memory, shared by all processes"),
    Row("ready_million", "s", "more of processor time until the first answer for each million quads in memory"),
    Row("disk_million", "MB", "of a release's folder for each million quads, dumps included"),
    Row("make_million", "s", "of processor time that `kg release` takes for each million quads"),
    Row("make_memory", "MB", "that `kg release` has at its peak, with a million quads"),
)


# ---- measurement ----


@contextmanager
def _processor_time(pid: int, spent: list[float]) -> Iterator[None]:
    """Appends the processor seconds that a process and its descendants use meanwhile."""
    before = _seconds(pid)
    yield
    spent.append(_seconds(pid) - before)


def _seconds(pid: int) -> float:
    total = 0
    for process in (pid, *descendants(pid)):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        total += sum(map(int, fields[11:15]))  # of itself and of its children that have ended
    return total / _TICK


def _wrk(url: str, seconds: int, connections: int = 16, query: str = "") -> int:
    """The number of responses to wrk; a query gets a different text each time. Raises for an error response."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "fresh.lua"
        path = f"/sparql?query={quote(query)}%20%23"
        # Numbers never repeat, even across runs, since answers are cached. Lua writes fourteen digits.
        counted = f'request = function() n = n + 1; return wrk.format("GET", "{path}" .. n) end\n'
        script.write_text(f"local n = {time.time_ns() // 1000 % 10**9}\n{counted}")
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-H", "Accept-Encoding: br"]
        command += ["-s", str(script)] if query else []
        output = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in output, output
    assert "Socket errors" not in output, output
    found = re.search(r"(\d+) requests in", output)
    assert found, output
    return int(found[1])


def _cost(pid: int, load: Callable[[int], int], seconds: int) -> float:
    """Processor time per response in µs, after a warm-up of one second."""
    load(1)
    spent: list[float] = []
    with _processor_time(pid, spent):
        answers = load(seconds)
    return spent[0] / answers * 1e6


def _first_answer(server: Process) -> None:
    """Waits for a page, since the first request initializes what all pages need."""
    with server.client() as client:
        for _ in range(4):
            client.get(_PAGE, headers={"accept-encoding": "br"}).raise_for_status()


def measure(real: Path, bigger: Path, folder: Path, seconds: int = 5) -> dict[str, float]:
    """Every input by name; the folder is for logs and generated files."""
    measured: dict[str, float] = {}
    settings = {"KG_CLIENT_QUERIES": "64", "KG_LOG_REQUESTS": "false"}
    with serve(real, log=folder / "real.log", **settings) as server:
        measured["memory"] = processes.memory_mb(server.pid)
        _first_answer(server)
        measured["cached"] = _cost(server.pid, lambda s: _wrk(server.url + _PAGE, s), seconds)
        for name, query in (("small", _SMALL), ("join", _JOIN)):
            measured[name] = _cost(server.pid, lambda s, q=query: _wrk(server.url, s, 8, q), seconds)  # type: ignore[misc]
        place = urlsplit(server.url).netloc
        for name, cache in (("proxied", False), ("edge", True)):
            with balance(folder / name, [place, place], cache=cache, rate="1000000r/s") as nginx:
                measured[name] = _cost(nginx.process.pid, lambda s, u=nginx.url: _wrk(u + _PAGE, s), seconds)  # type: ignore[misc]
    with serve(real, "--workers", "2", log=folder / "two.log", **settings) as server:
        _first_answer(server)
        measured["cached_of_two"] = _cost(server.pid, lambda s: _wrk(server.url + _PAGE, s), seconds)
    return measured | _of_size(real, bigger, folder, measured) | _of_making(bigger, folder)


def _of_size(real: Path, bigger: Path, folder: Path, measured: dict[str, float]) -> dict[str, float]:
    millions = (_quads(bigger) - _quads(real)) / 1e6
    with serve(real, log=folder / "again.log") as server:
        ready = _seconds(server.pid)
    with serve(bigger, log=folder / "bigger.log") as server:
        ready = _seconds(server.pid) - ready
        memory = processes.memory_mb(server.pid)
    size = sum(path.stat().st_size for path in _folder(bigger).rglob("*") if path.is_file())
    return {
        "ready_million": ready / millions,
        "memory_million": (memory - measured["memory"]) / millions,
        "disk_million": size / _quads(bigger),
    }


def _of_making(bigger: Path, folder: Path) -> dict[str, float]:
    quads = str(_folder(bigger) / "dataset.nq")
    command = [sys.executable, "-m", "kg.cli", "release", quads, "--merged", "--out", str(folder / "made")]
    making = subprocess.Popen(command)
    _, status, used = os.wait4(making.pid, 0)
    making.returncode = os.waitstatus_to_exitcode(status)
    assert making.returncode == 0, f"no release of {quads}"
    millions = _quads(bigger) / 1e6
    seconds, megabytes = used.ru_utime + used.ru_stime, used.ru_maxrss / 1000
    return {"make_million": seconds / millions, "make_memory": megabytes}


def _folder(releases: Path) -> Path:
    return releases if (releases / "manifest.json").is_file() else store.current_directory(releases)


def _quads(releases: Path) -> int:
    return store.read_manifest(_folder(releases)).quads


# ---- calculation ----


def inputs_of(document: str) -> dict[str, float]:
    """The inputs as given in the document."""
    rows = re.findall(r"^\| `(\w+)` \| ([\d.,]+) \| ", _part(document, "inputs"), re.MULTILINE)
    return {name: float(value.replace(",", "")) for name, value in rows}


def input_table(measured: dict[str, float]) -> str:
    rows = [f"| `{row.name}` | {_short(measured[row.name])} | {row.unit} | {row.what} |" for row in INPUTS]
    return "\n".join(["| input | value | unit | what |", "|---|---|---|---|", *rows])


def size_table(given: dict[str, float], query_memory_gb: float = 6.0) -> str:
    """Memory, disk and seconds by number of quads; `query_memory_gb` is the total memory limit of queries."""
    head = "| quads | all processes | most, at an exchange with queries | start | folder | to make it |"
    rows = []
    for quads in SIZES:
        millions = quads / 1e6
        data = millions * given["memory_million"] / 1000
        least = given["memory"] / 1000 + data
        # The next release is read by the server and by its new zygote, while the one before is still served, and each
        # worker may have met all of it.
        most = least + (2 + WORKERS) * data + query_memory_gb
        cells = [f"10^{len(str(quads)) - 1}", *(f"{_short(n)} GB" for n in (least, most))]
        cells += [f"+{_short(millions * given['ready_million'])} s"]
        cells += [f"{_short(millions * given['disk_million'] / 1000)} GB"]
        rows.append("| " + " | ".join([*cells, f"{_short(millions * given['make_million'])} s"]) + " |")
    return "\n".join([head, "|---|---|---|---|---|---|", *rows])


def load_table(given: dict[str, float]) -> str:
    """Cores by requests per second and cache hit ratio; half of the misses are joins."""
    other = (given["small"] + given["join"]) / 2
    head = (
        "| requests/s | "
        + " | ".join(f"{share:.0%} stored" for share in HIT_SHARES)
        + " | nginx, passing on | nginx, from its cache |"
    )
    rows = []
    for load in LOADS:
        costs = [share * given["cached"] + (1 - share) * other for share in HIT_SHARES]
        cells = [f"{_short(load * cost / 1e6 / BUSY)} cores" for cost in costs]
        cells += [f"{_short(load * given[name] / 1e6 / BUSY)} cores" for name in ("proxied", "edge")]
        rows.append(f"| 10^{len(str(load)) - 1} | " + " | ".join(cells) + " |")
    return "\n".join([head, "|---|" + "---|" * (len(HIT_SHARES) + 2), *rows])


def rate_table(given: dict[str, float]) -> str:
    """Responses per second of one fully busy core."""
    rows = [
        f"| {row.what.removeprefix('processor time of ').removeprefix('of ')} | {_short(1e6 / given[row.name])} |"
        for row in INPUTS
        if row.unit == "µs"
    ]
    return "\n".join(["| | answers/s of one core |", "|---|---|", *rows])


def written(document: str) -> str:
    """The document with its tables recalculated from the inputs."""
    given = inputs_of(document)
    for name, table in (("rates", rate_table), ("sizes", size_table), ("loads", load_table)):
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, _, rest = document.partition(begin)
        document = f"{before}{begin}\n{table(given)}\n{end}{rest.partition(end)[2]}"
    return document


def _part(document: str, name: str) -> str:
    """The text between `<!-- name -->` and `<!-- /name -->`."""
    found = re.search(f"<!-- {name} -->(.*?)<!-- /{name} -->", document, re.DOTALL)
    assert found, f"no part '{name}' in the document"
    return found[1]


def _short(number: float) -> str:
    """Rounds to two significant digits, and to hundredths."""
    if number >= 100:
        digits = len(str(round(number))) - 2
        return f"{round(number, -digits):,.0f}"
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}" if number >= 1 else f"{number:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("measure")
    measuring.add_argument("real", type=Path)
    measuring.add_argument("bigger", type=Path)
    measuring.add_argument("--seconds", type=int, default=5)
    commands.add_parser("write")
    options = parser.parse_args()
    if options.command == "write":
        DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
        return
    with tempfile.TemporaryDirectory() as folder:
        print(input_table(measure(options.real, options.bigger, Path(folder), options.seconds)))


if __name__ == "__main__":
    main()
