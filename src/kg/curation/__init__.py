"""Curated YAML files and their mapping to RDF.

- `records`: reads and checks files; `parses`: a cache of parsed files
- `builder`: maps all records to quads
- `passages`, `coverage`: evidence in the sources, and what is covered
- `schema`: a JSON Schema for editors
"""
