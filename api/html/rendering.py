"""Pages from templates, with the headers that every page has."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from api.html.view import view_of
from api.http.responses import answer, problem_response, wants_html
from api.i18n.language import language_of
from api.problems import Problem
from kg.rdf import formats

_CSP = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'{more}; img-src 'self'{images}; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
CSP = _CSP.format(more="", images="")
# The libraries of editor and charts set styles in the elements that they make, and have small pictures in their styles.
CSP_OF_LIBRARIES = _CSP.format(more=" 'unsafe-inline'", images=" data:")
_FORMATS = {"result_formats": formats.RESULT_FORMATS, "rdf_formats": formats.RDF_FORMATS}


def page(
    request: Request, language: str, template: str, status: int = 200, *, libraries: bool = False, **values: object
) -> Response:
    """A rendered page with the headers that every page has; `libraries` says whether it loads editor or charts."""
    view = view_of(request, language)
    body = view.site.templates.get_template(template).render(view=view, t=view.t, **_FORMATS, **values).encode()
    headers = {
        "Content-Security-Policy": CSP_OF_LIBRARIES if libraries else CSP,
        "Content-Language": language,
        "Vary": "Accept",
    }
    content_type = f"{formats.HTML}; charset=utf-8"
    if status == 200:
        return answer(body, content_type, headers)
    return Response(body, status, headers, media_type=content_type)


def error_page(request: Request, language: str, problem: Problem) -> Response:
    """An error for a reader: what happened, and where to go from here."""
    response = page(request, language, "error.html", problem.status, problem=problem)
    response.headers.update(problem.headers)
    return response


def respond(request: Request, problem: Problem) -> Response:
    """An error as its caller reads it: a page in a browser, text on a terminal, problem+json for everything else."""
    others = [(formats.PROBLEM_JSON, formats.JSON), *((f.media_type,) for f in formats.RDF_FORMATS)]
    if wants_html(request, others):
        return error_page(request, language_of(request), problem)
    return problem_response(problem, request)
