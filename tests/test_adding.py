"""The table "Adding things" of docs/architecture.md: each thing is added to a copy by touching exactly its files."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import servers
from projects import ROOT, environment, kg_command

pytestmark = pytest.mark.slow
_LEFT_OUT = shutil.ignore_patterns(".*", "node_modules", "__pycache__", "ttl")


def table() -> dict[str, tuple[str, ...]]:
    """What is added → the files that it touches, from the document."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text.partition("## Adding things\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|`]+) \| (`[^|]+) \|", section, re.MULTILINE)
    return {name: tuple(re.findall(r"`([^`]+)`", files)) for name, files in rows}


def stands_for(pattern: str, name: str) -> bool:
    """Whether a file of the table, with its CLASS, NAME or N, stands for a file."""
    return re.fullmatch(re.sub(r"CLASS|NAME|\bN\b", r"[\\w.-]+", pattern), name) is not None


@dataclass
class Copy:
    """A copy of the project that notes which files are written."""

    folder: Path
    touched: set[str] = field(default_factory=set)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.touched.add(name)

    def insert(self, name: str, after: str, text: str) -> None:
        """Inserts lines after the only place where a text stands."""
        old = (self.folder / name).read_text(encoding="utf-8")
        assert old.count(after) == 1, (name, after, old.count(after))
        self.write(name, old.replace(after, after + text))

    def append(self, name: str, text: str) -> None:
        self.write(name, (self.folder / name).read_text(encoding="utf-8") + text)

    def run(self, *command: str) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def generate(self, name: str, *command: str) -> None:
        """Runs a command that writes a file."""
        self.run(*command)
        self.touched.add(name)

    @property
    def environment(self) -> dict[str, str]:
        # Modules are imported from the copy, wherever the process runs.
        path = f"{self.folder / 'src'}:{self.folder}"
        return environment(self.folder, PYTHONPATH=path, PYTHONSAFEPATH="1")


# ---- adding ----


def a_record(copy: Copy) -> None:
    copy.write(
        "data/product/example-product.yaml",
        "curator:\n  type: Product\n  label: {ja: 例の製品, en: Example product}\n"
        "  description: {ja: 例。, en: An example.}\n",
    )


def a_class(copy: Copy) -> None:
    copy.append(
        "ontology/core.ttl",
        "\nkg:Gadget a owl:Class ;\n    rdfs:subClassOf kg:Product ;\n"
        '    rdfs:label "gadget"@en , "小物"@ja ;\n    skos:definition "A small product."@en , "小さな製品。"@ja ;\n'
        "    rdfs:isDefinedBy <https://w3id.org/aikg/ontology> .\n",
    )
    copy.insert(
        "ontology/context.jsonld",
        '  "Product": "kg:Product",\n',
        '  "Gadget": "kg:Gadget",\n  "gadget": {"@id": "https://w3id.org/aikg/id/gadget/", "@prefix": true},\n',
    )
    copy.generate("ontology/record.schema.json", *kg_command("schema"))
    copy.write(
        "data/gadget/example-gadget.yaml",
        "curator:\n  type: Gadget\n  label: {ja: 例の小物, en: Example gadget}\n"
        "  description: {ja: 例。, en: An example.}\n",
    )


def a_property(copy: Copy) -> None:
    copy.append(
        "ontology/core.ttl",
        "\nkg:worksWith a owl:ObjectProperty ;\n    rdfs:domain kg:Product ;\n    rdfs:range kg:Product ;\n"
        '    rdfs:label "works with"@en , "連携する製品"@ja ;\n'
        '    skos:definition "A product that this one works with."@en , "この製品と連携する製品。"@ja ;\n'
        "    rdfs:isDefinedBy <https://w3id.org/aikg/ontology> .\n",
    )
    copy.insert(
        "ontology/context.jsonld",
        '  "party": {"@id": "kg:party", "@type": "@id"},\n',
        '  "worksWith": {"@id": "kg:worksWith", "@type": "@id"},\n',
    )
    copy.generate("ontology/record.schema.json", *kg_command("schema"))


_QUERY = """#+ title: {en: "Example query", ja: "例のクエリ"}
#+ description: {en: "Agreements.", ja: "協定。"}
#+ columns: [agreement]
#+ tags: [organisations, list]
PREFIX kg: <https://w3id.org/aikg/ontology#>
SELECT ?agreement WHERE { ?agreement a kg:Agreement } ORDER BY ?agreement
"""


def a_stored_query(copy: Copy) -> None:
    copy.write("queries/example-query.rq", _QUERY)
    copy.write("tests/expected/example-query.json", '{"source": "L504", "rows": [["agreement:aisi-nii"]]}\n')


def a_card(copy: Copy) -> None:
    copy.write(
        "queries/cards/agreement.9-example-card.rq",
        '#+ title: {en: "Example card", ja: "例のカード"}\n#+ description: {en: "Parties.", ja: "当事者。"}\n'
        '#+ parameters: [{name: this, type: iri, default: "agreement:aisi-nii", label: {en: Record, ja: 項目}}]\n'
        "#+ columns: [party]\nPREFIX kg: <https://w3id.org/aikg/ontology#>\n"
        "SELECT ?party WHERE { ?this kg:party ?party } ORDER BY ?party\n",
    )


def a_list_order(copy: Copy) -> None:
    copy.write(
        "queries/lists/agreement.rq",
        '#+ title: {en: "Agreements", ja: "協定"}\n#+ description: {en: "Parties.", ja: "当事者とともに。"}\n'
        "#+ columns: [record, party]\nPREFIX kg: <https://w3id.org/aikg/ontology#>\n"
        "SELECT ?record ?party WHERE { ?record a kg:Agreement ; kg:party ?party } ORDER BY ?record ?party\n",
    )


def a_check(copy: Copy) -> None:
    copy.write(
        "queries/checks/example-check.rq",
        '#+ title: {en: "Party to itself", ja: "自らの当事者"}\n#+ description: {en: "Nothing is.", ja: "ない。"}\n'
        "#+ columns: [this]\nPREFIX kg: <https://w3id.org/aikg/ontology#>\n"
        "SELECT ?this WHERE { ?this kg:party ?this }\n",
    )
    copy.write(
        "tests/fixtures/invalid/checks/example-check.ttl",
        "@prefix kg: <https://w3id.org/aikg/ontology#> .\n"
        "<https://w3id.org/aikg/id/test/this> kg:party <https://w3id.org/aikg/id/test/this> .\n",
    )


def a_rule(copy: Copy) -> None:
    copy.write(
        "queries/rules/example-rule.rq",
        '#+ title: {en: "Example rule", ja: "例の規則"}\n'
        '#+ description: {en: "See the parties.", ja: "当事者を参照。"}\n'
        '#+ premises: "?x kg:party ?y"\n#+ columns: [subject, predicate, object]\n'
        "PREFIX kg: <https://w3id.org/aikg/ontology#>\nPREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>\n\n"
        "CONSTRUCT { ?x rdfs:seeAlso ?y } WHERE { ?x kg:party ?y }\n",
    )


def a_page(copy: Copy) -> None:
    copy.write(
        "api/pages/example_page.py",
        '''"""`/example-page`: an example."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from api.html.rendering import page
from api.http.route import PAGE, Cost, Router
from api.i18n import language

router = Router()


@router.get("/example-page", "An example", Cost.SMALL, gives=PAGE, in_sitemap=True, for_robots=False)
def show(request: Request) -> Response:
    """Greet the reader."""
    if moved := language.redirect(request):
        return moved
    return page(request, language.language_of(request), "example-page.html")
''',
    )
    copy.write(
        "api/templates/example-page.html",
        "{% extends \"base.html\" %}\n{% block title %}{{ t('example_page') }}{% endblock %}\n"
        "{% block main %}<h1>{{ t('example_page') }}</h1>{% endblock %}\n",
    )
    copy.write("api/texts/example-page.yaml", "example_page:\n  ja: '例のページ'\n  en: 'An example page'\n")
    copy.generate("docs/routes.md", sys.executable, "-m", "tools.routes")
    copy.write(
        "tests/test_example_page.py",
        'def test_the_page_is_served(http):\n    assert "An example page" in http.get("/example-page?lang=en").text\n',
    )


def an_output_format(copy: Copy) -> None:
    copy.insert(
        "src/kg/rdf/formats.py",
        '    Results("jsonl", "application/x-ndjson", "JSON Lines", QueryResultsFormat.JSON, "", style="lines"),\n',
        '    Results("sample", "text/x-sample", "Sample", QueryResultsFormat.TSV, ""),\n',
    )
    copy.generate("docs/routes.md", sys.executable, "-m", "tools.routes")


def a_chart(copy: Copy) -> None:
    copy.insert(
        "queries/agreements.rq",
        "#+ columns: [agreement, party]\n",
        "#+ chart: {type: graph, source: agreement, target: party, label: agreement}\n",
    )


def a_finding(copy: Copy) -> None:
    copy.insert(
        "queries/agreements.rq",
        "#+ columns: [agreement, party]\n",
        '#+ sentence:\n#+   answer: {en: "Example finding of {n}", ja: "例の結果{n}"}\n#+   row: {en: "", ja: ""}\n',
    )


def a_chart_page(copy: Copy) -> None:
    copy.insert(
        "site.yaml",
        "      queries: [timeline]\n",
        "    example-chart:\n      title: {ja: 例の図, en: Example charts}\n      lead: {ja: 例。, en: An example.}\n"
        "      queries: [agreements]\n",
    )


def a_command(copy: Copy) -> None:
    copy.write(
        "src/kg/cli/example.py",
        '"""An example."""\n\nfrom kg.cli.terminal import console\n\n\ndef greet() -> None:\n'
        '    """Greet."""\n    console.print("good day")\n',
    )
    copy.insert("src/kg/cli/commands.py", "_COMMANDS = {\n", '    "greet": "kg.cli.example:greet",\n')
    copy.append("docs/operations.md", "\n`kg greet` greets.\n")


def a_setting(copy: Copy) -> None:
    copy.insert(
        "api/settings.py",
        '    cache_mb: int = Field(64, ge=0, description="The size of the cache of answers, in MB.")\n',
        '    example_seconds: float = Field(3.0, gt=0, description="An example.")\n',
    )
    copy.insert(
        "docs/operations.md",
        "so an answer stays until it is evicted. |\n",
        "| `KG_EXAMPLE_SECONDS` | `3.0` | An example. |\n",
    )


def a_text(copy: Copy) -> None:
    copy.append("api/texts/pages.yaml", "example_text:\n  ja: '例の文'\n  en: 'An example text'\n")


def a_register(copy: Copy) -> None:
    copy.insert("site.yaml", "registers:\n", "  example-number:\n    written: ['example:(?P<value>\\d+)']\n")


def a_legal_form(copy: Copy) -> None:
    copy.insert("site.yaml", "legal-forms:\n", "  example-company:\n    names: [Beispiel GmbH]\n")


def a_dialect(copy: Copy) -> None:
    copy.insert(
        "src/kg/engines/dialects.py",
        "_MARKERS)\n",
        'EXAMPLE = Dialect("example", "update", False, True, ("timeout", 1), False, 20_000, frozenset(), _MARKERS)\n',
    )
    path = copy.folder / "src/kg/engines/dialects.py"
    copy.write(
        "src/kg/engines/dialects.py", path.read_text().replace("(STANDARD, VIRTUOSO)", "(STANDARD, VIRTUOSO, EXAMPLE)")
    )


ADDED: dict[str, Callable[[Copy], None]] = {
    "a curated record": a_record,
    "a class": a_class,
    "a property": a_property,
    "a stored query": a_stored_query,
    "a card": a_card,
    "the order of a list": a_list_order,
    "a check": a_check,
    "an inference rule": a_rule,
    "a page": a_page,
    "an output format": an_output_format,
    "a chart": a_chart,
    "the finding above a chart": a_finding,
    "a chart page": a_chart_page,
    "a command": a_command,
    "a setting": a_setting,
    "a text": a_text,
    "a register of identifiers": a_register,
    "a legal form": a_legal_form,
    "an engine dialect": a_dialect,
}


def test_the_table_names_what_is_added_here() -> None:
    assert list(table()) == list(ADDED)


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy with everything added, each by touching exactly the files of its row, and built."""
    folder = tmp_path_factory.mktemp("adding") / "project"
    shutil.copytree(ROOT, folder, ignore=_LEFT_OUT)
    whole = Copy(folder)
    for thing, patterns in table().items():
        copy = Copy(folder)
        ADDED[thing](copy)
        assert {p for p in patterns if not any(stands_for(p, name) for name in copy.touched)} == set(), thing
        assert {name for name in copy.touched if not any(stands_for(p, name) for p in patterns)} == set(), thing
    whole.run(*kg_command("build"))
    return whole


@pytest.fixture(scope="module")
def site(added: Copy) -> Iterator[httpx.Client]:
    """A server of the copy."""
    with servers.serve(added.folder / ".releases", **added.environment) as server, server.client() as client:
        yield client


def text_of(client: httpx.Client, path: str, **parameters: str) -> str:
    answer = client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text[:500]
    return answer.text


def test_data_is_served(site: httpx.Client) -> None:
    assert "Example product" in text_of(site, "/page/product/example-product", lang="en")
    assert "Example gadget" in text_of(site, "/id/gadget", lang="en", format="html")
    sitemap = text_of(site, "/sitemap.xml")
    assert all(path in sitemap for path in ("/page/product/example-product", "/id/gadget", "/queries/example-query"))
    ontology = text_of(site, "/ontology", lang="en", format="html")
    assert 'id="Gadget"' in ontology
    assert 'id="worksWith"' in ontology


def test_queries_are_served(site: httpx.Client) -> None:
    assert "agreement/aisi-nii" in text_of(site, "/queries/example-query", format="csv")
    assert "Example card" in text_of(site, "/page/agreement/aisi-nii", lang="en")
    assert "data-chart" in text_of(site, "/queries/agreements", lang="en", format="html")
    chart = text_of(site, "/charts/example-chart", lang="en")
    assert "Example charts" in chart
    assert "Example finding of" in chart
    assert "National Institute of Informatics" in text_of(site, "/id/agreement", lang="en", format="html")
    proof = text_of(
        site,
        "/explain",
        subject="agreement:aisi-nii",
        predicate="rdfs:seeAlso",
        object="organization:nii",
        format="json",
    )
    assert "example-rule" in proof


def test_a_page_is_found_everywhere(site: httpx.Client) -> None:
    assert "<h1>例のページ</h1>" in text_of(site, "/example-page", lang="ja")
    assert "<h1>An example page</h1>" in text_of(site, "/example-page", lang="en")
    assert "/example-page<" in text_of(site, "/sitemap.xml")
    assert "Disallow: /example-page?" in text_of(site, "/robots.txt")
    assert text_of(site, "/metrics").count('route="example-page"') > 0
    described = site.get("/openapi.json").json()["paths"]
    assert described["/example-page"]["get"]["x-cost"] == "small"
    assert "/queries/example-query" in described


def test_a_format_and_a_scheme_are_offered(site: httpx.Client) -> None:
    answer = site.get("/queries/example-query", headers={"accept": "text/x-sample"})
    assert answer.headers["content-type"].startswith("text/x-sample")
    assert answer.text == text_of(site, "/queries/example-query", format="sample")
    described = site.get("/openapi.json").json()["paths"]
    assert (
        "sample"
        in next(p for p in described["/sparql"]["get"]["parameters"] if p["name"] == "format")["schema"]["enum"]
    )
    assert site.get("/resolve", params={"iri": "example:7"}).json()["type"].endswith("unknown-identifier")
    assert site.get("/resolve", params={"iri": "7", "scheme": "example-number"}).status_code == 404


def test_what_runs_without_a_server(added: Copy) -> None:
    assert "good day" in added.run(*kg_command("greet"))
    assert "greet" in added.run(*kg_command("--help"))
    found = added.run(
        *(sys.executable, "-c"),
        "from api.i18n.texts import text; from api.settings import Settings; from kg.engines import dialects;"
        "print(Settings().example_seconds, text('en', 'example_text'), dialects.DIALECTS['example'].name)",
    )
    assert found == "3.0 An example text example\n"


def test_the_copy_passes_the_tests_that_watch_over_such_things(added: Copy) -> None:
    """Nothing but the files of the table is needed to make them pass."""
    chosen = {
        "example_page": ("the_page_is_served",),
        "shapes": ("check[example-check]", "every_check_has_a_fixture"),
        "competency": (
            *("header[example-query]", "every_answer_says_how_it_was_found[example-query]"),
            "every_question_has_an_answer_and_every_answer_a_question",
        ),
        "ontology": ("every_term_is_labelled_defined_and_at_home", "the_context_has_a_key_for_every_property_of_ours"),
        "docs": (
            *("every_command_is_documented", "every_setting_is_in_the_table_with_its_default"),
            *("the_table_of_routes_is_what_they_declare", "the_editor_schema_is_what_the_ontology_makes"),
        ),
    }
    tests = [f"tests/test_{name}.py::test_{test}" for name, group in chosen.items() for test in group]
    added.run(sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests)
