"""Releases in real engines, for the tests: published there, and opened again as `kg serve --store URL` does."""

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
    """Skips for want of an engine, except on CI, where that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(str(error))
    pytest.skip(str(error))


@contextmanager
def credentials(engine: Engine):
    """The environment in which a command may write to an engine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KG_REMOTE_USER", engine.user)
        patch.setenv("KG_REMOTE_PASSWORD", engine.password)
        yield


def publish(directory: Path, engine: Engine, **options: object) -> publication.PublicationOutcome:
    with credentials(engine):
        return publication.publish(directory, publication.Target(Options(engine.query_url)), **options)


def opened(folder: Path, engine: Engine, **options: object) -> store.Release:
    """The release that an engine holds, by a folder of its releases."""
    folder.mkdir(parents=True, exist_ok=True)
    return store.open_release(mirror.start(folder, Options(engine.query_url, **options)))
