"""A smoke test of an installed `kg`: makes a project, builds it, serves it and asks each part of the server once.

Needs the package alone, no test framework: continuous integration runs it with the lowest versions that
`pyproject.toml` allows (`.ci/lowest`). Prints what it does; any failure ends it with a traceback.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

KG = Path(sys.executable).parent / "kg"
ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 120


def run(*arguments: str | Path) -> None:
    print("kg", *arguments, flush=True)
    subprocess.run([KG, *arguments], check=True, stdout=subprocess.DEVNULL)


def fetch(address: str, accept: str, body: bytes | None = None, media_type: str = "") -> str:
    print(address, accept, flush=True)
    headers = {"Accept": accept, **({"Content-Type": media_type} if media_type else {})}
    with urlopen(Request(address, body, headers), timeout=60) as answer:
        text: str = answer.read().decode()
    return text


def wait_for(root: str) -> None:
    """Wait until a server answers; it says its address before it listens."""
    for _ in range(START_SECONDS * 10):
        try:
            fetch(f"{root}/readyz", "*/*")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"{root} does not answer")


def ask(root: str) -> None:
    """Ask a server each kind of question."""
    query = urlencode({"query": "SELECT (COUNT(*) AS ?n) { ?s a ?class }"})
    for accept in ("application/sparql-results+json", "text/csv", "application/sparql-results+xml"):
        assert "n" in fetch(f"{root}/sparql?{query}", accept)
    counted = json.loads(fetch(f"{root}/sparql?{query}", "application/sparql-results+json"))
    assert int(counted["results"]["bindings"][0]["n"]["value"]) > 10
    fetch(f"{root}/sparql", "text/turtle", b"CONSTRUCT WHERE { ?s a ?o }", "application/sparql-query")
    for path in ("/", "/ontology", "/charts", "/search?q=a", "/dataset", "/reconcile", "/openapi.json"):
        assert fetch(root + path, "text/html, application/json;q=0.5")
    assert json.loads(
        fetch(f"{root}/reconcile?queries=%7B%22q0%22%3A%7B%22query%22%3A%22a%22%7D%7D", "application/json")
    )
    assert "http" in fetch(f"{root}/dataset", "text/turtle")
    assert fetch(f"{root}/validate", "application/json", b"<urn:a> <urn:b> <urn:c> .", "text/turtle")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "made"
        run("new", project)
        for command in ("check", "build", "answers"):
            run("--project", project, command)
        # The data of this repository, without the reasoner.
        run("--project", ROOT, "check")
        server = subprocess.Popen(
            [KG, "--project", project, "serve", "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            assert server.stdout is not None
            lines = []
            for line in server.stdout:
                lines.append(line)
                if found := re.search(r"serving .* (http://[\d.]+:\d+)", line):
                    wait_for(found[1])
                    ask(found[1])
                    break
            else:
                raise AssertionError("the server did not start: " + "".join(lines))
        finally:
            server.terminate()
            server.wait(START_SECONDS)
    print("all of it works")


if __name__ == "__main__":
    main()
