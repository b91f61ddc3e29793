"""The validation service: results in every format and both languages, limits, and hostile input."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pyoxigraph
import pytest
import rdflib
from conftest import Server
from dataset import BASE
from projects import ROOT, run_kg
from servers import is_alive, until

from api.app import create_app
from api.settings import Settings
from kg.errors import RdfMalformed
from kg.isolation import messages, program
from kg.isolation.pool import Pool
from kg.isolation.program import Program
from kg.rdf import formats, iris
from kg.release.store import Release
from kg.submitted import intake, report, validation
from kg.submitted.intake import RdfLimits

PARTNER = ROOT / "tests" / "fixtures" / "partner"
GOOD, WRONG = (PARTNER / "good.ttl").read_bytes(), (PARTNER / "wrong.ttl").read_bytes()
EXPECTED: dict[str, list[str]] = json.loads((PARTNER / "expected.json").read_text(encoding="utf-8"))
TURTLE = {"content-type": "text/turtle"}
SH = rdflib.SH


@contextmanager
def serving(release: Release, **settings: Any) -> Iterator[tuple[httpx.Client, Pool]]:
    """A client of a server with these settings, and its pool of validations."""
    app = create_app(Settings(**settings), release)
    with Server(app) as running, httpx.Client(base_url=running.url, trust_env=False, timeout=60) as client:
        yield client, app.state.serving.site.validations


def post(client: httpx.Client, body: bytes, query: str = "format=json", **headers: str) -> httpx.Response:
    return client.post(f"/validate?{query}", content=body, headers={**TURTLE, **headers})


def many(n: int) -> bytes:
    """Programmes with their budgets, of 15 triples each."""
    head, _, body = GOOD.decode().partition("# A programme")
    body = body.partition("\n")[2]
    return "".join([head, *(body.replace("language-resources", f"programme-{i}") for i in range(n))]).encode()


def zygote(validations: Pool) -> int:
    """The process that is kept ready, 0 if there is none."""
    child = validations._processes._zygote
    return child.pid if validations.is_ready and child is not None else 0


# ---- results ----


@pytest.fixture(scope="module")
def knowledge(real: Release) -> validation.Knowledge:
    return validation.Knowledge.open(ROOT, real.directory)


def lines(body: bytes, knowledge: validation.Knowledge, name: str = "ttl", language: str = "en") -> list[str]:
    found = validation.check(body, intake.syntax_of(name), RdfLimits(), knowledge)
    told = report.lines(found, "f", knowledge.context, language)
    return [re.sub(r"_:[0-9a-f]{20,}", "_:b", line).removeprefix("f: ").removeprefix("f:") for line in told]


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("path", sorted(PARTNER.glob("*.ttl")), ids=lambda p: p.stem)
def test_each_mistake_is_reported_exactly(path: Path, language: str, knowledge: validation.Knowledge) -> None:
    assert lines(path.read_bytes(), knowledge, language=language) == EXPECTED[f"{path.stem}.{language}"]


def test_every_mistake_has_its_line(knowledge: validation.Knowledge) -> None:
    for line in EXPECTED["wrong.en"]:
        number, _, rest = line.partition(": ")
        written = WRONG.decode().split("\n")[int(number) - 1]
        told = re.findall(r"'([^']+)'|<[^>]*/([^>/]+)>|([\w-]+:[\w/-]+)", rest)
        names = [name.replace("/", "\\/").removeprefix("kg:") for group in told for name in group if name]
        assert any(name in written for name in names) or "[] a kg:Citation" in written, line


@pytest.mark.parametrize("syntax", formats.RDF_FORMATS, ids=lambda f: f.name)
def test_the_same_is_found_in_every_syntax(syntax: formats.Rdf, knowledge: validation.Knowledge) -> None:
    triples = [q.triple for q in pyoxigraph.parse(WRONG, format=pyoxigraph.RdfFormat.TURTLE)]
    body = pyoxigraph.serialize(triples, format=syntax.syntax)
    assert body is not None

    def bare(told: list[str]) -> list[str]:
        return sorted(re.sub(r"^\d+: ", "", re.sub(r"_:\S+", "_:b", line)) for line in told)

    told = lines(body, knowledge, syntax.name)
    assert bare(told) == bare(EXPECTED["wrong.en"])
    has_lines = all(re.match(r"\d+: ", line) for line in told)
    assert has_lines == (syntax.name not in ("jsonld", "rdf"))


def test_statements_about_our_records_are_validated_with_ours(knowledge: validation.Knowledge) -> None:
    law = "<https://w3id.org/aikg/id/law/ai-act>"
    label = "<http://www.w3.org/2004/02/skos/core#prefLabel>"
    assert lines(f'{law} <http://www.w3.org/2000/01/rdf-schema#comment> "x" .'.encode(), knowledge) == []
    assert ["two names in one language" in line for line in lines(f'{law} {label} "x"@en .'.encode(), knowledge)] == [
        True
    ]


def test_a_key_that_the_context_does_not_know(knowledge: validation.Knowledge) -> None:
    document = {"@context": BASE.iri + "context.jsonld", "id": "http://e/x", "quotess": "2020"}
    told = lines(json.dumps(document).encode(), knowledge, "jsonld")
    assert told == [
        "violation: <http://e/x> <urn:undeclared:quotess>: 'quotess' is not a term of the context; "
        "did you mean 'quotes' (quotes) or 'quotedBy' (is quoted by)? [unknown-term]"
    ]


def test_a_deprecated_record_is_a_warning_and_conforms(tiny: Release) -> None:
    known = validation.Knowledge.open(ROOT, tiny.directory)
    body = b"<http://e/x> <http://e/p> <https://w3id.org/aikg/id/concept/old-notion> ."
    found = validation.check(body, intake.syntax_of("ttl"), RdfLimits(), known)
    assert (found.conforms, found.counts) == (True, {"Warning": 1})
    assert list(report.lines(found, "f", known.context)) == [
        "f:1: warning: <http://e/x> <http://e/p>: concept:old-notion is deprecated; did you mean 'concept:new-notion'"
        " (new notion)? [deprecated]"
    ]


def test_terms_used_often_are_reported_once(knowledge: validation.Knowledge) -> None:
    body = "".join(f"<http://e/{i}> <{iris.ONTOLOGY}#qotes> <http://e/x> .\n" for i in range(300)).encode()
    told = lines(body, knowledge, "nt")
    assert len(told) == 1
    assert "'kg:qotes' is not a term of the ontology (used 300 times); did you mean 'kg:quotes'" in told[0]


# ---- the service ----


@pytest.fixture(scope="module")
def service(real_server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=real_server, trust_env=False, timeout=60) as client:
        yield client


def test_a_report_says_whether_the_data_conforms(service: httpx.Client) -> None:
    for body, conforms in ((GOOD, True), (WRONG, False)):
        answer = post(service, body)
        assert answer.status_code == 200
        assert answer.headers["x-conforms"] == str(conforms).lower()
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json()["conforms"] is conforms
        assert post(service, body, "format=json&fail=true").status_code == (200 if conforms else 422)


def test_the_json_has_node_path_value_message_and_line(service: httpx.Client) -> None:
    document = post(service, WRONG).json()
    assert document["counts"] == {"Violation": 12, "Warning": 0, "Info": 0}
    by_line = {r["line"]: r for r in document["results"]}
    link = by_line[32]
    assert link["focus"] == {"type": "uri", "value": "https://ministry.example/id/a-citation"}
    assert link["value"] == {"type": "uri", "value": BASE.id + "law/ai-actt"}
    assert link["path"] == f"<{iris.ONTOLOGY}#citedDocument>"
    assert link["nearest"][0] == BASE.id + "law/ai-act"
    assert set(link["message"]) == {"en", "ja"}
    assert by_line[43]["value"] == {
        "type": "literal",
        "value": "20x6",
        "datatype": "http://www.w3.org/2001/XMLSchema#gYear",
    }


def as_rdflib(term: Any) -> rdflib.term.Node:
    if isinstance(term, pyoxigraph.NamedNode):
        return rdflib.URIRef(term.value)
    if isinstance(term, pyoxigraph.BlankNode):
        return rdflib.BNode(term.value)
    return rdflib.Literal(term.value, lang=term.language, datatype=None if term.language else term.datatype.value)


@pytest.mark.parametrize("syntax", formats.RDF_FORMATS, ids=lambda f: f.name)
def test_the_report_is_a_shacl_report_in_every_syntax(service: httpx.Client, syntax: formats.Rdf) -> None:
    answer = post(service, WRONG, "", accept=syntax.media_type)
    assert answer.headers["content-type"].startswith(syntax.media_type)
    graph = rdflib.Graph()
    for quad in pyoxigraph.parse(answer.content, format=syntax.syntax):
        graph.add(tuple(map(as_rdflib, quad.triple)))  # type: ignore[arg-type]
    node = graph.value(predicate=rdflib.RDF.type, object=SH.ValidationReport)
    assert graph.value(node, SH.conforms) == rdflib.Literal(False)
    results = list(graph.objects(node, SH.result))
    assert len(results) == 12
    for result in results:
        for needed in (SH.focusNode, SH.resultSeverity, SH.sourceConstraintComponent):
            assert len(list(graph.objects(result, needed))) == 1
        assert {m.language for m in graph.objects(result, SH.resultMessage)} == {"en", "ja"}  # type: ignore[union-attr]
    either = next(graph.objects(None, SH.alternativePath))
    assert [str(p).rpartition("#")[2] for p in graph.items(either)] == [
        "runBy",
        "owner",
        "carriedOutBy",
        "responsibleOffice",
    ]


def test_the_format_follows_accept(service: httpx.Client) -> None:
    for accept, agent, expected in (
        ("application/json", "x", "application/json"),
        ("*/*", "python-httpx/1", "application/json"),
        ("*/*", "curl/8.5", "text/plain; charset=utf-8"),
        ("text/plain", "x", "text/plain; charset=utf-8"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "Mozilla/5.0", "text/html; charset=utf-8"),
    ):
        answer = post(service, GOOD, "", **{"accept": accept, "user-agent": agent})
        assert answer.headers["content-type"] == expected
    assert post(service, GOOD, "format=docx").status_code == 406
    assert post(service, GOOD, "", accept="image/png").status_code == 406
    text = post(service, WRONG, "format=text&lang=ja").text.splitlines()
    assert text[-1] == "-: does not conform: 29 statements, 6 links, 2 dead, 12 violations, 0 warnings"
    assert text[0].startswith("-:12: violation: <https://ministry.example/id/a-programme>")
    assert "事業には実施、所管または担当の主体が必要です" in text[0]


@pytest.mark.parametrize(
    ("send", "name"),
    [
        (
            lambda c: c.post("/validate?format=text", files={"file": ("data.ttl", GOOD, "application/octet-stream")}),
            "data.ttl",
        ),
        (lambda c: c.post("/validate?format=text", files={"file": ("data", GOOD, "text/turtle")}), "data"),
        (lambda c: c.post("/validate?format=text", files={"file": ("x.txt", GOOD)}, data={"syntax": "ttl"}), "x.txt"),
        (lambda c: c.post("/validate?format=text", files={"text": (None, GOOD), "file": ("", b"")}), "-"),
        (lambda c: c.post("/validate?format=text", data={"text": GOOD.decode()}), "-"),
        (lambda c: c.post("/validate?format=text&syntax=ttl", content=GOOD), "-"),
        (
            lambda c: c.post("/validate?format=text&syntax=ttl", content=GOOD, headers={"content-type": "text/plain"}),
            "-",
        ),
    ],
    ids=["upload", "media-type", "named", "pasted", "form", "bare", "query"],
)
def test_a_document_comes_as_body_upload_or_text(
    service: httpx.Client, send: Callable[[httpx.Client], httpx.Response], name: str
) -> None:
    answer = send(service)
    assert answer.text == f"{name}: conforms: 15 statements, 5 links, 0 dead, 0 violations, 0 warnings\n", answer.text


@pytest.mark.parametrize(
    ("options", "status", "kind", "message"),
    [
        ({"content": b"<a", "headers": TURTLE}, 400, "rdf-malformed", "line 1, column 1"),
        ({"content": b" ", "headers": TURTLE}, 400, "no-document", "the document is empty"),
        (
            {"content": GOOD, "headers": {"content-type": "text/csv"}},
            415,
            "unsupported-media-type",
            "not 'text/csv'",
        ),
        ({"content": GOOD}, 415, "unsupported-media-type", "not 'nothing'"),
        ({"data": {"x": "y"}}, 415, "unsupported-media-type", "from curl send the header"),
        (
            {"content": GOOD, "headers": {**TURTLE, "content-encoding": "gzip"}},
            415,
            "unsupported-media-type",
            "content coding gzip",
        ),
        ({"files": {"file": ("x.docx", b"PK")}}, 415, "unknown-syntax", "'x.docx' is not a known RDF syntax"),
        ({"files": [("file", ("a.ttl", GOOD)), ("file", ("b.ttl", GOOD))]}, 400, "bad-form", "one document at a time"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, "bad-form", "boundary"),
        ({"files": {f"f{n}": (None, "x") for n in range(30)}}, 400, "bad-form", "Too many fields"),
        (
            {"content": b'{"@context": "https://schema.org/"}', "headers": {"content-type": "application/ld+json"}},
            *(400, "rdf-refused", "the context 'https://schema.org/' is remote and is not fetched"),
        ),
    ],
)
def test_what_cannot_be_read_is_a_problem(
    service: httpx.Client, options: dict[str, Any], status: int, kind: str, message: str
) -> None:
    answer = service.post("/validate", **options)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert problem["type"] == f"urn:aikg:problem:{kind}"
    assert message in problem["detail"]
    if status == 415 and kind != "unknown-syntax":
        assert "text/turtle" in answer.headers["accept-post"]


def test_a_syntax_error_shows_the_line_to_a_terminal(service: httpx.Client) -> None:
    answer = post(service, b"@prefix ex: <http://e/> .\nex:a fo:p 1 .\n", "", **{"user-agent": "curl/8.5"})
    assert answer.status_code == 400
    assert answer.text.endswith("\n\n  ex:a fo:p 1 .\n       ^\n")
    assert post(service, b"@prefix ex: <http://e/> .\nex:a fo:p 1 .\n").json()["line"] == 2


def test_other_methods_get_the_allowed_ones(service: httpx.Client) -> None:
    assert service.put("/validate", content=GOOD).status_code == 405
    assert "POST" in service.options("/validate").headers["allow"]
    taken = service.get("/validate", headers={"accept": "application/json"}).json()
    assert taken["syntaxes"]["ttl"] == "text/turtle"
    assert taken["limits"]["bytes"] == Settings().validate_max_bytes


# ---- limits ----


def test_each_limit_of_a_document_is_a_setting(real: Release) -> None:
    limits = {
        "validate_max_bytes": 3_000,
        "validate_max_statements": 30,
        "validate_max_depth": 3,
        "validate_max_results": 2,
    }
    with serving(real, **limits) as (client, _):
        announced = post(client, b"#" * 3_001)
        streamed = client.post("/validate", content=iter([b"#" * 3_001]), headers=TURTLE)
        uploaded = client.post("/validate", files={"file": ("x.ttl", b"#" * 3_001)})
        for answer in (announced, streamed, uploaded):
            assert (answer.status_code, answer.json()["limit"]) == (413, 3_000)
        many_statements = post(client, b"<http://e/a> <http://e/p> " + b",".join(b"%d" % n for n in range(31)) + b".")
        assert (many_statements.status_code, many_statements.json()["limit"]) == (413, 30)
        deep = post(client, b"<http://e/a> <http://e/p> [[[[]]]] .")
        assert (deep.status_code, deep.json()["limit"], deep.json()["column"]) == (400, 3, 30)
        told = post(client, WRONG).json()
        assert (len(told["results"]), told["told"], told["counts"]["Violation"]) == (2, 2, 12)
        assert "; the first 2 are listed" in post(client, WRONG, "format=text").text


def test_a_document_of_ten_megabytes_is_refused_whole(service: httpx.Client) -> None:
    answer = post(service, b"<http://e/a> <http://e/p> 1 .\n" * 400_000)
    assert (answer.status_code, answer.json()["limit"]) == (413, 10_000_000)
    # The largest document, with too many statements.
    answer = post(service, b"".join(b"<http://e/%d> <http://e/p> 1 .\n" % n for n in range(200_000)))
    assert (answer.status_code, answer.json()["limit"]) == (413, 100_000)


def test_time_is_limited_and_the_process_ends_with_it(real: Release) -> None:
    with serving(real, validate_seconds=4) as (client, validations):
        # The start of the process that is kept ready is part of the time of whoever has to wait for it.
        client.get("/validate?lang=en", headers={"accept": "text/html"})
        until(lambda: bool(zygote(validations)), 60)
        with ThreadPoolExecutor() as pool:
            answer = pool.submit(post, client, many(3_000))
            until(lambda: bool(validations.busy))
            pid = validations.busy[0]
            problem = answer.result()
        assert (problem.status_code, problem.json()["limit"]) == (504, 4)
        until(lambda: not is_alive(pid))


def test_memory_is_limited(real: Release) -> None:
    with serving(real, validate_memory_mb=64) as (client, _):
        answer = post(client, many(3_000))
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:aikg:problem:validation-out-of-memory")
        assert post(client, GOOD).status_code == 200


def test_places_queue_and_clients_are_limited(real: Release) -> None:
    slow = many(150)
    with serving(real, validate_processes=1, validate_queue=0, client_validations=5) as (client, validations):
        with ThreadPoolExecutor() as pool:
            first = pool.submit(post, client, slow)
            until(lambda: bool(validations.busy))
            refused = post(client, GOOD)
            assert first.result().status_code == 200
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    with serving(real, client_validations=1) as (client, validations):
        with ThreadPoolExecutor() as pool:
            first = pool.submit(post, client, slow)
            until(lambda: bool(validations.busy))
            refused = post(client, GOOD)
            assert first.result().status_code == 200
        assert (refused.status_code, refused.json()["limit"]) == (429, 1)
        assert post(client, GOOD).status_code == 200


def test_two_wait_for_one_place(real: Release) -> None:
    with serving(real, validate_processes=1, client_validations=5) as (client, _), ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda body: post(client, body), [GOOD, WRONG, GOOD]))
    assert [a.json()["conforms"] for a in answers] == [True, False, True]


def test_a_process_is_kept_ready_for_so_long(real: Release) -> None:
    with serving(real, validate_spare_seconds=0) as (client, validations):
        assert client.get("/validate?lang=en", headers={"accept": "text/html"}).status_code == 200
        assert not zygote(validations)
        assert post(client, GOOD).status_code == 200
        until(lambda: not zygote(validations))
    with serving(real, validate_spare_seconds=2) as (client, validations):
        assert client.get("/validate?lang=en", headers={"accept": "text/html"}).status_code == 200
        until(lambda: bool(zygote(validations)))
        pid = zygote(validations)
        assert post(client, b"<a").status_code == 400
        assert post(client, GOOD).status_code == 200
        assert zygote(validations) == pid
        until(lambda: not zygote(validations), 20)
        until(lambda: not is_alive(pid))
        assert post(client, GOOD).status_code == 200


# ---- hostile input ----


def test_a_client_that_leaves_ends_its_process(real: Release) -> None:
    body = many(2_000)
    with serving(real, validate_spare_seconds=0) as (client, validations):
        address = (client.base_url.host, client.base_url.port)
        with socket.create_connection(address) as guest:
            head = "POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: text/turtle\r\n"
            guest.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            until(lambda: bool(validations.busy))
            pid = validations.busy[0]
            assert is_alive(pid)
        until(lambda: not is_alive(pid))
        assert not validations.busy
        assert post(client, GOOD).status_code == 200


def test_a_process_that_is_ended_from_outside_is_a_503_and_the_next_is_fine(real: Release) -> None:
    with serving(real) as (client, validations), ThreadPoolExecutor() as pool:
        answer = pool.submit(post, client, many(2_000))
        until(lambda: bool(validations.busy))
        os.kill(validations.busy[0], signal.SIGKILL)
        assert answer.result().json()["type"] == "urn:aikg:problem:validation-busy"
        os.kill(zygote(validations), signal.SIGKILL)
        until(lambda: not zygote(validations))
        assert post(client, GOOD).json()["conforms"]


@contextmanager
def validating(release: Release, seconds: float = 30) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    """A process that validates, by hand, once it is ready."""
    options = {"project": str(ROOT), "release": str(release.directory)}
    task = Program("kg.submitted.process", options, 500_000_000, seconds)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = program.spawn(theirs)
    with ours:
        ours.send(program.specification(task, forks=False))
        send(ours, b"<a")
        reply = receive(ours)
        assert reply is not None
        with pytest.raises(RdfMalformed, match="end of file"):
            messages.checked(reply)
        try:
            yield process, ours
        finally:
            process.kill()
            process.wait()


def send(channel: socket.socket, body: bytes) -> None:
    limits = {"size": 10**9, "quads": 10**9, "depth": 64}
    asked = {"syntax": "ttl", "profile": "core", "limits": limits, "most": 10}
    for packet in messages.split(messages.pack(asked, body)):
        channel.send(packet)


def receive(channel: socket.socket) -> bytes | None:
    """The next reply, None when the process has ended."""
    receiver, reply = messages.Receiver(), None
    while reply is None:
        try:
            reply = receiver.receive(channel)
        except (EOFError, ConnectionError):
            return None
    return reply


def test_a_process_can_open_no_socket_and_write_nothing(real: Release) -> None:
    with validating(real) as (process, _):
        status = Path(f"/proc/{process.pid}/status").read_text()
        # A seccomp filter, which cannot be removed; what it blocks is tested in `test_isolation.py`.
        assert "\nNoNewPrivs:\t1\n" in status
        assert "\nSeccomp:\t2\n" in status
        assert resource.prlimit(process.pid, resource.RLIMIT_FSIZE) == (0, 0)
        assert resource.prlimit(process.pid, resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY


def test_processor_time_is_limited_without_supervision(real: Release) -> None:
    with validating(real, seconds=0.01) as (process, channel):
        send(channel, many(6_000))
        assert receive(channel) is None
        assert process.wait(30) == -signal.SIGXCPU


def test_a_process_ends_when_its_server_has_gone(real: Release) -> None:
    with validating(real) as (process, channel):
        channel.shutdown(socket.SHUT_RDWR)
        assert process.wait(10) == 0


def test_nothing_that_is_sent_is_written_to_disk(
    real: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempfile

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a temporary file")

    for name in ("TemporaryFile", "NamedTemporaryFile", "mkstemp", "mkdtemp"):
        monkeypatch.setattr(tempfile, name, refuse)
    body = GOOD + b"# x\n" * 1_000_000
    with serving(real) as (client, _):
        assert client.post("/validate?format=json", files={"file": ("x.ttl", body)}).json()["conforms"]


@pytest.mark.parametrize(
    "body",
    [
        b"@prefix e: <http://e/> .\ne:a <http://www.w3.org/2002/07/owl#imports> <http://127.0.0.1:9/> .",
        b"@prefix sh: <http://www.w3.org/ns/shacl#> .\n<http://e/s> a sh:NodeShape ; sh:targetNode <http://e/a> ; "
        b'sh:sparql [ sh:select "SELECT $this WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }" ] .',
        b"<http://e/a> a <http://e/B> . <http://e/B> <http://www.w3.org/2000/01/rdf-schema#subClassOf> <http://e/B> .",
    ],
    ids=["imports", "shapes-of-its-own", "class-cycle"],
)
def test_documents_that_would_make_a_validator_work_for_them(service: httpx.Client, body: bytes) -> None:
    began = time.monotonic()
    answer = post(service, body)
    assert answer.status_code == 200
    assert answer.json()["conforms"]
    assert time.monotonic() - began < Settings().validate_seconds


def test_markup_in_a_document_stays_text(service: httpx.Client) -> None:
    body = f'<http://e/a> <{iris.ONTOLOGY}#jurisdiction> "<script>alert(1)</script>" .'.encode()
    for text in (
        post(service, body, "format=html&lang=en").text,
        post(service, b"<script>", "format=html&lang=en").text,
    ):
        assert "<script>alert" not in text
        assert "&lt;script&gt;" in text


def test_long_and_strange_values_are_shown_in_part(service: httpx.Client) -> None:
    long = f'<http://e/a> <{iris.ONTOLOGY}#jurisdiction> "{"x" * 100_000}" .'.encode()
    # The form contains the document exactly once.
    assert len(post(service, long, "format=html&lang=en").text) < 130_000
    assert len(post(service, long, "format=text").text) < 1_000
    strange = f'<http://e/a> <{iris.ONTOLOGY}#jurisdiction> "\\u0001" .'.encode()
    assert post(service, strange, "format=ttl").status_code == 200
    assert post(service, strange, "format=rdf").status_code == 406


# ---- the page ----


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_page_reads_in_both_languages(service: httpx.Client, language: str) -> None:
    html = {"accept": "text/html"}
    form = service.get(f"/validate?lang={language}", headers=html).text
    verdict = {"ja": ("適合しています", "適合していません"), "en": ("The data conforms", "The data does not conform")}[
        language
    ]
    assert verdict[0] not in form
    for body, expected in zip((GOOD, WRONG), verdict, strict=True):
        page = service.post(f"/validate?lang={language}", files={"file": ("x.ttl", body)}, headers=html)
        assert page.status_code == 200
        assert page.headers["content-language"] == language
        assert expected in page.text
    assert ("事業には実施、所管または担当の主体が必要です" in page.text) == (language == "ja")
    assert "<mark>   32      kg:citedDocument law:ai-actt .</mark>" in page.text
    broken = service.post(f"/validate?lang={language}", files={"text": (None, "<a> <b")}, headers=html)
    assert broken.status_code == 400
    assert {"ja": "読み込めませんでした", "en": "The data could not be read"}[language] in broken.text
    assert "&lt;a&gt; &lt;b</textarea>" in broken.text


def test_the_form_sends_a_reader_to_a_language(service: httpx.Client) -> None:
    moved = service.get("/validate", headers={"accept": "text/html", "accept-language": "ja"})
    assert (moved.status_code, moved.headers["location"]) == (302, "/validate?lang=ja")


# ---- the command ----


@pytest.fixture(scope="module")
def folder(real: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("partner")


def validate(real: Release, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_kg(ROOT, "validate", "--release", str(real.directory), *arguments)


def test_the_command_says_by_its_exit_code_what_it_found(real: Release, folder: Path) -> None:
    good, wrong = PARTNER / "good.ttl", PARTNER / "wrong.ttl"
    result = validate(real, str(good))
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == f"{good}: conforms: 15 statements, 5 links, 0 dead, 0 violations, 0 warnings\n"
    result = validate(real, str(good), str(wrong), "--lang", "ja")
    assert result.returncode == 1
    told = [re.sub(r"_:[0-9a-f]{20,}", "_:b", line) for line in result.stdout.splitlines()]
    assert told == [f"{wrong}:{line}" for line in EXPECTED["wrong.ja"]]
    broken = folder / "broken.ttl"
    broken.write_text("@prefix ex: <http://e/> .\nex:a fo:p 1 .\n")
    result = validate(real, str(broken), str(wrong))
    assert result.returncode == 2
    assert result.stderr.startswith(f"{broken}:2:6: error: The prefix fo: has not been declared\n")


def test_the_command_writes_the_report_in_any_syntax(real: Release, folder: Path) -> None:
    for syntax in formats.RDF_FORMATS:
        path = folder / f"report.{syntax.name}"
        assert (
            validate(real, str(PARTNER / "wrong.ttl"), str(PARTNER / "good.ttl"), "--report", str(path)).returncode == 1
        )
        found = list(pyoxigraph.parse(path=str(path), format=syntax.syntax))
        assert sum(q.predicate.value == report.SH + "result" for q in found) == 12
    document = json.loads(validate(real, str(PARTNER / "wrong.ttl"), "--format", "json").stdout)
    assert document[str(PARTNER / "wrong.ttl")]["counts"]["Violation"] == 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("/nowhere.ttl",), "/nowhere.ttl: error: cannot be read: No such file or directory"),
        (("README.md",), "README.md: error: 'README.md' is not a known RDF syntax"),
        (("-",), "name it with --syntax"),
        (("x.ttl", "--format", "xlsx"), "--format: expected text or json, not 'xlsx'"),
        (("x.ttl", "--lang", "fr"), "--lang: expected en or ja, not 'fr'"),
        (("x.ttl", "--report", "report.docx"), "no RDF syntax has the ending of report.docx"),
        ((str(PARTNER / "good.ttl"), "--report", "/nowhere/r.ttl"), "cannot write /nowhere/r.ttl"),
        (("x.ttl", "--release", "/nowhere"), "/nowhere has no readable manifest.json"),
    ],
)
def test_the_command_cannot_do_without(real: Release, arguments: tuple[str, ...], message: str) -> None:
    result = validate(real, *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


# ---- the documented examples ----

BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "validating.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_the_examples_of_the_document_run(block: str, real: Release, real_server: str, tmp_path: Path) -> None:
    if "curl" in block and not shutil.which("curl"):
        assert not os.environ.get("CI"), "continuous integration has curl"
        pytest.skip("no curl on this machine")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ours.ttl").write_bytes(WRONG)
    (tmp_path / "kg").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m kg.cli "$@"\n')
    (tmp_path / "kg").chmod(0o755)
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("KG_")},
        "KG_PROJECT": str(ROOT),
        "KG_RELEASES": str(real.directory.parent),
    }
    shell = block.replace("http://127.0.0.1:8000", real_server)
    result = subprocess.run(
        ["bash", "-c", shell], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    expected = re.search(r"# exits with (\d+)", block)
    assert result.returncode == int(expected[1] if expected else 0), result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert (
        "12 violations" in result.stdout + result.stderr
        or '"Violation": 12' in result.stdout
        or "sh:conforms false" in result.stdout
    )


@pytest.mark.parametrize(
    "budgets",
    [
        "ex:p kg:budget ex:a , ex:b .",
        "ex:a kg:budgetOf ex:p . ex:b kg:budgetOf ex:p .",
        "ex:p kg:budget ex:a . ex:b kg:budgetOf ex:p .",
    ],
)
def test_two_budgets_of_a_year_are_found_whichever_way_they_are_stated(real_http: httpx.Client, budgets: str) -> None:
    each = f"kg:fiscalYear <{BASE.id}fiscal-year/2025> ; kg:budgetType <{BASE.id}vocabulary/budget-type/initial> ."
    text = f"""@prefix kg: <https://w3id.org/aikg/ontology#> . @prefix ex: <https://ministry.example/id/> .
    {budgets} ex:a {each} ex:b {each}"""
    found = post(real_http, text.encode()).json()["results"]
    assert "budget-repeated" in {result["rule"] for result in found}


TWO = b"""@prefix kg: <https://w3id.org/aikg/ontology#> . @prefix ex: <https://ministry.example/id/> .
@prefix id: <https://w3id.org/aikg/id/> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix budget: <https://w3id.org/aikg/id/vocabulary/budget-type/> .
@prefix year: <https://w3id.org/aikg/id/fiscal-year/> . @prefix dcterms: <http://purl.org/dc/terms/> .
ex:p kg:\xe8\xb2\xac\xe4\xbb\xbb\xe8\x80\x85 ex:x ;
  kg:mentions id:organization\\/riken , id:organization\\/rikenn .
ex:a a kg:BudgetAllocation ; kg:budgetOf ex:p ; kg:amount 100.0 , 200.0 ;
  kg:fiscalYear year:2025 ; kg:budgetType budget:initial .
ex:b kg:budgetOf ex:p ; kg:amount 300.0 ; kg:fiscalYear year:2025 ; kg:budgetType budget:initial .
ex:c dcterms:issued "20x6"^^xsd:gYear .
"""


@pytest.mark.parametrize(
    ("rule", "en", "ja"),
    [
        ("unknown-term", "did you mean 'kg:headedBy' (is headed by)", "「kg:headedBy」（責任者）"),
        ("dead-link", "'organization:riken' (RIKEN)", "「organization:riken」（理化学研究所）"),
        ("ill-typed-literal", "'20x6'^^xsd:gYear", "'20x6'^^xsd:gYear"),
        ("budget-repeated", "'200'^^xsd:decimal, '300'^^xsd:decimal", "'200'^^xsd:decimal, '300'^^xsd:decimal"),
        ("shape", "'100.0'^^xsd:decimal, '200.0'^^xsd:decimal", "'100.0'^^xsd:decimal, '200.0'^^xsd:decimal"),
    ],
)
def test_results_name_labels_datatypes_and_both_values(
    knowledge: validation.Knowledge, rule: str, en: str, ja: str
) -> None:
    for language, text in (("en", en), ("ja", ja)):
        told = [line for line in lines(TWO, knowledge, language=language) if line.endswith(f"[{rule}]")]
        assert any(text in line for line in told), told


def test_the_summary_counts_links_and_dead_ones(knowledge: validation.Knowledge) -> None:
    found = validation.check(TWO, intake.syntax_of("ttl"), RdfLimits(), knowledge)
    assert (found.links, found.dead) == (6, 1)
    assert "6 links, 1 dead" in report.summary(found, "f")
    assert report.as_json(found)["links"] == {"total": 6, "dead": 1}
    assert report.load(report.dump(found)) == found


def test_a_missing_language_tag_is_told_in_words_of_rdf(knowledge: validation.Knowledge) -> None:
    body = b'@prefix kg: <https://w3id.org/aikg/ontology#> . <urn:p> a kg:Programme ; skos:prefLabel "No tag" .'
    body = b"@prefix skos: <http://www.w3.org/2004/02/skos/core#> . " + body
    found = validation.check(body, intake.syntax_of("ttl"), RdfLimits(), knowledge, profile="japan")
    told = [result.messages for result in found.results]
    assert any("language tag ja" in messages["en"] and '"…"@ja' in messages["ja"] for messages in told), told
    assert not any("{ja:" in text for messages in told for text in messages.values())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ex:a ex:b ex:c\nex:d ex:e ex:f .", "ピリオド"),
        ("ex:a fo:p 1 .", "接頭辞「fo:」が宣言されていません"),
        ('ex:a "p" 1 .', "述語として読めません"),
        ("ex:a ex:p 「x」 .", "目的語として読めません"),
        ('ex:a ex:p "x .', "途中で終わっています"),
        ("ex:a ex:p <x y> .", "IRIに使えない文字"),
        ("ex:a ex:p <x> .", "相対IRI"),
    ],
)
def test_a_syntax_error_is_told_in_the_language_of_the_reader(service: httpx.Client, text: str, said: str) -> None:
    body = f"@prefix ex: <http://e/> .\n{text}\n".encode()
    assert said in post(service, body).json()["message"]["ja"]
    page = service.post(
        "/validate", files={"text": (None, body)}, headers={"accept": "text/html", "accept-language": "ja"}
    )
    assert said in page.text
