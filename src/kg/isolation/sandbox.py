"""What a process with untrusted input may not do: take all memory, outlive its parent, write files, use the network."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import resource
import signal
from pathlib import Path

NICE = 5
_MOST_DESCRIPTORS = 4_096
# linux/prctl.h, linux/seccomp.h, linux/audit.h
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER, _RET_ALLOW, _RET_ERRNO = 2, 0x7FFF0000, 0x00050000
_EACCES = 13
# The architecture as the kernel names it and its number of socket(2); that of io_uring_setup(2) is the same everywhere.
_SOCKET_CALLS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
_IO_URING_SETUP = 425
# On x86-64 from here on the same calls once more, of programs with short addresses.
_X32 = 0x40000000
# linux/filter.h: load a word; go on when equal, when not less; return.
_LOAD, _IF_EQUAL, _IF_NOT_LESS, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4


def end_with_parent(number: int = signal.SIGKILL) -> None:
    """Has this process get a signal when its parent ends, however that ends (Linux; elsewhere it does nothing)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


def confine(memory_bytes: int, parent: int) -> None:
    """Limits this process: at most `memory_bytes` beyond what it has, no files written, killed with its parent.

    It is also the first to be killed when the machine runs out of memory. Linux only in the latter two; elsewhere they
    do nothing.
    """
    end_with_parent()
    if os.getppid() != parent:
        os._exit(1)
    for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(kind, (0, 0))
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    with contextlib.suppress(OSError):
        os.nice(NICE)


def limit_time(seconds: float) -> None:
    """Limits the processor time from now on; the deadline of the server comes first, unless that hangs."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(spent.ru_utime + spent.ru_stime + seconds) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def close_network(*, has_files: bool) -> None:
    """Lets this process open no more sockets, whatever its input makes it try.

    With `has_files`, for what opens files as they are needed, the kernel refuses sockets alone (Linux; elsewhere
    nothing does); otherwise nothing at all can be opened.
    """
    if has_files:
        _refuse_sockets()
    else:
        _close_descriptors()


class _Instruction(ctypes.Structure):
    """linux/filter.h, `struct sock_filter`."""

    _fields_ = (("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("value", ctypes.c_uint32))


class _Program(ctypes.Structure):
    """linux/filter.h, `struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(_Instruction)))


def _refuse_sockets() -> None:
    """A filter of system calls for this thread and what it starts (seccomp(2)); there is no way back."""
    if platform.machine() not in _SOCKET_CALLS:
        return
    architecture, socket = _SOCKET_CALLS[platform.machine()]
    # A jump skips that many instructions: to the next, or to the refusal at the end.
    lines = (
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_IF_EQUAL, 0, 5, architecture),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_IF_EQUAL, 3, 0, socket),
        (_IF_EQUAL, 2, 0, _IO_URING_SETUP),
        (_IF_NOT_LESS, 1, 0, _X32),
        (_RETURN, 0, 0, _RET_ALLOW),
        (_RETURN, 0, 0, _RET_ERRNO | _EACCES),
    )
    code = (_Instruction * len(lines))(*(_Instruction(*line) for line in lines))
    program = _Program(len(lines), code)
    with contextlib.suppress(OSError, AttributeError):
        control = ctypes.CDLL(None).prctl
        control.argtypes = (ctypes.c_int, *(4 * [ctypes.c_ulong]))
        control(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        control(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(program), 0, 0)


def _close_descriptors() -> None:
    own = Path("/proc/self/fd")
    listed = [int(entry.name) for entry in own.iterdir()] if own.is_dir() else range(_MOST_DESCRIPTORS)
    # The listing has its own descriptor among them, closed by now.
    taken = sorted(filter(_is_open, listed))
    # The limit is on the number of a descriptor, not on how many there are: no lower number may be free.
    while os.dup(taken[0]) < taken[-1]:
        pass
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[-1] + 1, taken[-1] + 1))


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
