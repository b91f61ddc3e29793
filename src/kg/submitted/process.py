"""`python -m kg.submitted.process FD`: a process that checks one document of a stranger and ends.

After one that cannot be read it takes another: nothing has been done with it.

It gets ready ahead of the document: what it needs is imported and opened, then it is limited in memory and processor
time and can open nothing more, no socket either. Its channel takes one message with the options, and, after it has
answered `{"ready": pid}`, one with the document; it answers with a report or with what is wrong with the document.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import Any, BinaryIO

from kg.errors import KgError, RdfFault
from kg.isolation import frames, sandbox, worker
from kg.rdf import formats
from kg.submitted import report
from kg.submitted.intake import RdfLimits
from kg.submitted.validation import Knowledge, check

# What a first check imports and compiles, done before anybody waits for it.
_REHEARSAL = (
    b'<urn:a> a <https://w3id.org/aikg/ontology#Programme> ; <urn:p> "1"^^<http://www.w3.org/2001/XMLSchema#gYear> .'
)


def main(arguments: list[str]) -> int:
    """Serves the channel whose descriptor is given."""
    channel = socket.socket(fileno=int(arguments[0]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with channel, channel.makefile("rb") as incoming:
        received = frames.read(incoming)
        if received is None:
            return 0
        options, _ = received
        try:
            knowledge = Knowledge.open(Path(options["project"]), Path(options["release"]))
            check(_REHEARSAL, formats.RDF_FORMATS[0], RdfLimits(), knowledge)
        except (KgError, OSError) as error:
            channel.sendall(frames.pack({"error": str(error)}))
            return 1
        _confine(options, needs_network=knowledge.store.needs_network)
        channel.sendall(frames.pack({"ready": os.getpid()}))
        return _serve(channel, incoming, knowledge, options["seconds"])


def _confine(options: dict[str, Any], *, needs_network: bool) -> None:
    sandbox.confine(options["memory_bytes"], options["parent"])
    # What the release knows of the document's links must be asked of its engine.
    if not needs_network:
        sandbox.close_network(has_files=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _serve(channel: socket.socket, incoming: BinaryIO, knowledge: Knowledge, seconds: float) -> int:
    while (received := frames.read(incoming)) is not None:
        head, body = received
        _limit_time(seconds)
        syntax = formats.rdf_format(head["syntax"])
        assert syntax is not None
        try:
            found = check(body, syntax, RdfLimits(**head["limits"]), knowledge, head["most"])
        except RdfFault as fault:
            told = {"line": fault.line, "column": fault.column, "limit": fault.limit}
            channel.sendall(frames.pack({"fault": type(fault).__name__, "message": str(fault), **told}))
        except MemoryError:
            return worker.OUT_OF_MEMORY
        else:
            channel.sendall(frames.pack({}, report.dump(found)))
            break
    return 0


def _limit_time(seconds: float) -> None:
    """So much processor time from now on; the server's own deadline comes first, unless it has lost sight of this."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(spent.ru_utime + spent.ru_stime + seconds) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


if __name__ == "__main__":
    code = main(sys.argv[1:])
    # No need to take the memory apart.
    os._exit(code)
