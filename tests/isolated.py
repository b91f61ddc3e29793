"""A task of child processes that does what its message says, for `test_isolation.py`."""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kg.errors import NoRelease, QueryMalformed
from kg.isolation.program import MessageHandler


def hold(options: Mapping[str, Any]) -> str:
    if options.get("is_broken"):
        raise NoRelease("nothing to hold")
    return "held"


def begin(held: str, options: Mapping[str, Any], grants: Mapping[str, Any]) -> MessageHandler:
    told = f"{held} {sorted(grants)} {os.getpid()}".encode()
    deeds: dict[str, Callable[[str], bytes]] = {
        "tell": lambda _: told,
        "echo": lambda text: text.encode(),
        "connect": _connect,
        "write": _write,
        "read": lambda _: Path(__file__).read_bytes()[:3],
        "fail": _fail,
        "spin": _spin,
        "take": lambda _: bytes(10**10),
        "crash": lambda _: ctypes.string_at(0),
    }

    def answer(message: bytes) -> bytes:
        name, _, text = message.decode().partition(" ")
        try:
            return deeds[name](text)
        except OSError as error:
            return f"refused {error.errno}".encode()

    return MessageHandler(answer, options.get("network", False), options.get("files", False))


def _connect(port: str) -> bytes:
    socket.create_connection(("127.0.0.1", int(port)), 5).close()
    return b"connected"


def _write(path: str) -> bytes:
    Path(path).write_bytes(b"x")
    return b"written"


def _fail(_: str) -> bytes:
    raise QueryMalformed("not like this", 3, 4)


def _spin(_: str) -> bytes:
    while True:
        pass
