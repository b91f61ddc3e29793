"""The open connections of a process: how many each client has, and which one makes room for another."""

from __future__ import annotations

from typing import Protocol

from api.admission.clients import client_of
from api.problems import Problem


class Closable(Protocol):
    """A connection, as far as its place among the others is concerned."""

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered."""

    def give_way(self) -> None:
        """Closes it, because others need the room."""


class Crowd:
    """All open connections, by client in the order in which they came."""

    def __init__(self, most: int, most_of_client: int) -> None:
        self.most = most
        self._most_of_client = most_of_client
        self._open: dict[str, dict[Closable, None]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, connection: Closable, host: str, *, is_proxy: bool) -> Problem | None:
        """Counts a new connection; returns the problem if it cannot stay.

        A proxy has the connections of many clients, and is not limited like one. If all connections are taken, an idle
        one of the client that has most makes room.
        """
        client = client_of(host)
        own = self._open.setdefault(client, {})
        own[connection] = None
        self._count += 1
        if len(own) > self._most_of_client and not is_proxy:
            detail = f"at most {self._most_of_client} connections of one client may be open"
            return Problem(429, "too-many-requests", detail, {"limit": self._most_of_client}, {"Retry-After": "5"})
        if self._count <= self.most:
            return None
        greediest = max(self._open.values(), key=len)
        idle = next((other for other in greediest if other.is_idle and other is not connection), None)
        if idle is None:
            return Problem(503, "server-busy", "too many connections are open; try again in a moment", {}, _RETRY)
        idle.give_way()
        return None

    def remove(self, connection: Closable, host: str) -> None:
        client = client_of(host)
        own = self._open.get(client, {})
        if connection in own:
            del own[connection]
            self._count -= 1
            if not own:
                del self._open[client]


_RETRY = {"Retry-After": "5"}
