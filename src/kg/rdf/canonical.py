"""Canonicalizes any number of quads (RDF Dataset Canonicalization 1.0) by sorting runs on disk and merging them.

Only quads with blank nodes affect blank node labels; all others are their own canonical form, so they need not be in
memory together. Lines of N-Quads are ordered by code point, so that the statements of a subject are adjacent, and so
are the graphs of a triple.
"""

from __future__ import annotations

import hashlib
import heapq
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from pyoxigraph import (
    BlankNode,
    CanonicalizationAlgorithm,
    Dataset,
    Quad,
    RdfFormat,
    Triple,
    parse,
)

from kg.rdf import iris
from kg.rdf.terms import value

_RUN = 500_000
_BLOCK = 65_536
_VERSION_INFO = "http://www.w3.org/2002/07/owl#versionInfo"


@dataclass(slots=True)
class Figures:
    """Statistics of a document: quads by graph ('' for the default graph), distinct triples, ontology version."""

    ontology: str = iris.ONTOLOGY
    quads: int = 0
    triples: int = 0
    subjects: int = 0
    graphs: Counter[str] = field(default_factory=Counter)
    predicates: set[str] = field(default_factory=set)
    ontology_version: str = ""


def ordered(quads: Iterable[Quad]) -> tuple[list[Quad], str]:
    """The quads with canonical blank node labels in canonical order, and the hash of the document."""
    dataset = Dataset(quads)
    dataset.canonicalize(CanonicalizationAlgorithm.RDFC_1_0)
    lines = sorted((str(quad), quad) for quad in dataset)
    digest = hashlib.sha256()
    for line, _ in lines:
        digest.update(f"{line} .\n".encode())
    return [quad for _, quad in lines], digest.hexdigest()


def write(quads: Iterable[Quad], document: Path) -> str:
    """Writes distinct quads as canonical N-Quads in order; returns the hash of the document."""
    digest = hashlib.sha256()
    with (
        tempfile.TemporaryDirectory(dir=document.parent) as folder,
        ExitStack() as files,
        document.open("wb") as output,
    ):
        runs = [files.enter_context(path.open("rb")) for path in _runs(quads, Path(folder))]
        for line, _ in groupby(heapq.merge(*runs) if len(runs) > 1 else runs[0]):
            digest.update(line)
            output.write(line)
    return digest.hexdigest()


def _runs(quads: Iterable[Quad], folder: Path) -> Iterator[Path]:
    """Files of sorted lines; the last one has the quads with blank nodes."""
    anonymous: list[Quad] = []
    lines: list[str] = []
    count = 0
    for quad in quads:
        if _is_anonymous(quad):
            anonymous.append(quad)
            continue
        lines.append(f"{quad} .\n")
        if len(lines) == _RUN:
            yield _run(folder / str(count), lines)
            count += 1
            lines = []
    yield _run(folder / str(count), [*lines, *(f"{quad} .\n" for quad in ordered(anonymous)[0])])


def _is_anonymous(quad: Quad) -> bool:
    return (
        isinstance(quad.subject, BlankNode)
        or isinstance(quad.object, (BlankNode, Triple))
        or isinstance(quad.graph_name, BlankNode)
    )


def _run(path: Path, lines: list[str]) -> Path:
    lines.sort()
    with path.open("w", encoding="utf-8", newline="") as output:
        output.writelines(lines)
    return path


def read(document: Path) -> Iterator[Quad]:
    """The quads of a document, in order."""
    return parse(path=str(document), format=RdfFormat.N_QUADS)


def ends(document: Path) -> list[Quad]:
    """The first and last quad of a document, without reading all of it."""
    with document.open("rb") as lines:
        first = lines.readline()
        size, last = lines.seek(0, os.SEEK_END), b""
        while size and last.count(b"\n") < 2:
            before = max(0, size - _BLOCK)
            lines.seek(before)
            last, size = lines.read(size - before) + last, before
    whole = first + last.rstrip(b"\n").rpartition(b"\n")[2]
    return list(parse(whole, format=RdfFormat.N_QUADS))


def triples(quads: Iterable[Quad]) -> Iterator[Triple]:
    """The distinct triples of quads in canonical order."""
    return (triple for triple, _ in groupby(quad.triple for quad in quads))


def merged(quads: Iterable[Quad]) -> Iterator[Quad]:
    """Quads in canonical order with, in the default graph, each of their triples once."""
    before: Triple | None = None
    for quad in quads:
        triple = quad.triple
        if triple != before:
            yield Quad(triple.subject, triple.predicate, triple.object)
            before = triple
        yield quad


def counted(quads: Iterable[Quad], figures: Figures) -> Iterator[Quad]:
    """Yields quads in canonical order and counts them."""
    subject: object = None
    triple: Triple | None = None
    for quad in quads:
        figures.quads += 1
        figures.graphs[value(quad.graph_name)] += 1
        if quad.triple != triple:
            triple = quad.triple
            figures.triples += 1
            figures.predicates.add(triple.predicate.value)
            if triple.subject != subject:
                subject = triple.subject
                figures.subjects += 1
            if triple.predicate.value == _VERSION_INFO and value(triple.subject) == figures.ontology:
                figures.ontology_version = figures.ontology_version or value(triple.object)
        yield quad
