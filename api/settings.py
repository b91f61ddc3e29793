"""The settings of the server: environment variables `KG_…`, each with a safe default."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What an operator may change; `KG_MAX_RESULT_BYTES=1000000` sets `max_result_bytes`."""

    model_config = SettingsConfigDict(env_prefix="KG_", frozen=True, extra="ignore")

    project: Path | None = Field(None, description="The folder with ontology/ and queries/; found by itself if unset.")
    root_path: str = Field("", description="The path under which a proxy mounts the server, such as /aikg.")
    memory_quads: int = Field(5_000_000, ge=0, description="Releases up to so many quads are held in memory.")
    max_body_bytes: int = Field(1_000_000, ge=1, description="The largest request body that is read.")
    max_query_length: int = Field(200_000, ge=1, description="The longest query, in characters.")
    max_query_depth: int = Field(200, ge=1, description="The deepest nesting of brackets in a query.")
    max_result_bytes: int = Field(64_000_000, ge=1, description="The largest query result that is sent.")
    max_table_rows: int = Field(
        1_000, ge=1, description="Rows shown of a result on a page; the rest is in the download."
    )
    query_threads: int = Field(4, ge=1, description="Queries evaluated at the same time.")
    query_wait_seconds: float = Field(10.0, ge=0, description="How long a query waits for its turn before a 503.")
    page_size: int = Field(100, ge=1, le=10_000, description="Records on one page of a class list.")
    links_shown: int = Field(50, ge=1, description="Links of one property shown on a page.")
    report_url: str = Field(
        "",
        description="Where errors are reported; `{iri}` becomes the record's IRI. If unset, a page tells how.",
    )
