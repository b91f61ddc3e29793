"""What an answer rests on: the passages, registers, judgements and inferences behind the records in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kg.agents.calls import CallRefused, ServerAnswer, ServerCalls
from kg.agents.results import ResultRows
from kg.receipts.claims import Claim
from kg.release.facts import KINDS, Kind, kind_of

_MOST_RECORDS = 40
_MOST_LISTED = 25
_LONGEST_ADDRESS = 4_000
_GRAPHS = """PREFIX prov: <http://www.w3.org/ns/prov#>
SELECT DISTINCT ?record ?graph ?source WHERE {
  VALUES ?record { %s }
  GRAPH ?graph { ?record ?property ?value }
  OPTIONAL { ?graph prov:hadPrimarySource ?source }
} ORDER BY ?record ?graph"""


async def receipt(calls: ServerCalls, reply: ServerAnswer, query: str, iris: Iterable[str]) -> dict[str, Any]:
    """What lets a reader check an answer: release, query, address, and the evidence for the records in it."""
    document: dict[str, Any] = {"release": reply.release, "query": query}
    if reply.address and len(reply.address) <= _LONGEST_ADDRESS:
        document["address"] = reply.address
    base = await calls.base()
    known = [iri for iri in dict.fromkeys(iris) if iri.startswith(base + "id/")]
    # An answer that names passages itself says exactly what it rests on.
    passages = [iri for iri in known if iri.startswith(base + "id/passage/")]
    if passages:
        return {**document, **_listed({("passage", iri): [] for iri in passages}, 0)}
    return {**document, **await _evidence(calls, base, known)}


async def of_claim(
    calls: ServerCalls, reply: ServerAnswer, claim: Claim, query: str, found: ResultRows
) -> dict[str, Any]:
    """The receipt that the server makes for an answer (`/receipt`); if it makes none, that of the records in it."""
    try:
        made = (await calls.get(f"/{claim.address}", accept="application/ld+json")).json()
    except CallRefused:
        return await receipt(calls, reply, query, found.iris)
    origins = [origin.partition(":")[0] for origin in _each(made.get("schema:evidenceOrigin"))]
    passages = [source["@id"] for source in _each(made.get("prov:wasDerivedFrom"))]
    listed: list[dict[str, Any]] = [{"kind": "passage", "source": iri} for iri in passages[:_MOST_LISTED]]
    return {
        "release": reply.release,
        "query": query,
        "address": made["@id"],
        "citation": made.get("dcterms:bibliographicCitation", ""),
        "evidence": listed,
        "evidence_left_out": max(0, len(passages) - _MOST_LISTED),
        "kinds": origins,
    }


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


async def _evidence(calls: ServerCalls, base: str, records: list[str]) -> dict[str, Any]:
    if not records:
        return _listed({}, 0)
    asked = _GRAPHS % " ".join(f"<{iri}>" for iri in records[:_MOST_RECORDS])
    found: dict[tuple[Kind, str], list[str]] = {}
    for row in (await calls.query(asked)).json()["results"]["bindings"]:
        graph, source = row["graph"]["value"], row.get("source", {}).get("value", "")
        kind = kind_of(graph.removeprefix(base + "graph/"), source)
        found.setdefault((kind, source or graph), []).append(row["record"]["value"])
    return _listed(found, len(records))


def _listed(found: Mapping[tuple[Kind, str], list[str]], records: int) -> dict[str, Any]:
    ranked = sorted(found, key=lambda pair: (KINDS.index(pair[0]), -len(found[pair]), pair[1]))
    return {
        "evidence": [
            {"kind": kind, "source": source, "about": found[kind, source][:5]} for kind, source in ranked[:_MOST_LISTED]
        ],
        "evidence_left_out": max(0, len(ranked) - _MOST_LISTED),
        "records_left_out": max(0, records - _MOST_RECORDS),
        "kinds": sorted({kind for kind, _ in ranked}, key=KINDS.index),
    }
