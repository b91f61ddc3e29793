"""Partners' datasets: what they may state, how they are kept apart, and every kind of error."""

from __future__ import annotations

import csv
import gzip
import hashlib
import http.server
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from conftest import Server
from dataset import BASE, PROJECT, ROOT, SHARED, Data
from projects import copy_project, make_project, run_kg
from pyoxigraph import DefaultGraph, NamedNode, QuerySolutions, RdfFormat, Store, parse

from api.app import create_app
from api.settings import Settings
from kg.build import pipeline
from kg.curation import builder
from kg.partners import datasets
from kg.partners.datasets import Partners
from kg.partners.fetch import FetchLimits
from kg.project.reading import read_project
from kg.rdf import iris
from kg.rdf.terms import value
from kg.release import catalogue, dataset_record, store

DESCRIPTION = """\
title: {ja: 連携, en: A ministry's data}
description: {ja: 説明。, en: What it is.}
linking: {ja: 名寄せによる。, en: By name and number.}
publisher:
  name: {ja: ある省, en: A ministry}
  homepage: https://ministry.example.jp/
license: https://creativecommons.org/licenses/by/4.0/
homepage: https://ministry.example.jp/data
contact: mailto:data@ministry.example.jp
distribution: https://ministry.example.jp/links.ttl
"""
BESIDE = DESCRIPTION + "file: links.ttl\n"
LINKS = """\
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix programme: <https://w3id.org/aikg/id/programme/> .
@prefix law: <https://w3id.org/aikg/id/law/> .

<https://ministry.example.jp/1>
    skos:prefLabel "事業一"@ja ;
    skos:exactMatch programme:example .
<#row-2> skos:closeMatch law:act .
"""
GRAPH = BASE.partner + "ministry"
FILE = "data/partners/ministry/dataset.yaml"
RDF = "data/partners/ministry/links.ttl"


def load(folder: Path, files: Mapping[str, str | bytes], name: str = "ministry", **limits: Any) -> Partners:
    """Loads a partner's folder together with the small project."""
    project = make_project(folder / "project")
    write(project, files, name)
    limits.setdefault("cache", folder / "cache")
    return datasets.load(read_project(project), ours(project), FetchLimits(**limits))


def write(project: Path, files: Mapping[str, str | bytes], name: str = "ministry") -> None:
    for file, text in files.items():
        path = project / "data" / "partners" / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


def ours(project: Path) -> list[Any]:
    return [
        *builder.asserted_quads(builder.read_all(read_project(project))),
        *builder.ontology_quads(read_project(project)),
    ]


def told(found: Partners) -> list[str]:
    assert all(p.is_warning for p in found.problems)
    return [str(p).replace("warning: ", "") for p in found.problems]


# ---- valid dataset ----


def test_a_dataset_stands_in_its_own_graph_with_its_evidence(tmp_path: Path) -> None:
    found = load(tmp_path, {"dataset.yaml": BESIDE, "links.ttl": LINKS})
    assert (found.problems, found.joined, found.left_out, found.links) == ([], ["ministry"], [], 2)
    stated = {(value(q.subject), value(q.object)) for q in found.quads if q.graph_name == NamedNode(GRAPH)}
    assert stated == {
        ("https://ministry.example.jp/1", "事業一"),
        ("https://ministry.example.jp/1", BASE.id + "programme/example"),
        (GRAPH + "#row-2", BASE.id + "law/act"),
    }
    about = [q for q in found.quads if q.graph_name == NamedNode(BASE.about)]
    evidence = {value(q.subject): value(q.object) for q in about if q.predicate.value == iris.PRIMARY_SOURCE}
    assert evidence == {GRAPH: BASE.id + "source/partner/ministry"}
    assert len(about) + 3 == len(found.quads)
    texts = {value(q.object) for q in about}
    for text in (
        "A ministry's data",
        "連携",
        "mailto:data@ministry.example.jp",
        "https://ministry.example.jp/links.ttl",
    ):
        assert text in texts


@pytest.mark.parametrize("syntax", ["nt", "jsonld", "rdf", "ttl.gz"])
def test_every_syntax_is_read(syntax: str, tmp_path: Path) -> None:
    memory = Store()
    memory.load(LINKS, format=RdfFormat.TURTLE, base_iri=GRAPH)
    chosen = {"nt": RdfFormat.N_TRIPLES, "jsonld": RdfFormat.JSON_LD, "rdf": RdfFormat.RDF_XML}.get(syntax)
    body = gzip.compress(LINKS.encode()) if chosen is None else memory.dump(format=chosen, from_graph=DefaultGraph())
    assert body is not None
    found = load(tmp_path, {"dataset.yaml": DESCRIPTION + f"file: links.{syntax}\n", f"links.{syntax}": body})
    assert told(found) == []
    assert found.links == 2


def test_literals_are_as_a_store_keeps_them(tmp_path: Path) -> None:
    text = LINKS + '<#x> skos:notation "01"^^<http://www.w3.org/2001/XMLSchema#integer> , 1 ; skos:note "x"@EN .\n'
    found = load(tmp_path, {"dataset.yaml": BESIDE, "links.ttl": text})
    notes = sorted(str(q.object) for q in found.quads if value(q.subject) == GRAPH + "#x")
    assert notes == ['"1"^^<http://www.w3.org/2001/XMLSchema#integer>', '"x"@en']


def test_a_build_under_another_base_takes_links_to_either(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    base = "https://kg.example.go.jp/"
    text = LINKS + f"<https://ministry.example.jp/3> skos:closeMatch <{base}id/law/act> .\n"
    write(project, {"dataset.yaml": BESIDE, "links.ttl": text})
    found = datasets.load(read_project(project), ours(project), FetchLimits(), base=base)
    assert (told(found), found.links) == ([], 3)
    moved = builder.rebase(found.quads, BASE, base)
    assert {value(q.graph_name) for q in moved} == {f"{base}graph/partner/ministry", f"{base}graph/about"}


# ---- errors ----

UNKNOWN_KEY = f"{FILE}:7:1: unknown key 'licence'; did you mean 'license'? [unknown-key]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BESIDE.replace("license:", "licence:"), [UNKNOWN_KEY, f"{FILE}:1:1: 'license' is missing [missing-key]"]),
        (
            BESIDE.replace("name: {ja", "nam: {ja"),
            [
                f"{FILE}:5:3: unknown key 'nam'; did you mean 'name'? [unknown-key]",
                f"{FILE}:5:3: 'publisher' needs a 'name' [missing-key]",
            ],
        ),
        (BESIDE.replace(", en: What it is.", ""), [f"{FILE}:2:14: 'description' has no text in en [missing-language]"]),
        (
            BESIDE.replace("en: What", "fr: What"),
            [
                f"{FILE}:2:24: unknown key 'fr' [unknown-key]",
                f"{FILE}:2:14: 'description' has no text in en [missing-language]",
            ],
        ),
        (
            BESIDE.replace("title: {ja: 連携, en: A ministry's data}", "title: A ministry's data"),
            [f"{FILE}:1:8: 'title' needs a text in each language: {{ja: …, en: …}} [wrong-type]"],
        ),
        (
            BESIDE.replace("https://creativecommons.org/licenses/by/4.0/", "CC BY 4.0"),
            [f"{FILE}:7:10: 'CC BY 4.0' under 'license': expected a URL that begins with https:// [wrong-type]"],
        ),
        (
            BESIDE.replace("mailto:data@", "data@"),
            [
                f"{FILE}:9:10: 'data@ministry.example.jp' under 'contact': expected a URL that begins with mailto: "
                "[wrong-type]"
            ],
        ),
        (
            BESIDE.replace("file: links.ttl", "file: ../../law/act.yaml"),
            [
                f"{FILE}:11:7: '../../law/act.yaml' is not a file beside this one; expected a file name such as "
                "links.ttl [wrong-type]"
            ],
        ),
        (
            BESIDE.replace("links.ttl\n", "links.xlsx\n"),
            [
                f"{FILE}:11:7: 'links.xlsx' has no extension of an RDF syntax; expected one of .ttl, .jsonld, .nt, "
                ".rdf, .trig, .nq, optionally with .gz [wrong-type]"
            ],
        ),
        (
            DESCRIPTION,
            [
                f"{FILE}:1:1: give the location of the RDF: either 'file', for a file beside this one, or 'url' "
                "[missing-key]"
            ],
        ),
        (
            DESCRIPTION + "url: https://ministry.example.jp/links.ttl\n",
            [f"{FILE}:11:6: a 'url' needs a 'sha256', so that every build uses the same data [missing-key]"],
        ),
        (
            DESCRIPTION + "url: ftp://ministry.example.jp/links.ttl\nsha256: abc\n",
            [
                f"{FILE}:11:6: 'ftp://ministry.example.jp/links.ttl' under 'url': expected a URL that begins with "
                "https:// [wrong-type]",
                f"{FILE}:12:9: 'sha256' needs 64 hexadecimal digits, as printed by 'sha256sum' [wrong-type]",
            ],
        ),
        (BESIDE + "file: again.ttl\n", [f"{FILE}:12:1: 'file' stands on line 11 already; use a list [duplicate-key]"]),
        (BESIDE.replace("{ja: 連携", "{ja: &a 連携"), None),
        ("title: [", None),
        ("", [f"{FILE}:1:1: the file is empty; expected a map that describes a dataset [empty]"]),
        ("- a\n", [f"{FILE}:1:1: expected a map that describes a dataset at the top of the file [shape]"]),
    ],
)
def test_a_bad_description(text: str, expected: list[str] | None, tmp_path: Path) -> None:
    found = load(tmp_path, {"dataset.yaml": text, "links.ttl": LINKS})
    assert (found.quads, found.left_out) == ([], ["ministry"])
    if expected is None:
        assert [p.rule for p in found.problems] in (["anchor"], ["syntax"])
        assert found.problems[0].line in (1, 2)
    else:
        assert told(found) == expected


def test_no_description(tmp_path: Path) -> None:
    found = load(tmp_path, {"links.ttl": LINKS})
    assert told(found) == [f"{FILE}: cannot be read: No such file or directory [readable]"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<a> <b> .\n", f"{RDF}:1:9: is not Turtle: "),
        (LINKS + "law:act skos:exactMatch <#row-2> .\n", f"{RDF}:9:1: a statement about <{BASE.id}law/act>, which a "),
        (
            LINKS.replace("<#row-2>", "<https://w3id.org/aikg/id/new/one>"),
            f"{RDF}:8:1: a statement about <{BASE.id}new/one>, which a partner may not describe",
        ),
        (
            "<https://w3id.org/aikg/ontology#Law> <http://www.w3.org/2000/01/rdf-schema#label> 'x' .",
            f"{RDF}:1:1: a statement about <{iris.ONTOLOGY}#Law>, which a partner may not describe",
        ),
        (
            LINKS + "skos:exactMatch skos:prefLabel '偽'@ja .\n",
            f"{RDF}:9:1: a statement about <http://www.w3.org/2004/02/skos/core#exactMatch>, which a partner",
        ),
        (
            f"<{BASE.partner}other#x> <http://www.w3.org/2002/07/owl#sameAs> <https://w3id.org/aikg/id/law/act> .",
            f"{RDF}:1:1: a statement about <{BASE.partner}other#x>, which a partner may not describe",
        ),
        (LINKS + "[] skos:closeMatch law:act .\n", f"{RDF}: a blank node is not accepted, beside <{BASE.id}law/act>"),
        ("# nothing\n", f"{RDF}: the RDF has no statements [partner-data]"),
        (
            "<urn:x:1> <urn:x:p> <https://w3id.org/aikg/id/law/acts> .",
            f"{RDF}:1:21: <{BASE.id}law/acts> does not exist in our data; did you mean '{BASE.id}law/act'?",
        ),
    ],
    ids=["syntax", "claim", "new", "term", "borrowed", "other", "blank", "empty", "dead"],
)
def test_bad_rdf_leaves_the_dataset_out(text: str, expected: str, tmp_path: Path) -> None:
    found = load(tmp_path, {"dataset.yaml": BESIDE, "links.ttl": text})
    assert (found.quads, found.left_out) == ([], ["ministry"])
    assert [line[: len(expected)] for line in told(found)] == [expected]


def test_the_remedy_of_a_claim_is_to_turn_it_round(tmp_path: Path) -> None:
    found = load(tmp_path, {"dataset.yaml": BESIDE, "links.ttl": LINKS + "law:act skos:exactMatch <#row-2> .\n"})
    assert "state the link from your side: <yours> <property> <ours>" in told(found)[0]


def test_named_graphs_and_triples_within_triples_are_not_taken(tmp_path: Path) -> None:
    found = load(
        tmp_path, {"dataset.yaml": DESCRIPTION + "file: l.nq\n", "l.nq": "<urn:x:1> <urn:x:p> <urn:x:o> <urn:x:g> ."}
    )
    assert "a named graph is not accepted: <urn:x:g>" in told(found)[0]
    nested = "<urn:x:1> <urn:x:p> <<( <urn:x:1> <urn:x:p> <urn:x:o> )>> ."
    assert "a triple within a triple" in told(load(tmp_path / "2", {"dataset.yaml": BESIDE, "links.ttl": nested}))[0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nested.nt", "<a:b> <a:c> " + "<<( <a:b> <a:c> " * 100_000 + '"1"' + ")>>" * 100_000 + " .\n"),
        ("nested.rdf", '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:a="urn:a:">'
         + '<a:C rdf:about="urn:x"><a:p>' * 100_000),
    ],
)  # fmt: skip
def test_what_breaks_the_parser_breaks_nothing_else(name: str, text: str, tmp_path: Path) -> None:
    start = time.monotonic()
    found = load(tmp_path, {"dataset.yaml": DESCRIPTION + f"file: {name}\n", name: text}, seconds=2)
    assert found.left_out == ["ministry"]
    assert "the parser broke down on it" in told(found)[0] or "takes longer than 2 s" in told(found)[0]
    assert time.monotonic() - start < 60


def test_memory_of_the_parser_is_bounded(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    text = (
        f'<!DOCTYPE r [<!ENTITY l0 "lol">{entities}]><rdf:RDF xmlns:a="urn:a:" '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><a:C><a:p>&l9;</a:p></a:C></rdf:RDF>'
    )
    found = load(tmp_path, {"dataset.yaml": DESCRIPTION + "file: l.rdf\n", "l.rdf": text}, memory_mb=300, seconds=20)
    assert found.left_out == ["ministry"]
    assert "the parser broke down on it" in told(found)[0]


def test_a_dead_link_alone_is_left_out(tmp_path: Path) -> None:
    text = LINKS + "<#row-3> skos:closeMatch law:akt ; <https://w3id.org/aikg/ontology#quots> law:act .\n"
    found = load(tmp_path, {"dataset.yaml": BESIDE, "links.ttl": text})
    assert (found.joined, found.links) == (["ministry"], 2)
    assert told(found) == [
        f"{RDF}:9:26: <{BASE.id}law/akt> does not exist in our data; did you mean '{BASE.id}law/act'?; "
        "the statements that use it are left out [dead-link]",
        f"{RDF}:9:36: <{iris.ONTOLOGY}#quots> does not exist in our data; did you mean '{iris.ONTOLOGY}#quotes'?; "
        "the statements that use it are left out [dead-link]",
    ]


def test_a_link_to_what_is_deprecated_stays_with_a_warning(tiny: store.Release, tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    text = f"<urn:x:1> <http://www.w3.org/2004/02/skos/core#closeMatch> <{BASE.id}concept/old-notion> ."
    write(project, {"dataset.yaml": BESIDE, "links.ttl": text})
    found = datasets.load(
        read_project(project), [q for q in tiny.store if isinstance(q.graph_name, NamedNode)], FetchLimits()
    )
    assert found.links == 1
    assert f"is deprecated; it is replaced by <{BASE.id}concept/new-notion> [deprecated-link]" in told(found)[0]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("<https://w3id.org/aikg/id/law/x{n}> skos:note 'x' .", "partner-claim"),
        ("<#x> skos:closeMatch law:x{n} .", "dead-link"),
    ],
)
def test_only_the_first_of_many_faults_are_listed(line: str, rule: str, tmp_path: Path) -> None:
    text = LINKS + "\n".join(line.replace("{n}", str(n)) for n in range(1_000))
    found = load(tmp_path, {"dataset.yaml": BESIDE, "links.ttl": text})
    assert [p.rule for p in found.problems] == [rule] * 21
    assert told(found)[-1] == f"{FILE}: the same problem occurs 980 more times [{rule}]"


def test_hidden_files_are_no_partners(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    datasets.folder(project).mkdir()
    (datasets.folder(project) / ".keep").touch()
    assert datasets.load(read_project(project), ours(project), FetchLimits()).problems == []


@pytest.mark.parametrize("name", ["Ministry", "the ministry", "ministry.jp"])
def test_a_folder_that_is_no_name(name: str, tmp_path: Path) -> None:
    found = load(tmp_path, {"dataset.yaml": BESIDE, "links.ttl": LINKS}, name)
    assert [p.rule for p in found.problems] == ["partner-name"]
    assert f"data/partners/{name}: a partner is a folder named in lower-case" in told(found)[0]


def test_a_name_that_a_source_of_ours_has(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    curated = (project / "data" / "source" / "curator.yaml").read_text(encoding="utf-8")
    clash = project / "data" / "source" / "partner" / "ministry.yaml"
    clash.parent.mkdir()
    clash.write_text(curated, encoding="utf-8")
    write(project, {"dataset.yaml": BESIDE, "links.ttl": LINKS})
    found = datasets.load(read_project(project), ours(project), FetchLimits())
    assert [p.rule for p in found.problems] == ["partner-name"]
    assert "the name 'ministry' is taken by one of our sources" in told(found)[0]


@pytest.mark.parametrize("target", ["ontology/core.ttl", "data/partners/other/links.ttl"])
def test_a_file_that_leads_out_of_the_folder(target: str, tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    write(project, {"dataset.yaml": BESIDE})
    write(project, {"dataset.yaml": BESIDE, "links.ttl": LINKS}, "other")
    (project / RDF).symlink_to(project / target)
    found = datasets.load(read_project(project), ours(project), FetchLimits())
    assert found.joined == ["other"]
    assert told(found) == [f"{FILE}:11:7: 'links.ttl' is outside the dataset's folder [partner-data]"]


@pytest.mark.parametrize(
    ("files", "limits", "expected"),
    [
        ({"links.ttl": LINKS}, {"max_bytes": 100}, "is larger than 100 bytes, the limit"),
        ({}, {}, "cannot be read: No such file or directory"),
        ({"links.ttl.gz": gzip.compress(b"#" * 10_000_000)}, {"max_bytes": 100_000}, "is larger than 100,000 bytes"),
        ({"links.ttl.gz": gzip.compress(LINKS.encode())[:-9]}, {}, "cannot be decompressed: it ends too early"),
        ({"links.ttl.gz": b"none"}, {}, "cannot be decompressed: "),
    ],
)
def test_files_that_cannot_be_had(
    files: dict[str, bytes], limits: dict[str, int], expected: str, tmp_path: Path
) -> None:
    name = next(iter(files), "links.ttl")
    found = load(tmp_path, {"dataset.yaml": DESCRIPTION + f"file: {name}\n", **files}, **limits)
    assert found.left_out == ["ministry"]
    assert told(found)[0].startswith(f"{FILE}:11:7: '{name}' {expected}")


def test_a_file_with_another_checksum(tmp_path: Path) -> None:
    wrong = f"{BESIDE}sha256: {'0' * 64}\n"
    assert "not the stated one" in told(load(tmp_path, {"dataset.yaml": wrong, "links.ttl": LINKS}))[0]


# ---- fetching ----

SHA256 = hashlib.sha256(LINKS.encode()).hexdigest()


class _Elsewhere(http.server.BaseHTTPRequestHandler):
    """A host with valid, invalid, redirected and missing responses."""

    asked: ClassVar[Counter[str]] = Counter()
    leave = threading.Event()

    def do_GET(self) -> None:
        kind = self.path.split("/")[1]
        self.asked[kind] += 1
        if kind == "to":
            self.send_response(302)
            left = int(self.path.split("/")[2])
            self.send_header("Location", f"/to/{left - 1}/links.ttl" if left > 1 else "/good/links.ttl")
            self.end_headers()
            return
        if kind in ("toftp", "missing"):
            self.send_response(302 if kind == "toftp" else 404)
            self.send_header("Location", "ftp://127.0.0.1/links.ttl")
            self.end_headers()
            return
        self.send_response(200)
        if kind == "coded":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        if kind == "good":
            self.wfile.write(LINKS.encode())
        while kind in ("drip", "flood") and not self.leave.wait(0.05 if kind == "drip" else 0):
            try:
                self.wfile.write(b"#" * (1 if kind == "drip" else 65_536))
            except OSError:
                return

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def host() -> Iterator[str]:
    _Elsewhere.asked.clear()
    _Elsewhere.leave.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        _Elsewhere.leave.set()
        server.shutdown()
        thread.join()


def fetched(address: str, sha256: str = SHA256) -> dict[str, str]:
    return {"dataset.yaml": f"{DESCRIPTION}url: {address}\nsha256: {sha256}\n"}


def test_what_is_fetched_is_kept(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    first = load(tmp_path / "1", fetched(f"{host}/good/links.ttl"), cache=tmp_path / "cache")
    again = load(tmp_path / "2", fetched(f"{host}/good/links.ttl"), cache=tmp_path / "cache")
    assert told(first) == told(again) == []
    assert set(first.quads) == set(again.quads)
    assert _Elsewhere.asked == {"good": 1}
    (tmp_path / "cache" / SHA256).write_bytes(b"damaged")
    assert told(load(tmp_path / "3", fetched(f"{host}/good/links.ttl"), cache=tmp_path / "cache")) == []
    assert _Elsewhere.asked == {"good": 2}


@pytest.mark.parametrize(
    ("path", "limits", "expected"),
    [
        ("missing", {}, "cannot be fetched: HTTP Error 404: Not Found"),
        ("to/3", {"redirects": 2}, "redirects more than 2 times"),
        ("toftp", {}, "redirects to 'ftp://127.0.0.1/links.ttl', which is neither http nor https"),
        ("drip", {"seconds": 0.5}, "did not arrive within 0.5 s"),
        ("flood", {"max_bytes": 1_000_000}, "is larger than 1,000,000 bytes"),
        ("coded", {}, "has the content coding 'gzip', which was not requested"),
    ],
)
def test_hosts_that_fail(
    path: str, limits: dict[str, Any], expected: str, host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    start = time.monotonic()
    found = load(tmp_path, fetched(f"{host}/{path}/links.ttl"), **limits)
    assert time.monotonic() - start < 60
    assert found.left_out == ["ministry"]
    assert told(found)[0].startswith(f"{FILE}:11:6: '{host}/{path}/links.ttl' {expected}")


def test_redirects_within_the_limit_are_followed(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    assert told(load(tmp_path, fetched(f"{host}/to/2/links.ttl"), redirects=2)) == []


def test_a_checksum_that_does_not_match(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    found = load(tmp_path, fetched(f"{host}/good/links.ttl", "0" * 64))
    assert f"has the SHA-256 {SHA256}, not the stated one" in told(found)[0]
    assert list((tmp_path / "cache").glob("*")) == []


def test_a_host_that_is_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with http.server.HTTPServer(("127.0.0.1", 0), _Elsewhere) as closed:
        port = closed.server_address[1]
    found = load(tmp_path, fetched(f"http://127.0.0.1:{port}/links.ttl"))
    assert "cannot be fetched: Connection refused" in told(found)[0]


def test_an_address_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "links.ttl").write_text(LINKS, encoding="utf-8")
    assert told(load(tmp_path, fetched(f"file://{tmp_path}/links.ttl"))) == []
    assert pipeline.check(tmp_path / "project") == []


def test_limits_come_from_the_environment(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KG_PARTNER_MAX_BYTES", "100")
    monkeypatch.setenv("KG_PARTNER_CACHE", str(tmp_path))
    limits = FetchLimits()
    assert (limits.max_bytes, limits.cache) == (100, tmp_path)
    project = copy_project(small, tmp_path / "project")
    write(project, {"dataset.yaml": BESIDE, "links.ttl": LINKS})
    built = pipeline.build(project, tmp_path / "releases")
    assert built.partners_left_out == ("ministry",)
    assert "is larger than 100 bytes" in built.warnings[0]


# ---- in the release ----


def test_a_broken_one_never_breaks_the_build(small: Path, tmp_path: Path) -> None:
    project = copy_project(small, tmp_path / "project")
    alone = store.open_release(store.current_directory(project / ".releases")).manifest.id
    write(project, {"dataset.yaml": BESIDE.replace("license:", "licence:"), "links.ttl": LINKS})
    result = run_kg(project, "build")
    assert result.returncode == 0
    assert UNKNOWN_KEY.replace(": unknown", ": warning: unknown") in result.stderr
    assert "left out" in result.stdout
    assert store.open_release(store.current_directory(project / ".releases")).manifest.id == alone
    assert not (project / "data" / "ttl" / "partner").exists()
    checked = run_kg(project, "check", str(project / FILE))
    assert checked.returncode == 0
    assert UNKNOWN_KEY.replace(": unknown", ": warning: unknown") in checked.stderr


def test_check_fetches_nothing(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    write(project, fetched("http://127.0.0.1:9/links.ttl"))
    found = [str(p) for p in pipeline.check(project)]
    assert len(found) == 1
    assert "has not been fetched yet; run 'kg build'" in found[0]


def test_partners_change_nothing_that_we_state_or_infer(small: Path, tmp_path: Path) -> None:
    project = copy_project(small, tmp_path / "project")
    alone = pipeline.build(project, tmp_path / "a")
    text = LINKS + (
        "<https://ministry.example.jp/1> a <https://w3id.org/aikg/ontology#Programme> ;\n"
        "  <https://w3id.org/aikg/ontology#quotes> law:act .\n"
        "<https://ministry.example.jp/P> <http://www.w3.org/2000/01/rdf-schema#subClassOf> <urn:x:Q> .\n"
    )
    write(project, {"dataset.yaml": BESIDE, "links.ttl": text})
    joined = pipeline.build(project, tmp_path / "b")
    assert (joined.partners, joined.links, joined.warnings) == (1, 3, [])
    assert (joined.asserted, joined.inferred) == (alone.asserted, alone.inferred)
    before, after = (store.open_release(store.current_directory(tmp_path / n)).store for n in "ab")
    # The catalogue describes the dataset as a whole, with the terms and the number of statements that partners have.
    described = {NamedNode(BASE.catalogue), DefaultGraph()}
    partner = {NamedNode(GRAPH), NamedNode(BASE.about), *described}
    assert {q for q in before if q.graph_name not in partner} == {q for q in after if q.graph_name not in partner}
    assert {q for q in before if q.graph_name not in described} <= set(after)
    catalogue_of = {q.triple for q in before if q.graph_name == NamedNode(BASE.catalogue)}
    merged = {q.triple for q in before if q.graph_name == DefaultGraph()} - catalogue_of
    assert merged <= {q.triple for q in after if q.graph_name == DefaultGraph()}


def test_two_builds_are_the_same_and_serving_needs_only_the_built_files(small: Path, tmp_path: Path) -> None:
    made = []
    for name in ("a", "b"):
        project = copy_project(small, tmp_path / name)
        write(project, {"dataset.yaml": BESIDE, "links.ttl": LINKS})
        pipeline.build(project, project / ".releases")
        files = {p.relative_to(project): p.read_bytes() for p in sorted((project / "data" / "ttl").rglob("*.ttl"))}
        made.append((store.current_directory(project / ".releases").name, files))
    assert made[0] == made[1]
    assert Path("data/ttl/partner/ministry.ttl") in made[0][1]
    assert pipeline.release_from_ttl(tmp_path / "a", tmp_path / "c").name == made[0][0]


def test_the_catalogue_lists_it_with_its_linksets(small: Path, tmp_path: Path) -> None:
    project = copy_project(small, tmp_path / "project")
    write(project, {"dataset.yaml": BESIDE, "links.ttl": LINKS})
    release = store.open_release(pipeline.build(project, tmp_path / "releases").release or tmp_path)
    quads = catalogue.describe(release, {}, read_project(project))
    described = Store()
    described.bulk_extend(quads)
    me = f"<{BASE.id}source/partner/ministry>"
    rows = described.query(
        f"""PREFIX void: <{dataset_record.VOID}> PREFIX dcat: <{dataset_record.DCAT}> PREFIX dcterms: <http://purl.org/dc/terms/>
        PREFIX foaf: <{dataset_record.FOAF}> PREFIX vcard: <{dataset_record.VCARD}>
        SELECT ?p ?n ?title ?mail {{ [] dcat:dataset {me} . {me} a dcat:Dataset ; dcterms:title ?title ;
          dcterms:license ?c ; dcterms:publisher/foaf:name "A ministry"@en ; dcat:contactPoint/vcard:hasEmail ?mail ;
          dcat:distribution/dcat:accessURL ?url ; dcat:landingPage ?page ; void:subset ?l .
          ?l a void:Linkset ; void:subjectsTarget {me} ; void:objectsTarget <{BASE.dataset}> ; void:linkPredicate ?p ;
          void:triples ?n FILTER(LANG(?title) = 'en') }}"""
    )
    assert isinstance(rows, QuerySolutions)
    skos, mail = "http://www.w3.org/2004/02/skos/core#", "mailto:data@ministry.example.jp"
    assert {tuple(value(v) for v in row) for row in rows} == {
        (skos + "closeMatch", "1", "A ministry's data", mail),
        (skos + "exactMatch", "1", "A ministry's data", mail),
    }


@pytest.fixture(scope="module")
def site(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("partners")
    project = copy_project(small, folder / "project")
    write(project, {"dataset.yaml": BESIDE, "links.ttl": LINKS})
    release = pipeline.build(project, folder / "releases").release
    assert release is not None
    with (
        Server(create_app(Settings(project=project), store.open_release(release))) as running,
        httpx.Client(base_url=running.url, trust_env=False, timeout=20) as client,
    ):
        client.headers["accept"] = "text/html"
        yield client


@pytest.mark.parametrize(
    ("language", "heading", "publisher"),
    [("en", "Linked from other datasets", "A ministry"), ("ja", "他のデータセットからのリンク", "ある省")],
)
def test_a_page_tells_who_links_to_it(site: httpx.Client, language: str, heading: str, publisher: str) -> None:
    page = site.get("/page/programme/example", params={"lang": language}).text
    section = page[page.index(heading) :].partition("</section>")[0]
    for text in (
        publisher,
        'href="https://creativecommons.org/licenses/by/4.0/"',
        f'href="/page/source/partner/ministry?lang={language}"',
        'href="https://ministry.example.jp/1"',
        f'class="ev k-r" href="/graph/partner/ministry?lang={language}"',
    ):
        assert text in section
    incoming = page[page.index('id="ui-incoming"') : page.index('id="ui-partners"')]
    assert "ministry.example.jp" not in incoming


def test_a_page_without_such_links_says_nothing_of_them(site: httpx.Client) -> None:
    assert "ui-partners" not in site.get("/page/place/japan", params={"lang": "en"}).text


def test_what_has_no_address_of_its_own_is_a_part_of_the_graphs_page(site: httpx.Client) -> None:
    page = site.get("/page/law/act", params={"lang": "en"}).text
    assert 'href="/graph/partner/ministry?lang=en#row-2"' in page
    assert 'id="row-2"' in site.get("/graph/partner/ministry", params={"lang": "en"}).text


def test_the_dataset_page_and_the_record_name_it(site: httpx.Client) -> None:
    assert 'href="/page/source/partner/ministry?lang=ja"' in site.get("/dataset", params={"lang": "ja"}).text
    assert "By name and number." in site.get("/page/source/partner/ministry", params={"lang": "en"}).text


def test_data_and_queries_say_whose_link_it_is(site: httpx.Client) -> None:
    quads = list(parse(site.get("/data/programme/example.nq").content, format=RdfFormat.N_QUADS))
    graphs = {value(q.graph_name) for q in quads if value(q.subject) == "https://ministry.example.jp/1"}
    assert graphs == {"", GRAPH}
    query = (
        f"SELECT ?g ?source {{ GRAPH ?g {{ ?s ?p <{BASE.id}programme/example> }} ?g <{iris.PRIMARY_SOURCE}> ?source "
    )
    query += f"FILTER(STRSTARTS(STR(?g), '{BASE.partner}')) }}"
    answer = site.get("/sparql", params={"query": query, "format": "csv"}).text.split()
    assert answer[1:] == [f"{GRAPH},{BASE.id}source/partner/ministry"]


# ---- the real partner ----


@pytest.mark.usefixtures("beside")
def test_the_real_one_says_what_the_identifiers_say(data: Data) -> None:
    """Every number and address of the example partner is in the list of identifiers."""
    graph = NamedNode(BASE.partner + "government-registers")
    quads = [q for q in data.everything if q.graph_name == graph]
    numbers = {value(q.object) for q in quads if q.predicate.value == "http://purl.org/dc/terms/identifier"}
    assert numbers == {"1612", "507AC0000000053", "507CO0000000281"}
    identifiers = SHARED / "identifiers.tsv"
    rows = [line.split("\t") for line in identifiers.read_text(encoding="utf-8").splitlines()]
    values = {row[4] for row in rows}
    assert {n for n in numbers if n.isdigit()} <= {row[4] for row in rows if row[3] == "rs-system"}
    for quad in quads:
        for term in (quad.subject, quad.object):
            iri = value(term) if isinstance(term, NamedNode) else ""
            if iri and not iri.startswith(BASE.iri):
                assert iri in values, iri


@pytest.mark.usefixtures("beside")
def test_the_project_review_says_what_its_table_says(data: Data) -> None:
    """Every project that has the number of a programme here is linked to it, with the figures of the table."""
    dcterms = "http://purl.org/dc/terms/"
    with (SHARED / "rs-projects-2025.tsv").open(encoding="utf-8", newline="") as file:
        table = {row["project_id"]: row for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}
    graph = BASE.partner + "project-review-2025"
    said: dict[str, dict[str, str]] = {}
    for quad in data.everything:
        if quad.graph_name == NamedNode(graph):
            said.setdefault(value(quad.subject), {}).setdefault(quad.predicate.value, value(quad.object))
    numbers = {
        value(q.object): value(q.subject) for q in data.everything if q.predicate.value.endswith("#reviewProjectId")
    }
    projects = {facts[f"{dcterms}identifier"]: iri for iri, facts in said.items() if f"{dcterms}identifier" in facts}
    assert projects.keys() == numbers.keys() & table.keys()
    for number, iri in projects.items():
        row, facts = table[number], said[iri]
        assert facts[f"{dcterms}subject"] == numbers[number]
        assert (facts[f"{graph}#startYear"], facts.get(f"{graph}#endYear", "")) == (row["start_year"], row["end_year"])
        # A project that began later has no budget and no execution in fiscal year 2024: 0 would be a figure.
        year = said.get(f"{iri}-2024", {})
        figures = (year.get(f"{graph}#budget", "0"), year.get(f"{graph}#executed", "0"))
        assert figures == (row["budget_yen"], row["executed_yen"])
        assert bool(year) == (row["category"] == "前年度事業")
        if year:
            assert (year[f"{dcterms}isPartOf"], year[f"{dcterms}subject"]) == (iri, numbers[number])
            assert year[f"{dcterms}temporal"] == f"{BASE.id}fiscal-year/2024"


def test_the_real_ones_are_part_of_this_checkout() -> None:
    found = datasets.load(PROJECT, ours(ROOT), FetchLimits(), offline=True)
    assert (told(found), found.links) == ([], 20)


@pytest.mark.parametrize(("language", "figure"), [("ja", "執行4,932,700,000円"), ("en", "executed 4,932,700,000 yen")])
def test_a_programme_shows_what_the_project_review_says(real_http: httpx.Client, language: str, figure: str) -> None:
    page = real_http.get(f"/page/programme/genai-transparency?lang={language}").text
    assert figure in page.partition('id="ui-partners"')[2]
    query = f"""SELECT ?programme (SUM(?yen) AS ?all) WHERE {{
        GRAPH <{BASE.partner}project-review-2025> {{
            ?year <http://purl.org/dc/terms/subject> ?programme ; <{BASE.partner}project-review-2025#executed> ?yen }}
        }} GROUP BY ?programme ORDER BY ?programme"""
    answer = real_http.get("/sparql", params={"query": query, "format": "csv"}).text.split()[1:]
    assert answer == [
        f"{BASE.id}programme/aip,3077187000",
        f"{BASE.id}programme/genai-transparency,4932700000",
        f"{BASE.id}programme/hpci,20837860000",
        f"{BASE.id}programme/research-data-ecosystem,1147807000",
    ]
