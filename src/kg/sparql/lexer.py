"""The words of a SPARQL query, told apart from its strings, comments and IRIs (SPARQL 1.1, section 19.8).

A lexer cannot tell every `<` of a comparison from that of an IRI as the engine's parser does. Safety does not rest on
it: strangers' queries run in processes that may be lost and that cannot open a connection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_LOCAL = r"(?:[\w\-.:]|%[0-9A-Fa-f]{2}|\\[_~.\-!$&'()*+,;=/?\#@%])*"
_IN_IRI = r"[^\x00-\x20<>\"{}|^`\\]"
TOKEN = re.compile(
    rf"""
      (?P<iri><{_IN_IRI}*>)
    # The end of a string is optional: one that has none is passed over whole, in time linear in its length.
    | \"\"\"(?:[^"\\]|\\.|\"(?!\"\"))*(?:\"\"\")? | '''(?:[^'\\]|\\.|'(?!''))*(?:''')?
    | "(?:[^"\\\n\r]|\\.)*"? | '(?:[^'\\\n\r]|\\.)*'?
    | \#[^\n\r]*
    | (?P<variable>[?$]\w+)
    | (?P<word>@?\w[\w\-.]*(?::{_LOCAL})?|:{_LOCAL})
    | (?P<number>[+-]\d[\d.]*)
    | (?P<bracket>[{{}}()\[\]])
    | (?P<operator>\|\||&&|[!+\-*/|^])
    | \s+ | .
    """,
    re.VERBOSE | re.DOTALL,
)
# The words of Turtle and its kin are the same, but that code point escapes stand in IRIs and strings only.
TURTLE = re.compile(TOKEN.pattern.replace(_IN_IRI, rf"(?:{_IN_IRI}|\\[uU])"), TOKEN.flags)
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")


def tokens(text: str, token: re.Pattern[str] = TOKEN) -> Iterator[re.Match[str]]:
    """The tokens of a text, each a match whose `lastgroup` says its kind; every character is in one."""
    return token.finditer(text)


def unescape(text: str) -> str:
    """The text with its code point escapes resolved, which may stand anywhere in a query (section 19.2)."""
    return _ESCAPE.sub(_character, text)


def _character(match: re.Match[str]) -> str:
    code = int(match[1] or match[2], 16)
    return chr(code) if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else "\ufffd"
