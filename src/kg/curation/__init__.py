"""Curated YAML files and their mapping to RDF.

- `records`: reads and checks files; `parses`: a cache of parsed files
- `builder`: maps all records to quads
- `sources`, `passages`, `concordance`, `coverage`: the texts, evidence in them, where terms occur, what is covered
- `schema`: a JSON Schema for editors
"""
