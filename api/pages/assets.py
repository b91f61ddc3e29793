"""`/static`: style sheets, scripts and vendored libraries, with compression and ETags like every other response."""

from __future__ import annotations

import mimetypes
from functools import cache
from pathlib import Path

from starlette.responses import Response

from api.http.responses import answer
from api.http.route import Cost, Router
from api.problems import Problem

router = Router()


@cache
def _files() -> dict[str, Path]:
    """All static files by path; nothing else can be requested."""
    folder = Path(__file__).parents[1] / "static"
    return {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}


@router.get("/static/{path:path}", "Style sheets and scripts", Cost.FIXED, statuses=(404,))
def static(path: str) -> Response:
    """A file that pages load."""
    if (found := _files().get(path)) is None:
        raise Problem(404, "not-found", f"no static file '{path[:100]}'")
    media_type = mimetypes.guess_type(path)[0] or "application/octet-stream"
    is_text = media_type.startswith("text/")
    return answer(found.read_bytes(), f"{media_type}; charset=utf-8" if is_text else media_type)
