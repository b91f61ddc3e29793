"""Local folders for the releases of a remote engine, with everything except the data.

Such a folder has `manifest.json`, `changes.json` and `remote.json`, which locates the store; `current` is the release
that the engine serves, as in a folder of releases made by `kg build`.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

from kg.engines import pointer, remote
from kg.engines.dialects import Dialect
from kg.engines.endpoint import Endpoint, Options
from kg.errors import EngineFailed, NoRelease
from kg.release import history, store

# Seconds that a start waits: for an engine without a release, for one that is switching, and between two checks.
_MOMENT, _PATIENCE, _PAUSE = 1.0, 60.0, 0.2


def start(releases: Path, options: Options) -> Path:
    """Creates such folders in an empty one; returns the folder of the engine's release. Raises `NoRelease`.

    Waits for an engine that is switching to another release.
    """
    options.write(releases / remote.FILE)
    endpoint, dialect = remote.connect(options)
    begun, patience = time.monotonic(), _MOMENT
    try:
        while not _refresh(releases, options, endpoint, dialect):
            # What is left of a release while the next comes; between the two there is nothing for a moment.
            if pointer.pointed(endpoint, dialect, pointer.MANIFEST):
                patience = _PATIENCE
            if time.monotonic() - begun > patience:
                url = options.query_url
                raise NoRelease(f"{url} holds no release; load one with 'kg publish --to {url}'")
            time.sleep(_PAUSE)
    finally:
        endpoint.close()
    return store.current_directory(releases)


def follows(releases: Path) -> bool:
    """Whether a folder has releases of a remote engine."""
    return (releases / remote.FILE).is_file()


def refresh(releases: Path) -> bool:
    """Makes the engine's release the current one here; False if it has none at the moment.

    Several processes may do so concurrently. Raises the errors of `Endpoint`.
    """
    options = Options.read(releases / remote.FILE)
    endpoint, dialect = remote.connect(options)
    try:
        return _refresh(releases, options, endpoint, dialect)
    finally:
        endpoint.close()


def _refresh(releases: Path, options: Options, endpoint: Endpoint, dialect: Dialect) -> bool:
    release = pointer.held_release(endpoint, dialect)
    if not release:
        return False
    directory = releases / release[:16]
    if not directory.is_dir() and not _fetch(directory, options, endpoint, dialect):
        return False
    link = releases / "current"
    if not link.is_symlink() or link.readlink() != Path(directory.name):
        new = releases / f".current-{os.getpid()}-{threading.get_ident()}"
        new.unlink(missing_ok=True)
        new.symlink_to(directory.name)
        new.replace(link)
    return True


def _fetch(directory: Path, options: Options, endpoint: Endpoint, dialect: Dialect) -> bool:
    """Writes the folder of the engine's release; False if the engine switches to another meanwhile."""
    written = pointer.pointed(endpoint, dialect, pointer.MANIFEST)
    changes = pointer.pointed(endpoint, dialect, pointer.CHANGES)
    if pointer.held_release(endpoint, dialect)[:16] != directory.name:
        return False
    try:
        manifest = store.Manifest(**json.loads(written))
    except (ValueError, TypeError) as error:
        raise EngineFailed(f"the engine has no readable manifest: {error}") from None
    staged = Path(tempfile.mkdtemp(prefix=".staged-", dir=directory.parent))
    # The files exist only where the release was built.
    document = asdict(replace(manifest, dumps={}, files={}, seal=""))
    (staged / "manifest.json").write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    if changes:
        (staged / history.FILE).write_text(changes, encoding="utf-8")
    replace(options, dialect=dialect.name).write(staged / remote.FILE)
    try:
        staged.rename(directory)
    except OSError:
        # Another process was first.
        if not directory.is_dir():
            raise
    return True
