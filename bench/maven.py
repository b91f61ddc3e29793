"""Released jars from Maven Central, each fetched once and held to its SHA-256.

They are kept in `KG_ENGINES_CACHE`, else `~/.cache/aikg-engines`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

CENTRAL = "https://repo1.maven.org/maven2"
_LEAST_JAVA = 17


class Missing(Exception):
    """A program that cannot run on this machine, with the reason."""


@dataclass(frozen=True, slots=True)
class Jar:
    """A jar by its coordinates."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    @property
    def url(self) -> str:
        return f"{CENTRAL}/{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.name}"

    def fetched(self) -> Path:
        """The jar's file, downloaded if needed; raises `Missing`."""
        cache = Path(os.environ.get("KG_ENGINES_CACHE") or Path.home() / ".cache" / "aikg-engines")
        jar = cache / self.name
        if not jar.is_file():
            cache.mkdir(parents=True, exist_ok=True)
            partial = cache / f".{self.name}-{os.getpid()}"
            try:
                # The address begins with https, above.
                with urllib.request.urlopen(self.url, timeout=120) as answer, partial.open("wb") as file:  # noqa: S310
                    shutil.copyfileobj(answer, file)
                self._check(partial)
                partial.replace(jar)
            except OSError as error:
                raise Missing(f"{self.url} cannot be fetched: {error}") from error
            finally:
                partial.unlink(missing_ok=True)
        self._check(jar)
        return jar

    def _check(self, file: Path) -> None:
        with file.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
        if found != self.sha256:
            raise Missing(f"{file} has the SHA-256 {found}, not {self.sha256}")


def locked(lock: Path) -> list[Jar]:
    """The jars of a lock file: a line for each, its coordinates and checksum."""
    lines = (line.split() for line in lock.read_text(encoding="utf-8").splitlines() if line and line[0] != "#")
    return [Jar(*coordinates.split(":"), sha256.removeprefix("sha256:")) for coordinates, sha256 in lines]


def classpath(jars: Sequence[Jar]) -> str:
    """The classpath of jars, downloaded if needed; raises `Missing`."""
    with ThreadPoolExecutor(8) as pool:
        return os.pathsep.join(map(str, pool.map(Jar.fetched, jars)))


def java(program: str = "java") -> str:
    """The path of a program of a suitable Java: from `JAVA_HOME`, else from PATH; raises `Missing`."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(program, path=f"{home}/bin") if home else None
    found = found or shutil.which(program)
    if not found:
        package = "default-jre-headless" if program == "java" else "default-jdk-headless"
        raise Missing(f"no {program}; apt-get install {package}")
    told = subprocess.run([found, "-version"], capture_output=True, text=True, check=False)
    match = re.search(r'(?:version "|javac )(\d+)', told.stderr + told.stdout)
    if not match or int(match[1]) < _LEAST_JAVA:
        raise Missing(f"{found} is not of Java {_LEAST_JAVA} or later: {(told.stderr + told.stdout).splitlines()[:1]}")
    return found
