"""`/link`: the link desk, where a table is read, matched, reviewed and downloaded; the server keeps nothing of it."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from api.admission.slots import in_thread
from api.html.rendering import page, wants_page
from api.html.view import View, view_of
from api.http import bodies, uploads
from api.http.responses import json_answer, prefers_json
from api.http.route import JSON, PAGE, TOO_LARGE, Cost, Router
from api.http.uploads import Form
from api.i18n import language
from api.linking import candidates, choices, state
from api.linking.schemas import FinishedWork, NameBatch, TableForm
from api.linking.state import Work
from api.problems import Problem, of_error
from api.site.site import Site, site_of
from kg import __version__
from kg.errors import DeskBusy
from kg.linking import columns, findings, linkset, review, sssom
from kg.linking.evidence import OWNED_BY
from kg.linking.linkset import LinksetInfo
from kg.linking.matching import Candidate
from kg.linking.review import Decision, MatchSetup
from kg.rdf import formats
from kg.rdf.namespaces import OWL
from kg.release.paths import AUXILIARY
from kg.tables import table as tables
from kg.tables.rows import TableError
from kg.tables.table import Table

router = Router()
SYNTAXES = ("ttl", "nt", "jsonld")
SSSOM = "sssom"
SHOWN = ("all", "review", "matched", "none")
_PAGE = 100
_CHUNK = 100
_PREVIEW = 5
_NEVER_KEPT = {"Cache-Control": "no-store"}
# A step of the desk is the answer to a form: a browser goes back to it only if it may keep it for itself.
_FOR_GOING_BACK = {"Cache-Control": "private, no-cache"}
_ERRORS = (400, 413, 415, 422, 499, TOO_LARGE, 503)


@dataclass(frozen=True, slots=True)
class Seen:
    """One page of a review: its rows, the number of pages, the filter and its counts."""

    show: str
    number: int
    pages: int
    rows: list[int]
    counts: dict[str, int]


@router.get("/link", "The link desk", Cost.SMALL, gives=PAGE)
def start(request: Request) -> Response:
    """Return the form for a table."""
    if moved := language.redirect(request):
        return moved
    return page(request, language.language_of(request), "desk.html", work=None, problem=None, pasted="")


@router.post(
    "/link",
    "The link desk: columns, then rows with candidates",
    Cost.UPLOAD,
    body={uploads.MULTIPART: TableForm},
    gives=PAGE,
    statuses=_ERRORS,
)
async def go_on(request: Request) -> Response:
    """Return the next page; the form carries the whole state in both directions."""
    site = site_of(request)
    view = view_of(request, language.language_of(request))
    pasted, work, form = "", None, Form()
    try:
        form = await uploads.form(request, site.settings.desk_body_bytes)
        pasted = form.get("text", "")
        if not form.get("work"):
            work = await state.read_table(request, form)
            return await in_thread(request, Cost.UPLOAD, _columns, request, view, work, form)
        work = await state.work_of(request, form["work"])
        if "match" in form:
            chosen = state.chosen(work, form, list(site.entities.classes()))
            work = await _matched(request, view, chosen)
        else:
            merged, wrong = await in_thread(request, Cost.UPLOAD, choices.merged, view, work, form)
            work = await in_thread(request, Cost.UPLOAD, state.checked, merged, site.entities.exists)
            if wrong:
                raise wrong
        return await in_thread(request, Cost.UPLOAD, _review, request, view, work, form)
    except (Problem, DeskBusy) as error:
        if prefers_json(request):
            raise
        problem = of_error(error)
        if work is not None and "work" in form:
            # What was done so far is kept: the step is shown again, and says what is wrong.
            again = _review if work.decisions and "match" not in form else _columns
            return await in_thread(request, Cost.UPLOAD, again, request, view, work, form, problem)
        response = page(request, view.language, "desk.html", problem.status, work=None, problem=problem, pasted=pasted)
        response.headers.update({**problem.headers, **_NEVER_KEPT})
        return response


@router.post(
    "/link/table",
    "A table as JSON",
    Cost.UPLOAD,
    body={uploads.MULTIPART: TableForm},
    gives=JSON,
    statuses=_ERRORS,
)
async def table(request: Request) -> Response:
    """Return the columns and rows of an uploaded or pasted table."""
    site = site_of(request)
    work = await state.read_table(request, await uploads.form(request, site.settings.desk_body_bytes))
    return json_answer(work.document(), _NEVER_KEPT)


@router.post(
    "/link/match",
    "Candidates for a batch of names",
    Cost.UPLOAD,
    body={formats.JSON: NameBatch},
    gives=JSON,
    statuses=_ERRORS,
    depends_on_language=True,
)
async def match(request: Request) -> Response:
    """Return for each name the candidates, best first, and the automatic decision."""
    site = site_of(request)
    view = view_of(request, language.language_of(request))
    rows, choice = _batch(site, await bodies.json_document(request, site.settings.desk_body_bytes))
    # Equal rows are matched once.
    each = list(dict.fromkeys(rows))
    answers = await _each_chunk(request, site, each, lambda part: [_row(view, row, choice) for row in part])
    known = dict(zip(each, answers, strict=True))
    found = [known[row] for row in rows]
    return json_answer({"release": site.version, "rows": found}, _NEVER_KEPT)


@router.post(
    "/link/result",
    "The linked table",
    Cost.UPLOAD,
    body={formats.JSON: FinishedWork},
    gives=("text/csv",),
    statuses=_ERRORS,
    depends_on_language=True,
)
async def result(request: Request) -> Response:
    """Return the table with the decisions as CSV; cells that look like formulas are escaped."""
    return await _finish(request, _table_file)


@router.post(
    "/link/linkset",
    "The linkset",
    Cost.UPLOAD,
    body={formats.JSON: FinishedWork},
    gives=(*(f.media_type for f in formats.RDF_FORMATS if f.name in SYNTAXES), sssom.MEDIA_TYPE),
    statuses=_ERRORS,
)
async def links(request: Request) -> Response:
    """Return the links as RDF, with a description of the linkset and its provenance."""
    return await _finish(request, _linkset_file)


# ---- matching ----


async def _matched(request: Request, view: View, work: Work) -> Work:
    choice = work.choice
    assert choice is not None
    if choice.subject:
        try:
            review.check_subject(work.table, choice.subject)
        except TableError as error:
            raise state.refused(error, field="subject") from None
    decided = await _each_chunk(
        request, view.site, work.table.rows, lambda part: candidates.decisions(view, part, choice)
    )
    return replace(work, decisions=tuple(decided), release=view.site.version)


async def _each_chunk(request: Request, site: Site, rows: list[tuple[str, ...]], match_part: Any) -> list[Any]:
    """Match rows in chunks, so that other requests run in between, until the deadline or the client disconnects."""
    end = time.monotonic() + site.settings.desk_seconds
    found: list[Any] = []
    for at in range(0, len(rows), _CHUNK):
        found += await in_thread(request, Cost.UPLOAD, match_part, rows[at : at + _CHUNK])
        if time.monotonic() > end:
            seconds = site.settings.desk_seconds
            detail = f"only {len(found):,} of {len(rows):,} rows were matched in {seconds:g} seconds; send fewer rows"
            raise Problem(413, "table-too-slow", detail, {"limit": seconds, "rows": len(found)})
        if await request.is_disconnected():
            raise Problem(499, "client-gone", "the client disconnected before the answer was ready")
    return found


def _batch(site: Site, document: Any) -> tuple[list[tuple[str, ...]], MatchSetup]:
    """Return the names of a batch with their properties as rows of a table."""
    if not isinstance(document, dict) or not isinstance(names := document.get("names"), list):
        raise Problem(422, "bad-batch", "expected an object with 'names', a list of strings")
    if len(names) > (most := site.settings.desk_batch):
        raise Problem(413, "batch-too-large", f"{len(names):,} names; send at most {most:,}", {"limit": most})
    kind, properties = document.get("kind") or "", document.get("properties") or {}
    if kind and (not isinstance(kind, str) or kind not in site.entities.classes()):
        raise Problem(
            422, "bad-kind", f"kind: expected one of {', '.join(site.entities.classes())}, not '{str(kind)[:40]}'"
        )
    if not isinstance(properties, dict) or not all(
        isinstance(column, list) and len(column) == len(names) for column in properties.values()
    ):
        raise Problem(422, "bad-batch", "properties: expected an object of lists, each as long as 'names'")
    most = site.settings.desk_cell_length
    for row, cells in enumerate(zip(names, *properties.values(), strict=True), 1):
        for column, cell in enumerate(cells, 1):
            if not isinstance(cell, str) or len(cell) > most:
                detail = f"row {row}, column {column}: expected a string of at most {most:,} characters"
                raise Problem(422, "bad-batch", detail, {"row": row, "column": column})
    choice = MatchSetup(0, kind, tuple(enumerate(properties, 1)))
    return list(zip(names, *properties.values(), strict=True)), choice


def _row(view: View, row: tuple[str, ...], choice: MatchSetup) -> dict[str, Any]:
    found = review.candidates(view.site.matcher, row, choice)
    return {
        "candidates": [candidates.describe(view, c) for c in found],
        "decision": state.cells(review.decide(found, view.plain)),
    }


# ---- pages ----


def _columns(request: Request, view: View, work: Work, form: Form, problem: Problem | None = None) -> Response:
    """Return the page that asks for the column of names, with the likeliest one selected."""
    proposed = _proposed(view, work.table)
    notices = [*work.table.notices, *findings.of_numbers(work.table, proposed, view.site.matcher)]
    kinds = [k for k in view.site.entities.classes() if k not in AUXILIARY]
    return _shown(
        request,
        view,
        work,
        guess=proposed.name,
        used={at: view.site.context.compact(iri) for at, iri in proposed.properties},
        notices=candidates.notices(view, notices),
        kinds=kinds,
        properties=[
            (view.site.context.compact(iri), view.plain(iri))
            for iri in (*view.site.project.names.identifiers.of_properties, OWNED_BY[0], OWL + "sameAs")
        ],
        texts={name: view.t("desk_" + name) for name in _SCRIPT_TEXTS} | {"page_of": view.t("page_of")},
        preview=work.table.rows[:_PREVIEW],
        seen=None,
        problem=problem,
    )


# Texts of the script that are not in the page.
_SCRIPT_TEXTS = (
    *("matching", "cancelled", "failed", "empty", "close", "part", "other", "choice", "none", "no_candidates", "score"),
    *("by_machine", "by_person", "to_review", "accepted", "other_label", "not_matched"),
)


def _proposed(view: View, table: Table) -> MatchSetup:
    """Return the columns that fit the table best."""
    names = view.site.project.names
    each = (replace(view, language=language) for language in view.languages)
    labels = {v.plain(iri).lower(): iri for v in each for iri in names.identifiers.of_properties}
    return columns.propose(table, names, labels)


def _review(request: Request, view: View, work: Work, form: Form, problem: Problem | None = None) -> Response:
    """Return a page of rows with their candidates, and what is wrong with the form that was sent, if anything."""
    assert work.choice is not None
    show = form.get("show", "all")
    show = show if show in SHOWN else "all"
    fitting = [n for n, d in enumerate(work.decisions) if show in ("all", _group(d))]
    pages = max(1, -(-len(fitting) // _PAGE))
    asked = form.get("page", "1")
    number = min(int(asked), pages) if asked.isascii() and asked.isdigit() and int(asked[:6]) > 0 else 1
    rows = fitting[(number - 1) * _PAGE : number * _PAGE]
    counts = dict.fromkeys(SHOWN, 0) | {"all": len(work.decisions)}
    for decision in work.decisions:
        counts[_group(decision)] += 1
    found = {n: [candidates.describe(view, c) for c in _candidates(view, work, n)] for n in rows}
    seen = Seen(show, number, pages, rows, counts)
    return _shown(request, view, work, seen=seen, found=found, sent=form if problem else Form(), problem=problem)


def _candidates(view: View, work: Work, row: int) -> Sequence[Candidate]:
    assert work.choice is not None
    return review.candidates(view.site.matcher, work.table.rows[row], work.choice)


def _group(decision: Decision) -> str:
    return "matched" if decision.relation else decision.state


def _shown(request: Request, view: View, work: Work, *, problem: Problem | None = None, **values: Any) -> Response:
    document = json.dumps(work.document(), ensure_ascii=False)
    status = problem.status if problem else 200
    response = page(
        *(request, view.language, "desk.html", status),
        **{"work": work, "document": document, "problem": problem, "syntaxes": SYNTAXES, **values},
    )
    response.headers.update(_FOR_GOING_BACK)
    return response


# ---- downloads ----


Made = Callable[[View, Work, str], Response]


async def _finish(request: Request, make: Made) -> Response:
    """Return the file that is made of a finished work, from the page's form or as JSON.

    A browser that sends the form gets the page back if something is wrong, with all decisions and the field marked.
    """
    site = site_of(request)
    view = view_of(request, language.language_of(request))
    asked = request.query_params.get("format", "")
    form: Form | None = None
    if request.headers.get("content-type", "").startswith(formats.JSON):
        work = await state.work_of(request, await bodies.json_document(request, site.settings.desk_body_bytes))
    else:
        form = await uploads.form(request, site.settings.desk_body_bytes)
        asked = asked or form.get("format", "")
        work = state.published(await state.work_of(request, form.get("work", "")), form)
    if work.choice is None or len(work.decisions) != len(work.table.rows):
        raise Problem(422, "bad-work", "the rows of this table have not been matched yet")
    try:
        if form is not None:
            work, wrong = await in_thread(request, Cost.UPLOAD, choices.merged, view, work, form)
            if wrong:
                raise wrong
        checked = await in_thread(request, Cost.UPLOAD, state.checked, work, site.entities.exists)
        return await in_thread(request, Cost.UPLOAD, make, view, checked, asked)
    except Problem as problem:
        if form is None or not wants_page(request):
            raise
        return await in_thread(request, Cost.UPLOAD, _review, request, view, work, form, problem)


def _table_file(view: View, work: Work, asked: str) -> Response:
    body = tables.write(review.linked(work.table, work.decisions, view.plain))
    return _download(body, "text/csv; charset=utf-8", _name(work, "linked.csv"))


def _linkset_file(view: View, work: Work, asked: str) -> Response:
    syntax = formats.rdf_format(asked or "ttl")
    if asked != SSSOM and (syntax is None or syntax.name not in SYNTAXES):
        raise Problem(400, "bad-parameter", f"format: expected {', '.join((*SYNTAXES, SSSOM))}, not '{asked[:40]}'")
    if work.choice is None or not work.choice.subject:
        detail = "subject: expected the column or template that gives the IRIs of your rows"
        raise Problem(422, "no-subject", detail, {"field": "subject"})
    if work.dataset and not linkset.is_iri(work.dataset):
        detail = f"dataset: '{work.dataset[:200]}' is not an absolute IRI"
        raise Problem(422, "bad-dataset", detail, {"field": "dataset", "iri": work.dataset[:200]})
    target_of = linkset.targets(view.site.entities)
    try:
        found = review.links(work.table, work.decisions, work.choice, target_of)
        info = _linkset_info(view.site, work)
        if syntax is None:
            mappings = sssom.write(work.table, work.decisions, work.choice, info, view.plain, target_of)
            return _download(mappings, f"{sssom.MEDIA_TYPE}; charset=utf-8", _name(work, "sssom.tsv"))
        body = linkset.write(found, info, syntax)
    except TableError as error:
        raise state.refused(error, field="subject") from None
    return _download(body, syntax.content_type, _name(work, f"links.{syntax.name}"))


def _linkset_info(site: Site, work: Work) -> LinksetInfo:
    return LinksetInfo(
        base=site.base,
        release=work.release or site.version,
        software=f"aikg {__version__}",
        at=datetime.datetime.now(datetime.UTC),
        table=work.file,
        reviewer=work.reviewer,
        dataset=work.dataset,
    )


def _name(work: Work, ending: str) -> str:
    stem = work.file.rpartition(".")[0] or work.file
    return f"{stem.removesuffix('.linked')}.{ending}"


def _download(body: bytes, content_type: str, name: str) -> Response:
    """Return a download (RFC 6266); its file name may be in any script."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    headers = {"Content-Disposition": disposition, **_NEVER_KEPT}
    return Response(body, 200, headers, media_type=content_type)
