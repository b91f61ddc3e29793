"""A straightforward build with PyYAML, PyLD, rdflib, owlrl and pyshacl, used as in their documentation.

    python bench/straightforward.py PROJECT OUT

Uses the same files, context and shapes as `kg build`, but has no error positions, consistency check, names of parts,
indexes or dumps. It does less, so the comparison errs in its favour.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import owlrl
import pyshacl
import rdflib
import yaml
from pyld import jsonld

BASE = "https://w3id.org/aikg/"
NQUADS = {"format": "application/n-quads"}


def read(project: Path) -> rdflib.Dataset:
    """The quads of all records."""
    context = json.loads((project / "ontology" / "context.jsonld").read_text(encoding="utf-8"))["@context"]
    dataset = rdflib.Dataset()
    for path in sorted((project / "data").glob("*/**/*.yaml")):
        record = path.relative_to(project / "data").with_suffix("").as_posix()
        if record.startswith(("ttl/", "partners/")):
            continue
        blocks = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CBaseLoader)
        iri = f"{BASE}id/{record}"
        document = {
            "@context": context,
            "@graph": [{"@id": f"{BASE}graph/{g}", "@graph": {"@id": iri, **facts}} for g, facts in blocks.items()],
        }
        quads = jsonld.to_rdf(document, {**NQUADS, "base": iri})
        dataset.parse(data=quads, format="nquads")
    return dataset


def main(project: Path, out: Path) -> None:
    """Reads, validates, infers and writes; exits with 1 if the shapes are violated.

    Validates once, before inference, which copies facts along `owl:sameAs` and would violate the shapes.
    """
    dataset = read(project)
    ontology = rdflib.Graph()
    for name in ("core.ttl", "imports/external.ttl"):
        ontology.parse(project / "ontology" / name)
    merged = rdflib.Graph()
    for s, p, o, _ in dataset.quads():
        merged.add((s, p, o))
    merged += ontology
    conforms, _, report = pyshacl.validate(merged, shacl_graph=str(project / "ontology" / "shapes" / "core.ttl"))
    if not conforms:
        sys.exit(str(report))
    stated = set(merged)
    owlrl.DeductiveClosure(owlrl.OWLRL_Semantics).expand(merged)
    inferred = dataset.graph(rdflib.URIRef(f"{BASE}graph/inferred"))
    for triple in set(merged) - stated:
        if not isinstance(triple[0], rdflib.Literal):
            inferred.add(triple)
    dataset.serialize(out, format="nquads")
    print(f"{len(merged):,} triples")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
