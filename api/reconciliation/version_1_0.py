"""JSON of the draft of the reconciliation protocol 1.0, as of July 2026; it may still change.

Entity Reconciliation Community Group, Reconciliation Service API 1.0-draft.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast, get_args

from api.i18n import texts
from api.problems import Problem
from api.reconciliation import parts
from api.reconciliation.parts import PREVIEW_SIZE, Extension, bad, limit_of, named, typed, value_of
from api.reconciliation.service import Content, Question, ReconciliationService
from api.settings import Settings
from kg.linking.matching import Candidate, Feature

VERSION = "1.0-draft"
MatchType = Literal["name", "id", "property"]
Quantifier = Literal["any", "all", "none"]
_KEYS = frozenset({"type", "limit", "conditions", "lang", "dir"})
_CONDITION_KEYS = frozenset({"matchType", "propertyId", "propertyValue", "required", "matchQuantifier", "lang", "dir"})
# A candidate that fails a condition which is not required ranks below the others.
_FAILED = 0.5


@dataclass(frozen=True, slots=True)
class Condition:
    """Values that a candidate should have as a name, as its ID, or of a property."""

    kind: MatchType
    property_id: str
    values: tuple[str, ...]
    quantifier: Quantifier = "any"
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class ConditionalQuery:
    """A query of the draft: conditions, and what of it was left out."""

    type: str
    limit: int
    conditions: tuple[Condition, ...]
    warnings: tuple[str, ...] = ()


# ---- questions ----


def batch(document: object, settings: Settings) -> list[ConditionalQuery]:
    """Read a batch of queries; raises `Problem` 400 if it is no batch at all. Each query answers for itself."""
    queries = document.get("queries") if isinstance(document, dict) else None
    if not isinstance(queries, list):
        raise bad("queries", "expected an object with a list of 'queries'")
    if len(queries) > settings.max_batch:
        detail = f"{len(queries):,} queries in one batch; send at most {settings.max_batch:,}"
        raise Problem(413, "batch-too-large", detail, {"limit": settings.max_batch})
    return [_query(written, f"queries.{n}", settings) for n, written in enumerate(queries)]


def _query(written: object, where: str, settings: Settings) -> ConditionalQuery:
    if not isinstance(written, dict):
        return ConditionalQuery("", settings.candidates, (), (f"{where}: expected an object",))
    warnings = _unknown(written, _KEYS, where)
    type_ = written.get("type")
    if type_ is not None and not isinstance(type_, str):
        warnings.append(f"{where}.type: expected the id of a type")
        type_ = None
    limit = limit_of(written.get("limit"), f"{where}.limit", settings, warnings)
    conditions = written.get("conditions")
    if not isinstance(conditions, list):
        warnings.append(f"{where}.conditions: expected a list")
        conditions = []
    read = (_condition(c, f"{where}.conditions.{n}", warnings) for n, c in enumerate(conditions))
    found = tuple(condition for condition in read if condition and condition.values)
    if not any(condition.quantifier != "none" for condition in found):
        warnings.append(f"{where}: needs a condition with the value of a name, an id or a property")
    return ConditionalQuery(type_ or "", limit, found, tuple(warnings))


def _condition(written: object, where: str, warnings: list[str]) -> Condition | None:
    """Read a condition; None if it cannot be used."""
    kind = written.get("matchType") if isinstance(written, dict) else None
    if not isinstance(written, dict) or kind not in get_args(MatchType) or "propertyValue" not in written:
        warnings.append(f"{where}: expected 'propertyValue' and a 'matchType' of {', '.join(get_args(MatchType))}")
        return None
    property_id = written.get("propertyId") if kind == "property" else ""
    if not isinstance(property_id, str) or (kind == "property" and not property_id):
        warnings.append(f"{where}.propertyId: expected the id of a property")
        return None
    warnings += _unknown(written, _CONDITION_KEYS, where)
    given = written["propertyValue"]
    read = [value_of(v) for v in (given if isinstance(given, list) else [given])]
    if None in read:
        warnings.append(f"{where}.propertyValue: expected strings, numbers, booleans, or objects with an 'id'")
    quantifier = written.get("matchQuantifier") or "any"
    if quantifier not in get_args(Quantifier):
        warnings.append(f"{where}.matchQuantifier: expected one of {', '.join(get_args(Quantifier))}")
        quantifier = "any"
    if kind == "name" and quantifier == "none":
        warnings.append(f"{where}.matchQuantifier: 'none' is for properties and ids")
        return None
    values = tuple(text.strip() for text in read if text and text.strip())
    is_required = written.get("required") is True
    return Condition(cast(MatchType, kind), property_id, values, cast(Quantifier, quantifier), is_required)


def _unknown(written: dict[str, Any], known: frozenset[str], where: str) -> list[str]:
    return [
        f"{where}: '{key[:40]}' is not used; known are {', '.join(sorted(known))}"
        for key in written
        if key not in known
    ]


# ---- matching ----


def _candidates(service: ReconciliationService, asked: ConditionalQuery) -> list[Candidate]:
    """Return the candidates of a query: those of its names and properties, without those that fail a condition."""
    stated = [c for c in asked.conditions if c.quantifier != "none"]
    evidence = tuple((c.property_id, v) for c in stated if c.kind == "property" for v in c.values)
    naming = [c for c in stated if c.kind != "property"]
    # An ID is no name: what has no record has no candidate.
    written = (v if c.kind == "name" else service.iri(v) for c in naming for v in c.values)
    names = list(dict.fromkeys(written)) if naming else [""]
    types = (asked.type,) if asked.type else ()
    found: dict[str, list[Candidate]] = defaultdict(list)
    for name in (name for name in names if name or not naming):
        for candidate in service.answer(Question(name, types, "any", evidence, asked.limit)):
            found[candidate.iri].append(candidate)
    needs_all = any(condition.quantifier == "all" for condition in naming)
    kept = (_merged(of) for of in found.values() if len(of) == len(names) or not needs_all)
    checked = [c for candidate in kept if (c := _checked(service, candidate, asked.conditions))]
    matches = sum(candidate.match for candidate in checked)
    # Two names that mean two records leave the choice to a person.
    final = [replace(c, match=False) for c in checked] if matches > 1 else checked
    return sorted(final, key=lambda c: (not c.match, -c.score))[: asked.limit]


def _merged(found: Sequence[Candidate]) -> Candidate:
    """Return the best of the candidates that several names gave for one record."""
    return max(found, key=lambda c: (c.match, c.score))


def _checked(service: ReconciliationService, candidate: Candidate, conditions: Iterable[Condition]) -> Candidate | None:
    """Return a candidate as the conditions leave it: lower if it fails one, None if that one is required."""
    for condition in conditions:
        if _holds(service, candidate.iri, condition):
            continue
        if condition.is_required:
            return None
        if condition.quantifier != "any":
            candidate = replace(candidate, match=False, score=round(candidate.score * _FAILED, 1))
    return candidate


def _holds(service: ReconciliationService, iri: str, condition: Condition) -> bool:
    if condition.kind != "property":
        return condition.quantifier != "none" or iri not in {service.iri(value) for value in condition.values}
    agree = [service.agrees(iri, condition.property_id, value) for value in condition.values]
    return {"any": any(agree), "all": all(agree), "none": not any(agree)}[condition.quantifier]


# ---- answers ----


def manifest(service: ReconciliationService, address: str, settings: Settings) -> dict[str, Any]:
    """Return the service manifest; `address` is the URL by which this client reached the endpoint."""
    view, site = service.view, service.site
    host = parts.host(address)
    return {
        "versions": [VERSION],
        "name": view.said(site.project.service),
        "lang": view.language,
        "documentation": f"{host}/about#ui-reconcile",
        "logo": f"{host}/static/icon.svg",
        "serviceVersion": site.version,
        "batchSize": settings.max_batch,
        "standardizedScore": True,
        "defaultTypes": [typed(kind) for kind in service.kinds()],
        # The id is a path, whose slashes stay as they are (RFC 6570, 3.2.3).
        "view": {"url": f"{host}/id/{{+id}}"},
        "preview": dict(zip(("width", "height"), PREVIEW_SIZE, strict=True)),
        "suggest": {"entity": True, "property": True, "type": True},
        "extend": {
            "proposeProperties": True,
            "propertySettings": [
                {
                    "id": "limit",
                    "name": view.t("reconcile_limit"),
                    "type": "number",
                    "default": 0,
                    "helpText": view.t("reconcile_limit_help"),
                },
                {
                    "id": "content",
                    "name": view.t("reconcile_content"),
                    "type": "select",
                    "default": "entity",
                    "helpText": view.t("reconcile_content_help"),
                    "choices": [{"value": c, "name": view.t(f"reconcile_content_{c}")} for c in get_args(Content)],
                },
            ],
        },
    }


def results(service: ReconciliationService, asked: Iterable[ConditionalQuery]) -> dict[str, Any]:
    """Return a result batch, in the order of the queries."""
    return {"results": [_result(service, query) for query in asked]}


def _result(service: ReconciliationService, asked: ConditionalQuery) -> dict[str, Any]:
    """Return the candidates of a query; `warnings`, an addition to the protocol, say what of it was not used."""
    types = (asked.type,) if asked.type else ()
    pairs = tuple((c.property_id, v) for c in asked.conditions if c.kind == "property" for v in c.values)
    warnings = [*asked.warnings, *service.warnings(Question("", types, "any", pairs, asked.limit))]
    candidates = [_candidate(service, candidate) for candidate in _candidates(service, asked)]
    return {"candidates": candidates, **({"warnings": warnings} if warnings else {})}


def _candidate(service: ReconciliationService, candidate: Candidate) -> dict[str, Any]:
    thing = service.thing(candidate.iri)
    return {
        **named(thing),
        "type": [{"id": type_.id, "name": type_.name} for type_ in thing.types],
        "score": candidate.score,
        "match": candidate.match,
        "features": [_feature(service, feature) for feature in candidate.features],
    }


def _feature(service: ReconciliationService, feature: Feature) -> dict[str, Any]:
    """Return a feature as in 0.2, with its name in the language of the reader."""
    words = texts.table("features")[service.view.language]
    told = parts.feature(service, feature)
    kind, _, pid = feature.id.partition(":")
    if kind == "property":
        name = texts.fill(words["property-agrees"], {"property": service.property_thing(pid).name})
    elif kind == "unusable":
        values = {"property": service.property_thing(pid).name, "reason": str(feature.value)}
        name = texts.fill(words["property-unusable"], values)
    else:
        name = words.get(f"{kind}-{feature.value}", words.get(kind, told["id"]))
    return {"id": told["id"], "name": name, "value": told["value"]}


def extended(service: ReconciliationService, asked: Extension) -> dict[str, Any]:
    """Return a data extension response: the properties, and a row for each ID."""
    rows = [
        {"id": id_, "properties": [{"id": pid, "values": cells} for pid, cells in parts.values(service, id_, asked)]}
        for id_ in asked.ids
    ]
    return {"meta": parts.meta(service, asked), "rows": rows}
