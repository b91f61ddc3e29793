"""`/mcp`, the Model Context Protocol over HTTP; `/llms.txt` and `/agents`, how an agent begins."""

from __future__ import annotations

from typing import cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.agents import guide
from api.agents.sessions import AgentSessions
from api.html.rendering import page
from api.http import bodies
from api.http.responses import answer
from api.http.route import JSON, PAGE, Cost, Router
from api.i18n import language
from api.site.site import site_of
from kg.agents.callers import Caller, called_by
from kg.rdf import formats

router = Router()
_PLAIN = "text/plain; charset=utf-8"
# In the order in which an agent uses them; the page says what each is for.
_TOOLS = ("search", "describe", "list_queries", "ask", "query", "why", "receipt", "link_names")


@router.post(
    "/mcp",
    "The Model Context Protocol",
    Cost.QUERY,
    body={formats.JSON: {"schema": {"type": "object", "description": "A JSON-RPC message of the protocol."}}},
    gives=JSON,
    statuses=(202, 413, 415),
    # The protocol has errors of its own, in its own form.
    responses={status: {"description": "An error of the protocol, as JSON-RPC."} for status in (400, 406)},
)
async def mcp(request: Request) -> Response:
    """Answer one message of an agent. Each tool makes requests of its own, which count and cost like any others."""
    body = await bodies.read(request)
    site, url = site_of(request), str(request.base_url).rstrip("/")
    sessions = cast(AgentSessions, request.app.state.agents)
    manager = await sessions.manager(request.app, site.project.title.get("en", ""), guide.text(site, url))
    host = request.client.host if request.client else ""
    called_by(Caller(host, url, request.scope["state"]["request_id"]))
    return _Answered(manager.handle_request, body)


class _Answered(Response):
    """What the SDK answers to a body that has been read already."""

    def __init__(self, application: ASGIApp, body: bytes) -> None:
        super().__init__()
        self._application = application
        self._sent = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_read = False

        async def read_again() -> Message:
            nonlocal is_read
            if is_read:
                return await receive()
            is_read = True
            return {"type": "http.request", "body": self._sent, "more_body": False}

        await self._application(scope, read_again, send)


@router.get("/llms.txt", "How a language model begins", Cost.SMALL, gives=(formats.PLAIN,))
def llms(request: Request) -> Response:
    """Return what this server has for agents, as Markdown (llmstxt.org)."""
    return answer(guide.text(site_of(request), str(request.base_url).rstrip("/")).encode(), _PLAIN)


@router.get("/agents", "For language models and agents", Cost.SMALL, gives=PAGE, in_sitemap=True)
def agents(request: Request) -> Response:
    """Return the page that says how to connect an agent."""
    if moved := language.redirect(request):
        return moved
    host = str(request.base_url).rstrip("/")
    return page(request, language.language_of(request), "agents.html", host=host, tools=_TOOLS)
