"""Reads the RDF submitted for validation: request body, file upload or form text; kept in memory only."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.datastructures import FormData, Headers, UploadFile
from starlette.requests import Request

from api.admission.cost import Cost
from api.admission.slots import in_thread
from api.http import bodies, uploads
from api.problems import Problem
from kg.project import profiles
from kg.rdf import formats
from kg.rdf.formats import Rdf
from kg.submitted import intake

_ACCEPTED = ", ".join([*(f.media_type for f in formats.RDF_FORMATS), uploads.MULTIPART])
# For the other parts of a form and their boundaries.
_AROUND = 65_536
_MOST_PARTS = 20


@dataclass(frozen=True, slots=True)
class SubmittedDocument:
    """Submitted RDF: the bytes, their syntax, the file name, '' for none, and the profile of the shapes."""

    body: bytes
    syntax: Rdf
    name: str = ""
    profile: str = profiles.CORE


async def read(request: Request, most: int, asked: str, profile: str) -> SubmittedDocument:
    """Read the document of a POST, of up to `most` bytes; raises `Problem` or `UnknownSyntax`."""
    if (coding := request.headers.get("content-encoding", "identity")) != "identity":
        raise _unsupported(f"the content coding {coding[:40]} is not supported")
    told = request.headers.get("content-type", "")
    media_type = told.partition(";")[0].strip().lower()
    around = _AROUND if media_type == uploads.MULTIPART else 0
    body = await bodies.read(request, most + around, _too_large(most))
    if media_type == uploads.MULTIPART:
        # In a thread with a separate event loop, since hostile bodies take long to parse.
        parsing = _of_multipart(request.headers, body, asked, profile, most)
        return await in_thread(request, Cost.UPLOAD, asyncio.run, parsing)
    if media_type == bodies.FORM and not asked:
        return await in_thread(request, Cost.UPLOAD, _of_form, body, profile, most)
    if not asked and not formats.rdf_format(media_type) and media_type != formats.JSON:
        raise _unsupported(f"expected the media type of the document, not '{media_type[:80] or 'nothing'}'")
    return _document(body, intake.syntax_of(asked, "", media_type), "", profile, most)


async def _of_multipart(headers: Headers, body: bytes, asked: str, profile: str, most: int) -> SubmittedDocument:
    form = await uploads.parts(headers, body, files=_MOST_PARTS, fields=_MOST_PARTS)
    try:
        return await _of_parts(form, asked or _text(form, "syntax"), profile or _text(form, "profile"), most)
    finally:
        await form.close()


async def _of_parts(form: FormData, asked: str, profile: str, most: int) -> SubmittedDocument:
    uploads = [f for _, f in form.multi_items() if isinstance(f, UploadFile) and (f.filename or f.size)]
    if len(uploads) > 1:
        raise Problem(400, "bad-form", f"send one document at a time; the form has {len(uploads)}")
    if uploads:
        upload = uploads[0]
        name = (upload.filename or "")[-200:]
        media_type = "" if intake.is_generic(upload.content_type or "") else upload.content_type or ""
        return _document(await upload.read(), intake.syntax_of(asked, name, media_type), name, profile, most)
    return _document(_text(form, "text").encode(), intake.syntax_of(asked or "ttl"), "", profile, most)


def _of_form(body: bytes, profile: str, most: int) -> SubmittedDocument:
    fields = (
        parse_qs(body.decode("utf-8", "replace"), max_num_fields=_MOST_PARTS) if body.count(b"&") < _MOST_PARTS else {}
    )
    if "text" not in fields:
        hint = "; from curl send the header 'Content-Type: text/turtle', or -F file=@FILE"
        raise _unsupported(f"the form has no field 'text'{hint}")
    syntax = intake.syntax_of(fields.get("syntax", ["ttl"])[0])
    return _document(fields["text"][0].encode(), syntax, "", profile or fields.get("profile", [""])[0], most)


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value if isinstance(value, str) else ""


def _document(body: bytes, syntax: Rdf, name: str, profile: str, most: int) -> SubmittedDocument:
    if len(body) > most:
        raise _too_large(most)
    if not body.strip():
        raise Problem(400, "no-document", "the document is empty")
    return SubmittedDocument(body, syntax, name, profile or profiles.CORE)


def _too_large(most: int) -> Problem:
    return Problem(413, "rdf-too-large", f"the document has more than {most:,} bytes", {"limit": most})


def _unsupported(detail: str) -> Problem:
    return Problem(415, "unsupported-media-type", f"{detail}; send one of {_ACCEPTED}", {}, {"Accept-Post": _ACCEPTED})
