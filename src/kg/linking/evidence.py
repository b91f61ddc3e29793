"""Compares the property values that a caller gives with those that a release states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache

from pyoxigraph import DefaultGraph, Literal, NamedNode

from kg.names import normalization
from kg.names.identifiers import ROUNDED, Identifiers
from kg.rdf.iris import RDF_TYPE
from kg.rdf.terms import Term, named_node
from kg.sparql.quadstore import QuadStore

_ORG = "http://www.w3.org/ns/org#"
# The properties that state whose unit a body is.
OWNED_BY = (_ORG + "unitOf", _ORG + "subOrganizationOf")


class Facts:
    """Property values of one release. Values agree by name, by identifier, or if one date is the year of the other.

    `named` returns the records that a text names or identifies.
    """

    def __init__(
        self,
        store: QuadStore,
        base: str,
        is_merged: bool,
        named: Callable[[str], frozenset[str]],
        identifiers: Identifiers,
    ) -> None:
        self._identifiers = identifiers
        self._store = store
        self._root = base + "id/"
        self._everywhere = DefaultGraph() if is_merged else None
        self._named = named
        self._values = lru_cache(maxsize=20_000)(self._read)
        self._subjects = lru_cache(maxsize=5_000)(self._find)

    def predicates(self, pid: str) -> list[str]:
        """The property IRIs for an IRI, a prefixed name or a local name."""
        if "/" in pid or "#" in pid:
            return [pid] if named_node(pid) else []
        return self._by_local_name.get(pid.rpartition(":")[2].lower(), [])

    def has(self, pid: str) -> bool:
        """Whether any record has the property."""
        used = self._used
        return any(predicate in used for predicate in self.predicates(pid))

    @cached_property
    def _used(self) -> frozenset[str]:
        quads = self._store.quads_for_pattern(None, None, None, self._everywhere)
        return frozenset(quad.predicate.value for quad in quads)

    @cached_property
    def _by_local_name(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for predicate in sorted(self._used):
            found.setdefault(predicate.replace("#", "/").rpartition("/")[2].lower(), []).append(predicate)
        return found

    def agree(self, iri: str, pid: str, wanted: str) -> bool | None:
        """Whether one of a record's values agrees with `wanted`.

        None if it has no value, or `wanted` is blank or no valid identifier where one is expected.
        """
        if self.fault(pid, wanted) or not wanted.strip():
            return None
        predicates = self.predicates(pid)
        values = [value for predicate in predicates for value in self._values(iri, predicate)]
        if not set(OWNED_BY).isdisjoint(predicates):
            values += self._owners(values)
        if values and not all(self._is_part(value) for value in values):
            return any(self._agrees(value, wanted) for value in values)
        # A person belongs to bodies by their posts, which are parts of the record. No list of posts is complete, so
        # another post is not evidence against a person.
        parts = values if values else self._parts(iri) if not set(OWNED_BY).isdisjoint(predicates) else []
        said = [value for part in parts for value in self._said(part.value)]
        # A cell may hold the body together with the post: "NII 教授".
        words = (wanted, *wanted.split())
        return True if any(self._agrees(v, word) for v in [*said, *self._owners(said)] for word in words) else None

    def _is_part(self, value: Term) -> bool:
        return isinstance(value, NamedNode) and value.value.startswith(self._root) and "#" in value.value

    def _parts(self, iri: str) -> list[NamedNode]:
        """The nodes that a record states things with, such as a membership, and that have no name of their own."""
        quads = self._store.quads_for_pattern(NamedNode(iri), None, None, self._everywhere)
        return [o for q in quads if isinstance(o := q.object, NamedNode) and o.value.startswith(iri + "#")]

    def _said(self, part: str) -> list[Term]:
        quads = self._store.quads_for_pattern(NamedNode(part), None, None, self._everywhere)
        return [o for q in quads if isinstance(o := q.object, Term) and q.predicate.value != RDF_TYPE]

    def _owners(self, bodies: Sequence[Term]) -> list[Term]:
        """The bodies that these are units of, directly and indirectly."""
        found: list[Term] = []
        waiting = list(bodies)
        while waiting:
            body = waiting.pop()
            if not isinstance(body, NamedNode) or not body.value.startswith(self._root):
                continue
            above = [o for predicate in OWNED_BY for o in self._values(body.value, predicate)]
            new = [o for o in above if o not in found]
            found += new
            waiting += new
        return found

    def fault(self, pid: str, wanted: str) -> str:
        """Why a text cannot be the identifier that a property holds; '' if it can, or the property holds none."""
        registers = self.registers(pid)
        if not registers or not wanted.strip():
            return ""
        found, faults = self._identifiers.read(wanted)
        if any(identifier.scheme in registers for identifier in found):
            return ""
        meant = [fault for fault in faults if fault.scheme in registers or fault.scheme == ROUNDED]
        return meant[0].detail if meant else "it does not have the form of such an identifier"

    def registers(self, pid: str) -> frozenset[str]:
        """The registers whose identifiers a property holds."""
        of = self._identifiers.of_properties
        return frozenset(of[predicate] for predicate in self.predicates(pid) if predicate in of)

    def subjects(self, pid: str, wanted: str) -> frozenset[str]:
        """The records with a value that agrees with `wanted`."""
        return self._subjects(pid, wanted)

    def _find(self, pid: str, wanted: str) -> frozenset[str]:
        found = set()
        for predicate in self.predicates(pid):
            for quad in self._store.quads_for_pattern(None, NamedNode(predicate), None, self._everywhere):
                subject, target = quad.subject, quad.object
                if not isinstance(subject, NamedNode) or not isinstance(target, Term):
                    continue
                is_record = subject.value.startswith(self._root) and "#" not in subject.value
                if is_record and self._agrees(target, wanted):
                    found.add(subject.value)
        return frozenset(found)

    def _read(self, iri: str, predicate: str) -> tuple[Term, ...]:
        quads = self._store.quads_for_pattern(NamedNode(iri), NamedNode(predicate), None, self._everywhere)
        return tuple(dict.fromkeys(o for q in quads if isinstance(o := q.object, Term)))

    def _agrees(self, value: Term, wanted: str) -> bool:
        if isinstance(value, Literal):
            return _same_text(value.value, wanted) or self._same_identifier(value.value, wanted)
        if isinstance(value, NamedNode):
            return (
                value.value == wanted
                or value.value in self._named(wanted)
                or self._same_identifier(value.value, wanted)
            )
        return False

    def _same_identifier(self, value: str, wanted: str) -> bool:
        return not set(self._identifiers.read(value)[0]).isdisjoint(self._identifiers.read(wanted)[0])


def _same_text(value: str, wanted: str) -> bool:
    one, other = normalization.name(value).key, normalization.name(wanted).key
    if one == other:
        return True
    # A year agrees with any day in it.
    short, long = sorted((value.strip(), wanted.strip()), key=len)
    return len(short) >= 4 and short[:4].isdigit() and long.startswith(short + "-")
