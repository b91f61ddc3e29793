"""Rules about the source code that no linter of ours knows."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENGINES = {"Store", "EmbeddedStore", "RemoteStore"}


def _sources() -> Iterator[Path]:
    for tree in ("src/kg", "api", "tools"):
        yield from (ROOT / tree).rglob("*.py")


def _names(node: ast.AST) -> set[str]:
    return {
        n.id if isinstance(n, ast.Name) else n.attr for n in ast.walk(node) if isinstance(n, ast.Name | ast.Attribute)
    }


def test_nothing_tells_engines_apart_by_their_class() -> None:
    """What an engine needs or can do is asked of `kg.engines.backend.Backend`, so that another one fits in."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in _sources()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("isinstance", "issubclass")
        and _names(node.args[1]) & ENGINES
    ]
    assert not found


TREES = ("src/kg", "api")
# What each package has one of.
IN_MANY_PACKAGES = {"__init__", "router", "process"}


def _twice(named: Iterator[tuple[str, Path]]) -> dict[str, list[str]]:
    """The names that stand for more than one thing, and where."""
    places: dict[str, list[str]] = {}
    for name, path in named:
        places.setdefault(name, []).append(str(path.relative_to(ROOT)))
    return {name: found for name, found in places.items() if len(found) > 1}


def test_no_two_classes_share_a_name() -> None:
    assert not _twice(
        (node.name, path)
        for tree in TREES
        for path in (ROOT / tree).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )


def test_no_two_modules_share_a_name() -> None:
    paths = [path for tree in TREES for path in (ROOT / tree).rglob("*.py")]
    assert not _twice((path.stem, path) for path in paths if path.stem not in IN_MANY_PACKAGES)
