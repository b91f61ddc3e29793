"""Splits SPARQL into tokens, and so tells keywords from strings, comments and IRIs (SPARQL 1.1, section 19.8).

Unlike the engine's parser, a lexer cannot always tell the `<` of a comparison from that of an IRI. Safety does not
depend on it: untrusted queries run in child processes that can be killed and cannot open connections.
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
# The same for Turtle and related syntaxes, where code point escapes are allowed in IRIs and strings only.
TURTLE = re.compile(TOKEN.pattern.replace(_IN_IRI, rf"(?:{_IN_IRI}|\\[uU])"), TOKEN.flags)
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")


def tokens(text: str, token: re.Pattern[str] = TOKEN) -> Iterator[re.Match[str]]:
    """The tokens of a text, as matches whose `lastgroup` is the kind; every character belongs to a token."""
    return token.finditer(text)


def has_word(text: str, word: str) -> bool:
    """Whether a text has a keyword, given in capitals, outside strings, comments and IRIs."""
    return word in text.upper() and any(m.lastgroup == "word" and m[0].upper() == word for m in tokens(text))


# What looks like a space and is none to the grammar: no-break, full-width and thin spaces, the byte-order mark.
_ODD_SPACE = re.compile(r"[\x0b\x0c\x85\xa0\u1680\u180e\u2000-\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff]")


def with_plain_spaces(text: str) -> str:
    """The text with a plain space in place of each odd one between its tokens, so that every position stays the same.

    Editors, word processors and Japanese keyboards write them. In strings, comments and IRIs they are kept.
    """
    if _ODD_SPACE.search(text) is None:
        return text
    return "".join(m[0] if m.lastgroup or m[0][0] in "\"'#" else _ODD_SPACE.sub(" ", m[0]) for m in tokens(text))


def unescape(text: str) -> str:
    """Resolves code point escapes, which are allowed anywhere in a query (section 19.2)."""
    return _ESCAPE.sub(_character, text)


def _character(match: re.Match[str]) -> str:
    code = int(match[1] or match[2], 16)
    return chr(code) if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else "\ufffd"
