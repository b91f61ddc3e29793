"""Renders templates into responses, and errors in the form that the client wants."""

from __future__ import annotations

from markupsafe import escape
from starlette.requests import Request
from starlette.responses import Response

from api.html.view import view_of
from api.http.responses import answer, problem_response, wants_html
from api.i18n import texts
from api.i18n.language import language_of
from api.problems import Problem
from kg.rdf import formats

_CSP = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'{more}; img-src 'self'{images}; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
CSP = _CSP.format(more="", images="")
# The libraries of editor and charts set inline styles, and their style sheets contain small images.
CSP_OF_LIBRARIES = _CSP.format(more=" 'unsafe-inline'", images=" data:")
_BARE = (
    '<!doctype html>\n<html lang="{language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "<title>{status}</title><h1>{status}</h1><p>{said}</p></html>\n"
)
_FORMATS = {"result_formats": formats.RESULT_FORMATS, "rdf_formats": formats.RDF_FORMATS}


def page(
    request: Request, language: str, template: str, status: int = 200, *, libraries: bool = False, **values: object
) -> Response:
    """Render a page with its header fields; `libraries` if it loads the editor or the charts."""
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
    """Render an error page: what happened, and where to go from here."""
    response = page(request, language, "error.html", problem.status, problem=problem)
    response.headers.update(problem.headers)
    return response


def respond(request: Request, problem: Problem) -> Response:
    """Return an error as a page for browsers, text for terminals, problem+json for everything else."""
    if wants_page(request):
        return error_page(request, language_of(request), problem)
    return problem_response(problem, request)


def wants_page(request: Request) -> bool:
    """Whether the client wants an error as a page."""
    others = [(formats.PROBLEM_JSON, formats.JSON), *((f.media_type,) for f in formats.RDF_FORMATS)]
    return wants_html(request, others)


def bare_page(language: str, problem: Problem) -> Response:
    """An error as a page that costs nothing to make, for a server that has too much to do."""
    said = texts.fill(texts.table("problems")[language].get(problem.kind, problem.detail), problem.members)
    body = _BARE.format(language=escape(language), status=problem.status, said=escape(said)).encode()
    headers = {"Content-Security-Policy": CSP, "Content-Language": language, "Vary": "Accept", **problem.headers}
    return Response(body, problem.status, headers, media_type=f"{formats.HTML}; charset=utf-8")
