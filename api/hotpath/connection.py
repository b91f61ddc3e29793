"""A connection with the hot path."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from api.http.protocol import BoundedProtocol
from api.http.proxies import TrustedProxies
from api.settings import Settings
from kg.errors import KgError

if TYPE_CHECKING:
    from api.hotpath.shortcut import Flight, Shortcut

_MOST_HELD = 262_144
_LARGE = 65_536


class Connection(BoundedProtocol):
    """Gives a complete single GET to the shortcut; everything that this does not handle goes to the application.

    `peer` is the address of the client, `request_id` that of the last request answered on the hot path.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.request_id = ""
        self._shortcut: Shortcut | None = self.app_state.get("shortcut")
        self._flight: Flight | None = None
        self._held = b""
        self._is_last = False
        self._served_at = 0.0
        self._common: tuple[object, bytes] = (None, b"")

    def connection_lost(self, exc: Exception | None) -> None:
        flight, self._flight = self._flight, None
        if flight is not None and self._shortcut is not None:
            self._shortcut.leave(self, flight)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._flight is not None or (self._held and self.flow.write_paused):
            self._hold(data)
        elif data[:5] == b"GET /" and data[-4:] == b"\r\n\r\n" and self._shortcut is not None and self._is_between:
            if self.flow.write_paused:
                self._hold(data)
            elif not self._shortcut.take(self, data):
                super().data_received(data)
        else:
            super().data_received(data)

    @property
    def _is_between(self) -> bool:
        """Whether no request is being read or answered."""
        return (
            self.is_idle
            and not self._in_message
            and not self._reads_no_more
            and self._refusal is None
            and not self.pipeline
        )

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered, here or by the application."""
        return self._flight is None and super().is_idle

    # ---- input while a request is being answered ----

    def wait(self, flight: Flight) -> None:
        """A response will follow; until then further input is buffered."""
        self._flight = flight
        self._disarm()

    def _hold(self, data: bytes) -> None:
        self._held += data
        if len(self._held) > _MOST_HELD:
            self.transport.pause_reading()

    def _go_on(self) -> None:
        held, self._held = self._held, b""
        if len(held) > _MOST_HELD:
            self.transport.resume_reading()
        if held and not self.transport.is_closing():
            self.data_received(held)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._flight is None and self._held:
            self._go_on()

    # ---- responses ----

    def send(self, status: bytes, fields: bytes, last: bytes, body: bytes) -> None:
        """Sends a response: the status line, prepared fields, per-response fields, and the body."""
        self._flight = None
        self._disarm()
        self.server_state.total_requests += 1
        defaults = self.server_state.default_headers
        if self._common[0] is not defaults:
            self._common = (defaults, b"".join(b"%s: %s\r\n" % pair for pair in defaults))
        head = b"".join((status, self._common[1], fields, last))
        if len(body) < _LARGE:
            self.transport.write(head + body)
        else:
            self.transport.writelines((head, body))
        self._watch_reading()
        if self._is_last:
            self.transport.close()
            return
        self._served_at = time.monotonic()
        if self.timeout_keep_alive_task is None:
            self._keep_alive(self.timeout_keep_alive)
        if self._held:
            self._go_on()

    def fall_through(self, data: bytes, error: KgError) -> None:
        """Lets the application report an error."""
        self._flight = None
        own = self.app_state
        self.app_state = {**own, "error": error}
        try:
            super().data_received(data)
        finally:
            self.app_state = own
        if self._held:
            self._go_on()

    # ---- time ----

    def _keep_alive(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        """Closes the connection unless it was used meanwhile; a single timer is cheaper than one per response."""
        left = self._served_at + self.timeout_keep_alive - time.monotonic()
        if self._flight is not None:
            left = self.timeout_keep_alive
        if left > 0:
            self._keep_alive(left)
        else:
            super().timeout_keep_alive_handler()

    def shutdown(self) -> None:
        """Closes the connection after the current response."""
        if self._flight is not None:
            self._is_last = True
        else:
            super().shutdown()


def protocol_class(bounds: Settings) -> type[Connection]:
    """The protocol class with the limits in these settings."""
    return type("Protocol", (Connection,), {"settings": bounds, "proxies": TrustedProxies(bounds.trusted_proxies)})
