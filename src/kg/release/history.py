"""The history of changes, which each release carries over from the previous one.

A release has it as `changes.json`, newest first. Without that file, the history is the one step that can be computed.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from pyoxigraph import Literal as Text
from pyoxigraph import RdfFormat, parse

from kg.errors import BrokenRelease
from kg.rdf.terms import value
from kg.release import changes, store
from kg.release.store import Manifest

FILE = "changes.json"
Kind = Literal["added", "changed", "deprecated", "removed"]
_LABEL = "http://www.w3.org/2004/02/skos/core#prefLabel"
_SUCCESSOR = "successor"
_REPLACED_BY = "http://purl.org/dc/terms/isReplacedBy"


class HistoryBounds(BaseSettings):
    """Limits of the history in a release, from the environment: `KG_HISTORY_RELEASES=10` sets `releases`."""

    model_config = SettingsConfigDict(env_prefix="KG_HISTORY_", frozen=True, extra="ignore")

    releases: int = Field(100, ge=1, description="How many earlier releases the history covers.")
    records: int = Field(10_000, ge=0, description="How many changed records the history lists, over all releases.")
    quads: int = Field(500_000, ge=0, description="Releases with more quads are not compared with the previous one.")


@dataclass(frozen=True, slots=True)
class ChangeEntry:
    """A changed record: its path `class/slug`, the kind of change, numbers of facts, and its names at that time."""

    path: str
    kind: Kind
    added: int
    removed: int
    label: Mapping[str, str] = field(default_factory=dict)
    successor: str = ""


@dataclass(frozen=True, slots=True)
class ReleaseChanges:
    """A release with its changes; `total` is the number of records, and `entries` has all or, if too many, none.

    `total` is None if there was no release to compare with.
    """

    release: str
    issued: str
    previous: str = ""
    total: int | None = None
    entries: tuple[ChangeEntry, ...] = ()


def read(
    directory: Path, manifest: Manifest, bounds: HistoryBounds, languages: Sequence[str] = ()
) -> tuple[ReleaseChanges, ...]:
    """The history of a release, newest first, with at least its own step. Raises `BrokenRelease`."""
    try:
        document: list[dict[str, Any]] = json.loads((directory / FILE).read_text(encoding="utf-8"))
        return tuple(_step(fields) for fields in document)
    except FileNotFoundError:
        return (_compared(directory, manifest, changes.previous(directory, manifest), bounds, languages),)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BrokenRelease(f"{directory / FILE} cannot be read: {error}") from error


def _step(fields: Mapping[str, Any]) -> ReleaseChanges:
    entries = tuple(ChangeEntry(**entry) for entry in fields["entries"])
    return ReleaseChanges(**{**fields, "entries": entries})


def write(directory: Path, before: Path | None, bounds: HistoryBounds, languages: Sequence[str] = ()) -> None:
    """Writes the history of a staged release, which continues that of the release in `before`.

    Records are named in the given languages, or in all if none is given.
    """
    manifest = store.read_manifest(directory)
    steps = [_compared(directory, manifest, before, bounds, languages)]
    if before is not None:
        # An unreadable history is dropped, and a new one begins.
        with contextlib.suppress(BrokenRelease):
            steps += _kept(read(before, store.read_manifest(before), bounds), bounds, len(steps[0].entries))
    document = json.dumps([asdict(step) for step in steps], ensure_ascii=False, indent=1)
    (directory / FILE).write_text(document + "\n", encoding="utf-8")


def _kept(steps: Sequence[ReleaseChanges], bounds: HistoryBounds, told: int) -> list[ReleaseChanges]:
    """As many older steps as the limits allow, without cutting any."""
    kept: list[ReleaseChanges] = []
    for step in steps[: bounds.releases - 1]:
        told += len(step.entries)
        if told > bounds.records:
            break
        kept.append(step)
    return kept


def _compared(
    directory: Path, manifest: Manifest, before: Path | None, bounds: HistoryBounds, languages: Sequence[str]
) -> ReleaseChanges:
    name = manifest.id[:16]
    if before is None or manifest.quads > bounds.quads:
        return ReleaseChanges(name, manifest.issued)
    earlier = store.read_manifest(before)
    if earlier.base_iri != manifest.base_iri or earlier.quads > bounds.quads:
        return ReleaseChanges(name, manifest.issued)
    found = changes.between(before, directory).records
    told = found if len(found) <= bounds.records else ()
    words = {**_words(before, languages), **_words(directory, languages)}
    entries = tuple(_entry(record, words.get(record.iri, {}), manifest.base_iri + "id/", languages) for record in told)
    return ReleaseChanges(name, manifest.issued, earlier.id[:16], len(found), entries)


def _entry(record: changes.ChangedRecord, words: Mapping[str, str], root: str, languages: Sequence[str]) -> ChangeEntry:
    label = {tongue: words[tongue] for tongue in languages or sorted(words.keys() - {_SUCCESSOR}) if tongue in words}
    successor = words.get(_SUCCESSOR, "") if record.is_deprecated else ""
    return ChangeEntry(record.iri.removeprefix(root), _kind(record), record.added, record.removed, label, successor)


def _kind(record: changes.ChangedRecord) -> Kind:
    if record.is_gone:
        return "removed"
    if record.is_deprecated:
        return "deprecated"
    return "added" if record.is_new else "changed"


def _words(directory: Path, languages: Sequence[str]) -> dict[str, dict[str, str]]:
    """The names of all records by language, with their successors under `successor`."""
    found: dict[str, dict[str, str]] = {}
    with (directory / "dataset.nq").open("rb") as document:
        lines = b"".join(line for line in document if _LABEL.encode() in line or _REPLACED_BY.encode() in line)
    for quad in parse(lines, format=RdfFormat.N_QUADS):
        words = found.setdefault(value(quad.subject), {})
        if quad.predicate.value == _REPLACED_BY:
            words[_SUCCESSOR] = value(quad.object)
        elif isinstance(quad.object, Text) and (tongue := quad.object.language or "") in (languages or (tongue,)):
            words.setdefault(tongue, quad.object.value)
    return found
