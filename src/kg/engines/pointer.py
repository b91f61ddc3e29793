"""The graph of a remote engine that says which release it holds."""

from __future__ import annotations

from pyoxigraph import Literal

from kg.engines import dialects
from kg.engines.dialects import Dialect
from kg.engines.endpoint import Endpoint

POINTER = "urn:aikg:release"
CURRENT, ID, MANIFEST, CHANGES = (f"urn:aikg:{n}" for n in ("current", "id", "manifest", "changes"))


def pointed(endpoint: Endpoint, dialect: Dialect, name: str) -> str:
    """Return a value of the pointer, '' when there is no pointer."""
    text = f"SELECT ?v WHERE {{ GRAPH <{POINTER}> {{ <{CURRENT}> <{name}> ?v }} }}"
    body = endpoint.ask({"query": text}, dialects.SOLUTIONS).body
    found = [row["v"] for row in dialect.solutions(body, ["v"])]
    return found[0].value if found and isinstance(found[0], Literal) else ""


def held_release(endpoint: Endpoint, dialect: Dialect) -> str:
    """The release that the engine serves; '' if it has none or is switching over."""
    return pointed(endpoint, dialect, ID)
