"""`/id`, `/page`, `/data` and `/linkset`: dereferences IRIs, with a redirect, as a page, as RDF or as typed links."""

from __future__ import annotations

import json
from typing import Annotated, NamedTuple
from urllib.parse import quote, urlencode

from fastapi import Query
from pyoxigraph import Literal, NamedNode, Quad
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.html import strips
from api.html.access import of_query
from api.html.rendering import page
from api.html.strips import Strip
from api.html.view import View, view_of
from api.http.parameters import PageNumber, page_number
from api.http.responses import HTML_OFFER, answer, chosen_rdf, json_answer, rdf_answer, rdf_offers, write_triples
from api.http.route import JSON, PAGE, RDF, Cost, Router
from api.i18n import language
from api.linked_data import cards, contents, facets, key_facts, listings, partners, said, signposting, structured_data
from api.problems import Problem
from api.site.site import Site, site_of
from kg.rdf import formats, iris
from kg.rdf.namespaces import SKOS
from kg.rdf.ordering import sort_quads
from kg.release import evidence_sets
from kg.release.entities import PREF_LABEL
from kg.release.facts import EntityDescription, Fact, by_predicate
from kg.sparql import library

router = Router()
_MAX_ITEMS = 20
CONCEPT = SKOS + "Concept"
# Facets are computed for each request, which takes too long for longer lists.
_MAX_FACETED = 5_000
WithParts = Annotated[str, Query(description="1 to list the parts of records, too.")]
# The tables of a page as queries; `?this` is the record.
_FACTS = """SELECT ?property ?value ?graph WHERE {
  GRAPH ?graph { ?this ?property ?value }
} ORDER BY ?property ?value"""
_LINKS = """SELECT ?subject ?property ?graph WHERE {
  GRAPH ?graph { ?subject ?property ?this }
} ORDER BY ?property ?subject"""


@router.get(
    "/id/{path:path}",
    "Dereference an identifier",
    Cost.MEDIUM,
    gives=(*RDF, *JSON, *PAGE),
    statuses=(301, 404, 410),
)
def dereference(request: Request, path: str, page: PageNumber = "1", parts: WithParts = "") -> Response:
    """Redirect (303) to the page or data of a record, by Accept; the path of a class returns a list of its records."""
    site = site_of(request)
    if moved := _canonical(request, "id", path):
        return moved
    if site.entities.members(path):
        return _class_list(request, site, path, page, is_whole=parts == "1")
    iri = _known(site, path)
    root = _root(request)
    successor = site.entities.successor(iri)
    if successor:
        target = successor.replace(site.base, root, 1) if successor.startswith(site.base) else successor
        return RedirectResponse(target, 301)
    syntax = chosen_rdf(request)
    if successor is not None and syntax is None:
        raise _gone(path)
    target = f"{root}page/{path}" if syntax is None else f"{root}data/{path}.{syntax.name}"
    if syntax is None and (chosen := language.chosen(request)):
        target += f"?lang={chosen}"
    links = [f'<{iri}>; rel="cite-as"', f'<{site.licence}>; rel="license"']
    return Response(None, 303, {"Location": target, "Vary": "Accept", "Link": ", ".join(links)})


@router.get("/page/{path:path}", "The page of a record", Cost.MEDIUM, gives=PAGE, statuses=(301, 404, 410))
def show(
    request: Request,
    path: str,
    incoming: Annotated[str, Query(alias="in", description="A property, to page through the links by it.")] = "",
    at: PageNumber = "1",
) -> Response:
    """A record as a page, in the language that the URL names."""
    site = site_of(request)
    if moved := _canonical(request, "page", path):
        return moved
    iri = _known(site, path)
    if moved := language.redirect(request):
        return moved
    successor = site.entities.successor(iri)
    view, host = view_of(request, language.language_of(request)), str(request.base_url).rstrip("/")
    description = evidence_sets.description_of(site.entities.describe(iri), view.evidence)
    this = {"this": NamedNode(iri)}
    about = said.of_record(site, iri, view.evidence)
    response = page(
        request,
        view.language,
        "entity.html",
        200 if successor is None else 410,
        iri=iri,
        path=path,
        description=description,
        incoming=_incoming(
            site, tuple(f for f in description.incoming if not partners.is_from_partners(f)), incoming, at
        ),
        partners=partners.linked_from(site, description.incoming),
        successor=successor,
        shared_money=cards.shared_money(view, iri),
        said=about,
        is_topic=CONCEPT in site.entities.types(iri),
        cards=cards.cards(view, iri, host),
        key=key_facts.of_record(view, iri, host),
        contents=contents.of_record(view, iri),
        neighbours=cards.neighbours(view, iri, description),
        citation=cards.citation(view, iri),
        facts_access=of_query(view, host, library.fill(_FACTS, this)),
        links_access=of_query(view, host, library.fill(_LINKS, this)),
        embedded=structured_data.blocks(site, iri, language.language_of(request), f"{_root(request)}context.jsonld"),
        graph=site.entities.graph_of(iri),
        # A deprecated record only leads to another.
        strip=_strips(view, iri, description, about) if successor is None else [],
        formats=formats.RDF_FORMATS,
    )
    response.headers["Link"] = signposting.landing_page(site, iri, str(request.base_url))
    # The page does not depend on Accept, so shared caches need a single copy.
    del response.headers["Vary"]
    return response


def _strips(view: View, iri: str, description: EntityDescription, about: said.Said | None) -> list[Strip]:
    """Where in the sources a record is: its own facts, those that link to it, and what is said of it."""
    evidence = [e for fact in (*cards.flattened(description.node.facts), *description.incoming) for e in fact.evidence]
    for part in description.loose_parts:
        evidence += [e for fact in cards.flattened(part.facts) for e in fact.evidence]
    if about is not None:
        evidence += [e for statement in about.statements for e in statement.evidence]
    if graph := view.site.entities.graph_of(iri):
        evidence.append(view.site.entities.evidence(graph))
    return strips.of_evidence(view, evidence)


class IncomingLinks(NamedTuple):
    """One page of the links to a record by one property; `name` is the property as in the URL."""

    predicate: str
    name: str
    facts: list[Fact]
    total: int
    number: int
    pages: int


def _incoming(site: Site, facts: tuple[Fact, ...], asked: str, at: str) -> list[IncomingLinks]:
    """Links to a record by property: of the property asked for the page `at`, of others the first page."""
    size = site.settings.links_shown
    found = []
    for predicate, group in by_predicate(sorted(facts, key=lambda f: f.predicate)):
        name, pages = site.context.compact(predicate), -(-len(group) // size)
        number = page_number(at, pages, f"the links by {name} have") if name == asked else 1
        found.append(
            IncomingLinks(predicate, name, group[(number - 1) * size : number * size], len(group), number, pages)
        )
    return found


@router.get("/data/{path:path}", "The data of a record", Cost.SMALL, gives=RDF, statuses=(301, 303, 404))
def data(request: Request, path: str) -> Response:
    """A record as RDF in the syntax of the extension; without one, by Accept."""
    site = site_of(request)
    if moved := _canonical(request, "data", path):
        return moved
    path, dot, extension = path.partition(".")
    iri = _known(site, path)
    if not dot:
        syntax = chosen_rdf(request, html=False)
        assert syntax is not None
        return Response(None, 303, {"Location": f"{_root(request)}data/{path}.{syntax.name}", "Vary": "Accept"})
    found = next((f for f in formats.RDF_FORMATS if f.name == extension), None)
    if found is None:
        known = ", ".join(f.name for f in formats.RDF_FORMATS)
        raise Problem(404, "not-found", f"unknown format '{extension}'; expected one of {known}")
    headers = {"Link": signposting.content(site, iri, str(request.base_url))}
    triples = site.entities.triples(iri)
    if not found.has_graphs:
        return answer(write_triples(site, triples, found), found.content_type, headers)
    # The default graph has the same triples as the other syntaxes; the named graphs add the provenance.
    quads = site.entities.document(iri)
    named = sort_quads([*quads, *site.entities.evidence_links(quads)])
    everything = [*(Quad(t.subject, t.predicate, t.object) for t in triples), *named]
    return answer(write_triples(site, everything, found), found.content_type, headers)


@router.get("/linkset/{path:path}", "The links of a record", Cost.SMALL, gives=(formats.LINKSET,), statuses=(301, 404))
def linkset(request: Request, path: str) -> Response:
    """All links of a record's documents, as a linkset (RFC 9264)."""
    site = site_of(request)
    if moved := _canonical(request, "linkset", path):
        return moved
    host = str(request.base_url)
    if members := site.entities.members(path, parts=True):
        document = signposting.class_linkset(site, f"{host}id/{quote(path)}", members)
    else:
        document = signposting.linkset(site, _known(site, path), host)
    return answer(json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n", formats.LINKSET)


def _canonical(request: Request, prefix: str, path: str) -> Response | None:
    """The redirect to the canonical form of a path, without needless percent-encoding or a trailing slash."""
    canonical = quote(f"{request.scope.get('root_path', '')}/{prefix}/{path.rstrip('/')}", safe="/#!$&'()*+,;=:@~")
    if not path or (request.scope.get("raw_path") or b"").decode("latin-1") == canonical:
        return None
    query = request.scope["query_string"].decode("latin-1")
    return Response(None, 301, {"Location": f"{canonical}{'?' + query if query else ''}"})


class Page(NamedTuple):
    """One page of a class list; `number` counts from 1, `parts` is whether parts of records are included."""

    name: str
    number: int
    pages: int
    total: int
    paths: list[str]
    parts: bool
    choices: list[facets.FacetChoice]
    facets: list[facets.Facet]
    details: dict[str, list[listings.RecordDetail]]


def _class_list(request: Request, site: Site, name: str, written: str, *, is_whole: bool) -> Response:
    asked = request.query_params.get("format", "")
    # Who asks for a list as JSON gets JSON; for a record the same means JSON-LD.
    graphs = [tuple(name for name in offer if name != formats.JSON) for offer in rdf_offers()]
    offers = [*graphs, (formats.JSON,), HTML_OFFER]
    best = formats.negotiate(request.headers.get("accept"), offers)
    is_json = asked == "json" or (not asked and best == len(offers) - 2)
    syntax = None if is_json else chosen_rdf(request)
    view = view_of(request, language.language_of(request))
    # The data has one order in all languages.
    is_for_reader = not is_json and syntax is None
    current = _page_of(request, view, name, written, is_whole=is_whole, is_for_reader=is_for_reader)
    headers = {"Vary": "Accept", "Link": _links(request, site, current)}
    if is_json:
        return json_answer(_as_json(site, current), headers)
    if syntax is not None:
        return rdf_answer(site, _as_quads(site, current), syntax, headers)
    if moved := language.redirect(request):
        return moved
    access = of_query(view, str(request.base_url).rstrip("/"), facets.query(name, site, current.choices))
    response = page(request, view.language, "class.html", current=current, formats=formats.RDF_FORMATS, access=access)
    response.headers["Link"] = headers["Link"]
    return response


def _page_of(request: Request, view: View, name: str, written: str, *, is_whole: bool, is_for_reader: bool) -> Page:
    site = view.site
    listed, size = site.entities.members(name, parts=is_whole), site.settings.page_size
    # Any property can be a parameter.
    asked = facets.choices(site, request.query_params.multi_items())
    members = facets.filtered(site, listed, asked) if asked else listed
    pages = max(1, -(-len(members) // size))
    number = page_number(written, pages, f"'{name}' has")
    offered = facets.facets(site, members, asked) if len(listed) <= _MAX_FACETED else []
    # Parts stand below their records, which only the order of paths shows.
    found = listings.ordered(view, name, members) if is_for_reader and not is_whole else listings.Listing(members, {})
    shown = found.paths[(number - 1) * size : number * size]
    return Page(name, number, pages, len(members), shown, is_whole, asked, offered, found.details)


def _links(request: Request, site: Site, current: Page) -> str:
    """The Link header: previous and next page, licence and items (RFC 8288)."""
    kept = [(k, v) for k, v in request.query_params.multi_items() if k not in ("lang", "page", "format", "remember")]
    url = f"{_root(request)}id/{quote(current.name)}?{urlencode([*kept, ('page', '')])}"
    around = [("prev", current.number - 1), ("next", current.number + 1)]
    links = [f'<{url}{n}>; rel="{rel}"' for rel, n in around if 1 <= n <= current.pages]
    # Proxies limit the size of headers; the linkset has all items.
    few = current.paths if len(current.paths) <= _MAX_ITEMS else []
    items = [f'<{site.entities.root}{quote(path)}>; rel="item"' for path in few]
    items.append(f'<{_root(request)}linkset/{quote(current.name)}>; rel="linkset"; type="{formats.LINKSET}"')
    return ", ".join([*links, f'<{site.licence}>; rel="license"', *items])


def _as_json(site: Site, current: Page) -> dict[str, object]:
    members = []
    site.entities.expect(site.entities.root + path for path in current.paths)
    for path in current.paths:
        iri = site.entities.root + path
        labels = [v for v in site.entities.values(iri, PREF_LABEL) if isinstance(v, Literal) and v.language]
        members.append(
            {
                "id": iri,
                "label": {str(v.language): v.value for v in sorted(labels, key=lambda v: str(v.language))},
                "types": site.entities.types(iri),
            }
        )
    return {
        "class": current.name,
        "total": current.total,
        "page": current.number,
        "pages": current.pages,
        "members": members,
    }


def _as_quads(site: Site, current: Page) -> list[Quad]:
    quads = []
    site.entities.expect(site.entities.root + path for path in current.paths)
    for path in current.paths:
        iri = site.entities.root + path
        subject = NamedNode(iri)
        quads += [Quad(subject, NamedNode(iris.RDF_TYPE), NamedNode(t)) for t in site.entities.types(iri)]
        labels = sorted(site.entities.values(iri, PREF_LABEL), key=str)
        quads += [Quad(subject, NamedNode(PREF_LABEL), label) for label in labels]
    return quads


def _known(site: Site, path: str) -> str:
    """The IRI of an existing record; raises `Problem` 404 with similar ids."""
    iri = site.entities.root + path
    if iris.SLUG.fullmatch(path) and site.entities.exists(iri):
        return iri
    near = site.entities.nearest(path)
    raise Problem(
        404,
        "unknown-id",
        f"no record has the id '{path}'",
        {"path": path, "nearest": [site.entities.root + p for p in near]},
    )


def _gone(path: str) -> Problem:
    return Problem(410, "deprecated", f"'{path}' is deprecated; its data is still available at /data/{path}.ttl")


def _root(request: Request) -> str:
    """The path at which the application is mounted, with a trailing slash."""
    return str(request.scope.get("root_path", "")).rstrip("/") + "/"
