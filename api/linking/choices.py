"""The choices for rows that a page of the review sends, and what is wrong with them."""

from __future__ import annotations

from dataclasses import replace

from api.html.view import View
from api.http.uploads import Form
from api.linking import candidates
from api.linking.state import Work, refused
from api.problems import Problem
from kg.linking import linkset
from kg.linking.linkset import Relation
from kg.linking.matching import Candidate
from kg.tables.rows import TableError


def merged(view: View, work: Work, form: Form) -> tuple[Work, Problem | None]:
    """Return the work with the choices of the submitted page, and the first choice that cannot be taken, if any."""
    if work.choice is None or not work.decisions:
        raise Problem(422, "bad-work", "the rows of this table have not been matched yet")
    decisions, wrong = list(work.decisions), None
    for at in _rows(form, len(decisions)):
        old, written = decisions[at], form.get(f"other-{at}", "").strip()
        # What is typed is meant, whether or not a candidate is chosen beside it.
        if not written and f"row-{at}" not in form:
            continue
        try:
            relation = _relation(form, at)
            chosen = _record(view, written, at, work.choice.kind) if written else _listed(view, form[f"row-{at}"], at)
        except Problem as problem:
            wrong = wrong or problem
            continue
        if chosen != old.iri or old.relation != relation:
            decisions[at] = candidates.by_person(view, work.table.rows[at], work.choice, chosen, relation)
    return replace(work, decisions=tuple(decisions)), wrong


def _rows(form: Form, most: int) -> list[int]:
    """Return the numbers of the rows that the form has a choice or a typed name for."""
    found = (name.rpartition("-")[2] for name in form if name.startswith(("row-", "other-")))
    return sorted({int(n) for n in found if n.isascii() and n.isdigit() and int(n[:9]) < most})


def _relation(form: Form, at: int) -> Relation:
    is_close, is_part = f"close-{at}" in form, f"part-{at}" in form
    if is_close and is_part:
        detail = f"row {at + 1}: a row is either close to a record or a part of it, not both"
        raise Problem(422, "close-and-part", detail, {"row": at + 1, "field": f"close-{at}"})
    return "part" if is_part else "close" if is_close else "exact"


def _listed(view: View, iri: str, at: int) -> str:
    """Return the record of a candidate that is chosen, '' for none; raises `Problem` if it does not exist."""
    if iri and not (linkset.is_iri(iri) and view.site.entities.exists(iri)):
        raise refused(TableError("no-record", row=at + 1, iri=iri[:200]))
    return iri


def _record(view: View, written: str, at: int, kind: str) -> str:
    """Return the record that a typed IRI or name means; raises `Problem` with the candidates' names."""
    if linkset.is_iri(written) and view.site.entities.exists(written):
        return written
    found: list[Candidate] = view.site.matcher.match(written, kinds=(kind,) if kind else ())
    if len(matches := [c for c in found if c.match]) == 1:
        return matches[0].iri
    names = "; ".join(f"{view.plain(c.iri)} <{c.iri}>" for c in found)
    detail = f"row {at + 1}: '{written[:100]}' is not the IRI or the name of one record; near: {names or 'none'}"
    members = {"row": at + 1, "field": f"other-{at}", "name": written[:100], "names": names or "—"}
    raise Problem(422, "unknown-name", detail, members)
