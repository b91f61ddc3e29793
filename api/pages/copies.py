"""`/source-texts`: by which hash a reader's own copy of a source is known, and the texts that the operator shows."""

from __future__ import annotations

from pyoxigraph import Literal
from starlette.requests import Request
from starlette.responses import Response

from api.http.responses import answer, json_answer
from api.http.route import JSON, Cost, Router
from api.problems import Problem
from api.site.site import site_of
from kg.rdf.namespaces import DCTERMS
from kg.rdf.terms import value
from kg.release.entities import PREF_LABEL

router = Router()
_TEXT = "text/plain"


@router.get("/source-texts", "The texts of the sources", Cost.SMALL, gives=JSON)
def listing(request: Request) -> Response:
    """List the sources with the SHA-256 of their text; `text` is its address, null if this server does not show it."""
    site = site_of(request)
    root, known = str(request.scope.get("root_path", "")).rstrip("/"), site.source_texts
    found = []
    for iri, digest in sorted(known.hashes.items()):
        path = iri.removeprefix(site.entities.root)
        names = [n for n in site.entities.values(iri, PREF_LABEL) if isinstance(n, Literal)]
        found.append(
            {
                "id": iri,
                "path": path,
                "label": {str(n.language or ""): n.value for n in names},
                "language": next((value(v) for v in site.entities.values(iri, DCTERMS + "language")), ""),
                "sha256": digest,
                "text": f"{root}/source-texts/{path.removeprefix('source/')}" if iri in known.texts else None,
            }
        )
    return json_answer({"sources": found})


@router.get("/source-texts/{path:path}", "The text of a source", Cost.FIXED, gives=(_TEXT,), statuses=(404,))
def text(request: Request, path: str) -> Response:
    """The text of a source, if the operator has put it into the folder of texts."""
    site = site_of(request)
    found = site.source_texts.texts.get(f"{site.entities.root}source/{path}")
    if found is None:
        raise Problem(404, "not-found", f"this server does not show the text of '{path[:100]}'")
    return answer(found.encode(), f"{_TEXT}; charset=utf-8")
