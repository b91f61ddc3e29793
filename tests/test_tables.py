"""Tables: read without guessing, refused with a position, and written safely and without loss."""

from __future__ import annotations

import csv
import datetime
import io
import time
import zipfile
from collections.abc import Callable

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.tables import rows
from kg.tables import table as tables
from kg.tables.rows import TableError, TableLimits
from kg.tables.table import Table

TEXT = '機関名,備考\r\n東京大学,"二行の\r\n備考"\r\n㈱①髙島,\r\n'
READ = [("東京大学", "二行の\r\n備考"), ("㈱①髙島", "")]


def workbook(cells: list[list[object]], sheet: str = "一覧") -> bytes:
    """A workbook with an empty second sheet."""
    book = openpyxl.Workbook()
    book.active.title = sheet
    for row in cells:
        book.active.append(row)
    book.create_sheet("別").append(["名", "x"])
    output = io.BytesIO()
    book.save(output)
    return output.getvalue()


def refusal(body: bytes, name: str = "t.csv", limits: TableLimits = rows.USUAL, **options: str) -> TableError:
    with pytest.raises(TableError) as caught:
        tables.read(body, name, limits, **options)  # type: ignore[arg-type]
    return caught.value


# ---- characters ----


@pytest.mark.parametrize(
    ("encoding", "for_spreadsheet"),
    [("utf-8", False), ("utf-8-sig", True), ("utf-16", True), ("cp932", True)],
)
def test_each_encoding_is_detected(encoding: str, for_spreadsheet: bool) -> None:
    table = tables.read(TEXT.encode(encoding), "t.csv")
    assert table == Table(("機関名", "備考"), READ, for_spreadsheet)


def test_utf_16_of_both_orders() -> None:
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert tables.read(mark + TEXT.encode(encoding)).rows == READ


def test_what_may_be_two_encodings_is_refused_until_it_is_named() -> None:
    body = "ﾄｳｷﾖ\r\nﾀｲ\r\n".encode("cp932")
    assert refusal(body).code == "ambiguous"
    assert tables.read(body, "t.csv", encoding="cp932", header=1).rows == [("ﾀｲ",)]
    euc = "機関\n東大\n".encode("euc-jp")
    assert tables.read(euc, encoding="euc-jp").rows == [("東大",)]
    assert refusal(euc).kind == "broken"
    assert refusal(b"a\n1\n", encoding="klingon").kind == "unsupported"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ("機関名,b\n東京,x\n京都,\udcff\n".encode("utf-8", "surrogateescape"), (2, 2, 3)),
        ("機関\udc80名,b\n".encode("utf-8", "surrogateescape"), (0, 1, 1)),
        (b'a,b\r\n"x\r\ny",\xff\r\n', (1, 2, 3)),
        (b"\xff\xfea\x00,\x00\x00\xd8", (0, 2, 1)),
    ],
)
def test_a_byte_that_is_no_character_has_a_place(body: bytes, place: tuple[int, int, int]) -> None:
    error = refusal(body)
    assert error.code == "byte"
    assert (error.row, error.column, error.line) == place


def test_a_control_character_is_refused_with_its_place() -> None:
    error = refusal(b"a,b\n1,2\n3,\x004\n")
    assert (error.code, error.row, error.column, error.line) == ("control", 2, 2, 3)
    assert str(error) == "row 2, column 2 (line 3): the control character U+0000 is not allowed in a table"


# ---- delimiters and rows ----


@pytest.mark.parametrize(
    ("text", "name", "columns"),
    [
        ("a,b\n1,2\n", "", ("a", "b")),
        ("a\tb\n1\t2\n", "", ("a", "b")),
        ("a;b\n1,5;2,5\n", "x.csv", ("a", "b")),
        ('"x,y";b\n1;2\n', "", ("x,y", "b")),
        ("a,b\tc\n1\t2\n", "x.tsv", ("a,b", "c")),
        ("Name\nMinistry of Education, Culture, Sports\n", "", ("Name",)),
    ],
)
def test_the_delimiter_is_the_one_that_fits(text: str, name: str, columns: tuple[str, ...]) -> None:
    assert tables.read(text.encode(), name).columns == columns


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("a,b\n1,2,3\n", "ragged", (1, 3, 2)),
        ('a,b\n1,"2\n3,4\n5,6\n', "quote-open", (1, 2, 2)),
        ('a,b\n"x"y,2\n', "quote-inside", (1, None, 2)),
        ("", "empty", (None, None, None)),
        ("\n\r\n,\n", "empty", (None, None, None)),
    ],
)
def test_what_is_malformed_has_its_place(text: str, code: str, place: tuple[int | None, ...]) -> None:
    error = refusal(text.encode())
    assert (error.code, (error.row, error.column, error.line)) == (code, place)


def test_a_quotation_mark_left_open_in_a_long_file_is_found_at_its_beginning() -> None:
    text = 'a,b\n1,2\n3,"4\n' + "5,6\n" * 100_000
    error = refusal(text.encode())
    assert error.code in ("quote-open", "quote-long")
    assert (error.row, error.column, error.line) == (2, 2, 3)


def test_blank_rows_are_left_out_but_kept_in_a_list_of_names() -> None:
    assert tables.read(b"a,b\n\n1,2\n,\n3,4\n\n", "t.csv").rows == [("1", "2"), ("3", "4")]
    assert tables.read("名\nあ\n\nい\n\n".encode()).rows == [("あ",), ("",), ("い",)]


def test_a_table_without_a_header_has_numbers_for_names() -> None:
    assert tables.read(b"x,y\n1,2\n", header=0) == Table(("1", "2"), [("x", "y"), ("1", "2")])


@pytest.mark.parametrize(
    ("limits", "code", "row", "column"),
    [
        (TableLimits(bytes=10), "bytes", None, None),
        (TableLimits(rows=1), "rows", 2, None),
        (TableLimits(columns=1), "columns", 0, None),
        (TableLimits(cell=3), "cell", 2, 2),
        (TableLimits(characters=6), "characters", 2, None),
    ],
)
def test_every_limit_of_a_table(limits: TableLimits, code: str, row: int | None, column: int | None) -> None:
    body = b"a,b\n1,222\n3,4444\n"
    error = refusal(body, limits=limits)
    assert (error.code, error.kind, error.row, error.column) == (code, "too-large", row, column)
    for cells in (workbook([["a", "b"], ["1", "222"], ["3", "4444"]]),):
        assert refusal(cells, limits=limits).code == code


# ---- tables as they are ----


@pytest.mark.parametrize(
    ("body", "columns", "first", "codes"),
    [
        (
            "令和7年度 一覧,,\n,,（4月1日現在）\n機関名,法人番号,備考\n理研,1,\n",
            ("機関名", "法人番号", "備考"),
            ("理研", "1", ""),
            ["titles"],
        ),
        (
            "機関,,法人番号\n名称,略称,\n理化学研究所,理研,1030005007111\n",
            ("機関 名称", "機関 略称", "法人番号"),
            ("理化学研究所", "理研", "1030005007111"),
            ["two-headers"],
        ),
        ("機関名,番号,備考\n理研,1\n", ("機関名", "番号", "備考"), ("理研", "1", ""), ["short-row"]),
        (
            "1,1030005007111,理研\n2,5010005007398,東大\n",
            ("1", "2", "3"),
            ("1", "1030005007111", "理研"),
            ["no-header"],
        ),
        ("東京大学\n理化学研究所\n", ("1",), ("東京大学",), ["no-header"]),
        ("機関名\n理化学研究所\n", ("機関名",), ("理化学研究所",), []),
        ("機関名,2024,2025\n理研,1000,1200\n", ("機関名", "2024", "2025"), ("理研", "1000", "1200"), []),
    ],
)
def test_the_header_is_found_and_what_was_found_is_told(
    body: str, columns: tuple[str, ...], first: tuple[str, ...], codes: list[str]
) -> None:
    table = tables.read(body.encode(), "t.csv")
    assert (table.columns, table.rows[0]) == (columns, first)
    assert [notice.code for notice in table.notices] == codes


@pytest.mark.parametrize(("first", "second"), [("utf-8", "cp932"), ("cp932", "utf-8")])
def test_a_file_joined_of_two_encodings_is_read_and_the_place_is_told(first: str, second: str) -> None:
    table = tables.read("機関名,備考\n".encode(first) + "東京大学,国立\n".encode(second), "t.csv")
    assert (table.columns, table.rows) == (("機関名", "備考"), [("東京大学", "国立")])
    assert [(notice.code, notice.line) for notice in table.notices] == [("two-encodings", 2)]


def test_a_formula_without_a_value_is_told_and_zeros_are_read_as_shown() -> None:
    table = tables.read(workbook([["名", "番号"], ["=A1", 1], ["東大", "x"]]))
    assert [(n.code, n.row, n.column) for n in table.notices] == [("no-value", 1, 1)]
    book = openpyxl.Workbook()
    book.active.append(["名", "番号"])
    book.active.append(["東大", 7])
    book.active["B2"].number_format = "000"
    stream = io.BytesIO()
    book.save(stream)
    table = tables.read(stream.getvalue())
    assert table.rows == [("東大", "007")]
    assert [str(notice) for notice in table.notices] == ["row 1, column 2: the number 7 is read as it is shown, 007"]


# ---- workbooks ----


def test_a_workbook_is_read_as_it_is_shown() -> None:
    day = datetime.datetime(2026, 6, 29)
    body = workbook(
        [
            ["機関名", "法人番号", "日", "率", "真", None],
            ["東大", 5010005007398, day, 0.5, True, None],
            [None, None, None, None, None, None],
            ["=1+1", 12.0, datetime.datetime(2026, 6, 29, 9, 30), None, False, None],
        ]
    )
    table = tables.read(body, "anything")
    assert table.columns == ("機関名", "法人番号", "日", "率", "真")
    assert table.rows == [
        ("東大", "5010005007398", "2026-06-29", "0.5", "TRUE"),
        ("", "12", "2026-06-29T09:30:00", "", "FALSE"),  # a formula without a cached value
    ]
    assert table.for_spreadsheet
    assert tables.read(body, sheet="別").columns == ("名", "x")
    assert refusal(body, sheet="無い").values["known"] == "一覧, 別"


def test_a_cell_outside_the_header_is_refused() -> None:
    error = refusal(workbook([["a", "b"], ["1", "2"], ["3", "4", None, "5"]]))
    assert (error.code, error.row, error.column) == ("outside", 2, 4)


def _repacked(change: Callable[[str, bytes], bytes]) -> bytes:
    output = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook([["a"], ["1"]]))) as old,
        zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return output.getvalue()


def test_a_workbook_that_unpacks_to_too_much_is_refused_before_it_is_unpacked() -> None:
    body = _repacked(lambda name, part: b" " * 50_000_000 + part if name.endswith("sheet1.xml") else part)
    assert len(body) < 200_000
    error = refusal(body, limits=TableLimits(unpacked=10_000_000))
    assert (error.code, error.kind) == ("unpacked", "too-large")


def test_entities_in_a_workbook_are_refused() -> None:
    laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    declared = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "ha">{laughs}]>'.encode()

    def bomb(name: str, part: bytes) -> bytes:
        return declared + part.replace(b"<t>a</t>", b"<t>&a9;</t>") if name.endswith("sheet1.xml") else part

    assert refusal(_repacked(bomb)).code == "doctype"
    wide = _repacked(lambda name, part: part.decode().encode("utf-16") if "sheet1" in name else part)
    assert tables.read(wide, header=1).columns == ("a",)


@pytest.mark.parametrize("name", ["xl/worksheets/sheet1.xml", "xl/other.bin"])
@pytest.mark.parametrize("prefix", ["", "x:"])
def test_a_row_of_a_million_cells_is_refused_before_it_is_read(name: str, prefix: str) -> None:
    """30 kB, compressed; the cells of a row would all be objects at once."""
    row = f"<{prefix}row>" + f"<{prefix}c/>" * 1_000_000 + f"</{prefix}row>"
    space = f'xmlns{":x" if prefix else ""}="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    sheet = f"<{prefix}worksheet {space}><{prefix}sheetData>{row}</{prefix}sheetData></{prefix}worksheet>"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(name, sheet)
    assert len(packed.getvalue()) < 40_000
    begun = time.process_time()
    with pytest.raises(TableError) as refused:
        tables.read(packed.getvalue(), "t.xlsx", TableLimits())
    assert refused.value.code == "columns"
    assert time.process_time() - begun < 2


def test_rows_that_a_workbook_only_claims_are_not_walked_through() -> None:
    def far(name: str, part: bytes) -> bytes:
        assert b'r="2"' in part or not name.endswith("sheet1.xml")
        return part.replace(b'r="2"', b'r="99999999999"') if name.endswith("sheet1.xml") else part

    assert refusal(_repacked(far)).code == "damaged"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old-workbook"),
        (b"%PDF-1.7\n", "no-table"),
        (b"PK\x03\x04 and nothing else", "damaged"),
        (_repacked(lambda name, part: part[: len(part) // 2] if name.endswith("sheet1.xml") else part), "damaged"),
        (_repacked(lambda name, part: b"<x/>" if name.endswith("workbook.xml") else part), "no-sheet"),
    ],
)
def test_what_is_no_workbook_says_so(body: bytes, code: str) -> None:
    assert refusal(body, "x.xlsx").code == code


def test_a_zip_file_is_no_workbook() -> None:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        archive.writestr("a.txt", "x")
    assert refusal(output.getvalue()).code == "no-workbook"


# ---- writing ----


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\tx", "\rx", "\n=1", "＝1+1", "－1+1", "'=1", "''@x", "-", "'"],
)
def test_no_cell_is_run_and_none_is_lost(cell: str) -> None:
    made = tables.write(Table(("a", "b"), [(cell, "x")]))
    written = next(csv.reader(io.StringIO(made.decode(), newline=""), strict=True), None)
    assert written == ["a", "b"]
    cells = list(csv.reader(io.StringIO(made.decode(), newline="")))[1]
    assert not tables.is_formula(cells[0])
    assert tables.read(made, "t.csv").rows == [(cell, "x")]


@pytest.mark.parametrize("cell", ["-5", "+3.25", "-1,234", "-.5e3", "-12%", "-", "－", "東大", "'90s", "1-2", "a=b"])
def test_numbers_and_texts_stay_as_they_are(cell: str) -> None:
    assert tables.defused(cell) == cell


def test_the_byte_order_mark_is_for_spreadsheets() -> None:
    for wanted in (True, False):
        made = tables.write(Table(("名",), [("東大",), ("",)], wanted))
        assert made.startswith(b"\xef\xbb\xbf") is wanted
        assert tables.read(made, "t.csv") == Table(("名",), [("東大",)], wanted)
    assert tables.write(Table(("名",), [("",), ("東大",)])) == '名\r\n""\r\n東大\r\n'.encode()


_CELL = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("=+-@'\t\r\n,;\""), max_size=12)


@settings(max_examples=200, deadline=None, database=None)
@given(st.lists(st.tuples(_CELL.filter(bool), _CELL), min_size=1, max_size=6), st.booleans())
def test_what_is_written_is_read_back(cells: list[tuple[str, str]], wanted: bool) -> None:
    table = Table(("名", "備考"), cells, wanted)
    assert tables.read(tables.write(table), "t.csv") == table


@settings(max_examples=300, deadline=None, database=None)
@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode), st.sampled_from(["", "t.csv", "t.tsv"]))
def test_any_bytes_are_a_table_or_an_error_of_ours(body: bytes, name: str) -> None:
    try:
        table = tables.read(body, name)
    except TableError as error:
        told = rows.MESSAGES[error.code].format_map(_Any(error.values))
        table = Table((told,), [])
    assert all(len(row) == len(table.columns) for row in table.rows)


class _Any(dict[str, object]):
    def __missing__(self, key: str) -> str:
        raise AssertionError(f"no value for {key}")
