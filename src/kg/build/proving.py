"""A process that proves a document consistent, for work that goes on beside it.

    python -m kg.build.proving SIZE MEMORY_MB < document.nt

Prints `consistent` or `inconsistent`, or exits with 1 and the reason. HermiT needs a working folder of its own.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile

from kg.build import reasoning
from kg.errors import KgError


class Prover:
    """The process, which is ended with the `with` block."""

    def __init__(self, document: bytes, size: int, memory_mb: int) -> None:
        with tempfile.TemporaryFile() as file:
            file.write(document)
            file.seek(0)
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "kg.build.proving", str(size), str(memory_mb)],
                stdin=file,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )

    def is_consistent(self) -> bool:
        """Waits for the result; raises `KgError` if there is none."""
        said, failed = self._process.communicate()
        if self._process.returncode:
            raise KgError((failed.strip().splitlines() or ["the OWL reasoner failed"])[-1])
        return said.strip() == "consistent"

    def close(self) -> None:
        """Ends the process if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def main() -> None:
    size, memory_mb = map(int, sys.argv[1:])
    try:
        found = reasoning.is_document_consistent(sys.stdin.buffer.read(), size, memory_mb)
    except KgError as error:
        sys.exit(str(error))
    print("consistent" if found else "inconsistent")


if __name__ == "__main__":
    main()
