"""HTTP/1.1 for untrusted clients: uvicorn's protocol with limits on connections, heads and time."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import struct
import termios
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.http.crowd import Crowd
from api.http.proxies import HOST, TrustedProxies
from api.problems import Problem
from api.settings import Settings
from kg.rdf import formats

# What this class and `api.hotpath.connection` use of uvicorn's, which promises none of it: `tests/test_uvicorn.py` says
# which of these a version lacks, and `pyproject.toml` allows the versions that were tested.
USED_OF_UVICORN = {
    "protocol": (
        *(
            "app_state",
            "client",
            "connections",
            "cycle",
            "flow",
            "headers",
            "loop",
            "parser",
            "pipeline",
            "server_state",
        ),
        *("timeout_keep_alive", "timeout_keep_alive_task", "transport", "url", "_unset_keepalive_if_required"),
    ),
    # Called by uvicorn or httptools, and extended here.
    "extended": (
        *("connection_made", "connection_lost", "data_received", "pause_writing", "resume_writing", "shutdown"),
        *("on_message_begin", "on_headers_complete", "on_message_complete", "on_response_complete"),
        *("send_400_response", "timeout_keep_alive_handler", "_unsupported_upgrade_warning"),
    ),
    "cycle": ("response_started", "response_complete", "disconnected", "keep_alive", "message_event"),
    "flow": ("write_paused",),
    "server_state": ("default_headers", "total_requests"),
}


# Fields that may stand in several lines, which are one list, with what joins them (RFC 9110, 5.3; RFC 6265, 5.4).
_LISTS = {
    name: b"; " if name == b"cookie" else b", "
    for name in (
        *(b"accept", b"accept-encoding", b"accept-language", b"if-match", b"if-none-match", b"cookie"),
        *(b"x-forwarded-for",),
    )
}
# Looks at what a client reads, in the time in which it must read something.
_LOOKS = 4
# For how long the rest of a refused request is read.
_LINGERING_SECONDS = 1.0


class _Stop(Exception):
    """Stops the parsing of a head that is refused."""


class BoundedProtocol(HttpToolsProtocol):
    """A connection. Slow, silent or greedy clients get an HTTP error if still possible, else are disconnected."""

    settings: ClassVar[Settings]
    proxies: ClassVar[TrustedProxies]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.peer = ""
        self._crowd: Crowd | None = self.app_state.get("crowd")
        self._timer: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None
        # Bytes that the client has not read at the last look, and for how many looks that has not changed.
        self._unread = 0
        self._unchanged = 0
        self._head_bytes = 0
        # Whether the parser is within a request, and within its head.
        self._in_message = False
        self._in_head = True
        self._has_completed = False
        self._is_last_request = False
        self._reads_no_more = False
        self._refusal: Problem | None = None
        # A refusal that comes after the answers to earlier requests.
        self._pending: Problem | None = None

    # ---- connections ----

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.peer = self.client[0] if self.client else ""
        problem = None
        if self._crowd is not None:
            problem = self._crowd.add(self, self.peer, is_proxy=self.peer in self.proxies)
        if problem is not None:
            self._refuse(problem, is_read=False)
        else:
            self._arm(self.settings.head_seconds, self._on_slow_head)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._end_watch()
        if self._crowd is not None:
            self._crowd.remove(self, self.peer)
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or bool(self.cycle.response_complete)

    def give_way(self) -> None:
        """Closes an idle connection, because others need the room."""
        self._disarm()
        self.transport.abort()

    # ---- heads ----

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None or self._reads_no_more:
            return
        if self.is_idle and self._timer is None:
            self._arm(self.settings.head_seconds, self._on_slow_head)
        elif self._in_message and not self._in_head:
            # More of a body: the limit is on the time in which nothing comes.
            self._arm(self.settings.write_seconds, self._on_slow_head)
        self._has_completed = False
        super().data_received(data)
        if self._in_message and self._in_head and self._refusal is None:
            # Where behind another request a head began is not known; what the parser has of it is.
            self._head_bytes = self._parsed_bytes if self._has_completed else self._head_bytes + len(data)
            if self._head_bytes > self.settings.max_head_bytes:
                self._refuse_in_turn(self._too_large())

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_message, self._in_head, self._head_bytes = True, True, 0

    def on_headers_complete(self) -> None:
        if self._parsed_bytes > self.settings.max_head_bytes:
            self._refusal = self._too_large()
            raise _Stop
        self._check_version_and_host()
        self._join_lists()
        super().on_headers_complete()
        self._in_head = False
        if self.parser.should_upgrade():
            # No other protocol is spoken here; what follows the request might be in it, and is not read.
            self.cycle.keep_alive = False
            self._is_last_request = True
        self._arm(self.settings.write_seconds, self._on_slow_head)

    def on_message_complete(self) -> None:
        self._disarm()
        self._in_message, self._in_head, self._has_completed = False, True, True
        self._reads_no_more = self._is_last_request
        super().on_message_complete()

    @property
    def _parsed_bytes(self) -> int:
        """The size of the head, as far as it is parsed."""
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _unsupported_upgrade_warning(self) -> None:
        """Logs nothing: whoever asks for another protocol gets an answer in this one."""

    def _check_version_and_host(self) -> None:
        """Refuses a request of another version, and one that does not name one host (RFC 9112, 3.2)."""
        version = self.parser.get_http_version()
        if version not in ("1.0", "1.1"):
            self._refusal = Problem(505, "version-not-supported", "this server speaks HTTP/1.0 and HTTP/1.1")
            raise _Stop
        # Spaces around a value are no part of it (RFC 9110, 5.5); the parser leaves those that follow.
        hosts = [value.strip(b" \t") for name, value in self.headers if name == b"host"]
        if not hosts and version == "1.0":
            return
        if len(hosts) != 1 or not HOST.fullmatch(hosts[0]):
            detail = "expected the name or address of one host in the field Host"
            self._refusal = Problem(400, "malformed-request", detail)
            raise _Stop

    def _join_lists(self) -> None:
        """Joins the lines of a list, so that everyone who reads the field reads all of it."""
        names = [name for name, _ in self.headers]
        if len(set(names)) == len(names):
            return
        joined: dict[bytes, list[bytes]] = {}
        for name, value in self.headers:
            if name in _LISTS:
                joined.setdefault(name, []).append(value)
        others = [pair for pair in self.headers if pair[0] not in _LISTS]
        # In place: the request that is being made refers to this list.
        self.headers[:] = [*others, *((name, _LISTS[name].join(values)) for name, values in joined.items())]

    def send_400_response(self, msg: str) -> None:
        problem, self._refusal = self._refusal, None
        # The same for every fault: where a request broke depends on how it was cut into segments.
        detail = "this is no HTTP/1.1 request; percent-encode what its target has outside ASCII, as UTF-8"
        self._refuse_in_turn(problem or Problem(400, "malformed-request", detail))

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
        self._refuse_in_turn(Problem(408, "request-timeout", "the request was not complete in time"))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        # Much was read: what is left is watched anew.
        self._end_watch()
        self._watch_reading()

    def on_response_complete(self) -> None:
        if self._pending is not None and not self.pipeline:
            self._refuse(self._pending)
        else:
            super().on_response_complete()
        self._watch_reading()

    def _watch_reading(self) -> None:
        """Watches whether the client reads what lies ready for it; if it does not, the connection ends."""
        if self._watch is None and self.transport.get_write_buffer_size():
            self._unread, self._unchanged = self._size_unread(), 0
            self._watch = self.loop.call_later(self.settings.write_seconds / _LOOKS, self._look)

    def _look(self) -> None:
        self._watch = None
        if not self.transport.get_write_buffer_size():
            return
        unread = self._size_unread()
        self._unchanged = self._unchanged + 1 if unread >= self._unread else 0
        self._unread = unread
        if self._unchanged >= _LOOKS:
            self.transport.abort()
        else:
            self._watch = self.loop.call_later(self.settings.write_seconds / _LOOKS, self._look)

    def _size_unread(self) -> int:
        """Bytes in our buffer, and on Linux in that of the kernel, which holds megabytes."""
        size = int(self.transport.get_write_buffer_size())
        connection = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError, AttributeError):
            size += struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]
        return size

    def _end_watch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    # ---- refusals ----

    def _refuse_in_turn(self, problem: Problem) -> None:
        """Refuses the request that is being read when those before it are answered, and reads no further."""
        is_in_body = self._in_message and not self._in_head
        if is_in_body and self.pipeline:
            # It waits for those before it, and is not begun.
            self.pipeline.popleft()
        elif is_in_body and self.cycle.response_started:
            # A second answer would be taken for that of the next request.
            self.transport.abort()
            return
        elif is_in_body or self.is_idle:
            self._refuse(problem)
            return
        self._disarm()
        self._refusal = self._pending = problem

    def _refuse(self, problem: Problem, *, is_read: bool = True) -> None:
        """Responds without the application and closes the connection, at once or after reading for a moment."""
        self._disarm()
        self._refusal = problem
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            # Its request is refused while it is read: nothing else may be written.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
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
        if is_read:
            # What the client still sends is read and dropped: closed at once, the connection would be reset, and the
            # client might never see the answer (RFC 9112, 9.6).
            self.transport.write_eof()
            self.loop.call_later(_LINGERING_SECONDS, self.transport.close)
        else:
            self.transport.close()
        # A client that does not read would block even this.
        self.loop.call_later(self.settings.write_seconds, self.transport.abort)
