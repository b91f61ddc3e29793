"""Request bodies of the link desk as OpenAPI describes them; `state` and `router` read them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field


class TableForm(BaseModel):
    """An uploaded table."""

    file: str = Field("", json_schema_extra={"contentMediaType": "application/octet-stream"})
    text: str = Field("", description="The table as text, instead of a file.")
    header: str = Field("", description="The row of the column names, 0 if there is none; else it is found.")
    sheet: str = ""
    encoding: str = ""


class NameBatch(BaseModel):
    """Names to match."""

    names: list[str]
    kind: str = ""
    properties: dict[str, list[str]] = Field({}, description="Other columns, by property, each as long as `names`.")


class FinishedWork(BaseModel):
    """A table with the decisions on its rows."""

    columns: list[str]
    rows: list[list[str]]
    name: int = Field(description="The column of names, from 0.")
    subject: str = Field("", description="A column, or a template over columns, that gives the IRIs of the rows.")
    decisions: list[Annotated[list[Any], Field(min_length=6, max_length=6)]] = Field(
        description="For each row: IRI, relation (exact, close, part), by (machine, person), score, reason, told."
    )
