"""`/` and `/about`: the front page, and information about the site."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from api.admission.slots import in_thread
from api.html import json_ld, strips
from api.html.rendering import page
from api.html.view import View, view_of
from api.http.responses import json_answer, prefers_json
from api.http.route import JSON, PAGE, Cost, Router
from api.i18n import language
from api.pages import papers, query_answers, questions
from api.site.site import Site, site_of
from kg.errors import BrokenRelease
from kg.project.description import FrontQuestion
from kg.rdf import iris
from kg.rdf.terms import value
from kg.release.history import ReleaseChanges

router = Router()
_MAX_CHANGES = 8
# What a reader looks for first; the rest is folded.
_FIRST_CLASSES = 6
_KINDS = ("source", "curator", "register", "inferred")


@router.get("/", "The front page", Cost.QUERY, gives=(*JSON, *PAGE), in_sitemap=True)
async def front(request: Request) -> Response:
    """An overview of the dataset with examples; as JSON, its numbers."""
    site = site_of(request)
    if prefers_json(request):
        return json_answer(_numbers(site), {"Vary": "Accept"})
    if moved := language.redirect(request):
        return moved
    view = view_of(request, language.language_of(request))
    project = site.project
    asked = [question for question in project.questions if question.query in site.queries]
    query = None if asked else site.queries.get(project.worked_query) or next(iter(site.queries.values()), None)
    worked = await query_answers.chart(request, site, view, query) if query else None
    told = [
        (question, await query_answers.chart(request, site, view, site.queries[question.query])) for question in asked
    ]
    counted = site.queries.get(project.evidence_query)
    evidence = await query_answers.chart(request, site, view, counted) if counted else None
    return await in_thread(request, Cost.MEDIUM, _front, request, site, view, worked, told, evidence)


def _front(
    request: Request,
    site: Site,
    view: View,
    worked: query_answers.Chart | None,
    told: list[tuple[FrontQuestion, query_answers.Chart]],
    evidence: query_answers.Chart | None,
) -> Response:
    step, root, host = _latest(site), site.entities.root, str(request.base_url).rstrip("/")
    order = list(site.project.classes)
    classes = sorted(
        site.entities.classes().items(),
        key=lambda pair: (
            order.index(pair[0]) if pair[0] in order else len(order) + (pair[0] in site.project.last_classes)
        ),
    )
    answers = (questions.answered(view, question, chart) for question, chart in told)
    return page(
        request,
        view.language,
        "front.html",
        first_classes=classes[:_FIRST_CLASSES],
        more_classes=classes[_FIRST_CLASSES:],
        worked=worked,
        answers=[answer for answer in answers if answer],
        evidence=evidence,
        kinds=_kinds(evidence),
        paper=papers.main(view),
        strip=strips.of_all(view),
        example=example(site),
        host=host,
        embedded=json_ld.dataset(site, host, view.language),
        subjects=site.chart_pages,
        changed=[e for e in step.entries if site.entities.exists(root + e.path)][:_MAX_CHANGES],
        changes=step.total or 0,
    )


def _kinds(evidence: query_answers.Chart | None) -> list[tuple[str, int]]:
    """The number of facts by kind of evidence, in the order of trust."""
    if evidence is None or evidence.result.table is None:
        return []
    counts = {value(kind): int(value(facts)) for kind, facts in evidence.result.table.rows if kind and facts}
    return [(kind, counts[kind]) for kind in _KINDS if kind in counts]


def _latest(site: Site) -> ReleaseChanges:
    """The changes of the latest release; none if its history cannot be read, so that the page still works."""
    try:
        return site.history[0]
    except BrokenRelease:
        return ReleaseChanges(site.version, site.manifest.issued)


@router.get("/about", "About this site", Cost.SMALL, gives=PAGE, in_sitemap=True, endless=("record",))
def about(
    request: Request, record: Annotated[str, Query(description="A record to explain URIs with.")] = ""
) -> Response:
    """The meaning of evidence marks, the URIs, and how to report an error."""
    site = site_of(request)
    if moved := language.redirect(request):
        return moved
    asked = record.partition("#")[0]
    known = iris.SLUG.fullmatch(asked) and site.entities.exists(site.entities.root + asked)
    host, shown = str(request.base_url).rstrip("/"), asked if known else example(site)
    view = view_of(request, language.language_of(request))
    return page(request, view.language, "about.html", host=host, example=shown, paper=papers.main(view))


def example(site: Site) -> str:
    """The path of a record to show in examples: the first of the featured class, else the first of any."""
    names = [site.project.featured_class, *site.entities.classes()]
    return next((paths[0] for name in names if (paths := site.entities.members(name))), "")


def _numbers(site: Site) -> dict[str, object]:
    manifest = site.manifest
    return {
        "release": manifest.id,
        "base": manifest.base_iri,
        "software": manifest.software,
        "example": example(site),
        "records": manifest.records,
        "asserted": manifest.asserted,
        "inferred": manifest.inferred,
        "triples": manifest.triples,
        "classes": site.entities.classes(),
    }
