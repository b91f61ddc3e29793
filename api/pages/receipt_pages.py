"""`/receipt`: what a number, a row or a fact rests on, computed from its address; nothing is stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Query as Parameter
from pyoxigraph import NamedNode, QueryResultsFormat, QuerySolutions, RdfFormat, Triple, parse, parse_query_results
from starlette.requests import Request
from starlette.responses import Response

from api.admission.slots import in_thread
from api.html.rendering import CSP, page
from api.html.view import View, view_of
from api.http.parameters import EvidenceLevel, evidence_level
from api.http.responses import HTML_OFFER, answer
from api.http.route import PAGE, QUERY_ERRORS, Cost, Router
from api.i18n import language
from api.problems import Problem
from api.queries import execution
from api.queries.execution import Formats
from api.site.site import Site, site_of
from kg.engines.evaluation import Query
from kg.errors import BrokenRelease, QueryMalformed
from kg.rdf import formats
from kg.rdf.terms import AnyTerm, value
from kg.receipts import checking, claims, receipt
from kg.receipts.claims import Claim, NoReceipt
from kg.receipts.receipt import Receipt
from kg.release import evidence_sets
from kg.release.facts import Fact
from kg.release.history import ReleaseChanges
from kg.sparql import library, tracing

router = Router()
_JSON_LD, _BIBTEX, _TEXT = "application/ld+json", "application/x-bibtex", "text/plain"
_NAMES = {"jsonld": _JSON_LD, "json": _JSON_LD, "bibtex": _BIBTEX, "text": _TEXT, "html": formats.HTML}
_OFFERS = [HTML_OFFER, (_JSON_LD, formats.JSON), (_BIBTEX,), (_TEXT,)]
_TYPES = (formats.HTML, _JSON_LD, _BIBTEX, _TEXT)
# All rows are needed for the digest of an answer, and reading them takes as long as making a page.
_LARGEST = 4_000_000
_MOST_FACTS = 300
_FRAMED = CSP.replace("frame-ancestors 'none'", "frame-ancestors *")
_VARY = {"Vary": "Accept, Accept-Language, Cookie"}


@dataclass(frozen=True, slots=True)
class _Answer:
    """The answer to the query of a claim: its check, its rows, the claimed row by column, and the facts behind it."""

    claim: Claim
    text: str
    title: str
    units: Mapping[str, str]
    holds: bool
    row: tuple[tuple[str, AnyTerm | None], ...] = ()
    rows: int = 0
    triples: tuple[Triple, ...] = ()


@router.get(
    "/receipt",
    "A receipt",
    Cost.QUERY,
    gives=(*PAGE, _JSON_LD, _BIBTEX, _TEXT),
    statuses=(404, 406, *QUERY_ERRORS),
    for_robots=False,
)
async def show(
    request: Request,
    subject: Annotated[str, Parameter(description="The subject of a fact: an IRI or class:slug.")] = "",
    predicate: Annotated[str, Parameter(description="The property of a fact, or `a`.")] = "",
    object_: Annotated[
        str, Parameter(alias="object", description="The object: an IRI, class:slug, or a literal in N-Triples syntax.")
    ] = "",
    query: Annotated[str, Parameter(description="The name of a stored query; its parameters stand beside it.")] = "",
    sparql: Annotated[str, Parameter(description="The text of any other query, SELECT or ASK.")] = "",
    row: Annotated[str, Parameter(description="The digest of a row.")] = "",
    result: Annotated[str, Parameter(description="The digest of a whole answer.")] = "",
    release: Annotated[str, Parameter(description="The release that the receipt was made from.")] = "",
    evidence: EvidenceLevel = "",
    embed: Annotated[str, Parameter(description="1 for a small page that other sites may frame.")] = "",
) -> Response:
    """Return what a number, a row or a fact rests on: query, release, passages, kinds of evidence, citation.

    It says whether the claim of the address holds in the release that is served.
    """
    del subject, predicate, object_, query, sparql, row, result, release, evidence
    site, media_type = site_of(request), _wanted(request)
    try:
        claim = claims.of_pairs(request.query_params.multi_items(), site.context)
    except NoReceipt as error:
        raise Problem(400, "bad-parameter", str(error)) from None
    if media_type == formats.HTML and (moved := language.redirect(request)):
        return moved
    found = None if claim.triple else await _answered(request, site, claim)
    return await in_thread(request, Cost.MEDIUM, _respond, request, claim, found, media_type, embed == "1")


def _wanted(request: Request) -> str:
    if asked := request.query_params.get("format"):
        if asked not in _NAMES:
            raise Problem(400, "bad-parameter", f"format: expected one of {', '.join(_NAMES)}, not '{asked[:40]}'")
        return _NAMES[asked]
    best = formats.negotiate(request.headers.get("accept"), _OFFERS)
    return _TYPES[best] if best is not None else formats.HTML


async def _answered(request: Request, site: Site, claim: Claim) -> _Answer:
    """Evaluate the query of a claim, and the one for the facts behind its row."""
    stored = library.find(site.queries, claim.query) if claim.query else None
    text = claim.sparql
    if stored:
        text = library.fill(stored.text, library.bind(stored, dict(claim.values), site.context))
    text = evidence_sets.with_from(text, evidence_level(claim.evidence), site.base, site.prefixes)
    outcome = await execution.run(request, site, Query(text), Formats(results="json", graph="nt"))
    if not outcome.content_type.startswith("application/sparql-results+json"):
        raise Problem(400, "bad-parameter", "a receipt is of the answer to SELECT or ASK, and this query makes a graph")
    if len(outcome.body) > _LARGEST:
        raise Problem(413, "result-too-large", "the answer is too large for a receipt; ask for fewer rows")
    parsed = parse_query_results(outcome.body, format=QueryResultsFormat.JSON)
    view = view_of(request, language.language_of(request))
    title = view.said(stored.title) if stored else view.t("receipt_of_query")
    units = stored.units if stored else {}
    if not isinstance(parsed, QuerySolutions):
        checked, row = checking.of_truth(claim, bool(parsed)), None
        found = _Answer(claim, text, title, units, checked.holds, rows=1)
    else:
        columns = [v.value for v in parsed.variables]
        rows = [[solution[name] for name in columns] for solution in parsed]
        checked = checking.of_rows(claim, columns, rows)
        row = tuple(zip(columns, checked.row, strict=True)) if checked.row else None
        found = _Answer(claim, text, title, units, checked.holds, row or (), len(rows))
    if not claim.row:
        found = replace(found, claim=replace(claim, result=claim.result or checked.digest))
    if not checked.holds:
        return found
    return replace(found, triples=await _traced(request, site, text, dict(row) if row else None))


async def _traced(
    request: Request, site: Site, text: str, row: Mapping[str, AnyTerm | None] | None
) -> tuple[Triple, ...]:
    """The triples that an answer rests on; none if the query cannot be traced."""
    try:
        tracing_text = tracing.tracing_query(text, site.prefixes, row, _MOST_FACTS)
        if not tracing_text:
            return ()
        outcome = await execution.run(request, site, Query(tracing_text), Formats(graph="nt"))
    except QueryMalformed:
        return ()
    except Problem as error:
        if error.kind == "malformed-query":
            return ()
        raise
    quads = parse(outcome.body, format=RdfFormat.N_TRIPLES)
    return tuple(q.triple for q in quads)


def _respond(request: Request, claim: Claim, found: _Answer | None, media_type: str, is_embedded: bool) -> Response:
    view = view_of(request, language.language_of(request))
    shown = _of_fact(view, claim) if found is None else _of_answer(view, found)
    writers: Mapping[str, Callable[[Receipt], bytes]] = {
        _JSON_LD: lambda r: json.dumps(receipt.json_ld(r), ensure_ascii=False, indent=1).encode() + b"\n",
        _BIBTEX: lambda r: receipt.bibtex(r).encode(),
        _TEXT: lambda r: receipt.plain(r).encode(),
    }
    if media_type in writers:
        is_text = media_type != _JSON_LD
        return answer(writers[media_type](shown), f"{media_type}; charset=utf-8" if is_text else media_type, _VARY)
    template = "receipt_embedded.html" if is_embedded else "receipt.html"
    cells = (
        [
            (name, view.cell(term, found.units.get(name, ""), codes=False) if term is not None else "")
            for name, term in found.row
        ]
        if found
        else []
    )
    response = page(
        request,
        view.language,
        template,
        receipt=shown,
        cells=cells,
        citation=receipt.citation(shown),
        bibtex=receipt.bibtex(shown),
        editor=view.url("sparql", query=shown.query, format="html") if shown.query else "",
        as_format=lambda name: f"{shown.address}&format={name}",
        embedded=f"{shown.address}&lang={view.language}&embed=1",
    )
    if is_embedded:
        response.headers["Content-Security-Policy"] = _FRAMED
    response.headers["Vary"] = _VARY["Vary"]
    return response


def _of_fact(view: View, claim: Claim) -> Receipt:
    assert claim.triple is not None
    triple, site = claim.triple, view.site
    fact = site.entities.stated(triple)
    subject = value(triple.subject)
    names = (
        (view.t("receipt_subject"), view.plain(subject)),
        (view.t("receipt_property"), view.plain(triple.predicate.value)),
        (view.t("receipt_value"), _plain(view, claim, fact)),
    )
    made = _receipt(view, claim, view.t("receipt_of_fact"), holds=fact is not None)
    path = subject.partition("#")[0].removeprefix(site.entities.root)
    changed = tuple(
        (step.release, step.issued[:10])
        for step in _since(site, claim.release)
        if any(entry.path == path for entry in step.entries)
    )
    return _placed(view, replace(made, shown=names, facts=(fact,) if fact else (), of_record=changed))


def _plain(view: View, claim: Claim, fact: Fact | None) -> str:
    assert claim.triple is not None
    if fact and (money := view.money(fact)):
        return money
    term = claim.triple.object
    return view.plain(term.value) if isinstance(term, NamedNode) else view.cell(term).striptags()


def _of_answer(view: View, found: _Answer) -> Receipt:
    shown = tuple(
        (view.column(name), view.cell(term, found.units.get(name, ""), codes=False).striptags())
        for name, term in found.row
        if term is not None
    )
    facts = [fact for triple in found.triples if (fact := view.site.entities.stated(triple))]
    made = _receipt(view, found.claim, found.title, holds=found.holds)
    made = replace(
        made,
        query=found.text,
        row=found.row,
        shown=shown,
        rows=found.rows,
        facts=tuple(sorted(facts, key=lambda f: f.evidence[0].rank if f.evidence else (9, "", 0, ""))),
        is_cut=len(found.triples) >= _MOST_FACTS,
    )
    return _placed(view, made)


def _placed(view: View, made: Receipt) -> Receipt:
    return replace(made, places=tuple(view.lines(passage) for passage in made.passages))


def _since(site: Site, release: str) -> tuple[ReleaseChanges, ...]:
    """The releases after one, newest first; none if the history does not reach back to it."""
    try:
        history = site.history
    except BrokenRelease:
        return ()
    # The oldest step knows the release before it.
    reached = [step.release for step in history] + [step.previous for step in history[-1:]]
    return history[: reached.index(release)] if release and release in reached else ()


def _receipt(view: View, claim: Claim, title: str, *, holds: bool) -> Receipt:
    site = view.site
    state = receipt.state_of(claim, site.version, holds=holds)
    kept = claim if claim.release else replace(claim, release=site.version)
    return Receipt(
        claim=kept,
        address=f"{view.host}{view.root}/{kept.address}",
        title=title,
        state=state,
        release=site.version,
        issued=site.manifest.issued,
        dataset=site.base + "dataset",
        site=view.said(site.project.title),
        publisher=view.said(site.project.publisher),
        licence=site.licence,
        later=tuple((step.release, step.issued[:10]) for step in _since(site, claim.release)),
    )
