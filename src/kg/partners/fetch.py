"""Reads untrusted files from disk or over HTTP, with limits on size and time, a checksum and a cache."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import threading
import urllib.request
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from kg.errors import KgError

_CHUNK = 65_536
_GZIP = zlib.MAX_WBITS | 16


class FetchLimits(BaseSettings):
    """Settings for reading partners' data, from the environment: `KG_PARTNER_SECONDS=5` sets `seconds`."""

    model_config = SettingsConfigDict(env_prefix="KG_PARTNER_", frozen=True, extra="ignore")

    max_bytes: int = Field(
        20_000_000, ge=1, description="The largest file of a partner, both compressed and decompressed."
    )
    seconds: float = Field(30.0, gt=0, description="How long fetching a file, and parsing it, may take.")
    redirects: int = Field(5, ge=0, description="How many redirects are followed.")
    memory_mb: int = Field(2_000, ge=128, description="Memory that parsing a file may take.")
    cache: Path | None = Field(None, description="Folder for fetched files; `.cache` of the checkout if unset.")


class Unavailable(KgError):
    """A file that cannot be read or fetched, or whose checksum is wrong."""


def read_file(path: Path, limits: FetchLimits) -> bytes:
    """The bytes of a file, at most `limits.max_bytes`."""
    try:
        with path.open("rb") as document:
            return _bounded(document.read, limits)
    except OSError as error:
        raise Unavailable(f"cannot be read: {error.strerror}") from error


def fetch(url: str, sha256: str, limits: FetchLimits, cache: Path, *, offline: bool = False) -> bytes:
    """The bytes at a URL (http, https or file) with this hash, from the cache if possible.

    Raises `Unavailable`, within the time limit whatever the server does.
    """
    kept = cache / sha256
    with contextlib.suppress(OSError, Unavailable):
        body = read_file(kept, limits)
        if hashlib.sha256(body).hexdigest() == sha256:
            return body
    parts = urlsplit(url)
    if parts.scheme == "file":
        body = read_file(Path(unquote(parts.path)), limits)
    elif offline:
        raise Unavailable("has not been fetched yet; run 'kg build' to fetch it")
    else:
        body = _in_time(lambda: _get(url, limits), limits.seconds)
    verify(body, sha256)
    _keep(kept, body)
    return body


def verify(body: bytes, sha256: str) -> None:
    """Raises `Unavailable` if the bytes do not match a checksum; '' matches any."""
    found = hashlib.sha256(body).hexdigest()
    if sha256 not in ("", found):
        raise Unavailable(
            f"has the SHA-256 {found}, not the stated one; if the file was meant to change, state the new one"
        )


def unpack(packed: bytes, limits: FetchLimits) -> bytes:
    """Decompresses gzip, up to `limits.max_bytes`."""
    machine = zlib.decompressobj(_GZIP)
    try:
        body = machine.decompress(packed, limits.max_bytes + 1)
    except zlib.error as error:
        raise Unavailable(f"cannot be decompressed: {error}") from error
    if len(body) > limits.max_bytes:
        raise Unavailable(_too_large(limits))
    if not machine.eof:
        raise Unavailable("cannot be decompressed: it ends too early")
    return body


def _too_large(limits: FetchLimits) -> str:
    return f"is larger than {limits.max_bytes:,} bytes, the limit (KG_PARTNER_MAX_BYTES)"


def _bounded(read: Callable[[int], bytes], limits: FetchLimits) -> bytes:
    body = bytearray()
    while chunk := read(_CHUNK):
        body += chunk
        if len(body) > limits.max_bytes:
            raise Unavailable(_too_large(limits))
    return bytes(body)


def _in_time(work: Callable[[], bytes], seconds: float) -> bytes:
    """Returns or raises what `work` does; after `seconds` it is abandoned.

    A socket's timeout starts again with every byte, and name resolution has none, so a thread bounds the whole.
    """
    results: list[bytes | Exception] = []

    def run() -> None:
        try:
            results.append(work())
        except (OSError, http.client.HTTPException, ValueError, KgError) as error:
            if isinstance(error, HTTPError):
                error.close()
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not results:
        raise Unavailable(f"did not arrive within {seconds:g} s (KG_PARTNER_SECONDS)")
    result = results[0]
    if isinstance(result, KgError):
        raise result
    if isinstance(result, Exception):
        raise Unavailable(f"cannot be fetched: {_reason(result)}") from result
    return result


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, URLError) and isinstance(error.reason, Exception) else error
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows up to `most` redirects, to http and https only."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.followed = 0

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        self.followed += 1
        if self.followed > self.most:
            fp.close()
            raise Unavailable(f"redirects more than {self.most} times (KG_PARTNER_REDIRECTS)")
        if urlsplit(newurl).scheme not in ("http", "https"):
            fp.close()
            raise Unavailable(f"redirects to '{newurl}', which is neither http nor https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _get(url: str, limits: FetchLimits) -> bytes:
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        _Redirects(limits.redirects),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    request = urllib.request.Request(url, headers={"User-Agent": "aikg", "Accept-Encoding": "identity"})  # noqa: S310
    with opener.open(request, timeout=limits.seconds) as response:
        if coding := response.headers.get("Content-Encoding", "identity").strip().lower().replace("identity", ""):
            raise Unavailable(f"has the content coding '{coding}', which was not requested")
        return _bounded(response.read1, limits)


def _keep(kept: Path, body: bytes) -> None:
    """Writes a file to the cache atomically; a read-only cache is ignored."""
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        fresh = kept.with_suffix(f".{os.getpid()}.new")
        fresh.write_bytes(body)
        fresh.replace(kept)
