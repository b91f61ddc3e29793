"""Writes `docs/routes.md`: the table of routes, from their declarations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from api.app import routes
from api.http.route import Cost, Route
from api.operations.openapi import format_names

FILE = Path(__file__).parents[1] / "docs" / "routes.md"
_HEAD = """# Routes

`.venv/bin/python -m tools.routes` writes this table from the declarations of the routes, each beside its function
(`api.http.route`). `/openapi.json` describes parameters and bodies; [http.md](http.md) is the introduction.

"""
_COSTS = """
`format=` accepts the names in the column *formats* if there are several; without it, `Accept` decides. Pages and feeds
accept `lang=`. *Listed* routes are in `/sitemap.xml`; `/robots.txt` excludes crawlers from those marked *no*.
`/reconcile` also exists below each language (`/en/reconcile`).

| cost | units | what a request costs |
|---|---|---|
"""


def document() -> str:
    """The whole file."""
    return _HEAD + "".join(_rows()) + _COSTS + "".join(f"| {c.label} | {c.units or ''} | {c.meaning} |\n" for c in Cost)


def _rows() -> Iterator[str]:
    yield "| route | | what | formats | cost | crawlers |\n|---|---|---|---|---|---|\n"
    for route in sorted(routes(), key=lambda route: (route.path, route.method)):
        yield _row(route)


def _row(route: Route) -> str:
    declared = route.declared
    names = " ".join(format_names(declared.gives)) or ", ".join(declared.gives)
    crawled = "listed" if declared.in_sitemap else ""
    if not declared.for_robots:
        crawled += ", no `?`" if crawled else "no"
    path = route.path.replace(":path}", "}")
    return f"| `{path}` | {route.method} | {declared.summary} | {names} | {declared.cost.label} | {crawled} |\n"


if __name__ == "__main__":
    FILE.write_text(document(), encoding="utf-8")
