"""RDF basics.

- `iris`, `namespaces`, `terms`, `datatypes`: identifiers and terms
- `context`: the JSON-LD context; `formats`: syntaxes, media types and content negotiation
- `canonical`, `ordering`, `serialization`, `turtle`: reproducible output
"""
