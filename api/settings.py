"""The settings of the server: environment variables `KG_…`, each with a safe default."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_PUBLIC_URL = re.compile(r"https?://(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?/?")


class Settings(BaseSettings):
    """What an operator may change; `KG_MAX_RESULT_BYTES=1000000` sets `max_result_bytes`."""

    model_config = SettingsConfigDict(env_prefix="KG_", frozen=True, extra="ignore")

    project: Path | None = Field(None, description="The folder with ontology/ and queries/; detected if unset.")
    root_path: str = Field("", description="The path under which a proxy mounts the server, such as /aikg.")
    memory_quads: int = Field(2_000_000, ge=0, description="Releases of at most this many quads are held in memory.")
    max_body_bytes: int = Field(1_000_000, ge=1, description="The largest request body that is read.")
    max_query_length: int = Field(200_000, ge=1, description="The longest query, in characters.")
    max_query_depth: int = Field(200, ge=1, le=300, description="The deepest nesting of brackets in a query.")
    max_query_operators: int = Field(1_000, ge=1, description="The most operators and group patterns in a query.")
    max_result_bytes: int = Field(64_000_000, ge=1, description="The largest query result that is sent.")
    max_table_rows: int = Field(1_000, ge=1, description="Rows of a result shown on a page; the download has all.")
    query_seconds: float = Field(30.0, gt=0, description="How long a query may take; `timeout=` may ask for less.")
    query_memory_mb: int = Field(1_000, ge=16, description="Memory that one query may use beyond the store, in MB.")
    query_workers: int = Field(6, ge=1, description="Queries evaluated at the same time, each in a separate process.")
    query_queue: int = Field(512, ge=0, description="Queries that may wait for a worker; one more gets a 503.")
    client_queries: int = Field(8, ge=1, description="Concurrent queries of one client; one more gets a 429.")
    in_place: bool = Field(True, description="Whether small queries are answered without a worker.")
    services: tuple[str, ...] = Field((), description="Endpoints that SERVICE may query, as a JSON list of IRIs.")
    service_seconds: float = Field(10.0, gt=0, description="How long another endpoint may take to answer.")
    validate_max_bytes: int = Field(
        10_000_000, ge=1, description="The largest document that /validate accepts, in bytes."
    )
    validate_max_statements: int = Field(100_000, ge=1, description="The most statements in a document to validate.")
    validate_max_depth: int = Field(64, ge=1, le=100, description="The deepest nesting in a document to validate.")
    validate_max_results: int = Field(1_000, ge=1, description="Findings that a report lists one by one.")
    validate_seconds: float = Field(
        30.0, gt=0, description="How long the validation of a document may take, waiting included."
    )
    validate_memory_mb: int = Field(1_000, ge=16, description="Memory that one validation may use, in MB.")
    validate_processes: int = Field(
        2, ge=1, description="Documents validated at the same time, each in a separate process."
    )
    validate_queue: int = Field(8, ge=0, description="Documents that may wait for a process; one more gets a 503.")
    client_validations: int = Field(2, ge=1, description="Concurrent documents of one client; one more gets a 429.")
    validate_spare_seconds: float = Field(
        600.0, ge=0, description="How long a process is kept ready for the next document; 0 keeps none."
    )
    cache_mb: int = Field(64, ge=0, description="The size of the cache of answers, in MB.")
    survey_quads: int = Field(
        3_000_000,
        ge=0,
        description="Releases of at most this many quads are read whole by features that need all of it.",
    )
    work_units: int = Field(
        8, ge=1, description="Work other than small at the same time: a page is 4 units, a large request 8."
    )
    small_slots: int = Field(4, ge=1, description="Small requests that are handled at the same time.")
    work_queue: int = Field(256, ge=0, description="Requests that may wait for a slot; one more gets a 503.")
    wait_seconds: float = Field(10.0, gt=0, description="How long a request may wait for a slot.")
    client_requests: int = Field(
        64, ge=1, description="Concurrent requests of one client that take work; one more gets a 429."
    )
    body_mb: int = Field(128, ge=1, description="Memory for request bodies under way, in MB.")
    client_body_mb: int = Field(48, ge=1, description="Memory for request bodies of one client, in MB.")
    max_connections: int = Field(
        5_000, ge=1, description="Open connections; beyond that an idle one is closed, or a new one gets a 503."
    )
    client_connections: int = Field(500, ge=1, description="Open connections of one client; one more gets a 429.")
    max_head_bytes: int = Field(
        65_536, ge=1_024, description="The largest request head (request line and header fields), in bytes."
    )
    head_seconds: float = Field(10.0, gt=0, description="How long a client may take to send a request head.")
    write_seconds: float = Field(
        30.0, gt=0, description="How long a client may read nothing of an answer, or send nothing of a body."
    )
    keep_alive_seconds: int = Field(15, ge=0, description="How long an idle connection is kept open.")
    shutdown_seconds: int = Field(35, ge=0, description="How long requests in flight may take when the server stops.")
    reload_seconds: float = Field(1.0, gt=0, description="How often the server looks for a new release, in seconds.")
    trusted_proxies: str = Field(
        "127.0.0.1", description="Addresses whose X-Forwarded-For and -Proto are trusted, separated by commas."
    )
    public_url: str = Field(
        "", description="The address by which readers know the server, scheme and host; other hosts get a 421."
    )
    log_requests: bool = Field(True, description="Whether each request is logged as a line of JSON.")
    log_queries: bool = Field(False, description="Whether the text of queries is written to the log.")
    desk_file_bytes: int = Field(
        10_000_000, ge=1, description="The largest table that the link desk accepts, in bytes."
    )
    desk_body_bytes: int = Field(
        40_000_000, ge=1, description="The largest form of the link desk, which contains a table and its decisions."
    )
    desk_unpacked_bytes: int = Field(
        200_000_000, ge=1, description="The largest size of a workbook when unpacked, in bytes."
    )
    desk_rows: int = Field(20_000, ge=1, description="The most rows of a table on the link desk.")
    desk_columns: int = Field(100, ge=1, description="The most columns of a table on the link desk.")
    desk_cell_length: int = Field(5_000, ge=1, description="The longest cell of a table, in characters.")
    desk_batch: int = Field(500, ge=1, description="Names in one request to /link/match.")
    desk_seconds: float = Field(30.0, gt=0, description="How long reading or matching one table may take.")
    desk_memory_mb: int = Field(600, ge=64, description="Memory that reading one table may use, in MB.")
    desk_characters: int = Field(
        50_000, ge=1, description="The longest text that names are looked for in, in characters."
    )
    desk_places: int = Field(2, ge=1, description="Tables read at the same time, each in a separate process.")
    desk_queue: int = Field(16, ge=0, description="Tables that may wait for a process; one more gets a 503.")
    remote_user: str = Field("", description="The user at a remote engine, for publishing and for queries.")
    remote_password: str = Field("", repr=False, description="The password of that user.")
    remote_connect_seconds: float = Field(5.0, gt=0, description="How long connecting to a remote engine may take.")
    remote_attempts: int = Field(
        3, ge=1, le=10, description="How many times a query is sent to an engine that does not answer."
    )
    remote_max_bytes: int = Field(
        256_000_000, ge=1, description="The largest answer that is read from a remote engine, in bytes."
    )
    remote_memo_quads: int = Field(200_000, ge=0, description="Quads from a remote engine that are cached for pages.")
    max_batch: int = Field(500, ge=1, description="Names or identifiers in one request to /reconcile or /resolve.")
    candidates: int = Field(5, ge=1, description="Candidates for a name, unless the request asks for another number.")
    max_candidates: int = Field(50, ge=1, description="The most candidates for a name that a request may ask for.")
    page_size: int = Field(100, ge=1, le=10_000, description="Records on one page of a class list.")
    feed_entries: int = Field(200, ge=1, description="Entries on one page of a feed of changes.")
    links_shown: int = Field(50, ge=1, description="Links of one property shown on a page.")
    source_texts: Path | None = Field(
        None, description="A folder with texts of sources that you may show; each is known by its hash."
    )
    report_url: str = Field(
        "",
        description="The address for reports of errors; `{iri}` becomes the record's IRI. If unset, a page says how.",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _no_wildcard(cls, listed: str) -> str:
        if "*" in listed:
            raise ValueError("expected the addresses of your proxies: with '*' any client could pretend to be another")
        return listed

    @field_validator("public_url")
    @classmethod
    def _scheme_and_host(cls, url: str) -> str:
        if url and not _PUBLIC_URL.fullmatch(url):
            raise ValueError("expected scheme and host, such as https://kg.example.org; a path is for KG_ROOT_PATH")
        return url.rstrip("/")
