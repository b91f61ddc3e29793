"""Builds a release from curated files.

- `pipeline`: the stages in order
- `checks`, with `slices`: SHACL shapes and check queries, also incrementally
- `reasoning`: inference by rules, and consistency in OWL 2 DL
"""
