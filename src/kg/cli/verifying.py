"""`kg verify`: whether a receipt holds."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import IO, Annotated, cast

import typer
from pyoxigraph import DefaultGraph, Quad, RdfFormat, Store, parse

from kg.cli.terminal import Releases, console, current, releases_in
from kg.curation import builder
from kg.engines.backend import Backend
from kg.engines.embedded import EmbeddedStore
from kg.engines.evaluation import Query
from kg.errors import KgError
from kg.project.location import project_root
from kg.project.reading import read_project
from kg.receipts import checking, claims
from kg.receipts.claims import Claim
from kg.release import evidence_sets, store
from kg.release.evidence_sets import EvidenceSets
from kg.sparql import guard, library

_DOES_NOT_HOLD = 3


def verify(
    receipt: Annotated[
        str, typer.Argument(metavar="RECEIPT", help="The address of a receipt, or a file with its JSON-LD.")
    ],
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="DIR|FILE",
            help="A release, or a dump such as dataset.nq.gz.",
            show_default="its own release if that is kept, else the current one",
        ),
    ] = None,
    out: Releases = None,
) -> None:
    """Check a receipt. Ends with 0 if it holds, 3 if it does not, 1 if it cannot be checked."""
    project = read_project(project_root())
    context = builder.read_context(project.root)
    claim = claims.read(_address(receipt), context)
    text = claim.sparql
    if claim.evidence not in ("", *evidence_sets.LEVELS):
        raise KgError(f"evidence: expected one of {', '.join(evidence_sets.LEVELS)}, not '{claim.evidence[:40]}'")
    if claim.query:
        stored = library.find(library.library(project.root), claim.query)
        text = library.fill(stored.text, library.bind(stored, dict(claim.values), context))
    guard.read(text)
    held, name = _target(claim, against, out)
    base = project.base.iri
    text = evidence_sets.with_from(text, claim.evidence, base, context.prefixes) if text else ""
    try:
        asked, query = EvidenceSets(held, base).resolved(Query(text))
        holds = checking.in_store(claim, asked, query.text, context.prefixes)
    except (SyntaxError, OSError, ValueError) as error:
        raise KgError(f"the query of the receipt cannot be evaluated: {error}") from error
    said = "a digest is missing, so only the query was run" if _says_nothing(claim) else "as the receipt says"
    if holds:
        console.print(f"holds in {name}: {said}", markup=False)
        return
    made = f"; the receipt was made from release {claim.release}" if claim.release else ""
    console.print(f"does not hold in {name}: {_missing(claim)}{made}", markup=False)
    raise typer.Exit(_DOES_NOT_HOLD)


def _says_nothing(claim: Claim) -> bool:
    return not (claim.triple or claim.row or claim.result)


def _missing(claim: Claim) -> str:
    if claim.triple:
        return "the fact is not there"
    return "no row of the answer has these values" if claim.row else "the answer is another"


def _address(written: str) -> str:
    path = Path(written)
    if "?" in written or not path.is_file():
        return written
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["@id"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KgError(f"{path}: expected the JSON-LD of a receipt, with its address as @id") from error


def _target(claim: Claim, against: Path | None, out: Path | None) -> tuple[Backend, str]:
    """The store to check in, with its name."""
    if against is not None and against.is_file():
        return _dump(against), str(against)
    directory = against
    if directory is None:
        releases = releases_in(out)
        own = releases / claim.release
        is_kept = bool(claim.release) and "/" not in claim.release and (own / "manifest.json").is_file()
        directory = own if is_kept else current(releases)
    opened = store.open_release(directory)
    return opened.store, f"release {opened.manifest.id[:16]}"


def _dump(path: Path) -> EmbeddedStore:
    """A dump with its graphs merged into the default graph, as a release has them."""
    name = path.name.removesuffix(".gz")
    syntax = RdfFormat.from_extension(name.rpartition(".")[2])
    if syntax is None:
        raise KgError(f"{path}: the extension is none of an RDF format, such as .nq or .nq.gz")
    held = Store()
    try:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as document:
            for quad in parse(cast(IO[bytes], document), format=syntax):
                held.add(quad)
                held.add(Quad(quad.subject, quad.predicate, quad.object, DefaultGraph()))
    except (OSError, SyntaxError, ValueError) as error:
        raise KgError(f"{path} cannot be read: {error}") from error
    return EmbeddedStore(held)
