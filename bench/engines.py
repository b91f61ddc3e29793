"""Starts real engines on loopback for tests and benchmarks, in a given folder, and ends them by process id.

    with virtuoso(folder) as engine: httpx.get(engine.query_url, params={"query": "ASK {}"})

Fuseki is a released server jar from Maven Central (`maven`) and needs Java 17. Virtuoso is
Debian's `virtuoso-opensource-7`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import processes
from maven import Jar, Missing, java

FUSEKI_VERSION = "5.6.0"
FUSEKI = Jar(
    "org.apache.jena",
    "jena-fuseki-server",
    FUSEKI_VERSION,
    "d28c1eaf703122ee628895a460c20fa4aa60a892f435d403ea8c036f241da1f8",
)
# Virtuoso's administrator has this password in a database that is new.
_DBA = "dba"


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine. For Virtuoso, `update_url` and `graph_store_url` need HTTP digest authentication."""

    name: Literal["fuseki", "virtuoso"]
    version: str
    query_url: str
    update_url: str
    graph_store_url: str
    pid: int
    folder: Path
    user: str = ""
    password: str = ""
    sql_port: int = 0

    def isql(self, *statements: str) -> str:
        """Runs SQL statements in Virtuoso as administrator and returns the output."""
        done = subprocess.run(
            ["isql-vt", str(self.sql_port), self.user, self.password, "ERRORS=STDOUT", "VERBOSE=OFF", "BANNER=OFF"],
            input="".join(f"{s};\n" for s in statements),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or re.search(r"^\*\*\* Error", done.stdout, re.MULTILINE):
            raise RuntimeError(f"isql-vt: {done.stdout}{done.stderr}")
        return done.stdout

    def kill(self) -> None:
        """Kills the engine, as in a crash, and waits until its port is free."""
        os.kill(self.pid, signal.SIGKILL)
        address = (urllib.parse.urlsplit(self.query_url).hostname, urllib.parse.urlsplit(self.query_url).port)
        while True:
            with contextlib.suppress(OSError), socket.create_server(address):  # type: ignore[arg-type]
                return
            time.sleep(0.02)


def free_port() -> int:
    """A port on loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def fuseki_jar() -> Path:
    """The server's jar file, downloaded if needed; raises `Missing`."""
    return FUSEKI.fetched()


@contextlib.contextmanager
def fuseki(
    folder: Path,
    *,
    kind: Literal["memory", "tdb2"] = "memory",
    heap: str = "1g",
    timeout_seconds: float | None = None,
    port: int = 0,
    wrapper: Sequence[str] = (),
) -> Iterator[Engine]:
    """Fuseki with one dataset at `/ds`, in memory or in `folder/tdb2`, which is kept.

    `wrapper` is a prefix of the command such as `("taskset", "-c", "0")`. Raises `Missing`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    where = ["--mem"]
    if kind == "tdb2":
        (folder / "tdb2").mkdir(exist_ok=True)
        where = ["--tdb2", f"--loc={folder / 'tdb2'}"]
    limit = [f"--timeout={int(timeout_seconds * 1000)}"] if timeout_seconds else []
    command = [
        *wrapper,
        java(),
        f"-Xmx{heap}",
        "-cp",
        str(fuseki_jar()),
        "org.apache.jena.fuseki.main.cmds.FusekiMainCmd",
    ]
    command += [
        f"--port={port}",
        "--localhost",
        "--ping",
        "--set=arq:httpServiceAllowed=false",
        "--update",
        *limit,
        *where,
        "/ds",
    ]
    root = f"http://127.0.0.1:{port}"
    log, own = folder / "output.log", {"FUSEKI_BASE": str(folder)}
    with processes.running(command, log, lambda: _answers(f"{root}/$/ping"), environment=own, folder=folder) as pid:
        urls = (f"{root}/ds/query", f"{root}/ds/update", f"{root}/ds/data")
        yield Engine("fuseki", FUSEKI_VERSION, *urls, pid, folder)


@contextlib.contextmanager
def virtuoso(
    folder: Path,
    *,
    buffers: int = 10_000,
    timeout_seconds: float | None = None,
    threads: int = 20,
    max_rows: int = 2_000_000_000,
    port: int = 0,
    wrapper: Sequence[str] = (),
) -> Iterator[Engine]:
    """Virtuoso with its database in `folder`, which is kept; `buffers` are pages of 8 kB.

    `folder` is among the directories that its bulk loader (`ld_dir`) may read. Raises `Missing`.
    """
    if not shutil.which("virtuoso-t") or not shutil.which("isql-vt"):
        raise Missing("no virtuoso-t; apt-get install virtuoso-opensource-7")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "root").mkdir(exist_ok=True)
    port, sql_port = port or free_port(), free_port()
    (folder / "virtuoso.ini").write_text(_ini(folder, port, sql_port, buffers, threads, timeout_seconds, max_rows))
    # A server that was killed leaves its lock file; no other process uses the folder.
    (folder / "virtuoso.lck").unlink(missing_ok=True)
    command = [*wrapper, "virtuoso-t", "+foreground", "+configfile", str(folder / "virtuoso.ini")]
    root = f"http://127.0.0.1:{port}"
    probe = f"{root}/sparql?query={urllib.parse.quote('ASK {}')}"
    with processes.running(command, folder / "output.log", lambda: _answers(probe), folder=folder) as pid:
        urls = (f"{root}/sparql", f"{root}/sparql-auth", f"{root}/sparql-graph-crud-auth")
        version = subprocess.run(["virtuoso-t", "-?"], capture_output=True, text=True, check=False)
        match = re.search(r"Version ([\d.]+)", version.stdout + version.stderr)
        yield Engine("virtuoso", match[1] if match else "7", *urls, pid, folder, _DBA, _DBA, sql_port)


def _ini(
    folder: Path, port: int, sql_port: int, buffers: int, threads: int, timeout: float | None, max_rows: int
) -> str:
    """The settings of a server: loopback only, no row limit, no anytime queries, little logging."""
    sections: dict[str, dict[str, object]] = {
        "Database": {
            "DatabaseFile": folder / "virtuoso.db",
            "ErrorLogFile": folder / "virtuoso.log",
            "LockFile": folder / "virtuoso.lck",
            "TransactionFile": folder / "virtuoso.trx",
            "xa_persistent_file": folder / "virtuoso.pxa",
            "ErrorLogLevel": 7,
            "FileExtend": 200,
            "MaxCheckpointRemap": 2000,
            "Striping": 0,
            "TempStorage": "TempDatabase",
        },
        "TempDatabase": {
            "DatabaseFile": folder / "virtuoso-temp.db",
            "TransactionFile": folder / "virtuoso-temp.trx",
            "MaxCheckpointRemap": 2000,
            "Striping": 0,
        },
        "Parameters": {
            "ServerPort": f"127.0.0.1:{sql_port}",
            "DisableUnixSocket": 1,
            "ServerThreads": threads,
            "MaxClientConnections": threads,
            "CheckpointInterval": 60,
            "NumberOfBuffers": buffers,
            "MaxDirtyBuffers": buffers * 3 // 4,
            "DirsAllowed": folder,
            "ThreadsPerQuery": 1,
            "AsyncQueueMaxThreads": 2,
            "VectorSize": 1000,
            "SchedulerInterval": 10,
        },
        "HTTPServer": {
            "ServerPort": f"127.0.0.1:{port}",
            "ServerRoot": folder / "root",
            "ServerThreads": threads,
            "MaxClientConnections": threads,
            "KeepAliveTimeout": 60,
            "MaxKeepAlives": threads,
            "EnabledDavVSP": 0,
            "Charset": "UTF-8",
            "HttpPrintWarningsInOutput": 0,
        },
        "Client": {"SQL_PREFETCH_ROWS": 100, "SQL_PREFETCH_BYTES": 16000},
        "SPARQL": {
            "ResultSetMaxRows": max_rows,
            "MaxQueryCostEstimationTime": 2_000_000,
            "MaxQueryExecutionTime": int(timeout) if timeout else 2_000_000,
        },
    }
    return "".join(
        f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
        for section, keys in sections.items()
    )


def _answers(url: str) -> bool:
    """Whether a URL returns a successful response."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
