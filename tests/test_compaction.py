"""Compaction with the relevant part of the context gives the same result as with the whole context."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

from conftest import ROOT, tiny_quads
from dataset import Data
from pyld import jsonld
from pyoxigraph import RdfFormat, Triple, serialize

from api.http import responses
from api.settings import Settings
from api.site.site import make_site
from kg.rdf import context, iris
from kg.rdf.terms import value
from kg.release.store import Release


def whole(triples: list[Triple]) -> object:
    """The document compacted with the whole context."""
    nodes = json.loads(serialize(triples, format=RdfFormat.JSON_LD) or b"[]")
    for node in nodes:
        if types := node.pop(iris.RDF_TYPE, None):
            node["@type"] = [t["@id"] for t in types]
    document = context.Context.read(ROOT / "ontology" / "context.jsonld").document
    return jsonld.compact(nodes, document, {"graph": True})


def test_the_part_of_the_context_is_enough(tiny: Release, data: Data, queries_project: Path) -> None:
    """Every fifth record of the real data, and the whole small release including ontology terms."""
    site = make_site(Settings(project=queries_project), tiny, lambda _: None)
    real = sorted({q.triple for q in data.asserted}, key=lambda t: (value(t.subject), str(t)))
    records = [list(facts) for _, facts in groupby(real, key=lambda t: value(t.subject).partition("#")[0])]
    small = sorted({q.triple for q in tiny_quads()}, key=str)
    assert len(records) > 200
    for triples in [*records[::5], small]:
        assert responses.compacted(site, triples) == whole(triples)
