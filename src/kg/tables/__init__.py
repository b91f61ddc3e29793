"""Reads uploaded tables as rows of text, and writes tables as CSV.

- `table`: reads a file of any supported type into a `Table`; writes CSV
- `layout`: finds the header among the first rows
- `delimited`: CSV and TSV; `workbooks`: .xlsx
- `rows`: rows, limits and errors; `process`: reads a table in a child process
"""
