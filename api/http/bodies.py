"""Reads request bodies of limited length, forms and JSON, with precise errors."""

from __future__ import annotations

import json
import zlib
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from starlette.requests import ClientDisconnect, Request

from api.admission.cost import Cost
from api.admission.slots import admitted_of, in_thread
from api.problems import Problem
from api.site.site import site_of
from kg.rdf import formats

FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 1000
_LONG = 100_000
# The content codings of bodies that are read; with this number, zlib tells gzip from its own format.
_CODINGS = ("gzip", "x-gzip", "deflate")
_EITHER = 32 + zlib.MAX_WBITS


async def read(request: Request, most: int = 0, refusal: Problem | None = None) -> bytes:
    """Reads the body, decompressed; raises if it is longer than `most` bytes, by default the limit in the settings.

    Its bytes count against the memory for bodies until the request ends (`api.admission.gate`).
    """
    most = most or site_of(request).settings.max_body_bytes
    refusal = refusal or Problem(413, "body-too-large", f"the body is longer than {most:,} bytes", {"limit": most})
    coding = _coding(request)
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced[:18]) > most:
        raise refusal
    admitted = admitted_of(request)
    admitted.check_body(int(announced) if announced.isdigit() else 0)
    chunks, size = [], 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > most:
                raise refusal
            admitted.add_body(len(chunk))
            chunks.append(chunk)
    except ClientDisconnect:
        raise Problem(499, "client-gone", "the client disconnected before its request was complete") from None
    body = b"".join(chunks)
    if coding == "identity":
        return body
    # A few at a time, since what they become is counted afterwards.
    decoded = await in_thread(request, Cost.UPLOAD, _decoded, body, most)
    if len(decoded) > most:
        raise refusal
    admitted.add_body(len(decoded))
    return decoded


def _coding(request: Request) -> str:
    """The content coding of the body; raises `Problem` 415 for one that is not read (RFC 9110, 15.5.16)."""
    coding = request.headers.get("content-encoding", "").strip().lower() or "identity"
    if coding not in ("identity", *_CODINGS):
        detail = f"a body in the content coding '{coding[:40]}' is not read; send it as gzip or deflate, or as it is"
        raise Problem(415, "unsupported-coding", detail, {}, {"Accept-Encoding": ", ".join(_CODINGS)})
    return coding


def _decoded(body: bytes, most: int) -> bytes:
    """A body in gzip or zlib format; decompresses at most one byte more than `most`."""
    reader = zlib.decompressobj(_EITHER)
    try:
        decoded = reader.decompress(body, most + 1)
    except zlib.error as error:
        raise Problem(400, "bad-coding", f"the body cannot be decompressed: {error}") from None
    if not reader.eof and len(decoded) <= most:
        raise Problem(400, "bad-coding", "the compressed body ends too early")
    return decoded


async def form(request: Request) -> dict[str, str]:
    """The fields of a posted form; the last of duplicates counts."""
    _require(request, FORM)
    return dict(fields(await read(request)))


def fields(raw: bytes) -> list[tuple[str, str]]:
    """The names and values of a form or query string."""
    if raw.startswith(b"query=") and b"&" not in raw:  # most forms have just a query
        return [("query", utf8(unquote_to_bytes(raw[6:].replace(b"+", b" "))))]
    try:
        return parse_qsl(utf8(raw), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise Problem(400, "bad-parameter", f"the parameters cannot be read: {error}") from None


async def json_document(request: Request, most: int = 0) -> Any:
    """A posted JSON document of up to `most` bytes, by default the limit in the settings."""
    _require(request, formats.JSON)
    body = utf8(await read(request, most))
    # A long text would block the event loop.
    if len(body) <= _LONG:
        return parse_json(body, "the body")
    return await in_thread(request, Cost.UPLOAD, parse_json, body, "the body")


def parse_json(text: str, what: str) -> Any:
    """Parses JSON; raises `Problem` 400 with line and column."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        detail = f"{what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise Problem(400, "bad-json", detail, {"line": error.lineno, "column": error.colno}) from None
    except (RecursionError, ValueError) as error:
        raise Problem(400, "bad-json", f"{what} is JSON that is nested too deeply, or has too long a number") from error


def _require(request: Request, media_type: str) -> None:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != media_type:
        detail = f"what is posted here is {media_type}, not '{given or 'nothing'}'"
        raise Problem(415, "unsupported-media-type", detail, {}, {"Accept-Post": media_type})


def utf8(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Problem(400, "not-utf-8", f"the request is not UTF-8: {error}") from None
