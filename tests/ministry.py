"""A table of 60 rows as ministries have them, in Shift_JIS: writings that make false links, with the right records."""

from __future__ import annotations

import csv

from dataset import ROOT

NAME = "機関一覧.csv"
SUBJECT = "https://ministry.example/id/{整理番号}"
# What is said of its numbers, by row: two have a wrong check digit, one was rounded, two were changed but can be read.
WRONG, ROUNDED, REPAIRED = (24, 42), (23,), (3, 36)

ROWS = list(
    csv.DictReader((ROOT / "tests/fixtures/ministry.tsv").read_text(encoding="utf-8").splitlines(), delimiter="\t")
)
# The path of the right record by the row's number; rows that must not be linked by the machine have none.
EXPECTED = {str(n): row["expected"] for n, row in enumerate(ROWS, 1) if row["expected"] != "-"}


def body() -> bytes:
    """The table as a file: two lines of title, its header, and the rows."""
    lines = ["令和8年度　研究機関等の一覧,,,", ",,,（令和8年4月1日現在）", "整理番号,機関名,法人番号,所属機関"]
    for n, row in enumerate(ROWS, 1):
        number = f'"{row["number"]}"' if "," in row["number"] else row["number"]
        lines.append(f"{n},{row['name']},{number},{row['owner']}")
    return "\r\n".join([*lines, ""]).encode("cp932")
