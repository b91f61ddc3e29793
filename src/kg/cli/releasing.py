"""Commands on releases: make one of files, dump, publish, compare."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from kg.build import pipeline
from kg.cli.terminal import Releases, check_base, console, current, err, releases_in
from kg.curation import builder
from kg.engines import endpoint
from kg.engines.endpoint import Options
from kg.errors import KgError
from kg.project.location import project_root
from kg.project.reading import read_project
from kg.publishing import publication
from kg.rdf import formats, serialization
from kg.release import changes, store

# Enough time to rename a graph of any size.
_PUBLISH_SECONDS = 3_600.0


def release(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE…", help="RDF files of any syntax, .gz included.")
    ] = None,
    base_iri: Annotated[
        str,
        typer.Option(
            help="The base of the IRIs that get pages; must end in '/'.", show_default="the base in site.yaml"
        ),
    ] = "",
    merged: Annotated[
        bool, typer.Option("--merged", help="Merge the named graphs into the default graph, as a build does.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Make nothing: check every file of these releases, or the current one.")
    ] = False,
    out: Releases = None,
) -> None:
    """Make a release of any RDF files as they are, unchecked: to preview a dataset, to run a conformance suite."""
    if verify:
        for directory in files or [current(releases_in(out))]:
            _verify(directory)
        return
    if not files:
        raise KgError("expected the RDF files to make a release of")
    project = read_project(project_root())
    base_iri = base_iri or project.base.iri
    check_base(base_iri)
    context = builder.read_context(project.root)
    directory = pipeline.release_from_files(
        files, releases_in(out), base_iri, context.prefixes, is_merged=merged, project=project
    )
    manifest = store.read_manifest(directory)
    console.print(f"{manifest.quads:,} quads in {len(manifest.graphs):,} named graphs: {directory}", markup=False)


def _verify(directory: Path) -> None:
    """Checks the files of a release; raises `BrokenRelease`."""
    has_checksums = store.verify(directory)
    manifest = store.read_manifest(directory)
    what = f"{len(manifest.files)} files" if has_checksums else "the dataset (an earlier version made this release)"
    console.print(f"{what} of release {manifest.id[:16]} are as they were written", markup=False)


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
    opened = store.open_release(current(releases_in(out)))
    every = opened.store.quads_for_pattern(None, None, None, None)
    quads = [q for q in every if (str(q.graph_name) != "DEFAULT") == rdf.has_graphs]
    body = serialization.to_bytes(quads if rdf.has_graphs else [q.triple for q in quads], rdf)
    if file:
        try:
            file.write_bytes(body)
        except OSError as error:
            raise store.unwritable(file, error) from error
    else:
        sys.stdout.buffer.write(body)


def publish(
    to: Annotated[str, typer.Option(metavar="URL", help="The query endpoint of the engine.")],
    update_url: Annotated[str, typer.Option(help="Where it takes updates, if not beside that.")] = "",
    graphs_url: Annotated[str, typer.Option(help="Where its graphs are (Graph Store Protocol), if not there.")] = "",
    out: Releases = None,
) -> None:
    """Load the current release into a remote engine, read it back, and make it what 'kg serve --store URL' serves.

    Goes on where it stopped when it was interrupted: the same command again. User and password are KG_REMOTE_USER and
    KG_REMOTE_PASSWORD.
    """
    options = Options(endpoint.check_url(to), read_seconds=_PUBLISH_SECONDS)
    target = publication.Target(options, update_url, graphs_url)
    with Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=err) as progress:
        bars: dict[str, Any] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in bars:
                bars[stage] = progress.add_task(stage)
            progress.update(bars[stage], completed=done, total=total)

        outcome = publication.publish(current(releases_in(out)), target, report)
    told = f"release {outcome.release[:16]}, {outcome.graphs:,} graphs"
    if outcome.is_new:
        told += f": {outcome.sent:,} triples sent, {outcome.found:,} there already, all read back"
    console.print(told if outcome.is_new else f"{told}: held already", markup=False)


def diff(
    old: Annotated[str, typer.Argument(help="A release: its folder, or its name among those kept.")],
    new: Annotated[str, typer.Argument(help="The release to compare with it.")] = "current",
    out: Releases = None,
) -> None:
    """Show which facts one release has and the other has not, as N-Quads: + added, - removed."""
    folders = []
    for name in (old, new):
        folder = Path(name) if Path(name).is_dir() else releases_in(out) / name
        if not folder.is_dir():
            kept = ", ".join(sorted(p.name for p in releases_in(out).glob("[0-9a-f]*"))) or "none"
            raise KgError(f"no release is called '{name}'; kept are {kept}")
        folders.append(folder)
    found = changes.between(*folders)
    for mark, lines in (("-", found.removed), ("+", found.added)):
        for line in lines:
            typer.echo(f"{mark} {line}")
    typer.echo(f"{len(found.added)} added, {len(found.removed)} removed, {len(found.records)} records", err=True)
