"""A journal that lets an interrupted run resume where it stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from kg.errors import KgError


class Journal:
    """The entries of one run, identified by `key`, as one JSON value per line.

    A file with another key is overwritten; an incomplete last line is ignored. `close(done=True)` removes the file;
    otherwise it is kept.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        self.entries = list(_read(path, key))
        try:
            # Rewritten up to the last complete entry, so that new entries are not appended to half a line.
            staged = path.with_name(path.name + ".new")
            with staged.open("w", encoding="utf-8") as file:
                file.writelines(_line(entry) for entry in ({"key": key}, *self.entries))
            staged.replace(path)
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise KgError(f"cannot write {path}: {error.strerror}; choose another folder with --out") from error

    def append(self, entry: Any) -> None:
        """Adds an entry and flushes it, so that it survives the end of the process."""
        self._file.write(_line(entry))
        self._file.flush()

    def close(self, *, done: bool) -> None:
        self._file.close()
        if done:
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self.close(done=kind is None)


def _line(entry: Any) -> str:
    return json.dumps(entry, ensure_ascii=False) + "\n"


def _read(path: Path, key: str) -> Iterator[Any]:
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file):
            try:
                entry = json.loads(line) if line.endswith("\n") else None
            except ValueError:
                return
            if entry is None or (number == 0 and entry != {"key": key}):
                return
            if number:
                yield entry
