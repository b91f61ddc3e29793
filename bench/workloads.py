"""The workload of a comparison: cases with several questions each, and 200 request heads."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal as OneOf
from urllib.parse import quote, urlencode

from pyoxigraph import Literal, NamedNode

from kg.curation import builder
from kg.sparql import lexer, library

FOLDER = Path(__file__).parent / "queries"
SEED = 20260629
HEADS = 200
# Placeholder in a target or query for a number that is unique to each request.
FRESH = "~fresh~"
Form = OneOf["solutions", "rows", "graph", "record", "page", "json"]
MEDIA_TYPES: dict[Form, str] = {
    "solutions": "application/sparql-results+json",
    "rows": "application/sparql-results+json",
    "graph": "text/turtle",
    "record": "text/turtle",
    "page": "text/html",
    "json": "application/json",
}
_WORDS = ("AI", "人工知能", "研究", "data", "計画", "science", "基盤", "model", "大学", "strategy")


@dataclass(frozen=True, slots=True)
class Question:
    """A question: `target` for our server if it has one, `query` for every endpoint; `body` is posted."""

    query: str = ""
    target: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """Questions that are asked in turn by a number of concurrent `clients`.

    `form` is how answers are compared: solutions as multisets; rows by number; a graph as a set of triples; a record of
    which an endpoint has a part; a page or JSON only of ours. A fresh case never repeats a request; a conditional one
    sends the entity tag of the response and gets 304.
    """

    name: str
    title: str
    group: str
    form: Form
    questions: tuple[Question, ...]
    clients: tuple[int, ...]
    fresh: bool = True
    conditional: bool = False


@dataclass(frozen=True, slots=True)
class Samples:
    """The subjects of questions: IRIs of records with their Japanese names, and of those that have parts."""

    records: tuple[tuple[str, str], ...]
    wholes: tuple[str, ...]
    base: str


def spread(rows: Sequence[str], most: int) -> list[str]:
    """Up to `most` items, evenly distributed."""
    step = max(1, len(rows) // most)
    return list(rows[::step][:most])


def read(name: str, **values: NamedNode | Literal) -> str:
    """A query of this folder with its placeholders filled in."""
    return library.fill((FOLDER / f"{name}.rq").read_text(encoding="utf-8"), values)


def heads(media_type: str, more: str = "") -> list[str]:
    """The header fields of 200 clients that want the same format, with distinct heads and distinct Accept values."""
    chance, found = random.Random(SEED), []
    agents = ("curl/8.5.0", "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101", "rdflib-7.1.1", "okhttp/4.12.0")
    tongues = ("ja", "en", "ja,en;q=0.7", "en-GB,en;q=0.9,ja;q=0.5", "de,en;q=0.3")
    for number in range(HEADS):
        accept = f"{media_type}, application/x-client-{number};q=0.{chance.randint(1, 8)}"
        accept += chance.choice(("", ", */*;q=0.01", ";q=0.1, application/pdf;q=0.2"))
        fields = [
            f"Accept: {accept}",
            f"User-Agent: {chance.choice(agents)} ({number})",
            f"Accept-Language: {chance.choice(tongues)}",
            "Accept-Encoding: identity",
            *((more,) if more else ()),
        ]
        chance.shuffle(fields)
        found.append("".join(f"{field}\r\n" for field in fields))
    return found


def cases(samples: Samples, root: Path, *, quick: bool = False) -> list[Case]:
    """All cases for these samples; the quick ones have fewer clients and the library as one case."""
    every = (1, 8, 64)
    return [
        *_cached(samples, (8, 64) if quick else every),
        *_tiny(samples, every),
        *_heavy(samples, (8,) if quick else every),
        *_pages(samples, (8,) if quick else every),
        *_library(root, (1,) if quick else every, quick),
    ]


def _marked(texts: Iterable[str]) -> tuple[Question, ...]:
    """Queries whose text is unique to each request, by a comment with a number at the end."""
    return tuple(Question(f"{text.rstrip()}\n#{FRESH}") for text in texts)


def _cached(samples: Samples, clients: tuple[int, ...]) -> list[Case]:
    entities = [iri for iri, _ in samples.records[:20]]
    described = [read("describe", entity=NamedNode(iri)) for iri in entities]
    labels = tuple(Question(read("label", entity=NamedNode(iri))) for iri in entities)
    paths = [quote(iri.removeprefix(f"{samples.base}id/")) for iri in entities]
    turtle = tuple(Question(q, f"/data/{p}.ttl") for q, p in zip(described, paths, strict=True))
    pages = tuple(Question(q, f"/page/{p}?lang=ja") for q, p in zip(described, paths, strict=True))
    queried = tuple(map(Question, described))
    return [
        Case("label-cached", "label of a record, cached", "cached", "solutions", labels, clients, fresh=False),
        Case("describe-cached", "description by query, cached", "cached", "graph", queried, clients, fresh=False),
        Case("turtle-cached", "record as Turtle, cached", "cached", "record", turtle, clients, fresh=False),
        Case("html-cached", "record as HTML, cached", "cached", "page", pages, clients, fresh=False),
        Case(
            "not-modified",
            "record as Turtle, 304",
            "cached",
            "record",
            tuple(Question("", q.target) for q in turtle),
            clients,
            fresh=False,
            conditional=True,
        ),
    ]


def _tiny(samples: Samples, clients: tuple[int, ...]) -> list[Case]:
    entities = [NamedNode(iri) for iri, _ in samples.records]
    titles = {"ask": "ASK", "label": "label of a record", "describe": "description of a record"}
    return [
        Case(
            name,
            titles[name],
            "tiny",
            "graph" if name == "describe" else "solutions",
            _marked(read(name, entity=entity) for entity in entities),
            clients,
        )
        for name in titles
    ]


def _heavy(samples: Samples, clients: tuple[int, ...]) -> list[Case]:
    plain = {
        "join": ("join over two steps, first 100", "joins"),
        "optional": ("OPTIONAL, ORDER BY, first 100", "joins"),
        "path-all": ("property path from every document", "joins"),
        "classes": ("instances per class", "aggregates"),
        "totals": ("budgets per year", "aggregates"),
    }
    wholes = [read("path", entity=NamedNode(iri)) for iri in samples.wholes]
    texts = [read("text", text=Literal(word)) for word in _WORDS]
    found = [
        Case(name, title, group, "solutions", _marked([read(name)]), clients) for name, (title, group) in plain.items()
    ]
    found.insert(2, Case("path", "property path from a record", "joins", "solutions", _marked(wholes), clients))
    found.append(Case("text", "names that contain a text", "text", "solutions", _marked(texts), clients))
    found.append(Case("dump", "100,000 rows", "dump", "rows", _marked([read("dump")]), clients))
    return found


def _pages(samples: Samples, clients: tuple[int, ...]) -> list[Case]:
    paths = [quote(iri.removeprefix(f"{samples.base}id/")) for iri, _ in samples.records]
    names = [name for _, name in samples.records]
    batches = [names[n : n + 10] for n in range(0, len(names) - 9, 10)] or [names]

    def asked(batch: list[str]) -> str:
        questions = {f"q{n}": {"query": name, "limit": 3} for n, name in enumerate(batch)}
        return urlencode({"queries": json.dumps(questions, ensure_ascii=False)})

    return [
        Case(
            "html", "record as HTML", "pages", "page", _targets(f"/page/{p}?lang=ja&v={FRESH}" for p in paths), clients
        ),
        Case(
            "turtle",
            "record as Turtle",
            "pages",
            "record",
            _targets(f"/data/{p}.ttl?v={FRESH}" for p in paths),
            clients,
        ),
        Case("search", "search by name", "services", "json", _named("/search?format=json&q=", names), clients),
        Case(
            "suggest", "suggestions", "services", "json", _named("/suggest?lang=ja&q=", [n[:4] for n in names]), clients
        ),
        Case(
            "reconcile",
            "reconciliation of 10 names",
            "services",
            "json",
            tuple(Question("", "/reconcile", asked(batch)) for batch in batches),
            clients,
        ),
    ]


def _targets(targets: Iterable[str]) -> tuple[Question, ...]:
    return tuple(Question("", target) for target in targets)


def _named(target: str, names: Iterable[str]) -> tuple[Question, ...]:
    return _targets(f"{target}{quote(name)}&v={FRESH}" for name in names)


def _library(root: Path, clients: tuple[int, ...], quick: bool) -> list[Case]:
    """All queries of the library with default values, in one case for queries over named graphs and one for others."""
    context, stored = builder.read_context(root), library.library(root)
    filled = {name: library.fill(q.text, library.bind(q, {}, context)) for name, q in stored.items()}
    kinds = {name: _kind(text) for name, text in filled.items()}
    names = {"library": "without GRAPH", "library-graphs": "with GRAPH"}
    found = [
        Case(
            kind,
            f"queries of the library {title}, in turn",
            "library",
            "solutions",
            _marked(text for name, text in filled.items() if kinds[name] == (kind, "solutions")),
            clients,
        )
        for kind, title in names.items()
    ]
    if quick:
        return found
    return found + [
        Case(f"{kind}/{name}", stored[name].title["en"], "library", form, _marked([filled[name]]), (1,))
        for name, (kind, form) in kinds.items()
    ]


def _kind(text: str) -> tuple[str, Form]:
    """The case of a query of the library, and the form of its answer."""
    words = [m[0].upper() for m in lexer.tokens(text) if m["word"]]
    return (
        "library-graphs" if "GRAPH" in words else "library",
        "graph" if "CONSTRUCT" in words or "DESCRIBE" in words else "solutions",
    )


def prepared(
    case: Case, targets: Mapping[Question, str], host: str, tags: Mapping[Question, str], media_type: str
) -> list[str | tuple[str, str]]:
    """Requests with questions and heads shuffled; a unique number goes between the halves of a pair."""
    chance = random.Random(SEED)
    asked = [q for q in case.questions if q in targets]
    known = heads(media_type)
    found: list[str | tuple[str, str]] = []
    for number in range(5 * HEADS):
        question = asked[number % len(asked)]
        body = question.body
        fields = [f"Host: {host}\r\n", chance.choice(known)]
        if case.conditional:
            fields.append(f"If-None-Match: {tags[question]}\r\n")
        if body:
            fields.append(f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n")
        line = f"{'POST' if body else 'GET'} {targets[question]} HTTP/1.1\r\n"
        text = f"{line}{''.join(fields)}\r\n{body}"
        before, marked, after = text.partition(FRESH)
        found.append((before, after) if marked else text)
    return found
