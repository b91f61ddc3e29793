"""Linked data: dereferences the IRIs of records and classes.

- `router`: `/id`, `/page`, `/data` and `/linkset`
- `cards`, `facets`, `partners`: what pages of records and class lists show
- `structured_data`, `signposting`: JSON-LD in pages and typed links
"""
