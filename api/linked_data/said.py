"""The statements on the page of a record: what it says, what it does, or what is said about it."""

from __future__ import annotations

from dataclasses import dataclass

from api.queries import statement_lists
from api.queries.statement_lists import ListedStatement, StatementMatrix
from api.site.site import Site

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


def of_record(site: Site, iri: str) -> Said | None:
    """What a document says, else what an actor does, whichever is more, else what is said of it; None for nothing."""
    own = {name: statement_lists.found(site, [(name, iri)]) for name in ("document", "actor")}
    name = max(own, key=lambda key: len(own[key]))
    if listed := own[name]:
        shown = statement_lists.read(site, listed[:_MOST])
        return Said(name, len(listed), len(shown), statement_lists.by_unit(shown), None)
    if not (listed := statement_lists.found(site, [("topic", iri)])):
        return None
    shown = statement_lists.read(site, listed[:_MOST_IN_MATRIX])
    return Said("topic", len(listed), len(shown), [], statement_lists.matrix(site, shown))
