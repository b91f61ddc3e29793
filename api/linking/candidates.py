"""Candidates on the link desk, with label, score and reason in the language of the view."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from api.html.view import View
from api.i18n import texts
from kg.linking import review
from kg.linking.linkset import Relation
from kg.linking.matching import Candidate
from kg.linking.review import Decision, MatchSetup
from kg.names.identifiers import ROUNDED_NUMBER
from kg.tables.rows import Notice

_CHECK_DIGIT = re.compile(r"the check digit.* (?:is|are) (\S+) and would be (\S+)")


def describe(view: View, found: Candidate) -> dict[str, object]:
    """Return a candidate as JSON; `ground` goes into the table, `reason` is shown."""
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
        "ground": review.reason(found),
    }


def reason(view: View, found: Candidate) -> str:
    """Return the reason in words: the name that matched and how, and which other columns agree or disagree."""
    words = texts.table("features")[view.language]
    told = [view.t("desk_matched", text=found.matched)]
    for feature in found.features:
        name, _, rest = feature.id.partition(":")
        if name == "property":
            key = "property-agrees" if feature.value else "property-differs"
            told.append(texts.fill(words[key], {"property": view.plain(view.site.context.expand(rest))}))
        elif name == "unusable":
            values = {"property": view.plain(view.site.context.expand(rest)), "reason": fault(view, str(feature.value))}
            told.append(texts.fill(words["property-unusable"], values))
        elif f"{name}-{feature.value}" in words:
            told.append(words[f"{name}-{feature.value}"])
    return view.t("comma").join(told)


def fault(view: View, detail: str) -> str:
    """Return in the reader's language why a number cannot be used; the engine says it in English."""
    words = texts.table("features")[view.language]
    if detail == ROUNDED_NUMBER:
        return words["fault-rounded"]
    if digits := _CHECK_DIGIT.search(detail):
        return texts.fill(words["fault-check-digit"], {"found": digits[1], "expected": digits[2]})
    return words["fault-other"]


def decisions(view: View, rows: list[tuple[str, ...]], choice: MatchSetup) -> list[Decision]:
    """Return the automatic decisions for these rows."""
    return list(review.match_rows(view.site.matcher, rows, choice, view.plain))


def by_person(view: View, row: tuple[str, ...], choice: MatchSetup, iri: str, relation: Relation) -> Decision:
    """Return a person's decision on a row: how it is related to a record, or to none without an IRI."""
    if not iri:
        return Decision(by="person")
    found = next((c for c in review.candidates(view.site.matcher, row, choice) if c.iri == iri), None)
    decision = Decision(iri, relation, "person")
    return replace(decision, score=found.score, reason=review.reason(found)) if found else decision


def notices(view: View, found: Sequence[Notice]) -> list[str]:
    """Return what was repaired or cannot be used in a table, in words, with its place."""
    words = texts.table("notices")[view.language]
    told = []
    for notice in found:
        said = dict(notice.values)
        if "reason" in said:
            said["reason"] = fault(view, str(said["reason"]))
        if "rows" in said:
            said["rows"] = str(said["rows"]).replace(", ", view.t("comma"))
        values = {**said, "row": notice.row, "column": notice.column, "line": notice.line}
        place = [view.t("table_" + name) for name in ("row", "column", "line") if values[name]]
        text = f"{''.join(place)}{view.t('colon')}{words[notice.code]}" if place else words[notice.code]
        told.append(texts.fill(text, values))
    return told
