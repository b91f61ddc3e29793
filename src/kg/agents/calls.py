"""The requests that tools make to the server, in this process or over HTTP, as the client that called the tool."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import urlencode

import httpx

from kg.agents.callers import caller
from kg.errors import KgError

_SECONDS = 120.0
_JSON = "application/json"


class CallRefused(KgError):
    """The server refused a request; the message says why, and what would be accepted."""


class ServerAccess(Protocol):
    """Makes clients of the server."""

    def client(self) -> httpx.AsyncClient: ...


class InProcess:
    """Requests to an application of this process, with the address of the caller, so that its limits hold."""

    def __init__(self, application: Any) -> None:
        self._application = application

    def client(self) -> httpx.AsyncClient:
        who = caller()
        transport = httpx.ASGITransport(self._application, raise_app_exceptions=False, client=(who.host, 0))
        named = {"X-Request-ID": who.request_id} if who.request_id else {}
        return httpx.AsyncClient(transport=transport, base_url=who.url, headers=named, trust_env=False)


class OverHttp:
    """Requests to a server elsewhere."""

    def __init__(self, url: str) -> None:
        self._url = url

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self._url, timeout=_SECONDS)


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """An answer of the server with the release that gave it and the address that gives it again."""

    body: bytes
    release: str
    address: str

    def json(self) -> Any:
        return json.loads(self.body)


class ServerCalls:
    """Asks the server."""

    def __init__(self, connector: ServerAccess) -> None:
        self._connector = connector
        self._known: dict[str, Any] = {}

    async def get(self, path: str, parameters: Mapping[str, str] | None = None, accept: str = _JSON) -> ServerAnswer:
        """The answer to GET; raises `CallRefused`."""
        return await self._send("GET", path, accept, params=dict(parameters) if parameters else None)

    async def post(self, path: str, document: object) -> ServerAnswer:
        """The answer to a posted JSON document; raises `CallRefused`."""
        return await self._send("POST", path, _JSON, json=document)

    async def query(self, text: str) -> ServerAnswer:
        """The result of a query as SPARQL JSON, or a graph as Turtle; raises `CallRefused`."""
        accept = "application/sparql-results+json, text/turtle;q=0.9"
        reply = await self._send("POST", "/sparql", accept, data={"query": text})
        # Posted, since it may be long; whoever checks the answer follows a link.
        return replace(reply, address=f"{reply.address}?{urlencode({'query': text})}")

    async def base(self) -> str:
        """The IRI that the identifiers of the dataset begin with."""
        if not self._known:
            self._known = (await self.get("/")).json()
        return str(self._known["base"])

    async def _send(self, method: str, path: str, accept: str, **more: Any) -> ServerAnswer:
        # Messages are in the language of the tools' descriptions; names in that which a tool asks for.
        headers = {"Accept": accept, "Accept-Language": "en"}
        async with self._connector.client() as client:
            try:
                answer = await client.request(method, path, headers=headers, follow_redirects=True, **more)
            except httpx.HTTPError as error:
                raise CallRefused(f"the server cannot be reached: {error or type(error).__name__}") from error
        if answer.status_code >= 400:
            raise CallRefused(_told(answer))
        return ServerAnswer(answer.content, answer.headers.get("x-release", ""), str(answer.request.url))


def _told(answer: httpx.Response) -> str:
    """A problem (RFC 9457) as a sentence, with the members that help to ask better."""
    try:
        problem = answer.json()
    except ValueError:
        return f"HTTP {answer.status_code}: {answer.text[:300]}"
    told = str(problem.get("detail") or problem.get("title") or answer.status_code)
    for name in ("nearest", "excerpt", "line", "column"):
        if problem.get(name):
            told += f"; {name}: {json.dumps(problem[name], ensure_ascii=False)}"
    return told
