"""The form of `/publish`: what a partner's dataset is described by, and the state that the form carries."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, Field

from api.http.uploads import Form
from kg.rdf import formats
from kg.rdf.formats import Rdf
from kg.submitted import intake

Kind = Literal["slug", "text", "long", "url", "contact"]
_LONGEST = 4_000
# An address without the scheme that tells it from the address of a page.
_MAILBOX = re.compile(r"[^\s@:/]+@[^\s@:/]+")
# Licences that may be given by their name, without spaces and hyphens.
_LICENCES = {
    "ccby4.0": "https://creativecommons.org/licenses/by/4.0/",
    "cc01.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "cc0": "https://creativecommons.org/publicdomain/zero/1.0/",
}
# The keys of a description in their order, with what each takes; those with a `*` have a text in each language.
_KEYS: tuple[tuple[str, Kind], ...] = (
    ("title.*", "text"),
    ("description.*", "long"),
    ("linking.*", "long"),
    ("publisher.name.*", "text"),
    ("publisher.homepage", "url"),
    ("license", "url"),
    ("homepage", "url"),
    ("contact", "contact"),
    ("distribution", "url"),
)
OPTIONAL = frozenset({"publisher.homepage"})


class ContributionForm(BaseModel):
    """The form of POST, for OpenAPI; its other fields are the keys of `dataset.yaml`, such as `title.en`."""

    step: str = Field("", json_schema_extra={"enum": ["describe", "validate", "submit"]})
    name: str = Field("", description="The name of the folder.")
    file: str = Field("", json_schema_extra={"format": "binary"})
    text: str = Field("", description="The RDF as text, instead of a file.")
    syntax: str = Field("", json_schema_extra={"enum": [f.name for f in formats.RDF_FORMATS]})


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of the form: its path in the description, what it takes, and the language of its text, if any."""

    path: str
    kind: Kind
    language: str = ""

    @property
    def key(self) -> str:
        """The path without the language, which its texts are found by."""
        return (self.path.removesuffix(f".{self.language}") if self.language else self.path).replace(".", "_")

    @property
    def is_optional(self) -> bool:
        return self.path in OPTIONAL


def form_fields(languages: Sequence[str]) -> Iterator[FormField]:
    """Return the fields in the order of the form."""
    yield FormField("name", "slug")
    for path, kind in _KEYS:
        if path.endswith("*"):
            yield from (FormField(path[:-1] + language, kind, language) for language in languages)
        else:
            yield FormField(path, kind)


@dataclass(frozen=True, slots=True)
class Contribution:
    """A dataset that a partner offers: name of its folder, values by the path of their field, and its RDF as text."""

    name: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    syntax: Rdf = formats.RDF_FORMATS[0]

    @property
    def file(self) -> str:
        """The name of the RDF beside the description."""
        return f"links.{self.syntax.name}"

    @property
    def body(self) -> bytes:
        return self.text.encode()

    def description(self) -> dict[str, Any]:
        """Return the values as the keys of a description, nested, in their order."""
        found: dict[str, Any] = {}
        for path, value in self.values.items():
            if path == "name" or (path in OPTIONAL and not value):
                continue
            *above, last = path.split(".")
            place = found
            for key in above:
                place = place.setdefault(key, {})
            place[last] = value
        return found | {"file": self.file}


def contribution_of(form: Form, languages: Sequence[str]) -> Contribution:
    """Return what a form holds; raises `UnknownSyntax`."""
    values = {f.path: _one_line(form.get(f.path, ""), f.kind) for f in form_fields(languages)}
    by_name = values["license"].casefold().replace(" ", "").replace("-", "")
    values["license"] = _LICENCES.get(by_name, values["license"])
    text, syntax = form.get("text", ""), intake.syntax_of(form.get("syntax", "") or "ttl")
    if form.upload and form.upload[1]:
        name, body = form.upload
        text, syntax = body.decode("utf-8-sig", "surrogateescape"), intake.syntax_of(form.get("syntax", ""), name)
    # Browsers send line breaks in their own way.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    return Contribution(values["name"], values, lines + "\n" if lines.strip() else "", syntax)


def _one_line(written: str, kind: Kind) -> str:
    """Return a value as a description has it: composed, on one line, without control characters."""
    kept = "".join(c if unicodedata.category(c) not in ("Cc", "Cf", "Cs") else " " for c in written)
    text = " ".join(unicodedata.normalize("NFC", kept).split())[:_LONGEST].strip()
    return f"mailto:{text}" if kind == "contact" and _MAILBOX.fullmatch(text) else text
