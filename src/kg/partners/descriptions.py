"""Reads the `dataset.yaml` of a partner (title, publisher, licence, location of the RDF) and writes it as RDF."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pyoxigraph import Literal, NamedNode, Quad

from kg.documents import Position, YamlDocument, read_text
from kg.errors import FileProblem
from kg.project.description import Project
from kg.rdf import formats, iris
from kg.rdf.iris import Base

DCAT = "http://www.w3.org/ns/dcat#"
_DCTERMS = "http://purl.org/dc/terms/"
_FOAF = "http://xmlns.com/foaf/0.1/"
_SKOS = "http://www.w3.org/2004/02/skos/core#"
_SHA256 = re.compile("[0-9a-f]{64}")
REQUIRED = ("title", "description", "linking", "publisher", "license", "homepage", "contact", "distribution")
KEYS = (*REQUIRED, "file", "url", "sha256")


@dataclass(frozen=True, slots=True)
class DatasetDescription:
    """A partner's dataset; texts are by language, `positions` has the position of each key."""

    base: Base
    name: str
    file: str
    title: Mapping[str, str]
    description: Mapping[str, str]
    linking: Mapping[str, str]
    publisher: Mapping[str, str]
    publisher_homepage: str
    license: str
    homepage: str
    contact: str
    distribution: str
    rdf_file: str
    rdf_url: str
    sha256: str
    syntax: formats.Rdf
    is_packed: bool
    positions: Mapping[str, Position] = field(default_factory=dict)

    @property
    def iri(self) -> str:
        """The record of the dataset, which is the source of its graph."""
        return self.base.record_iri(f"source/partner/{self.name}")

    @property
    def graph(self) -> str:
        return self.base.partner + self.name


def read(path: Path, project: Project) -> tuple[DatasetDescription | None, list[FileProblem]]:
    """Reads a description; None if it has problems."""
    name = path.relative_to(project.root).as_posix()
    text, problems = read_text(path, name)
    return (None, problems) if text is None else parse(text, name, path.parent.name, project)


def parse(text: str, file: str, name: str, project: Project) -> tuple[DatasetDescription | None, list[FileProblem]]:
    """The description that a text is, of the dataset with this name; None if it has problems."""
    reader = _Reader(file, "a map that describes a dataset", project.languages)
    values = reader.read(text)
    if reader.problems:
        return None, reader.problems
    located = values.pop("url", "") or values["file"]
    syntax, is_packed = _syntax(located)
    assert syntax is not None
    homepage = values["publisher"].get("homepage", "")
    found = DatasetDescription(
        base=project.base,
        name=name,
        file=file,
        publisher=values.pop("publisher")["name"],
        publisher_homepage=homepage,
        rdf_file=values.pop("file", ""),
        rdf_url=located if "url" in reader.positions else "",
        sha256=values.pop("sha256", ""),
        syntax=syntax,
        is_packed=is_packed,
        positions=reader.positions,
        **values,
    )
    return found, []


def write(values: Mapping[str, Any]) -> str:
    """A description as YAML, in the order of the values and with one line for each; `paths` names the lines."""
    return yaml.safe_dump(values, allow_unicode=True, sort_keys=False, width=math.inf)


def paths(values: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """The key on each line that `write` gives these values, below others with dots: `publisher.name.en`."""
    for key, value in values.items():
        yield above + key
        if isinstance(value, Mapping):
            yield from paths(value, f"{above}{key}.")


def _syntax(location: str) -> tuple[formats.Rdf | None, bool]:
    """The RDF syntax by the extension of a file name or URL, and whether the file is compressed with gzip."""
    path = re.split("[?#]", location, maxsplit=1)[0]
    bare = path.removesuffix(".gz")
    return formats.rdf_format(bare.rpartition(".")[2]), bare != path


class _Reader(YamlDocument):
    """Reads the map and reports unknown keys and values of the wrong type."""

    def __init__(self, file: str, content: str, languages: tuple[str, ...]) -> None:
        super().__init__(file, content)
        self.languages = languages
        self.positions: dict[str, Position] = {}
        self.kinds: Mapping[str, Callable[[str, yaml.Node], Any]] = {
            **dict.fromkeys(("title", "description", "linking"), self._texts),
            **dict.fromkeys(("license", "homepage", "distribution"), self._address),
            "publisher": self._publisher,
            "contact": self._contact,
            "file": self._file,
            "url": self._url,
            "sha256": self._sha256,
        }

    def read(self, text: str) -> dict[str, Any]:
        root = self.compose(text)
        if root is None:
            return {}
        values = self.fields(root, self.kinds, self.positions)
        whole = Position(self.file, 1, 1)
        for key in REQUIRED:
            if key not in self.positions:
                self.problems.append(whole.problem("missing-key", f"'{key}' is missing"))
        if ("file" in self.positions) == ("url" in self.positions):
            message = "give the location of the RDF: either 'file', for a file beside this one, or 'url'"
            self.problems.append(whole.problem("missing-key", message))
        elif "url" in self.positions and "sha256" not in self.positions:
            message = "a 'url' needs a 'sha256', so that every build uses the same data"
            self.problems.append(self.positions["url"].problem("missing-key", message))
        return values

    def _texts(self, key: str, node: yaml.Node) -> dict[str, str] | None:
        return self.texts(key, node, self.languages)

    def _publisher(self, key: str, node: yaml.Node) -> dict[str, Any] | None:
        if not isinstance(node, yaml.MappingNode):
            self.report(node, "wrong-type", f"'{key}' needs a map with 'name' and 'homepage'")
            return None
        values = self.fields(node, {"name": self._texts, "homepage": self._address})
        if "name" not in values:
            self.report(node, "missing-key", f"'{key}' needs a 'name'")
        return values

    def _address(self, key: str, node: yaml.Node, schemes: tuple[str, ...] = ("https://", "http://")) -> str | None:
        text = self.text(key, node)
        if text is None:
            return None
        if not text.startswith(schemes) or iris.ILLEGAL_IN_IRI.search(text) or text in schemes:
            self.report(node, "wrong-type", f"'{text}' under '{key}': expected a URL that begins with {schemes[0]}")
            return None
        return text

    def _contact(self, key: str, node: yaml.Node) -> str | None:
        return self._address(key, node, ("mailto:", "https://", "http://"))

    def _url(self, key: str, node: yaml.Node) -> str | None:
        return self._located(node, self._address(key, node, ("https://", "http://", "file:///")))

    def _file(self, key: str, node: yaml.Node) -> str | None:
        text = self.text(key, node)
        if text is not None and (text.startswith(("/", ".")) or ".." in text.split("/") or "\\" in text):
            self.report(
                node, "wrong-type", f"'{text}' is not a file beside this one; expected a file name such as links.ttl"
            )
            return None
        return self._located(node, text)

    def _located(self, node: yaml.Node, text: str | None) -> str | None:
        if text is not None and _syntax(text)[0] is None:
            known = ", ".join(f".{f.name}" for f in formats.RDF_FORMATS)
            message = f"'{text}' has no extension of an RDF syntax; expected one of {known}, optionally with .gz"
            self.report(node, "wrong-type", message)
            return None
        return text

    def _sha256(self, key: str, node: yaml.Node) -> str | None:
        text = self.text(key, node)
        if text is not None and not _SHA256.fullmatch(text):
            self.report(node, "wrong-type", f"'{key}' needs 64 hexadecimal digits, as printed by 'sha256sum'")
            return None
        return text


def to_quads(found: DatasetDescription) -> list[Quad]:
    """The record of a dataset in the graph `about`, and the source of the dataset's graph."""
    me, publisher, distribution = found.iri, f"{found.iri}#publisher", f"{found.iri}#distribution"
    statements: list[tuple[str, str, str]] = [
        (found.graph, iris.PRIMARY_SOURCE, me),
        (me, iris.RDF_TYPE, iris.ONTOLOGY + "#Source"),
        (me, iris.RDF_TYPE, DCAT + "Dataset"),
        (me, _DCTERMS + "license", found.license),
        (me, _FOAF + "homepage", found.homepage),
        (me, _DCTERMS + "publisher", publisher),
        (me, DCAT + "distribution", distribution),
        (publisher, iris.RDF_TYPE, _FOAF + "Agent"),
        (publisher, _FOAF + ("mbox" if found.contact.startswith("mailto:") else "page"), found.contact),
        (distribution, iris.RDF_TYPE, DCAT + "Distribution"),
        (distribution, DCAT + "accessURL", found.distribution),
    ]
    if found.publisher_homepage:
        statements.append((publisher, _FOAF + "homepage", found.publisher_homepage))
    texts = [
        (me, _SKOS + "prefLabel", found.title),
        (me, _DCTERMS + "description", found.description),
        (me, _SKOS + "scopeNote", found.linking),
        (publisher, _SKOS + "prefLabel", found.publisher),
    ]
    about = NamedNode(found.base.about)
    return [
        *(Quad(NamedNode(s), NamedNode(p), NamedNode(o), about) for s, p, o in statements),
        *(
            Quad(NamedNode(s), NamedNode(p), Literal(text, language=tongue), about)
            for s, p, by_language in texts
            for tongue, text in by_language.items()
        ),
    ]
