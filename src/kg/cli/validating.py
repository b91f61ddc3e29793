"""`kg validate`: checks RDF files against the shapes and the current release."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from kg.cli.terminal import current, err, releases_in
from kg.errors import KgError, RdfFault
from kg.project import profiles
from kg.project.location import project_root
from kg.project.reading import read_project
from kg.rdf import formats, serialization
from kg.submitted import intake, report, syntax_words, validation
from kg.submitted.intake import RdfLimits
from kg.submitted.report import Report
from kg.submitted.validation import Knowledge

# Local files have no size limit, but a limit on nesting because of the parsers.
_LIMITS = RdfLimits(size=sys.maxsize, quads=sys.maxsize)
_UNUSABLE = 2


def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="RDF files; - for standard input.")],
    syntax: Annotated[str, typer.Option(help="The RDF syntax, where the ending of a file does not tell it.")] = "",
    output: Annotated[str, typer.Option("--format", "-f", help="What is printed: text, or json.")] = "text",
    profile: Annotated[
        str, typer.Option(help="What records must have: core, or the name of a profile in ontology/shapes.")
    ] = profiles.CORE,
    language: Annotated[str, typer.Option("--lang", help="The language of messages.")] = "en",
    report_file: Annotated[
        Path | None,
        typer.Option("--report", help="Write the SHACL report here, in the syntax of its ending.", show_default=False),
    ] = None,
    release: Annotated[
        Path | None, typer.Option(help="The folder of a release to check against.", show_default="current")
    ] = None,
) -> None:
    """Check RDF files against the shapes, the vocabulary and the records of the release.

    Exits with 0 when all conform, 1 on a violation, 2 when a file cannot be read.
    """
    try:
        rdf = _report_format(report_file, output, language, read_project(project_root()).languages)
        profiles.chosen(profiles.profiles(project_root()), profile)
        knowledge = Knowledge.open(project_root(), release or current(releases_in(None)))
    except KgError as error:
        _stop(error)
    found = {str(path): _checked(path, syntax, profile, knowledge, language) for path in files}
    told = {name: one for name, one in found.items() if one is not None}
    _print(told, output, language, knowledge)
    if report_file is not None and rdf is not None:
        statements: list[Any] = [q if rdf.has_graphs else q.triple for q in _joined(told)]
        prefixes = {**knowledge.context.prefixes, **report.PREFIXES}
        _write(report_file, serialization.to_bytes(statements, rdf, prefixes))
    if len(told) < len(found):
        raise typer.Exit(_UNUSABLE)
    if not all(one.conforms for one in told.values()):
        raise typer.Exit(1)


def _stop(error: KgError) -> NoReturn:
    err.print(f"kg: {error}", style="red", markup=False)
    raise typer.Exit(_UNUSABLE)


def _report_format(path: Path | None, output: str, language: str, languages: tuple[str, ...]) -> formats.Rdf | None:
    if output not in ("text", "json"):
        raise KgError(f"--format: expected text or json, not '{output}'; an RDF report is written by --report")
    if language not in ("en", *languages):
        spoken = " or ".join(dict.fromkeys(("en", *languages)))
        raise KgError(f"--lang: expected {spoken}, not '{language}'")
    rdf = formats.rdf_format(path.suffix.removeprefix(".")) if path else None
    if path is not None and rdf is None:
        known = ", ".join(f".{f.name}" for f in formats.RDF_FORMATS)
        raise KgError(f"--report: no RDF syntax has the ending of {path}; known are {known}")
    return rdf


def _checked(path: Path, syntax: str, profile: str, knowledge: Knowledge, language: str) -> Report | None:
    """The report of a file; None, after printing the reason, if it cannot be read."""
    name, place = str(path), str(path)
    try:
        chosen = intake.syntax_of(named=syntax, file_name=path.name)
        body = sys.stdin.buffer.read() if name == "-" else path.read_bytes()
        return validation.check(body, chosen, _LIMITS, knowledge, most=sys.maxsize, profile=profile)
    except RdfFault as error:
        place = (
            f"{name}:{error.line}:{error.column}" if error.column else f"{name}:{error.line}" if error.line else name
        )
        message = syntax_words.said_in(str(error), language) or str(error)
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
    except KgError as error:
        message = f"{error}; name it with --syntax"
    err.print(f"{place}: error: {message}", style="red", markup=False)
    return None


def _print(found: dict[str, Report], output: str, language: str, knowledge: Knowledge) -> None:
    if output == "json":
        documents = {name: report.as_json(one) for name, one in found.items()}
        typer.echo(json.dumps(documents, ensure_ascii=False, indent=1))
        return
    for name, one in found.items():
        for line in report.lines(one, name, knowledge.context, language):
            typer.echo(line)
        typer.echo(report.summary(one, name), err=True)


def _joined(found: dict[str, Report]) -> list[Any]:
    """The combined SHACL report of all files."""
    everything = [result for one in found.values() for result in one.results]
    counts: dict[str, int] = {s: sum(one.counts.get(s, 0) for one in found.values()) for s in report.SEVERITIES}
    return report.quads(Report("", 0, "", counts, tuple(everything)))


def _write(path: Path, body: bytes) -> None:
    try:
        path.write_bytes(body)
    except OSError as error:
        _stop(KgError(f"cannot write {path}: {error.strerror}"))
