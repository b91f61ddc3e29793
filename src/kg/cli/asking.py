"""`kg query`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pyoxigraph import QueryBoolean, QuerySolutions
from rich.table import Table

from kg.cli.terminal import Releases, console, current, pair, releases_in
from kg.curation import builder
from kg.errors import KgError
from kg.project.location import project_root
from kg.rdf import formats, serialization
from kg.rdf.context import Context
from kg.release import store
from kg.release.entities import Entities
from kg.release.named_records import check as check_records
from kg.sparql import guard, library
from kg.sparql.diagnosis import diagnose


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
    root = project_root()
    context = builder.read_context(root)
    stored = _stored_query(source, root)
    values = dict(pair(p) for p in parameters or ())
    bound = library.bind(stored, values, context)
    guard.read(stored.text)
    opened = store.open_release(current(releases_in(out)))
    entities = Entities(opened.store, opened.manifest.base_iri, {}, opened.manifest.is_merged)
    check_records({name: bound[name] for name in values}, entities, context)
    try:
        result = opened.store.query(library.fill(stored.text, bound), prefixes=context.prefixes)
    except SyntaxError as error:
        raise KgError(f"{source}: {diagnose(stored.text, error)}") from error
    _print_result(result, output, context)


def _stored_query(source: str, root: Path) -> library.StoredQuery:
    if source == "-":
        return _plain_query("-", sys.stdin.read())
    if "{" in source:
        raise KgError("give the text of a query on standard input: kg query - < FILE")
    path = Path(source)
    if path.is_file():
        text = path.read_text(encoding="utf-8")
        return library.read(path) if "#+" in text else _plain_query(path.stem, text)
    return library.find(library.library(root), source)


def _plain_query(name: str, text: str) -> library.StoredQuery:
    return library.StoredQuery(name, {}, {}, (), (), {}, {}, (), text)


def _print_result(result: Any, output: str, context: Context) -> None:
    if isinstance(result, QuerySolutions) and output == "table":
        table = Table(box=None, header_style="bold", pad_edge=False)
        for variable in result.variables:
            table.add_column(variable.value, overflow="fold")
        for row in result:
            table.add_row(*(_cell(value, context) for value in row))
        console.print(table)
    elif isinstance(result, QueryBoolean) and output == "table":
        console.print("yes" if result else "no")
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
