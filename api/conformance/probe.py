"""Tests the requirements against any server over HTTP."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import httpx

from api.conformance import requirements, run
from api.conformance.run import Request, Verdict, report
from kg.errors import KgError

__all__ = ["check", "report"]
_SECONDS = 60.0


def check(url: str) -> tuple[list[Verdict], str]:
    """Return the verdicts and the server's software; raises `KgError` when there is no server of this project."""
    target = urlsplit(url)
    if target.scheme not in ("http", "https") or not target.hostname:
        raise KgError(f"'{url}' is not the address of a server; expected something like http://127.0.0.1:8000/")
    try:
        return asyncio.run(_check(url))
    except (OSError, httpx.HTTPError, ValueError, KeyError) as error:
        raise KgError(f"{url} does not answer as a server of this project: {error}") from error


async def _check(url: str) -> tuple[list[Verdict], str]:
    async with httpx.AsyncClient(base_url=url, timeout=_SECONDS, trust_env=False) as client:
        fetch = run.over(client)
        front = (await fetch(Request("GET", "/", {"accept": "application/json"}))).json()
        verdicts = await run.run(requirements.table(front["base"], front["example"]), fetch)
        return verdicts, front["software"]
