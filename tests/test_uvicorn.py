"""What the server takes of uvicorn beyond its documented interface, held to the version that is installed."""

import ast
import asyncio
from pathlib import Path
from typing import Any

import loops
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.config import Config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from api.http import protocol
from api.http.proxies import TrustedProxies

SOURCES = [Path(protocol.__file__), Path(protocol.__file__).parents[1] / "hotpath" / "connection.py"]
USED = protocol.USED_OF_UVICORN


async def _application(scope: Any, receive: Any, send: Any) -> None:
    """Never called."""


async def _objects() -> dict[str, object]:
    state = ServerState()
    config = Config(_application, ws="none")
    config.load()
    made = HttpToolsProtocol(config=config, server_state=state, app_state={})
    made.connection_made(asyncio.Transport({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)}))
    made.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    cycle = made.cycle
    assert isinstance(cycle, RequestResponseCycle)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    return {
        "protocol": made,
        "extended": HttpToolsProtocol,
        "cycle": cycle,
        "flow": made.flow,
        "server_state": state,
    }


@pytest.mark.parametrize("owner", USED)
def test_uvicorn_has_what_the_server_uses(owner: str) -> None:
    found = loops.run(_objects())[owner]
    lacking = [name for name in USED[owner] if not hasattr(found, name)]
    assert not lacking, f"uvicorn {uvicorn.__version__} has no {owner} with {lacking}: bound it in pyproject.toml"


def test_all_that_is_used_is_listed() -> None:
    defined, used = set(), set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                defined.add(node.name)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                defined.add(node.target.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
                (defined if isinstance(node.ctx, ast.Store) else used).add(node.attr)
            elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "super()":
                used.add(node.attr)
    ours = {name for name in defined if not hasattr(HttpToolsProtocol, name)}
    assert used - ours - {"__init__"} <= {*USED["protocol"], *USED["extended"]}


ADDRESSES = [
    "10.0.0.7",
    "192.0.2.1",
    "2001:db8::1",
    "::1",
    "proxy",
    "",
    "unknown",
    "300.1.1.1",
    "10.0.0.7.x",
    "fe80::1",
]
ENTRIES = st.one_of(
    st.sampled_from(ADDRESSES),
    st.sampled_from(ADDRESSES).map(lambda host: f"{host}:8080"),
    st.sampled_from(ADDRESSES).map(lambda host: f"[{host}]"),
    st.sampled_from(ADDRESSES).map(lambda host: f"[{host}]:x"),
    st.sampled_from(ADDRESSES).map(lambda host: f"[{host}"),
    st.sampled_from(["[::1]8", "a:b", ":", "1.2.3.4:"]),
)


@given(
    listed=st.lists(
        st.sampled_from([*ADDRESSES, "10.0.0.0/8", "10.0.0.1/8", "2001:db8::/32"]), min_size=1, max_size=3
    ).map(",".join),
    peer=st.sampled_from(ADDRESSES[:-4]),
    chain=st.lists(ENTRIES, min_size=1, max_size=4).map(", ".join),
)
def test_the_client_of_the_hot_path_is_that_of_the_application(listed: str, peer: str, chain: str) -> None:
    seen: dict[str, Any] = {}

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope)

    scope = {"type": "http", "client": (peer, 1), "headers": [(b"x-forwarded-for", chain.encode())]}
    loops.run(ProxyHeadersMiddleware(application, listed)(scope, None, None))  # type: ignore[arg-type]
    trusted = TrustedProxies(listed)
    client = trusted.client(chain) if peer in trusted else ""
    assert (client or peer) == seen["client"][0]
