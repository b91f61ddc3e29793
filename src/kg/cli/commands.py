"""The `kg` command: finds the module of a command, runs it, and reports errors."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from kg.cli.terminal import err
from kg.errors import KgError, Rejected
from kg.project.location import SITE

if TYPE_CHECKING:
    from typer._click import Command, Context

# Each module is imported when its command is called, so that none waits for the libraries of another.
_COMMANDS = {
    "new": "kg.cli.projects:new",
    "build": "kg.cli.building:build",
    "check": "kg.cli.building:check",
    "serve": "kg.cli.serving:serve",
    "mcp": "kg.cli.agents:mcp",
    "query": "kg.cli.asking:query",
    "verify": "kg.cli.verifying:verify",
    "answers": "kg.cli.projects:check_answers",
    "dump": "kg.cli.releasing:dump",
    "release": "kg.cli.releasing:release",
    "generate": "tools.synthetic.command:generate",
    "publish": "kg.cli.releasing:publish",
    "diff": "kg.cli.releasing:diff",
    "link": "kg.cli.linking:link_table",
    "validate": "kg.cli.validating:validate",
    "passages": "kg.cli.upkeep:record_passages",
    "concordance": "kg.cli.upkeep:record_concordance",
    "coverage": "kg.cli.upkeep:write_coverage",
    "conformance": "kg.cli.upkeep:check_conformance",
    "schema": "kg.cli.upkeep:write_schema",
}


class Commands(typer.core.TyperGroup):
    """The group of all commands (Click, Lazily Loading Subcommands)."""

    def list_commands(self, ctx: Context) -> list[str]:
        return [name for name, place in _COMMANDS.items() if _is_installed(place)]

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        if cmd_name not in _COMMANDS:
            return None
        if not _is_installed(_COMMANDS[cmd_name]):
            raise KgError(f"'kg {cmd_name}' is not part of the installed package; run it from a checkout")
        module, _, function = _COMMANDS[cmd_name].partition(":")
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(cmd_name)(getattr(import_module(module), function))
        return typer.main.get_command(alone)


def _is_installed(place: str) -> bool:
    """Whether the package of a command is here: `tools` exists in a checkout only."""
    return find_spec(place.partition(".")[0]) is not None


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def kg(
    project: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The project to work on. [env: KG_PROJECT]", show_default="nearest site.yaml"),
    ] = None,
) -> None:
    """Build, check, query and serve a knowledge graph whose every fact names its source."""
    if project is not None:
        if not (project / SITE).is_file():
            raise KgError(f"--project: {project} has no {SITE}, so it is no project; 'kg new DIR' writes one")
        # By the environment, since child processes work on the same project.
        os.environ["KG_PROJECT"] = str(project.resolve())


def main() -> None:
    """Runs the command; expected errors end with their message and exit code 1."""
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
            err.print(str(problem), markup=False)
        err.print(f"{len(error.problems)} problem(s); nothing was published", style="bold red")
    else:
        err.print(f"kg: {error}", style="red", markup=False)
    sys.exit(1)
