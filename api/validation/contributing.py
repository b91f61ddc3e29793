"""`/publish`: describes a partner's dataset, checks it and hands over the folder; nothing is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from starlette.requests import Request
from starlette.responses import Response

from api.admission.clients import client_in
from api.admission.slots import in_thread
from api.html.rendering import page, wants_page
from api.html.view import view_of
from api.http import uploads
from api.http.route import PAGE, Cost, Router
from api.http.uploads import Form
from api.i18n import language
from api.problems import Problem, of_error
from api.queries.execution import unless_gone
from api.site.site import site_of
from api.validation import contribution_folder
from api.validation.contribution_folder import MEDIA_TYPES, ZIP
from api.validation.contribution_form import Contribution, ContributionForm, contribution_of, form_fields
from api.validation.shown_results import placed, shown
from kg.errors import KgError, UnknownSyntax
from kg.isolation import messages
from kg.submitted import report
from kg.submitted.report import Report

router = Router()
STEPS = ("describe", "validate", "submit")
_DESCRIBE, _VALIDATE, _SUBMIT = STEPS
# For the fields beside the RDF, and the boundaries of the form.
_AROUND = 200_000
# A step is the answer to a form: a browser goes back to it only if it may keep it for itself.
_FOR_GOING_BACK = {"Cache-Control": "private, no-cache"}
_ERRORS = (400, 413, 415, 422, 429, 503, 504)


@dataclass(frozen=True, slots=True)
class _Checked:
    """What the check found: `dataset.yaml`, its faulty fields, the report on the RDF, the number of links to us."""

    text: str
    faults: Sequence[str]
    report: Report | None
    links: int


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a step shows besides the form: faulty fields, what the check found, an error, and the status."""

    step: str
    faults: Sequence[str] = ()
    checked: _Checked | None = None
    problem: Problem | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def status(self) -> int:
        return self.problem.status if self.problem else 422 if self.faults else 200


@router.get("/publish", "Publish a dataset: the form", Cost.SMALL, gives=PAGE, in_sitemap=True)
def start(request: Request) -> Response:
    """Return the first step: the description of a dataset."""
    if moved := language.redirect(request):
        return moved
    return _page(request, Contribution(), _Seen(_DESCRIBE))


@router.post(
    "/publish",
    "Publish a dataset: describe, validate, submit",
    Cost.UPLOAD,
    body={uploads.MULTIPART: ContributionForm},
    gives=PAGE,
    statuses=_ERRORS,
)
async def go_on(request: Request) -> Response:
    """Return the step that was asked for, or the one that has to be corrected first; the form carries the state."""
    sent, step = Contribution(), _DESCRIBE
    try:
        form = await _form(request)
        step = form.get("step", "") if form.get("step") in STEPS else _DESCRIBE
        sent, problem = _sent(request, form)
        seen = _Seen(_VALIDATE, problem=problem) if problem else await _at(request, sent, step)
    except Problem as problem:
        seen = _Seen(step, problem=problem)
    return await in_thread(request, Cost.MEDIUM, _page, request, sent, seen)


@router.post(
    "/publish/folder",
    "Publish a dataset: the folder, as a ZIP archive or a patch",
    Cost.UPLOAD,
    body={uploads.MULTIPART: ContributionForm},
    gives=tuple(MEDIA_TYPES.values()),
    statuses=_ERRORS,
)
async def folder(request: Request) -> Response:
    """Return the folder of a dataset that passes all checks; `format` in the form is `zip` or `patch`."""
    form = await _form(request)
    sent, problem = _sent(request, form)
    seen = _Seen(_VALIDATE, problem=problem) if problem else await _at(request, sent, _SUBMIT)
    as_format = form.get("format", "") or ZIP
    if as_format not in MEDIA_TYPES:
        raise Problem(400, "bad-parameter", f"format: expected {' or '.join(MEDIA_TYPES)}, not '{as_format[:40]}'")
    if seen.step != _SUBMIT or seen.checked is None:
        if wants_page(request):
            return await in_thread(request, Cost.MEDIUM, _page, request, sent, seen)
        told = ", ".join(seen.faults) or (str(seen.problem) if seen.problem else "the RDF does not conform")
        raise seen.problem or Problem(422, "not-publishable", f"not ready to be handed over: {told}")
    place = f"data/partners/{sent.name}/"
    files = {f"{place}dataset.yaml": seen.checked.text, place + sent.file: sent.text}
    body = await in_thread(request, Cost.UPLOAD, contribution_folder.packed, files, as_format)
    disposition = f'attachment; filename="{sent.name}.{as_format}"'
    headers = {"Content-Disposition": disposition, "Cache-Control": "no-store"}
    return Response(body, 200, headers, media_type=MEDIA_TYPES[as_format])


# ---- checking ----


async def _form(request: Request) -> Form:
    return await uploads.form(request, site_of(request).settings.validate_max_bytes + _AROUND)


def _sent(request: Request, form: Form) -> tuple[Contribution, Problem | None]:
    """Return what the form holds, and why its RDF cannot be taken, if so."""
    languages = site_of(request).project.languages
    try:
        return contribution_of(form, languages), None
    except UnknownSyntax as error:
        form.upload = None
        return contribution_of(Form(form | {"syntax": ""}), languages), of_error(error)


async def _at(request: Request, sent: Contribution, step: str) -> _Seen:
    """Return the step, if everything before it is right, else the one that is to be corrected."""
    if step == _DESCRIBE:
        return _Seen(_DESCRIBE)
    is_last = step == _SUBMIT
    if is_last and not sent.text:
        problem = Problem(422, "no-rdf", "RDF is expected in the field 'file' or in the field 'text'")
        return _Seen(_VALIDATE, problem=problem)
    try:
        checked = await _checked(request, sent if is_last else replace(sent, text=""))
    except KgError as error:
        if (problem := placed(of_error(error), error, sent.text)).status == 499:
            raise problem from None
        return _Seen(_VALIDATE, problem=problem)
    if checked.faults:
        return _Seen(_DESCRIBE, checked.faults)
    if checked.report and not checked.report.conforms:
        return _Seen(_VALIDATE, checked=checked)
    return _Seen(step, checked=checked)


async def _checked(request: Request, sent: Contribution) -> _Checked:
    """Return what a child process finds (`kg.submitted.contribution`)."""
    site = site_of(request)
    settings = site.settings
    limits = {
        "size": settings.validate_max_bytes,
        "quads": settings.validate_max_statements,
        "depth": settings.validate_max_depth,
    }
    head = {
        "description": sent.description(),
        "name": sent.name,
        "syntax": sent.syntax.name,
        "limits": limits,
        "most": settings.validate_max_results,
    }
    message = messages.pack(head, sent.text.encode("utf-8", "surrogateescape"))
    reply = await unless_gone(request, site.validations.run(message, client=client_in(request.scope)))
    found, told = messages.unpack(reply)
    loaded = await in_thread(request, Cost.MEDIUM, report.load, told) if told else None
    return _Checked(found["text"], found["faults"], loaded, found["links"])


# ---- pages ----


def _page(request: Request, sent: Contribution, seen: _Seen) -> Response:
    site = site_of(request)
    view = view_of(request, language.language_of(request))
    found = seen.checked.report if seen.checked else None
    text = sent.text.encode("utf-8", "replace").decode()
    response = page(
        request,
        view.language,
        "publish.html",
        seen.status,
        steps=STEPS,
        step=seen.step,
        fields=list(form_fields(site.project.languages)),
        sent=sent,
        text=text,
        faults=seen.faults,
        found=found,
        findings=shown(found, text, view.language),
        path_shown=lambda result: report.compact_path(result, site.context),
        checked=seen.checked,
        problem=seen.problem,
        is_listed=site.base + "graph/partner/" + sent.name in site.manifest.graphs if sent.name else False,
    )
    response.headers.update(_FOR_GOING_BACK)
    if seen.problem:
        response.headers.update(seen.problem.headers)
    return response
