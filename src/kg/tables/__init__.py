"""Uploaded tables: CSV, TSV and workbooks, read as rows of text."""
