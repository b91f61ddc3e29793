"""What a parser says of a syntax error, in the languages of a report.

The parser speaks English alone. Each of its sentences is known by a pattern; one that is not stays as it is.
"""

from __future__ import annotations

import re

_ROLES = {
    "object": "目的語",
    "predicate": "述語",
    "subject or graph name": "主語またはグラフ名",
    "subject": "主語",
    "graph name": "グラフ名",
}
# Pattern of the parser's sentence → the same in Japanese.
_JAPANESE = tuple(
    (re.compile(pattern, re.DOTALL), said)
    for pattern, said in (
        (r"Triples should be followed by a dot", "文の終わりにピリオド（.）が必要です。"),
        (r"A dot is expected at the end of statements", "文の終わりにピリオド（.）が必要です。"),
        (r"The prefix (?P<x>.+) has not been declared",
         "接頭辞「{x}」が宣言されていません。@prefix で宣言してください。"),
        (r"(?P<x>.+) is not a valid (?:RDF )?(?P<role>[a-z ]+)", "「{x}」は{role}として読めません。"),
        (r"Unexpected end(?: of file)?", "文書が途中で終わっています。引用符や括弧が閉じているか確かめてください。"),
        (r"Invalid IRI code point '(?P<x>.+)'", "IRIに使えない文字「{x}」があります。"),
        (r"No scheme found in an absolute IRI", "相対IRIは使えません。https:// などで始まるIRIにしてください。"),
        (r"Unexpected escape character '(?P<x>.+)'", "「{x}」というエスケープはありません。"),
        (r"Unexpected character '(?P<x>.+)'", "ここに「{x}」は書けません。"),
        (r"Expecting a datatype IRI after \^\^, found (?P<x>.+)",
         "^^ の後にはデータ型のIRIが必要です（「{x}」があります）。"),
        (r"[Bb]lank node property lists should end with a '\]'", "空白ノードの「[」が「]」で閉じていません。"),
        (r"'(?P<x>.+)' is not allowed at the beginning of a prefix name",
         "ここに「{x}」は書けません。半角の記号か確かめてください。"),
        (r"The PREFIX (?:keyword|declaration) should be followed by .*",
         "接頭辞の宣言は「@prefix 名前: <IRI> .」の形で書いてください。"),
        (r"syntax error: tag not closed.*", "タグが閉じていません。"),
        (r"line (?P<x>\d+) is not UTF-8(?: but (?P<y>[\w-]+))?; save the file as UTF-8",
         "{x}行目がUTF-8ではありません{y}。UTF-8で保存してください。"),
        (r"the document has no statements.*", "文書にトリプルがありません。"),
    )
)  # fmt: skip


def said_in(message: str, language: str) -> str:
    """The message of a parser in a language; '' if it is known in English alone."""
    if language == "en":
        return message
    for pattern, said in _JAPANESE if language == "ja" else ():
        if match := pattern.fullmatch(message):
            values = {name: text or "" for name, text in match.groupdict().items()}
            if "role" in values:
                values["role"] = _ROLES.get(values["role"], "この位置の値")
            if values.get("y"):
                values["y"] = f"（{values['y']}と思われます）"
            return said.format(**values)
    return ""
