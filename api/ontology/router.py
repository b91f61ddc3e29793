"""`/ontology`, `/context.jsonld` and `/shapes`: the documentation and the files of the ontology."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from markupsafe import Markup, escape
from pyoxigraph import Literal
from starlette.requests import Request
from starlette.responses import Response

from api.html.rendering import page
from api.html.view import View, view_of
from api.http.responses import answer, chosen_rdf, rdf_answer
from api.http.route import PAGE, RDF, TOO_LARGE, Cost, Router
from api.i18n import language, texts
from api.ontology import alignment, recipes, vocabulary
from api.problems import Problem
from api.site.site import Site, site_of
from kg.project import profiles
from kg.rdf import formats
from kg.rdf.namespaces import OWL
from kg.rdf.terms import Term

router = Router()
_CONTEXT, _SHAPES = "application/ld+json", "text/turtle"

_CHARACTERISTICS = {
    OWL + f"{name}Property": f"ontology_{name.lower()}"
    for name in (
        *("Transitive", "Symmetric", "Asymmetric", "Functional"),
        *("InverseFunctional", "Reflexive", "Irreflexive"),
    )
}
_MAX_LETTERS = {"ja": 18}
_MAX_LETTERS_ELSE = 32


@router.get("/ontology", "The ontology", Cost.LARGE, gives=(*RDF, *PAGE), statuses=(TOO_LARGE,), in_sitemap=True)
def ontology(request: Request) -> Response:
    """The ontology as a page, with the local names of terms as anchors, or as RDF."""
    site = site_of(request)
    if (syntax := _chosen(request)) is not None:
        return _document(site, syntax)
    if moved := language.redirect(request):
        return moved
    view, reference = view_of(request, language.language_of(request)), vocabulary.describe(site)
    return page(
        request,
        view.language,
        "ontology.html",
        iri=site.project.ontology,
        reference=reference,
        prefixes=_prefixes(site, reference),
        anchors=_anchors(site, reference),
        # Most terms occur many times on the page.
        name=cache(view.name),
        plain=cache(view.plain),
        short=site.context.compact,
        example=cache(lambda term: _example(view, term)),
        titles=texts.texts()[view.language],
        characteristics=_CHARACTERISTICS,
        has_mappings=alignment.has_mappings(site),
        recipes=(found := recipes.recipes(site)),
        recipes_of=recipes.by_term(found),
        shapes=[name for name, path in _shapes(site).items() if path.is_file()],
        formats=formats.RDF_FORMATS,
    )


@router.get("/ontology.{extension}", "The ontology as a file", Cost.LARGE, gives=RDF, statuses=(404, TOO_LARGE))
def ontology_file(request: Request, extension: str) -> Response:
    """The ontology in the syntax of the extension: `ttl`, `owl` or `rdf` for RDF/XML, `nt`, `jsonld` and so on."""
    syntax = formats.graph_format(extension)
    if syntax is None:
        known = ", ".join(f.name for f in formats.RDF_FORMATS)
        raise Problem(404, "not-found", f"unknown format '{extension[:40]}'; expected one of {known}, owl")
    return _document(site_of(request), syntax)


@router.get(
    "/ontology/{version}", "The ontology at its version IRI", Cost.LARGE, gives=(*RDF, *PAGE), statuses=(404, TOO_LARGE)
)
def ontology_version(request: Request, version: str) -> Response:
    """The ontology if this is its version, as at `/ontology`."""
    current = site_of(request).manifest.ontology_version
    if version != current:
        raise Problem(404, "not-found", f"the ontology served here has version {current}, not '{version[:40]}'")
    return ontology(request)


def _chosen(request: Request) -> formats.Rdf | None:
    """The RDF format, None for a page.

    RDF/XML is what every OWL tool reads (OWL 2 Conformance, 2.1), and many send no Accept, or one for OWL syntaxes.
    """
    if not request.query_params.get("format") and not request.headers.get("accept", "").strip():
        return formats.rdf_format("rdf")
    try:
        return chosen_rdf(request)
    except Problem as refused:
        if refused.status != 406:
            raise
        return formats.rdf_format("rdf")


def _document(site: Site, syntax: formats.Rdf) -> Response:
    return rdf_answer(site, site.entities.graph_document(site.entities.ontology.value), syntax)


@router.get("/context.jsonld", "The JSON-LD context", Cost.FIXED, gives=(_CONTEXT,))
def context(request: Request) -> Response:
    body = json.dumps(site_of(request).context.document, ensure_ascii=False, indent=1).encode() + b"\n"
    return answer(body, f"{_CONTEXT}; charset=utf-8")


@router.get("/shapes.ttl", "The SHACL shapes of the core profile", Cost.FIXED, gives=(_SHAPES,), statuses=(404,))
def core_shapes(request: Request) -> Response:
    return _shapes_of(site_of(request), profiles.CORE)


@router.get("/shapes/{profile}.ttl", "The SHACL shapes of a profile", Cost.FIXED, gives=(_SHAPES,), statuses=(404,))
def shapes(request: Request, profile: str) -> Response:
    """What a profile asks for beyond the core, or the core itself."""
    return _shapes_of(site_of(request), profile)


def _shapes_of(site: Site, profile: str) -> Response:
    path = _shapes(site).get(profile)
    if path is None or not path.is_file():
        raise Problem(404, "not-found", f"this release has no shapes of a profile '{profile[:40]}'")
    return answer(path.read_bytes(), f"{_SHAPES}; charset=utf-8")


def _shapes(site: Site) -> dict[str, Path]:
    """The file of each profile itself."""
    return {name: files[-1] for name, files in profiles.profiles(site.project.root).items()}


def _prefixes(site: Site, reference: vocabulary.TermReference) -> dict[str, str]:
    """The namespaces of the context and of all borrowed terms with their prefixes, '' for none."""
    known = {namespace: prefix for prefix, namespace in site.prefixes.items()}
    vocabularies = [*site.context.vocabularies.values(), *reference.borrowed]
    return {namespace: known.get(namespace, "") for namespace in vocabularies}


def _anchors(site: Site, reference: vocabulary.TermReference) -> Mapping[str, str]:
    """The anchor of each term on the page: the local name for ours, with the prefix `ui-` for borrowed ones."""
    found = {entry.iri: entry.anchor for entries in reference.sections.values() for entry in entries}
    prefixes = _prefixes(site, reference)
    for n, (namespace, terms) in enumerate(reference.borrowed.items()):
        name = prefixes[namespace] or f"vocabulary-{n}"
        found |= {term.iri: f"ui-{name}-{term.iri.removeprefix(namespace)}" for term in terms}
    return found


def _example(view: View, term: Term | str) -> Markup:
    """A subject or object in short form."""
    most = _MAX_LETTERS.get(view.language, _MAX_LETTERS_ELSE)
    if isinstance(term, Literal):
        return view.literal(term) if len(term.value) <= most else escape(term.value[:most] + "…")
    iri = term if isinstance(term, str) else term.value
    label = view.site.entities.label(iri, view.languages)
    if label is None or len(label.value) <= most:
        return view.link(iri)
    cut = Literal(label.value[:most] + "…", language=label.language or None)
    return Markup('<a href="{}">{}</a>').format(view.href(iri), view.literal(cut))
