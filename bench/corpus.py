"""The data of a comparison: a release for our server, N-Quads and merged N-Triples for the peers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pyoxigraph import RdfFormat, parse, serialize

from kg.build import pipeline
from kg.project.reading import read_project
from kg.release import store

ROOT = Path(__file__).resolve().parents[1]
SCALES = {"real": 0, "100k": 100_000, "1m": 1_000_000, "10m": 10_000_000}


@dataclass(frozen=True, slots=True)
class Corpus:
    """A dataset as `named` (N-Quads), `merged` (distinct triples, N-Triples) and `release`.

    `load_seconds` is the time to make the release with dumps and indexes; `store_bytes` the size of its store.
    """

    name: str
    release: Path
    named: Path
    merged: Path
    quads: int
    triples: int
    load_seconds: float
    base: str = read_project(ROOT).base.iri


def prepare(name: str, folder: Path) -> Corpus:
    """The corpus of that name, made below `folder` unless it exists."""
    folder = folder / name
    told = folder / "corpus.json"
    # The real graph changes from commit to commit; a generated one is kept.
    if SCALES[name] and told.is_file():
        fields = json.loads(told.read_text())
        return Corpus(**fields | {key: Path(fields[key]) for key in ("release", "named", "merged")})
    folder.mkdir(parents=True, exist_ok=True)
    if SCALES[name]:
        release, took = _generated(folder, SCALES[name])
    else:
        begun = time.perf_counter()
        release = pipeline.release_from_ttl(ROOT, folder / "releases")
        took = time.perf_counter() - begun
    found = of_release(name, release, folder, took)
    told.write_text(json.dumps(asdict(found), default=str))
    return found


def _generated(folder: Path, scale: int) -> tuple[Path, float]:
    """A release of generated data in the shape of the real graph, and the time to make it from N-Quads."""
    kg = [sys.executable, "-m", "kg.cli"]
    generated, releases = folder / "generated", folder / "releases"
    command = [*kg, "generate", "--scale", str(scale), "--out", str(generated), "--format", "nq"]
    subprocess.run(command, check=True, stdout=sys.stderr)
    files = sorted(map(str, generated.glob("*.nq")))
    begun = time.perf_counter()
    subprocess.run([*kg, "release", *files, "--merged", "--out", str(releases)], check=True, stdout=sys.stderr)
    took = time.perf_counter() - begun
    shutil.rmtree(generated)
    return store.current_directory(releases), took


def of_release(name: str, release: Path, folder: Path, load_seconds: float) -> Corpus:
    """The corpus of an existing release."""
    manifest = store.read_manifest(release)
    named, merged = folder / "named.nq", folder / "merged.nt"
    named.unlink(missing_ok=True)
    named.symlink_to((release / "dataset.nq").resolve())
    with merged.open("wb") as output:
        sort = subprocess.Popen(
            ["sort", "-u"], stdin=subprocess.PIPE, stdout=output, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
        )
        assert sort.stdin is not None
        for lines in _triples(named):
            sort.stdin.write(lines)
        sort.stdin.close()
        if sort.wait():
            raise RuntimeError("sort failed")
    return Corpus(name, release, named, merged, manifest.quads, manifest.triples, load_seconds, manifest.base_iri)


def _triples(named: Path) -> Iterator[bytes]:
    """The triples of N-Quads as N-Triples, in batches."""
    batch = []
    for quad in parse(path=str(named), format=RdfFormat.N_QUADS):
        batch.append(quad.triple)
        if len(batch) == 10_000:
            yield serialize(batch, format=RdfFormat.N_TRIPLES) or b""
            batch.clear()
    yield serialize(batch, format=RdfFormat.N_TRIPLES) or b""
