"""HTTP/1.1 for untrusted clients: uvicorn's protocol with limits on connections, heads and time."""

from __future__ import annotations

import asyncio
import json
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.problems import Problem
from api.settings import Settings
from kg.rdf import formats

# What this class and `api.hotpath.connection` use of uvicorn's, which promises none of it: `tests/test_uvicorn.py` says
# which of these a version lacks, and `pyproject.toml` allows the versions that were tested.
USED_OF_UVICORN = {
    "protocol": (
        *("app_state", "client", "connections", "cycle", "flow", "headers", "loop", "pipeline", "server_state"),
        *("timeout_keep_alive", "timeout_keep_alive_task", "transport", "url", "_unset_keepalive_if_required"),
    ),
    # Called by uvicorn or httptools, and extended here.
    "extended": (
        *("connection_made", "connection_lost", "data_received", "pause_writing", "resume_writing", "shutdown"),
        *("on_message_begin", "on_headers_complete", "on_message_complete", "on_response_complete"),
        *("send_400_response", "timeout_keep_alive_handler"),
    ),
    "cycle": ("response_started", "response_complete"),
    "flow": ("write_paused",),
    "server_state": ("default_headers", "total_requests"),
}


class _TooLarge(Exception):
    """Stops the parsing of a head that is too large."""


class BoundedProtocol(HttpToolsProtocol):
    """A connection. Slow, silent or greedy clients get an HTTP error if still possible, else are disconnected."""

    settings: ClassVar[Settings]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._timer: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._in_head = True
        self._completed = False
        self._refusal: Problem | None = None

    # ---- connections ----

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.settings.max_connections:
            detail = "too many connections are open; try again in a moment"
            self._refuse(Problem(503, "busy", detail, {}, {"Retry-After": "5"}))
        else:
            self._arm(self.settings.head_seconds, self._on_slow_head)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._forget_unread()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    # ---- heads ----

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None:
            return
        idle = self.cycle is None or self.cycle.response_complete
        if idle and self._timer is None:
            self._arm(self.settings.head_seconds, self._on_slow_head)
        self._completed = False
        super().data_received(data)
        # The last bytes of a body do not belong to the next head.
        if self._in_head and not self._completed and self._refusal is None:
            self._head_bytes += len(data)
            if self._head_bytes > self.settings.max_head_bytes:
                self._refuse(self._too_large())

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.settings.max_head_bytes:
            self._refusal = self._too_large()
            raise _TooLarge
        super().on_headers_complete()
        self._arm(self.settings.write_seconds, self._on_slow_head)

    def on_message_complete(self) -> None:
        self._disarm()
        self._in_head, self._head_bytes, self._completed = True, 0, True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        problem, self._refusal = self._refusal, None
        self._refuse(problem or Problem(400, "malformed-request", "this is no HTTP/1.1 request"))

    def _too_large(self) -> Problem:
        most = self.settings.max_head_bytes
        detail = f"the request line and header fields are longer than {most:,} bytes"
        return Problem(431, "head-too-large", detail, {"limit": most})

    # ---- time ----

    def _arm(self, seconds: float, action: Any) -> None:
        self._disarm()
        self._timer = self.loop.call_later(seconds, action)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_slow_head(self) -> None:
        self._timer = None
        if self.cycle is not None and not self.cycle.response_complete and self.cycle.response_started:
            self.transport.abort()
        else:
            self._refuse(Problem(408, "request-timeout", "the request was not complete in time"))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(self.settings.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._forget_unread()

    def _forget_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self.loop.call_later(self.settings.write_seconds, self._abort_if_unread)

    def _abort_if_unread(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    # ---- refusals ----

    def _refuse(self, problem: Problem) -> None:
        """Responds without the application and closes the connection."""
        self._disarm()
        self._refusal = problem
        if self.transport.is_closing():
            return
        body = json.dumps(problem.document(), indent=1).encode() + b"\n"
        fields = {
            "Content-Type": formats.PROBLEM_JSON,
            "Content-Length": str(len(body)),
            "Connection": "close",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            **problem.headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode()
        self.transport.write(STATUS_LINE[problem.status] + head + b"\r\n" + body)
        self.transport.close()
        # A client that does not read would block even this.
        self.loop.call_later(self.settings.write_seconds, self.transport.abort)
