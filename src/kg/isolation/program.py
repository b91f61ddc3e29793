"""Programs of child processes: a task, which is a module named by its dotted name, and its limits."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from kg.errors import KgError
from kg.isolation import messages

# The exit code of a child that ran out of memory and could still say so.
OUT_OF_MEMORY = 77
_END_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class MessageHandler:
    """How a child answers each message, and what it has to open while it does: sockets, or files for reading."""

    answer: Callable[[bytes], bytes]
    needs_network: bool = False
    needs_files: bool = False


class Task(Protocol):
    """The module of a task. Its functions run before the limits apply; `MessageHandler.answer` runs under them."""

    def hold(self, options: Mapping[str, Any]) -> Any:
        """Reads what all children share, before they are forked; must start no thread and open no connection."""

    def begin(self, held: Any, options: Mapping[str, Any], grants: Mapping[str, Any]) -> MessageHandler:
        """Prepares one child; `grants` is what only this child may use."""


@dataclass(frozen=True, slots=True)
class Program:
    """A task with its options (JSON) and the limits of a child: memory, and processor time per message (0: none)."""

    task: str
    options: Mapping[str, Any]
    memory_bytes: int
    cpu_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Failures:
    """Makes the errors for messages without a reply, from the reason or the limit.

    `too_late` is for a job that never started before its deadline, `too_slow` for one that was stopped at it.
    """

    busy: Callable[[str], KgError]
    too_many: Callable[[int], KgError]
    too_late: Callable[[float], KgError]
    too_slow: Callable[[float], KgError]
    out_of_memory: Callable[[], KgError]
    too_complex: Callable[[], KgError]

    def of_end(self, code: int, seconds: float) -> KgError:
        """Return the error for the message of a child that ended; `code` is its exit code, or minus the signal."""
        if code in (-signal.SIGSEGV, -signal.SIGBUS):
            return self.too_complex()
        if code in (-signal.SIGABRT, OUT_OF_MEMORY):
            return self.out_of_memory()
        if code == -signal.SIGXCPU:
            return self.too_slow(seconds)
        return self.busy("the process that worked on it was killed")


def specification(program: Program, *, forks: bool) -> bytes:
    """The first message to a process that `spawn` has started, which then forks children or answers by itself."""
    return json.dumps({"program": asdict(program), "forks": forks, "parent": os.getpid()}).encode()


def spawn(channel: socket.socket) -> subprocess.Popen[bytes]:
    """Starts a process that waits for its specification at the other end of a channel."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "kg.isolation.zygote", str(channel.fileno())],
        pass_fds=[channel.fileno()],
        # Otherwise each thread of an engine reserves 128 MB of address space, which is what is limited.
        env={**os.environ, "MALLOC_ARENA_MAX": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def run(program: Program, message: bytes, seconds: float, failures: Failures) -> bytes:
    """Start a process for one message and return its reply; blocks. Raises the reported error or one of `failures`."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            process = spawn(theirs)
        try:
            return messages.checked(_exchange(ours, program, message, time.monotonic() + seconds))
        except TimeoutError:
            raise failures.too_slow(seconds) from None
        except (OSError, EOFError):
            raise failures.of_end(process.wait(_END_SECONDS), seconds) from None
        finally:
            process.kill()
            process.wait()


def _exchange(channel: socket.socket, program: Program, message: bytes, until: float) -> bytes:
    receiver, reply = messages.Receiver(), None
    for packet in (specification(program, forks=False), *messages.split(message)):
        _limit(channel, until)
        # A child that could not start has said why before it ended.
        with contextlib.suppress(ConnectionError):
            channel.send(packet)
    while reply is None:
        _limit(channel, until)
        # One that ended without reading everything is reported once, before its last words.
        with contextlib.suppress(ConnectionResetError):
            reply = receiver.receive(channel)
    return reply


def _limit(channel: socket.socket, until: float) -> None:
    """Has the next operation raise `TimeoutError` at the deadline."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    channel.settimeout(left)
