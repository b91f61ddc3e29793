"""A process that evaluates strangers' queries: forked, limited, and killed without regret."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pyoxigraph import Store

from kg import evaluation, packets, store
from kg.errors import KgError
from kg.federation import Forwarder
from kg.remote import RemoteStore

_PR_SET_PDEATHSIG = 1
NICE = 5
OUT_OF_MEMORY = 77
_MOST_DESCRIPTORS = 4_096


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker works on: the store, or the folder from which to open one after the fork."""

    store: Store | Path
    base: str
    prefixes: Mapping[str, str]
    memory_bytes: int


def confine(memory_bytes: int, parent: int) -> None:
    """Limits this process: memory beyond what it has, no core files, first to go when the machine runs out.

    It dies with its parent. Linux only in the latter two; elsewhere they do nothing.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    with contextlib.suppress(OSError):
        os.nice(NICE)


def close_network() -> None:
    """Lets this process open nothing more, no socket either: a SERVICE that the guard did not see cannot get out."""
    own = Path("/proc/self/fd")
    listed = [int(entry.name) for entry in own.iterdir()] if own.is_dir() else range(_MOST_DESCRIPTORS)
    # The listing has its own descriptor among them, closed by now.
    taken = sorted(filter(_is_open, listed))
    # No number below the limit may be free, since a limit is not on how many there are.
    while os.dup(taken[0]) < taken[-1]:
        pass
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[-1] + 1, taken[-1] + 1))


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def run(channel: socket.socket, task: Task, services: Mapping[str, str], parent: int) -> None:
    """Answers requests until the channel is closed; with `services` it may ask those endpoints, else nobody.

    A request is taken from the channel only when the one before it is answered: until then the server can take it back.
    """
    confine(task.memory_bytes, parent)
    opened = task.store if isinstance(task.store, Store) else store.open_after_fork(task.store)
    forwarder = Forwarder(services) if services else None
    # A remote store is asked over the network; it parses with the network closed, and evaluates nothing here.
    if forwarder is None and not isinstance(opened, RemoteStore):
        close_network()
    receiver = packets.Receiver()
    while True:
        try:
            message = receiver.receive(channel)
        except EOFError:
            return
        if message is None:
            continue
        query, want, most_bytes = packets.read_request(message)
        if forwarder:
            query = forwarder.redirect(query)
        try:
            answer = evaluation.evaluate(
                opened, query, want, base=task.base, prefixes=task.prefixes, most_bytes=most_bytes
            )
            reply = packets.answer(answer)
        except KgError as failure:
            reply = packets.error(failure)
        for packet in packets.split(reply):
            channel.send(packet)
