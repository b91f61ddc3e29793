"""What a route and its endpoint ask of the gate for one request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import ParamSpec, TypeVar, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.admission.clients import client_in
from api.admission.cost import Cost
from api.admission.gate import Gate, Refused

_PAUSE_SECONDS = 0.5
_Arguments = ParamSpec("_Arguments")
_Value = TypeVar("_Value")


class AdmittedRequest:
    """A request that is under way, with what it holds of the gate."""

    def __init__(self, gate: Gate, scope: Scope, receive: Receive) -> None:
        self.client = client_in(scope)
        self._gate = gate
        self._receive = receive
        self._has_slot = False
        self._body_bytes = 0

    def check_body(self, size: int) -> None:
        """Raises `Refused` if a body of this size has no room now."""
        self._gate.check_body(self.client, size)

    def add_body(self, size: int) -> None:
        """Counts bytes of its body, as they arrive; raises `Refused` if they have no room."""
        self._gate.check_body(self.client, size)
        self._gate.add_body(self.client, size)
        self._body_bytes += size

    def leave(self) -> None:
        """Forgets its body; the request is over."""
        if self._body_bytes:
            self._gate.add_body(self.client, -self._body_bytes)
            self._body_bytes = 0

    @asynccontextmanager
    async def slot(self, cost: Cost) -> AsyncIterator[Callable[[], None]]:
        """A slot for work of this cost; a request that has one already uses that. Yields what gives it back early."""
        if self._has_slot:
            yield _nothing
            return
        async with self._gate.slot(self.client, cost, self._gone) as slot:
            self._has_slot = True

            def give_back() -> None:
                self._has_slot = False
                slot.give_back()

            try:
                yield give_back
            finally:
                self._has_slot = False

    async def _gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


async def admitted(app: ASGIApp, cost: Cost, scope: Scope, receive: Receive, send: Send, *, waits: bool) -> None:
    """Runs the application of a route once the gate takes the request.

    With `waits`, for work that begins at once in a thread, it first waits for a slot, which it keeps until the
    response begins: whoever reads it slowly keeps no slot. Without it, the endpoint asks for slots (`in_thread`).
    """
    gate = cast(Gate, scope["app"].state.gate)
    request = scope["state"]["admitted"] = AdmittedRequest(gate, scope, receive)
    try:
        gate.enter(request.client)
    except Refused:
        await pause()
        raise
    try:
        if not waits:
            await app(scope, receive, send)
            return
        async with request.slot(cost) as give_back:

            async def send_on(message: Message) -> None:
                if message["type"] == "http.response.start":
                    give_back()
                await send(message)

            await app(scope, receive, send_on)
    finally:
        request.leave()
        gate.leave(request.client)


async def pause() -> None:
    """Waits before a refusal, so that whoever asks again at once costs little."""
    await asyncio.sleep(_PAUSE_SECONDS)


def admitted_of(request: Request) -> AdmittedRequest:
    """What a request holds of the gate: nothing yet if it has no route, as for a page that does not exist."""
    state = request.scope["state"]
    if "admitted" not in state:
        state["admitted"] = AdmittedRequest(cast(Gate, request.app.state.gate), request.scope, request.receive)
    return cast(AdmittedRequest, state["admitted"])


async def in_thread(
    request: Request,
    cost: Cost,
    work: Callable[_Arguments, _Value],
    *arguments: _Arguments.args,
    **named: _Arguments.kwargs,
) -> _Value:
    """Does work in a thread when the request has a slot for it."""
    async with admitted_of(request).slot(cost):
        return await run_in_threadpool(work, *arguments, **named)


def _nothing() -> None:
    """Gives nothing back: the slot belongs to an outer block."""
