"""A table as an API: its permalink, downloads, query in the editor, and code examples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from api.html.view import View
from kg.rdf.terms import AnyTerm
from kg.receipts import claims, digests
from kg.receipts.claims import Claim

# The formats offered with every table; the page of the query has all.
_TABLE = ("csv", "excel", "json", "jsonl")
_GRAPH = ("ttl", "jsonld", "nt")


@dataclass(frozen=True, slots=True)
class Snippet:
    """A code example that gets a table."""

    language: str
    code: str


@dataclass(frozen=True)
class Access:
    """How to get a result: `path` with `parameters` is its URL, `query` its SPARQL query."""

    view: View
    path: str
    parameters: tuple[tuple[str, str], ...]
    query: str
    host: str
    is_graph: bool = False

    @property
    def editor(self) -> str:
        """The URL of the query in the editor, with its result."""
        return self.view.url("sparql", query=self.query, format="html")

    @property
    def page(self) -> str:
        """The permalink."""
        return self.view.url(self.path, **{"format": "html", **dict(self.parameters)})

    @property
    def claim(self) -> Claim:
        """The claim about the result, of which a receipt is made."""
        if self.path == "sparql":
            return claims.of_sparql(self.query)
        values = dict(self.parameters)
        limited_to = values.pop("evidence", "")
        return replace(claims.of_query(self.path.removeprefix("queries/"), values), evidence=limited_to)

    @property
    def receipt(self) -> str:
        """The URL of the receipt of the whole result."""
        return self.view.receipt(self.claim)

    def row_receipt(self, columns: Sequence[str], row: Sequence[AnyTerm | None]) -> str:
        """The URL of the receipt of one row."""
        return self.view.receipt(self.claim.of_row(digests.of_row(columns, row)))

    @property
    def names(self) -> tuple[str, ...]:
        return _GRAPH if self.is_graph else _TABLE

    def data(self, name: str) -> str:
        """The URL of the result in a format."""
        # A table for people has labels, so it is in their language.
        spoken = [("lang", self.view.language)] if name == "excel" and self.path != "sparql" else []
        return f"{self.view.file(self.path)}?{urlencode([*self.parameters, ('format', name), *spoken])}"

    @property
    def snippets(self) -> list[Snippet]:
        """Complete code examples for the shell, Python, R and JavaScript."""
        address, is_query = f"{self.host}/{self.path}", self.path == "sparql"
        rest = [(k, v) for k, v in self.parameters if k != "query"]
        return [
            Snippet("curl", _curl(address, rest, self.query if is_query else None, self.names[0])),
            *([] if self.is_graph else [Snippet("Python", _python(address, rest, self.query if is_query else None))]),
            *([] if self.is_graph else [Snippet("R", _r(address, rest, self.query if is_query else None))]),
            Snippet("JavaScript", _javascript(address, rest, self.query if is_query else None, self.is_graph)),
        ]


def of_query(view: View, host: str, query: str, *, is_graph: bool = False) -> Access:
    """The access to the result of any query, through the endpoint."""
    return Access(view, "sparql", (("query", query),), query, host, is_graph)


def _shell(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _curl(address: str, rest: list[tuple[str, str]], query: str | None, name: str) -> str:
    options = "".join(f" \\\n  --data-urlencode {_shell(f'{k}={v}')}" for k, v in rest)
    if query is None:
        return f"curl -s --get {_shell(address)} -d format={name}{options}"
    here = f" \\\n  --data-urlencode query@- <<'SPARQL'\n{query.strip()}\nSPARQL"
    return f"curl -s {_shell(address)} -d format={name}{options}{here}"


def _python(address: str, rest: list[tuple[str, str]], query: str | None) -> str:
    fields = [f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in [*rest, ("format", "csv")]]
    lines = ["from urllib.parse import urlencode", "import pandas as pd", ""]
    if query is not None:
        text = query.strip().replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
        lines.append(f'query = """\n{text}\n"""')
        fields.insert(0, '"query": query')
    lines.append(f"parameters = {{{', '.join(fields)}}}")
    lines.append(f'table = pd.read_csv("{address}?" + urlencode(parameters))')
    return "\n".join(lines)


def _r(address: str, rest: list[tuple[str, str]], query: str | None) -> str:
    url = f"{address}?{urlencode([*rest, ('format', 'csv')])}"
    if query is None:
        return f'table <- read.csv("{url}")'
    request = f'paste0("{url}&query=", URLencode(query, reserved = TRUE))'
    return f'query <- r"---({query.strip()})---"\ntable <- read.csv({request})'


def _javascript(address: str, rest: list[tuple[str, str]], query: str | None, is_graph: bool) -> str:
    fields = dict([*rest, ("format", "nt" if is_graph else "json")])
    text = json.dumps(fields, ensure_ascii=False)
    lines = []
    if query is not None:
        escaped = query.strip().replace("\\", "\\\\").replace("`", "\\`").replace("${", "\\${")
        lines.append(f"const query = `\n{escaped}\n`;")
        text = text[:-1] + ", query}"
    lines.append(f'const answer = await fetch("{address}?" + new URLSearchParams({text}));')
    lines.append(
        "const text = await answer.text();" if is_graph else "const rows = (await answer.json()).results.bindings;"
    )
    return "\n".join(lines)
