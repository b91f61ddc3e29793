"""The front page, `/about` and `/dataset`: what this is, in words and as a catalogue record."""

from __future__ import annotations

from fastapi import APIRouter
from pyoxigraph import Literal, NamedNode, Quad
from starlette.requests import Request
from starlette.responses import Response

from api import language, strings
from api.responses import chosen_rdf, json_answer, prefers_json, rdf_answer
from api.site import LICENCE, Site, site_of
from api.view import page
from kg import formats, iris
from kg.entities import DCTERMS

router = APIRouter()
XSD = "http://www.w3.org/2001/XMLSchema#"
DCAT = "http://www.w3.org/ns/dcat#"
VOID = "http://rdfs.org/ns/void#"
_WORKED = """PREFIX kg: <https://w3id.org/aikg/ontology#>
PREFIX eli: <http://data.europa.eu/eli/ontology#>

SELECT ?document ?law ?graph WHERE {
  GRAPH ?graph { ?document kg:cites|kg:quotes|kg:basedOn ?law }
  ?law a eli:LegalResource .
}
ORDER BY ?document ?law"""


@router.get("/", summary="The front page")
def front(request: Request) -> Response:
    """What is here, how much of it, and the ways in; as JSON the numbers alone."""
    site = site_of(request)
    if prefers_json(request):
        return json_answer(request, _numbers(site), {"Vary": "Accept"})
    if moved := language.redirect(request):
        return moved
    return page(
        request,
        language.language_of(request),
        "front.html",
        classes=site.entities.classes(),
        worked=_WORKED,
        library=site.queries,
        example=_example(site),
        host=str(request.base_url).rstrip("/"),
    )


@router.get("/about", summary="About this site")
def about(request: Request) -> Response:
    """What the marks mean, what the URIs are, how to report an error."""
    site = site_of(request)
    if moved := language.redirect(request):
        return moved
    asked = request.query_params.get("record", "").partition("#")[0]
    known = iris.SLUG.fullmatch(asked) and site.entities.exists(site.entities.root + asked)
    return page(request, language.language_of(request), "about.html", example=asked if known else _example(site))


@router.get("/dataset", summary="The dataset")
def dataset(request: Request) -> Response:
    """The catalogue record: title, licence, counts, ways of access."""
    site = site_of(request)
    if (syntax := chosen_rdf(request)) is not None:
        return rdf_answer(request, site, _record(site), syntax)
    if moved := language.redirect(request):
        return moved
    return page(request, language.language_of(request), "dataset.html", licence=LICENCE, formats=formats.RDF_FORMATS)


def _example(site: Site) -> str:
    """A record to show things by: the first law, else the first of anything."""
    names = ["law", *site.entities.classes()]
    return next((paths[0] for name in names if (paths := site.entities.members(name))), "")


def _numbers(site: Site) -> dict[str, object]:
    manifest = site.manifest
    return {
        "release": manifest.id,
        "base": manifest.base_iri,
        "records": manifest.records,
        "asserted": manifest.asserted,
        "inferred": manifest.inferred,
        "triples": manifest.triples,
        "classes": site.entities.classes(),
    }


def _record(site: Site) -> list[Quad]:
    subject, manifest = NamedNode(site.base + "dataset"), site.manifest

    def integer(n: int) -> Literal:
        return Literal(str(n), datatype=NamedNode(XSD + "integer"))

    pairs: list[tuple[str, NamedNode | Literal]] = [
        (iris.RDF_TYPE, NamedNode(DCAT + "Dataset")),
        (iris.RDF_TYPE, NamedNode(VOID + "Dataset")),
        (DCTERMS + "license", NamedNode(LICENCE)),
        (DCTERMS + "identifier", Literal(manifest.id)),
        (DCTERMS + "issued", Literal(manifest.issued, datatype=NamedNode(XSD + "dateTime"))),
        (DCTERMS + "conformsTo", NamedNode(iris.ONTOLOGY)),
        (VOID + "triples", integer(manifest.triples)),
        (VOID + "entities", integer(sum(site.entities.classes().values()))),
        (VOID + "uriSpace", Literal(site.base + "id/")),
        (VOID + "sparqlEndpoint", NamedNode(site.base + "sparql")),
        (VOID + "vocabulary", NamedNode(iris.ONTOLOGY)),
    ]
    for tongue in strings.LANGUAGES:
        pairs.append((DCTERMS + "title", Literal(strings.text(tongue, "site"), language=tongue)))
        pairs.append((DCTERMS + "description", Literal(strings.text(tongue, "lead"), language=tongue)))
    return [Quad(subject, NamedNode(predicate), target) for predicate, target in pairs]
