"""SERVICE: only allowed endpoints, only at public addresses, and only within a time limit."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import Any

import pytest
from projects import ROOT, environment

from api.settings import Settings
from kg.engines import federation
from kg.errors import QueryRefused
from kg.release.store import Release

REMOTE = "11.22.33.44"
# In a separate network namespace any address can be used without external traffic.
SCRIPT = """
import json, subprocess, sys, time
sys.path.insert(0, {tests!r})
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["ip", "address", "add", "{remote}/32", "dev", "lo"], check=True)
from pathlib import Path
import http.server, threading
import httpx
from servers import serve
class Slow(http.server.BaseHTTPRequestHandler):
    def do_POST(self): threading.Event().wait(60)
    do_GET = do_POST
slow_server = http.server.ThreadingHTTPServer(("{remote}", 0), Slow)
threading.Thread(target=slow_server.serve_forever, daemon=True).start()
slow = f"http://{remote}:{{slow_server.server_address[1]}}/sparql"
store, logs = Path({store!r}), Path({logs!r})
answers = {{}}
with serve(store, "--host", "{remote}", log=logs / "remote") as remote:
    port = remote.url.rpartition(":")[2]
    remote_endpoint, here = f"http://{remote}:{{port}}/sparql", f"http://127.0.0.1:{{port}}/sparql"
    silent = "http://{remote}:9/sparql"
    named = f"http://localhost:{{port}}/sparql"
    allowed = json.dumps([remote_endpoint, here, silent, named, slow])
    with serve(store, log=logs / "ours", KG_SERVICES=allowed, KG_SERVICE_SECONDS="1") as ours:
        def ask(name, query, **parameters):
            response = httpx.get(f"{{ours.url}}/sparql", params={{"query": query, **parameters}}, timeout=60)
            answers[name] = [response.status_code, response.text]
        pattern = "{{ ?s a <http://data.europa.eu/eli/ontology#LegalResource> }}"
        ask("allowed", f"SELECT ?s {{{{ SERVICE <{{remote_endpoint}}> {{pattern}} }}}}", format="csv")
        ask("joined", f"SELECT ?s {{{{ ?s ?p ?o SERVICE <{{remote_endpoint}}> {{pattern}} }}}}", format="csv")
        ask("again", f"SELECT ?s {{{{ SERVICE <{{remote_endpoint}}> {{pattern}} }}}}", format="csv")
        ask("loopback", f"SELECT ?s {{{{ SERVICE <{{here}}> {{pattern}} }}}}")
        ask("localhost", f"SELECT ?s {{{{ SERVICE <{{named}}> {{pattern}} }}}}")
        ask("silent loopback", f"SELECT ?s {{{{ SERVICE SILENT <{{here}}> {{pattern}} }}}}", format="csv")
        ask("unreachable", f"SELECT ?s {{{{ SERVICE <{{silent}}> {{pattern}} }}}}")
        begun = time.monotonic()
        ask("slow", f"SELECT ?s {{{{ SERVICE <{{slow}}> {{pattern}} }}}}")
        answers["slow"].append(time.monotonic() - begun)
        ask("stranger", f"SELECT ?s {{{{ SERVICE <http://{remote}:{{port}}/other> {{pattern}} }}}}")
        answers["log"] = [0, (logs / "remote").read_text()]
        description = httpx.get(f"{{ours.url}}/sparql", headers={{"accept": "text/turtle"}}).text
        answers["description"] = [0, description]
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers(tiny: Release, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    from test_clients import missing

    if shutil.which("ip") is None or shutil.which("unshare") is None:
        missing("no ip or unshare on this machine; apt-get install iproute2 util-linux")
    logs = tmp_path_factory.mktemp("federation")
    text = SCRIPT.format(tests=str(ROOT / "tests"), remote=REMOTE, store=str(tiny.directory), logs=str(logs))
    (logs / "script.py").write_text(text)
    command = ["unshare", "-rn", sys.executable, str(logs / "script.py")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(ROOT), timeout=120, check=False)
    if "unshare failed" in done.stderr:
        missing(f"no network namespaces here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    found: dict[str, tuple[int, str]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_an_allowed_endpoint_is_asked(answers: dict[str, tuple[int, str]]) -> None:
    status, text = answers["allowed"]
    assert status == 200
    assert "https://w3id.org/aikg/id/law/ai-act" in text
    assert answers["again"] == answers["allowed"]
    assert answers["joined"][0] == 200
    assert set(answers["joined"][1].split()) == set(text.split())
    # Federated results are not cached: two requests cause two requests to the other endpoint.
    assert answers["log"][1].count('"path": "/sparql"') >= 3


@pytest.mark.parametrize("name", ["loopback", "localhost"])
def test_an_allowed_address_that_is_not_public_is_refused(answers: dict[str, tuple[int, str]], name: str) -> None:
    status, text = answers[name]
    assert status == 500
    assert "no public address" in text or "502" in text or "Bad Gateway" in text


def test_silence_hides_the_refusal_and_gives_nothing(answers: dict[str, tuple[int, str]]) -> None:
    assert answers["silent loopback"][0] == 200
    assert "aikg" not in answers["silent loopback"][1]


def test_what_cannot_be_reached_or_is_not_allowed_is_an_error(answers: dict[str, tuple[int, str]]) -> None:
    assert answers["unreachable"][0] == 500
    assert answers["stranger"][0] == 403
    assert "endpoints that may be asked" in json.loads(answers["stranger"][1])["detail"]


def test_another_endpoint_has_only_so_much_time(answers: dict[str, Any]) -> None:
    status, _, seconds = answers["slow"]
    assert status == 500
    assert seconds < Settings().service_seconds


def test_the_description_says_that_it_federates(answers: dict[str, tuple[int, str]]) -> None:
    assert "sd:BasicFederatedQuery" in answers["description"][1]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "0.0.0.0", "::1", "fe80::1", "fd00::1",
     "::ffff:127.0.0.1", "::ffff:10.0.0.1", "100.64.0.1", "224.0.0.1", "localhost", "2130706433", "0x7f.1"],
)  # fmt: skip
def test_no_private_address_however_written(host: str) -> None:
    with pytest.raises(QueryRefused, match=r"no public address|cannot be resolved"):
        federation.public_address(host, 80)


def test_a_public_address_is_taken_as_it_is() -> None:
    assert federation.public_address("8.8.8.8", 443) == "8.8.8.8"


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "169.254.169.254", "224.0.0.1", "::1", "fe80::1", "fc00::1", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::8.8.8.8", "fec0::1", "64:ff9b::7f00:1"),
        *("64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "2002:7f00:1::", "2002:a00:1::1", "100::1"),
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
    ],
)
def test_an_address_that_leads_inside_is_not_public(address: str) -> None:
    assert not federation.is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert federation.is_public(address)
