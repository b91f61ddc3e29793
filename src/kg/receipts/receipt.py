"""A receipt as JSON-LD, plain text and BibTeX; names and sentences are those of the reader's language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pyoxigraph import Literal as Text
from pyoxigraph import NamedNode

from kg.rdf.namespaces import DCTERMS, KG
from kg.rdf.terms import AnyTerm
from kg.receipts.claims import Claim
from kg.release.facts import KINDS, Evidence, Fact, Kind

# `current`: of the release that is served; `holds`: of another one, and so in this one, too; `changed`: not so in this
# one; `wrong`: said of this very release, whose answer is another.
State = Literal["current", "holds", "changed", "wrong"]

_CONTEXT = {
    "dcterms": DCTERMS,
    "kg": KG,
    "prov": "http://www.w3.org/ns/prov#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "schema": "https://schema.org/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is vouched for, in which release it was checked, and what it rests on.

    `row` has the values of a row by column, with their names in `shown`; `facts` are the triples behind it with their
    evidence, and `places` names the passages. `later` are the releases since the claimed one, newest first, each with
    its date; `of_record` says which of them changed the record of a fact. Dates are those of ISO 8601.
    """

    claim: Claim
    address: str
    title: str
    state: State
    release: str
    issued: str
    dataset: str
    site: str
    publisher: str
    licence: str
    query: str = ""
    row: tuple[tuple[str, AnyTerm | None], ...] = ()
    shown: tuple[tuple[str, str], ...] = ()
    rows: int = 0
    facts: tuple[Fact, ...] = ()
    places: tuple[str, ...] = ()
    later: tuple[tuple[str, str], ...] = ()
    of_record: tuple[tuple[str, str], ...] = ()
    is_cut: bool = False

    @property
    def passages(self) -> tuple[Evidence, ...]:
        """The passages behind it, in the order of the texts, each once."""
        return passages(self.facts)

    @property
    def kinds(self) -> list[tuple[Kind, int]]:
        """The number of facts by their most direct kind of evidence."""
        return kinds(self.facts)

    @property
    def said(self) -> str:
        """What is vouched for, in one line."""
        return "; ".join(f"{name}: {text}" for name, text in self.shown if text) or self.title


def state_of(claim: Claim, release: str, *, holds: bool) -> State:
    """Return how a claim stands in a release."""
    is_own = claim.release in ("", release)
    if holds:
        return "current" if is_own else "holds"
    return "wrong" if is_own else "changed"


def passages(facts: Sequence[Fact]) -> tuple[Evidence, ...]:
    """Return the passages that state facts, in the order of the texts, each once."""
    found = {e for fact in facts for e in fact.evidence if e.first}
    return tuple(sorted(found, key=lambda e: e.rank))


def kinds(facts: Sequence[Fact]) -> list[tuple[Kind, int]]:
    """Count facts by their most direct kind of evidence, the most direct first."""
    counts = Counter(fact.evidence[0].kind for fact in facts if fact.evidence)
    return [(kind, counts[kind]) for kind in KINDS if counts[kind]]


def json_ld(receipt: Receipt) -> dict[str, object]:
    """Return the receipt as JSON-LD in terms of PROV-O, schema.org and Dublin Core."""
    claim = receipt.claim
    found: dict[str, object] = {
        "@context": _CONTEXT,
        "@id": receipt.address,
        "@type": "prov:Entity",
        "dcterms:title": receipt.title,
        "dcterms:description": receipt.said,
        "dcterms:issued": {"@type": "xsd:date", "@value": receipt.issued[:10]},
        "dcterms:license": {"@id": receipt.licence},
        "dcterms:publisher": receipt.publisher,
        "dcterms:bibliographicCitation": citation(receipt),
        "schema:creativeWorkStatus": receipt.state,
        "schema:version": claim.release,
        "schema:isPartOf": {"@id": receipt.dataset, "schema:version": receipt.release},
        "prov:wasDerivedFrom": [_passage(e) for e in receipt.passages],
        "schema:evidenceOrigin": [f"{kind}: {n}" for kind, n in receipt.kinds],
    }
    if claim.triple:
        triple = claim.triple
        found["@type"] = ["prov:Entity", "rdf:Statement"]
        found["rdf:subject"] = {"@id": str(getattr(triple.subject, "value", triple.subject))}
        found["rdf:predicate"] = {"@id": triple.predicate.value}
        found["rdf:object"] = _value(triple.object)
    if receipt.query:
        found["prov:wasGeneratedBy"] = {
            "@type": "prov:Activity",
            "prov:used": {"@id": receipt.dataset},
            "prov:hadPlan": {"@type": "prov:Plan", "rdf:value": receipt.query},
        }
    if receipt.row:
        found["schema:additionalProperty"] = [
            {"@type": "schema:PropertyValue", "schema:name": name, "schema:value": _value(term)}
            for name, term in receipt.row
            if term is not None
        ]
    return found


def _passage(evidence: Evidence) -> dict[str, object]:
    lines = {"kg:firstLine": evidence.first, "kg:lastLine": evidence.last}
    return {"@id": evidence.source, **lines, "schema:isPartOf": {"@id": evidence.text}}


def _value(term: AnyTerm) -> object:
    if isinstance(term, NamedNode):
        return {"@id": term.value}
    if isinstance(term, Text):
        language = {"@language": term.language} if term.language else {"@type": term.datatype.value}
        return {"@value": term.value, **language}
    return str(term)


def citation(receipt: Receipt) -> str:
    """Return the receipt as one line for a list of references."""
    places = f" [{', '.join(receipt.places)}]" if receipt.places else ""
    return (
        f"{receipt.said}{places}. {receipt.publisher}: {receipt.site}, release {receipt.release} "
        f"({receipt.issued[:10]}). {receipt.address}"
    )


def bibtex(receipt: Receipt) -> str:
    """Return the receipt as an entry of BibTeX."""
    digest = receipt.claim.row or receipt.claim.result
    key = f"receipt-{digest or receipt.release}"
    fields = {
        "title": _braced(receipt.said),
        "author": _braced(receipt.publisher),
        "howpublished": _braced(receipt.site),
        "year": receipt.issued[:4],
        "note": _braced(f"Release {receipt.release}, {receipt.issued[:10]}; {', '.join(receipt.places)}".rstrip("; ")),
        "url": receipt.address,
    }
    rows = ",\n".join(f"  {name} = {{{text}}}" for name, text in fields.items())
    return f"@misc{{{key},\n{rows}\n}}\n"


def _braced(text: str) -> str:
    """Leave out what would end a field of BibTeX."""
    return text.replace("{", "").replace("}", "").replace("\\", "")


def plain(receipt: Receipt) -> str:
    """Return the receipt as lines of text, for terminals and mails."""
    lines = [
        receipt.title,
        *(f"  {name}: {text}" for name, text in receipt.shown if text),
        f"state: {receipt.state}",
        f"release: {receipt.release} ({receipt.issued[:10]})",
        *([f"lines: {', '.join(receipt.places)}"] if receipt.places else []),
        f"facts: {', '.join(f'{kind} {n}' for kind, n in receipt.kinds) or '-'}",
        f"address: {receipt.address}",
        f"cite: {citation(receipt)}",
    ]
    return "\n".join(lines) + "\n"
