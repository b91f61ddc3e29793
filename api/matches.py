"""Candidates as the link desk shows them: with a label, a score and the reason in the reader's language."""

from __future__ import annotations

from dataclasses import replace

from api import strings
from api.view import View
from kg import desk
from kg.desk import Candidate, Choice, Decision


def describe(view: View, found: Candidate) -> dict[str, object]:
    """A candidate as JSON; `ground` is what goes into the table, `reason` what is shown."""
    return {
        "iri": found.iri,
        "label": view.plain(found.iri),
        "kind": found.kind,
        "kind_label": view.class_name(found.kind),
        "href": view.href(found.iri),
        "score": found.score,
        "match": found.match,
        "matched": found.matched,
        "features": {f.id: f.value for f in found.features},
        "reason": reason(view, found),
        "ground": desk.reason(found),
    }


def reason(view: View, found: Candidate) -> str:
    """The features that hold, in words; a feature without words is left to the JSON."""
    words = strings.table("features")[view.language]
    held = [words[f.id] for f in found.features if f.id in words and f.value not in (False, 0, "")]
    return view.t("desk_matched", text=found.matched) + (view.t("colon") + view.t("comma").join(held) if held else "")


def decisions(view: View, rows: list[tuple[str, ...]], choice: Choice) -> list[Decision]:
    """What the machine decides of these rows."""
    return list(desk.match_rows(view.site.matcher, rows, choice, view.plain))


def by_person(view: View, row: tuple[str, ...], choice: Choice, iri: str, *, is_close: bool) -> Decision:
    """What a person decided of a row: a candidate or another record, exactly or closely; none without an IRI."""
    if not iri:
        return Decision(by="person")
    found = next((c for c in desk.candidates(view.site.matcher, row, choice) if c.iri == iri), None)
    decision = Decision(iri, "close" if is_close else "exact", "person")
    return replace(decision, score=found.score, reason=desk.reason(found)) if found else decision
