"""So many at a time: in the order of asking, and in a crowd the newest first."""

from __future__ import annotations

import asyncio
from collections import deque


class Places:
    """So many places; a wait that is cancelled gives its place on.

    When more than `crowd` wait, the newest is next: those before it have waited long already, may have left, and would
    make everyone wait as long (adaptive last-in-first-out).
    """

    def __init__(self, free: int, crowd: int | None = None) -> None:
        self.free = free
        self.waiting: deque[asyncio.Future[None]] = deque()
        self._crowd = crowd

    def try_take(self) -> bool:
        if self.free <= 0:
            return False
        self.free -= 1
        return True

    async def take(self) -> None:
        if self.try_take():
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give()
            elif turn in self.waiting:
                self.waiting.remove(turn)
            raise

    def give(self) -> None:
        while self.waiting:
            is_crowded = self._crowd is not None and len(self.waiting) > self._crowd
            turn = self.waiting.pop() if is_crowded else self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.free += 1
