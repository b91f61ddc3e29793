"""A graph to ask from a notebook: a server by its address, or a release in a folder."""

from __future__ import annotations

import json
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import httpx
from pyoxigraph import QueryResultsFormat, QuerySolutions

from kg.client import frames
from kg.errors import KgError
from kg.release.facts import kind_of

if TYPE_CHECKING:
    import pandas

    from kg.linking.matching import Matcher

_SECONDS = 60.0
_RESULTS = "application/sparql-results+json"
_LABEL = """PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
SELECT ?iri ?label WHERE { VALUES ?iri { %s } ?iri skos:prefLabel ?label FILTER(LANG(?label) = "%s") }"""
_FACTS = """PREFIX prov: <http://www.w3.org/ns/prov#>
SELECT ?property ?value ?graph ?source WHERE {
  GRAPH ?graph { <%s> ?property ?value }
  OPTIONAL { ?graph prov:hadPrimarySource ?source }
} ORDER BY ?property ?value ?graph"""
_MOST_NAMES = 200
_ILLEGAL = frozenset('<>"{}|\\^` \n')


class _Source(Protocol):
    """What answers: a server, or a release."""

    base: str
    release: str

    def select(self, text: str) -> dict[str, Any]: ...
    def match(self, names: Sequence[str], kind: str) -> list[dict[str, Any]]: ...


class Graph:
    """A knowledge graph, by the address of a server or the folder of a release.

    `release` is the release that answers, and `base` what its identifiers begin with. Raises `KgError` with the
    server's message.
    """

    def __init__(self, place: str | Path, language: str = "en") -> None:
        self._source: _Source = _Server(str(place)) if "://" in str(place) else _Folder(Path(place))
        self._language = language

    @property
    def base(self) -> str:
        return self._source.base

    @property
    def release(self) -> str:
        return self._source.release

    def query(self, sparql: str, *, labels: bool = False) -> pandas.DataFrame:
        """The rows of a SELECT query; with `labels` each column of IRIs has one of names beside it (`x_label`)."""
        frame = frames.of_results(self._source.select(sparql))
        frame.attrs.update(release=self.release, query=sparql)
        return self._labelled(frame) if labels else frame

    def describe(self, record: str) -> pandas.DataFrame:
        """The facts of a record (an IRI or a path such as `class/name`), each with its kind of evidence and source."""
        iri = record if "://" in record else f"{self.base}id/{record}"
        if _ILLEGAL & set(iri):
            raise KgError(f"expected an IRI or the path of a record, not '{record[:100]}'")
        frame = self.query(_FACTS % iri)
        graphs = self.base + "graph/"
        sources = frame["source"].fillna("")
        frame["evidence"] = [
            kind_of(graph.removeprefix(graphs), source) for graph, source in zip(frame["graph"], sources, strict=True)
        ]
        return self._labelled(frame)[["property", "value", "value_label", "evidence", "source"]]

    def link(self, table: pandas.DataFrame, column: str, kind: str = "") -> pandas.DataFrame:
        """The table with the record that each name in a column means.

        `kg_match` is `exact` where the record is certain, `review` where a person must choose among candidates, and
        `none`.
        """
        names = [str(name) for name in table[column]]
        found: list[dict[str, Any]] = []
        for at in range(0, len(names), _MOST_NAMES):
            found += self._source.match(names[at : at + _MOST_NAMES], kind)
        return table.assign(kg_uri=[m["iri"] for m in found], kg_match=[m["match"] for m in found])

    def _labelled(self, frame: pandas.DataFrame) -> pandas.DataFrame:
        made = {}
        for name in frame.columns:
            made[name] = frame[name]
            iris = {v for v in frame[name].dropna() if isinstance(v, str) and v.startswith(self.base + "id/")}
            if iris or name == "value":
                known = self._labels(sorted(iris))
                made[f"{name}_label"] = frame[name].map(lambda v, known=known: known.get(v))
        labelled = type(frame)(made)
        labelled.attrs.update(frame.attrs)
        return labelled

    def _labels(self, iris: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for at in range(0, len(iris), _MOST_NAMES):
            values = " ".join(f"<{iri}>" for iri in iris[at : at + _MOST_NAMES])
            rows = self._source.select(_LABEL % (values, self._language))["results"]["bindings"]
            found |= {row["iri"]["value"]: row["label"]["value"] for row in rows}
        return found


class _Server:
    """A server, over HTTP."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=_SECONDS, follow_redirects=True)
        # A notebook closes nothing.
        weakref.finalize(self, self._client.close)
        front = self._read(self._client.get("/", headers={"Accept": "application/json"}))
        self.base, self.release = str(front["base"]), str(front["release"])[:16]

    def select(self, text: str) -> dict[str, Any]:
        return _table(self._read(self._client.post("/sparql", data={"query": text}, headers={"Accept": _RESULTS})))

    def match(self, names: Sequence[str], kind: str) -> list[dict[str, Any]]:
        rows = self._read(self._client.post("/link/match", json={"names": list(names), "kind": kind}))["rows"]
        return [_matched(row["decision"][0], row["decision"][1], bool(row["candidates"])) for row in rows]

    @staticmethod
    def _read(answer: httpx.Response) -> dict[str, Any]:
        try:
            document: dict[str, Any] = answer.json()
        except ValueError:
            raise KgError(f"HTTP {answer.status_code}: {answer.text[:200]}") from None
        if answer.status_code >= 400:
            raise KgError(str(document.get("detail", answer.status_code)))
        return document


class _Folder:
    """A release in a folder, or the current one of a folder of releases; nothing is sent anywhere."""

    def __init__(self, folder: Path) -> None:
        from kg.project.location import project_root
        from kg.project.reading import read_project
        from kg.rdf.context import Context
        from kg.release import store

        directory = folder if (folder / "manifest.json").is_file() else store.current_directory(folder)
        self._release = store.open_release(directory)
        self._project = read_project(project_root())
        self._prefixes = Context.read(self._project.root / "ontology" / "context.jsonld").prefixes
        self._matcher: Matcher | None = None
        self.base, self.release = self._release.manifest.base_iri, self._release.manifest.id[:16]

    def select(self, text: str) -> dict[str, Any]:
        try:
            result = self._release.store.query(text, prefixes=self._prefixes)
        except SyntaxError as error:
            raise KgError(f"the query has a syntax error: {error}") from None
        if not isinstance(result, QuerySolutions):
            return _table({})
        document: dict[str, Any] = json.loads(result.serialize(format=QueryResultsFormat.JSON) or b"{}")
        return _table(document)

    def match(self, names: Sequence[str], kind: str) -> list[dict[str, Any]]:
        from kg.linking import matching, review
        from kg.release import search

        if self._matcher is None:
            self._matcher = matching.Matcher(self._release, search.open_index(self._release), self._project.names)
        found = []
        for name in names:
            candidates = self._matcher.match(name, kinds=(kind,) if kind else ())
            decided = review.decide(candidates, str)
            found.append(_matched(decided.iri, decided.relation, bool(candidates)))
        return found


def _table(document: Mapping[str, Any]) -> dict[str, Any]:
    if "results" not in document:
        raise KgError("a frame has the rows of a SELECT query; this is none")
    return dict(document)


def _matched(iri: str, relation: str, has_candidates: bool) -> dict[str, Any]:
    return {"iri": iri or None, "match": relation or ("review" if has_candidates else "none")}
