"""Types of query parameters: what may be written, what it is read as, and what OpenAPI says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query
from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, PydanticCustomError, PydanticUseDefault, core_schema

from api.problems import Problem
from kg.release import evidence_sets


def _default_if_empty(written: str) -> str:
    if written == "":
        raise PydanticUseDefault
    return written


# An empty field of a form means the default of its parameter.
EmptyIsDefault = BeforeValidator(_default_if_empty)


def _flag(written: str | bool) -> bool:
    # Until 0.160, FastAPI validates defaults too.
    if isinstance(written, bool):
        return written
    if written not in ("", "0", "1"):
        raise PydanticCustomError("flag", "expected 1 or 0, not '{written}'", {"written": written[:40]})
    return written == "1"


Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "string", "enum": ["0", "1"]})]
Texts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WholeNumber:
    """Marks an `int` that is written in digits alone and lies within bounds; empty means the default."""

    least: int
    most: int

    def read(self, written: str | int) -> int:
        # Until 0.160, FastAPI validates defaults too.
        if isinstance(written, int):
            return written
        if written == "":
            raise PydanticUseDefault
        if not written.isascii() or not written.isdigit() or not self.least <= int(written[:9]) <= self.most:
            known = {"least": self.least, "most": self.most, "written": written[:40]}
            raise PydanticCustomError("number", "expected a number from {least} to {most}, not '{written}'", known)
        return int(written)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


# Read by `api.queries.execution.seconds_asked`, which knows the longest time.
Timeout = Annotated[
    str,
    Query(description="Seconds after which the query is stopped."),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0}),
]
# How far the facts may be from the sources; see `kg.release.evidence_sets`.
EvidenceLevel = Annotated[
    str,
    Query(description="Only facts of these kinds of evidence, each with those before it; without it, all."),
    WithJsonSchema({"type": "string", "enum": list(evidence_sets.LEVELS)}),
]


def evidence_level(written: str) -> str:
    """Return the level of evidence asked for; raises `Problem` for one that there is not."""
    if written and written not in evidence_sets.LEVELS:
        known = ", ".join(evidence_sets.LEVELS)
        raise Problem(400, "bad-parameter", f"evidence: expected one of {known}, not '{written[:40]}'")
    return written


# How many pages there are is known when they have been counted: see `page_number`.
PageNumber = Annotated[
    str, Query(description="The page, from 1."), WithJsonSchema({"type": "integer", "minimum": 1, "default": 1})
]


def page_number(written: str, pages: int, whose: str) -> int:
    """The page number, from 1 to the number of pages; raises `Problem` 404, which begins with `whose` and its verb."""
    if not written.isascii() or not written.isdigit() or not 1 <= int(written[:9]) <= pages:
        raise Problem(404, "no-such-page", f"{whose} pages 1 to {pages}, not '{written[:20]}'")
    return int(written)
