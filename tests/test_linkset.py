"""Linksets: links, VoID and PROV-O descriptions, reproducible bytes, and valid IRIs."""

from __future__ import annotations

import datetime

import pytest
import rdflib
from dataset import BASE
from hypothesis import given, settings
from hypothesis import strategies as st
from pyoxigraph import Literal, NamedNode, Store, parse
from rdflib.namespace import DCAT, FOAF, ORG, OWL, PROV, RDFS, SKOS, VOID

from kg.errors import KgError
from kg.linking import linkset, review
from kg.linking.linkset import Link, LinksetInfo, Target
from kg.linking.review import Decision, MatchSetup
from kg.rdf import formats, iris
from kg.tables.rows import TableError
from kg.tables.table import Table

AT = datetime.datetime(2026, 7, 1, 9, 30, tzinfo=datetime.UTC)
ACCOUNT = LinksetInfo(BASE.iri, "0123456789abcdef", "aikg 1.0.0", AT, "bodies.csv", "山田 “太郎”")
RIKEN, TOKYO = BASE.id + "organization/riken", BASE.id + "organization/university-of-tokyo"
LINKS = [
    Link("https://example.go.jp/id/2", RIKEN),
    Link("https://example.go.jp/id/1", TOKYO, is_reviewed=True),
    Link("https://example.go.jp/id/3", RIKEN, "close", is_reviewed=True),
    Link("https://example.go.jp/id/4", RIKEN, "part", is_reviewed=True, of="body"),
    Link("https://example.go.jp/id/5", BASE.id + "concept/ai-for-science", of="concept"),
]
SYNTAXES = [f for f in formats.RDF_FORMATS if f.name in ("ttl", "nt", "jsonld")]


def graph(body: bytes, syntax: formats.Rdf) -> Store:
    store = Store()
    store.bulk_extend(parse(body, format=syntax.syntax))
    return store


def holds(store: Store, pattern: str) -> bool:
    prefixes = "".join(f"PREFIX {name}: <{iri}>\n" for name, iri in linkset.PREFIXES.items())
    return bool(store.query(f"{prefixes} ASK {{ {pattern} }}"))


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda f: f.name)
def test_the_links_stand_as_plain_triples(syntax: formats.Rdf) -> None:
    body = linkset.write(LINKS, ACCOUNT, syntax)
    store = graph(body, syntax)
    wanted = {
        ("1", OWL.sameAs, TOKYO),
        ("2", OWL.sameAs, RIKEN),
        ("3", RDFS.seeAlso, RIKEN),
        ("4", ORG.unitOf, RIKEN),
        ("5", SKOS.exactMatch, BASE.id + "concept/ai-for-science"),
    }
    for row, predicate, target in wanted:
        assert holds(store, f"<https://example.go.jp/id/{row}> <{predicate}> <{target}>")
    assert len(list(store.quads_for_pattern(None, None, NamedNode(RIKEN)))) == 3
    assert body == linkset.write(LINKS[::-1] + LINKS, ACCOUNT, syntax)


def test_each_predicate_is_a_linkset_of_its_own() -> None:
    store = graph(linkset.write(LINKS, ACCOUNT, SYNTAXES[0]), SYNTAXES[0])
    for name, n in (("owl:sameAs", 2), ("rdfs:seeAlso", 1), ("org:unitOf", 1), ("skos:exactMatch", 1)):
        assert holds(
            store,
            f"""?whole void:subset ?part ; void:triples 5 .
            ?part a void:Linkset ; void:linkPredicate {name} ; void:triples {n} ;
                void:objectsTarget <{BASE.dataset}> ; void:subjectsTarget ?theirs .
            ?theirs a void:Dataset ; void:uriSpace "https://example.go.jp/id/" """,
        )
    one = graph(linkset.write(LINKS[:2], ACCOUNT, SYNTAXES[0]), SYNTAXES[0])
    assert not holds(one, "?part void:linkPredicate rdfs:seeAlso")


def test_it_tells_who_matched_what_when_and_by_which_release() -> None:
    store = graph(linkset.write(LINKS, ACCOUNT, SYNTAXES[0]), SYNTAXES[0])
    assert holds(
        store,
        f"""?set prov:wasGeneratedBy ?matching, ?review ;
            prov:generatedAtTime "2026-07-01T09:30:00+00:00"^^xsd:dateTime .
        ?matching prov:wasAssociatedWith [ a prov:SoftwareAgent ; rdfs:label "aikg 1.0.0" ] ;
            prov:used ?release, ?table .
        ?release prov:specializationOf <{BASE.dataset}> ; dcat:version "0123456789abcdef" .
        ?table rdfs:label "bodies.csv" .
        ?review prov:wasInformedBy ?matching ; prov:wasAssociatedWith [ a prov:Person ; foaf:name "山田 “太郎”" ] .""",
    )
    reviewed = store.quads_for_pattern(None, NamedNode(linkset.PROV + "used"), None)
    subjects = {q.object.value for q in reviewed if q.subject.value.endswith("#review")}  # type: ignore[union-attr]
    assert subjects == {f"https://example.go.jp/id/{n}" for n in (1, 3, 4)}
    alone = graph(linkset.write(LINKS[:1], ACCOUNT, SYNTAXES[0]), SYNTAXES[0])
    assert not holds(alone, "?person a prov:Person")


def test_its_terms_exist_in_their_vocabularies() -> None:
    namespaces = {str(n._NS): n for n in (VOID, PROV, SKOS, FOAF, DCAT, ORG, OWL, RDFS, rdflib.RDF)}
    described = linkset.describe(LINKS, ACCOUNT)
    types = [t.object.value for t in described if t.predicate.value == iris.RDF_TYPE]  # type: ignore[union-attr]
    # `dcat:version` is of DCAT 3; rdflib has DCAT 2.
    for term in {*types, *(triple.predicate.value for triple in described)} - {linkset.DCAT + "version"}:
        namespace = next(iri for iri in namespaces if term.startswith(iri))
        assert term.removeprefix(namespace) in namespaces[namespace], term


def test_the_publisher_names_linkset_and_dataset() -> None:
    named = LinksetInfo(
        BASE.iri, "0", "s", AT, linkset="https://example.go.jp/links", dataset="https://example.go.jp/data"
    )
    store = graph(linkset.write(LINKS, named, SYNTAXES[0]), SYNTAXES[0])
    assert holds(
        store, "<https://example.go.jp/links> void:subset ?p . ?p void:subjectsTarget <https://example.go.jp/data>"
    )
    assert not holds(store, "?x void:uriSpace ?y")
    for bad in ("no iri", "links", "https://x/<y>"):
        with pytest.raises(KgError, match="needs an absolute IRI"):
            LinksetInfo(BASE.iri, "0", "s", AT, dataset=bad)


def test_a_dataset_of_many_hosts_has_no_uri_space() -> None:
    links = [Link("https://a.example/1", RIKEN), Link("https://b.example/1", TOKYO)]
    assert not holds(graph(linkset.write(links, ACCOUNT, SYNTAXES[0]), SYNTAXES[0]), "?x void:uriSpace ?y")


@settings(max_examples=100, deadline=None, database=None)
@given(
    reviewer=st.text(st.characters(exclude_categories=("Cs",)), max_size=30),
    table=st.text(st.characters(exclude_categories=("Cs",)), max_size=30),
)
def test_any_text_is_escaped(reviewer: str, table: str) -> None:
    account = LinksetInfo(BASE.iri, "0", "s", AT, table, reviewer)
    for syntax in SYNTAXES:
        texts = {
            q.object.value
            for q in graph(linkset.write(LINKS, account, syntax), syntax)
            if isinstance(q.object, Literal)
        }
        assert {reviewer, table} - {""} <= texts


# ---- from rows ----

TABLE = Table(("code", "IRI", "名"), [("a/1 東", "https://example.go.jp/1", "x"), ("", "nothing", "y")])
EXACT = Decision(RIKEN, "exact", "machine", 100)


def thing(_: str) -> Target:
    return "thing"


def test_a_template_makes_iris_and_escapes_what_it_takes() -> None:
    made = review.links(TABLE, [EXACT, Decision()], MatchSetup(2, subject="https://example.go.jp/id/{code}"), thing)
    assert made == [Link("https://example.go.jp/id/a%2F1%20%E6%9D%B1", RIKEN, label="x")]
    assert review.links(
        TABLE, [Decision(RIKEN, "close", "person"), Decision()], MatchSetup(2, subject="IRI"), thing
    ) == [Link("https://example.go.jp/1", RIKEN, "close", True, label="x")]


@pytest.mark.parametrize(
    ("subject", "code", "column"), [("https://example.go.jp/id/{code}", "no-iri", 1), ("IRI", "bad-iri", 2)]
)
def test_a_row_without_an_iri_is_reported(subject: str, code: str, column: int) -> None:
    with pytest.raises(TableError) as caught:
        review.links(TABLE, [EXACT, EXACT], MatchSetup(2, subject=subject), thing)
    assert (caught.value.code, caught.value.row, caught.value.column) == (code, 2, column)


def test_two_rows_of_one_iri_may_not_contradict() -> None:
    table = Table(("IRI",), [("https://example.go.jp/1",)] * 3)
    choice = MatchSetup(0, subject="IRI")
    assert len(set(review.links(table, [EXACT] * 3, choice, thing))) == 1
    with pytest.raises(TableError, match=r"row 3: .* here, but to .* in row 1"):
        review.links(table, [EXACT, EXACT, Decision(TOKYO, "exact", "person")], choice, thing)


@pytest.mark.parametrize("subject", ["nothing", "{code}", "https://example.go.jp/{kode}", "https://exa mple/{code}"])
def test_templates_without_iris_are_refused_at_once(subject: str) -> None:
    with pytest.raises(KgError, match=r"no column|does not give an IRI"):
        review.check_subject(TABLE, subject)
