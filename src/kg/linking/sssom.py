"""Writes the links of a table as SSSOM/TSV, a table of mappings with their justification (https://w3id.org/sssom/spec)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kg.linking import linkset, review
from kg.linking.linkset import LinksetInfo, Target, name_of, space_of
from kg.linking.review import Decision, MatchSetup, linked_rows
from kg.tables.table import Table, defused

MEDIA_TYPE = "text/tab-separated-values"
# What the publisher has not said: SSSOM requires a licence.
_NO_LICENCE = "https://w3id.org/sssom/license/unspecified"
_COLUMNS = (
    *("subject_id", "subject_label", "predicate_id", "object_id", "object_label", "mapping_justification"),
    *("confidence", "reviewer_label", "comment"),
)
_SEMAPV = "https://w3id.org/semapv/vocab/"
_VOCABULARIES = {name: linkset.PREFIXES[name] for name in ("dcterms", "org", "owl", "rdfs", "skos")}


@dataclass(frozen=True, slots=True)
class _Prefixes:
    """The prefixes of the mappings: `yours` for the rows, `ours` for the records."""

    yours: str
    ours: str

    def shorten(self, iri: str) -> str:
        for prefix, space in (("ours", self.ours), ("yours", self.yours)):
            if space and iri.startswith(space) and len(iri) > len(space):
                return f"{prefix}:{iri.removeprefix(space)}"
        return iri


def write(
    table: Table,
    decisions: Sequence[Decision],
    setup: MatchSetup,
    info: LinksetInfo,
    label: Callable[[str], str],
    target_of: Callable[[str], Target],
) -> bytes:
    """The mappings of all linked rows, with the metadata of the set in a comment above the header."""
    found = list(linked_rows(table, decisions, setup))
    prefixes = _Prefixes(space_of([iri for _, _, iri in found]), info.base + "id/")
    output = io.StringIO(newline="")
    links = review.links(table, decisions, setup, target_of)
    for line in _metadata(name_of(links, info), info, prefixes):
        output.write(f"#{line}\n")
    writer = csv.writer(output, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
    writer.writerow(_COLUMNS)
    for (number, decision, iri), link in zip(found, links, strict=True):
        is_person = decision.by == "person"
        cells = (
            prefixes.shorten(iri),
            table.rows[number - 1][setup.name].strip(),
            _curie(link.predicate),
            prefixes.shorten(decision.iri),
            label(decision.iri),
            "semapv:ManualMappingCuration" if is_person else _justification(decision),
            # A person has stated no probability.
            "" if is_person else f"{decision.score / 100:g}",
            info.reviewer if is_person else "",
            decision.reason,
        )
        writer.writerow([defused(" ".join(cell.split())) for cell in cells])
    return output.getvalue().encode()


def _curie(predicate: str) -> str:
    return next(f"{p}:{predicate.removeprefix(ns)}" for p, ns in _VOCABULARIES.items() if predicate.startswith(ns))


def _justification(decision: Decision) -> str:
    """By name alone, or by name together with other columns."""
    return "semapv:CompositeMatching" if "property:" in decision.reason else "semapv:LexicalMatching"


def _metadata(named: str, info: LinksetInfo, prefixes: _Prefixes) -> list[str]:
    """The metadata as lines of YAML; a JSON string is one of YAML too."""
    spaces = {"ours": prefixes.ours, "yours": prefixes.yours, "graph": info.base, "semapv": _SEMAPV}
    spaces |= _VOCABULARIES
    # SSSOM names sources by CURIEs only.
    cut = max(info.dataset.rfind(mark) for mark in "/#:") + 1
    space, source = info.dataset[:cut], info.dataset[cut:]
    spaces["publisher"] = space
    return [
        "curie_map:",
        *(f"  {name}: {json.dumps(space)}" for name, space in spaces.items() if space),
        f"mapping_set_id: {json.dumps(named)}",
        f"license: {json.dumps(_NO_LICENCE)}",
        f"mapping_date: {info.at.date().isoformat()}",
        f"mapping_tool: {json.dumps(info.software)}",
        *([f"subject_source: {json.dumps('publisher:' + source)}"] if info.dataset else []),
        'object_source: "graph:dataset"',
        f"object_source_version: {json.dumps(info.release)}",
    ]
