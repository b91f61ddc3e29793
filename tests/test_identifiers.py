"""Identifiers and issuers: each is from its register and belongs to the right record."""

from __future__ import annotations

import csv
import re

import pytest
from dataset import BASE, ROOT, SHARED, Data, passage, place_of, plain, short
from dataset import ONTOLOGY_NAMESPACE as KG
from pyoxigraph import Quad

from kg.project.reading import read_project
from kg.rdf.terms import value

SKOS = "http://www.w3.org/2004/02/skos/core#"
DCTERMS = "http://purl.org/dc/terms/"


NUMBERS = ("corporateNumber", "kakenhiNumber", "reviewProjectId", "egovLawId", "fundingStreamCode")
LINKS = (
    "http://www.w3.org/2002/07/owl#sameAs",
    "https://schema.org/sameAs",
    *(SKOS + f"{kind}Match" for kind in ("exact", "close", "related", "broad", "narrow")),
    "http://xmlns.com/foaf/0.1/homepage",
    "http://www.w3.org/2000/01/rdf-schema#seeAlso",
)
# Corporate numbers of the founder of a university or the parent of an institute, not of the unit itself.
OF_OTHERS = {"3180005006071", "4010405001654", "5011105000953", "4130005004293"}


def _outside(data: Data) -> list[tuple[Quad, str]]:
    """Every external identifier and link, except on sources."""
    found = []
    for quad in data.asserted:
        predicate, text = quad.predicate.value, value(quad.object)
        number = predicate.removeprefix(KG) in (*NUMBERS, "isoAlpha2", "isoAlpha3", "lawNumber")
        link = predicate in LINKS and not text.startswith(BASE.iri)
        if (number or link) and not value(quad.subject).startswith(BASE.id + "source/"):
            found.append((quad, text))
    return found


def test_identifiers_stand_in_register_graphs(data: Data, texts: dict[str, str]) -> None:
    """An identifier is from a register, unless it is printed in the lines of a text."""
    stray = [
        (short(value(q.graph_name)), text)
        for q, text in _outside(data)
        if not (place_of(q.graph_name) and text in passage(texts, q.graph_name))
    ]
    assert [pair for pair in stray if not pair[0].startswith("register/")] == []


@pytest.mark.usefixtures("beside")
def test_no_identifier_is_invented(data: Data) -> None:
    files = [SHARED / "identifiers.tsv", SHARED / "names.tsv"]
    known: set[str] = set()
    for path in files:
        with path.open(encoding="utf-8", newline="") as lines:
            for row in csv.reader(lines, delimiter="\t"):
                for cell in row:
                    known |= {cell, *cell.split("/"), *re.split(r"[ ;,()（）]+", cell)}
    law_id = re.compile(r"(\d{3}A[CS]\d{10})")
    known |= {match for cell in list(known) for match in law_id.findall(cell)}
    known |= {"令和七年法律第五十三号"}
    others = ("identifiers-2.tsv", "second-sources.tsv", "stip.tsv", "law-ai-act.md", "law-ai-act.txt")
    seen = "\n".join((SHARED / name).read_text(encoding="utf-8") for name in others)
    invented = {(short(value(q.subject)), text) for q, text in _outside(data) if text not in known and text not in seen}
    assert invented == set()
    assert len(_outside(data)) > 150


def test_check_digits(data: Data) -> None:
    registers = read_project(ROOT).names.identifiers.registers
    texts = {text for _, text in _outside(data)}
    isni = [t.rpartition("/")[2] for t in texts if "isni.org/isni/" in t]
    orcid = [t.rpartition("/")[2].replace("-", "") for t in texts if "orcid.org/" in t]
    assert [n for n in isni + orcid if len(n) != 16 or registers["isni"].fault(n)] == []
    corporate = data.one("?body kg:corporateNumber ?number", "number")
    assert [n for n in corporate if len(n) != 13 or registers["corporate-number"].fault(n)] == []
    ror = [t.rpartition("/")[2] for t in texts if t.startswith("https://ror.org/")]
    assert [r for r in ror if registers["ror"].fault(r)] == []
    assert min(len(isni), len(corporate), len(ror)) > 8


def test_numbers_of_others_are_not_given(data: Data) -> None:
    assert data.one("?unit a org:OrganizationalUnit ; kg:corporateNumber ?number", "unit") == set()
    assert data.one("?body kg:corporateNumber ?number", "number") & OF_OTHERS == set()
    shared = "?a kg:corporateNumber ?n . ?b kg:corporateNumber ?n FILTER(?a != ?b)"
    assert data.rows(shared, "a", "b") == set()
    assert data.one("?eu owl:sameAs <https://isni.org/isni/0000000122904914>", "eu") == set()


def test_no_issuer_is_invented(data: Data, texts: dict[str, str]) -> None:
    """An issuer is asserted only if a passage or register names it."""
    invented = []
    for quad in data.asserted:
        if quad.predicate.value != DCTERMS + "publisher":
            continue
        graph = short(value(quad.graph_name))
        names = data.one(f"<{value(quad.object)}> skos:prefLabel|skos:altLabel|skos:hiddenLabel ?name", "name")
        printed = place_of(quad.graph_name) and any(
            plain(name) in plain(passage(texts, quad.graph_name)) for name in names
        )
        if not printed and not graph.startswith("register/") and graph != "about":
            invented.append((graph, short(value(quad.subject))))
    assert invented == []


def test_every_register_is_drawn_on(data: Data) -> None:
    """A register without facts is not a source."""
    registers = data.one("?register a kg:Register", "register")
    used = data.one("?graph prov:hadPrimarySource ?register . ?register a kg:Register", "register")
    assert registers == used
