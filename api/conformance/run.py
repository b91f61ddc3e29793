"""What the specifications ask of this server, as checks that run against it: on a page, in the shell, in the tests."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers

PROTOCOL = "SPARQL 1.1 Protocol"
_SPECIFICATIONS: Mapping[str, str] = {
    PROTOCOL: "https://www.w3.org/TR/sparql11-protocol/",
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
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: Headers
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0]


Fetch = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Requirement:
    """One demand of a specification: what is asked, and what the answer must be."""

    name: str
    specification: str
    section: str
    title: Mapping[str, str]
    request: Request
    status: int
    holds: Callable[[Response], bool] = lambda _: True

    @property
    def url(self) -> str:
        return _SPECIFICATIONS[self.specification]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a check; `detail` says what came instead."""

    check: Requirement
    passed: bool
    detail: str


async def run(checks: Sequence[Requirement], fetch: Fetch) -> list[Verdict]:
    """Runs checks one after the other."""
    return [await _run(check, fetch) for check in checks]


async def _run(check: Requirement, fetch: Fetch) -> Verdict:
    response = await fetch(check.request)
    if response.status != check.status:
        return Verdict(check, False, f"{response.status} instead of {check.status}")
    try:
        holds = bool(check.holds(response))
    except (ValueError, KeyError, SyntaxError, StopIteration) as error:
        return Verdict(check, False, f"the answer cannot be read: {error}")
    return Verdict(check, holds, "" if holds else f"{response.media_type}, {len(response.body)} bytes: not as demanded")


def report(findings: Sequence[Verdict], software: str) -> str:
    """The findings as the text of docs/conformance.md."""
    passed = sum(f.passed for f in findings)
    lines = [
        "# Conformance",
        "",
        "Written by `kg conformance` from the answers of a running server; `/conformance` runs the same tests live.",
        "",
        f"{software}: {passed} of {len(findings)} requirements are met.",
        "",
        "| requirement | specification | section | request | answer | |",
        "|---|---|---|---|---|---|",
    ]
    for finding in findings:
        check = finding.check
        request = f"`{check.request.method} {check.request.path.partition('?')[0]}`"
        result = "passes" if finding.passed else f"**fails**: {finding.detail}"
        specification = f"[{check.specification}]({check.url})"
        lines.append(
            f"| {check.title['en']} | {specification} | {check.section} | {request} | {check.status} | {result} |"
        )
    return "\n".join(lines) + "\n"
