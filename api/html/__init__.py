"""Renders HTML pages.

- `view`: what templates use: names, links and marks in the reader's language
- `access`: a table as an API, with code examples
"""
