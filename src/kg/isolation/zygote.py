"""Holds the store of a release and forks query workers: `python -m kg.isolation.zygote`, or a forked server.

It runs no event loop, no thread and nobody's query. Its control socket (SOCK_SEQPACKET) takes
`{"fork": n, "services": {...}}` with the worker's end of a socket pair, `{"kill": pid}` and
`{"renice": pid, "slow": true}`; it sends `{"ready": true}`, `{"fork": n, "pid": p}` and, when a worker has ended,
`{"exit": p, "signal": s}`. When the socket is closed, all workers are killed and it ends. Only it knows which process
numbers are still its own, so only it kills.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from kg.engines.backend import Backend
from kg.errors import KgError
from kg.isolation import sandbox, worker
from kg.release import store

_LARGEST_MESSAGE = 65_536
_SLOWEST = 19
_DESCRIPTORS = 1_024


class Zygote:
    """The loop over the control socket and the ends of children."""

    def __init__(self, control: socket.socket, task: worker.Task) -> None:
        self.control = control
        self.task = task
        self.children: set[int] = set()
        self.own = os.getpid()

    def serve(self) -> None:
        """Works until the control socket is closed; then no child is left."""
        read_end, write_end = os.pipe()
        for end in (read_end, write_end):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._send({"ready": True, "pid": self.own})
        try:
            while True:
                readable, _, _ = select.select([self.control.fileno(), read_end], [], [])
                if read_end in readable:
                    with contextlib.suppress(BlockingIOError):
                        os.read(read_end, 4096)
                    self._reap()
                if self.control.fileno() in readable and not self._obey():
                    return
        finally:
            self._end()

    def _obey(self) -> bool:
        try:
            data, descriptors, _, _ = socket.recv_fds(self.control, _LARGEST_MESSAGE, 1)
        except ConnectionError:
            return False
        if not data:
            return False
        message: dict[str, Any] = json.loads(data)
        if "fork" in message:
            self._fork(message, descriptors[0])
        elif message.get("kill") in self.children:
            os.kill(message["kill"], signal.SIGKILL)
        elif message.get("renice") in self.children:
            nice = _SLOWEST if message["slow"] else sandbox.NICE
            with contextlib.suppress(PermissionError):
                os.setpriority(os.PRIO_PROCESS, message["renice"], nice)
        return True

    def _fork(self, message: dict[str, Any], descriptor: int) -> None:
        pid = os.fork()
        if pid == 0:
            self._become_worker(descriptor, message.get("services", {}))
        os.close(descriptor)
        self.children.add(pid)
        self._send({"fork": message["fork"], "pid": pid})

    def _become_worker(self, descriptor: int, services: dict[str, str]) -> None:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            # The engine reports an allocation that failed on stderr; the server tells it by how the worker ended.
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 2)
            channel = socket.socket(fileno=os.dup2(descriptor, 3, inheritable=False))
            os.closerange(4, _DESCRIPTORS)
            worker.run(channel, self.task, services, self.own)
            code = 0
        except MemoryError:
            code = worker.OUT_OF_MEMORY
        finally:
            os._exit(code)

    def _reap(self) -> None:
        while self.children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self.children.discard(pid)
            number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            self._send({"exit": pid, "signal": number, "code": os.waitstatus_to_exitcode(status)})

    def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionError):
            self.control.sendall(json.dumps(message).encode())

    def _end(self) -> None:
        for pid in self.children:
            os.kill(pid, signal.SIGKILL)
        for pid in self.children:
            os.waitpid(pid, 0)


def main(arguments: list[str]) -> int:
    """`CONTROL_FD`: the first message of the control socket has the folder of the release and the limits."""
    control = socket.socket(fileno=int(arguments[0]))
    options: dict[str, Any] = json.loads(control.recv(_LARGEST_MESSAGE) or b"null") or sys.exit(1)
    try:
        open_store = store.open_for_workers(Path(options["directory"]), options["memory_quads"])
    except KgError as error:
        control.sendall(json.dumps({"error": str(error)}).encode())
        return 1
    run(control, options, open_store)
    return 0


def begin(descriptor: int, options: Mapping[str, Any], held: Backend) -> NoReturn:
    """The life of a process that was forked from a server with the store in memory: nothing else of it is kept open."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        control = socket.socket(fileno=os.dup2(descriptor, 3, inheritable=False))
        os.closerange(4, _DESCRIPTORS)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        run(control, options, lambda: held)
        code = 0
    finally:
        os._exit(code)


def run(control: socket.socket, options: Mapping[str, Any], open_store: Callable[[], Backend]) -> None:
    """Forks workers over a store until the control socket is closed."""
    # Ctrl-C reaches the whole terminal; the server decides when its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    task = worker.Task(open_store, options["base"], options["prefixes"], options["memory_bytes"])
    # Reference counts and collections of what is shared would copy its pages into each worker.
    gc.collect()
    gc.freeze()
    Zygote(control, task).serve()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
