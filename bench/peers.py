"""The servers of a comparison, started on loopback with the same data and ended by process id."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import answers
import engines
import processes
from corpus import Corpus
from workloads import MEDIA_TYPES, Case, Question

from api.settings import Settings
from kg import __version__

# The timeout of queries of the comparison, which is higher than for untrusted ones.
PATIENCE = 120
SETTINGS = {
    "KG_LOG_REQUESTS": "false",
    "KG_CLIENT_QUERIES": "1000",
    "KG_QUERY_QUEUE": "1000",
    "KG_QUERY_SECONDS": str(PATIENCE),
    "KG_QUERY_MEMORY_MB": "4000",
    "KG_MAX_RESULT_BYTES": "256000000",
}
# Approximate memory per quad of the engine's in-memory store; of all on-disk stores, which the page cache should hold
# so that the comparison is not about the disk; and the memory left for other servers.
_QUAD_BYTES, _DISK_BYTES, _MARGIN = 300, 800, 6_000_000_000
MERGED = "urn:x-bench:merged"


@dataclass(frozen=True, slots=True)
class Setup:
    """The setting of a peer: data, folder, core, and the Python with the peers from PyPI."""

    corpus: Corpus
    folder: Path
    core: int | None
    python: Path
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Peer:
    """A running server. `endpoint` takes queries, `own` serves our targets, `files` are its stored files; `settings`
    describe it in the report; one that `compiles` at run time is warmed up."""

    name: str
    title: str
    version: str
    url: str
    pid: int
    settings: str
    endpoint: str = ""
    parameters: str = ""
    own: tuple[str, ...] = ()
    files: Mapping[Question, str] = field(default_factory=dict)
    load_seconds: float | None = None
    store_bytes: int | None = None
    compiles: bool = False

    def target(self, question: Question) -> str:
        """The target for a question at this peer; '' if it cannot answer it."""
        if question in self.files:
            return self.files[question]
        if question.target.startswith(self.own):
            return question.target
        if question.query and self.endpoint:
            return f"{self.endpoint}?query={urllib.parse.quote(question.query, safe='~')}{self.parameters}"
        return ""

    def media_type(self, case: Case) -> str:
        """The targets of a case at this peer; an endpoint gets a query for the triples of a page."""
        speaks = self.files or any(q.target.startswith(self.own) for q in case.questions)
        return MEDIA_TYPES[case.form] if speaks or case.form != "page" else MEDIA_TYPES["graph"]


def answering(url: str, target: str) -> Callable[[], bool]:
    """Whether a server responds to a target with 200."""
    host, _, port = url.removeprefix("http://").partition(":")

    def is_there() -> bool:
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        try:
            connection.request("GET", target)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return is_there


_ASK = "?query=" + urllib.parse.quote("ASK { ?s ?p ?o }")


@contextlib.contextmanager
def kg(setup: Setup) -> Iterator[Peer]:
    """Our server with one HTTP process, its workers, and no log."""
    url = f"http://127.0.0.1:{engines.free_port()}"
    command = [sys.executable, "-m", "kg.cli", "serve", "--port", url.rpartition(":")[2]]
    command += ["--store", str(setup.corpus.release)]
    settings = {**SETTINGS, **setup.environment}
    inherited = (f"-u{name}" for name in os.environ if name.startswith("KG_"))
    command = ["env", *inherited, *(f"{k}={v}" for k, v in settings.items()), *command]
    ready = answering(url, f"/sparql{_ASK}")
    with (
        processes.on_core(setup.core),
        processes.running(command, setup.folder / "kg.log", ready, seconds=PATIENCE * 5) as pid,
    ):
        told = "one worker; " + ", ".join(f"`{k}={v}`" for k, v in settings.items())
        size = processes.size(setup.corpus.release / "store")
        seconds = setup.corpus.load_seconds
        yield Peer(
            "kg", "kg", __version__, url, pid, told, "/sparql", own=("/",), load_seconds=seconds, store_bytes=size
        )


@contextlib.contextmanager
def kg_memory(setup: Setup) -> Iterator[Peer]:
    """Our server with the release in memory, although it would be kept on disk by default."""
    quads = setup.corpus.quads
    if quads <= Settings.model_fields["memory_quads"].default:
        raise engines.Missing
    # Once in the server, and once more as pages copied by workers.
    _need_memory(setup.corpus, copies=2)
    settings = {**setup.environment, "KG_MEMORY_QUADS": str(quads)}
    with kg(replace(setup, environment=settings)) as peer:
        yield replace(peer, name="kg-memory", title="kg, in memory")


def _need_memory(corpus: Corpus, copies: int = 1) -> None:
    """Raises `Missing` if an in-memory store would leave too little memory for the other servers."""
    quads, free = corpus.quads + corpus.triples, processes.free_bytes()
    size, others = copies * _QUAD_BYTES * quads, _DISK_BYTES * quads + _MARGIN
    if size + others > free:
        told = f"it would take about {size / 1e9:.0f} GB beside {others / 1e9:.0f} GB of the others"
        raise engines.Missing(f"{told}, and {free / 1e9:.0f} GB are free")


@contextlib.contextmanager
def baseline(setup: Setup) -> Iterator[Peer]:
    """The pages of our server as a plain ASGI application without cache."""
    url = f"http://127.0.0.1:{engines.free_port()}"
    port = url.rpartition(":")[2]
    command = [sys.executable, "-m", "uvicorn", "baseline:application", "--factory", "--port", port]
    command += ["--app-dir", str(Path(__file__).parent), "--no-access-log", "--log-level", "warning", "--ws", "none"]
    environment = {"KG_BENCH_RELEASE": str(setup.corpus.release)}
    ready = answering(url, "/")
    with (
        processes.on_core(setup.core),
        processes.running(command, setup.folder / "baseline.log", ready, environment=environment) as pid,
    ):
        settings = "uvicorn with uvloop and httptools, the same templates and data, nothing cached"
        yield Peer("baseline", "plain ASGI + Jinja2", __version__, url, pid, settings, own=("/page/",))


@contextlib.contextmanager
def oxigraph(setup: Setup) -> Iterator[Peer]:
    """The native server with a store on disk, loaded by its bulk loader and optimized."""
    binary = _oxigraph(setup)
    place, begun = setup.folder / "store", time.perf_counter()
    files = [str(setup.corpus.named.resolve()), str(setup.corpus.merged)]
    for arguments in (["load", "--location", str(place), "--file", *files], ["optimize", "--location", str(place)]):
        subprocess.run([binary, *arguments], check=True, capture_output=True)
    took = time.perf_counter() - begun
    arguments = ["serve-read-only", "--location", str(place)]
    with _native(setup, binary, arguments) as peer:
        settings = "`serve-read-only --location`, loaded with `load` and `optimize`"
        yield replace(
            peer,
            name="oxigraph",
            title="Oxigraph, on disk",
            settings=settings,
            load_seconds=took,
            store_bytes=processes.size(place),
        )


@contextlib.contextmanager
def oxigraph_memory(setup: Setup) -> Iterator[Peer]:
    """The native server with a store in memory."""
    _need_memory(setup.corpus)
    with _native(setup, _oxigraph(setup), ["serve"]) as peer:
        begun = time.perf_counter()
        _post(peer.url, "/store", setup.corpus.named, "application/n-quads")
        _post(peer.url, "/store?default", setup.corpus.merged, "application/n-triples")
        took = time.perf_counter() - begun
        settings = "`serve` without a location, loaded by its Graph Store Protocol on its one core"
        yield replace(peer, name="oxigraph-memory", title="Oxigraph, in memory", settings=settings, load_seconds=took)


def _oxigraph(setup: Setup) -> str:
    binary = setup.python.parent / "oxigraph"
    if not binary.is_file():
        raise engines.Missing(f"no {binary}; pip install -r bench/requirements.lock")
    return str(binary)


@contextlib.contextmanager
def _native(setup: Setup, binary: str, arguments: list[str]) -> Iterator[Peer]:
    version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    url = f"http://127.0.0.1:{engines.free_port()}"
    command = [binary, *arguments, "--bind", url.removeprefix("http://")]
    with (
        processes.on_core(setup.core),
        processes.running(
            command, setup.folder / "output.log", answering(url, f"/query?query={'ASK%20%7B%7D'}")
        ) as pid,
    ):
        yield Peer("", "", version, url, pid, "", endpoint="/query")


def _post(url: str, target: str, file: Path, media_type: str) -> None:
    host, _, port = url.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=3600)
    with file.open("rb") as body:
        fields = {"Content-Type": media_type, "Content-Length": str(file.stat().st_size)}
        connection.request("POST", target, body, fields)
        answer = connection.getresponse()
        told = answer.read()
    connection.close()
    if answer.status >= 300:
        raise RuntimeError(f"{url}{target}: {answer.status} {told[:300]!r}")


@contextlib.contextmanager
def fuseki(setup: Setup) -> Iterator[Peer]:
    """Fuseki with TDB2, loaded by its bulk loader, with named graphs and the merged default graph."""
    place, begun = setup.folder / "tdb2", time.perf_counter()
    place.mkdir()
    java, jar = engines.java(), engines.fuseki_jar()
    load = [java, "-Xmx2g", "-cp", str(jar), "tdb2.tdbloader", f"--loc={place}"]
    files = [str(setup.corpus.named.resolve()), str(setup.corpus.merged)]
    subprocess.run([*load, *files], check=True, capture_output=True)
    took = time.perf_counter() - begun
    with processes.on_core(setup.core), engines.fuseki(setup.folder, kind="tdb2", heap="4g") as engine:
        yield Peer(
            "fuseki",
            "Fuseki, TDB2",
            f"{engine.version}, Java {_java_version(java)}",
            engine.query_url.removesuffix("/ds/query"),
            engine.pid,
            "`-Xmx4g`, loaded with `tdb2.tdbloader`",
            endpoint="/ds/query",
            load_seconds=took,
            store_bytes=processes.size(place),
            compiles=True,
        )


def _java_version(java: str) -> str:
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    match = re.search(r'version "([^"]+)"', told)
    return match[1] if match else "?"


@contextlib.contextmanager
def virtuoso(setup: Setup) -> Iterator[Peer]:
    """Virtuoso; the merged triples are a separate graph, selected with `default-graph-uri`."""
    buffers = 340_000 if setup.corpus.quads > 2_000_000 else 170_000
    with (
        processes.on_core(setup.core),
        engines.virtuoso(setup.folder, buffers=buffers, threads=100, timeout_seconds=PATIENCE) as engine,
    ):
        begun = time.perf_counter()
        for name, source in (("named.nq", setup.corpus.named), ("merged.nt", setup.corpus.merged)):
            shutil.copy(source, setup.folder / name)
        engine.isql(
            f"ld_dir('{setup.folder}', 'named.nq', 'urn:x-bench:unused')",
            f"ld_dir('{setup.folder}', 'merged.nt', '{MERGED}')",
            "rdf_loader_run()",
            "checkpoint",
        )
        failed = engine.isql(
            "SELECT ll_file, ll_error FROM DB.DBA.LOAD_LIST WHERE ll_error IS NOT NULL OR ll_state <> 2"
        )
        if "named.nq" in failed or "merged.nt" in failed:
            raise RuntimeError(f"Virtuoso did not load: {failed}")
        yield Peer(
            "virtuoso",
            "Virtuoso",
            engine.version,
            engine.query_url.removesuffix("/sparql"),
            engine.pid,
            f"{buffers:,} buffers of 8 kB, 100 threads, `ld_dir` on its core, merged triples by `default-graph-uri`",
            endpoint="/sparql",
            parameters=f"&default-graph-uri={urllib.parse.quote(MERGED, safe='')}",
            load_seconds=time.perf_counter() - begun,
            store_bytes=processes.size(setup.folder / "virtuoso.db"),
        )


@contextlib.contextmanager
def rdflib(setup: Setup) -> Iterator[Peer]:
    """rdflib-endpoint with rdflib's in-memory store; its default graph is the union of the named graphs."""
    if setup.corpus.quads > 200_000:
        raise engines.Missing("rdflib holds the data in Python objects: not tried beyond the real graph")
    command = setup.python.parent / "rdflib-endpoint"
    if not command.is_file():
        raise engines.Missing(f"no {command}; pip install -r bench/requirements.lock")
    told = subprocess.run(
        [
            setup.python,
            "-c",
            "import importlib.metadata as m; print(m.version('rdflib-endpoint'), m.version('rdflib'))",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    url, begun = f"http://127.0.0.1:{engines.free_port()}", time.perf_counter()
    arguments = [str(command), "serve", "--host", "127.0.0.1", "--port", url.rpartition(":")[2]]
    arguments.append(str(setup.corpus.named))
    with (
        processes.on_core(setup.core),
        processes.running(arguments, setup.folder / "output.log", answering(url, f"/{_ASK}")) as pid,
    ):
        yield Peer(
            "rdflib",
            "rdflib-endpoint",
            f"{told[0]}, rdflib {told[1]}",
            url,
            pid,
            "`rdflib-endpoint serve` with the default store",
            endpoint="/",
            load_seconds=time.perf_counter() - begun,
        )


def cold_start(name: str, setup: Setup) -> float:
    """Seconds from the start of a server, with loaded data, to its first response, on one core."""
    place = setup.folder / name
    starts: dict[str, Callable[[], AbstractContextManager[Any]]] = {
        "kg": lambda: kg(replace(setup, folder=place)),
        "oxigraph": lambda: _native(
            replace(setup, folder=place), _oxigraph(setup), ["serve-read-only", "--location", str(place / "store")]
        ),
        "fuseki": lambda: engines.fuseki(place, kind="tdb2", heap="4g"),
    }
    begun = time.perf_counter()
    with processes.on_core(setup.core), starts[name]() as peer:
        url, endpoint = (peer.url, peer.endpoint) if isinstance(peer, Peer) else (peer.query_url, "")
        root = url.removesuffix("/ds/query")
        is_there = answering(root, f"{endpoint or '/ds/query'}{_ASK}")
        while not is_there():
            time.sleep(0.005)
        return time.perf_counter() - begun


@contextlib.contextmanager
def nginx(setup: Setup, ours: Peer, cases: list[Case]) -> Iterator[Peer]:
    """nginx with the responses of our server to the cached cases as files."""
    if not shutil.which("nginx"):
        raise engines.Missing("no nginx; apt-get install nginx-light")
    files = _stored(setup.folder / "files", ours, cases)
    url = f"http://127.0.0.1:{engines.free_port()}"
    template = (Path(__file__).parent / "nginx.conf").read_text()
    values = {"FOLDER": str(setup.folder), "LISTEN": url.removeprefix("http://")}
    values["USER"] = "user root;" if os.geteuid() == 0 else ""
    configuration = setup.folder / "nginx.conf"
    configuration.write_text(re.sub(r"@(\w+)@", lambda m: values[m[1]], template))
    told = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr
    command = ["nginx", "-c", str(configuration), "-e", str(setup.folder / "error.log")]
    with (
        processes.on_core(setup.core),
        processes.running(command, setup.folder / "output.log", answering(url, next(iter(files.values())))) as pid,
    ):
        settings = "one worker, `sendfile on`, `tcp_nopush on`, `open_file_cache`, no log, the same bytes as files"
        yield Peer("nginx", "nginx", told.strip().rpartition("/")[2], url, pid, settings, files=files)


def _stored(folder: Path, ours: Peer, cases: list[Case]) -> dict[Question, str]:
    folder.mkdir()
    files: dict[Question, str] = {}
    for case in cases:
        if case.fresh or case.form not in _ENDINGS:
            continue
        for question in case.questions:
            answer = answers.fetch(ours.url, ours.target(question), ours.media_type(case))
            name = f"{len(files)}.{_ENDINGS[case.form]}"
            (folder / name).write_bytes(answer.body)
            files[question] = f"/{name}"
    return files


_ENDINGS = {"solutions": "srj", "graph": "ttl", "record": "ttl", "page": "html"}
STARTS: dict[str, Callable[[Setup], AbstractContextManager[Peer]]] = {
    "kg": kg,
    "kg-memory": kg_memory,
    "baseline": baseline,
    "oxigraph": oxigraph,
    "oxigraph-memory": oxigraph_memory,
    "fuseki": fuseki,
    "virtuoso": virtuoso,
    "rdflib": rdflib,
}
NAMES = (*STARTS, "nginx")
