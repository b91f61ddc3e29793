"""The ontology, its documentation and its files."""
