"""The declaration of a route: everything that the server and its documents need to know about it, in one place.

Metrics, `OPTIONS`, `/robots.txt`, `/sitemap.xml`, `/openapi.json` and `docs/routes.md` are derived from it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict, TypeVar, Unpack

from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.admission.cost import Cost as Cost
from api.admission.slots import admitted
from kg.rdf import formats

_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])

# Media types of answers, as routes give them.
PAGE = (formats.HTML,)
JSON = (formats.JSON,)
RDF = tuple(f.media_type for f in formats.RDF_FORMATS)
RESULTS = tuple(dict.fromkeys(f.media_type for f in formats.RESULT_FORMATS))
# What a query can fail with.
QUERY_ERRORS = (400, 403, 413, 429, 500, 502, 503, 504)
# What the server answers where a release is too large to be read whole.
TOO_LARGE = 501


class RouteOptions(TypedDict, total=False):
    """What a route can declare beside its path, summary and cost.

    `gives` are the media types of a 200, and `statuses` the other statuses; those that follow from `gives` can be left
    out. `body` maps each media type of a request body to a model of its fields, or to its description in OpenAPI.
    `responses` describes statuses whose content is that of a 200. `depends_on_language` is for answers other than
    pages. `in_sitemap` lists the route; `for_robots` is false where every address with parameters is one of
    endlessly many, and `endless` names the parameters that make it so where others do not.
    """

    gives: tuple[str, ...]
    statuses: tuple[int, ...]
    body: Mapping[str, type[BaseModel] | Mapping[str, Any]]
    responses: Mapping[int, Mapping[str, Any]]
    depends_on_language: bool
    in_sitemap: bool
    for_robots: bool
    endless: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is declared of a route; see `RouteOptions`."""

    summary: str
    cost: Cost
    gives: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()
    body: Mapping[str, type[BaseModel] | Mapping[str, Any]] = field(default_factory=dict)
    responses: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    depends_on_language: bool = False
    in_sitemap: bool = False
    for_robots: bool = True
    endless: tuple[str, ...] = ()


class Route(APIRoute):
    """A route of FastAPI with its declaration."""

    def __init__(self, method: str, path: str, endpoint: Callable[..., Any], declared: Declaration) -> None:
        super().__init__(
            path,
            endpoint,
            methods=[method],
            summary=declared.summary,
            response_model=None,
            response_class=Response,
        )
        self.method = method
        self.declared = declared
        # A synchronous endpoint works in a thread as soon as it is called.
        self._waits = not inspect.iscoroutinefunction(endpoint)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request to this path once the gate admits it at the declared cost."""
        cost = self.declared.cost
        if cost is Cost.FIXED or scope["method"] != self.method:
            await super().handle(scope, receive, send)
        else:
            await admitted(super().handle, cost, scope, receive, send, waits=self._waits)

    @property
    def label(self) -> str:
        """The first segment of the path, under which requests are counted; '' where that is a parameter."""
        first = self.path.lstrip("/").partition("/")[0]
        return "" if "{" in first else first


class Router:
    """The routes of a module; with `by_language` also below each language of the site, as in `/en/path`.

    `api.app` serves those of every module of `api` that has one under the name `router`.
    """

    def __init__(self, *, by_language: bool = False) -> None:
        self._by_language = by_language
        self._declared: list[tuple[str, str, Callable[..., Any], Declaration]] = []

    def routes(self, languages: Sequence[str]) -> list[Route]:
        """Return the routes for a site with these languages."""
        prefixes = ["", *(f"/{tongue}" for tongue in languages if self._by_language)]
        return [
            Route(method, prefix + path, endpoint, declared)
            for method, path, endpoint, declared in self._declared
            for prefix in prefixes
        ]

    def get(
        self, path: str, summary: str, cost: Cost, **options: Unpack[RouteOptions]
    ) -> Callable[[_Endpoint], _Endpoint]:
        """Declare the decorated function as the answer to GET."""
        return self._decorator("GET", path, Declaration(summary, cost, **options))

    def post(
        self, path: str, summary: str, cost: Cost, **options: Unpack[RouteOptions]
    ) -> Callable[[_Endpoint], _Endpoint]:
        """Declare the decorated function as the answer to POST."""
        return self._decorator("POST", path, Declaration(summary, cost, **options))

    def _decorator(self, method: str, path: str, declared: Declaration) -> Callable[[_Endpoint], _Endpoint]:
        def add(endpoint: _Endpoint) -> _Endpoint:
            self._declared.append((method, path, endpoint, declared))
            return endpoint

        return add


def labels(routes: Sequence[Route]) -> frozenset[str]:
    """The labels that requests are counted under."""
    return frozenset(route.label for route in routes) - {""}


def allowed(routes: Sequence[Route], path: str) -> str:
    """The methods of a path for `Allow`; HEAD is answered as GET, and OPTIONS everywhere."""
    methods = {route.method for route in routes if route.path_regex.match(path)}
    found = [method for method in ("GET", "HEAD", "POST") if (method if method != "HEAD" else "GET") in methods]
    return ", ".join([*found, "OPTIONS"])
