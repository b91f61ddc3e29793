"""`/mentions`: marks the names of records in a text, and makes JSON-LD and a linkset of those that a reader keeps."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, Field
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
from api.problems import Problem
from api.site.site import Site, site_of
from kg import __version__
from kg.linking import linkset
from kg.linking.linkset import Link, LinksetInfo
from kg.linking.mentions import Doubt, Mention
from kg.rdf import formats
from kg.rdf.namespaces import SCHEMA

router = Router()
SYNTAXES = ("ttl", "nt", "jsonld")
_IN_PAGE = "page"
_KEPT, _OFFERED = "record:", "offered:"
# A character of a text takes up to nine bytes in a form; the names of its records come with it.
_BYTES, _AROUND = 9, 200_000
_NEVER_KEPT = {"Cache-Control": "no-store"}
# The page is the answer to a form: a browser goes back to it only if it may keep it for itself.
_FOR_GOING_BACK = {"Cache-Control": "private, no-cache"}
_ERRORS = (400, 413, 415, 422, 499, TOO_LARGE, 503)


class MentionsForm(BaseModel):
    """The form of POST, for OpenAPI; `record:PATH` keeps a record for the files."""

    text: str = Field("", description="The text in which names are looked for.")
    page: str = Field("", description="The IRI of the page with the text, which the links begin at.")
    format: str = Field("", json_schema_extra={"enum": [_IN_PAGE, *SYNTAXES]})


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """A record in a text: how it is written there and how often, and why it is doubtful, if no mention is sure."""

    iri: str
    path: str
    kind: str
    number: int
    written: tuple[str, ...]
    times: int
    doubt: Doubt
    is_kept: bool


@dataclass(frozen=True, slots=True)
class TextPiece:
    """A piece of the text; `number` is that of its record in the list, 0 for none."""

    text: str
    number: int = 0
    is_kept: bool = False


@router.get("/mentions", "Names in a text: the form", Cost.SMALL, gives=PAGE, in_sitemap=True)
def start(request: Request) -> Response:
    """Return the form for a text."""
    if moved := language.redirect(request):
        return moved
    return _page(request, Form(), (), None)


@router.post(
    "/mentions",
    "Names in a text, with the records that they mean",
    Cost.UPLOAD,
    body={uploads.MULTIPART: MentionsForm, bodies.FORM: MentionsForm},
    gives=(*PAGE, *JSON),
    statuses=_ERRORS,
)
async def find(request: Request) -> Response:
    """Return the text with its names marked; as JSON their positions, counted in characters, with the records."""
    form = Form()
    try:
        form = await _form(request)
        found = await _found(request, form)
    except Problem as problem:
        if prefers_json(request) or not wants_page(request):
            raise
        return await in_thread(request, Cost.MEDIUM, _page, request, form, (), problem)
    if prefers_json(request):
        site = site_of(request)
        return json_answer({"release": site.version, "mentions": [_as_json(site, m) for m in found]}, _NEVER_KEPT)
    return await in_thread(request, Cost.MEDIUM, _page, request, form, found, None)


@router.post(
    "/mentions/links",
    "Names in a text: JSON-LD for the page, or a linkset",
    Cost.UPLOAD,
    body={uploads.MULTIPART: MentionsForm, bodies.FORM: MentionsForm},
    gives=tuple(f.media_type for f in formats.RDF_FORMATS if f.name in SYNTAXES),
    statuses=_ERRORS,
)
async def links(request: Request) -> Response:
    """Return the records that were kept: with `format=page` as JSON-LD to put into the page, else as a linkset."""
    form = await _form(request)
    try:
        return await in_thread(request, Cost.UPLOAD, _file, site_of(request), request, form)
    except Problem as problem:
        if not wants_page(request) or not form.get("text"):
            raise
        found = await _found(request, form)
        return await in_thread(request, Cost.MEDIUM, _page, request, form, found, problem)


# ---- finding ----


async def _form(request: Request) -> Form:
    form = await uploads.form(request, site_of(request).settings.desk_characters * _BYTES + _AROUND)
    # Browsers send line breaks in their own way.
    form["text"] = form.get("text", "").replace("\r\n", "\n").replace("\r", "\n")
    return form


async def _found(request: Request, form: Form) -> Sequence[Mention]:
    """Return the mentions in the text of a form; raises `Problem`."""
    site, text = site_of(request), form["text"]
    if not text.strip():
        raise Problem(422, "no-text", "a text is expected in the field 'text'", {"field": "text"})
    if len(text) > (most := site.settings.desk_characters):
        detail = f"the text has {len(text):,} characters; at most {most:,} are read"
        raise Problem(413, "text-too-long", detail, {"limit": most, "field": "text"})
    return await in_thread(request, Cost.UPLOAD, lambda: site.mentions.find(text))


def _as_json(site: Site, mention: Mention) -> dict[str, object]:
    return {
        "start": mention.start,
        "end": mention.end,
        "id": mention.iri,
        "path": mention.iri.removeprefix(site.entities.root),
        "sure": not mention.doubt,
        "doubt": mention.doubt or None,
    }


def _records(site: Site, form: Form, found: Sequence[Mention]) -> list[FoundRecord]:
    """Return the records of a text, the sure ones first, each as the reader left it or as it is proposed."""
    by_record: dict[str, list[Mention]] = {}
    for mention in found:
        by_record.setdefault(mention.iri, []).append(mention)
    order = sorted(by_record, key=lambda iri: all(m.doubt for m in by_record[iri]))
    records = []
    for number, iri in enumerate(order, 1):
        path, mentions = iri.removeprefix(site.entities.root), by_record[iri]
        sure = [m for m in mentions if not m.doubt]
        written = dict.fromkeys(" ".join(form["text"][m.start : m.end].split()) for m in sure or mentions)
        is_kept = _KEPT + path in form if _OFFERED + path in form else bool(sure)
        doubt: Doubt = "" if sure else mentions[0].doubt
        times = len(sure or mentions)
        records.append(FoundRecord(iri, path, mentions[0].kind, number, tuple(written), times, doubt, is_kept))
    return records


def _pieces(text: str, found: Sequence[Mention], records: Iterable[FoundRecord]) -> list[TextPiece]:
    """Return the text in pieces; a doubtful place of a record that is sure elsewhere is not marked."""
    of = {record.iri: record for record in records}
    pieces, at = [], 0
    for mention in found:
        record = of[mention.iri]
        if mention.doubt and not record.doubt:
            continue
        pieces += [
            TextPiece(text[at : mention.start]),
            TextPiece(text[mention.start : mention.end], record.number, record.is_kept),
        ]
        at = mention.end
    return [*pieces, TextPiece(text[at:])]


# ---- files ----


def _file(site: Site, request: Request, form: Form) -> Response:
    """Return the file for the records that were kept; raises `Problem`."""
    asked, about = form.get("format", "") or "ttl", form.get("page", "").strip()
    if asked != _IN_PAGE and asked not in SYNTAXES:
        raise Problem(400, "bad-parameter", f"format: expected {', '.join((_IN_PAGE, *SYNTAXES))}, not '{asked[:40]}'")
    if about and not linkset.is_iri(about):
        detail = f"page: '{about[:200]}' is not an absolute IRI"
        raise Problem(422, "bad-page", detail, {"field": "page", "iri": about[:200]})
    paths = [name.removeprefix(_KEPT) for name in form if name.startswith(_KEPT)]
    kept = [site.entities.root + path for path in paths]
    if not kept or not all(map(site.entities.exists, kept)):
        raise Problem(422, "no-records", "keep at least one record, by its path, as in record:CLASS/NAME")
    if asked == _IN_PAGE:
        body = _for_page(view_of(request, language.language_of(request)), kept, about)
        return _download(body, "application/ld+json", "mentions.jsonld")
    if not about:
        raise Problem(422, "no-page", "page: expected the IRI of the page that the links begin at", {"field": "page"})
    syntax = formats.rdf_format(asked)
    assert syntax is not None
    # What was not sure is there because a person has said so.
    unsure = {name.removeprefix(_OFFERED) for name in form if name.startswith(_OFFERED) and form[name] == "unsure"}
    found = [Link(about, iri, "mentions", is_reviewed=path in unsure) for path, iri in zip(paths, kept, strict=True)]
    at = datetime.datetime.now(datetime.UTC)
    info = LinksetInfo(site.base, site.version, f"aikg {__version__}", at)
    return _download(linkset.write(found, info, syntax), syntax.content_type, f"links.{syntax.name}")


def _for_page(view: View, kept: Sequence[str], about: str) -> bytes:
    """Return the records in schema.org's words; the context is in the document, so that nothing has to be fetched."""
    document = {
        "@context": {"@vocab": SCHEMA},
        **({"@id": about} if about else {}),
        "@type": "WebPage",
        "mentions": [{"@id": iri, "name": view.plain(iri)} for iri in kept],
    }
    return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"


def _download(body: bytes, content_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', **_NEVER_KEPT}
    return Response(body, 200, headers, media_type=content_type)


# ---- pages ----


def _page(request: Request, form: Form, found: Sequence[Mention], problem: Problem | None) -> Response:
    site, view = site_of(request), view_of(request, language.language_of(request))
    text = form.get("text", "")
    records = _records(site, form, found)
    is_read = bool(text.strip()) and (problem is None or problem.members.get("field") != "text")
    response = page(
        request,
        view.language,
        "mentions.html",
        problem.status if problem else 200,
        text=text,
        about=form.get("page", ""),
        problem=problem,
        is_read=is_read,
        sure=[record for record in records if not record.doubt],
        unsure=[record for record in records if record.doubt],
        pieces=_pieces(text, found, records) if is_read else (),
        syntaxes=SYNTAXES,
    )
    response.headers.update(_FOR_GOING_BACK)
    return response
