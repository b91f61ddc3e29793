"""Fixtures of the whole run: a small release, and a real server of it on a loopback port."""

from __future__ import annotations

import functools
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dataset
import engines
import groups
import httpx
import hypothesis
import pytest
import remotes
import uvicorn
from dataset import BASE, PROJECT, Data
from projects import make_project
from pyoxigraph import Quad, parse
from visits import visits

from api.app import create_app
from api.hotpath.connection import protocol_class
from api.settings import Settings
from kg.build import pipeline
from kg.curation import builder
from kg.release import store

ROOT = Path(__file__).parents[1]
# Reading the certificates takes 25 ms for each client of httpx, and no test needs them.
ssl.create_default_context = functools.cache(ssl.create_default_context)
# A busy machine is no failure.
hypothesis.settings.register_profile("busy", deadline=None)
hypothesis.settings.load_profile("busy")
# Java runs for seconds here: compiling with more care would take longer than it saves.
os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="only what needs no browser, engine or process of its own")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--fast"):
        config.hook.pytest_deselected(items=[item for item in items if not groups.is_fast(item)])
        items[:] = filter(groups.is_fast, items)
    for item in items:
        if "beside" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.extra)
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: groups.turn_of(item.nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> groups.Groups:
    return groups.Groups(config, log)


def tiny_quads() -> list[Quad]:
    """The quads of `fixtures/tiny/dataset.trig` with the ontology in its graph."""
    fixture = ROOT / "tests" / "fixtures" / "tiny" / "dataset.trig"
    return [*parse(path=str(fixture)), *builder.ontology_quads(PROJECT)]


def make_release(
    folder: Path, quads: list[Quad], base: str = BASE.iri, issued: str = "2026-07-01T00:00:00+00:00"
) -> store.Release:
    """Publishes quads as a release and opens it."""
    records = len({q.subject for q in quads})
    account = store.BuildInfo(base, issued, "tests", records)
    prefixes = builder.read_context(ROOT).prefixes
    with store.build_lock(folder):
        return store.open_release(store.publish(folder, store.stage(folder, quads, account, prefixes)))


class Server:
    """A uvicorn server in a thread, on a free loopback port."""

    def __init__(self, app: Any) -> None:
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        http = protocol_class(app.state.serving.settings) if hasattr(app.state, "serving") else "auto"
        config = uvicorn.Config(app, log_level="error", ws="none", lifespan="on", http=http)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]}, daemon=True)

    def __enter__(self) -> Server:
        self.thread.start()
        deadline = time.monotonic() + 60
        while not self.server.started:
            assert time.monotonic() < deadline, "the server does not start"
            assert self.thread.is_alive(), "the server failed at its start"
            self.thread.join(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join(20)
        self.socket.close()


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small project, built; only its copies may be changed."""
    project = make_project(tmp_path_factory.mktemp("small") / "project")
    pipeline.build(project, project / ".releases")
    return project


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> store.Release:
    return make_release(tmp_path_factory.mktemp("releases"), tiny_quads())


@pytest.fixture(scope="session")
def queries_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder with the real ontology and one stored query, so that tests do not lean on the library."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "ontology").symlink_to(ROOT / "ontology")
    (folder / "site.yaml").symlink_to(ROOT / "site.yaml")
    (folder / "queries").mkdir()
    (folder / "queries" / "quoting.rq").write_text(
        '#+ title: {en: "What quotes a provision", ja: "条項を引用するもの"}\n'
        '#+ description: {en: "Records that quote it.", ja: "引用する項目。"}\n'
        '#+ parameters: [{name: provision, type: iri, default: "law:ai-act/article-9", '
        "label: {en: Provision, ja: 条項}}]\n"
        "#+ columns: [record]\n"
        "SELECT ?record WHERE { ?record <https://w3id.org/aikg/ontology#quotes> ?provision }\n",
        encoding="utf-8",
    )
    return folder


@pytest.fixture(scope="session")
def server(tiny: store.Release, queries_project: Path) -> Iterator[str]:
    """The address of a server of the small release."""
    settings = Settings(project=queries_project, max_result_bytes=100_000, max_body_bytes=10_000, page_size=2)
    with Server(create_app(settings, tiny)) as running:
        yield running.url


@pytest.fixture(scope="session")
def data() -> Data:
    """The real data of this checkout, mapped, closed and merged."""
    return dataset.load()


@pytest.fixture(scope="session")
def beside() -> Path:
    """The folder of third-party material beside the checkout; what uses it is marked `extra`."""
    found = ROOT.parent / "shared"
    if not found.is_dir():
        message = "needs ../shared, which only developers and CI have"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.fixture(scope="session")
def texts(beside: Path) -> dict[str, str]:
    """The texts of the sources, where they are at hand, by the slug of the source."""
    return {source: path.read_bytes().decode("utf-8") for source, path in dataset.TEXTS.items()}


@pytest.fixture
def http(server: str) -> Iterator[httpx.Client]:
    """A client of its own for each test: a cookie that one gets must not speak for the next."""
    with httpx.Client(base_url=server, trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium; without it browser tests are skipped, except on CI, where that is a failure."""
    if not CHROMIUM.is_file():
        message = f"no Chromium at {CHROMIUM}; apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield running
        running.close()


@pytest.fixture
def visit(browser: Any, real_server: str) -> Iterator[Callable[..., Any]]:
    """Opens a page of the real data in the browser; at the end there must be no script error."""
    with visits(browser, real_server) as open_page:
        yield open_page


@pytest.fixture(scope="session")
def real(data: Data, tmp_path_factory: pytest.TempPathFactory) -> store.Release:
    """A release of the real data of this checkout."""
    return make_release(tmp_path_factory.mktemp("real"), data.everything)


@pytest.fixture(scope="session")
def real_server(real: store.Release) -> Iterator[str]:
    """The address of a server of the real data."""
    with Server(create_app(Settings(), real)) as running:
        yield running.url


@pytest.fixture
def real_http(real_server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=real_server, trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture(scope="session", params=["fuseki", "virtuoso"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[engines.Engine]:
    """A real engine that holds the release of the real data."""
    try:
        with remotes.START[request.param](tmp_path_factory.mktemp(request.param)) as running:
            remotes.publish(request.getfixturevalue("real").directory, running)
            yield running
    except engines.Missing as error:
        remotes.missing(error)


@pytest.fixture(scope="session")
def remote(engine: engines.Engine, tmp_path_factory: pytest.TempPathFactory) -> store.Release:
    """The real data in that engine, opened."""
    return remotes.opened(tmp_path_factory.mktemp("mirror"), engine)
