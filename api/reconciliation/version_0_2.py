"""JSON of the reconciliation protocol 0.2; `version_1_0` has that of the draft, and `parts` what they share.

Entity Reconciliation Community Group, Reconciliation Service API v0.2 (2023-04-10).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_args

from api.http.bodies import parse_json
from api.problems import Problem
from api.reconciliation import parts
from api.reconciliation.parts import PREVIEW_SIZE, Extension, bad, limit_of, named, text_of, typed, value_of
from api.reconciliation.service import Content, Question, ReconciliationService, Strictness
from api.settings import Settings
from kg.linking.matching import Candidate

VERSIONS = ("0.2",)
_KEYS = frozenset({"query", "type", "limit", "properties", "type_strict"})


# ---- questions ----


def batch(text: str, settings: Settings) -> dict[str, Question]:
    """Parse a batch of queries by their keys (section 4.3); raises `Problem` 400 if it is no batch at all."""
    document = parse_json(text, "queries")
    if not isinstance(document, dict):
        raise bad("queries", "expected an object of queries by key")
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
    limit = limit_of(written.get("limit"), f"{where}.limit", settings, warnings)
    name = "" if name is None else text_of(name).strip()
    if not name and not properties:
        warnings.append(f"{where}: needs a 'query', or 'properties' with values")
    return Question(name, types, cast(Strictness, strictness), properties, limit, tuple(warnings))


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
            text = value_of(v)
            if text is None:
                warnings.append(f"{where}.{place}.v: expected a string, number or boolean, or an object with an 'id'")
            elif text.strip():
                pairs.append((entry["pid"], text))
    return tuple(pairs)


# ---- answers ----


def manifest(service: ReconciliationService, address: str, settings: Settings) -> dict[str, Any]:
    """Return the service manifest (section 3.1); `address` is the URL by which this client reached the endpoint."""
    view, site = service.view, service.site
    host = parts.host(address)
    return {
        "versions": list(VERSIONS),
        "name": view.said(view.site.project.service),
        "identifierSpace": site.base + "id/",
        "schemaSpace": view.site.project.ontology + "#",
        "defaultTypes": [typed(kind) for kind in service.kinds()],
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
        **named(thing),
        "type": [typed(type_) for type_ in thing.types],
        "score": candidate.score,
        "match": candidate.match,
        "features": [parts.feature(service, feature) for feature in candidate.features],
    }


def extended(service: ReconciliationService, asked: Extension) -> dict[str, Any]:
    """Return a data extension response (section 7.4): a row for each ID, with a list of values for each property."""
    rows = {id_: dict(parts.values(service, id_, asked)) for id_ in asked.ids}
    return {"meta": parts.meta(service, asked), "rows": rows}
