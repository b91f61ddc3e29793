"""Who calls a tool: known in every task that is started for its request."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls a tool: its network address, the address under which it knows the server, the id of its request."""

    host: str = "127.0.0.1"
    url: str = "http://127.0.0.1"
    request_id: str = ""


_CALLER: ContextVar[Caller] = ContextVar("_CALLER")


def called_by(caller: Caller) -> None:
    """Notes who calls, for this task and those that it starts."""
    _CALLER.set(caller)


def caller() -> Caller:
    """Who calls; without a network, whoever started this process."""
    return _CALLER.get(Caller())
