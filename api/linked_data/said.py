"""The statements on the page of a record: what it says, what it does, or what is said about it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from api.queries import statement_lists
from api.queries.statement_lists import ListedStatement, StatementMatrix
from api.site.site import Site
from kg.release import evidence_sets

# More are on the page of statements.
_MOST = 30
_MOST_IN_MATRIX = 80


@dataclass(frozen=True, slots=True)
class Said:
    """Statements of a record; `name` is the choice that finds them: document, actor or topic (then as a matrix)."""

    name: str
    total: int
    shown: int
    units: list[tuple[str, list[ListedStatement]]]
    matrix: StatementMatrix | None

    @property
    def statements(self) -> list[ListedStatement]:
        """All statements that are shown."""
        rows = self.matrix.rows if self.matrix else ()
        in_cells = [s for _, cells in rows for cell in cells for s in cell]
        return [*(s for _, listed in self.units for s in listed), *in_cells]


def of_record(site: Site, iri: str, level: str = "") -> Said | None:
    """What a document says, else what an actor does, whichever is more, else what is said of it; None for nothing.

    With a level of evidence, only statements that have such evidence.
    """
    own = {name: _found(site, name, iri, level) for name in ("document", "actor")}
    name = max(own, key=lambda key: len(own[key]))
    if listed := own[name]:
        shown = _read(site, listed[:_MOST], level)
        return Said(name, len(listed), len(shown), statement_lists.by_unit(shown), None)
    if not (listed := _found(site, "topic", iri, level)):
        return None
    shown = _read(site, listed[:_MOST_IN_MATRIX], level)
    return Said("topic", len(listed), len(shown), [], statement_lists.matrix(site, shown))


def _found(site: Site, name: str, iri: str, level: str) -> list[tuple[str, str]]:
    listed = statement_lists.found(site, [(name, iri)])
    if not level:
        return listed
    kinds = evidence_sets.kinds_of(level)
    facts = site.entities.facts
    return [(s, unit) for s, unit in listed if any(e.kind in kinds for fact in facts(s) for e in fact.evidence)]


def _read(site: Site, listed: list[tuple[str, str]], level: str) -> list[ListedStatement]:
    shown = statement_lists.read(site, listed)
    if not level:
        return shown
    kinds = evidence_sets.kinds_of(level)
    return [replace(s, evidence=tuple(e for e in s.evidence if e.kind in kinds)) for s in shown]
