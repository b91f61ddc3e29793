"""A process that evaluates strangers' queries: forked, limited, and killed without regret."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kg.engines import evaluation
from kg.engines.backend import Backend
from kg.engines.federation import Forwarder
from kg.errors import KgError
from kg.isolation import packets, sandbox

OUT_OF_MEMORY = 77


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker needs: `open` gives it its store after the fork."""

    open: Callable[[], Backend]
    base: str
    prefixes: Mapping[str, str]
    memory_bytes: int


def run(channel: socket.socket, task: Task, services: Mapping[str, str], parent: int) -> None:
    """Answers requests until the channel is closed; with `services` it may ask those endpoints, else nobody.

    A request is taken from the channel only when the one before it is answered: until then the server can take it back.
    """
    # Opened before there is a limit: the engine starts threads for it, each of which reserves addresses.
    opened = task.open()
    sandbox.confine(task.memory_bytes, parent)
    forwarder = Forwarder(services) if services else None
    # A remote store is asked over the network; it parses with the network closed, and evaluates nothing here.
    if forwarder is None and not opened.needs_network:
        sandbox.close_network(has_files=opened.needs_files)
    # The server has closed its end: nobody waits for anything more.
    with contextlib.suppress(EOFError, ConnectionError):
        _answer_all(channel, task, opened, forwarder)


def _answer_all(channel: socket.socket, task: Task, opened: Backend, forwarder: Forwarder | None) -> None:
    receiver = packets.Receiver()
    while True:
        message = receiver.receive(channel)
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
