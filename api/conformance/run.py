"""Requirements of specifications, tested against a server: on a page, by a command, in the tests."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

_SPECIFICATIONS: Mapping[str, str] = {
    "SPARQL 1.1 Protocol": "https://www.w3.org/TR/sparql11-protocol/",
    "SPARQL 1.1 Service Description": "https://www.w3.org/TR/sparql11-service-description/",
    "Graph Store HTTP Protocol": "https://www.w3.org/TR/sparql11-http-rdf-update/",
    "RFC 9110 (HTTP)": "https://www.rfc-editor.org/rfc/rfc9110",
    "RFC 9457 (Problem Details)": "https://www.rfc-editor.org/rfc/rfc9457",
    "Cool URIs": "https://www.w3.org/TR/cooluris/",
    "FAIR Signposting": "https://signposting.org/FAIR/",
    "RFC 9264 (Linkset)": "https://www.rfc-editor.org/rfc/rfc9264",
    "DCAT 3": "https://www.w3.org/TR/vocab-dcat-3/",
    "VoID": "https://www.w3.org/TR/void/",
    "Fetch (CORS)": "https://fetch.spec.whatwg.org/#http-cors-protocol",
}


@dataclass(frozen=True, slots=True)
class Request:
    """A request below the address of the server."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """A response with its content coding undone; names of header fields are found in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0]


Fetch = Callable[[Request], Awaitable[Response]]


def over(client: httpx.AsyncClient) -> Fetch:
    """Return a function that sends a request by this client with no header fields but those of the request."""
    client.headers.clear()

    async def fetch(request: Request) -> Response:
        answer = await client.request(
            request.method, request.path, headers=dict(request.headers), content=request.body or None
        )
        return Response(answer.status_code, answer.headers, answer.content)

    return fetch


@dataclass(frozen=True, slots=True)
class Requirement:
    """One demand of a specification: the request to send, and what the response must be."""

    name: str
    specification: str
    section: str
    title: Mapping[str, str]
    request: Request
    status: int
    holds: Callable[[Response], Any] = lambda _: True

    @property
    def url(self) -> str:
        return _SPECIFICATIONS[self.specification]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a requirement is met; `detail` says what the response was instead."""

    requirement: Requirement
    passed: bool
    detail: str


async def run(requirements: Sequence[Requirement], fetch: Fetch) -> list[Verdict]:
    """Test requirements one after the other."""
    return [await _run(requirement, fetch) for requirement in requirements]


async def _run(requirement: Requirement, fetch: Fetch) -> Verdict:
    response = await fetch(requirement.request)
    if response.status != requirement.status:
        return Verdict(requirement, False, f"{response.status} instead of {requirement.status}")
    try:
        holds = bool(requirement.holds(response))
    except (ValueError, KeyError, SyntaxError, StopIteration) as error:
        return Verdict(requirement, False, f"the answer cannot be read: {error}")
    detail = "" if holds else f"{response.media_type}, {len(response.body)} bytes: not as demanded"
    return Verdict(requirement, holds, detail)


def report(verdicts: Sequence[Verdict], software: str) -> str:
    """Return the verdicts as the text of docs/conformance.md."""
    passed = sum(v.passed for v in verdicts)
    lines = [
        "# Conformance",
        "",
        "Written by `kg conformance` from the answers of a running server; `/conformance` runs the same tests live.",
        "",
        f"{software}: {passed} of {len(verdicts)} requirements are met.",
        "",
        "| requirement | specification | section | request | answer | |",
        "|---|---|---|---|---|---|",
    ]
    for verdict in verdicts:
        row = verdict.requirement
        request = f"`{row.request.method} {row.request.path.partition('?')[0]}`"
        result = "passes" if verdict.passed else f"**fails**: {verdict.detail}"
        specification = f"[{row.specification}]({row.url})"
        lines.append(f"| {row.title['en']} | {specification} | {row.section} | {request} | {row.status} | {result} |")
    return "\n".join(lines) + "\n"
