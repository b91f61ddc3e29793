"""Forms with file uploads: limited, kept in memory, and parsed without blocking the event loop."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator

from starlette.datastructures import FormData, Headers
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from api.admission.cost import Cost
from api.admission.slots import in_thread
from api.http import bodies
from api.problems import Problem

MULTIPART = "multipart/form-data"
_MOST_FIELDS = 1_000


class Form(dict[str, str]):
    """The fields of a form, the last of duplicates; `upload` is the name and content of the file."""

    upload: tuple[str, bytes] | None = None


class _InMemory(MultiPartParser):
    """Keeps uploads in memory, within limits: nothing uploaded is written to disk."""

    spool_max_size = sys.maxsize


async def form(request: Request, most: int) -> Form:
    """Reads a form of up to `most` bytes: multipart, or urlencoded if it has no file."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == bodies.FORM:
        return Form(await in_thread(request, Cost.UPLOAD, bodies.fields, await bodies.read(request, most)))
    if media_type != MULTIPART:
        detail = f"expected a form, {MULTIPART} or {bodies.FORM}, not '{media_type or 'nothing'}'"
        raise Problem(415, "unsupported-media-type", detail, {}, {"Accept-Post": f"{MULTIPART}, {bodies.FORM}"})
    body = await bodies.read(request, most)
    # In a thread with a separate event loop, since hostile bodies take long to parse.
    return await in_thread(request, Cost.UPLOAD, asyncio.run, _parsed(request.headers, body))


async def _parsed(headers: Headers, body: bytes) -> Form:
    parsed = await parts(headers, body, files=1, fields=_MOST_FIELDS)
    found = Form()
    for name, value in parsed.multi_items():
        if isinstance(value, str):
            found[name] = value
        elif value.filename or value.size:
            found.upload = (value.filename or "")[:200], await value.read()
    await parsed.close()
    return found


async def parts(headers: Headers, body: bytes, *, files: int, fields: int) -> FormData:
    """The parts of a multipart body, with limits on each kind; the caller closes them."""

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    parser = _InMemory(headers, stream(), max_files=files, max_fields=fields, max_part_size=len(body))
    try:
        return await parser.parse()
    except MultiPartException as error:
        raise Problem(400, "bad-form", f"the form cannot be read: {error.message}") from None
