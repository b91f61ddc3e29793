"""The program of child processes: holds what a task shares and forks children, or is the one child itself.

`python -m kg.isolation.zygote FD`, or forked from a server; the first message on the descriptor is a specification
(`kg.isolation.program`). A zygote has no event loop, no threads, and never reads untrusted input. Its control socket
(SOCK_SEQPACKET) takes `{"fork": n, "grants": {…}}` with the child's end of a socket pair, `{"kill": pid}` and
`{"renice": pid, "slow": true}`; it sends `{"ready": true}`, `{"fork": n, "pid": p}` and, when a child has ended,
`{"exit": p, "code": c}`. When the socket is closed, it kills all children and ends. Only it knows which process numbers
are still its own, so only it kills.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Mapping
from typing import Any, NoReturn, cast

from kg.errors import BrokenRelease, KgError
from kg.isolation import messages, sandbox
from kg.isolation.program import OUT_OF_MEMORY, MessageHandler, Program, Task

_LARGEST_MESSAGE = 65_536
_SLOWEST = 19
_DESCRIPTORS = 1_024


class Zygote:
    """The loop over the control socket and the ends of children."""

    def __init__(self, control: socket.socket, program: Program, held: Any) -> None:
        self.control = control
        self.program = program
        self.held = held
        self.children: set[int] = set()
        self.own = os.getpid()

    def serve(self) -> None:
        """Serves the control socket until it is closed, then ends all children."""
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
            self._become_child(descriptor, message["grants"])
        os.close(descriptor)
        self.children.add(pid)
        self._send({"fork": message["fork"], "pid": pid})

    def _become_child(self, descriptor: int, grants: Mapping[str, Any]) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            channel = socket.socket(fileno=os.dup2(descriptor, 3, inheritable=False))
            os.closerange(4, _DESCRIPTORS)
            code = answer_all(channel, self.program, self.held, grants, self.own)
        finally:
            os._exit(code)

    def _reap(self) -> None:
        while self.children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self.children.discard(pid)
            self._send({"exit": pid, "code": os.waitstatus_to_exitcode(status)})

    def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionError):
            self.control.sendall(json.dumps(message).encode())

    def _end(self) -> None:
        for pid in self.children:
            os.kill(pid, signal.SIGKILL)
        for pid in self.children:
            os.waitpid(pid, 0)


def answer_all(channel: socket.socket, program: Program, held: Any, grants: Mapping[str, Any], parent: int) -> int:
    """Answers messages in the sandbox until the channel is closed; returns the exit code of the process.

    A message is read only after the previous one is answered; until then the server can take it back.
    """
    # An engine reports failed allocations on stderr; the server learns of them from the exit code.
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    os.close(silence)
    try:
        # Before the limits: an engine starts threads to open a store, each of which reserves addresses.
        work = _task(program).begin(held, program.options, grants)
        sandbox.confine(program.memory_bytes, parent)
        if not work.needs_network:
            sandbox.close_network(has_files=work.needs_files)
        # The server has closed its end, so no reply is needed.
        with contextlib.suppress(EOFError, ConnectionError):
            _answer_all(channel, program, work)
    except MemoryError:
        return OUT_OF_MEMORY
    return 0


def _answer_all(channel: socket.socket, program: Program, handler: MessageHandler) -> None:
    receiver = messages.Receiver()
    while True:
        message = receiver.receive(channel)
        if message is None:
            continue
        if program.cpu_seconds:
            sandbox.limit_time(program.cpu_seconds)
        try:
            reply = handler.answer(message)
        except KgError as error:
            reply = messages.failure(error)
        for packet in messages.split(reply):
            channel.send(packet)


def _task(program: Program) -> Task:
    return cast(Task, importlib.import_module(program.task))


def main(arguments: list[str]) -> int:
    """`FD`: the channel on which the specification comes."""
    channel = socket.socket(fileno=int(arguments[0]))
    received: dict[str, Any] = json.loads(channel.recv(_LARGEST_MESSAGE) or b"null") or sys.exit(1)
    program = Program(**received["program"])
    try:
        held = _task(program).hold(program.options)
    except (KgError, OSError) as error:
        failed = error if isinstance(error, KgError) else BrokenRelease(str(error))
        reply = messages.failure(failed)
        channel.sendall(reply if received["forks"] else next(messages.split(reply)))
        return 1
    if received["forks"]:
        run(channel, program, held)
        return 0
    return answer_all(channel, program, held, {}, received["parent"])


def begin(descriptor: int, program: Program, held: Any) -> NoReturn:
    """Runs a zygote in a process that was forked from the server with what is held; closes everything else."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        control = socket.socket(fileno=os.dup2(descriptor, 3, inheritable=False))
        os.closerange(4, _DESCRIPTORS)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        run(control, program, held)
        code = 0
    finally:
        os._exit(code)


def run(control: socket.socket, program: Program, held: Any) -> None:
    """Forks children until the control socket is closed."""
    # Ctrl-C reaches every process of the terminal; the server decides when its children end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Garbage collection would touch shared pages, and so copy them into each child.
    gc.collect()
    gc.freeze()
    Zygote(control, program, held).serve()


if __name__ == "__main__":
    code = main(sys.argv[1:])
    # Without taking the memory apart.
    os._exit(code)
