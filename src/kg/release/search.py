"""Search by name for pages, suggestions and completion. Tantivy finds candidates, which are ranked here.

A document of the index is a text about a record: a name in one language, an identifier, or the description.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import islice, takewhile
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal as OneOf

import tantivy
from pyoxigraph import Literal, NamedNode, Quad
from rapidfuzz import fuzz
from rapidfuzz.distance import OSA
from tantivy import Occur, Query

from kg.names import normalization
from kg.names.normalization import Name
from kg.rdf import iris
from kg.rdf.namespaces import DCTERMS, KG, OWL, RDFS, SCHEMA, SKOS
from kg.release.store import Release

Role = OneOf["name", "other name", "spelling", "reading", "identifier", "description"]
How = OneOf["exact", "begins", "contains", "words", "similar"]

_FOLDER = "search"
_NAMES = "names.json"
_ROLES: Mapping[str, Role] = {
    SKOS + "prefLabel": "name",
    DCTERMS + "title": "name",
    RDFS + "label": "name",
    SKOS + "altLabel": "other name",
    SKOS + "hiddenLabel": "spelling",
    **{KG + local: "identifier" for local in ("lawNumber", "fundingStreamCode", "isoAlpha2", "isoAlpha3")},
    SKOS + "exactMatch": "identifier",
    OWL + "sameAs": "identifier",
    SCHEMA + "sameAs": "identifier",
    DCTERMS + "description": "description",
    SKOS + "definition": "description",
}
# Weights of a match by the kind of text.
_WEIGHTS: Mapping[Role, float] = {
    "name": 1.0,
    "other name": 0.98,
    "spelling": 0.96,
    "reading": 0.95,
    "identifier": 0.97,
    "description": 0.45,
}
# Ontology terms and auxiliary classes rank below other records with the same name.
_OF_KINDS = {"ontology": 0.97, "source": 0.9, "concordance": 0.85, "vocabulary": 0.97}
_READING = "ja-hrkt"
_CANDIDATES = 300
_LEAST = 0.34
# Texts of fewer equal characters, in percent, are not similar.
_LEAST_RATIO = 72
_MOST_TOKENS = 24
_LONGEST_QUERY = 200
_LONGEST_PREFIX = 12
ONTOLOGY_KIND = "ontology"
_UNNAMED_KINDS = ("passage",)


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """A text about a record; `kind` is the class in the record's path, or "ontology" for a term."""

    iri: str
    kind: str
    text: str
    language: str
    role: Role


# `astuple` would copy each field.
_ROW = attrgetter(*(f.name for f in fields(IndexEntry)))


@dataclass(frozen=True, slots=True)
class _Text:
    """A text as it is compared: its key, its tokens (pairs of Japanese characters, and words), and their length."""

    key: str
    pairs: frozenset[str]
    words: tuple[str, ...]
    joined: str
    length: int

    @classmethod
    def of(cls, name: Name) -> _Text:
        pairs = frozenset(t for t in name.tokens if len(t) == 2 and normalization.is_japanese(t))
        words = tuple(t for t in name.tokens if t not in pairs)
        return cls(name.key, pairs, words, " " + " ".join(name.tokens), sum(map(len, name.tokens)))


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A matching record, with the text that matched and the kind of match; `score` is from 0 to 1."""

    iri: str
    kind: str
    score: float
    how: How
    entry: IndexEntry


@dataclass(frozen=True, slots=True)
class Found:
    """The best hits, the total number, and the number for each kind (before filtering by kind)."""

    hits: tuple[SearchHit, ...]
    total: int
    kinds: dict[str, int]


def entries(
    quads: Iterable[Quad],
    base: str,
    vocabularies: tuple[str, ...] = (KG,),
    identifiers: frozenset[str] = frozenset(),
) -> list[IndexEntry]:
    """The searchable texts of a dataset: stated names, identifiers and descriptions of records and terms, sorted.

    Terms are those in the namespaces `vocabularies`; `identifiers` are properties that hold identifiers of registers.
    """
    roles = _roles(identifiers)
    inferred = NamedNode(iris.Base(base).inferred)
    found = set()
    for quad in quads:
        role, subject, target = roles.get(quad.predicate.value), quad.subject, quad.object
        if role is None or quad.graph_name == inferred or not isinstance(subject, NamedNode):
            continue
        if not (kind := _kind(subject.value, base, vocabularies)):
            continue
        if isinstance(target, Literal):
            language = target.language or ""
            found.add(
                IndexEntry(subject.value, kind, target.value, language, "reading" if language == _READING else role)
            )
        elif isinstance(target, NamedNode) and not target.value.startswith(base):
            found.add(IndexEntry(subject.value, kind, target.value, "", role))
    return sorted(found, key=_ROW)


def _roles(identifiers: frozenset[str]) -> Mapping[str, Role]:
    return {**_ROLES, **dict.fromkeys(identifiers, "identifier")}


def _kind(iri: str, base: str, vocabularies: tuple[str, ...]) -> str:
    if iri.startswith(vocabularies):
        return ONTOLOGY_KIND
    if not iri.startswith(base + "id/") or "#" in iri:
        return ""
    kind = iri.removeprefix(base + "id/").partition("/")[0]
    return "" if kind in _UNNAMED_KINDS else kind


def write(folder: Path, found: Sequence[IndexEntry]) -> None:
    """Writes the index of a release into its folder."""
    place = folder / _FOLDER
    place.mkdir()
    _fill(tantivy.Index(_SCHEMA, str(place)), found)
    names = place / _NAMES
    names.write_text(json.dumps([_ROW(e) for e in found], ensure_ascii=False), encoding="utf-8")
    # tantivy lets only the owner read some of its files, but another user may serve the release.
    for file in place.iterdir():
        file.chmod(names.stat().st_mode & 0o777)


def open_index(release: Release, identifiers: frozenset[str] = frozenset()) -> Search:
    """Opens the index of a release; without one, it is made in memory."""
    if (release.directory / _FOLDER / _NAMES).is_file():
        return read(release.directory)
    index, found = (
        tantivy.Index(_SCHEMA),
        entries(texts(release, identifiers), release.manifest.base_iri, identifiers=identifiers),
    )
    _fill(index, found)
    return Search(index, found)


def read(folder: Path) -> Search:
    """The index that `write` left in a folder, to which nothing is written."""
    place = folder / _FOLDER
    rows = json.loads((place / _NAMES).read_text(encoding="utf-8"))
    found = [IndexEntry(*row) for row in rows]
    try:
        # tantivy takes a lock file beside the index when it opens one, but a release may be read-only.
        with TemporaryDirectory() as view:
            for file in place.iterdir():
                if not file.name.endswith(".lock"):
                    (Path(view) / file.name).symlink_to(file.resolve())
            return Search(tantivy.Index.open(view), found)
    except OSError:
        # Nothing can be written anywhere.
        index = tantivy.Index(_SCHEMA)
        _fill(index, found)
        return Search(index, found)


def texts(release: Release, identifiers: frozenset[str] = frozenset()) -> Iterator[Quad]:
    """The statements of a release that `entries` needs."""
    for predicate in _roles(identifiers):
        for quad in release.store.quads_for_pattern(None, NamedNode(predicate), None, None):
            if not release.manifest.is_merged or isinstance(quad.graph_name, NamedNode):
                yield quad


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("row", fast=True)
    builder.add_text_field("kind", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("key", tokenizer_name="raw", index_option="basic")
    for field in ("token", "prefix"):
        builder.add_text_field(field, tokenizer_name="whitespace", index_option="basic")
    return builder.build()


_SCHEMA = _schema()


def _fill(index: tantivy.Index, found: Sequence[IndexEntry]) -> None:
    writer = index.writer(heap_size=50_000_000, num_threads=1)
    for row, entry in enumerate(found):
        name = normalization.name(entry.text)
        prefixes = dict.fromkeys(p for token in name.tokens for p in _prefixes(token))
        document = tantivy.Document(
            row=row, kind=entry.kind, key=name.key, token=" ".join(name.tokens), prefix=" ".join(prefixes)
        )
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()


def _prefixes(token: str) -> Iterable[str]:
    """The prefixes of a token."""
    return (token[:n] for n in range(1, min(len(token), _LONGEST_PREFIX) + 1))


class Search:
    """The searchable texts of one release; thread-safe."""

    def __init__(self, index: tantivy.Index, found: Sequence[IndexEntry]) -> None:
        index.config_reader("manual", 0)
        index.reload()
        self._index = index
        self._entries = found
        self._texts = lru_cache(maxsize=20_000)(lambda text: _Text.of(normalization.name(text)))

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def entries(self) -> Sequence[IndexEntry]:
        """All texts, sorted by record."""
        return self._entries

    def find(
        self, text: str, *, kinds: Sequence[str] = (), limit: int = 20, offset: int = 0, depth: int = _CANDIDATES
    ) -> Found:
        """The records whose texts match or are similar, best first; `kinds` filters them.

        `depth` is the number of index entries that are compared: fewer are faster, but may miss similar ones.
        """
        asked = normalization.name(text[:_LONGEST_QUERY])
        hits = self._hits(asked, self._candidates(asked, kinds, depth) if asked.tokens else (), is_joined=True)
        counts = Counter(h.kind for h in hits)
        chosen = [h for h in hits if not kinds or h.kind in kinds]
        chosen.sort(key=_order)
        return Found(tuple(chosen[offset : offset + limit]), len(chosen), dict(counts.most_common()))

    def similar(self, text: str, kinds: Sequence[str], limit: int, depth: int) -> tuple[SearchHit, ...]:
        """The records of some kinds whose texts are most similar: much as `find`, for tables of many names.

        Misspelt words of Latin letters, which are slow to find, are looked up only if nothing else matches.
        """
        asked = normalization.name(text[:_LONGEST_QUERY])
        if not asked.tokens:
            return ()
        words, chosen = _words(asked), frozenset(kinds)
        # To filter what was found is faster than a query with a filter, which is for kinds that have few texts.
        found = [entry for entry in self._entries_for(words, (), depth * 2) if entry.kind in chosen][:depth]
        hits = self._hits(asked, found or self._entries_for(words, kinds, depth))
        may_be_misspelt = any(_errors(token) and not normalization.is_japanese(token) for token in asked.tokens)
        if may_be_misspelt and (not hits or asked.key.isascii()) and all(hit.how == "similar" for hit in hits):
            hits = self._hits(asked, self._entries_for(_retrieval(asked), kinds, depth))
        named = (hit for hit in hits if hit.entry.role != "description")
        return tuple(sorted(named, key=_order)[:limit])

    def _hits(self, asked: Name, candidates: Iterable[IndexEntry], *, is_joined: bool = False) -> list[SearchHit]:
        """The best hit for each record, with `is_joined` by all its names; similar texts only if nothing matches."""
        best: dict[str, SearchHit] = {}
        text, near = _Text.of(asked), set[str]()
        for entry in candidates:
            near.add(entry.iri)
            hit = self._compare(text, entry)
            if hit and (entry.iri not in best or _rank(hit) < _rank(best[entry.iri])):
                best[entry.iri] = hit
        for iri in near if is_joined else ():
            if (iri not in best or best[iri].how == "similar") and (hit := self._together(text, iri)):
                best[iri] = hit
        hits = list(best.values())
        if any(h.how != "similar" and h.entry.role != "description" for h in hits):
            hits = [h for h in hits if h.how != "similar"]
        return hits

    def meant(self, text: str) -> str:
        """The only record or term that has this name; '' if none has, or several do."""
        exact = [hit.iri for hit in self.find(text, limit=2).hits if hit.how == "exact"]
        return exact[0] if len(exact) == 1 else ""

    def resembles(self, text: str, others: Iterable[str]) -> bool:
        """Whether all words of a text occur in one of the others."""
        asked = normalization.name(text[:_LONGEST_QUERY])
        found = (_likeness(_Text.of(asked), self._texts(other), is_long=False) for other in others)
        return bool(asked.tokens) and any(how != "similar" and score >= _LEAST for score, how in found)

    def _candidates(self, asked: Name, kinds: Sequence[str], depth: int) -> Iterator[IndexEntry]:
        """Texts that share enough with the query to be compared."""
        query = _retrieval(asked)
        for chosen in {(), tuple(kinds)}:
            # Facets count all kinds; a filter by kind needs more candidates of that kind.
            yield from self._entries_for(query, chosen, depth)

    def _entries_for(self, query: Query, kinds: Sequence[str], depth: int) -> Iterator[IndexEntry]:
        """The texts that a query finds, the most relevant first; of some kinds, or of all."""
        searcher = self._index.searcher()
        if kinds:
            among = Query.term_set_query(_SCHEMA, "kind", list(kinds))
            query = Query.boolean_query([(Occur.Must, query), (Occur.Must, Query.const_score_query(among, 0.0))])
        addresses = [address for _, address in searcher.search(query, depth, count=False).hits]
        for row in searcher.fast_field_values("row", addresses) if addresses else ():
            yield self._entries[int(row or 0)]

    def _compare(self, asked: _Text, entry: IndexEntry) -> SearchHit | None:
        score, how = _likeness(asked, self._texts(entry.text), is_long=entry.role == "description")
        if score < _LEAST:
            return None
        weight = _WEIGHTS[entry.role] * _OF_KINDS.get(entry.kind, 1)
        return SearchHit(entry.iri, entry.kind, round(score * weight, 4), how, entry)

    def _together(self, asked: _Text, iri: str) -> SearchHit | None:
        """The hit of a record of which no name has all words of the query, but its names together do.

        Such as the name of a body and the abbreviation of its unit, which are in different languages.
        """
        start = bisect_left(self._entries, iri, key=attrgetter("iri"))
        found = takewhile(lambda entry: entry.iri == iri, islice(self._entries, start, None))
        names = [entry for entry in found if entry.role not in ("description", "identifier")]
        tokens = tuple(dict.fromkeys(token for entry in names for token in normalization.name(entry.text).tokens))
        covered, exact = _coverage(asked, _Text.of(Name("", tokens)))
        if len(names) < 2 or covered < 0.999 or not exact:
            return None
        first = names[0]
        score = 0.6 * min(_WEIGHTS[entry.role] for entry in names) * _OF_KINDS.get(first.kind, 1)
        return SearchHit(first.iri, first.kind, round(score, 4), "words", first)


def _rank(hit: SearchHit) -> tuple[bool, float]:
    """A whole name comes before a part of one, however its kind is weighted; then the score decides."""
    return hit.how != "exact", -hit.score


def _order(hit: SearchHit) -> tuple[tuple[bool, float], int, str]:
    return _rank(hit), len(hit.entry.text), hit.iri


def _words(asked: Name) -> Query:
    """The query for texts with any of the words of a name, or with longer ones that begin so."""
    fields = ("token", "prefix")
    tokens = asked.tokens[:_MOST_TOKENS]
    return Query.boolean_query([(Occur.Should, Query.term_query(_SCHEMA, f, t)) for t in tokens for f in fields])


def _retrieval(asked: Name) -> Query:
    """The query for candidates: the whole name, or enough of its tokens, exactly, by prefix or misspelt."""
    tokens = asked.tokens[:_MOST_TOKENS]
    wanted: list[tuple[Occur, Query]] = []
    for token in tokens:
        forms = [
            Query.boost_query(Query.term_query(_SCHEMA, "token", token), 2.0),
            Query.term_query(_SCHEMA, "prefix", token),
        ]
        if (distance := _errors(token)) and not normalization.is_japanese(token):
            forms.append(Query.boost_query(Query.fuzzy_term_query(_SCHEMA, "token", token, distance), 0.5))
        wanted.append((Occur.Should, Query.disjunction_max_query(forms)))
    # In Japanese one wrong character affects two pairs.
    enough = 1 if len(tokens) <= 3 else -(-len(tokens) * 2 // 5)
    whole = Query.boost_query(Query.term_query(_SCHEMA, "key", asked.key), 20.0)
    return Query.boolean_query(
        [(Occur.Should, whole), (Occur.Should, Query.boolean_query(wanted, minimum_number_should_match=enough))]
    )


def _errors(word: str) -> int:
    """The number of letters of a word that may be wrong."""
    return 0 if len(word) < 4 or word.isdigit() else 1 if len(word) < 8 else 2


def _likeness(asked: _Text, text: _Text, *, is_long: bool) -> tuple[float, How]:
    """How well a text matches the query, from 0 to 1, and the kind of match."""
    if asked.key == text.key:
        return 1.0, "exact"
    share = len(asked.key) / max(len(text.key), 1)
    if share <= 1 and text.key.startswith(asked.key):
        return 0.86 + 0.1 * share, "begins"
    if share <= 1 and asked.key in text.key:
        return 0.72 + 0.1 * share, "contains"
    covered, exact = _coverage(asked, text)
    if covered >= 0.999 and exact:
        return 0.6 + 0.1 * share, "words"
    if is_long:
        return (0.5 * covered, "words") if covered >= 0.8 else (0.0, "words")
    # A shorter name is compared with the whole query, since a long query does not mean every one of its words.
    ratio = (fuzz.partial_ratio if share <= 1 else fuzz.ratio)(asked.key, text.key, score_cutoff=_LEAST_RATIO) / 100
    likeness = max(covered if covered >= 0.6 else 0.0, ratio)
    return 0.3 + 0.35 * likeness + 0.05 * min(share, 1.0) if likeness else 0.0, "similar"


def _coverage(asked: _Text, text: _Text) -> tuple[float, bool]:
    """The share of the query that the text has, by length, and whether it is free of misspellings."""
    # Two Japanese characters are no prefix of another token.
    covered: float = 2 * len(asked.pairs & text.pairs)
    exact = True
    for word in asked.words:
        if f" {word}" in text.joined:
            covered += len(word)
        elif text.words and (errors := _errors(word)) and not normalization.is_japanese(word):
            nearest = min((OSA.distance(word, other, score_cutoff=errors) for other in text.words), default=errors + 1)
            if nearest <= errors:
                covered += len(word) * (1 - nearest / len(word))
                exact = False
    return covered / asked.length if asked.length else 0.0, exact
