"""JSON of the reconciliation protocol 0.2; another version would be a module beside this one.

Entity Reconciliation Community Group, Reconciliation Service API v0.2 (2023-04-10).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

from api.http.bodies import parse_json
from api.problems import Problem
from api.reconciliation.service import (
    Cell,
    Content,
    ExtensionProperty,
    Question,
    ReconciliationService,
    Strictness,
    Thing,
)
from api.settings import Settings
from kg.linking.matching import Candidate, Feature

VERSIONS = ("0.2",)
PREVIEW_SIZE = (430, 320)
_KEYS = frozenset({"query", "type", "limit", "properties", "type_strict"})
_DAY = re.compile(r"-?\d{4}-\d\d-\d\d")


# ---- questions ----


def batch(text: str, settings: Settings) -> dict[str, Question]:
    """Parse a batch of queries by their keys (section 4.3); raises `Problem` 400 if it is no batch at all."""
    document = parse_json(text, "queries")
    if not isinstance(document, dict):
        raise _bad("queries", "expected an object of queries by key")
    if len(document) > settings.max_batch:
        detail = f"{len(document):,} queries in one batch; send at most {settings.max_batch:,}"
        raise Problem(413, "batch-too-large", detail, {"limit": settings.max_batch})
    return {key: question(written, f"queries.{key}", settings) for key, written in document.items()}


def question(written: object, where: str, settings: Settings) -> Question:
    """Parse a query (section 4.1). What cannot be used is left out and named in a warning of this query alone.

    Cells of tables are blank or odd; one of them must not fail the batch that it is sent in.
    """
    warnings: list[str] = []
    if not isinstance(written, dict):
        return Question("", (), "any", (), settings.candidates, (f"{where}: expected an object",))
    for unknown in sorted(written.keys() - _KEYS):
        warnings.append(f"{where}: '{unknown[:40]}' is not a field of a query; expected {', '.join(sorted(_KEYS))}")
    name = written.get("query")
    if name is not None and (isinstance(name, bool) or not isinstance(name, str | int | float)):
        warnings.append(f"{where}.query: expected a string")
        name = None
    properties = _properties(written.get("properties"), f"{where}.properties", warnings)
    types = _types(written.get("type"), f"{where}.type", warnings)
    strictness = written.get("type_strict") or "any"
    if strictness not in get_args(Strictness):
        warnings.append(f"{where}.type_strict: expected one of {', '.join(get_args(Strictness))}")
        strictness = "any"
    limit = _limit(written.get("limit"), f"{where}.limit", settings, warnings)
    name = "" if name is None else _text(name).strip()
    if not name and not properties:
        warnings.append(f"{where}: needs a 'query', or 'properties' with values")
    return Question(name, types, cast(Strictness, strictness), properties, limit, tuple(warnings))


def _limit(written: object, where: str, settings: Settings, warnings: list[str]) -> int:
    if isinstance(written, str) and written.strip().isascii() and written.strip().isdigit():
        written = int(written.strip()[:9])
    if isinstance(written, int | float) and not isinstance(written, bool) and written >= 1:
        return int(min(written, settings.max_candidates))
    if written is not None and written != "":
        warnings.append(f"{where}: expected a positive number")
    return settings.candidates


def _types(written: object, where: str, warnings: list[str]) -> tuple[str, ...]:
    found = written if isinstance(written, list) else [written]
    ids = [f.get("id") if isinstance(f, dict) else f for f in found]
    if not all(i is None or isinstance(i, str) for i in ids):
        warnings.append(f"{where}: expected the id of a type, or a list of them")
    return tuple(i for i in ids if i and isinstance(i, str))


def _properties(written: object, where: str, warnings: list[str]) -> tuple[tuple[str, str], ...]:
    if not isinstance(written, list):
        if written is not None:
            warnings.append(f"{where}: expected a list")
        return ()
    pairs: list[tuple[str, str]] = []
    for place, entry in enumerate(written):
        if not isinstance(entry, dict) or not isinstance(entry.get("pid"), str) or "v" not in entry:
            warnings.append(f"{where}.{place}: expected an object with 'pid' and 'v'")
            continue
        for v in entry["v"] if isinstance(entry["v"], list) else [entry["v"]]:
            text = _value(v)
            if text is None:
                warnings.append(f"{where}.{place}.v: expected a string, number or boolean, or an object with an 'id'")
            elif text.strip():
                pairs.append((entry["pid"], text))
    return tuple(pairs)


def _value(written: object) -> str | None:
    """A value as text, '' for a blank cell; None for anything else."""
    if written is None:
        return ""
    if isinstance(written, dict) and isinstance(written.get("id"), str):
        return str(written["id"])
    return _text(written) if isinstance(written, str | int | float) else None


def _text(written: str | float) -> str:
    if isinstance(written, bool):
        return "true" if written else "false"
    # A spreadsheet has numbers only as floating point: 1030005007111.0 is the number of a corporation.
    return str(int(written)) if isinstance(written, float) and written.is_integer() else str(written)


@dataclass(frozen=True, slots=True)
class Extension:
    """A data extension query: properties of records (section 7.3)."""

    ids: tuple[str, ...]
    properties: tuple[ExtensionProperty, ...]


def extension(text: str, settings: Settings) -> Extension:
    """Parse a data extension query; raises `Problem` 400."""
    document = parse_json(text, "extend")
    if not isinstance(document, dict):
        raise _bad("extend", "expected an object with 'ids' and 'properties'")
    ids, properties = document.get("ids"), document.get("properties")
    if not isinstance(ids, list) or not all(isinstance(i, str) for i in ids):
        raise _bad("extend.ids", "expected a list of strings")
    if not isinstance(properties, list):
        raise _bad("extend.properties", "expected a list")
    if len(ids) * max(len(properties), 1) > settings.max_batch * 10:
        most = settings.max_batch * 10
        raise Problem(
            413, "batch-too-large", f"more than {most:,} cells; ask for fewer records or properties", {"limit": most}
        )
    return Extension(tuple(ids), tuple(_wanted(p, f"extend.properties.{n}") for n, p in enumerate(properties)))


def _wanted(written: object, where: str) -> ExtensionProperty:
    if not isinstance(written, dict) or not isinstance(written.get("id"), str):
        raise _bad(where, "expected an object with an 'id'")
    settings = written.get("settings") or {}
    if not isinstance(settings, dict):
        raise _bad(f"{where}.settings", "expected an object")
    limit, content = str(settings.get("limit") or 0), settings.get("content") or "entity"
    if not limit.isascii() or not limit.isdigit():
        raise _bad(f"{where}.settings.limit", "expected a number, 0 for no limit")
    if content not in get_args(Content):
        raise _bad(f"{where}.settings.content", f"expected one of {', '.join(get_args(Content))}")
    return ExtensionProperty(written["id"], int(limit[:9]), cast(Content, content))


def _bad(where: str, detail: str) -> Problem:
    return Problem(400, "bad-query", f"{where}: {detail}", {"where": where})


# ---- answers ----


def manifest(service: ReconciliationService, address: str, settings: Settings) -> dict[str, Any]:
    """Return the service manifest (section 3.1); `address` is the URL by which this client reached the endpoint."""
    view, site = service.view, service.site
    # URLs of pages are relative to the host, not to the endpoint of one language.
    host = re.sub(r"/(?:ja/|en/)?reconcile$", "", address)
    return {
        "versions": list(VERSIONS),
        "name": view.said(view.site.project.service),
        "identifierSpace": site.base + "id/",
        "schemaSpace": view.site.project.ontology + "#",
        "defaultTypes": [_type(kind) for kind in service.kinds()],
        "documentation": f"{host}/about#ui-reconcile",
        "logo": f"{host}/static/icon.svg",
        "serviceVersion": site.version,
        "batchSize": settings.max_batch,
        "view": {"url": f"{host}/id/{{{{id}}}}"},
        "preview": {
            "url": f"{address}/preview?id={{{{id}}}}",
            "width": PREVIEW_SIZE[0],
            "height": PREVIEW_SIZE[1],
        },
        "suggest": {
            what: {
                "service_url": address,
                "service_path": f"/suggest/{what}",
                "flyout_service_url": address,
                "flyout_service_path": f"/flyout/{what}?id=${{id}}",
            }
            for what in ("entity", "property", "type")
        },
        "extend": {
            "propose_properties": {"service_url": address, "service_path": "/properties"},
            "property_settings": [
                {
                    "name": "limit",
                    "label": view.t("reconcile_limit"),
                    "type": "number",
                    "default": 0,
                    "help_text": view.t("reconcile_limit_help"),
                },
                {
                    "name": "content",
                    "label": view.t("reconcile_content"),
                    "type": "select",
                    "default": "entity",
                    "help_text": view.t("reconcile_content_help"),
                    "choices": [{"value": c, "name": view.t(f"reconcile_content_{c}")} for c in get_args(Content)],
                },
            ],
        },
    }


def results(service: ReconciliationService, asked: Mapping[str, Question]) -> dict[str, Any]:
    """Return a result batch (section 4.2)."""
    return {key: result(service, question) for key, question in asked.items()}


def result(service: ReconciliationService, asked: Question) -> dict[str, Any]:
    """Return the candidates for a query; `warnings`, an addition to the protocol, say what of it was not used."""
    warnings = [*asked.warnings, *service.warnings(asked)]
    candidates = [_candidate(service, candidate) for candidate in service.answer(asked)]
    return {"result": candidates, **({"warnings": warnings} if warnings else {})}


def _candidate(service: ReconciliationService, candidate: Candidate) -> dict[str, Any]:
    thing = service.thing(candidate.iri)
    return {
        **_named(thing),
        "type": [_type(type_) for type_ in thing.types],
        "score": candidate.score,
        "match": candidate.match,
        "features": [_feature(service, feature) for feature in candidate.features],
    }


def _feature(service: ReconciliationService, feature: Feature) -> dict[str, Any]:
    """Return a feature, which must be a number or a truth value: `kind:word` is true for the word that applies."""
    kind, colon, pid = feature.id.partition(":")
    name = f"{kind}:{service.property_thing(pid).id}" if colon else kind
    if isinstance(feature.value, str):
        return {"id": f"{name}:{feature.value.replace(' ', '-')}", "value": True}
    return {"id": name, "value": feature.value}


def _named(thing: Thing) -> dict[str, Any]:
    return {"id": thing.id, "name": thing.name, **({"description": thing.description} if thing.description else {})}


def _type(thing: Thing) -> dict[str, Any]:
    broader = [{"id": type_.id, "name": type_.name} for type_ in thing.types]
    return {"id": thing.id, "name": thing.name, **({"broader": broader} if broader else {})}


def suggestions(things: Sequence[Thing], what: str) -> dict[str, Any]:
    """Return a suggest response (section 6.3)."""
    found: list[dict[str, Any]] = []
    for thing in things:
        more: dict[str, Any] = {}
        if what == "entity":
            more["notable"] = [{"id": type_.id, "name": type_.name} for type_ in thing.types]
        elif what == "type" and thing.types:
            more["broader"] = [{"id": type_.id, "name": type_.name} for type_ in thing.types]
        found.append({**_named(thing), **more})
    return {"result": found}


def proposal(things: Sequence[Thing], type_: str, limit: int) -> dict[str, Any]:
    """Return a data extension property proposal (section 7.2)."""
    asked: dict[str, Any] = {**({"type": type_} if type_ else {}), **({"limit": limit} if limit else {})}
    return {**asked, "properties": [_named(thing) for thing in things]}


def extended(service: ReconciliationService, asked: Extension) -> dict[str, Any]:
    """Return a data extension response (section 7.4): a row for each ID, with a list of values for each property."""
    meta: list[dict[str, Any]] = []
    for wanted in asked.properties:
        iri = service.property_iri(wanted.id)
        kind = service.kind_of_values(iri) if wanted.content == "entity" else None
        meta.append(
            {
                "id": wanted.id,
                "name": service.property_thing(iri).name if iri else wanted.id,
                **({"type": {"id": kind.id, "name": kind.name}} if kind else {}),
            }
        )
    rows: dict[str, Any] = {}
    for entity in asked.ids:
        iri = service.iri(entity)
        rows[entity] = {wanted.id: [_cell(cell) for cell in service.values(iri, wanted)] for wanted in asked.properties}
    return {"meta": meta, "rows": rows}


def _cell(cell: Cell) -> dict[str, Any]:
    if isinstance(cell, Thing):
        return {"id": cell.id, "name": cell.name}
    if isinstance(cell, int):
        return {"int": cell}
    if isinstance(cell, float):
        return {"float": cell}
    # The protocol has only points in time, so a day is its first moment.
    return {"date": f"{cell}T00:00:00Z"} if _DAY.fullmatch(cell) else {"str": cell}
