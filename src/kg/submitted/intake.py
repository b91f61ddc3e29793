"""Reads untrusted RDF within limits, without fetching contexts, expanding large entities or guessing encodings."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from xml.parsers import expat

from pyoxigraph import Quad, RdfFormat, Triple, parse

from kg.errors import KgError, RdfMalformed, RdfRefused, RdfTooComplex, RdfTooLarge, UnknownSyntax
from kg.rdf import formats
from kg.rdf.formats import Rdf
from kg.sparql import lexer

# File extensions in addition to the names of the formats.
_EXTENSIONS = {"owl": "rdf", "xml": "rdf", "json": "jsonld", "ntriples": "nt", "nquads": "nq"}
# Media types that clients send if they do not know the type.
_GENERIC = frozenset({"", "application/octet-stream", "text/plain", "application/json"})
_PLACE = re.compile(r"\AParser error (?:at|between) [^:]*: ")
_JAPANESE = re.compile("[\u3041-\u30fe\u4e00-\u9fff]{2}")
_LONGEST_ENTITY = 500
_EXPANSION = 10
_SHOWN = 120


@dataclass(frozen=True, slots=True)
class RdfLimits:
    """The largest document that is read: bytes, statements, nesting of brackets or elements."""

    size: int = 10_000_000
    quads: int = 100_000
    depth: int = 64


def syntax_of(named: str = "", file_name: str = "", media_type: str = "") -> Rdf:
    """The syntax of a document by its given name, else its file extension, else its media type.

    Raises `UnknownSyntax`, which lists the known ones.
    """
    if named and (found := formats.rdf_format(named)):
        return found
    ending = file_name.rpartition(".")[2].lower() if "." in file_name else ""
    media_type = media_type.partition(";")[0].strip().lower()
    if not named:
        for name in (_EXTENSIONS.get(ending, ending), media_type):
            if found := formats.rdf_format(name):
                return found
        if media_type == formats.JSON:
            return formats.RDF_FORMATS[1]
    given = named or file_name or media_type
    known = ", ".join(f"{f.name} ({f.media_type})" for f in formats.RDF_FORMATS)
    what = f"'{given[:_SHOWN]}' is not a known RDF syntax" if given else "no RDF syntax is given"
    raise UnknownSyntax(f"{what}; expected one of {known}")


def is_generic(media_type: str) -> bool:
    """Whether a media type is missing, or is one that clients send if they do not know the type."""
    return media_type.partition(";")[0].strip().lower() in _GENERIC


def read(
    body: bytes, syntax: Rdf, limits: RdfLimits, contexts: Mapping[str, Any] | None = None, base: str = ""
) -> tuple[str, list[Quad]]:
    """The text of a document and its statements in parser order, duplicates included.

    `contexts` has the JSON-LD contexts that are known, by IRI; relative IRIs are resolved against `base`, if there is
    one. Raises a `RdfFault`.
    """
    if len(body) > limits.size:
        raise RdfTooLarge(
            f"the document has {len(body):,} bytes; at most {limits.size:,} are allowed", limit=limits.size
        )
    text = _decode(body)
    if syntax.syntax == RdfFormat.RDF_XML:
        _check_xml(body, limits)
    elif syntax.syntax == RdfFormat.JSON_LD:
        text = _check_json(text, limits, contexts or {})
    else:
        _check_brackets(text, limits)
    quads: list[Quad] = []
    try:
        for quad in parse(text, format=syntax.syntax, base_iri=base or None):
            if len(quads) == limits.quads:
                message = f"the document has more than {limits.quads:,} statements, the limit"
                raise RdfTooLarge(message, limit=limits.quads)
            if isinstance(quad.object, Triple) or isinstance(quad.subject, Triple):
                raise RdfRefused("triple terms (RDF 1.2) are not supported; use RDF 1.1")
            quads.append(quad)
    except SyntaxError as error:
        raise RdfMalformed(_plain(str(error.msg)), error.lineno or 0, error.offset or 0) from None
    if not quads:
        hint = "; does it have an @context that defines its keys?" if syntax.syntax == RdfFormat.JSON_LD else ""
        raise RdfMalformed(f"the document has no statements{hint}")
    return text, quads


def _decode(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise RdfMalformed(f"line {line} is not UTF-8{_guess(body)}; save the file as UTF-8", line) from None


def _guess(body: bytes) -> str:
    """The encoding that a document seems to be in; RDF is never read in another one than UTF-8."""
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return " but UTF-16"
    try:
        text = body.decode("cp932")
    except UnicodeDecodeError:
        return ""
    # Kana and kanji in a row are hardly there by chance.
    return " but seems to be Shift_JIS" if _JAPANESE.search(text) else ""


def _plain(message: str) -> str:
    """The parser's message without the position at its beginning, which is reported separately."""
    return _PLACE.sub("", message)


def _check_brackets(text: str, limits: RdfLimits) -> None:
    depth, last = 0, -2
    for token in lexer.tokens(text, lexer.TURTLE):
        if token.lastgroup == "bracket":
            depth += 1 if token[0] in "{([" else -1
            if depth > limits.depth:
                line, column = _place(text, token.start())
                raise RdfTooComplex(f"brackets nest deeper than {limits.depth} levels", line, column, limits.depth)
        elif token[0] == "<":
            if token.start() == last + 1:
                raise RdfRefused("triple terms (RDF 1.2) are not supported; use RDF 1.1", *_place(text, last))
            last = token.start()


def _place(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


# ---- JSON-LD ----


def _check_json(text: str, limits: RdfLimits, contexts: Mapping[str, Any]) -> str:
    """The document with the IRIs of known contexts replaced by the contexts."""
    depth = 0
    for token in lexer.tokens(text):
        if token.lastgroup == "bracket":
            depth += 1 if token[0] in "{[" else -1
            if depth > limits.depth:
                message = f"objects and arrays nest deeper than {limits.depth} levels"
                raise RdfTooComplex(message, *_place(text, token.start()), limits.depth)
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise RdfMalformed(error.msg, error.lineno, error.colno) from None
    except (ValueError, RecursionError) as error:
        raise RdfMalformed(f"this JSON cannot be read: {error}") from None
    return json.dumps(_with_contexts(document, contexts), ensure_ascii=False)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _with_contexts(node: Any, contexts: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_with_contexts(member, contexts) for member in node]
    if isinstance(node, dict):
        if "@import" in node:
            raise _remote(node["@import"], contexts)
        return {
            key: _context(value, contexts) if key == "@context" else _with_contexts(value, contexts)
            for key, value in node.items()
        }
    return node


def _context(value: Any, contexts: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_context(member, contexts) for member in value]
    if isinstance(value, str):
        if value not in contexts:
            raise _remote(value, contexts)
        return contexts[value]
    return _with_contexts(value, contexts)


def _remote(name: object, contexts: Mapping[str, Any]) -> KgError:
    known = f", or use {' or '.join(contexts)}" if contexts else ""
    return RdfRefused(
        f"the context '{str(name)[:_SHOWN]}' is remote and is not fetched; include its content in the document{known}"
    )


def own_contexts(document: Mapping[str, Any], *bases: str) -> dict[str, Any]:
    """Our context by each of its IRIs."""
    return dict.fromkeys((base + "context.jsonld" for base in bases), document["@context"])


# ---- RDF/XML ----


def _check_xml(body: bytes, limits: RdfLimits) -> None:
    """Refuses entities that are external, refer to others or expand the document to many times its size."""
    depth, entities = 0, dict[str, int]()
    parser = expat.ParserCreate()

    def begin(*_: object) -> None:
        nonlocal depth
        depth += 1
        if depth > limits.depth:
            message = f"elements nest deeper than {limits.depth} levels"
            raise RdfTooComplex(message, parser.CurrentLineNumber, parser.CurrentColumnNumber + 1, limits.depth)

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    def declare(name: str, is_parameter: bool, value: str | None, *_: object) -> None:
        if is_parameter or value is None or "&" in value or len(value) > _LONGEST_ENTITY:
            message = (
                f"the entity '{name[:_SHOWN]}' is not allowed; an entity may only be a short text such as a namespace"
            )
            raise RdfRefused(message, parser.CurrentLineNumber)
        entities[name] = len(value)
        uses = body.count(f"&{name};".encode())
        if uses * len(value) > _EXPANSION * limits.size or len(entities) > _LONGEST_ENTITY:
            raise RdfTooLarge(
                "the document is too large once its entities are expanded", parser.CurrentLineNumber, 0, limits.size
            )

    parser.StartElementHandler, parser.EndElementHandler, parser.EntityDeclHandler = begin, end, declare
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise RdfMalformed(expat.ErrorString(error.code), error.lineno, error.offset + 1) from None
