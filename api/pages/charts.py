"""`/charts`: pages that show several stored queries on a subject as charts with tables."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from api.admission.slots import in_thread
from api.html import figures
from api.html.figures import MoneyFigure
from api.html.rendering import page
from api.html.view import View, view_of
from api.http.route import PAGE, QUERY_ERRORS, Cost, Router
from api.i18n import language
from api.pages import query_answers, questions
from api.pages.query_answers import Chart
from api.pages.questions import AnsweredQuestion
from api.problems import Problem
from api.site.site import Site, site_of
from kg.errors import nearest
from kg.project.description import FrontQuestion

router = Router()


@router.get("/charts", "Charts", Cost.SMALL, gives=PAGE)
def listing(request: Request) -> Response:
    """The list of subjects."""
    if moved := language.redirect(request):
        return moved
    return page(request, language.language_of(request), "charts.html", subjects=site_of(request).chart_pages)


@router.get("/charts/{name}", "A subject in charts", Cost.QUERY, gives=PAGE, statuses=(404, *QUERY_ERRORS))
async def show(request: Request, name: str) -> Response:
    """A subject as charts, each with its table, its query and its downloads."""
    site = site_of(request)
    subjects = site.chart_pages
    if name not in subjects:
        raise Problem(404, "not-found", f"no charts on '{name[:60]}'{nearest(name, subjects)}")
    if moved := language.redirect(request):
        return moved
    view = view_of(request, language.language_of(request))
    charts = [await query_answers.chart(request, site, view, site.queries[q]) for q in subjects[name].queries]
    found = {}
    for shown in charts:
        told = _sentence(site, shown)
        if told:
            found[shown.query.name] = (told, await query_answers.chart(request, site, view, site.queries[told.query]))
    return await in_thread(
        request,
        Cost.MEDIUM,
        _page,
        request,
        view,
        name,
        charts,
        found,
    )


def _sentence(site: Site, shown: Chart) -> FrontQuestion | None:
    """The words of the finding of a chart: those of the query that its hint names, else its own."""
    name = shown.query.chart.get("finding", shown.query.name)
    query = site.queries.get(name)
    if query is not None and query.sentence:
        return FrontQuestion(name, query.title, query.sentence["answer"], query.sentence["row"])
    asked = (question for question in site.project.questions if question.query == name)
    return next(asked, None) if query is not None and "finding" in shown.query.chart else None


def _page(
    request: Request, view: View, name: str, charts: list[Chart], told: dict[str, tuple[FrontQuestion, Chart]]
) -> Response:
    findings: dict[str, AnsweredQuestion] = {}
    for shown, (question, answer) in told.items():
        if found := questions.answered(view, question, answer):
            findings[shown] = found
    money: dict[str, MoneyFigure] = {}
    for chart in charts:
        table = chart.result.table
        if chart.query.chart.get("type") == figures.MONEY and table is not None and table.rows:
            money[chart.query.name] = figures.money(view, chart.query, table.columns, table.rows)
    return page(
        request,
        view.language,
        "chart.html",
        name=name,
        charts=charts,
        findings=findings,
        money=money,
        subjects=view.site.chart_pages,
        libraries=True,
    )
