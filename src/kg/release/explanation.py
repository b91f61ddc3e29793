"""Explains a triple: by the graphs that state it, or by the rule that infers it and its premises, recursively."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from pyoxigraph import Literal, NamedNode, Triple

from kg.errors import KgError
from kg.rdf import iris
from kg.rdf.terms import AnyTerm, Term
from kg.sparql import library
from kg.sparql.library import StoredQuery
from kg.sparql.quadstore import QuadStore

# Limits of a search: depth of a proof, ways to infer a triple, and triples examined.
_DEEPEST = 8
_MOST_DERIVATIONS = 20
_MOST_ASKED = 200
_CONSTRUCT = re.compile(
    r"(?P<prologue>.*?)CONSTRUCT\s*\{\s*(\S+)\s+(\S+)\s+(\S+)\s*\}\s*WHERE\s*(?P<body>\{.*\})\s*\Z", re.DOTALL
)
_SUBSELECT = re.compile(r"SELECT ([^{}]*) WHERE \{")
_IN_PARENTHESES = re.compile(r"\([^()]*(?:\([^()]*\)[^()]*)*\)")
_PREFIX = re.compile(r"PREFIX\s+([\w-]*:)\s*<([^>]*)>")


@dataclass(frozen=True, slots=True)
class ProofStep:
    """A triple with the graphs that state it, or else the rule that infers it from the premises."""

    triple: Triple
    graphs: tuple[str, ...] = ()
    rule: StoredQuery | None = None
    premises: tuple[ProofStep, ...] = ()


class Rule:
    """A CONSTRUCT rule with a template of one triple: what it can infer, and from which facts."""

    def __init__(self, query: StoredQuery) -> None:
        found = _CONSTRUCT.match(query.text)
        if found is None:
            raise KgError(f"rule '{query.name}' is not CONSTRUCT {{ one triple }} WHERE {{ … }}")
        self.query = query
        self._prologue, self._body = found["prologue"], found["body"]
        self._prefixes = dict(_PREFIX.findall(self._prologue))
        self._conclusion = (found[2], found[3], found[4])
        premises = [tuple(written.split()) for written in query.premises.split(" . ")]
        self._premises = [(s, p, o) for s, p, o in premises]

    def derivations(self, store: QuadStore, triple: Triple) -> Iterator[list[Triple]]:
        """The premises of each way in which the rule infers a triple from a store."""
        wanted: dict[str, AnyTerm] = {}
        for written, term in zip(self._conclusion, triple, strict=True):
            if written.startswith("?"):
                wanted[written] = term
            elif self._term(written, {}) != term:
                return
        values = f"VALUES ({' '.join(wanted)}) {{ ({' '.join(map(str, wanted.values()))}) }}"
        body = _narrowed(self._body, wanted)
        solutions = library.select(store, f"{self._prologue} SELECT * WHERE {body} {values}")
        names = [str(variable) for variable in solutions.variables]
        for solution in solutions:
            bound = {n: v for n, v in zip(names, solution, strict=True) if isinstance(v, Term)}
            found = ([self._term(written, bound) for written in premise] for premise in self._premises)
            yield [
                Triple(subject, predicate, target)
                for subject, predicate, target in found
                # An optional part of the rule may be unbound.
                if isinstance(predicate, NamedNode) and target and subject and not isinstance(subject, Literal)
            ]

    def _term(self, written: str, bound: Mapping[str, Term]) -> Term | None:
        if written.startswith("?"):
            return bound.get(written)
        if written == "a":
            return NamedNode(iris.RDF_TYPE)
        prefix, colon, local = written.partition(":")
        return NamedNode(self._prefixes[prefix + colon] + local)


def _narrowed(body: str, wanted: Mapping[str, AnyTerm]) -> str:
    """The pattern of a rule for these values only, which it would otherwise infer for the whole dataset first.

    They stand at its beginning and in each subquery that projects them; what the pattern computes cannot be given.
    """
    given = {name: term for name, term in wanted.items() if f"AS {name})" not in body}

    def values(names: Iterable[str]) -> str:
        return "".join(f" VALUES {name} {{ {given[name]} }}" for name in names if name in given)

    subselect = _SUBSELECT.sub(lambda found: found[0] + values(_IN_PARENTHESES.sub("", found[1]).split()), body)
    return f"{{{values(given)} {subselect[1:]}"


Way = tuple[Rule, list[tuple[Triple, tuple[str, ...]]]]


class Explanations:
    """Proofs of the triples of a release, with the rules that made its inferences."""

    def __init__(self, store: QuadStore, rules: Sequence[StoredQuery], base: str) -> None:
        self._store = store
        self._rules = [Rule(query) for query in rules]
        self._inferred = iris.Base(base).inferred

    def explain(self, triple: Triple) -> ProofStep | None:
        """The proof of a triple with the smallest depth; None if the release does not have the triple.

        A step without graphs, rule and premises means that no proof is short enough.
        """
        graphs = self._graphs(triple)
        if graphs is None:
            return None
        search = _Search(self)
        proofs = (search.prove(triple, graphs, frozenset(), depth) for depth in range(1, _DEEPEST + 1))
        return next((proof for proof in proofs if proof), ProofStep(triple))

    def _graphs(self, triple: Triple) -> tuple[str, ...] | None:
        """The graphs that state a triple, empty if it is inferred; None if the release does not have it."""
        pattern = (triple.subject, triple.predicate, triple.object)
        found = [q.graph_name for q in self._store.quads_for_pattern(*pattern, None)]
        named = sorted(g.value for g in found if isinstance(g, NamedNode) and g.value != self._inferred)
        return tuple(named) if found else None

    def derivations(self, triple: Triple) -> list[Way]:
        """Ways to infer a triple, with those from stated premises first."""
        found: list[Way] = []
        for rule in self._rules:
            for premises in islice(rule.derivations(self._store, triple), _MOST_DERIVATIONS):
                graphs = [self._graphs(premise) for premise in premises]
                # A superclass may be indirect; the steps in between lead to it as well.
                known = [g for g in graphs if g is not None]
                if len(known) == len(premises):
                    found.append((rule, list(zip(premises, known, strict=True))))
        return sorted(found, key=lambda way: (sum(not stated for _, stated in way[1]), len(way[1])))


class _Search:
    """A search for a proof; inferences of one step are cached."""

    def __init__(self, explanations: Explanations) -> None:
        self._explanations = explanations
        self._ways: dict[Triple, list[Way]] = {}

    def prove(self, triple: Triple, graphs: tuple[str, ...], below: frozenset[Triple], depth: int) -> ProofStep | None:
        """A proof up to a given depth that does not depend on the triple itself."""
        if graphs:
            return ProofStep(triple, graphs)
        if triple in below or depth == 0:
            return None
        for rule, premises in self._derivations(triple):
            steps = []
            for premise, stated in premises:
                if (step := self.prove(premise, stated, below | {triple}, depth - 1)) is None:
                    break
                steps.append(step)
            else:
                return ProofStep(triple, (), rule.query, tuple(steps))
        return None

    def _derivations(self, triple: Triple) -> list[Way]:
        if triple not in self._ways:
            self._ways[triple] = self._explanations.derivations(triple) if len(self._ways) < _MOST_ASKED else []
        return self._ways[triple]
