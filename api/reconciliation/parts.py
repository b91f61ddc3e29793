"""JSON that the versions of the reconciliation protocol share: values, limits, data extension queries, suggestions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

from api.problems import Problem
from api.reconciliation.service import Cell, Content, ExtensionProperty, ReconciliationService, Thing
from api.settings import Settings
from kg.linking.matching import Feature

PREVIEW_SIZE = (430, 320)
_DAY = re.compile(r"-?\d{4}-\d\d-\d\d")


# ---- questions ----


def limit_of(written: object, where: str, settings: Settings, warnings: list[str]) -> int:
    if isinstance(written, str) and written.strip().isascii() and written.strip().isdigit():
        written = int(written.strip()[:9])
    if isinstance(written, int | float) and not isinstance(written, bool) and written >= 1:
        return int(min(written, settings.max_candidates))
    if written is not None and written != "":
        warnings.append(f"{where}: expected a positive number")
    return settings.candidates


def value_of(written: object) -> str | None:
    """A value as text, '' for a blank cell; None for anything else."""
    if written is None:
        return ""
    if isinstance(written, dict) and isinstance(written.get("id"), str):
        return str(written["id"])
    return text_of(written) if isinstance(written, str | int | float) else None


def text_of(written: str | float) -> str:
    if isinstance(written, bool):
        return "true" if written else "false"
    # A spreadsheet has numbers only as floating point: 1030005007111.0 is the number of a corporation.
    return str(int(written)) if isinstance(written, float) and written.is_integer() else str(written)


@dataclass(frozen=True, slots=True)
class Extension:
    """A data extension query: properties of records (section 7.3)."""

    ids: tuple[str, ...]
    properties: tuple[ExtensionProperty, ...]


def extension(document: object, settings: Settings) -> Extension:
    """Read a data extension query; raises `Problem` 400."""
    if not isinstance(document, dict):
        raise bad("extend", "expected an object with 'ids' and 'properties'")
    ids, properties = document.get("ids"), document.get("properties")
    if not isinstance(ids, list) or not all(isinstance(i, str) for i in ids):
        raise bad("extend.ids", "expected a list of strings")
    if not isinstance(properties, list):
        raise bad("extend.properties", "expected a list")
    if len(ids) * max(len(properties), 1) > settings.max_batch * 10:
        most = settings.max_batch * 10
        raise Problem(
            413, "batch-too-large", f"more than {most:,} cells; ask for fewer records or properties", {"limit": most}
        )
    return Extension(tuple(ids), tuple(_wanted(p, f"extend.properties.{n}") for n, p in enumerate(properties)))


def _wanted(written: object, where: str) -> ExtensionProperty:
    if not isinstance(written, dict) or not isinstance(written.get("id"), str):
        raise bad(where, "expected an object with an 'id'")
    settings = written.get("settings") or {}
    if not isinstance(settings, dict):
        raise bad(f"{where}.settings", "expected an object")
    limit, content = str(settings.get("limit") or 0), settings.get("content") or "entity"
    if not limit.isascii() or not limit.isdigit():
        raise bad(f"{where}.settings.limit", "expected a number, 0 for no limit")
    if content not in get_args(Content):
        raise bad(f"{where}.settings.content", f"expected one of {', '.join(get_args(Content))}")
    return ExtensionProperty(written["id"], int(limit[:9]), cast(Content, content))


def bad(where: str, detail: str) -> Problem:
    return Problem(400, "bad-query", f"{where}: {detail}", {"where": where})


# ---- answers ----


def host(address: str) -> str:
    """Return the URL that those of pages begin with, for the endpoint of any language and version."""
    return re.sub(r"/(?:ja/|en/)?reconcile(?:/1\.0)?$", "", address)


def feature(service: ReconciliationService, feature: Feature) -> dict[str, Any]:
    """Return a feature, which must be a number or a truth value: `kind:word` is true for the word that applies."""
    kind, colon, pid = feature.id.partition(":")
    name = f"{kind}:{service.property_thing(pid).id}" if colon else kind
    if isinstance(feature.value, str):
        return {"id": f"{name}:{feature.value.replace(' ', '-')}", "value": True}
    return {"id": name, "value": feature.value}


def named(thing: Thing) -> dict[str, Any]:
    return {"id": thing.id, "name": thing.name, **({"description": thing.description} if thing.description else {})}


def typed(thing: Thing) -> dict[str, Any]:
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
        found.append({**named(thing), **more})
    return {"result": found}


def proposal(things: Sequence[Thing], type_: str, limit: int) -> dict[str, Any]:
    """Return a data extension property proposal (section 7.2)."""
    asked: dict[str, Any] = {**({"type": type_} if type_ else {}), **({"limit": limit} if limit else {})}
    return {**asked, "properties": [named(thing) for thing in things]}


def meta(service: ReconciliationService, asked: Extension) -> list[dict[str, Any]]:
    """Return the properties of a data extension, with the type of their values if all have one."""
    told: list[dict[str, Any]] = []
    for wanted in asked.properties:
        iri = service.property_iri(wanted.id)
        kind = service.kind_of_values(iri) if wanted.content == "entity" else None
        told.append(
            {
                "id": wanted.id,
                "name": service.property_thing(iri).name if iri else wanted.id,
                **({"type": {"id": kind.id, "name": kind.name}} if kind else {}),
            }
        )
    return told


def values(service: ReconciliationService, id_: str, asked: Extension) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the ID of each property with its values of a record; there are none if the record is unknown."""
    iri = service.iri(id_)
    for wanted in asked.properties:
        yield wanted.id, [_cell(cell) for cell in service.values(iri, wanted)]


def _cell(cell: Cell) -> dict[str, Any]:
    if isinstance(cell, Thing):
        return {"id": cell.id, "name": cell.name}
    if isinstance(cell, int):
        return {"int": cell}
    if isinstance(cell, float):
        return {"float": cell}
    # The protocol has only points in time, so a day is its first moment.
    return {"date": f"{cell}T00:00:00Z"} if _DAY.fullmatch(cell) else {"str": cell}
