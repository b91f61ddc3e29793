"""The command line: its output, and errors with their remedies."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from projects import environment, kg_command, make_project, run_kg


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_project(tmp_path_factory.mktemp("cli") / "project")
    assert run_kg(folder, "build").returncode == 0
    return folder


def test_help_names_every_command(project: Path) -> None:
    text = run_kg(project, "--help").stdout
    for command in ("build", "check", "serve", "query", "dump", "passages", "coverage", "schema"):
        assert command in text


def test_check_says_that_all_is_well(project: Path) -> None:
    assert run_kg(project, "check").stdout.strip() == "no problems"


def test_check_of_a_file_that_is_none(project: Path) -> None:
    result = run_kg(project, "check", "data/nowhere.yaml")
    assert result.returncode == 1
    assert "no curated file of this project" in result.stderr


def test_query_from_standard_input(project: Path) -> None:
    result = subprocess.run(
        kg_command("query", "-", "--format", "csv"), input="SELECT (COUNT(*) AS ?n) WHERE { ?s a kg:Programme }",
        env=environment(project), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    name, count = result.stdout.split()
    assert name == "n"
    assert int(count) >= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("query", "netwrk-lab-total-projects"), "did you mean 'network-lab-total-projects'?"),
        (("query", "network-lab-total-projects", "x=1"), "has no parameter 'x'"),
        (("query", "network-lab-total-projects", "x"), "expected NAME=VALUE"),
        (("query", "network-lab-total-projects", "--format", "xlsx"), "no results format 'xlsx'"),
        (("query", f"SELECT ?s {{ {'?s ?p ?o . ' * 30}}}"), "give the text of a query on standard input: kg query -"),
        (("dump", "--format", "docx"), "no RDF format 'docx'"),
        (("dump", "--file", "/nowhere/x.nq"), "cannot write /nowhere/x.nq: No such file or directory"),
        (("serve", "--store", "/nowhere"), "no release in /nowhere"),
        (("serve", "--host", "nowhere.invalid"), "cannot listen on nowhere.invalid:8000"),
    ],
)
def test_errors_are_one_line_that_says_what_to_do(project: Path, arguments: tuple[str, ...], message: str) -> None:
    result = run_kg(project, *arguments)
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_serve_on_a_port_that_is_taken(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run_kg(project, "serve", "--port", str(taken.getsockname()[1]))
    assert result.returncode == 1
    assert "Address already in use; choose with --host and --port" in result.stderr


def test_a_setting_that_is_none_is_named(project: Path) -> None:
    result = run_kg(project, "serve", KG_PAGE_SIZE="many")
    assert result.returncode == 1
    assert "KG_PAGE_SIZE=many: Input should be a valid integer" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_query_with_service_is_refused(project: Path, tmp_path: Path) -> None:
    query = tmp_path / "q.rq"
    query.write_text("SELECT * WHERE { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }")
    result = run_kg(project, "query", str(query))
    assert result.returncode == 1
    assert "SERVICE is not run here" in result.stderr


@pytest.mark.parametrize("output", ["nq", "trig", "ttl", "nt", "rdf", "jsonld"])
def test_dump_in_every_format_reads_back_to_the_same_triples(project: Path, output: str, tmp_path: Path) -> None:
    import pyoxigraph

    from kg.rdf import formats

    file = tmp_path / f"dump.{output}"
    assert run_kg(project, "dump", "--format", output, "--file", str(file)).returncode == 0
    chosen = formats.rdf_format(output)
    assert chosen is not None
    read = {str(q.triple) for q in pyoxigraph.parse(path=str(file), format=chosen.syntax) if "_:" not in str(q)}
    reference = run_kg(project, "dump", "--format", "nt").stdout
    plain = pyoxigraph.parse(reference, format=pyoxigraph.RdfFormat.N_TRIPLES)
    assert read == {str(q.triple) for q in plain if "_:" not in str(q)}


def test_a_reader_that_leaves_is_no_error(project: Path) -> None:
    command = " ".join(kg_command("dump"))
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{command} | head -c 10"],
        env=environment(project), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in result.stderr
    assert len(result.stdout) == 10


def test_python_is_new_enough() -> None:
    assert sys.version_info >= (3, 11)
