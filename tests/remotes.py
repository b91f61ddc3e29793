"""Releases in real engines: published there, and opened as by `kg serve --store URL`."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path

import engines
import pytest
from engines import Engine

from kg.engines.endpoint import Options
from kg.publishing import publication
from kg.release import mirror, store

START = {"fuseki": engines.fuseki, "virtuoso": engines.virtuoso}


def missing(error: engines.Missing) -> None:
    """Skips the test if an engine is missing, except on CI, where that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(str(error))
    pytest.skip(str(error))


@contextmanager
def credentials(engine: Engine):
    """The environment with credentials for writing to an engine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KG_REMOTE_USER", engine.user)
        patch.setenv("KG_REMOTE_PASSWORD", engine.password)
        yield


def publish(directory: Path, engine: Engine, **options: object) -> publication.PublicationOutcome:
    with credentials(engine):
        return publication.publish(directory, publication.Target(Options(engine.query_url)), **options)


def opened(folder: Path, engine: Engine, **options: object) -> store.Release:
    """The release in an engine, found by a folder of releases."""
    folder.mkdir(parents=True, exist_ok=True)
    return store.open_release(mirror.start(folder, Options(engine.query_url, **options)))
