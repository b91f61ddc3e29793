"""The ontology: its documentation and its files.

- `router`: `/ontology`, `/context.jsonld` and `/shapes/…`
- `vocabulary`: the terms with their axioms and use; `diagram`: the layout of the class diagram
"""
