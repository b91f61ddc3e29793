"""Checks a partner's dataset before it is handed in: its description, its RDF, and what a partner may state.

The description is read by what reads it in a build, and nothing that a build would leave out passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pyoxigraph import BlankNode, DefaultGraph, NamedNode, Quad

from kg.isolation import messages
from kg.partners import descriptions
from kg.rdf import formats, iris
from kg.rdf.iris import Base
from kg.rdf.namespaces import SHAPES
from kg.rdf.terms import value as value_of
from kg.submitted import report, validation
from kg.submitted.intake import RdfLimits
from kg.submitted.report import Result
from kg.submitted.validation import Knowledge

# Where the file of a description would be.
_FILE = "dataset.yaml"


def answer(head: Mapping[str, Any], body: bytes, knowledge: Knowledge) -> bytes:
    """Answers a request of `/publish`: the description as YAML and its faulty keys, and the report if there is RDF.

    The message that it returns has the report as its body, empty without RDF or while the description is faulty.
    """
    values, name = head["description"], head["name"]
    text = descriptions.write(values)
    faults = _faults(text, values, name, knowledge)
    found = {"text": text, "faults": faults, "links": 0}
    if faults or not body:
        return messages.pack(found)
    syntax = formats.rdf_format(head["syntax"])
    assert syntax is not None
    rules = _Rules(Base(knowledge.base), name)
    checked = validation.check(
        body, syntax, RdfLimits(**head["limits"]), knowledge, head["most"], base=rules.graph, more=rules.results
    )
    return messages.pack(found | {"links": rules.links}, report.dump(checked))


def _faults(text: str, values: Mapping[str, Any], name: str, knowledge: Knowledge) -> list[str]:
    """The keys whose values are missing or wrong, as `descriptions.paths` names them; `name` for the folder's name."""
    _, problems = descriptions.parse(text, _FILE, name, knowledge.project)
    lines = list(descriptions.paths(values))
    # What is missing in a map is reported again at the place of what is there.
    found = {lines[p.line - 1] for p in problems if p.rule not in ("missing-language", "missing-key") and p.line}
    if problems and not found:
        found = {lines[0]}
    return [*(["name"] if not iris.SEGMENT.fullmatch(name) else []), *(path for path in lines if path in found)]


class _Rules:
    """What a partner may not state (docs/linking.md), as results of a validation; counts the links to our records."""

    def __init__(self, base: Base, name: str) -> None:
        self.base = base
        self.graph = base.partner + name
        self.links = 0

    def results(self, read: Sequence[Quad], knowledge: Knowledge) -> Iterator[Result]:
        self.links = sum(
            isinstance(q.object, NamedNode) and q.object.value.startswith(self.base.id)
            for q in dict.fromkeys(Quad(q.subject, q.predicate, q.object) for q in read)
        )
        seen: set[str] = set()
        for quad in read:
            subject = str(quad.subject)
            if isinstance(quad.subject, BlankNode) or isinstance(quad.object, BlankNode):
                yield _result("blank-node", quad, subject)
            if (
                subject not in seen
                and not isinstance(quad.subject, BlankNode)
                and self._is_ours(value_of(quad.subject), knowledge)
            ):
                yield _result("partner-claim", quad, subject)
            if quad.graph_name != DefaultGraph():
                yield _result("named-graph", quad, subject)
            seen.add(subject)

    def _is_ours(self, subject: str, knowledge: Knowledge) -> bool:
        """Whether we describe a subject: in our own graphs, not in those of partners."""
        if subject == self.graph or subject.startswith(self.graph + "#"):
            return False
        if subject.startswith(self.base.iri) or subject in knowledge.terms:
            return True
        stated = (q.graph_name for q in knowledge.store.quads_for_pattern(NamedNode(subject), None, None))
        return any(isinstance(g, NamedNode) and not g.value.startswith(self.base.partner) for g in stated)


_MESSAGES = {
    "blank-node": {
        "en": "a blank node, which a partner's dataset cannot have; give it an IRI, such as <#name>",
        "ja": "空白ノードは使えません。<#name>のようなIRIを付けてください。",
    },
    "partner-claim": {
        "en": "a statement about a record or term of ours, which only we describe; turn the link round, so that your"
        " own IRI is its subject",
        "ja": "当サイトの項目や語を主語にした記述はできません。自分のIRIを主語にして、逆向きのリンクにしてください。",
    },
    "named-graph": {
        "en": "a named graph; a partner's dataset is one graph, so leave its name out",
        "ja": "名前付きグラフは使えません。データセット全体が1つのグラフになるので、グラフ名を除いてください。",
    },
}


def _result(rule: str, quad: Quad, subject: str) -> Result:
    component = SHAPES + "PartnerConstraintComponent"
    value = "" if isinstance(quad.object, BlankNode) else str(quad.object)
    return Result(rule, "Violation", component, "", subject, (quad.predicate.value,), value, _MESSAGES[rule])
