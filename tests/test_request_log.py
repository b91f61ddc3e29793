"""The request log: nothing is lost at an orderly end, nobody waits for it, and what is dropped is counted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
from projects import ROOT, environment
from servers import serve, until

from api.telemetry.log_writer import LogWriter
from kg.release.store import Release


def entry(number: int, target: bytes = b"/x?q=1") -> tuple[float, str, str, str, bytes, int, int, float]:
    return (1_764_547_200.5, f"id-{number}", "192.0.2.1", "GET", target, 200, number, 0.25)


def test_everything_is_written_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        writer = LogWriter(with_queries=False, descriptor=file.fileno())
        for number in range(5_000):
            writer.add(entry(number))
        writer.close()
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["request_id"] for line in lines] == [f"id-{n}" for n in range(5_000)]
    assert lines[7] == {
        "time": lines[7]["time"],
        "level": "INFO",
        "request_id": "id-7",
        "client": "192.0.2.1",
        "method": "GET",
        "path": "/x",
        "status": 200,
        "bytes": 7,
        "seconds": 0.25,
    }
    assert writer.dropped == 0


def test_any_target_is_a_string_and_its_query_only_if_wanted(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        writer = LogWriter(with_queries=True, descriptor=file.fileno())
        for target in (b'/a"b\\c\n?"q"\n', "/法律".encode(), b"/\xff\xfe?\xff"):
            writer.add(entry(0, target))
        writer.close()
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["path"] for line in lines] == ['/a"b\\c\n', "/法律", "/\ufffd\ufffd"]
    assert [line.get("query") for line in lines] == ['"q"\n', None, "ÿ"]


def test_a_pipe_that_nobody_reads_costs_lines_which_are_counted() -> None:
    read_end, write_end = os.pipe()
    writer = LogWriter(with_queries=False, descriptor=write_end, most=100)
    begun = time.monotonic()
    for number in range(20_000):
        writer.add(entry(number))
        if number % 1_000 == 0:
            time.sleep(0.01)
    assert time.monotonic() - begun < 5
    received = bytearray()

    def read() -> None:
        while data := os.read(read_end, 65_536):
            received.extend(data)

    reading = threading.Thread(target=read)
    reading.start()
    writer.close()
    os.close(write_end)
    reading.join()
    os.close(read_end)
    lines = [json.loads(line) for line in received.decode().splitlines()]
    assert writer.dropped > 10_000
    assert len(lines) + writer.dropped == 20_000


def test_a_server_that_ends_has_logged_every_answer(tiny: Release, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serve(tiny.directory, log=log) as server, server.client() as client:
        for number in range(300):
            client.get("/data/law/ai-act.ttl", headers={"x-request-id": f"last-{number}"})
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(30)
    found = [json.loads(line)["request_id"] for line in log.read_text().splitlines() if '"last-' in line]
    assert found == [f"last-{n}" for n in range(300)]


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def test_lines_of_several_processes_stay_whole(tiny: Release, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kg.cli", "serve", "--port", "0", "--workers", "2", "--store", str(tiny.directory)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment(ROOT))
    lines: list[bytes] = []
    assert process.stdout is not None
    output = process.stdout
    reading = threading.Thread(target=lambda: lines.extend(output))
    reading.start()
    try:
        until(lambda: any(b" on http://" in line for line in lines))
        url = next(line for line in lines if b" on http://" in line).split(b" on ")[1].split()[0].decode().rstrip("/")
        until(lambda: _is_ready(url))
        subprocess.run(["wrk", "-t1", "-c40", "-d2s", f"{url}/context.jsonld"], check=True, capture_output=True)
    finally:
        process.terminate()
        process.wait(30)
        reading.join()
        output.close()
    logged = [json.loads(line) for line in lines if b'"path"' in line]
    assert len(logged) > 1_000
