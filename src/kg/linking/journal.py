"""A journal of work that can be interrupted at any moment and goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from kg.errors import KgError


class Journal:
    """Entries of one piece of work, named by `key`, in a file of one JSON value per line.

    A journal of other work is begun anew; a last line that was not written whole is left out. The file is removed by
    `close(done=True)`, and kept when the work ends in any other way.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        self.entries = list(_read(path, key))
        try:
            # Written anew up to the last whole entry, so that what follows does not stand behind half a line.
            staged = path.with_name(path.name + ".new")
            with staged.open("w", encoding="utf-8") as file:
                file.writelines(_line(entry) for entry in ({"key": key}, *self.entries))
            staged.replace(path)
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise KgError(f"cannot write {path}: {error.strerror}; name a folder with --out") from error

    def append(self, entry: Any) -> None:
        """Adds an entry; once this returns, the end of the process does not lose it."""
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
