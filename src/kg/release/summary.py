"""The short form of the catalogue record, for those who look for the dataset and not for its figures."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pyoxigraph import NamedNode, Quad

from kg.rdf.namespaces import RDFS
from kg.release.catalogue import value_of
from kg.release.dataset_record import DCAT

# The address of the whole record, below that of the dataset.
STATISTICS = "/statistics"
# The partition of a class by a property; see `catalogue.fragment`.
_OF_CLASS = re.compile(r"#class-[^#]*-property-[^#]*\Z")


def summary(record: Iterable[Quad]) -> list[Quad]:
    """The record without the figures of each class by property, which are most of it, and with a link to the whole."""
    kept, datasets = [], []
    for quad in record:
        if _OF_CLASS.search(value_of(quad.subject)) or _OF_CLASS.search(value_of(quad.object)):
            continue
        kept.append(quad)
        if quad.predicate.value == DCAT + "landingPage" and quad.subject == quad.object:
            datasets.append(value_of(quad.subject))
    links = [Quad(NamedNode(d), NamedNode(RDFS + "seeAlso"), NamedNode(d + STATISTICS)) for d in datasets]
    return [*kept, *links]
