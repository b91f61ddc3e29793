"""The graph in a notebook: typed columns, labels, evidence and links, from a server and from a release in a folder."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pandas
import pytest

from kg.client import Graph
from kg.errors import KgError
from kg.release import store

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
PAGE = ROOT / "docs" / "notebooks.md"
BUDGETS = """SELECT ?programme ?yen ?year WHERE {
  ?programme kg:budget ?b . ?b kg:amount ?yen ; kg:fiscalYear ?year
} ORDER BY ?programme ?yen"""


@pytest.fixture(params=["server", "folder"])
def graph(request: pytest.FixtureRequest, real: store.Release) -> Graph:
    return Graph(request.getfixturevalue("real_server") if request.param == "server" else real.directory)


def test_columns_have_types_and_iris_have_labels(graph: Graph, real: store.Release) -> None:
    frame = graph.query(BUDGETS, labels=True)
    assert list(frame.columns) == ["programme", "programme_label", "yen", "year", "year_label"]
    assert str(frame["yen"].dtype) == "Int64"
    assert frame["yen"].sum() > 10**10
    assert "AIP: Advanced Integrated Intelligence Platform Project" in set(frame["programme_label"])
    assert frame.attrs == {"release": real.manifest.id[:16], "query": BUDGETS}
    typed = graph.query(
        'SELECT * WHERE { VALUES (?a ?b ?c ?d) { (1 1.5 true "2026-06-29"^^xsd:date) (UNDEF 2.0 false UNDEF) } }'
    )
    assert [str(t) for t in typed.dtypes] == ["Int64", "Float64", "boolean", "datetime64[s]"]
    assert typed["a"].isna().tolist() == [False, True]


def test_a_record_comes_with_the_evidence_of_each_fact(graph: Graph) -> None:
    facts = graph.describe("law/ai-act/article-9")
    assert {"passage", "register", "curator", "inferred"} >= set(facts["evidence"]) > {"passage"}
    stated = facts[facts["evidence"] == "passage"]
    assert stated["source"].str.startswith(graph.base + "id/passage/").all()


def test_names_are_linked_and_doubt_is_said(graph: Graph) -> None:
    table = pandas.DataFrame({"name": ["東大", "RIKEN", "Nowhere Ltd."], "n": [1, 2, 3]})
    linked = graph.link(table, "name", kind="organization")
    assert linked["kg_match"].tolist() == ["exact", "exact", "none"]
    assert linked["kg_uri"][1] == graph.base + "id/organization/riken"
    assert list(table.columns) == ["name", "n"]


def test_a_wrong_query_is_refused_with_the_reason(graph: Graph) -> None:
    for text, said in [("SELECT ?x WHERE {", "line 1|syntax"), ("ASK { ?s ?p ?o }", "SELECT")]:
        with pytest.raises(KgError, match=said):
            graph.query(text)


def _cells() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == "code"]


def test_the_notebook_runs_and_shows_what_it_would_show_now(real_server: str) -> None:
    names: dict[str, Any] = {}
    for cell in _cells():
        source = "".join(cell["source"]).replace("http://127.0.0.1:8000", real_server)
        *body, last = ast.parse(source).body
        exec(compile(ast.Module(body, []), "cell", "exec"), names)
        if not isinstance(last, ast.Expr):
            exec(compile(ast.Module([last], []), "cell", "exec"), names)
            continue
        shown = str(eval(compile(ast.Expression(last.value), "cell", "eval"), names))
        (output,) = cell["outputs"]
        assert "".join(output["data"]["text/plain"]) == shown, source


def test_the_snippet_in_javascript_runs(real_server: str) -> None:
    (snippet,) = re.findall(r"```js\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    if (node := shutil.which("node")) is None:
        pytest.skip("no node")
    text = snippet.replace("http://127.0.0.1:8000", real_server)
    done = subprocess.run([node, "--input-type=module", "-e", text], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "12200000000" in done.stdout
