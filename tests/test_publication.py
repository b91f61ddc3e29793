"""`kg publish` into real engines: interruption, refusal, and switching over without mixed results."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import engines
import httpx
import pytest
import remotes
from conftest import Server, make_release
from projects import ROOT, environment
from pyoxigraph import Literal, NamedNode, Quad, QuerySolutions
from servers import serve

from api.app import create_app
from api.settings import Settings
from kg.engines import dialects, pointer
from kg.engines import remote as remote_store
from kg.engines.endpoint import Options
from kg.errors import KgError, NoRelease, ReleaseMoved
from kg.publishing import publication
from kg.publishing.publication import NotFaithful
from kg.rdf.datatypes import XSD
from kg.release import mirror, store
from kg.release.store import Release

LABEL = NamedNode("http://www.w3.org/2004/02/skos/core#prefLabel")
TYPE = NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
BASE = "https://w3id.org/aikg/"
RECORDS = 40


def stamped(folder: Path, stamp: str, *more: Quad) -> Release:
    """A release in which every record has the same stamp, in a separate graph."""
    quads = list(more)
    for number in range(RECORDS):
        node = NamedNode(f"{BASE}id/programme/p-{number}")
        graph = NamedNode(f"{BASE}graph/curator/g-{number}")
        quads.append(Quad(node, TYPE, NamedNode(f"{BASE}ontology#Programme"), graph))
        quads.append(Quad(node, LABEL, Literal(f"stamp {stamp}", language="en"), graph))
    return make_release(folder, quads)


@pytest.fixture(scope="module", params=["fuseki", "virtuoso"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[engines.Engine]:
    """An engine with its data on disk."""
    try:
        options = {"kind": "tdb2"} if request.param == "fuseki" else {}
        with remotes.START[request.param](tmp_path_factory.mktemp("engine"), **options) as started:
            yield started
    except engines.Missing as error:
        remotes.missing(error)


@pytest.fixture
def empty(running: engines.Engine) -> engines.Engine:
    """The engine, cleared of data of earlier tests."""
    with remotes.credentials(running):
        endpoint, dialect = remote_store.connect(Options(running.query_url))
        left = [g for g in graphs_of(running) if g.startswith((BASE, dialects.OURS))]
        for at in range(0, len(left), 50):
            text = " ;\n".join(map(dialect.removing, left[at : at + 50]))
            endpoint.update(running.update_url, dialect.update_parameter, text)
    return running


def graphs_of(engine: engines.Engine) -> dict[str, int]:
    endpoint, dialect = remote_store.connect(Options(engine.query_url))
    return remote_store.RemoteStore(endpoint, dialect, "", ()).counts()


def leftovers(engine: engines.Engine) -> set[str]:
    return {g for g in graphs_of(engine) if g.startswith(publication.STAGED)}


def test_a_release_and_the_next(empty: engines.Engine, tmp_path: Path) -> None:
    gone = Quad(NamedNode("urn:s"), LABEL, Literal("x"), NamedNode(f"{BASE}graph/curator/gone"))
    first, second = stamped(tmp_path / "a", "one", gone), stamped(tmp_path / "b", "two")
    with pytest.raises(NoRelease):
        remotes.opened(tmp_path / "m", empty)
    done = remotes.publish(first.directory, empty)
    assert (done.is_new, done.found) == (True, 0)
    assert done.sent == first.manifest.size
    again = remotes.publish(first.directory, empty)
    assert (again.is_new, again.sent) == (False, 0)
    old = remotes.opened(tmp_path / "m", empty)
    remotes.publish(second.directory, empty)
    with pytest.raises(ReleaseMoved):
        old.store.query("ASK { ?s ?p ?o }")
    new = remotes.opened(tmp_path / "m", empty)
    assert set(new.store.quads_for_pattern(None, None, None, None)) == set(
        second.store.quads_for_pattern(None, None, None, None)
    )
    ours = {g for g in graphs_of(empty) if g.startswith((BASE, dialects.OURS))}
    assert ours == {*second.manifest.graphs, pointer.POINTER, remote_store.merged_graph(second.manifest.id)}


def test_an_interrupted_load_goes_on(empty: engines.Engine, tmp_path: Path, real: Release) -> None:
    with remotes.credentials(empty):
        command = [sys.executable, "-m", "kg.cli", "publish", "--to", empty.query_url]
        releases = {"KG_RELEASES": str(real.directory.parent)}
        running = subprocess.Popen([*command], env={**environment(ROOT), **os.environ, **releases})
        deadline = time.monotonic() + 60
        while len(leftovers(empty)) < 20:
            assert time.monotonic() < deadline
            assert running.poll() is None
        running.send_signal(signal.SIGKILL)
        running.wait()
        with pytest.raises(NoRelease):
            remotes.opened(tmp_path / "m", empty)
        done = remotes.publish(real.directory, empty)
    assert done.is_new
    assert done.found > 0
    assert done.found + done.sent == real.manifest.size
    assert leftovers(empty) == set()
    assert len(remotes.opened(tmp_path / "m", empty).store) == real.manifest.size


def test_going_over_interrupted(empty: engines.Engine, tmp_path: Path, monkeypatch: Any) -> None:
    """After any interruption, readers are told to retry later, and the next attempt repairs it."""
    first, second = stamped(tmp_path / "a", "one"), stamped(tmp_path / "b", "two")
    remotes.publish(first.directory, empty)
    old = remotes.opened(tmp_path / "m", empty)
    moving = dialects.Dialect.renaming
    calls = iter(range(100))

    def stops(self: dialects.Dialect, old: str, new: str) -> list[str]:
        if next(calls) == RECORDS // 2 and not self.is_transactional:
            return ["MOVE SILENT GRAPH <urn:a> TO"]
        return moving(self, old, new)

    monkeypatch.setattr(dialects.Dialect, "renaming", stops)
    monkeypatch.setattr(publication, "_MOVES", 4)
    if empty.name == "virtuoso":
        with pytest.raises(KgError):
            remotes.publish(second.directory, empty)
        with pytest.raises(ReleaseMoved):
            old.store.query("ASK { ?s ?p ?o }")
    monkeypatch.undo()
    remotes.publish(second.directory, empty)
    found = remotes.opened(tmp_path / "m", empty)
    assert set(found.store.quads_for_pattern(None, None, None, None)) == set(
        second.store.quads_for_pattern(None, None, None, None)
    )
    assert leftovers(empty) == set()


def test_what_an_engine_changes_is_refused(tmp_path: Path) -> None:
    """Virtuoso rewrites XML literals: the previous release stays, and the new one is invisible."""
    xml = NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#XMLLiteral")
    bad = Quad(NamedNode("urn:s"), LABEL, Literal("<a/>", datatype=xml), NamedNode(f"{BASE}graph/curator/g-0"))
    first, second = stamped(tmp_path / "a", "one"), stamped(tmp_path / "b", "two", bad)
    try:
        with engines.virtuoso(tmp_path / "engine") as engine:
            remotes.publish(first.directory, engine)
            with pytest.raises(NotFaithful, match="4 differences in 2 graphs") as told:
                remotes.publish(second.directory, engine)
            assert all(form in str(told.value) for form in ('"<a/>"', '"<a />"'))
            kept = remotes.opened(tmp_path / "m", engine)
            assert kept.manifest.id == first.manifest.id
            assert len(kept.store) == first.manifest.size
    except engines.Missing as error:
        remotes.missing(error)


def test_literals_of_every_kind(empty: engines.Engine, tmp_path: Path) -> None:
    values = {
        **dict.fromkeys(("duration", "yearMonthDuration"), "P5Y6M"),
        "dayTimeDuration": "PT1H",
        "boolean": "true",
        "integer": "-5",
        "decimal": "0.1",
        "double": "1.5E10",
        "gYear": "2026",
        "gYearMonth": "2026-04",
        "date": "2026-06-29",
        "dateTime": "2026-06-29T12:00:00+09:00",
        "time": "12:30:00",
        "anyURI": "http://example.org/x y",
        "token": "t",
    }
    terms = [Literal(text, datatype=NamedNode(XSD + name)) for name, text in values.items()]
    large = ("2147483647", "2147483648", "-9093670000")
    terms += [Literal(text, datatype=NamedNode(XSD + "integer")) for text in large]
    terms += [Literal("a\"b\\c\nd\r\t'"), Literal("長" * 5_000, language="ja"), Literal("かな", language="ja-hrkt")]
    terms += [Literal("𠮷野 😀"), Literal(""), Literal("x", datatype=NamedNode("urn:custom"))]
    graph = NamedNode(f"{BASE}graph/curator/literals")
    more = [Quad(NamedNode(f"urn:s{n}"), NamedNode("urn:p"), term, graph) for n, term in enumerate(terms)]
    release = stamped(tmp_path / "a", "one", *more)
    remotes.publish(release.directory, empty)
    found = remotes.opened(tmp_path / "m", empty).store
    text = "SELECT ?s ?o { ?s <urn:p> ?o } ORDER BY ?s"
    ours, theirs = release.store.query(text), found.query(text)
    assert isinstance(ours, QuerySolutions)
    assert isinstance(theirs, QuerySolutions)
    assert [list(row) for row in theirs] == [list(row) for row in ours]


def test_names_that_are_needed_are_refused(empty: engines.Engine, tmp_path: Path) -> None:
    taken = Quad(NamedNode("urn:aikg:x"), LABEL, Literal("x"), NamedNode(f"{BASE}graph/curator/g-0"))
    with pytest.raises(KgError, match="rename them"):
        remotes.publish(stamped(tmp_path / "a", "one", taken).directory, empty)
    assert not {g for g in graphs_of(empty) if g.startswith(dialects.OURS)}


MIXED = (
    "SELECT ?plain ?named { ?s skos:prefLabel ?plain . GRAPH ?g { ?s skos:prefLabel ?named } } GROUP BY ?plain ?named"
)


def test_no_answer_is_mixed(empty: engines.Engine, tmp_path: Path) -> None:
    """While releases are published, a reader sees one or the other, or is told to retry later."""
    made = [stamped(tmp_path / "a", "one"), stamped(tmp_path / "b", "two")]
    remotes.publish(made[0].directory, empty)
    folder = tmp_path / "m"
    seen: list[set[str]] = []
    waited: list[int] = []
    stop = threading.Event()

    def read() -> None:
        mirror_of = remotes.opened(folder, empty)
        while not stop.is_set():
            try:
                found = mirror_of.store.query(MIXED, prefixes={"skos": LABEL.value.removesuffix("prefLabel")})
                seen.append({term.value for row in found for term in row})
            except ReleaseMoved:
                waited.append(1)
                if mirror.refresh(folder):
                    mirror_of = store.open_release(store.current_directory(folder))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(1, 5):
        before = len(seen)
        remotes.publish(made[number % 2].directory, empty)
        while len(seen) < before + 4 and any(r.is_alive() for r in readers):
            time.sleep(0.01)
    stop.set()
    for reader in readers:
        reader.join()
    assert waited
    assert {frozenset(s) for s in seen} == {frozenset({"stamp one"}), frozenset({"stamp two"})}


def test_servers_start_together_during_a_switch(empty: engines.Engine, tmp_path: Path) -> None:
    """In one folder, concurrently, with no release named for a while."""
    made = stamped(tmp_path / "a", "one")
    remotes.publish(made.directory, empty)
    said = f"GRAPH <{pointer.POINTER}> {{ <{pointer.CURRENT}> <{pointer.ID}>"
    found: list[str] = []
    starting = [
        threading.Thread(target=lambda: found.append(remotes.opened(tmp_path / "m", empty).manifest.id))
        for _ in range(8)
    ]
    with remotes.credentials(empty):
        endpoint, dialect = remote_store.connect(Options(empty.query_url))
        endpoint.update(empty.update_url, dialect.update_parameter, f"DELETE WHERE {{ {said} ?id }} }}")
        for thread in starting:
            thread.start()
        time.sleep(1.5)
        assert not found
        endpoint.update(empty.update_url, dialect.update_parameter, f'INSERT DATA {{ {said} "{made.manifest.id}" }} }}')
    for thread in starting:
        thread.join(20)
    assert found == [made.manifest.id] * 8


def test_a_server_switches_over(empty: engines.Engine, tmp_path: Path) -> None:
    first, second = stamped(tmp_path / "a", "one"), stamped(tmp_path / "b", "two")
    remotes.publish(first.directory, empty)
    folder = tmp_path / "m"
    remote = remotes.opened(folder, empty)
    app = create_app(Settings(reload_seconds=0.1), remote, folder)
    with Server(app) as server, httpx.Client(base_url=server.url, trust_env=False, timeout=30) as http:
        target = "/data/programme/p-1.nt"
        assert "stamp one" in http.get(target).text
        remotes.publish(second.directory, empty)
        deadline = time.monotonic() + 20
        while http.get("/readyz").json().get("release") != second.manifest.id[:16]:
            assert time.monotonic() < deadline
        answer = http.get(target)
        assert "stamp two" in answer.text
        assert "stamp one" not in answer.text
        assert answer.headers["x-release"] == second.manifest.id[:16]


def test_the_command_serves_it(empty: engines.Engine, tmp_path: Path, tiny: Release) -> None:
    environment_of = {"KG_REMOTE_USER": empty.user, "KG_REMOTE_PASSWORD": empty.password}
    command = [sys.executable, "-m", "kg.cli", "publish", "--to", empty.query_url]
    told = subprocess.run(
        command,
        env={**environment(ROOT), **environment_of, "KG_RELEASES": str(tiny.directory.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert f"{tiny.manifest.size:,} triples sent, 0 there already, all read back" in told.stdout
    with serve(empty.query_url, log=tmp_path / "log") as process, process.client() as http:
        assert http.get("/readyz").json()["release"] == tiny.manifest.id[:16]
        asked = {"query": "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }", "format": "csv"}
        assert http.get("/sparql", params=asked).text.split() == ["n", str(tiny.manifest.triples)]
