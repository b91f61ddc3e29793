"""Agents: the SDK's own client connects over HTTP and standard input, and every answer can be cited and checked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import loops
import pytest
from conftest import Server
from mcp import Client, StdioServerParameters, stdio_client
from projects import ROOT, environment

from api.app import create_app
from api.settings import Settings
from kg.release import store

ARTICLE = "https://w3id.org/aikg/id/law/ai-act/article-9"
PASSAGE = "https://w3id.org/aikg/id/passage/"
# A tool with arguments, and something that its answer has.
CALLS: list[tuple[str, dict[str, Any], str]] = [
    ("search", {"text": "AI法 第9条"}, ARTICLE),
    ("describe", {"record": "law/ai-act/article-9"}, PASSAGE + "egov-ai-act/"),
    ("list_queries", {"about": "budget"}, "money-of-programmes-quoting-a-law"),
    ("ask", {"name": "programmes-quoting-the-law-and-budget"}, "12200000000"),
    ("query", {"sparql": "SELECT ?who WHERE { ?who kg:quotes law:ai-act\\/article-9 }"}, "programme/aip"),
    ("why", {"subject": "programme:aip", "predicate": "kg:quotes", "object": ARTICLE}, PASSAGE + "mext-2026-06-29/"),
    ("receipt", {"sparql": "SELECT ?p WHERE { ?p a kg:Programme }"}, '"kind": "passage"'),
    ("link_names", {"names": ["東大", "Nowhere Ltd."], "kind": "organization"}, '"match": "exact"'),
]


def talk(agent: Client, conversation: Callable[[Client], Awaitable[None]]) -> None:
    async def held() -> None:
        async with agent as connected:
            await conversation(connected)

    loops.run(held())


def text_of(result: Any) -> str:
    return "".join(part.text for part in result.content)


async def five_answers(agent: Client) -> None:
    tools = (await agent.list_tools()).tools
    assert {tool.name for tool in tools} == {name for name, _, _ in CALLS}
    assert all(tool.description and tool.annotations and tool.annotations.read_only_hint for tool in tools)
    for name, arguments, expected in CALLS:
        result = await agent.call_tool(name, arguments)
        assert not result.is_error, (name, text_of(result))
        assert expected in text_of(result), (name, text_of(result)[:2000])
        receipt = result.structured_content["receipt"]
        assert len(receipt["release"]) == 16, name
        assert receipt["query"], name
        assert all(e["kind"] and e["source"] for e in receipt["evidence"]), name
        assert receipt["evidence"] or name == "list_queries"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_an_agent_gets_cited_answers_over_http(real_server: str, mode: str) -> None:
    talk(Client(f"{real_server}/mcp", mode=mode), five_answers)


def test_an_agent_starts_the_command_and_gets_the_same(real: store.Release) -> None:
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "kg.cli", "mcp", "--store", str(real.directory)], env=environment(ROOT)
    )
    talk(Client(stdio_client(command)), five_answers)


def test_the_address_of_an_answer_gives_it_again(real_server: str) -> None:
    async def ask(agent: Client) -> None:
        answer = await agent.call_tool("query", {"sparql": "SELECT (COUNT(*) AS ?n) WHERE { ?p a kg:Programme }"})
        told = answer.structured_content
        again = httpx.get(told["receipt"]["address"], headers={"accept": "application/ld+json"}, trust_env=False)
        assert again.status_code == 200, again.text
        assert told["receipt"]["release"] == again.headers["x-release"]
        assert told["receipt"]["release"] in told["receipt"]["citation"]
        assert told["rows"][0]["n"] > 8

    talk(Client(f"{real_server}/mcp"), ask)


def test_what_went_wrong_is_told_with_what_to_do(real_server: str) -> None:
    async def ask(agent: Client) -> None:
        empty = (await agent.call_tool("query", {"sparql": "SELECT ?x WHERE { ?x a kg:Programe }"})).structured_content
        assert empty["total"] == 0
        assert "https://w3id.org/aikg/ontology#Programme" in str(empty["why_empty"])
        for name, arguments, expected in [
            ("query", {"sparql": "SELECT ?x WHERE { ?x a "}, "line 1"),
            ("describe", {"record": "law/ai-akt"}, "id/law/ai-act"),
            ("ask", {"name": "budget"}, "budgets"),
            ("query", {"sparql": "INSERT DATA { <x:a> <x:b> <x:c> }"}, "only reads"),
        ]:
            refused = await agent.call_tool(name, arguments)
            assert refused.is_error, name
            assert expected in text_of(refused), (name, text_of(refused))

    talk(Client(f"{real_server}/mcp"), ask)


def test_resources_can_be_read(real_server: str) -> None:
    async def read(agent: Client) -> None:
        for uri, expected in [
            ("kg://guide", "## Begin"),
            ("kg://ontology", "owl:Ontology"),
            ("kg://queries", '"budgets"'),
            ("kg://queries/budgets", "SELECT"),
            ("kg://dataset", "void:Dataset"),
        ]:
            assert expected in (await agent.read_resource(uri)).contents[0].text, uri

    talk(Client(f"{real_server}/mcp"), read)


def test_the_limits_of_the_server_hold_for_agents(real: store.Release) -> None:
    async def ask(agent: Client) -> None:
        endless = "SELECT (COUNT(*) AS ?n) WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"
        stopped = await agent.call_tool("query", {"sparql": endless})
        assert stopped.is_error
        assert "second" in text_of(stopped)

    with Server(create_app(Settings(query_seconds=0.5), real)) as running:
        talk(Client(f"{running.url}/mcp"), ask)
        too_long = httpx.post(f"{running.url}/mcp", content=b" " * 2_000_000, trust_env=False)
        assert too_long.status_code == 413


def test_nobody_waits_for_the_sdk_at_the_start() -> None:
    program = "import sys, api.app, api.server; api.app.routes(); print('mcp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment(ROOT))
    assert done.stdout.strip() == "False", done.stderr


def test_the_guide_names_addresses_that_answer(real_http: httpx.Client) -> None:
    guide = real_http.get("/llms.txt")
    assert guide.headers["content-type"] == "text/plain; charset=utf-8"
    assert guide.text.startswith("# ")
    lines = [line for line in guide.text.splitlines() if line.startswith("- [") and "…" not in line]
    addresses = [line.partition("](")[2].partition(")")[0] for line in lines]
    assert len(addresses) > 6
    for address in addresses:
        expected = {405} if address.endswith("/mcp") else {200, 302, 303}
        assert real_http.get(address, headers={"accept": "text/html, */*;q=0.5"}).status_code in expected, address
    for language, said in (("ja", "エージェント"), ("en", "Connect")):
        page = real_http.get(f"/agents?lang={language}", headers={"accept": "text/html"})
        assert said in page.text
        assert f"{real_http.base_url}/mcp".replace("//mcp", "/mcp") in page.text
