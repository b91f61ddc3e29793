"""The `kg` command: the only place that prints and exits."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pyoxigraph import QueryBoolean, QuerySolutions
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from kg import (
    builder,
    changes,
    coverage,
    formats,
    generation,
    guard,
    iris,
    link,
    passages,
    pipeline,
    queries,
    schema,
    serialization,
    store,
    validator,
)
from kg.context import Context
from kg.diagnosis import diagnose
from kg.errors import BadParameter, KgError, NoRelease, Rejected

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A knowledge graph of Japan's AI and science policy: build it, check it, ask it, serve it.",
)
_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True, highlight=False)

Releases = Annotated[
    Path | None,
    typer.Option("--out", "--releases", help="Where releases are kept. [env: KG_RELEASES]", show_default=False),
]


def main() -> None:
    """Runs the command; every foreseen fault ends in its message and exit code 1."""
    try:
        app()
    except KgError as error:
        fail(error)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output has gone, as in `kg dump | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def fail(error: KgError) -> NoReturn:
    if isinstance(error, Rejected):
        for problem in error.problems:
            _err.print(str(problem), markup=False)
        _err.print(f"{len(error.problems)} problem(s); nothing was published", style="bold red")
    else:
        _err.print(f"kg: {error}", style="red", markup=False)
    sys.exit(1)


def _releases(chosen: Path | None) -> Path:
    return chosen or store.default_releases(iris.project_root())


@app.command()
def build(
    base_iri: Annotated[str, typer.Option(help="Publish under this base instead; must end in '/'.")] = iris.BASE,
    out: Releases = None,
) -> None:
    """Build the graph: YAML → checked → inferred → data/ttl and a release. Exits 1 with a report on any violation."""
    _check_base(base_iri)
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=_err, transient=True, disable=not _err.is_terminal) as progress:
        task = progress.add_task("start", total=len(pipeline.STAGES))

        def report(stage: str) -> None:
            progress.update(task, description=stage, completed=pipeline.STAGES.index(stage))
            if not _err.is_terminal:
                _err.print(f"{stage} …", markup=False)

        summary = pipeline.build(iris.project_root(), _releases(out), base=base_iri, report=report)
    _print_summary(summary)


def _check_base(iri: str) -> None:
    if not iri.startswith(("http://", "https://")) or not iri.endswith("/") or iris.ILLEGAL_IN_IRI.search(iri):
        raise KgError(f"--base-iri: '{iri}' is no base; expected something like https://example.go.jp/kg/")


def _print_summary(summary: pipeline.Summary) -> None:
    for warning in summary.warnings:
        _err.print(warning, style="yellow", markup=False)
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    unchanged = summary.records - summary.parsed
    table.add_row("records", f"{summary.records:,}" + (f", {unchanged:,} unchanged" if unchanged else ""))
    table.add_row("triples asserted", f"{summary.asserted:,}")
    table.add_row("triples inferred", f"{summary.inferred:,}")
    table.add_row("quads in all", f"{summary.quads:,}")
    if summary.partners or summary.partners_left_out:
        table.add_row("partner datasets", f"{summary.partners:,} with {summary.links:,} links")
    if summary.partners_left_out:
        table.add_row("left out", ", ".join(summary.partners_left_out))
    table.add_row("files changed in data/ttl", f"{summary.changed_files:,}")
    table.add_row("warnings", str(len(summary.warnings)) if summary.warnings else "none")
    total = sum(summary.seconds.values())
    table.add_row("time", f"{total:.1f} s (" + ", ".join(f"{k} {v:.1f}" for k, v in summary.seconds.items()) + ")")
    memory = f"{summary.peak_memory_mb:,.0f} MB (the OWL reasoner's own process: {summary.reasoner_memory_mb:,.0f} MB)"
    table.add_row("peak memory", memory)
    table.add_row("release", str(summary.release))
    _out.print(table)


@app.command()
def check(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Report only what concerns these files.", show_default=False)
    ] = None,
) -> None:
    """Check the curated files: the profile, references, shapes and query checks, without the OWL reasoner."""
    problems = pipeline.check(iris.project_root(), files)
    if any(not problem.is_warning for problem in problems):
        raise Rejected(problems)
    for problem in problems:
        _err.print(str(problem), style="yellow", markup=False)
    _out.print("no problems" if not problems else f"{len(problems)} warning(s)")


@app.command()
def release(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="RDF files of any syntax, .gz included.")],
    base_iri: Annotated[str, typer.Option(help="The base of the IRIs that get pages; must end in '/'.")] = iris.BASE,
    merged: Annotated[
        bool, typer.Option("--merged", help="Merge the named graphs into the default graph, as a build does.")
    ] = False,
    out: Releases = None,
) -> None:
    """Make a release of any RDF files as they are, unchecked: to preview a dataset, to run a conformance suite."""
    _check_base(base_iri)
    context = builder.read_context(iris.project_root())
    directory = pipeline.release_from_files(files, _releases(out), base_iri, context.prefixes, is_merged=merged)
    manifest = store.read_manifest(directory)
    _out.print(f"{manifest.quads:,} quads in {len(manifest.graphs):,} named graphs: {directory}", markup=False)


@app.command()
def generate(
    scale: Annotated[int, typer.Option(min=1, help="About how many triples, stated and inferred, each counted once.")],
    out: Annotated[Path, typer.Option(help="The folder to write into.")],
    output: Annotated[
        generation.Format, typer.Option("--format", "-f", help="The dataset as built, or a project to be built.")
    ] = "nq",
    seed: Annotated[int, typer.Option(min=0, help="Another number gives other data of the same shape.")] = 1,
) -> None:
    """Write data of any size in the shape of the real graph, for benchmarks: its records and copies of them."""
    path, triples = generation.generate(iris.project_root(), scale, out, output, seed)
    _out.print(f"{triples:,} triples: {path}", markup=False, highlight=False)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="HTTP processes, each with its own query workers.")] = 1,
    store_dir: Annotated[
        Path | None,
        typer.Option("--store", help="Serve this release, or this folder of releases.", show_default=False),
    ] = None,
    out: Releases = None,
) -> None:
    """Serve the current release: SPARQL, linked data and pages. Makes one first when there is none.

    A release that becomes current while it serves is gone over to; one that is broken is refused.
    """
    from api import server

    settings = server.read_settings()
    if store_dir is not None and (store_dir / "manifest.json").is_file():
        releases, directory = None, store_dir
    else:
        releases = store_dir or _releases(out)
        directory = store.current_directory(releases) if store_dir else _current(releases)
    opened = store.open_release(directory, settings.memory_quads)
    with _listen(host, port) as listener:
        address = f"[{host}]" if ":" in host else host
        where = f"http://{address}:{listener.getsockname()[1]}/"
        with contextlib.suppress(OSError):
            _err.print(f"serving release {opened.manifest.id[:16]} on {where}", markup=False)
        server.run(settings, opened, releases, listener, workers)


def _listen(host: str, port: int) -> socket.socket:
    """The socket at its place. It listens only when the server can answer: a balancer asks another one until then."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        return listener
    except OSError as error:
        listener.close()
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise KgError(f"cannot listen on {host}:{port}: {reason}; choose with --host and --port") from error


def _current(releases: Path) -> Path:
    try:
        return store.current_directory(releases)
    except NoRelease:
        _err.print("no release yet; making one", markup=False)
        root = iris.project_root()
        if (root / "data" / "ttl").is_dir():
            return pipeline.release_from_ttl(root, releases)
        built = pipeline.build(root, releases).release
        assert built is not None
        return built


@app.command()
def query(
    source: Annotated[
        str,
        typer.Argument(metavar="FILE|NAME|-", help="A query file, a name of the library, or - for standard input."),
    ],
    parameters: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME=VALUE]…", help="Parameters of a library query.", show_default=False),
    ] = None,
    output: Annotated[
        str,
        typer.Option("--format", "-f", help="table, csv, tsv, json, xml; for graphs ttl, nt, jsonld, rdf."),
    ] = "table",
    out: Releases = None,
) -> None:
    """Ask the current release. Without a name that exists, lists the nearest one."""
    root = iris.project_root()
    context = builder.read_context(root)
    stored = _stored_query(source, root)
    values = dict(_pair(p) for p in parameters or ())
    bound = queries.bind(stored, values, context)
    guard.read(stored.text)
    opened = store.open_release(_current(_releases(out)))
    try:
        result = opened.store.query(queries.fill(stored.text, bound), prefixes=context.prefixes)
    except SyntaxError as error:
        raise KgError(f"{source}: {diagnose(stored.text, error)}") from error
    _print_result(result, output, context)


def _stored_query(source: str, root: Path) -> queries.StoredQuery:
    if source == "-":
        return _plain_query("-", sys.stdin.read())
    path = Path(source)
    if path.is_file():
        text = path.read_text(encoding="utf-8")
        return queries.read(path) if "#+" in text else _plain_query(path.stem, text)
    return queries.find(queries.library(root), source)


def _plain_query(name: str, text: str) -> queries.StoredQuery:
    return queries.StoredQuery(name, {}, {}, (), (), {}, {}, (), text)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BadParameter(f"'{text}': expected NAME=VALUE")
    return name, value


def _print_result(result: Any, output: str, context: Context) -> None:
    if isinstance(result, QuerySolutions) and output == "table":
        table = Table(box=None, header_style="bold", pad_edge=False)
        for variable in result.variables:
            table.add_column(variable.value, overflow="fold")
        for row in result:
            table.add_row(*(_cell(value, context) for value in row))
        _out.print(table)
    elif isinstance(result, QueryBoolean) and output == "table":
        _out.print("yes" if result else "no")
    elif isinstance(result, (QuerySolutions, QueryBoolean)):
        chosen = formats.result_format(output)
        if chosen is None:
            raise KgError(
                f"no results format '{output}'; one of table, {', '.join(f.name for f in formats.RESULT_FORMATS)}"
            )
        sys.stdout.buffer.write(result.serialize(format=chosen.syntax) or b"")
    else:
        rdf = formats.rdf_format("ttl" if output == "table" else output)
        if rdf is None:
            raise KgError(f"no RDF format '{output}'; one of {', '.join(f.name for f in formats.RDF_FORMATS)}")
        triples = list(result)
        sys.stdout.buffer.write(serialization.to_bytes(triples, rdf, context.prefixes))


def _cell(term: Any, context: Context) -> str:
    value = getattr(term, "value", "") if term is not None else ""
    compact = context.compact(value) if "://" in value else value
    return compact.replace("[", "\\[")


@app.command()
def dump(
    output: Annotated[
        str, typer.Option("--format", "-f", help="nq, trig, or for the merged graph ttl, nt, jsonld, rdf.")
    ] = "nq",
    file: Annotated[
        Path | None, typer.Option("--file", help="Write here instead of standard output.", show_default=False)
    ] = None,
    out: Releases = None,
) -> None:
    """Write the whole dataset: named graphs as nq or trig, merged into one graph otherwise."""
    rdf = formats.rdf_format(output)
    if rdf is None:
        raise KgError(f"no RDF format '{output}'; one of {', '.join(f.name for f in formats.RDF_FORMATS)}")
    opened = store.open_release(_current(_releases(out)))
    quads = [q for q in opened.store if (str(q.graph_name) != "DEFAULT") == rdf.has_graphs]
    body = serialization.to_bytes(quads if rdf.has_graphs else [q.triple for q in quads], rdf)
    if file:
        try:
            file.write_bytes(body)
        except OSError as error:
            raise store.unwritable(file, error) from error
    else:
        sys.stdout.buffer.write(body)


@app.command("link")
def link_table(
    file: Annotated[Path, typer.Argument(help="A table: CSV, TSV or a workbook (.xlsx).")],
    column: Annotated[str, typer.Option(help="The column of names, by its name or its number.")],
    kind: Annotated[str, typer.Option(help="Only records of this class, such as organization.")] = "",
    properties: Annotated[
        list[str] | None,
        typer.Option(
            "--property", metavar="COLUMN=kg:NAME", help="A column that tells names apart.", show_default=False
        ),
    ] = None,
    subject: Annotated[
        str,
        typer.Option(metavar="COLUMN|TEMPLATE", help="What your rows are called: https://example.go.jp/id/{code}"),
    ] = "",
    folder: Annotated[
        Path | None, typer.Option("--out", help="Where to write; else beside the table.", show_default=False)
    ] = None,
    output: Annotated[str, typer.Option("--format", "-f", help="The linkset's syntax: ttl, nt or jsonld.")] = "ttl",
    sheet: Annotated[str, typer.Option(help="The sheet of a workbook; else the first.")] = "",
    encoding: Annotated[str, typer.Option(help="utf-8, utf-16, cp932 or euc-jp; else found out.")] = "",
    header: Annotated[bool, typer.Option(help="Whether the first row holds the names of the columns.")] = True,
    reviewer: Annotated[
        str, typer.Option("--reviewed-by", metavar="NAME", help="Take the links of a linked table as NAME left them.")
    ] = "",
    linkset: Annotated[str, typer.Option(help="The IRI that you will publish the linkset under.")] = "",
    dataset: Annotated[str, typer.Option(help="The IRI of your dataset.")] = "",
    releases: Annotated[
        Path | None, typer.Option("--releases", help="Where releases are kept. [env: KG_RELEASES]", show_default=False)
    ] = None,
) -> None:
    """Link a table to this dataset: FILE.linked.csv with URIs and reasons, and a linkset to publish.

    Goes on where it stopped when it was interrupted: the same command again.
    """
    syntax = formats.rdf_format(output)
    if syntax is None or syntax.name not in ("ttl", "nt", "jsonld"):
        raise KgError(f"--format: '{output}' is none of ttl, nt, jsonld")
    if reviewer and not subject:
        raise KgError("--reviewed-by: the linkset needs --subject, the column or template with the IRIs of your rows")
    pairs = tuple(_pair(p) for p in properties or ())
    order = link.Order(
        *(file, column, kind, pairs, subject, sheet, encoding, header, reviewer, linkset, dataset),
    )
    opened = store.open_release(_current(_releases(releases)))
    columns = (BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeElapsedColumn())
    with Progress(*columns, console=_err, transient=True, disable=not _err.is_terminal) as progress:
        task = progress.add_task("link", total=None)

        def report(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        try:
            outcome = link.run(opened, order, folder, syntax, report)
        except KeyboardInterrupt:
            _err.print("stopped; the same command goes on from there", markup=False)
            raise
    _print_outcome(outcome)


def _print_outcome(outcome: link.Outcome) -> None:
    if outcome.resumed:
        _out.print(f"went on after {outcome.resumed:,} rows of an interrupted run", markup=False)
    names = {"exact": "linked", "close": "closely linked", "review": "to be reviewed", "none": "no candidate"}
    found = ", ".join(f"{n:,} {names[state]}" for state, n in outcome.counts.items() if n or state != "close")
    _out.print(f"{sum(outcome.counts.values()):,} rows: {found}", markup=False, highlight=False)
    _out.print(f"table    {outcome.table}", markup=False, highlight=False)
    if outcome.linkset:
        _out.print(f"linkset  {outcome.linkset} ({outcome.links:,} links)", markup=False, highlight=False)
    else:
        _out.print(
            "linkset  none: say with --subject which column or template gives the IRIs of your rows", markup=False
        )


@app.command()
def diff(
    old: Annotated[str, typer.Argument(help="A release: its folder, or its name among those kept.")],
    new: Annotated[str, typer.Argument(help="The release to compare with it.")] = "current",
    out: Releases = None,
) -> None:
    """Show which facts one release has and the other has not, as N-Quads: + added, - removed."""
    folders = []
    for name in (old, new):
        folder = Path(name) if Path(name).is_dir() else _releases(out) / name
        if not folder.is_dir():
            kept = ", ".join(sorted(p.name for p in _releases(out).glob("[0-9a-f]*"))) or "none"
            raise KgError(f"no release is called '{name}'; kept are {kept}")
        folders.append(folder)
    found = changes.between(*folders)
    for mark, lines in (("-", found.removed), ("+", found.added)):
        for line in lines:
            typer.echo(f"{mark} {line}")
    typer.echo(f"{len(found.added)} added, {len(found.removed)} removed, {len(found.records)} records", err=True)


app.command("validate")(validator.command(lambda: _current(_releases(None))))


@app.command("passages")
def record_passages(
    text: Annotated[Path, typer.Argument(help="The text of the source, as its record's hash says.")],
    source: Annotated[str, typer.Option(help="The slug of the source.")] = "mext-2026-06-29",
) -> None:
    """Record the passages that the data cites: lines, section, position and SHA-256 of the text of each."""
    path = passages.record(iris.project_root(), source, text)
    _out.print(f"wrote {path}")


@app.command("coverage")
def write_coverage(out: Releases = None) -> None:
    """Write docs/coverage.md: for each kind of thing that the source states, its count there and in the graph."""
    root = iris.project_root()
    opened = store.open_release(_current(_releases(out)))
    rows = coverage.measure(opened.store, root)
    path = root / "docs" / "coverage.md"
    path.write_text(coverage.report(rows), encoding="utf-8")
    short = [row for row in rows if row.found < row.stated]
    _out.print(f"wrote {path}: {len(rows)} kinds, {len(short)} short")
    if short:
        raise KgError("; ".join(f"{row.title['en']}: {row.found} of {row.stated}" for row in short))


@app.command("conformance")
def check_conformance(
    url: Annotated[str, typer.Argument(help="The server to be checked.")] = "http://127.0.0.1:8000/",
    file: Annotated[
        Path | None, typer.Option("--file", help="Write the table here.", show_default="docs/conformance.md")
    ] = None,
) -> None:
    """Check a running server against the specifications and write docs/conformance.md. Exits 1 when a check fails."""
    from api import probe

    findings, software = probe.check(url)
    path = file or iris.project_root() / "docs" / "conformance.md"
    path.write_text(probe.report(findings, software), encoding="utf-8")
    failed = [f for f in findings if not f.passed]
    _out.print(f"wrote {path}: {len(findings)} checks, {len(failed)} failed", markup=False)
    if failed:
        raise KgError("; ".join(f"{f.check.name}: {f.detail}" for f in failed))


@app.command("schema")
def write_schema() -> None:
    """Write ontology/record.schema.json: what editors complete and check in curated files."""
    path = schema.write(iris.project_root())
    _out.print(f"wrote {path}")


if __name__ == "__main__":
    main()
