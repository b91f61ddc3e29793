"""The state of a visit to the link desk, which the form carries; the server stores nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request

from api.admission.clients import client_in
from api.admission.cost import Cost
from api.admission.slots import in_thread
from api.http import bodies
from api.http.uploads import Form
from api.problems import Problem
from api.queries.execution import unless_gone
from api.settings import Settings
from api.site.site import site_of
from kg.linking import linkset
from kg.linking.linkset import RELATIONS
from kg.linking.review import Decision, MatchSetup
from kg.tables import process
from kg.tables.rows import TableError, TableLimits
from kg.tables.table import Table

_STATUS = {"broken": 422, "too-large": 413, "unsupported": 415}
_RELEASE = re.compile(r"[0-9a-f]{1,64}")


@dataclass(frozen=True, slots=True)
class Work:
    """A table on the desk, how it is matched, by which release, and the decisions on its rows so far."""

    file: str
    table: Table
    choice: MatchSetup | None = None
    decisions: tuple[Decision, ...] = ()
    release: str = ""
    reviewer: str = ""
    dataset: str = ""

    def document(self) -> dict[str, Any]:
        """Return the state as JSON, the inverse of `work_of`."""
        choice = self.choice
        return {
            "file": self.file,
            "columns": self.table.columns,
            "rows": self.table.rows,
            "spreadsheet": self.table.for_spreadsheet,
            "name": choice.name if choice else None,
            "kind": choice.kind if choice else "",
            "properties": choice.properties if choice else [],
            "subject": choice.subject if choice else "",
            "release": self.release,
            "reviewer": self.reviewer,
            "dataset": self.dataset,
            "decisions": [cells(decision) for decision in self.decisions],
        }


def cells(decision: Decision) -> list[str | float]:
    """Return a decision as a JSON array."""
    return [decision.iri, decision.relation, decision.by, decision.score, decision.reason, decision.listed]


def limits_of(settings: Settings) -> TableLimits:
    return TableLimits(
        bytes=settings.desk_file_bytes,
        rows=settings.desk_rows,
        columns=settings.desk_columns,
        cell=settings.desk_cell_length,
        characters=settings.desk_body_bytes // 3,
        unpacked=settings.desk_unpacked_bytes,
    )


def refused(error: TableError, field: str = "") -> Problem:
    """The answer for a table that cannot be taken, with its place, and the field of the form that is to be changed."""
    place = {n: v for n in ("row", "column", "line") if (v := getattr(error, n)) is not None}
    members = {"code": error.code, **place, **error.values, **({"field": field} if field else {})}
    return Problem(_STATUS[error.kind], f"table-{error.kind}", str(error), members)


# ---- tables ----


async def read_table(request: Request, form: Form) -> Work:
    """Return the table that was uploaded or pasted, read in a child process; raises `Problem`."""
    if form.upload is not None:
        name, body = form.upload
    elif (text := form.get("text", "")).strip():
        # Its encoding is known, and whoever pastes has it from a spreadsheet.
        name, body = "", b"\xef\xbb\xbf" + text.strip("\r\n").encode()
    else:
        raise Problem(422, "no-table", "a table is expected in the field 'file' or in the field 'text'")
    site = site_of(request)
    limits = limits_of(site.settings)
    if len(body) > limits.bytes:
        raise refused(TableError("bytes", limit=limits.bytes))
    message = process.request(
        *(body, name, limits),
        encoding=form.get("encoding", ""),
        sheet=form.get("sheet", ""),
        header=_header(form.get("header", "")),
    )
    try:
        reply = await unless_gone(request, site.tables.run(message, client=client_in(request.scope)))
    except TableError as error:
        raise refused(error) from None
    return Work(name or "table.csv", await in_thread(request, Cost.UPLOAD, process.read_answer, reply))


def _header(written: str) -> int | None:
    """The row of the header, 0 for none; None if it is to be found."""
    return int(written) if written.isascii() and written.isdigit() and len(written) < 3 else None


# ---- states ----


async def work_of(request: Request, written: object) -> Work:
    """Parse the state that a form or JSON body carries; raises `Problem` if it is invalid."""
    return await in_thread(request, Cost.UPLOAD, _work, written, site_of(request).settings)


def _work(written: object, settings: Settings) -> Work:
    document = bodies.parse_json(written, "the work") if isinstance(written, str) else written
    try:
        if not isinstance(document, dict):
            raise TypeError("an object is expected")
        table = _table(document, settings)
        decisions = tuple(_decision(row) for row in document.get("decisions") or ())
        if decisions and len(decisions) != len(table.rows):
            raise ValueError(f"{len(decisions)} decisions for {len(table.rows)} rows")
        texts = {n: _text(document.get(n, "")) for n in ("file", "release", "reviewer", "dataset")}
        if texts["release"] and not _RELEASE.fullmatch(texts["release"]):
            raise ValueError("release: expected the name of a release")
        return Work(table=table, choice=_choice(document, table), decisions=decisions, **texts)
    except TableError as error:
        raise refused(error) from None
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise Problem(422, "bad-work", f"this is not a state of the link desk: {error}") from None


def _table(document: dict[str, Any], settings: Settings) -> Table:
    columns = tuple(_text(c) for c in document["columns"])
    rows = [tuple(map(_text, row)) for row in document["rows"]]
    if not columns or len(columns) > settings.desk_columns:
        raise TableError("columns", limit=settings.desk_columns)
    if len(rows) > settings.desk_rows:
        raise TableError("rows", row=settings.desk_rows + 1, limit=settings.desk_rows)
    for number, row in enumerate(rows, 1):
        if len(row) != len(columns):
            raise TableError("ragged", row=number, cells=len(row), width=len(columns))
        for at, cell in enumerate(row, 1):
            if len(cell) > settings.desk_cell_length:
                raise TableError("cell", row=number, column=at, limit=settings.desk_cell_length)
    return Table(columns, rows, bool(document.get("spreadsheet")))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a string, not {json.dumps(value)[:40]}")
    # JSON can contain half a surrogate pair, which is not text.
    value.encode()
    return value


def _choice(document: dict[str, Any], table: Table) -> MatchSetup | None:
    name = document.get("name")
    if name is None:
        return None
    properties = tuple((_index(at, table), _text(to)) for at, to in document.get("properties") or ())
    return MatchSetup(
        _index(name, table), _text(document.get("kind") or ""), properties, _text(document.get("subject") or "")
    )


def _index(value: object, table: Table) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < len(table.columns):
        raise ValueError(f"expected the number of a column, from 0 to {len(table.columns) - 1}")
    return value


def _decision(row: Sequence[Any]) -> Decision:
    iri, relation, by, score, reason, told = row
    if relation not in (*RELATIONS, "") or by not in ("machine", "person", "") or bool(relation) > bool(iri):
        raise ValueError(f"not a decision: {json.dumps(row, ensure_ascii=False)[:80]}")
    if relation and not linkset.is_iri(iri):
        raise ValueError(f"not an absolute IRI: {json.dumps(iri, ensure_ascii=False)[:80]}")
    if not isinstance(score, int | float) or not 0 <= score <= 100:
        raise ValueError("a score is a number from 0 to 100")
    return Decision(_text(iri) if relation else "", relation, by, float(score), _text(reason), _text(told))


def checked(work: Work, exists: Any) -> Work:
    """Return the work if all records that it links to exist; raises `Problem` with the row."""
    for number, decision in enumerate(work.decisions, 1):
        if decision.relation and not exists(decision.iri):
            raise refused(TableError("no-record", row=number, iri=decision.iri[:200]))
    return work


def chosen(work: Work, form: Form, kinds: Sequence[str]) -> Work:
    """Return the work with the columns chosen in the form."""
    names = {n: form.get(n, "").strip() for n in ("kind", "subject", "reviewer", "dataset")}
    try:
        at = _index(int(form.get("name", "0")), work.table)
        pairs = ((form.get(f"property-{n}"), n) for n in range(len(work.table.columns)))
        properties = tuple((n, to) for to, n in pairs if to)
    except ValueError as error:
        raise Problem(422, "bad-column", str(error)) from None
    if names["kind"] and names["kind"] not in kinds:
        raise Problem(422, "bad-kind", f"kind: expected one of {', '.join(kinds)}, not '{names['kind'][:40]}'")
    choice = MatchSetup(at, names["kind"], properties, names["subject"])
    return replace(work, choice=choice, reviewer=names["reviewer"], dataset=names["dataset"])


def published(work: Work, form: Form) -> Work:
    """Return the work with what the linkset states about rows, reviewer and dataset."""
    choice = work.choice
    if choice is not None and "subject" in form:
        choice = replace(choice, subject=form["subject"].strip())
    reviewer, dataset = ((form.get(n) or getattr(work, n)).strip() for n in ("reviewer", "dataset"))
    return replace(work, choice=choice, reviewer=reviewer, dataset=dataset)
