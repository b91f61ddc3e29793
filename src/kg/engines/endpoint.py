"""A client for SPARQL 1.1 Protocol endpoints, with connection pooling, limits on time and size, and safe retries."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kg.errors import EngineAway, EngineFailed, EngineTimeout, KgError, QueryFailed, ResultTooLarge

if TYPE_CHECKING:
    import httpx

# httpx is imported where it is used, since a server without a remote engine starts 0.1 s faster without it.
_POOLED = 32
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0
# Statuses after which a retry may succeed (RFC 9110, 15.6; RFC 6585, 4).
_LATER = frozenset({429, 502, 503})
_TIMEOUTS = frozenset({408, 504})
_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Options:
    """The URL of an engine and its limits: seconds to connect and to wait, attempts, bytes of a response.

    `dialect` is its dialect (`kg.engines.dialects`), '' if not yet known.
    """

    query_url: str
    dialect: str = ""
    connect_seconds: float = 5.0
    read_seconds: float = 30.0
    attempts: int = 3
    most_bytes: int = 256_000_000
    memo_quads: int = 200_000

    @classmethod
    def read(cls, path: Path) -> Options:
        """Reads the options written by `write`."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def write(self, path: Path) -> None:
        """Writes the options atomically, since another process may read them meanwhile."""
        staged = path.with_name(f".{path.name}-{os.getpid()}-{threading.get_ident()}")
        staged.write_text(json.dumps(asdict(self), indent=2, sort_keys=True) + "\n", encoding="utf-8")
        staged.replace(path)


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete and successful response."""

    headers: Mapping[str, str]
    body: bytes


class Endpoint:
    """An engine, with the user and password in `KG_REMOTE_USER` and `KG_REMOTE_PASSWORD`.

    Raises `EngineAway` (503), `EngineFailed` (502), `EngineTimeout` (504), `QueryFailed` for queries that it refuses,
    and `ResultTooLarge`. A truncated response is an error, whatever its status.
    """

    def __init__(self, options: Options) -> None:
        import httpx

        self.options = options
        self._client = httpx.Client(
            timeout=httpx.Timeout(options.read_seconds, connect=options.connect_seconds),
            limits=httpx.Limits(max_connections=_POOLED, max_keepalive_connections=_POOLED),
            follow_redirects=False,
            trust_env=False,
        )
        self._auth = httpx.Auth()
        # Connections are closed with the last reader.
        weakref.finalize(self, self._client.close)

    def authenticate(self, *, digest: bool) -> None:
        """Uses the credentials in the environment, if any."""
        import httpx

        user, password = os.environ.get("KG_REMOTE_USER", ""), os.environ.get("KG_REMOTE_PASSWORD", "")
        if user:
            self._auth = httpx.DigestAuth(user, password) if digest else httpx.BasicAuth(user, password)

    def close(self) -> None:
        self._client.close()

    def server(self) -> str:
        """The engine's `Server` header; '' without one."""
        return self.ask({"query": "ASK {}"}, "application/sparql-results+json").headers.get("server", "")

    def ask(self, fields: Mapping[str, str | list[str]], accept: str) -> Reply:
        """Sends a query, with retries, as fields of a POST form (SPARQL 1.1 Protocol, 2.1.2)."""
        pause = _FIRST_PAUSE
        for attempt in range(1, self.options.attempts + 1):
            try:
                with self._streamed(fields, accept) as answer:
                    return Reply(answer.headers, b"".join(self._bounded(answer)))
            except EngineAway as error:
                if attempt == self.options.attempts or error.retry_after > _LONGEST_PAUSE:
                    raise
                time.sleep(max(error.retry_after, pause))
                pause *= 4
        raise AssertionError

    @contextlib.contextmanager
    def stream(self, fields: Mapping[str, str | list[str]], accept: str) -> Iterator[Iterator[bytes]]:
        """Streams the parts of a response, without retries or a size limit."""
        with self._streamed(fields, accept) as answer, _told(self.options):
            yield answer.iter_bytes()

    def update(self, url: str, parameter: str, text: str) -> None:
        """Sends a SPARQL update as a form, without retries (SPARQL 1.1 Protocol, 2.2.1)."""
        with _told(self.options):
            _check(self._client.post(url, data={parameter: text}, auth=self._auth))

    def send(
        self, method: str, url: str, *, body: bytes, content_type: str, parameters: Mapping[str, str] | None = None
    ) -> Reply:
        """Sends a request with side effects, without retries."""
        with _told(self.options):
            answer = self._client.request(
                method,
                url,
                params=parameters,
                content=body,
                headers={"Content-Type": content_type, "Accept": "*/*"},
                auth=self._auth,
            )
            _check(answer)
            return Reply(answer.headers, answer.content)

    @contextlib.contextmanager
    def _streamed(self, fields: Mapping[str, str | list[str]], accept: str) -> Iterator[httpx.Response]:
        with _told(self.options):
            request = self._client.build_request(
                "POST", self.options.query_url, data=dict(fields), headers={"Accept": accept}
            )
            answer = self._client.send(request, stream=True, auth=self._auth)
        try:
            with _told(self.options):
                if answer.status_code != 200:
                    answer.read()
                _check(answer)
            yield answer
        finally:
            answer.close()

    def _bounded(self, answer: httpx.Response) -> Iterator[bytes]:
        size = 0
        with _told(self.options):
            for part in answer.iter_bytes():
                size += len(part)
                if size > self.options.most_bytes:
                    raise ResultTooLarge(self.options.most_bytes)
                yield part


@contextlib.contextmanager
def _told(options: Options) -> Iterator[None]:
    """Translates the client's exceptions to ours."""
    import httpx

    host = httpx.URL(options.query_url).netloc.decode()
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise EngineAway(f"the engine at {host} cannot be reached: {error}") from None
    except httpx.TimeoutException:
        raise EngineTimeout(f"the engine at {host} did not answer within {options.read_seconds:g} s") from None
    except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as error:
        raise EngineAway(f"the engine at {host} broke off its answer: {error}") from None
    except httpx.HTTPError as error:
        raise EngineFailed(f"the engine at {host}: {error}") from None


def _check(answer: httpx.Response) -> None:
    """Raises unless the response is successful and complete."""
    headers, status = answer.headers, answer.status_code
    state = headers.get("x-sql-state", "")
    if headers.get("x-sparql-maxrows"):
        raise EngineFailed(
            f"the engine sends at most {headers['x-sparql-maxrows']} rows and cut the answer short; "
            "raise ResultSetMaxRows in its virtuoso.ini"
        )
    if state or status == 206:
        raise EngineTimeout(f"the engine ended the query before it was done ({state or status})")
    if status < 300:
        return
    said = " ".join(answer.text.split())[:_SHOWN]
    # Virtuoso reports a timeout this way, with status 500.
    if status in _TIMEOUTS or "S1TAT" in said or "timed out" in said.lower() or "estimated execution time" in said:
        raise EngineTimeout(f"the engine gave the query up ({status}): {said}")
    if status in _LATER:
        raise EngineAway(f"the engine is not available ({status}): {said}", _retry_after(headers))
    if status in (401, 403):
        raise EngineFailed(f"the engine refuses us ({status}); set KG_REMOTE_USER and KG_REMOTE_PASSWORD")
    raise (QueryFailed if status in (400, 500) else EngineFailed)(f"the engine answers {status}: {said}")


def _retry_after(headers: Mapping[str, str]) -> float:
    """The delay in seconds; the default for an HTTP date."""
    written = headers.get("retry-after", "")
    return float(written) if written.isdigit() else 0.0


def check_url(url: str) -> str:
    """Checks that a URL is http or https with a host; raises `KgError`."""
    import httpx

    parsed = httpx.URL(url)
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise KgError(f"{url} is no address of an endpoint; write http://host:port/path")
    return url
