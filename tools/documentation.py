"""An MkDocs hook: adds the Markdown at the top of the repository and the files that pages link to."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
# Pages outside docs/ and their names on the site.
_PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "CODE_OF_CONDUCT.md": "conduct.md",
}
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s#]+)(#[^)]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Adds pages and linked files from outside `docs/`."""
    linked: set[str] = set()
    for path in sorted((ROOT / "docs").glob("*.md")):
        linked |= _outside(path.read_text(encoding="utf-8"), "docs")
    for source, page in _PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        linked |= _outside(text, "")
        files.append(File.generated(config, page, content=_on_site(text, "").replace("](docs/", "](")))
    for name in sorted(linked):
        files.append(File.generated(config, f"files/{name}", content=(ROOT / name).read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Points links to files outside `docs/` at their place on the site."""
    return markdown if page.file.src_uri in _PAGES.values() else _on_site(markdown, "docs")


def _target(link: str, folder: str) -> str | None:
    """The path in the repository of a link outside `docs/`; None for any other link."""
    path = posixpath.normpath(posixpath.join(folder, link))
    return None if "://" in link or path.startswith(("docs/", "mailto:")) else path


def _outside(markdown: str, folder: str) -> set[str]:
    """The files, other than pages, that a page links to outside `docs/`."""
    targets = {_target(match[2], folder) for match in _LINK.finditer(markdown)}
    return {t for t in targets if t and not t.startswith(".") and t not in _PAGES and (ROOT / t).is_file()}


def _on_site(markdown: str, folder: str) -> str:
    """The page with its links outside `docs/` as they are on the site, where folders and dot files have no address."""

    def moved(match: re.Match[str]) -> str:
        target = _target(match[2], folder)
        if target is None:
            return match[0]
        if target.startswith(".") or (ROOT / target).is_dir():
            return match[1]
        return f"[{match[1]}]({_PAGES.get(target) or f'files/{target}'}{match[3] or ''})"

    return _LINK.sub(moved, markdown)
