"""The tools and resources that an agent sees; their docstrings are what a model reads to choose one."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from kg import __version__
from kg.agents import receipts, results
from kg.agents.calls import CallRefused, ServerAnswer, ServerCalls
from kg.receipts import claims
from kg.receipts.claims import Claim

_Function = TypeVar("_Function", bound=Callable[..., Awaitable[Any]])
# A tool changes nothing, answers the same again, and asks this dataset only.
_READS = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
_MOST_ROWS = 500
_MOST_NAMES = 200

_FACTS = """PREFIX prov: <http://www.w3.org/ns/prov#>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
SELECT ?property ?value ?name ?graph ?source WHERE {
  GRAPH ?graph { <%(iri)s> ?property ?value }
  OPTIONAL { ?graph prov:hadPrimarySource ?source }
  OPTIONAL { ?value skos:prefLabel ?name FILTER(LANG(?name) = "%(language)s") }
} ORDER BY ?property ?value ?graph LIMIT 600"""
_LINKS = """PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
SELECT DISTINCT ?subject ?property ?name WHERE {
  ?subject ?property <%(iri)s>
  OPTIONAL { ?subject skos:prefLabel ?name FILTER(LANG(?name) = "%(language)s") }
} ORDER BY ?property ?subject LIMIT 100"""

Text = Annotated[str, Field(max_length=20_000)]
Language = Annotated[str, Field(description="Language of names, such as en or ja.", pattern="^[a-z]{2,3}$")]
Rows = Annotated[int, Field(description="How many rows to return.", ge=1, le=_MOST_ROWS)]
Names = Annotated[list[str], Field(description="Names as they are written in a table or text.", max_length=_MOST_NAMES)]


def agent_server(calls: ServerCalls, title: str, instructions: str) -> MCPServer[Any]:
    """A server of the protocol whose tools ask through `calls`."""
    # The SDK configures the root logger unless that has a handler; how this process logs is not its business.
    logging.getLogger().addHandler(logging.NullHandler())
    server: MCPServer[Any] = MCPServer(title, version=__version__, instructions=instructions, log_level="WARNING")
    tools = Tools(calls)
    for tool in (
        *(tools.search, tools.describe, tools.list_queries, tools.ask),
        *(tools.query, tools.why, tools.receipt, tools.link_names),
    ):
        server.add_tool(_told(tool, ToolError), annotations=_READS)
    shelf = Shelf(calls)
    for uri, media_type, read in (
        ("kg://guide", "text/markdown", shelf.guide),
        ("kg://ontology", "text/turtle", shelf.ontology),
        ("kg://queries", "application/json", shelf.queries),
        ("kg://queries/{name}", "application/sparql-query", shelf.query),
        ("kg://dataset", "text/turtle", shelf.dataset),
    ):
        server.resource(uri, mime_type=media_type)(_told(read, ResourceError))
    return server


def _told(function: _Function, error_class: type[Exception]) -> _Function:
    """The function with refusals of the server as errors that the model reads."""

    @functools.wraps(function)
    async def told(*arguments: Any, **named: Any) -> Any:
        try:
            return await function(*arguments, **named)
        except CallRefused as error:
            raise error_class(str(error)) from None

    return told  # type: ignore[return-value]


class Tools:
    """What an agent can ask."""

    def __init__(self, calls: ServerCalls) -> None:
        self._calls = calls

    async def search(
        self,
        text: Annotated[str, Field(description="A name, part of one, or an identifier, in any language.")],
        kind: Annotated[str, Field(description="Only records of this class, such as law or programme.")] = "",
        language: Language = "en",
    ) -> dict[str, Any]:
        """Find records by name: laws, programmes, bodies, documents, topics and more. Begin here if you have a name."""
        parameters = {"q": text, "lang": language, **({"kind": kind} if kind else {})}
        reply = await self._calls.get("/search", parameters)
        found = reply.json()
        hits = [
            {name: hit[name] for name in ("iri", "path", "label", "kind", "how", "matched")} for hit in found["hits"]
        ]
        receipt = await receipts.receipt(self._calls, reply, f"search: {text}", (hit["iri"] for hit in hits[:5]))
        return {"total": found["total"], "hits": hits, "receipt": receipt}

    async def describe(
        self,
        record: Annotated[str, Field(description="An IRI, or a path such as `path` of `search`.")],
        language: Language = "en",
    ) -> dict[str, Any]:
        """All facts about one record, each with where it is stated, and the records that link to it."""
        iri = await self._iri(record)
        reply = await self._calls.query(_FACTS % {"iri": iri, "language": language})
        rows = results.rows(reply.body).rows
        if not rows:
            # The server says what is like it.
            await self._calls.get("/id/" + iri.partition("/id/")[2])
            raise CallRefused(f"no facts about <{iri}>; find it with `search`")
        links = results.rows((await self._calls.query(_LINKS % {"iri": iri, "language": language})).body).rows
        shown = await self._calls.base()
        return {
            "iri": iri,
            "facts": results.facts(rows, shown),
            "linked_from": links,
            "receipt": await receipts.receipt(self._calls, reply, _FACTS % {"iri": iri, "language": language}, [iri]),
        }

    async def list_queries(
        self, about: Annotated[str, Field(description="Words of a title or description; empty for all.")] = ""
    ) -> dict[str, Any]:
        """The stored queries, tested questions with parameters: prefer one of them to writing SPARQL."""
        reply = await self._calls.get("/queries", {"format": "json"})
        words = about.lower().split()
        found = [
            query
            for query in reply.json()
            if not words or any(word in json.dumps(query, ensure_ascii=False).lower() for word in words)
        ]
        ranked = sorted(found, key=lambda q: -sum(w in json.dumps(q, ensure_ascii=False).lower() for w in words))
        listed = [
            {
                "name": query["name"],
                "title": results.said(query["title"]),
                "description": results.said(query["description"]),
                "parameters": {p["name"]: f"{p['type']}, default {p['default']}" for p in query["parameters"]},
                "columns": query["columns"],
            }
            for query in ranked
        ]
        return {"queries": listed, "receipt": await receipts.receipt(self._calls, reply, "list of stored queries", ())}

    async def ask(
        self,
        name: Annotated[str, Field(description="The name of a stored query, from `list_queries`.")],
        parameters: Annotated[
            dict[str, str] | None, Field(description="Values of its parameters; defaults apply to the others.")
        ] = None,
        limit: Rows = 100,
    ) -> dict[str, Any]:
        """Run a stored query with parameters."""
        reply = await self._calls.get(f"/queries/{name}", {"format": "json", **(parameters or {})})
        claim = claims.of_query(name, parameters or {})
        return await self._answer(reply, claim, f"stored query {name} {json.dumps(parameters or {})}", limit)

    async def query(
        self,
        sparql: Annotated[Text, Field(description="A SPARQL 1.1 query; well-known prefixes may be left out.")],
        limit: Rows = 100,
    ) -> dict[str, Any]:
        """Run a SPARQL query. An empty answer comes with the reason: a term that does not exist, or a pattern without
        matches. Names have a language: FILTER(LANG(?name) = "en"). Each passage of a source is a named graph."""
        reply = await self._calls.query(sparql)
        if not reply.body.lstrip().startswith(b"{"):
            graph = reply.body.decode()
            receipt = await receipts.receipt(self._calls, reply, sparql, results.iris_in(graph))
            return {"turtle": graph[:50_000], "receipt": receipt}
        answer = await self._answer(reply, Claim(sparql=sparql), sparql, limit)
        if answer.get("total") == 0:
            answer["why_empty"] = (await self._calls.get("/why", {"query": sparql})).json()
        return answer

    async def why(
        self,
        subject: Annotated[str, Field(description="The subject of a fact: an IRI or class:slug.")],
        predicate: Annotated[str, Field(description="Its property: an IRI, a prefixed name such as kg:quotes, or a.")],
        object: Annotated[str, Field(description='Its value: an IRI, class:slug, or a literal such as "text"@en.')],  # noqa: A002 the agent's word
    ) -> dict[str, Any]:
        """Why a fact holds: the passages that state it, or the rule that infers it with its premises."""
        asked = {"subject": subject, "predicate": predicate, "object": object, "format": "json"}
        reply = await self._calls.get("/explain", asked)
        told = reply.json()
        found = results.sources_of_proof(told)
        receipt = {
            "release": reply.release,
            "query": f"why: {told['subject']} {told['predicate']} {told['object']}",
            "address": reply.address,
            "evidence": found,
            "kinds": sorted({each["kind"] for each in found}),
        }
        return {"proof": told, "receipt": receipt}

    async def receipt(
        self, sparql: Annotated[Text, Field(description="The SPARQL query of an answer.")]
    ) -> dict[str, Any]:
        """What an answer rests on, so that you can cite it: release, query, and the passages behind its records."""
        reply = await self._calls.query(sparql)
        found = results.rows(reply.body)
        receipt = await receipts.of_claim(self._calls, reply, Claim(sparql=sparql), sparql, found)
        return {"rows": found.total, "receipt": receipt}

    async def link_names(
        self,
        names: Names,
        kind: Annotated[str, Field(description="The class of all of them, such as organization.")] = "",
        properties: Annotated[
            dict[str, list[str]] | None,
            Field(description="Further columns by property, such as a number of a register, one value for each name."),
        ] = None,
    ) -> dict[str, Any]:
        """Find the record that each name means. `exact` is safe to use; `review` needs a person or more context."""
        asked = {"names": names, "kind": kind, "properties": properties or {}}
        reply = await self._calls.post("/link/match", asked)
        rows = reply.json()["rows"]
        told = [results.decision(name, row) for name, row in zip(names, rows, strict=True)]
        linked = [row["iri"] for row in told if row["iri"]]
        return {"rows": told, "receipt": await receipts.receipt(self._calls, reply, "link_names", linked)}

    async def _answer(self, reply: ServerAnswer, claim: Claim, query: str, limit: int) -> dict[str, Any]:
        found = results.rows(reply.body)
        receipt = await receipts.of_claim(self._calls, reply, claim, query, found)
        if found.truth is not None:
            return {"answer": found.truth, "receipt": receipt}
        return {
            "columns": found.columns,
            "rows": found.rows[:limit],
            "total": found.total,
            "left_out": max(0, found.total - limit),
            "receipt": receipt,
        }

    async def _iri(self, record: str) -> str:
        written = record.strip().removeprefix("<").removesuffix(">")
        base = await self._calls.base()
        iri = written if "://" in written else base + "id/" + written.replace(":", "/", 1).removeprefix("id/")
        if any(character in iri for character in '<>"{}|\\^` \n'):
            raise CallRefused(f"expected an IRI or a path such as those of `search`, not '{record[:100]}'")
        return iri


class Shelf:
    """What an agent can read as a whole."""

    def __init__(self, calls: ServerCalls) -> None:
        self._calls = calls

    async def guide(self) -> str:
        """How to begin: what the dataset is, and how to ask it."""
        return (await self._calls.get("/llms.txt", accept="text/plain")).body.decode()

    async def ontology(self) -> str:
        """The classes and properties with their definitions."""
        return (await self._calls.get("/ontology", accept="text/turtle")).body.decode()

    async def queries(self) -> str:
        """The stored queries with titles, parameters and columns."""
        return (await self._calls.get("/queries", {"format": "json"})).body.decode()

    async def query(self, name: str) -> str:
        """The text of a stored query, to learn from."""
        known = (await self._calls.get("/queries", {"format": "json"})).json()
        found = next((query for query in known if query["name"] == name), None)
        if found is None:
            raise CallRefused(f"no stored query '{name}'; kg://queries lists them")
        return str(found["sparql"])

    async def dataset(self) -> str:
        """The catalogue record: publisher, licence, dates, distributions."""
        return (await self._calls.get("/.well-known/void", accept="text/turtle")).body.decode()
